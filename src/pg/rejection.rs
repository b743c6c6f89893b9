//! What an error that the server sent means for the question "how are you?".

use super::view::Rejection;

/// Classifies an error by its SQLSTATE; 57P03 by its words too, because PostgreSQL has one state for all of "not now".
///
/// The words are English unless the server's lc_messages says otherwise. Of a translated message only "not now" is known: that
/// becomes [`Rejection::StartingUp`], and the status line of postmaster.pid tells starting from stopping.
pub fn classify(sqlstate: &str, message: &str, detail: Option<&str>) -> Rejection {
    match sqlstate {
        "57P03" => not_now(message, detail.unwrap_or_default()),
        // admin_shutdown: our session was ended.
        "57P01" => Rejection::ShuttingDown,
        // crash_shutdown: another backend crashed, the server starts over.
        "57P02" => Rejection::InRecovery,
        "53300" => Rejection::TooManyConnections,
        "3D000" if detail.is_some_and(names_directory) => {
            Rejection::DirectoryMissing(format!("{message}: {}", detail.unwrap_or_default()))
        }
        _ if sqlstate.starts_with("28") => Rejection::Authentication(message.to_owned()),
        _ => Rejection::Other { sqlstate: sqlstate.to_owned(), message: message.to_owned() },
    }
}

/// A database that is in the catalog and not on the disk (postinit.c) has the same state as one that was never there; its detail names
/// the path, in every language.
fn names_directory(detail: &str) -> bool {
    detail.contains("base/") || detail.contains("pg_tblspc/")
}

/// The messages of postmaster.c (from 17 on backend_startup.c).
fn not_now(message: &str, detail: &str) -> Rejection {
    if message.contains("shutting down") {
        Rejection::ShuttingDown
    } else if message.contains("in recovery mode") || message.contains("not yet accepting connections") {
        Rejection::InRecovery
    } else if detail.contains("Hot standby mode is disabled") {
        Rejection::HotStandbyDisabled
    } else {
        Rejection::StartingUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_now_in_its_five_forms() {
        let of = |message, detail| classify("57P03", message, detail);
        assert_eq!(of("the database system is starting up", None), Rejection::StartingUp);
        assert_eq!(of("the database system is shutting down", None), Rejection::ShuttingDown);
        assert_eq!(of("the database system is in recovery mode", None), Rejection::InRecovery);
        assert_eq!(
            of(
                "the database system is not yet accepting connections",
                Some("Consistent recovery state has not been yet reached.")
            ),
            Rejection::InRecovery
        );
        assert_eq!(
            of("the database system is not accepting connections", Some("Hot standby mode is disabled.")),
            Rejection::HotStandbyDisabled
        );
        assert_eq!(of("das Datenbanksystem startet", None), Rejection::StartingUp);
    }

    #[test]
    fn other_states() {
        assert_eq!(classify("53300", "sorry, too many clients already", None), Rejection::TooManyConnections);
        assert!(matches!(classify("28P01", "x", None), Rejection::Authentication(_)));
        assert!(matches!(classify("28000", "x", None), Rejection::Authentication(_)));
        assert_eq!(
            classify("57P01", "terminating connection due to administrator command", None),
            Rejection::ShuttingDown
        );
        assert!(matches!(classify("3D000", "database \"x\" does not exist", None), Rejection::Other { .. }));
        let missing = "The database subdirectory \"base/5\" is missing.";
        let found = classify("3D000", "database \"x\" does not exist", Some(missing));
        assert!(matches!(found, Rejection::DirectoryMissing(why) if why.contains("base/5")));
        let dropped = "It seems to have just been dropped or renamed.";
        let found = classify("3D000", "database \"x\" does not exist", Some(dropped));
        assert!(matches!(found, Rejection::Other { .. }));
    }
}
