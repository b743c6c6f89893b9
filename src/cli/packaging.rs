//! Writes what a package has beside the programs: manual pages and shell completions, below the directory given.
//!
//! ```text
//! quorate-packaging DIR YYYY-MM-DD    DIR/man/*.1, *.7 and *.8, DIR/completions/{bash,zsh,fish}/*
//! ```
//!
//! The date is what the pages show; it is given, so that the same sources give the same pages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use quorate::cli::Cli;
use quorate::fence::options::Options;
use quorate::ocf::manual;

/// A shell, the directory of its completions, and the file's name: there it is found by the command's name.
const COMPLETIONS: [(Shell, &str, &str); 3] = [
    (Shell::Bash, "bash", "quorate"),
    (Shell::Zsh, "zsh", "_quorate"),
    (Shell::Fish, "fish", "quorate.fish"),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, date] = arguments.as_slice() else {
        eprintln!("usage: quorate-packaging DIR YYYY-MM-DD");
        return ExitCode::from(2);
    };
    match write(Path::new(dir), date) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("quorate-packaging: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn write(dir: &Path, date: &str) -> Result<(), String> {
    let man = directory(&dir.join("man"))?;
    // Fills in what the pages of the subcommands need to know of their parents.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    pages(&command, "1", &man, date)?;
    let mut daemon = quorate::daemon::Arguments::command();
    daemon.build();
    pages(&daemon, "8", &man, date)?;
    let mut endpoint = quorate::http::Arguments::command();
    endpoint.build();
    pages(&endpoint, "8", &man, date)?;
    pages(&Options::command(), "8", &man, date)?;
    file(&man.join(format!("{}.7", manual::NAME)), manual::page(date).as_bytes())?;
    for (shell, place, name) in COMPLETIONS {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "quorate", &mut text);
        file(&directory(&dir.join("completions").join(place))?.join(name), &text)?;
    }
    Ok(())
}

/// The page of a command and those of its subcommands, as `quorate-layout.1`.
fn pages(command: &Command, section: &str, dir: &Path, date: &str) -> Result<(), String> {
    for subcommand in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        pages(subcommand, section, dir, date)?;
    }
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    Man::new(command.clone())
        .title(name.to_uppercase())
        .section(section)
        .date(date)
        .source(format!("quorate {}", env!("CARGO_PKG_VERSION")))
        .manual("quorate")
        .generate_to(dir)
        .map(drop)
        .map_err(|e| format!("{}: the page of {name}: {e}", dir.display()))
}

/// An empty directory: what an earlier version wrote, a subcommand's page, must not be installed.
fn directory(path: &Path) -> Result<PathBuf, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    if path.exists() {
        fs::remove_dir_all(path).map_err(failed)?;
    }
    fs::create_dir_all(path).map_err(failed)?;
    Ok(path.to_owned())
}

fn file(path: &Path, content: &[u8]) -> Result<(), String> {
    fs::write(path, content).map_err(|e| format!("{}: {e}", path.display()))
}
