//! When a cluster was ready, from what the clients saw. Pure.
//!
//! Their script does a round a second (write, read back, sleep 1 s), five of them, and repeats a step that fails. Ours are
//! taken from clients that write and read all the time, and are *in a row*: a write or a reading that fails in between
//! begins them anew. So ours is never earlier than theirs would be.

use std::time::Duration;

use crate::record::history::{Attempt, Reading};

/// How many rounds.
pub const ROUNDS: usize = 5;
/// From the end of a round to the beginning of the next, and after the last.
pub const REST: Duration = Duration::from_secs(1);

/// What one instance's client saw.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The heart, in the order of time.
    pub writes: Vec<Attempt>,
    /// The beat; `None`: the instance has no float IP for standbys.
    pub reads: Option<Vec<Reading>>,
}

/// When the last of five good rounds of every instance was over, the first of which began not before `from`. `None`: not yet.
#[must_use]
pub fn ready(histories: &[History], from: Duration) -> Option<Duration> {
    let mut begun = from;
    loop {
        let mut end = begun;
        for _ in 0..ROUNDS {
            // The instances one after the other, as in theirs.
            for history in histories {
                end = round(history, end)?;
            }
            end += REST;
        }
        if histories.iter().any(|history| history.newest() < Some(end)) {
            return None;
        }
        let failed = histories.iter().flat_map(History::failures).filter(|at| *at > begun && *at <= end);
        match failed.max() {
            Some(at) => begun = at,
            None => return Some(end),
        }
    }
}

/// The end of the first round that begins at `from`: a write that is good, and is read back.
fn round(history: &History, from: Duration) -> Option<Duration> {
    let write = history.writes.iter().find(|write| write.sent >= from && write.is_acked())?;
    let Some(reads) = &history.reads else { return Some(write.ended) };
    let sees = |read: &&Reading| {
        read.asked >= write.ended && read.newest.as_ref().is_ok_and(|newest| *newest >= write.id)
    };
    reads.iter().find(sees).map(|read| read.at)
}

impl History {
    /// When each attempt that failed was over.
    fn failures(&self) -> impl Iterator<Item = Duration> {
        let writes = self.writes.iter().filter(|w| !w.is_acked()).map(|w| w.ended);
        writes.chain(self.reads.iter().flatten().filter(|r| r.newest.is_err()).map(|r| r.at))
    }

    /// Up to when it is known: nothing failed after that only because nothing is known.
    fn newest(&self) -> Option<Duration> {
        let writes = self.writes.last().map(|w| w.ended);
        match &self.reads {
            None => writes,
            Some(reads) => writes.min(reads.last().map(|r| r.at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::history::Outcome;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Writes every 100 ms, read back every 200; `bad_write` and `bad_read` say which fail.
    fn history(
        until: u64,
        bad_write: impl Fn(u64) -> bool,
        bad_read: impl Fn(u64) -> bool,
        lag: u64,
    ) -> History {
        let writes = (0..until).step_by(100).map(|at| Attempt {
            id: i64::try_from(at).expect("small"),
            connection: 1,
            sent: ms(at),
            asked: ms(at),
            ended: ms(at + 10),
            outcome: if bad_write(at) { Outcome::Refused("down".to_owned()) } else { Outcome::Acked },
            served: None,
        });
        let reads = (50..until).step_by(200).map(|at| Reading {
            connection: 1,
            asked: ms(at),
            at: ms(at + 5),
            newest: if bad_read(at) {
                Err("down".to_owned())
            } else {
                Ok(i64::try_from((at - 50).saturating_sub(lag)).expect("small"))
            },
        });
        History { writes: writes.collect(), reads: Some(reads.collect()) }
    }

    fn good(until: u64) -> History {
        history(until, |_| false, |_| false, 0)
    }

    fn alone(mut of: History) -> History {
        of.reads = None;
        of
    }

    #[test]
    fn a_bystander_costs_five_rounds_of_a_second() {
        let at = ready(&[good(10_000)], ms(1000)).expect("ready");
        assert!(at > ms(6000) && at < ms(8000), "{at:?}");
        let without_standby = ready(&[alone(good(10_000))], ms(1000)).expect("ready");
        assert!(without_standby > ms(6000) && without_standby <= at, "{without_standby:?}");
    }

    #[test]
    fn four_rounds_are_not_five() {
        let at = ready(&[good(10_000)], ms(1000)).expect("ready");
        let before = u64::try_from(at.as_millis()).expect("small") - 500;
        assert_eq!(ready(&[good(before)], ms(1000)), None);
        assert_eq!(ready(&[], ms(0)), Some(5 * REST), "no instance, nothing to wait for");
        assert_eq!(ready(&[History::default()], ms(0)), None);
    }

    #[test]
    fn it_begins_when_the_writes_come_back() {
        let down = |at| (1000..20_000).contains(&at);
        let at = ready(&[history(40_000, down, |_| false, 0)], ms(1200)).expect("ready");
        assert!(at > ms(25_000) && at < ms(27_000), "{at:?}");
    }

    #[test]
    fn one_failure_in_between_begins_the_rounds_anew() {
        let undisturbed = ready(&[good(20_000)], ms(1000)).expect("ready");
        for (write, read) in [(4000, 0), (0, 4050)] {
            let blip = history(20_000, |at| at == write, |at| at == read, 0);
            let at = ready(&[blip], ms(1000)).expect("ready");
            assert!(at >= undisturbed + ms(2500), "{write} {read}: {at:?}");
        }
        let later = history(20_000, |at| at == 9000, |_| false, 0);
        assert_eq!(ready(&[later], ms(1000)), Some(undisturbed), "what comes after it is another matter");
    }

    #[test]
    fn a_standby_that_lags_is_waited_for_and_one_that_does_not_advance_never_comes() {
        let quick = ready(&[good(30_000)], ms(1000)).expect("ready");
        let slow = ready(&[history(30_000, |_| false, |_| false, 800)], ms(1000)).expect("ready");
        assert!(slow >= quick + ms(5 * 600), "{quick:?} {slow:?}");
        assert_eq!(ready(&[history(30_000, |_| false, |_| false, 30_000)], ms(1000)), None);
        assert_eq!(ready(&[history(30_000, |_| false, |_| true, 0)], ms(1000)), None);
    }

    #[test]
    fn every_instance_counts() {
        let down = |at| (1000..12_000).contains(&at);
        let late = alone(history(30_000, down, |_| false, 0));
        let both = ready(&[alone(good(30_000)), late.clone()], ms(1000)).expect("ready");
        assert!(both >= ready(&[late], ms(1000)).expect("ready"));
        assert!(both > ms(17_000), "{both:?}");
    }
}
