//! What the operator wants of a node that has to end: Pacemaker's PCMK_panic_action, else sbd's SBD_TIMEOUT_ACTION.
//!
//! Pacemaker knows reboot, crash, off, and each of them after a sync (`sync-crash`); sbd a list of `flush` or `noflush` and one of reboot,
//! crashdump, off. The sync is left out by `quorated`: it waits for the very disk that may hang. Its evidence is synced by itself.

use super::sbd;

/// Where Pacemaker's variables are, on Debian and elsewhere.
pub const PACEMAKER_PATHS: [&str; 2] = ["/etc/default/pacemaker", "/etc/sysconfig/pacemaker"];

/// How a node ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PanicAction {
    #[default]
    Reboot,
    /// A crash of the kernel: it leaves a dump where kdump is set up.
    Crash,
    /// It stays off.
    Off,
}

/// What both files say together; `None`: there is none.
#[must_use]
pub fn wanted(pacemaker: Option<&str>, sbd_file: Option<&str>) -> PanicAction {
    let value = |text: Option<&str>, name: &str| {
        let parsed = sbd::parse(text?).ok()?;
        parsed.get(name).map(|assignment| assignment.value.to_ascii_lowercase())
    };
    if let Some(word) = value(pacemaker, "PCMK_panic_action") {
        return match word.as_str() {
            "crash" | "sync-crash" => PanicAction::Crash,
            "off" | "sync-off" => PanicAction::Off,
            // Pacemaker takes any other word for a reboot.
            _ => PanicAction::Reboot,
        };
    }
    let words = value(sbd_file, "SBD_TIMEOUT_ACTION").unwrap_or_default();
    let mut action = PanicAction::Reboot;
    for word in words.split(',').map(str::trim) {
        action = match word {
            "reboot" => PanicAction::Reboot,
            "crashdump" => PanicAction::Crash,
            "off" => PanicAction::Off,
            _ => action,
        };
    }
    action
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pacemakers_word_comes_before_sbds() {
        for (pacemaker, sbd, action) in [
            (None, None, PanicAction::Reboot),
            (Some("PCMK_panic_action=crash\n"), None, PanicAction::Crash),
            (Some("PCMK_panic_action=\"sync-crash\"\n"), Some("SBD_TIMEOUT_ACTION=off"), PanicAction::Crash),
            (Some("PCMK_panic_action=sync-off"), None, PanicAction::Off),
            (
                Some("PCMK_panic_action=reboot"),
                Some("SBD_TIMEOUT_ACTION=noflush,crashdump"),
                PanicAction::Reboot,
            ),
            (
                Some("# PCMK_panic_action=crash\n"),
                Some("SBD_TIMEOUT_ACTION=noflush,crashdump"),
                PanicAction::Crash,
            ),
            (None, Some("SBD_TIMEOUT_ACTION=flush,off"), PanicAction::Off),
            (None, Some("SBD_TIMEOUT_ACTION=flush,reboot"), PanicAction::Reboot),
            // What can't be read, or is no word of theirs, has the default of both.
            (Some("PCMK_panic_action=dance"), None, PanicAction::Reboot),
            (Some("no assignment"), None, PanicAction::Reboot),
        ] {
            assert_eq!(wanted(pacemaker, sbd), action, "{pacemaker:?} {sbd:?}");
        }
    }
}
