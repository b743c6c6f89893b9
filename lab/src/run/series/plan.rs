//! Which run comes when, and what chance gives it: all of it from the seed. No clock, no cluster.

use std::time::Duration;

use super::gate::Company;
use crate::faults::{Disturbs, Fault, Target};
use crate::host::chance::Chance;
use quorate::layout::site::Site;

/// One run of a series.
#[derive(Debug, Clone)]
pub struct Step {
    pub fault: &'static Fault,
    /// Counted from 1 for each fault.
    pub run: u32,
    pub target_word: String,
    /// The chance for a random target.
    pub draw: u64,
    /// How much later than necessary the fault is injected.
    pub phase: Duration,
    /// Whether others may be measured meanwhile.
    pub company: Company,
}

/// What comes of a series on a site.
#[derive(Debug, Clone, Default)]
pub struct Planned {
    pub steps: Vec<Step>,
    /// Faults that don't apply there, each once, with the reason.
    pub left_out: Vec<String>,
}

/// Whose witness it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// This cluster's alone, or there is none.
    Own,
    /// Other clusters that are up use it too.
    Shared,
}

/// The seed of each cluster of a test. That of a single one is the test's own, so that each can be repeated alone.
#[must_use]
pub fn seeds(seed: u64, clusters: usize) -> Vec<u64> {
    if clusters == 1 {
        return vec![seed];
    }
    let mut chance = Chance::new(seed);
    // Half of it is chance enough, and short enough to be typed.
    (0..clusters).map(|_| chance.draw() >> 32).collect()
}

/// The runs: each fault so often, one after the other; those that nobody else may be measured with come last, so that they
/// hold the others up as little as can be. What chance gives a run does not depend on that, nor on what is left out.
#[must_use]
pub fn plan(
    faults: &[&'static Fault],
    target: Option<&str>,
    runs: u32,
    (seed, interval): (u64, Duration),
    (site, witness): (&Site, Witness),
) -> Planned {
    let mut chance = Chance::new(seed);
    let mut planned = Planned::default();
    for &fault in faults {
        let target_word = target.unwrap_or(fault.usual_target);
        let in_vain = fault.does_not_apply(&Target::parse(target_word), site);
        if let Some(why) = &in_vain {
            let line = format!("{} does not apply: {why}", fault.name);
            if !planned.left_out.contains(&line) {
                planned.left_out.push(line);
            }
        }
        for run in 1..=runs {
            // Runs follow each other in a rhythm, and so do monitors: without chance each run would meet the monitor at
            // the same moment.
            let (draw, phase) = (chance.draw(), chance.within(interval));
            if in_vain.is_none() {
                let company = company(fault, target_word, site, witness);
                let target_word = target_word.to_owned();
                planned.steps.push(Step { fault, run, target_word, draw, phase, company });
            }
        }
    }
    planned.steps.sort_by_key(|step| step.company == Company::Alone);
    planned
}

/// Whether others may be measured during this fault: not when it takes their witness or the host's processors.
#[must_use]
pub fn company(fault: &Fault, target_word: &str, site: &Site, witness: Witness) -> Company {
    let hits_witness = Target::parse(target_word).is_witness_of(site);
    match (fault.disturbs, hits_witness, witness) {
        (Disturbs::Host, _, _) => Company::Alone,
        (Disturbs::WitnessToo, _, Witness::Shared) | (Disturbs::OwnNodes, true, Witness::Shared) => {
            Company::Alone
        }
        (Disturbs::WitnessToo | Disturbs::OwnNodes, _, _) => Company::Together,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults;
    use crate::testing::site;
    use quorate::layout::kind::Kind;

    fn planned(kind: Kind, list: &str, seed: u64, witness: Witness) -> Planned {
        let faults = faults::parse_list(list).expect(list);
        plan(&faults, None, 2, (seed, Duration::from_secs(3)), (&site(kind), witness))
    }

    fn steps(list: &str, seed: u64, witness: Witness) -> Vec<Step> {
        let planned = planned(Kind::Classic, list, seed, witness);
        assert_eq!(planned.left_out, Vec::<String>::new());
        planned.steps
    }

    fn told(steps: &[Step]) -> Vec<String> {
        let tell = |s: &Step| format!("{} {} {} {:?}", s.fault.name, s.run, s.draw, s.phase);
        steps.iter().map(tell).collect()
    }

    #[test]
    fn a_seed_makes_one_plan_and_each_cluster_has_its_own() {
        let list = "postgres-kill,fork-bomb,unlink";
        let [a, b] = [1, 2].map(|seed| told(&steps(list, seed, Witness::Own)));
        assert_eq!(a, told(&steps(list, 1, Witness::Own)));
        assert_ne!(a, b);
        let seeds4 = seeds(7, 4);
        assert_eq!(seeds4, seeds(7, 4));
        let mut different = seeds4.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), 4, "{seeds4:?}");
        assert_eq!(seeds(seeds4[2], 1), [seeds4[2]], "one of them alone is the same again");
    }

    #[test]
    fn who_has_to_be_alone_comes_last_with_the_same_chance() {
        let list = "fork-bomb,witness-then-node,unlink";
        let order = |witness| -> Vec<String> {
            steps(list, 3, witness).iter().map(|s| format!("{} {:?}", s.fault.name, s.company)).collect()
        };
        assert_eq!(
            order(Witness::Own)[3..],
            ["unlink Together", "fork-bomb Alone", "fork-bomb Alone"].map(str::to_owned)
        );
        assert_eq!(order(Witness::Shared)[2], "fork-bomb Alone");
        let sorted = |witness| {
            let mut all = told(&steps(list, 3, witness));
            all.sort_unstable();
            all
        };
        assert_eq!(sorted(Witness::Own), sorted(Witness::Shared));
    }

    #[test]
    fn what_does_not_apply_is_left_out_and_said_once_and_the_others_keep_their_chance() {
        let list = "unlink,qdevice-kill,witness-then-node,qdevice-kill,power-off";
        let with = steps(list, 3, Witness::Own);
        assert_eq!(with.len(), 10);
        let without = planned(Kind::ThreeCentres, list, 3, Witness::Own);
        let why = |fault: &str| format!("{fault} does not apply: three-centres has no quorum device");
        assert_eq!(without.left_out, ["qdevice-kill", "witness-then-node"].map(why));
        let kept: Vec<Step> =
            with.into_iter().filter(|s| ["unlink", "power-off"].contains(&s.fault.name)).collect();
        assert_eq!(told(&without.steps), told(&kept));
        assert_eq!(without.steps.len(), 4);
    }

    #[test]
    fn a_witness_that_others_use_is_not_broken_beside_them() {
        let site = site(Kind::Classic);
        let of = |fault: &str, target: &str, witness| {
            company(faults::by_name(fault).expect(fault), target, &site, witness)
        };
        for target in ["witness", site.witness.as_ref().expect("has one").name.as_str()] {
            assert_eq!(of("unlink", target, Witness::Shared), Company::Alone);
            assert_eq!(of("unlink", target, Witness::Own), Company::Together);
        }
        assert_eq!(of("unlink", "random", Witness::Shared), Company::Together);
        assert_eq!(of("witness-then-node", "primary", Witness::Shared), Company::Alone);
        assert_eq!(of("witness-then-node", "primary", Witness::Own), Company::Together);
        assert_eq!(of("fork-bomb", "primary", Witness::Own), Company::Alone);
    }
}
