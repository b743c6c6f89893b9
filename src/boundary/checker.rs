//! What `quorated` tells of itself, for this node's other programs.

use std::path::Path;

use super::clock::boottime;
use super::host::{HostError, HostResult};
use super::storage;
use crate::cluster::checker::{Checker, PATH};
use crate::decide::stop::NodeReset;

/// Its last report; `None` where it has told nothing, or nothing lately.
///
/// # Errors
/// The report is there and can't be read, or makes no sense.
pub fn report() -> HostResult<Option<Checker>> {
    let text = storage::read_text_if_there(Path::new(PATH))?;
    let read = |text: String| {
        serde_json::from_str::<Checker>(&text).map_err(|e| HostError::unusable(format!("{PATH}: {e}")))
    };
    Ok(text.map(read).transpose()?.filter(|told| told.is_fresh(boottime())))
}

/// Whether it holds a reset of this node back. What is not known is not held back.
pub fn node_reset() -> NodeReset {
    match report() {
        Ok(Some(Checker { held_reset: Some(_), .. })) => NodeReset::HeldBack,
        Ok(_) | Err(_) => NodeReset::NotHeldBack,
    }
}
