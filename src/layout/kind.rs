//! Which layouts there are.

use crate::ocf::Sync;

/// One of the four layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Two nodes and a witness; two or more instances crosswise, a float IP to each primary.
    Packed,
    /// Two nodes and a witness; a float IP to the primary and one to the standby.
    Classic,
    /// Three nodes in three centres, no witness; synchronous, a float IP to the primary and two to the standbys.
    ThreeCentres,
    /// An even number of nodes over two centres, and a witness; synchronous to the other centre, a float IP to each.
    ManyReplicas,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Packed, Self::Classic, Self::ThreeCentres, Self::ManyReplicas];

    /// Its name, as in `layout = "…"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Packed => "packed",
            Self::Classic => "classic",
            Self::ThreeCentres => "three-centres",
            Self::ManyReplicas => "many-replicas",
        }
    }

    /// Its number, an alias of the name.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Packed => 1,
            Self::Classic => 2,
            Self::ThreeCentres => 3,
            Self::ManyReplicas => 4,
        }
    }

    /// One line for people.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Packed => {
                "2 nodes + witness; several instances crosswise, a float IP to each primary; asynchronous"
            }
            Self::Classic => "2 nodes + witness; a float IP to the primary, one to the standby; asynchronous",
            Self::ThreeCentres => {
                "3 nodes in 3 centres; a float IP to the primary, two to the standbys; synchronous, any one"
            }
            Self::ManyReplicas => {
                "2+2, 3+3 … nodes + witness; a float IP to each node; synchronous, the other centre first"
            }
        }
    }

    /// The layout of that name or number.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.name() == word || k.number().to_string() == word)
    }

    /// Whether commits wait for a standby, where the description does not say.
    #[must_use]
    pub const fn sync(self) -> Sync {
        match self.replication() {
            Replication::Asynchronous => Sync::Off,
            Replication::AnyOne | Replication::OtherCentreFirst => Sync::Prefer,
        }
    }

    /// For which standbys.
    #[must_use]
    pub const fn replication(self) -> Replication {
        match self {
            Self::Packed | Self::Classic => Replication::Asynchronous,
            Self::ThreeCentres => Replication::AnyOne,
            Self::ManyReplicas => Replication::OtherCentreFirst,
        }
    }

    /// Whether several float IPs of standbys may share a node.
    #[must_use]
    pub const fn sharing(self) -> Sharing {
        match self {
            Self::Packed | Self::Classic | Self::ThreeCentres => Sharing::Avoided,
            Self::ManyReplicas => Sharing::Never,
        }
    }
}

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    /// Nothing: the standbys follow as fast as they can.
    Asynchronous,
    /// Any one of the other nodes has flushed it.
    AnyOne,
    /// One of the other centre's nodes has flushed it; one of the same centre's, where none of those is there.
    OtherCentreFirst,
}

/// What happens to the standbys' float IPs when there are fewer standbys than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// They keep apart when they can, and share a node when they can't.
    Avoided,
    /// At most one on a node; the others are down until their node is back.
    Never,
}
