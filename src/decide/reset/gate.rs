//! One node that would reset itself, over time: it asks, waits, goes, or holds back and asks again.

use super::claims::View;
use super::rule::{AGAIN_MS, ASK_MS, Ground, Others, REMIND_MS, Verdict, VoteCount, decide};
use crate::decide::clock::ElapsedTime;

/// A reset that is called for.
#[derive(Debug)]
pub struct Call<'a> {
    pub ground: Ground,
    pub why: &'a str,
    /// The resources of this node's primaries: who goes on has an instance of each.
    pub primaries: &'a [String],
    pub view: &'a View,
    pub votes: Option<VoteCount>,
    /// What this node knows of others beside their own answers.
    pub excluded: &'a [Excluded],
}

/// That Pacemaker may promote nothing on another node, or not this resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excluded {
    pub node: u32,
    /// `None`: nothing.
    pub resource: Option<String>,
    pub why: String,
}

/// What is to be sent or said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Ask {
        number: u64,
        why: String,
    },
    Withdraw {
        number: u64,
    },
    /// With the first intent, not each time it is asked again.
    Wanted(String),
    /// Once, and again after [`REMIND_MS`].
    HeldBack(String),
    Over(String),
}

/// A reset that is held back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hold {
    /// What calls for it.
    pub why: String,
    /// Why it does not happen.
    pub because: String,
    said: ElapsedTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Asked {
    number: u64,
    at: ElapsedTime,
}

/// What is carried from look to look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Gate {
    number: u64,
    asked: Option<Asked>,
    again: ElapsedTime,
    hold: Option<Hold>,
}

impl Gate {
    /// The reset that is held back.
    #[must_use]
    pub const fn held(&self) -> Option<&Hold> {
        self.hold.as_ref()
    }

    /// Whether an intent of this node may be under way.
    #[must_use]
    pub const fn intends(&self) -> bool {
        self.asked.is_some()
    }

    /// Nothing calls for a reset.
    pub fn rest(&mut self) -> Vec<Said> {
        let mut said: Vec<Said> = self.withdraw().into_iter().collect();
        said.extend(self.hold.take().map(|hold| Said::Over(hold.why)));
        said
    }

    /// Something does: whether it happens now. `now`: it does not stop with the observer.
    pub fn step(&mut self, now: ElapsedTime, call: &Call<'_>) -> (Verdict, Vec<Said>) {
        let (others, because) = self.others(now, call);
        let (verdict, reason) = decide(call.ground, others);
        let mut said = Vec::new();
        match verdict {
            Verdict::Reset => self.hold = None,
            Verdict::Wait => {}
            Verdict::Ask if now < self.again => {
                // Held back a moment ago.
                return (if self.hold.is_some() { Verdict::Hold } else { Verdict::Wait }, said);
            }
            Verdict::Ask => {
                self.number += 1;
                self.asked = Some(Asked { number: self.number, at: now });
                said.push(Said::Ask { number: self.number, why: call.why.to_owned() });
                // Still held back.
                if self.hold.is_some() {
                    return (Verdict::Hold, said);
                }
                said.push(Said::Wanted(call.why.to_owned()));
            }
            Verdict::Hold => {
                if others == Others::NoneWell {
                    self.again = now + AGAIN_MS;
                }
                said.extend(self.withdraw());
                let fresh = Hold { why: String::new(), because: String::new(), said: now };
                let first = self.hold.is_none();
                let hold = self.hold.get_or_insert(fresh);
                call.why.clone_into(&mut hold.why);
                hold.because = format!("{because}: {reason}");
                if first || now - hold.said >= REMIND_MS {
                    hold.said = now;
                    said.push(Said::HeldBack(format!("{}; {}", hold.why, hold.because)));
                }
            }
        }
        let verdict = if verdict == Verdict::Wait && self.hold.is_some() { Verdict::Hold } else { verdict };
        (verdict, said)
    }

    fn withdraw(&mut self) -> Option<Said> {
        self.asked.take().map(|asked| Said::Withdraw { number: asked.number })
    }

    /// What is known of the others, in a word and in words.
    fn others(&self, now: ElapsedTime, call: &Call<'_>) -> (Others, String) {
        let view = call.view;
        match call.votes {
            None => return (Others::NoQuorum, "corosync does not tell the votes".to_owned()),
            Some(votes) if !votes.suffice_without_us() => {
                let VoteCount { total, needed, own, .. } = votes;
                let what = format!("{total} votes are present, {needed} are needed, and {own} would go");
                return (Others::NoQuorum, what);
            }
            Some(_) => {}
        }
        if let Some(node) = view.another_first {
            return (Others::AnotherFirst, format!("node {node} is about to reset itself"));
        }
        if let Some(node) = view.away {
            return (Others::AnotherAway, format!("node {node} has reset itself and is not back"));
        }
        if view.others.is_empty() {
            return (Others::NoneWell, "no other quorated is there".to_owned());
        }
        if !view.settled {
            return (Others::NoneWell, "this quorated has only just joined the others".to_owned());
        }
        let Some(asked) = self.asked else { return (Others::NotAsked, String::new()) };
        let answered = view.own == Some(asked.number);
        let in_time = now - asked.at <= ASK_MS;
        if answered && in_time && goes_on(call) {
            return (Others::Well, String::new());
        }
        let all = answered && view.others.iter().all(|n| view.answers.iter().any(|a| a.from == *n));
        if in_time && !all {
            return (Others::Asked, String::new());
        }
        (Others::NoneWell, obstacles(call, answered))
    }
}

/// Why a member can't go on, by its own word and by what is known of it here.
fn obstacle<'a>(call: &'a Call<'_>, node: u32) -> Option<&'a str> {
    let answer = call.view.answers.iter().find(|a| a.from == node);
    let own = match answer {
        None => Some("no answer in time"),
        Some(answer) => answer.condition.obstacle.as_deref(),
    };
    let nothing = |e: &&Excluded| e.node == node && e.resource.is_none();
    own.or_else(|| call.excluded.iter().find(nothing).map(|e| e.why.as_str()))
}

/// Whether there is a well one, and one for each primary of this node.
fn goes_on(call: &Call<'_>) -> bool {
    let mut well = call.view.answers.iter().filter(|a| obstacle(call, a.from).is_none()).peekable();
    if well.peek().is_none() {
        return false;
    }
    let runs = well.flat_map(|a| a.condition.instances.iter().filter(|i| barred(call, a.from, i).is_none()));
    let runs: Vec<&String> = runs.collect();
    call.primaries.iter().all(|resource| runs.contains(&resource))
}

/// Why a resource is not promoted on a node that is well.
fn barred<'a>(call: &'a Call<'_>, node: u32, resource: &str) -> Option<&'a str> {
    let of_it = |e: &&Excluded| e.node == node && e.resource.as_deref() == Some(resource);
    call.excluded.iter().find(of_it).map(|e| e.why.as_str())
}

fn obstacles(call: &Call<'_>, answered: bool) -> String {
    if !answered {
        return format!("no message came back through corosync within {ASK_MS} ms");
    }
    let each = call.view.others.iter().map(|node| {
        let answer = call.view.answers.iter().find(|a| a.from == *node);
        let name = answer.map_or_else(|| format!("node {node}"), |a| a.condition.node.clone());
        let bars = || call.primaries.iter().find_map(|resource| barred(call, *node, resource));
        let none = "runs no instance of what is primary here";
        let why = obstacle(call, *node).or_else(bars).unwrap_or(none);
        format!("{name}: {why}")
    });
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::reset_intent::Condition;
    use crate::decide::clock::Millis;
    use crate::decide::reset::Answer;

    const VOTES: VoteCount = VoteCount { total: 3, needed: 2, own: 1, device: 1 };

    fn view() -> View {
        View { settled: true, others: vec![2], ..View::default() }
    }

    fn answer(obstacle: Option<&str>, instances: &[&str]) -> Answer {
        let instances = instances.iter().map(|i| (*i).to_owned()).collect();
        Answer {
            from: 2,
            condition: Condition { node: "srv2".into(), obstacle: obstacle.map(Into::into), instances },
        }
    }

    struct Played {
        gate: Gate,
        view: View,
        votes: Option<VoteCount>,
        excluded: Vec<Excluded>,
    }

    impl Played {
        fn new() -> Self {
            Self { gate: Gate::default(), view: view(), votes: Some(VOTES), excluded: Vec::new() }
        }

        fn step(&mut self, now: Millis, ground: Ground) -> (Verdict, Vec<Said>) {
            let primaries = ["pgsqld".to_owned()];
            let (view, excluded) = (&self.view, &self.excluded[..]);
            let call =
                Call { ground, why: "it hangs", primaries: &primaries, view, votes: self.votes, excluded };
            self.gate.step(ElapsedTime::at(now), &call)
        }

        /// Asks, and has it delivered with this answer.
        fn asked(answer: Answer) -> Self {
            let mut played = Self::new();
            let (verdict, said) = played.step(0, Ground::PrimaryDisk);
            assert_eq!(verdict, Verdict::Ask);
            assert!(matches!(&said[..], [Said::Ask { number: 1, .. }, Said::Wanted(_)]), "{said:?}");
            assert_eq!(played.step(1, Ground::PrimaryDisk), (Verdict::Wait, vec![]));
            (played.view.own, played.view.answers) = (Some(1), vec![answer]);
            played
        }
    }

    #[test]
    fn a_well_one_with_the_instance_lets_it_go() {
        let mut played = Played::asked(answer(None, &["pgsqld"]));
        assert_eq!(played.step(500, Ground::PrimaryDisk).0, Verdict::Reset);
        let mut another = Played::asked(answer(None, &["pgsqld"]));
        let (resource, why) = (Some("other".to_owned()), "cli-ban".to_owned());
        another.excluded = vec![Excluded { node: 2, resource, why }];
        assert_eq!(
            another.step(500, Ground::PrimaryDisk).0,
            Verdict::Reset,
            "another resource is barred there"
        );
        let mut late = Played::asked(answer(None, &["pgsqld"]));
        assert_eq!(late.step(ASK_MS + 1, Ground::PrimaryDisk).0, Verdict::Hold, "an answer gets old");
    }

    #[test]
    fn who_is_not_well_or_runs_another_instance_goes_on_for_nobody() {
        for (answer, excluded, words) in [
            (answer(Some("its disk hangs"), &["pgsqld"]), None, "srv2: its disk hangs"),
            (answer(None, &["other"]), None, "srv2: runs no instance"),
            (answer(None, &[]), None, "srv2: runs no instance"),
            (answer(None, &["pgsqld"]), Some((None, "standby")), "srv2: standby"),
            (answer(None, &["pgsqld"]), Some((Some("pgsqld"), "cli-ban")), "srv2: cli-ban"),
        ] {
            let mut played = Played::asked(answer);
            played.excluded = excluded
                .iter()
                .map(|(resource, why)| Excluded {
                    node: 2,
                    resource: resource.map(str::to_owned),
                    why: (*why).to_owned(),
                })
                .collect();
            let (verdict, said) = played.step(10, Ground::PrimaryDisk);
            assert_eq!(verdict, Verdict::Hold);
            let [Said::Withdraw { number: 1 }, Said::HeldBack(text)] = &said[..] else { panic!("{said:?}") };
            assert!(text.contains(words) && text.contains("it hangs"), "{text}");
            assert!(played.gate.held().expect("held").because.contains(words));
        }
    }

    #[test]
    fn held_back_it_is_said_once_and_again_and_asked_again() {
        let mut played = Played::new();
        played.view.others.clear();
        let (mut errors, mut now) = (0, 0);
        while now < REMIND_MS * 2 {
            let (verdict, said) = played.step(now, Ground::Daemon);
            assert_eq!(verdict, Verdict::Hold);
            errors += said.iter().filter(|s| matches!(s, Said::HeldBack(_))).count();
            now += 500;
        }
        assert_eq!(errors, 2);
        // Somebody comes.
        played.view = view();
        let asked = (0..10).find_map(|i| {
            let said = played.step(now + i * 500, Ground::Daemon).1;
            said.into_iter().find_map(|s| if let Said::Ask { number, .. } = s { Some(number) } else { None })
        });
        assert_eq!(asked, Some(1));
        assert_eq!(played.step(now + 2000, Ground::Daemon).1, [], "held back, it is said no more");
        (played.view.own, played.view.answers) = (asked, vec![answer(None, &["pgsqld"])]);
        assert_eq!(played.step(now + 2500, Ground::Daemon).0, Verdict::Reset);
    }

    #[test]
    fn silence_is_no_consent() {
        let mut played = Played::asked(answer(None, &["pgsqld"]));
        played.view.own = None;
        assert_eq!(played.step(ASK_MS, Ground::PrimaryDisk).0, Verdict::Wait);
        let (verdict, said) = played.step(ASK_MS + 1, Ground::PrimaryDisk);
        assert_eq!(verdict, Verdict::Hold);
        assert!(
            matches!(&said[..], [Said::Withdraw { .. }, Said::HeldBack(t)] if t.contains("no message")),
            "{said:?}"
        );
        assert_eq!(played.step(ASK_MS + 2, Ground::PrimaryDisk).1, [], "not at once again");
    }

    #[test]
    fn without_a_quorum_for_the_others_or_after_another_one_nobody_is_asked() {
        let hold = |change: fn(&mut Played)| {
            let mut played = Played::new();
            change(&mut played);
            let (verdict, said) = played.step(0, Ground::PrimaryDisk);
            assert!(!said.iter().any(|s| matches!(s, Said::Ask { .. })), "{said:?}");
            verdict
        };
        for change in [
            (|p: &mut Played| p.votes = None) as fn(&mut Played),
            |p| p.votes = Some(VoteCount { total: 2, ..VOTES }),
            |p| p.view.another_first = Some(2),
            |p| p.view.away = Some(3),
            |p| p.view.settled = false,
            |p| p.view.others.clear(),
        ] {
            assert_eq!(hold(change), Verdict::Hold);
        }
    }

    #[test]
    fn what_is_well_again_takes_its_intent_back() {
        let mut played = Played::asked(answer(None, &["pgsqld"]));
        assert_eq!(played.gate.rest(), [Said::Withdraw { number: 1 }]);
        assert_eq!(played.gate.rest(), []);
        let mut held = Played::new();
        held.votes = None;
        held.step(0, Ground::Daemon);
        assert_eq!(held.gate.rest(), [Said::Over("it hangs".into())]);
    }
}
