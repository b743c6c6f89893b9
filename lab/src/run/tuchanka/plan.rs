//! Which fault comes next: each once, then by chance. All of it from the seed; no clock, no cluster.

use std::time::Duration;

use super::NINE;
use crate::faults::{self, Fault};
use crate::host::chance::Chance;
use crate::host::error::{LabError, Result};

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    pub fault: &'static Fault,
    /// Counted from 1 for each fault.
    pub run: u32,
    /// The chance for the node.
    pub node: u64,
    /// How much later than necessary the fault is injected: a moment at random between two monitors.
    pub phase: Duration,
}

/// The runs, one after the other; without a limit of runs it never ends.
#[derive(Debug)]
pub struct Draws {
    chance: Chance,
    interval: Duration,
    /// Each with how often it was drawn.
    faults: Vec<(&'static Fault, u32)>,
    /// How often each; `None`: for ever.
    limit: Option<u32>,
}

/// The faults that are drawn from: all nine, or some of them.
///
/// # Errors
/// When one is unknown, or none of the nine.
pub fn faults(list: &str) -> Result<Vec<&'static Fault>> {
    let nine: Vec<&str> = NINE.iter().map(|p| p.fault).collect();
    if list == "all" {
        return nine.into_iter().map(faults::by_name).collect();
    }
    let mut some: Vec<&'static Fault> = Vec::new();
    for fault in faults::parse_list(list)? {
        if !nine.contains(&fault.name) {
            return Err(LabError::Host(format!(
                "{} is none of the faults of --protocol tuchanka: {}",
                fault.name,
                nine.join(", ")
            )));
        }
        if !some.iter().any(|known| known.name == fault.name) {
            some.push(fault);
        }
    }
    Ok(some)
}

impl Draws {
    /// The runs of this seed.
    #[must_use]
    pub fn new(faults: &[&'static Fault], seed: u64, interval: Duration, limit: Option<u32>) -> Self {
        let faults = faults.iter().map(|fault| (*fault, 0)).collect();
        Self { chance: Chance::new(seed), interval, faults, limit }
    }
}

impl Iterator for Draws {
    type Item = Draw;

    fn next(&mut self) -> Option<Draw> {
        // Every draw takes the same from the chance: a shorter test is the beginning of a longer one.
        let (which, node, phase) =
            (self.chance.draw(), self.chance.draw(), self.chance.within(self.interval));
        let limit = self.limit.unwrap_or(u32::MAX);
        let open: Vec<usize> = (0..self.faults.len()).filter(|&i| self.faults[i].1 < limit).collect();
        let chosen = match open.iter().find(|&&i| self.faults[i].1 == 0) {
            Some(&first) => first,
            None => *open.get(usize::try_from(which % open.len().max(1) as u64).unwrap_or(0))?,
        };
        let (fault, runs) = self.faults.get_mut(chosen).filter(|(_, runs)| *runs < limit)?;
        *runs += 1;
        Some(Draw { fault, run: *runs, node, phase })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(seed: u64, limit: Option<u32>, first: usize) -> Vec<String> {
        let draws = Draws::new(&faults("all").expect("nine"), seed, Duration::from_secs(3), limit);
        draws.take(first).map(|d| format!("{} {} {} {:?}", d.fault.name, d.run, d.node, d.phase)).collect()
    }

    #[test]
    fn each_once_then_by_chance_and_the_same_for_the_same_seed() {
        let all = told(1, None, 60);
        for (line, wanted) in all.iter().zip(NINE) {
            assert!(line.starts_with(&format!("{} 1 ", wanted.fault)), "{line}");
        }
        assert_eq!(all.len(), 60);
        assert_eq!(all, told(1, None, 60));
        assert_ne!(all, told(2, None, 60));
        assert_eq!(all[..20], told(1, None, 20));
    }

    #[test]
    fn with_a_limit_each_comes_so_often() {
        let all = told(4, Some(3), 1000);
        assert_eq!(all.len(), 27);
        for published in NINE {
            let name = format!("{} ", published.fault);
            assert_eq!(all.iter().filter(|line| line.starts_with(&name)).count(), 3, "{name}");
        }
        assert_eq!(told(4, Some(0), 1000), Vec::<String>::new());
    }

    #[test]
    fn other_faults_are_refused() {
        let some = faults("unlink,reset,unlink").expect("two of them");
        assert_eq!(some.iter().map(|f| f.name).collect::<Vec<_>>(), ["unlink", "reset"]);
        let error = faults("unlink,switchover").expect_err("not theirs").to_string();
        assert!(error.contains("switchover is none of") && error.contains("sbd-stop"), "{error}");
    }
}
