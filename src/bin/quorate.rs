//! The operator's command: parse, run, map to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(quorate::cli::main())
}
