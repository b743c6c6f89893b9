//! quorate

pub mod boundary;
#[cfg(feature = "lab")]
pub mod lab;
pub mod ocf;
pub mod pg;
