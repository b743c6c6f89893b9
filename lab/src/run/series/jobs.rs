//! How many clusters this host can carry at a time. Values in, values out; only [`Host::here`] looks.

use std::ops::Range;

use crate::host::memory;

/// Seen: up to 140 MB for a node with everything, and 100 more for pcsd.
const MB_A_NODE: u64 = 240;
/// For whatever else the host does: builds, the page cache of the disks.
const SPARE_MB: u64 = 1024;
/// The four layouts, eleven database nodes, are run side by side on two cores; how many more would do nobody has tried.
const DATABASES_A_CORE: usize = 8;

/// What a host has to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// `None`: it does not say, and is taken at its word.
    pub memory_mb: Option<u64>,
    pub cores: usize,
}

impl Host {
    /// This one, now.
    #[must_use]
    pub fn here() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { memory_mb: memory::available_mb(), cores }
    }

    fn carries(&self, load: Need) -> bool {
        let memory = MB_A_NODE * load.machines as u64 + SPARE_MB;
        self.memory_mb.is_none_or(|there| memory <= there) && load.databases <= DATABASES_A_CORE * self.cores
    }
}

/// What a cluster needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Machines that have to be booted for it: none for a cluster that is up.
    pub machines: usize,
    /// Its database nodes.
    pub databases: usize,
}

/// Which clusters run at the same time: one range after the other. `jobs` is the most at a time when somebody says it; else
/// it is what the host carries. One that the host can't carry runs alone, and `up` says what is missing.
#[must_use]
pub fn batches(needs: &[Need], jobs: Option<usize>, host: Host) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut load = Need { machines: 0, databases: 0 };
    for (index, need) in needs.iter().enumerate() {
        let with =
            Need { machines: load.machines + need.machines, databases: load.databases + need.databases };
        let fits = |batch: &Range<usize>| match jobs {
            Some(limit) => batch.len() < limit,
            None => host.carries(with),
        };
        match batches.last_mut() {
            Some(batch) if fits(batch) => {
                batch.end = index + 1;
                load = with;
            }
            Some(_) | None => {
                batches.push(index..index + 1);
                load = *need;
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The four layouts, the first with the witness that the others share.
    const LAYOUTS: [Need; 4] = [
        Need { machines: 3, databases: 2 },
        Need { machines: 3, databases: 2 },
        Need { machines: 3, databases: 3 },
        Need { machines: 5, databases: 4 },
    ];

    /// How many run at a time.
    fn sizes(needs: &[Need], jobs: Option<usize>, host: Host) -> Vec<usize> {
        let batches = batches(needs, jobs, host);
        assert!(batches.iter().flat_map(Clone::clone).eq(0..needs.len()), "each once: {batches:?}");
        batches.into_iter().map(|batch| batch.len()).collect()
    }

    fn host(memory_mb: u64, cores: usize) -> Host {
        Host { memory_mb: Some(memory_mb), cores }
    }

    #[test]
    fn what_fits_runs_together_and_the_rest_afterwards() {
        assert_eq!(sizes(&LAYOUTS, None, host(16_000, 2)), [4]);
        // 14 machines need 4384 MB with the spare ones, 9 need 3184.
        assert_eq!(sizes(&LAYOUTS, None, host(4384, 2)), [4]);
        assert_eq!(sizes(&LAYOUTS, None, host(4383, 2)), [3, 1]);
        assert_eq!(sizes(&LAYOUTS, None, host(100, 2)), [1, 1, 1, 1]);
        assert_eq!(sizes(&LAYOUTS, None, host(16_000, 1)), [3, 1], "11 database nodes on a core");
        assert_eq!(sizes(&[], None, host(16_000, 2)), Vec::<usize>::new());
    }

    #[test]
    fn a_limit_that_is_said_holds() {
        assert_eq!(sizes(&LAYOUTS, Some(1), host(16_000, 2)), [1, 1, 1, 1]);
        assert_eq!(sizes(&LAYOUTS, Some(3), host(100, 1)), [3, 1]);
    }

    #[test]
    fn clusters_that_are_up_cost_no_memory() {
        let up = LAYOUTS.map(|need| Need { machines: 0, ..need });
        assert_eq!(sizes(&up, None, host(1024, 2)), [4]);
    }
}
