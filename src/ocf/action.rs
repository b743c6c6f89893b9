//! The one word of the agent's command line.

use std::fmt;

/// An action of OCF 1.1, and Pacemaker's `notify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Start,
    Stop,
    Promote,
    Demote,
    Monitor,
    Notify,
    ReloadAgent,
    ValidateAll,
    MetaData,
}

impl Action {
    /// All actions, in the order of the meta-data.
    pub const ALL: [Action; 9] = [
        Action::Start,
        Action::Stop,
        Action::Promote,
        Action::Demote,
        Action::Monitor,
        Action::Notify,
        Action::ReloadAgent,
        Action::ValidateAll,
        Action::MetaData,
    ];

    /// The action for a word of the command line. `None`: the caller exits with
    /// [`super::OcfCode::ErrUnimplemented`] (OCF 1.1, "Return codes").
    ///
    /// `reload` means a reload of the *service* in OCF 1.1, which PostgreSQL's parameters here never need.
    pub fn parse(word: &str) -> Option<Action> {
        Self::ALL.into_iter().find(|a| a.name() == word)
    }

    /// The word of the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Action::Start => "start",
            Action::Stop => "stop",
            Action::Promote => "promote",
            Action::Demote => "demote",
            Action::Monitor => "monitor",
            Action::Notify => "notify",
            Action::ReloadAgent => "reload-agent",
            Action::ValidateAll => "validate-all",
            Action::MetaData => "meta-data",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back() {
        for action in Action::ALL {
            assert_eq!(Action::parse(action.name()), Some(action));
        }
    }

    #[test]
    fn anything_else_is_no_action() {
        for word in ["", "Start", "start ", "reload", "status", "--help", "meta_data"] {
            assert_eq!(Action::parse(word), None, "{word:?}");
        }
    }
}
