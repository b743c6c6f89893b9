//! The example sites of `pcs-templates/`, one for each layout: what `quorate layout show` prints, what the lab boots
//! and what Vagrant makes. They share a flat network and a witness, and no name and no address, so that all of them can
//! run side by side.

use super::kind::Kind;

/// The example's description.
#[must_use]
pub const fn text(kind: Kind) -> &'static str {
    match kind {
        Kind::Packed => include_str!("../../pcs-templates/packed.toml"),
        Kind::Classic => include_str!("../../pcs-templates/classic.toml"),
        Kind::ThreeCentres => include_str!("../../pcs-templates/three-centres.toml"),
        Kind::ManyReplicas => include_str!("../../pcs-templates/many-replicas.toml"),
    }
}
