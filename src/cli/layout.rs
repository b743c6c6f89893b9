//! `quorate layout`: list, show and render; `super::prove` and `super::apply` do the rest.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::apply::{self, Watchdogs};
use super::{CliError, prove};
use crate::boundary::output_directory::{OutputDirectory, OutputError};
use crate::layout::kind::Kind;
use crate::layout::render::{Agent, Mode, Rendered, render};
use crate::layout::site::Site;
use crate::layout::{Overrides, examples, explain, read};

/// Subcommands of `quorate layout`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the layouts
    List,
    /// Print the example description of a layout: copy it and change it
    Show {
        /// packed, classic, three-centres, many-replicas, or 1 to 4
        #[arg(value_parser = kind)]
        layout: Kind,
    },
    /// Write the scripts that set a site up, to read, to compare and to run by hand
    Render {
        #[command(flatten)]
        site: SiteArgs,
        /// Directory for the files; without it they are printed
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Show, by Pacemaker's own scheduler and without a cluster, where everything runs after each single failure
    Prove {
        #[command(flatten)]
        site: SiteArgs,
    },
    /// Make the cluster, start it and give it its resources: the last two steps of a rendered site
    Apply {
        #[command(flatten)]
        site: SiteArgs,
        /// Only print what would be run
        #[arg(long)]
        dry_run: bool,
        /// pcs does not try the nodes' watchdogs, as with pcs stonith sbd enable
        #[arg(long)]
        no_watchdog_validation: bool,
    },
}

/// Which site.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("which").multiple(true).args(["layout", "site"])))]
pub struct SiteArgs {
    /// The layout that the description must be of; without --site its example
    #[arg(value_parser = kind)]
    layout: Option<Kind>,
    /// The site's description
    #[arg(long)]
    site: Option<PathBuf>,
    /// PostgreSQL's major version, in place of the description's
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u16).range(13..=17))]
    postgresql: Option<u16>,
}

fn kind(word: &str) -> Result<Kind, String> {
    let known: Vec<&str> = Kind::ALL.iter().map(|k| k.name()).collect();
    Kind::parse(word).ok_or_else(|| format!("there are {} and their numbers, 1 to 4", known.join(", ")))
}

impl SiteArgs {
    /// Whether a description or a layout is named.
    pub(super) const fn names_one(&self) -> bool {
        self.site.is_some() || self.layout.is_some()
    }

    /// Reads the description, or the example.
    pub(super) fn load(&self) -> Result<Site, CliError> {
        let (name, text) = match (&self.site, self.layout) {
            (Some(path), _) => {
                let name = path.display().to_string();
                let text = fs::read_to_string(path)
                    .map_err(|source| CliError::File { path: name.clone(), source })?;
                (name, text)
            }
            (None, Some(kind)) => (format!("{}.toml", kind.name()), examples::text(kind).to_owned()),
            (None, None) => return Err(CliError::Other("name a layout or a --site".to_owned())),
        };
        let site = read(&text, &Overrides { postgresql: self.postgresql, ..Overrides::default() })
            .map_err(|problems| CliError::Description(explain(&name, &problems)))?;
        match self.layout {
            Some(kind) if kind != site.kind => Err(CliError::Other(format!(
                "{name} describes the layout {}, not {}: leave the name out or correct the file",
                site.kind.name(),
                kind.name()
            ))),
            _ => Ok(site),
        }
    }
}

/// Does a subcommand; gives the exit code.
///
/// # Errors
/// A wrong description, an unreadable file, a command that failed.
pub fn execute(command: Command) -> Result<u8, CliError> {
    match command {
        Command::List => {
            for kind in Kind::ALL {
                println!("{} {:<14} {}", kind.number(), kind.name(), kind.summary());
            }
        }
        Command::Show { layout } => print!("{}", examples::text(layout)),
        Command::Render { site, out } => {
            let files = render(&site.load()?, Agent::Quorate).map_err(CliError::Other)?;
            match out {
                Some(dir) => write_all(&dir, &files)?,
                None => print_all(&files)?,
            }
        }
        Command::Prove { site } => return prove::run(&site.load()?),
        Command::Apply { site, dry_run: true, .. } => apply::show(&site.load()?)?,
        Command::Apply { site, dry_run: false, no_watchdog_validation } => {
            let watchdogs = if no_watchdog_validation { Watchdogs::Unchecked } else { Watchdogs::Checked };
            apply::run(&site.load()?, watchdogs)?;
        }
    }
    Ok(0)
}

fn write_all(dir: &Path, files: &[Rendered]) -> Result<(), CliError> {
    let failed = |e: OutputError| CliError::Other(e.to_string());
    let out = OutputDirectory::open(dir).map_err(failed)?;
    for file in files {
        let mode = match file.mode {
            Mode::Script => 0o755,
            Mode::Text => 0o644,
        };
        let written = out.write(Path::new(&file.path), file.text.as_bytes(), mode).map_err(failed)?;
        println!("{} ({})", dir.join(file.path).display(), written.word());
    }
    Ok(())
}

fn print_all(files: &[Rendered]) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    for file in files {
        writeln!(out, "==> {} <==\n{}", file.path, file.text)
            .map_err(|source| CliError::File { path: "standard output".to_owned(), source })?;
    }
    Ok(())
}
