//! What the cluster says, as values: parsers and types, no side effects.

pub mod crm_mon;
