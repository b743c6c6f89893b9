//! `promote`: election, promotion, proof.

use std::time::Duration;

use super::{Agent, ROUND, Report};
use crate::boundary::host::{Level, Trouble};
use crate::decide::cluster::{Manager, Vouched};
use crate::decide::election::{self, Candidacy, Election, OldPrimary};
use crate::decide::facts::Facts;
use crate::decide::memory::Standing;
use crate::decide::promote::{Progress, Step, decide};
use crate::decide::score::{self, ScoreStep};
use crate::ocf::OcfCode;
use crate::pg::role::PgRole;
use crate::pg::timeline::WalPosition;
use crate::pg::view::Answer;

/// The postmaster needs a few milliseconds: it is looked at often.
const PROMOTION_ROUND: Duration = Duration::from_millis(20);

/// Between two looks at what arrives: what a primary commits it sends at once, and one that sends nothing commits nothing.
const QUIET: Duration = Duration::from_millis(500);

/// Why there is no winner.
enum Setback {
    NoBallots(Trouble),
    /// The old primary lives, or may.
    Look(WalPosition, OldPrimary),
    Decided(Report),
}

impl Agent<'_> {
    pub(super) fn promote(&mut self) -> Report {
        if let Err((code, reason)) = self.refuse_while_resetting() {
            return Report::new(code, reason);
        }
        let begun = self.host.now();
        let mut progress = Progress::Begun;
        let mut won = String::new();
        let (mut seen, mut warned) = (None, false);
        loop {
            let facts = self.glance(self.left());
            match decide(&facts, progress, self.spent()) {
                Step::Elect => match self.elect(&facts, seen, warned) {
                    Err(Setback::Look(position, old)) if !self.spent() => {
                        if old == OldPrimary::Lives && !warned {
                            let line = format!(
                                "WAL still arrives, at {position}: the old primary lives; waiting for its end"
                            );
                            self.host.log(Level::Warning, &line);
                            warned = true;
                        }
                        seen = Some(position);
                        self.host.sleep(QUIET.min(self.left()));
                    }
                    Err(Setback::Look(position, _)) => {
                        return Report::new(
                            OcfCode::ErrGeneric,
                            format!(
                                "not promoted: WAL still arrives, at {position}: the old primary lives; end it first"
                            ),
                        );
                    }
                    // Without the others' positions nothing is known of them: ask again.
                    Err(Setback::NoBallots(_)) if !self.spent() => self.host.sleep(ROUND),
                    Err(Setback::NoBallots(trouble)) => {
                        return Report::new(
                            OcfCode::ErrGeneric,
                            format!("the others' positions could not be read: {trouble}"),
                        );
                    }
                    Ok(reason) => {
                        self.host.log(Level::Info, &format!("won the election: {reason}"));
                        won = reason;
                        progress = Progress::Elected;
                    }
                    Err(Setback::Decided(report)) => return report,
                },
                Step::Tell => {
                    self.tell_node(|host| host.record(PgRole::Primary));
                    if let Err(trouble) = self.host.tell_to_promote() {
                        return Report::new(OcfCode::ErrGeneric, trouble.0);
                    }
                    progress = Progress::Told;
                }
                Step::Wait(_) => self.host.sleep(PROMOTION_ROUND),
                Step::Prove => return self.prove(progress, begun, &won),
                Step::Fail(reason) => return Report::changed(OcfCode::ErrGeneric, reason),
            }
        }
    }

    /// A primary that takes no write is none.
    fn prove(&mut self, progress: Progress, begun: u64, won: &str) -> Report {
        if let Err(trouble) = self.host.prove_writable(self.left()) {
            return Report::changed(
                OcfCode::ErrGeneric,
                format!("promoted, but it takes no writes: {trouble}"),
            );
        }
        self.memory.standing = Standing::Current;
        if progress == Progress::Told {
            self.memory.promoted = Some(self.host.now());
        }
        match progress {
            Progress::Told => {
                let took = self.host.now().saturating_sub(begun);
                Report::changed(
                    OcfCode::Success,
                    format!("promoted in {took} ms, takes writes; was at {won}"),
                )
            }
            Progress::Begun | Progress::Elected => Report::new(OcfCode::Success, "is the primary already"),
        }
    }

    /// `seen`: the position at the last look at what arrives.
    /// `lived`: whether more arrived since the others told theirs.
    fn elect(&mut self, facts: &Facts, seen: Option<WalPosition>, lived: bool) -> Result<String, Setback> {
        let node = self.node();
        let position = self.position(facts);
        let disk = self.try_disk().disk;
        let ballots = match self.manager() {
            Manager::Nobody => Vec::new(),
            // Nobody else runs: there is nobody to answer.
            Manager::Pacemaker if self.alone() => Vec::new(),
            Manager::Pacemaker => self.host.ballots().map_err(Setback::NoBallots)?,
        };
        let streams =
            matches!(&facts.answer, Some(Answer::Standby(view)) if score::streams(view.receiver.as_ref()));
        let old = election::old_primary(seen, position, streams);
        if let (Some(now), OldPrimary::Unknown | OldPrimary::Lives) = (position, old) {
            return Err(Setback::Look(now, old));
        }
        if lived && election::others_told(&node, &ballots) {
            return Err(Setback::Decided(Report::new(
                OcfCode::ErrGeneric,
                "not promoted: the old primary has ended only now, and what the others told of their positions is of before; \
                 Pacemaker asks them anew",
            )));
        }
        let unproven = self.manager() == Manager::Pacemaker && self.memory.standing == Standing::Unproven;
        let vouched = match unproven.then(|| self.ask_cluster()).flatten() {
            Some(cluster) => cluster.vouched,
            None => Vouched::No,
        };
        let candidacy = Candidacy {
            node: &node,
            manager: self.manager(),
            position,
            disk,
            standing: self.memory.standing,
            vouched,
            attendance: election::attendance(&node, &ballots, self.run.instances),
            ballots: &ballots,
            lag: score::lag(&self.memory, position),
            maxlag: self.settings.maxlag,
        };
        match election::hold(&candidacy) {
            Election::Won(reason) => Ok(reason),
            Election::Lost(best) => {
                let own = position.map_or("an unknown position".to_owned(), |p| p.to_string());
                let reason = if disk.is_fit() {
                    format!("{} is more advanced: {} against {own} here", best.node, best.position)
                } else {
                    format!("{} has all that is here, and the disk here is {}", best.node, disk.text())
                };
                self.hand_over(&best.node, &reason);
                Err(Setback::Decided(Report::changed(
                    OcfCode::ErrGeneric,
                    format!("lost the election: {reason}"),
                )))
            }
            Election::Refused(refusal) => {
                self.apply(ScoreStep::Set(score::WITHDRAWN, refusal.to_string()));
                Err(Setback::Decided(Report::changed(
                    OcfCode::ErrGeneric,
                    format!("not promoted: {refusal}"),
                )))
            }
        }
    }

    /// Whether the plan knows this instance as the only one. Without a plan nobody says so.
    fn alone(&self) -> bool {
        let running = self.plan.running_after();
        running.len() == 1 && self.run.node.as_deref() == running.first().copied()
    }

    /// The better one becomes Pacemaker's next choice.
    fn hand_over(&mut self, better: &str, reason: &str) {
        self.apply(ScoreStep::Set(score::INITIAL, reason.to_owned()));
        if let Err(trouble) = self.host.set_score(better, score::PRIMARY) {
            self.host.log(Level::Warning, &format!("the score of {better} could not be raised: {trouble}"));
        }
    }
}
