//! Who may break something at which time: a fault that all clusters of the host notice waits until the others are between
//! two runs, and holds them there meanwhile.
//!
//! Two locks in files, so that it holds between several tests on one host too, and so that one that was killed holds
//! nothing. Whoever measures shares the *gate*. Whoever has to be alone first closes the *door* in front of it, through which
//! everybody goes: without it there would always be somebody inside, and he would wait for ever.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use crate::host::error::{LabError, Result};
use crate::host::paths::RUN_DIR;
use crate::host::wait::{OnInterrupt, until};

/// A run has deadlines of its own, which add up to about 20 minutes; several may go before.
const PATIENCE: Duration = Duration::from_secs(3600);

/// The locks. No cluster's name begins with a dot: what lies beside them is named after clusters.
const DOOR: &str = ".measuring.door.lock";
const GATE: &str = ".measuring.lock";

/// How a run stands to those on other clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// Others may be measured at the same time.
    Together,
    /// Nobody else may be measured meanwhile.
    Alone,
}

/// The right to do a run; it ends when this is dropped.
#[derive(Debug)]
pub struct Pass(#[expect(dead_code, reason = "held, not read")] Flock<File>);

/// The host's gate.
#[derive(Debug, Clone)]
pub struct Gate {
    dir: PathBuf,
    patience: Duration,
}

impl Gate {
    /// That of this host.
    #[must_use]
    pub fn of_host() -> Self {
        Self { dir: PathBuf::from(RUN_DIR), patience: PATIENCE }
    }

    /// Waits until the run may begin.
    ///
    /// # Errors
    /// When the others are not done in time, the files can't be opened, or Ctrl-C was pressed.
    pub fn pass(&self, company: Company) -> Result<Pass> {
        fs::create_dir_all(&self.dir).map_err(|source| LabError::File { path: self.dir.clone(), source })?;
        let kind = match company {
            Company::Together => FlockArg::LockSharedNonblock,
            Company::Alone => FlockArg::LockExclusiveNonblock,
        };
        // Closed behind us until we are inside, for those who come later.
        let _door = self.take(DOOR, kind, "a fault that has to be alone on this host")?;
        self.take(GATE, kind, "the runs on other clusters").map(Pass)
    }

    fn take(&self, name: &str, kind: FlockArg, whom: &str) -> Result<Flock<File>> {
        let path = self.dir.join(name);
        let mut file = Some(open(&path)?);
        until(&format!("the end of {whom}"), self.patience, OnInterrupt::Stop, || {
            let candidate = match file.take() {
                Some(candidate) => candidate,
                None => open(&path).map_err(|e| e.to_string())?,
            };
            Flock::lock(candidate, kind).map_err(|(candidate, e)| {
                file = Some(candidate);
                format!("{}: {e}", path.display())
            })
        })
    }
}

fn open(path: &Path) -> Result<File> {
    let opened = File::options().create(true).truncate(false).write(true).open(path);
    opened.map_err(|source| LabError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn gate(name: &str, patience: Duration) -> Gate {
        let dir = std::env::temp_dir().join(format!("quorate-gate-{name}-{}", std::process::id()));
        Gate { dir, patience }
    }

    #[test]
    fn who_has_to_be_alone_is_and_the_others_are_together() {
        let gate = gate("alone", Duration::from_secs(60));
        let (inside, most, alone) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for number in 0..4 {
                let (gate, inside, most, alone) = (&gate, &inside, &most, &alone);
                scope.spawn(move || {
                    for run in 0..3 {
                        let company = if run == number % 3 { Company::Alone } else { Company::Together };
                        let pass = gate.pass(company).expect("its turn comes");
                        let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        let _ = crate::host::wait::pause(Duration::from_millis(300), OnInterrupt::GoOn);
                        if company == Company::Alone {
                            assert_eq!(inside.load(Ordering::SeqCst), 1, "somebody is inside too");
                            alone.fetch_add(1, Ordering::SeqCst);
                        }
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(pass);
                    }
                });
            }
        });
        assert_eq!(alone.load(Ordering::SeqCst), 4);
        assert!(most.load(Ordering::SeqCst) > 1, "nobody was ever together");
        let _ = fs::remove_dir_all(&gate.dir);
    }

    #[test]
    fn who_comes_after_one_that_waits_to_be_alone_waits_too() {
        let gate = gate("door", Duration::from_secs(1));
        let measuring = gate.pass(Company::Together).expect("nobody is there");
        std::thread::scope(|scope| {
            let patient = Gate { patience: Duration::from_secs(30), ..gate.clone() };
            let alone = scope.spawn(move || patient.pass(Company::Alone).map(drop));
            // The door is closed from outside as soon as the other one waits at the gate.
            let closed = until("the closed door", Duration::from_secs(10), OnInterrupt::GoOn, || {
                let quick = Gate { patience: Duration::ZERO, ..gate.clone() };
                match quick.pass(Company::Together) {
                    Ok(_) => Err("it is open".to_owned()),
                    Err(e) => Ok(e.to_string()),
                }
            });
            assert!(closed.expect("it closes").contains("has to be alone"));
            drop(measuring);
            alone.join().expect("no panic").expect("alone now");
        });
        gate.pass(Company::Together).expect("open again");
        let _ = fs::remove_dir_all(&gate.dir);
    }

    #[test]
    fn a_wait_has_an_end() {
        let gate = gate("end", Duration::ZERO);
        let _held = gate.pass(Company::Alone).expect("nobody is there");
        let error = gate.pass(Company::Alone).expect_err("somebody is there").to_string();
        assert!(error.contains("not within 0 s"), "{error}");
        let _ = fs::remove_dir_all(&gate.dir);
    }
}
