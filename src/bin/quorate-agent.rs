//! `ocf:quorate:postgres`: one word on the command line, the parameters in `OCF_RESKEY_*`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic would exit with 101, which OCF does not know.
    let code = std::panic::catch_unwind(|| {
        let arguments: Vec<String> =
            std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
        #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
        let environment = std::env::vars_os()
            .map(|(k, v)| (k.to_string_lossy().into_owned(), v.to_string_lossy().into_owned()))
            .collect();
        quorate::agent::run(&arguments, &environment)
    });
    ExitCode::from(code.unwrap_or(quorate::ocf::OcfCode::ErrGeneric).status())
}
