//! The description of a site, as it goes from the command line to the supervisor and back to every client: the text
//! itself, so that nobody reads it in a different way.

use crate::host::error::{LabError, Result};
use quorate::cluster::timing::Preset;
use quorate::layout::kind::Kind;
use quorate::layout::site::{AtBoot, Site};
use quorate::layout::{self, Overrides, examples};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A description, and what stands in for its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Where the text is from, for messages.
    pub file: String,
    pub text: String,
    /// PostgreSQL's major version in the nodes.
    pub postgresql: u16,
    /// The set of times, when it isn't the text's.
    pub timing: Option<String>,
}

impl Description {
    /// The example of a layout.
    #[must_use]
    pub fn example(kind: Kind, postgresql: u16, preset: Option<Preset>) -> Self {
        Self {
            file: format!("pcs-templates/{}.toml", kind.name()),
            text: examples::text(kind).to_owned(),
            postgresql,
            timing: preset.map(|p| p.name().to_owned()),
        }
    }

    /// The description in a file.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn file(path: &Path, postgresql: u16, preset: Option<Preset>) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| LabError::File { path: path.to_owned(), source })?;
        let timing = preset.map(|p| p.name().to_owned());
        Ok(Self { file: path.display().to_string(), text, postgresql, timing })
    }

    /// The site that is described.
    ///
    /// # Errors
    /// All problems of the description, a line for each: where, what, and its cure.
    pub fn site(&self) -> Result<Site> {
        let overrides = Overrides {
            postgresql: Some(self.postgresql),
            preset: self.timing.as_deref().and_then(Preset::parse),
            // A node that was killed stays out until the experiment lets it in again.
            at_boot: Some(AtBoot::StayOut),
        };
        layout::read(&self.text, &overrides).map_err(|problems| {
            let lines = layout::explain(&self.file, &problems);
            LabError::Host(format!("{} describes no site:\n{}", self.file, lines.trim_end()))
        })
    }
}
