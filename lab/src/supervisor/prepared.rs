//! Disks of nodes that are set up but whose cluster was never started: what a set-up leaves for the next one.
//!
//! pcs needs half a minute and more for what is always the same. What it and the other scripts have written is kept, under
//! a name that changes with the template, the scripts and their values; the next `up` lays its disks over it.

use super::provision;
use crate::cluster::handle::Cluster;
use crate::host::error::{LabError, Result};
use crate::host::paths::STATE_DIR;
use crate::machines::plan::WitnessIs;
use quorate::layout::render::Agent;
use quorate::layout::site::Site;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the disks of a site are, or would be.
///
/// # Errors
/// A fault in a template of the site's scripts.
pub fn place(template: &Path, site: &Site, agent: Agent, witness_is: WitnessIs) -> Result<PathBuf> {
    let template = template.file_name().unwrap_or_default().to_string_lossy();
    let number = provision::fingerprint(site, agent, witness_is)?;
    let name = format!("{template}-{}-{}-{number:08x}", site.kind.name(), agent.name());
    Ok(Path::new(STATE_DIR).join("prepared").join(name))
}

/// Keeps the disks of a cluster whose nodes are set up. The nodes are off afterwards.
pub fn keep(cluster: &Cluster, place: &Path) -> Result<()> {
    let failed = |source| LabError::File { path: place.to_owned(), source };
    // Another cluster may be at the same: each writes into a directory of its own, and the first one to finish gives
    // its disks the name. This cluster goes on with its own ones either way.
    let own = place.with_extension(std::process::id().to_string());
    fs::create_dir_all(&own).map_err(failed)?;
    if let Err(e) = cluster.keep_disks(&own) {
        // What was moved so far is of no use to anybody.
        let _ = fs::remove_dir_all(&own);
        return Err(e);
    }
    // The mounted disks follow the directory to its new name.
    match fs::rename(&own, place) {
        Err(e) if e.kind() != std::io::ErrorKind::DirectoryNotEmpty => Err(failed(e)),
        _ => Ok(()),
    }
}
