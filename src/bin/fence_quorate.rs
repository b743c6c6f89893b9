//! The fence agent: options on standard input or on the command line, an exit code of the FenceAgentAPI.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic would exit with 101, which that interface does not know.
    let code = std::panic::catch_unwind(|| {
        let arguments: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
        quorate::fence::main(&arguments)
    });
    ExitCode::from(code.unwrap_or(quorate::fence::Code::Failed.status()))
}
