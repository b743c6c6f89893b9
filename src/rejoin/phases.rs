//! One phase after the other.

use std::time::Duration;

use super::{Next, Rejoin};
use crate::boundary::clock::{Deadline, boottime_ms, wall_seconds};
use crate::boundary::host::Level;
use crate::boundary::memory;
use crate::boundary::rejoin::{self, Lock, RejoinError, Source, SourceFacts, Step, Whole};
use crate::decide::rejoin::{
    AfterLook, Cause, Checkpoint, Phase, Primary, Rewound, Stream, Watched, Way, after_keeping, after_wanted,
    checkpoint, keep, loss, primary, way,
};
use crate::decide::score::streams;
use crate::pg::view::Answer;

/// Between two questions to the primary for its checkpoint.
const CHECKPOINT_AGAIN: Duration = Duration::from_secs(1);
/// Between two looks at the new standby.
const STREAM_AGAIN: Duration = Duration::from_secs(2);

/// On a clock that goes on while the machine sleeps.
fn since(begun: u64) -> Duration {
    Duration::from_millis(boottime_ms().saturating_sub(begun))
}

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
        let next = match self.task.cause {
            Cause::Starved => Some(self.instance.next_wal(&source)?),
            Cause::Diverged | Cause::Forked | Cause::Asked => None,
        };
        let Some(phase) = after_wanted(next, self.task.kept.is_some(), self.task.way) else {
            self.say(
                Level::Warning,
                &format!("{} still has the WAL that comes next: nothing is replaced", source.node),
            );
            return Ok(Next::Dropped);
        };
        Ok(Next::To(phase))
    }

    fn keep(&mut self) -> Step<Next> {
        let (source, facts) = self.source()?;
        let compared = self.instance.compare(&source, &facts)?;
        let keep = keep(self.task.cause, compared.is_known, !compared.ranges.is_empty());
        let compared = compared.kept(keep);
        if !self.task.loss_accepted {
            loss(compared.bytes(), self.instance.settings().rejoin_max_loss).map_err(RejoinError::Manual)?;
        }
        let kept = self.instance.keep(&source, &compared, wall_seconds())?;
        self.say(Level::Warning, &kept.sentence());
        self.task.kept = Some(kept);
        self.task.way = way(self.task.way, keep);
        Ok(Next::To(after_keeping(self.task.way)))
    }

    fn recover(&mut self) -> Step<Next> {
        self.instance.must_rest()?;
        if !self.instance.is_shut_down()? {
            self.instance.recover()?;
        }
        Ok(Next::To(Phase::AwaitingCheckpoint))
    }

    fn await_checkpoint(&mut self) -> Step<Next> {
        let begun = boottime_ms();
        let source = loop {
            let (source, facts) = self.source()?;
            match checkpoint(facts.checkpoint_timeline == facts.timeline, since(begun)) {
                Checkpoint::Done => break source,
                Checkpoint::Awaited => Deadline::after(CHECKPOINT_AGAIN).sleep(CHECKPOINT_AGAIN),
                Checkpoint::Missing => {
                    return Err(RejoinError::Again(format!(
                        "{} has made no checkpoint on timeline {}: type CHECKPOINT there",
                        source.node, facts.timeline
                    )));
                }
            }
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

    /// Rewound, it was started and follows nobody: as without the WAL that it needs.
    fn copy_instead(&mut self) -> Step<Next> {
        let (cluster, record) = self.instance.cluster()?;
        let lock = Lock::take(&self.task.resource)?;
        let rewound = Rewound {
            primary: primary(Some(&cluster), &record),
            was_promoted: record.last().is_some_and(|last| last.node == self.task.node),
            is_ours: lock.is_some() && self.is_on_record()?,
            rests: self.instance.must_rest().is_ok(),
        };
        if !rewound.may_be_copied() {
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

    /// Another one may have been asked for since: that is the next run's.
    fn is_on_record(&self) -> Step<bool> {
        Ok(rejoin::load(&self.task.resource)?.is_some_and(|task| task.asked == self.task.asked))
    }

    /// Until it streams: the old data are needed no longer then.
    fn watch(&mut self) -> Step<Next> {
        self.lock = None;
        self.save()?;
        let (begun, mut watched) = (boottime_ms(), Watched::default());
        loop {
            if !self.is_on_record()? {
                return Ok(Next::Replaced);
            }
            if rejoin::is_abandoned(&self.task.resource) {
                self.start_by_pacemaker();
            }
            let stream = match self.instance.probe() {
                Some(Answer::Standby(view)) if streams(view.receiver.as_ref()) => Stream::Streams,
                Some(Answer::Primary(_)) => Stream::Promoted,
                Some(_) => Stream::Up,
                None => Stream::Down,
            };
            match watched.look(stream, since(begun), self.task.way) {
                AfterLook::Again => Deadline::after(STREAM_AGAIN).sleep(STREAM_AGAIN),
                AfterLook::Streams => break,
                AfterLook::CopyInstead => return self.copy_instead(),
                AfterLook::GivenUp => {
                    let old = self.task.old.as_deref().unwrap_or("no directory: they were rewound");
                    let line = format!(
                        "it does not stream after {} s; the old data stay in {old}",
                        since(begun).as_secs()
                    );
                    self.say(Level::Warning, &line);
                    return Ok(Next::To(Phase::Ended));
                }
            }
        }
        if self.task.old.is_some() {
            self.instance.remove_old()?;
            self.task.old = None;
        }
        Ok(Next::To(Phase::Ended))
    }
}
