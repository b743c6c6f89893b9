//! The table of all faults, for the command line.

use std::sync::LazyLock;

use super::fault::Fault;
use super::people_table::PEOPLE;
use super::table::MACHINES;
use crate::host::error::{LabError, Result};

/// All faults.
pub static ALL: LazyLock<Vec<&'static Fault>> = LazyLock::new(|| MACHINES.iter().chain(PEOPLE).collect());

/// The fault of that name.
///
/// # Errors
/// When there is none; the message lists them.
pub fn by_name(name: &str) -> Result<&'static Fault> {
    ALL.iter().copied().find(|f| f.name == name).ok_or_else(|| {
        let known: Vec<&str> = ALL.iter().map(|f| f.name).collect();
        LabError::Host(format!("there is no fault {name:?}; there are {}", known.join(", ")))
    })
}

/// The faults of a comma-separated list; `all` is every one.
///
/// # Errors
/// When a name is unknown, or the list is empty.
pub fn parse_list(list: &str) -> Result<Vec<&'static Fault>> {
    if list == "all" {
        return Ok(ALL.clone());
    }
    let faults: Result<Vec<_>> =
        list.split(',').map(str::trim).filter(|w| !w.is_empty()).map(by_name).collect();
    match faults {
        Ok(none) if none.is_empty() => {
            Err(LabError::Host("no fault is named; see: quorate-lab list".to_owned()))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_bad_names_are_named() {
        assert_eq!(parse_list("all").expect("all").len(), ALL.len());
        let two: Vec<&str> =
            parse_list("postgres-kill, unlink").expect("two").iter().map(|f| f.name).collect();
        assert_eq!(two, ["postgres-kill", "unlink"]);
        let error = parse_list("postgres-kill,fire").expect_err("no such fault").to_string();
        assert!(error.contains("\"fire\"") && error.contains("switchover"), "{error}");
        assert!(parse_list(",").is_err());
    }

    #[test]
    fn names_are_unique_and_each_fault_can_be_seen() {
        for (i, fault) in ALL.iter().enumerate() {
            assert!(ALL[i + 1..].iter().all(|other| other.name != fault.name), "{}", fault.name);
            assert!(!fault.evidence.is_empty(), "{}", fault.name);
        }
    }
}
