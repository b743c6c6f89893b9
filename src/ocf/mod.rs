//! What an OCF 1.1 resource agent is: actions, exit codes, parameters, meta-data, the notify environment.
//!
//! Pure: everything here takes the action's environment as a map and returns values.
//! Sources: OCF Resource Agent API 1.1; Pacemaker Administration, "Resource Agents"; Pacemaker's `lib/common/agents.c`.

pub mod action;
pub mod environment;
pub mod exit_code;
#[cfg(feature = "packaging")]
pub mod manual;
pub mod metadata;
pub mod notify;
pub mod params;
pub mod policy;
pub mod reference;
pub mod settings;
pub(crate) mod xml;

pub use action::Action;
pub use environment::{Environment, Run};
pub use exit_code::OcfCode;
pub use notify::{Notification, Plan};
pub use policy::{Policy, Preference, Sync};
pub use settings::{Settings, SettingsError};
