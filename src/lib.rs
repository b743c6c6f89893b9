//! quorate

pub mod boundary;
pub mod cluster;
#[cfg(feature = "lab")]
pub mod lab;
pub mod ocf;
pub mod pg;
