//! The HTTP endpoint for proxies and Prometheus: parse, run, map to an exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    ExitCode::from(quorate::http::main(&quorate::http::Arguments::parse()))
}
