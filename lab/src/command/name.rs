//! Which cluster a command is for.

use crate::cluster::handle::Cluster;
use crate::host::error::{LabError, Result};
use crate::host::paths::{ClusterName, DEFAULT_NAME};
use crate::machines::cleanup;
use clap::Args;

/// Which cluster.
#[derive(Debug, Args)]
pub struct Name {
    /// The cluster's name [default: that of the only one that is up]
    #[arg(long)]
    pub name: Option<String>,
}

impl Name {
    /// The name that is meant.
    ///
    /// # Errors
    /// When none is given and several clusters are up.
    pub fn resolve(&self) -> Result<String> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        match cleanup::all_names().as_slice() {
            [] => Ok(DEFAULT_NAME.to_owned()),
            [one] => Ok(one.to_string()),
            several => {
                let names: Vec<&str> = several.iter().map(ClusterName::as_str).collect();
                Err(LabError::Host(format!(
                    "several clusters are up: {}; say which one with --name",
                    names.join(", ")
                )))
            }
        }
    }

    /// The cluster that is meant; without a name all that are up.
    ///
    /// # Errors
    /// When it isn't up, or none is.
    pub fn connect_all(&self) -> Result<Vec<Cluster>> {
        if self.name.is_some() {
            return Ok(vec![self.connect()?]);
        }
        let names = cleanup::all_names();
        let all: Vec<Cluster> =
            names.iter().filter_map(|name| Cluster::connect(name.as_str()).ok()).collect();
        if all.is_empty() { Ok(vec![self.connect()?]) } else { Ok(all) }
    }

    /// The cluster that is meant.
    ///
    /// # Errors
    /// When it isn't up.
    pub fn connect(&self) -> Result<Cluster> {
        Cluster::connect(&self.resolve()?)
    }
}
