//! What a run leaves behind, as values: what the clients saw ([`history`]), how long that lasted
//! ([`measure`]), and what a failover spent its time on ([`phases`]).

pub mod history;
pub mod measure;
pub mod phases;
