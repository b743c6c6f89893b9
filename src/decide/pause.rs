//! `quorate pause` and `resume`: what is written down, and when either is refused.

use std::fmt;

use crate::cluster::cib::Management;

/// Longer reasons are cut.
const LONGEST: usize = 200;

/// The cluster property that says since when a resource is paused, and why: `SECONDS REASON`.
#[must_use]
pub fn property(resource: &str) -> String {
    format!("quorate-pause-{resource}")
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Seconds since 1970.
    pub since: u64,
    pub reason: String,
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.since, self.reason)
    }
}

impl Pause {
    /// Reads the property; `None`: somebody else wrote it.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (since, reason) = text.split_once(' ')?;
        Some(Self { since: since.parse().ok()?, reason: reason.to_owned() })
    }
}

/// Why nothing is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Since when, and why.
    PausedAlready(Option<Pause>),
    /// Something else keeps Pacemaker from it: in words.
    Other(String),
    NotPaused,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PausedAlready(Some(pause)) => write!(
                f,
                "it is paused already, since {}: {}; quorate resume ends it",
                crate::cluster::calendar::utc(pause.since),
                pause.reason
            ),
            Self::PausedAlready(None) => {
                write!(f, "Pacemaker leaves it alone already: quorate resume ends it")
            }
            Self::Other(what) => write!(
                f,
                "{what} keeps Pacemaker from everything, and is not quorate's: take it back as it was set, such as pcs property set maintenance-mode=false"
            ),
            Self::NotPaused => write!(f, "it is not paused: Pacemaker acts on it"),
        }
    }
}

/// The pause that begins. `told`: the property as it is.
///
/// # Errors
/// It is paused already.
pub fn pause(
    management: &Management,
    resource: &str,
    told: Option<&str>,
    reason: Option<&str>,
    now: u64,
) -> Result<Pause, Refusal> {
    if let Some(what) = &management.cluster {
        return Err(Refusal::Other(what.clone()));
    }
    if management.unmanaged.contains_key(resource) {
        return Err(Refusal::PausedAlready(told.and_then(Pause::read)));
    }
    let clean: String = reason.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let clean: String = clean.chars().filter(|c| !c.is_control() && *c != '"').take(LONGEST).collect();
    let reason = if clean.is_empty() { "no reason was given".to_owned() } else { clean };
    Ok(Pause { since: now, reason })
}

/// The pause that ends, where its reason is known.
///
/// # Errors
/// It is not paused, or by something else.
pub fn resume(
    by_cluster: Option<&str>,
    is_unmanaged: bool,
    told: Option<&str>,
) -> Result<Option<Pause>, Refusal> {
    match (by_cluster, is_unmanaged, told) {
        (Some(what), false, None) => Err(Refusal::Other(what.to_owned())),
        (None, false, None) => Err(Refusal::NotPaused),
        // A pause that was begun and did not get through, or ended half-way, is cleared up.
        (_, _, told) => Ok(told.and_then(Pause::read)),
    }
}

/// What follows when Pacemaker's maintenance could not be set, as far as its program says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// It got through nevertheless.
    InEffect,
    /// It did not: the reason is taken back.
    TakeBack,
    /// Not known: whoever finds the resource in maintenance finds the reason too.
    Keep,
}

/// By what was read back last: whether Pacemaker leaves the resource alone; `None`: it does not answer.
#[must_use]
pub const fn after_failure(in_maintenance: Option<bool>) -> AfterFailure {
    match in_maintenance {
        Some(true) => AfterFailure::InEffect,
        Some(false) => AfterFailure::TakeBack,
        None => AfterFailure::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_with_its_reason_and_read_again() {
        let none = Management::default();
        let begun = pause(&none, "pgsqld", None, Some("disk \"sdb\"\n is swapped"), 1_000)
            .expect("nothing is against it");
        assert_eq!(begun.to_string(), "1000 disk sdb is swapped");
        assert_eq!(Pause::read(&begun.to_string()), Some(begun.clone()));
        assert_eq!(Pause::read("disk"), None);
        for empty in [None, Some(" \n")] {
            assert_eq!(pause(&none, "pgsqld", None, empty, 5).expect("goes").reason, "no reason was given");
        }
        let mut paused = Management::default();
        paused.unmanaged.insert("pgsqld".into(), "maintenance".into());
        let again = pause(&paused, "pgsqld", Some("1000 disk"), None, 2_000).expect_err("paused");
        assert!(again.to_string().contains("since 1970-01-01 00:16:40 UTC: disk; quorate resume"), "{again}");
        assert!(pause(&paused, "other", None, None, 2_000).is_ok());
        let whole = Management { cluster: Some("maintenance-mode=true".into()), ..Management::default() };
        assert!(
            pause(&whole, "pgsqld", None, None, 1)
                .expect_err("by another")
                .to_string()
                .contains("pcs property")
        );
    }

    #[test]
    fn resume_ends_what_pause_began_and_nothing_else() {
        let known = Some(Pause { since: 7, reason: "disk".into() });
        assert_eq!(resume(None, true, Some("7 disk")), Ok(known.clone()));
        assert_eq!(resume(None, true, None), Ok(None), "by pcs");
        assert_eq!(resume(None, false, Some("7 disk")), Ok(known), "half of it was taken back");
        assert_eq!(resume(None, false, None), Err(Refusal::NotPaused));
        assert!(matches!(resume(Some("maintenance-mode=true"), false, None), Err(Refusal::Other(_))));
    }
    #[test]
    fn the_reason_stays_while_maintenance_may_be_in_effect() {
        assert_eq!(after_failure(Some(true)), AfterFailure::InEffect);
        assert_eq!(after_failure(None), AfterFailure::Keep);
        assert_eq!(after_failure(Some(false)), AfterFailure::TakeBack);
    }
}
