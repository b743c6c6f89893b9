//! Which fault makes sense where: known from the site alone, before anything is broken.

use super::fault::{Breaks, Fault, Needs};
use super::target::Target;
use quorate::layout::site::Site;

impl Fault {
    /// Why it makes no sense on this target of this site, whoever is the primary; `None` where it does.
    #[must_use]
    pub fn does_not_apply(&self, target: &Target, site: &Site) -> Option<String> {
        let Some(witness) = &site.witness else {
            let in_vain = self.needs == Needs::QuorumDevice || *target == Target::Witness;
            return in_vain.then(|| format!("{} has no quorum device", site.kind.name()));
        };
        let in_vain = target.is_witness_of(site) && self.breaks != Breaks::Machine;
        in_vain.then(|| {
            format!("there is no PostgreSQL on {}; use power-off, reset, shut-down or unlink", witness.name)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::faults::{ALL, Target};
    use crate::testing::site;
    use quorate::layout::kind::Kind;

    /// The faults that don't apply, each with the reason.
    fn left_out(kind: Kind, target: &str) -> Vec<(&'static str, String)> {
        let (target, site) = (Target::parse(target), site(kind));
        ALL.iter().filter_map(|f| Some((f.name, f.does_not_apply(&target, &site)?))).collect()
    }

    #[test]
    fn three_centres_has_no_quorum_device_to_break() {
        let without = left_out(Kind::ThreeCentres, "primary");
        let names: Vec<&str> = without.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            [
                "witness-then-node",
                "qdevice-stop",
                "qdevice-kill",
                "qdevice-stop-then-unlink",
                "survivor-qdevice-stop-then-unlink"
            ]
        );
        assert!(without.iter().all(|(_, why)| why == "three-centres has no quorum device"), "{without:?}");
        assert_eq!(left_out(Kind::ThreeCentres, "witness").len(), ALL.len());
        for kind in [Kind::Packed, Kind::Classic, Kind::ManyReplicas] {
            assert_eq!(left_out(kind, "primary"), [], "{}", kind.name());
        }
    }

    #[test]
    fn only_a_machine_can_be_broken_on_the_witness() {
        for target in ["witness", site(Kind::Classic).witness.expect("has one").name.as_str()] {
            let without = left_out(Kind::Classic, target);
            let has = |name| without.iter().any(|(left_out, _)| *left_out == name);
            assert!(has("postgres-kill") && has("switchover") && has("corosync-stop"), "{without:?}");
            assert!(!has("power-off") && !has("reset") && !has("shut-down") && !has("unlink"), "{without:?}");
            assert!(without.iter().all(|(_, why)| why.contains("no PostgreSQL on witness")), "{without:?}");
        }
    }
}
