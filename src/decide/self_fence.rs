//! Does this node fence itself because another one asks it to?
//!
//! A request that could be forged, or that is obeyed where the cluster has decided nothing, is a switch with which any node powers
//! a healthy primary off. So the asking node's word is not enough: this node's own votequorum and its own Pacemaker have to agree. Of
//! a node that can't tell, nothing is done: the request fails after its time, and the next level of fencing follows, which
//! presumes nothing of this node.

/// What is known about a request that root's `quorated` of a member sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// It names the boot in which this node is.
    pub boot: Boot,
    /// votequorum of this node says that this side has quorum, and that the asking node is on it. Both are members of one
    /// membership: a side that has no quorum fences nobody.
    pub quorum: Answer,
    /// Pacemaker's fencing daemon of this node has a fencing of it under way: it is told of each before its first device is asked.
    pub fencing: Answer,
    pub time: Time,
}

/// The boot that a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Boot {
    This,
    Another,
}

/// What was said to a question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer {
    Yes,
    No,
    /// Nobody could tell, and why.
    Unknown(String),
}

/// Whether there is still time to obey: the asking node waits for seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Time {
    Left,
    Over,
}

/// Why a request is not obeyed; `None`: it is.
#[must_use]
pub fn refusal(facts: &Facts) -> Option<String> {
    match facts {
        Facts { boot: Boot::Another, .. } => Some("it is meant for another boot of this node".to_owned()),
        Facts { time: Time::Over, .. } => Some("it is too late: nobody waits for that any more".to_owned()),
        Facts { quorum: Answer::No, .. } => Some(
            "votequorum says that this side has no quorum, or that the asking node is no member".to_owned(),
        ),
        Facts { quorum: Answer::Unknown(why), .. } => Some(format!("the quorum is not known: {why}")),
        Facts { fencing: Answer::No, .. } => {
            Some("Pacemaker has no fencing of this node under way".to_owned())
        }
        Facts { fencing: Answer::Unknown(why), .. } => {
            Some(format!("whether Pacemaker has this node fenced is not known: {why}"))
        }
        Facts { boot: Boot::This, quorum: Answer::Yes, fencing: Answer::Yes, time: Time::Left } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_quorum_and_pacemaker_say_too_is_obeyed() {
        let answers = || [Answer::Yes, Answer::No, Answer::Unknown("it hangs".to_owned())];
        for boot in [Boot::This, Boot::Another] {
            for quorum in answers() {
                for fencing in answers() {
                    for time in [Time::Left, Time::Over] {
                        let facts = Facts { boot, quorum: quorum.clone(), fencing: fencing.clone(), time };
                        let all = boot == Boot::This
                            && quorum == Answer::Yes
                            && fencing == Answer::Yes
                            && time == Time::Left;
                        assert_eq!(refusal(&facts).is_none(), all, "{facts:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_answer_that_is_not_known_is_said() {
        let why = Answer::Unknown("stonith_admin: timed out".to_owned());
        let facts = Facts { boot: Boot::This, quorum: Answer::Yes, fencing: why, time: Time::Left };
        assert!(refusal(&facts).is_some_and(|text| text.contains("stonith_admin: timed out")));
    }
}
