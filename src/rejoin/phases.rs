//! One phase after the other.

use std::time::Duration;

use super::{Next, Rejoin};
use crate::boundary::clock::{Deadline, wall_seconds};
use crate::boundary::host::Level;
use crate::boundary::memory;
use crate::boundary::rejoin::{self, Compared, Lock, RejoinError, Source, SourceFacts, Step, Whole};
use crate::decide::rejoin::{Cause, Phase, Primary, Way, loss, primary};
use crate::decide::score::streams;
use crate::pg::view::Answer;

/// The primary's checkpoint after its promotion is its agent's first job.
const CHECKPOINT_AGAIN: Duration = Duration::from_secs(1);
const CHECKPOINT_WAITS: u32 = 600;
/// How long a new standby may take until it streams.
const STREAM: Duration = Duration::from_secs(300);
const STREAM_AGAIN: Duration = Duration::from_secs(2);
/// A WAL receiver calls itself streaming before the primary has refused its position.
const STEADY_LOOKS: u32 = 3;

impl Rejoin {
    pub(super) fn perform(&mut self) -> Step<Next> {
        match self.task.phase {
            Phase::Wanted => self.begin(),
            Phase::Keeping => self.keep(),
            Phase::Recovering => self.recover(),
            Phase::AwaitingCheckpoint => self.await_checkpoint(),
            Phase::Rewinding => self.rewind(),
            Phase::Copying => self.copy(),
            Phase::Verifying => {
                self.instance.verify()?;
                Ok(Next::To(Phase::Swapping))
            }
            Phase::Swapping => self.swap(),
            Phase::Configuring => self.configure(),
            Phase::Starting => self.watch(),
            Phase::Ended | Phase::Manual => Ok(Next::End),
        }
    }

    fn source(&mut self) -> Step<(Source, SourceFacts)> {
        self.instance.must_rest()?;
        let source = self.primary()?;
        let facts = self.instance.ask(&source)?;
        self.task.source = Some(source.node.clone());
        Ok((source, facts))
    }

    fn primary(&mut self) -> Step<Source> {
        let (cluster, record) = self.instance.cluster()?;
        match (primary(Some(&cluster), &record), cluster.primary) {
            (Primary::Known, Some(upstream)) => self.instance.source(&upstream),
            (Primary::Known | Primary::Nobody, _) => Err(RejoinError::NoPrimary(
                "no instance is promoted that is the last one on record".to_owned(),
            )),
        }
    }

    fn swap(&mut self) -> Step<Next> {
        // Somebody may read the old data meanwhile, in a server of his own.
        self.instance.must_rest()?;
        let before = self.task.half;
        self.task.old = Some(self.instance.old_directory().display().to_string());
        self.task.half = true;
        self.save()?;
        if let Err(error) = self.instance.swap() {
            self.task.half = before || !self.instance.is_before_swap()?;
            return Err(error);
        }
        Ok(Next::To(Phase::Configuring))
    }

    fn begin(&mut self) -> Step<Next> {
        let (source, _) = self.source()?;
        if self.task.cause == Cause::Starved && self.instance.has_next_wal(&source)? {
            self.say(
                Level::Warning,
                &format!("{} still has the WAL that comes next: nothing is replaced", source.node),
            );
            return Ok(Next::Dropped);
        }
        Ok(Next::To(match (&self.task.kept, self.task.way) {
            (None, _) => Phase::Keeping,
            (Some(_), Way::Copy) => Phase::Copying,
            (Some(_), Way::Rewind) => Phase::Recovering,
        }))
    }

    fn keep(&mut self) -> Step<Next> {
        let (source, facts) = self.source()?;
        let mut compared = self.instance.compare(&source, &facts)?;
        if self.task.cause == Cause::Starved {
            // It has only replayed what the primary wrote.
            compared = Compared { ranges: Vec::new(), is_known: true, ..compared };
        }
        if !self.task.loss_accepted {
            loss(compared.bytes(), self.instance.settings().rejoin_max_loss).map_err(RejoinError::Manual)?;
        }
        if self.task.cause == Cause::Diverged && compared.ranges.is_empty() {
            // It did diverge: what can't be told apart is kept as a whole.
            compared.is_known = false;
        }
        let kept = self.instance.keep(&source, &compared, wall_seconds())?;
        self.say(Level::Warning, &kept.sentence());
        self.task.kept = Some(kept);
        if !compared.is_known {
            self.task.way = Way::Copy;
        }
        Ok(Next::To(match self.task.way {
            Way::Rewind => Phase::Recovering,
            Way::Copy => Phase::Copying,
        }))
    }

    fn recover(&mut self) -> Step<Next> {
        self.instance.must_rest()?;
        if !self.instance.is_shut_down()? {
            self.instance.recover()?;
        }
        Ok(Next::To(Phase::AwaitingCheckpoint))
    }

    fn await_checkpoint(&mut self) -> Step<Next> {
        let mut left = CHECKPOINT_WAITS;
        let source = loop {
            let (source, facts) = self.source()?;
            if facts.checkpoint_timeline == facts.timeline {
                break source;
            }
            left = left.checked_sub(1).ok_or_else(|| {
                RejoinError::Again(format!(
                    "{} has made no checkpoint on timeline {}",
                    source.node, facts.timeline
                ))
            })?;
            Deadline::after(CHECKPOINT_AGAIN).sleep(CHECKPOINT_AGAIN);
        };
        match self.instance.try_rewind(&source) {
            Ok(()) => Ok(Next::To(Phase::Rewinding)),
            Err(why) => {
                self.say(Level::Warning, &format!("pg_rewind refuses, the data are copied: {why}"));
                self.task.last_error = Some(why.to_string());
                self.task.way = Way::Copy;
                Ok(Next::To(Phase::Copying))
            }
        }
    }

    fn rewind(&mut self) -> Step<Next> {
        let (source, _) = self.source()?;
        self.instance.clear_rewinding()?;
        self.task.half = true;
        self.save()?;
        let task = &mut self.task;
        self.instance.rewind(&source, &mut |percent| Self::progress(task, percent))?;
        Ok(Next::To(Phase::Configuring))
    }

    fn copy(&mut self) -> Step<Next> {
        self.task.way = Way::Copy;
        let (source, facts) = self.source()?;
        let task = &mut self.task;
        let whole = if task.half { Whole::No } else { Whole::Yes };
        self.instance.copy(&source, &facts, whole, &mut |percent| Self::progress(task, percent))?;
        Ok(Next::To(Phase::Verifying))
    }

    fn configure(&mut self) -> Step<Next> {
        // Whom it follows is seen again at its start: without a primary the one that the data come from does.
        let source = match (self.primary(), &self.task.source) {
            (Err(RejoinError::NoPrimary(_)), Some(node)) => self.instance.source_at(node)?,
            (source, _) => source?,
        };
        if let Some(kept) = &self.task.kept {
            self.instance.restore_settings(kept)?;
        }
        self.instance.configure(&source)?;
        // What the agent remembers is of other data.
        memory::forget(&self.task.resource)?;
        self.task.ready = Some(wall_seconds());
        // On record before the lock is free: who sees neither takes the unit for one that died.
        self.task.phase = Phase::Starting;
        self.save()?;
        self.lock = None;
        Ok(Next::To(Phase::Starting))
    }

    /// Rewound, it was started and did not come up: as without the WAL that it needs.
    fn copy_instead(&mut self) -> Step<Next> {
        let (cluster, record) = self.instance.cluster()?;
        let was_promoted = record.last().is_some_and(|last| last.node == self.task.node);
        let lock = Lock::take(&self.task.resource)?;
        let same = rejoin::load(&self.task.resource)?.is_some_and(|task| task.asked == self.task.asked);
        if was_promoted
            || !same
            || lock.is_none()
            || primary(Some(&cluster), &record) == Primary::Nobody
            || self.instance.must_rest().is_err()
        {
            self.say(Level::Warning, "rewound, it does not stream: journalctl -t quorate-postgres says why");
            return Ok(Next::To(Phase::Ended));
        }
        self.say(Level::Warning, "rewound, it does not come up: it is copied");
        let task = &mut self.task;
        // What it holds is kept again: it may have gone on meanwhile.
        (task.phase, task.way, task.kept) = (Phase::Wanted, Way::Copy, None);
        self.save()?;
        rejoin::abandon(&self.task.resource)?;
        Ok(Next::Replaced)
    }

    /// Until it streams: the old data are needed no longer then.
    fn watch(&mut self) -> Step<Next> {
        self.lock = None;
        self.save()?;
        let until = Deadline::after(STREAM);
        let (mut looks, mut was_up) = (0, false);
        while looks < STEADY_LOOKS {
            // Another one may have been asked for since: that is the next run's.
            if rejoin::load(&self.task.resource)?.is_none_or(|task| task.asked != self.task.asked) {
                return Ok(Next::Replaced);
            }
            if rejoin::is_abandoned(&self.task.resource) {
                self.start_by_pacemaker();
            }
            match self.instance.probe() {
                Some(Answer::Standby(view)) if streams(view.receiver.as_ref()) => looks += 1,
                // It streamed, and was promoted since.
                Some(Answer::Primary(_)) => looks = STEADY_LOOKS,
                Some(_) => (looks, was_up) = (0, true),
                None => looks = 0,
            }
            if until.passed() && was_up && self.task.way == Way::Rewind {
                return self.copy_instead();
            }
            if until.passed() {
                let line = format!(
                    "it does not stream after {} s; the old data stay in {}",
                    STREAM.as_secs(),
                    self.task.old.as_deref().unwrap_or("no directory: they were rewound")
                );
                self.say(Level::Warning, &line);
                return Ok(Next::To(Phase::Ended));
            }
            Deadline::after(STREAM_AGAIN).sleep(STREAM_AGAIN);
        }
        if self.task.old.is_some() {
            self.instance.remove_old()?;
            self.task.old = None;
        }
        Ok(Next::To(Phase::Ended))
    }
}
