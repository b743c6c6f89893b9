//! Pacemaker's alert agent: the event and the recipient in `CRM_alert_*`, the options in variables of their own names.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    let environment = std::env::vars_os()
        .map(|(k, v)| (k.to_string_lossy().into_owned(), v.to_string_lossy().into_owned()))
        .collect();
    ExitCode::from(quorate::alert::main(&environment))
}
