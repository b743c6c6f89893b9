//! `quorate-lab`: see `quorate_lab`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(quorate_lab::command::cli::main())
}
