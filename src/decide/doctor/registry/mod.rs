//! All rules. `docs/doctor.md` is made from these tables, and `tests/doctor` has a broken configuration for each.

mod fencing;
mod node;
mod postgresql;
mod quorum;
mod resources;
mod sbd;

use super::rule::Rule;

/// The rules, by what they look at.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [quorum::RULES, fencing::RULES, sbd::RULES, resources::RULES, postgresql::RULES, node::RULES]
        .into_iter()
        .flatten()
}
