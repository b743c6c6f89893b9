//! How Pacemaker's resources are called. An instance that is alone has the short names that every document uses.

/// The agent's role in PostgreSQL, and the name of the map by which the system's user `postgres` may be that role.
pub const AGENT_ROLE: &str = "quorate";

/// The names of one instance's resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// `""`, or `-` and the instance's name where there are several.
    suffix: String,
}

impl Names {
    /// For the instance `instance`, one of `instances`.
    #[must_use]
    pub fn new(instance: &str, instances: usize) -> Self {
        Self { suffix: if instances > 1 { format!("-{instance}") } else { String::new() } }
    }

    /// PostgreSQL itself.
    #[must_use]
    pub fn resource(&self) -> String {
        format!("pgsqld{}", self.suffix)
    }

    /// The promotable clone around it.
    #[must_use]
    pub fn clone_id(&self) -> String {
        format!("{}-clone", self.resource())
    }

    /// The primary's float IP.
    #[must_use]
    pub fn primary_ip(&self) -> String {
        format!("primary-ip{}", self.suffix)
    }

    /// The float IP number `index` (from 0) of `count` for standbys.
    #[must_use]
    pub fn standby_ip(&self, index: usize, count: usize) -> String {
        match count {
            0 | 1 => format!("standby-ip{}", self.suffix),
            _ => format!("standby-ip{}-{}", self.suffix, index + 1),
        }
    }
}
