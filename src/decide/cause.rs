//! The kinds of errors: what whoever asked can do about one.

use crate::ocf::OcfCode;

/// Why something on this node, or in its cluster, could not be observed or done. The text beside it says what exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A program, a file, a device or a daemon is not there: install it, mount it, start it.
    Missing,
    /// Not permitted: owner, mode or rights, or the cluster's quorum.
    Forbidden,
    /// No answer, or no end, before the deadline: the same may succeed later.
    TimedOut,
    /// There is a value, a file or an answer, and it can't be used: correct it.
    Unusable,
    /// It was tried, and failed in another way.
    Failed,
}

impl Cause {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Missing, Self::Forbidden, Self::TimedOut, Self::Unusable, Self::Failed];

    /// What Pacemaker is told of a node on which an instance can't be started at all. All but the last make it look for another node.
    #[must_use]
    pub const fn installation_code(self) -> OcfCode {
        match self {
            Self::Missing => OcfCode::ErrInstalled,
            Self::Forbidden => OcfCode::ErrPerm,
            Self::Unusable => OcfCode::ErrArgs,
            // It says nothing about the node, and the next try may know more.
            Self::TimedOut | Self::Failed => OcfCode::ErrGeneric,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lasts_rules_a_node_out() {
        let lasting = Cause::ALL.map(Cause::installation_code);
        let expected = [
            OcfCode::ErrInstalled,
            OcfCode::ErrPerm,
            OcfCode::ErrGeneric,
            OcfCode::ErrArgs,
            OcfCode::ErrGeneric,
        ];
        assert_eq!(lasting, expected);
    }
}
