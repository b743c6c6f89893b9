//! The parameters `sync`, `sync_count` and `sync_prefer`: which standbys a primary's commits wait for.

/// Whether commits wait for a standby.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sync {
    /// `synchronous_standby_names` is the operator's.
    #[default]
    Off,
    /// For as many as there are, up to the wanted number; without one for nobody.
    Prefer,
    /// Never for fewer.
    Strict,
    /// One of the three parameters can't be used: what is set stays as it is.
    Unreadable,
}

impl Sync {
    pub const ALL: [Sync; 3] = [Sync::Off, Sync::Prefer, Sync::Strict];

    /// As the parameter `sync` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Sync::Off => "off",
            Sync::Prefer => "prefer",
            Sync::Strict => "strict",
            Sync::Unreadable => "unreadable",
        }
    }
}

/// Which standbys are chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Preference {
    #[default]
    Any,
    /// Those of another site, by the node attribute `site`, while there are enough.
    OtherSite,
}

impl Preference {
    pub const ALL: [Preference; 2] = [Preference::Any, Preference::OtherSite];

    /// As the parameter `sync_prefer` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Preference::Any => "any",
            Preference::OtherSite => "other-site",
        }
    }
}

/// Which standbys a primary's commits wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    pub sync: Sync,
    pub count: usize,
    pub preference: Preference,
}
