//! The operator's command: parse, run, map to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    quorate::boundary::signals::end_on_broken_pipe();
    ExitCode::from(quorate::cli::main())
}
