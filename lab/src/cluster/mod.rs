//! A cluster that is up: the [`handle`] on it, which everything but the supervisor itself uses, what one sees
//! of it at one moment ([`observe`]), what is missing ([`health`]), what is where ([`placement`]).

pub mod handle;
pub mod health;
pub mod observation;
pub mod observe;
pub mod placement;
