//! `quorate-lab`: see `quorate::lab`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(quorate::lab::cli::main())
}
