//! corosync's totem as it runs. Its configuration file may have been edited since, and not reloaded.
//!
//! As of each call of corosync's libraries: it blocks while corosync hangs, and while a membership forms. For a thread of its own.

use rust_corosync::{CsError, cmap};

use super::corosync_lib::failed;
use super::corosync_socket;
use super::host::HostResult;
use crate::decide::detector::RunningTotem;

/// sync_timeout of a quorum device, where it is not set (votequorum(5)).
const SYNC_TIMEOUT_MS: u32 = 30_000;

fn number(handle: &cmap::Handle, key: &str) -> Result<u32, CsError> {
    match cmap::get(handle, key)? {
        cmap::Data::UInt32(value) => Ok(value),
        _ => Err(CsError::CsErrInvalidParam),
    }
}

fn asked(handle: &cmap::Handle, key: &str) -> HostResult<u32> {
    number(handle, key).map_err(failed(&format!("cmap_get {key}")))
}

/// Asks for it.
///
/// # Errors
/// corosync does not run, or does not say.
pub fn totem() -> HostResult<RunningTotem> {
    corosync_socket::is_roots("cmap")?;
    let handle = cmap::initialize(cmap::Map::Icmap).map_err(failed("cmap_initialize"))?;
    let token = "runtime.config.totem.token";
    let consensus = "runtime.config.totem.consensus";
    Ok(RunningTotem {
        token_ms: asked(&handle, token)?,
        consensus_ms: asked(&handle, consensus)?,
        sync_ms: match number(&handle, "quorum.device.sync_timeout") {
            Ok(set) => set,
            Err(_) if cmap::get(&handle, "quorum.device.model").is_ok() => SYNC_TIMEOUT_MS,
            Err(_) => 0,
        },
    })
}
