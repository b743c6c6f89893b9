//! The watchdog checker: parse, run, map to an exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "the environment is read once, here")]
    let socket = std::env::var_os("NOTIFY_SOCKET");
    ExitCode::from(quorate::daemon::main(&quorate::daemon::Arguments::parse(), socket.as_ref()))
}
