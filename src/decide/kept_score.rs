//! Whether the CIB still has the promotion score that the agent wrote.
//!
//! A pacemaker-controld that begins anew erases its node's transient attributes from the CIB, and pacemaker-attrd, which still has
//! them, writes changes only. A pacemaker-attrd that ends takes its node's values out of all memories. Either way the score is gone
//! for good, with Pacemaker's other daemons, and the agent's memory, as they were: nobody would be promoted there again.

use super::clock::{BootTime, Millis};
use super::memory::{Keepers, Memory};
use super::promotion_score::Score;

/// A controller that begins anew erases the attributes when it joins, seconds later: the score is looked at for so long.
pub const DOUBT: Millis = 60_000;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Nothing,
    /// It is no longer in doubt.
    Settled,
    /// Send it once more.
    Resend(Score),
}

/// Decides on the score that the CIB has.
#[must_use]
pub fn decide(memory: &Memory, in_cib: Option<Score>, now: BootTime) -> Step {
    let Some(since) = memory.score_doubted else { return Step::Nothing };
    match (memory.score, in_cib) {
        (Some(score), None) => Step::Resend(score),
        // What a primary or an operator has made of it since stays.
        (_, Some(_)) | (None, None) if now.since(since) < DOUBT => Step::Nothing,
        (_, Some(_)) | (None, None) => Step::Settled,
    }
}

impl Memory {
    /// Puts the score in doubt where a daemon that keeps it is another one, or gone. `None`: they could not be told.
    #[must_use]
    pub fn kept_by(self, keepers: Option<Keepers>, now: BootTime) -> Memory {
        match (self.keepers, keepers) {
            (_, None) => self,
            (before, now_there) if before == now_there => self,
            // A first look may follow the death of all of them: a controller whose executor died begins anew, too.
            (None, keepers) => Memory { keepers, score_doubted: Some(now), ..self },
            // The record of promotions is told once more too.
            (Some(_), keepers) => Memory { keepers, score_doubted: Some(now), kept: None, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::memory::PacemakerRun;

    fn keepers(controller: i32, attributes: i32) -> Option<Keepers> {
        let run = |pid| (pid > 0).then_some(PacemakerRun { pid, start_time: 7 });
        Some(Keepers { controller: run(controller), attributes: run(attributes) })
    }

    #[test]
    fn a_daemon_that_began_anew_puts_the_score_in_doubt() {
        let memory = Memory { score: Some(Score::Standby), ..Memory::default() }
            .kept_by(keepers(1, 2), BootTime::at(5));
        assert_eq!(memory.score_doubted, Some(BootTime::at(5)), "seen for the first time");
        let memory = Memory { score_doubted: None, ..memory };
        assert_eq!(memory.clone().kept_by(keepers(1, 2), BootTime::at(6)).score_doubted, None);
        assert_eq!(memory.clone().kept_by(None, BootTime::at(6)).score_doubted, None);
        for other in [keepers(3, 2), keepers(1, 3), keepers(0, 2), keepers(1, 0)] {
            let doubted = memory.clone().kept_by(other, BootTime::at(6));
            assert_eq!((doubted.score_doubted, doubted.keepers), (Some(BootTime::at(6)), other));
        }
    }

    #[test]
    fn it_is_sent_again_until_the_cib_has_kept_it_for_a_while() {
        let memory = Memory {
            score: Some(Score::Standby),
            score_doubted: Some(BootTime::at(100)),
            ..Memory::default()
        };
        for now in [100, 100 + DOUBT, 100 + 10 * DOUBT] {
            assert_eq!(decide(&memory, None, BootTime::at(now)), Step::Resend(Score::Standby), "{now}");
        }
        assert_eq!(decide(&memory, Some(Score::ranked(0)), BootTime::at(99 + DOUBT)), Step::Nothing);
        assert_eq!(decide(&memory, Some(Score::ranked(0)), BootTime::at(100 + DOUBT)), Step::Settled);
        assert_eq!(decide(&Memory { score: None, ..memory.clone() }, None, BootTime::at(101)), Step::Nothing);
        assert_eq!(
            decide(&Memory { score: None, ..memory.clone() }, None, BootTime::at(100 + DOUBT)),
            Step::Settled
        );
        assert_eq!(decide(&Memory { score_doubted: None, ..memory }, None, BootTime::at(101)), Step::Nothing);
    }
}
