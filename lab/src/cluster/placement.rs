//! Where everything is: each instance's primary and each float IP, in one line that can be compared with what a layout
//! promises.

use super::observe::Observation;
use quorate::cluster::crm_mon::Role;

/// Stands for what runs nowhere.
const NOWHERE: &str = "-";

/// The line, for example `primary srv2 · primary-ip srv2 · standby-ip srv2`.
#[must_use]
pub fn placement(seen: &Observation) -> String {
    let status = match &seen.status {
        Ok(status) => status,
        Err(reason) => return format!("unknown: {}", reason.lines().next().unwrap_or_default()),
    };
    let mut words = Vec::new();
    let mut note = |what: &str, nodes: &[&str]| {
        let place = if nodes.is_empty() { NOWHERE.to_owned() } else { nodes.join("+") };
        words.push(format!("{what} {place}"));
    };
    for instance in &seen.site.instances {
        let names = seen.site.names(instance);
        let several = seen.site.instances.len() > 1;
        let primary = if several { format!("primary-{}", instance.name) } else { "primary".to_owned() };
        note(&primary, &seen.with_role(instance, &Role::Promoted));
        let count = instance.standby_ips.len();
        let standby_ips = (0..count).map(|index| names.standby_ip(index, count));
        for ip in std::iter::once(names.primary_ip()).chain(standby_ips) {
            // Of one that is about to move crm_mon shows where it was.
            note(&ip, &status.nodes_with_role(&ip, &Role::Started));
        }
    }
    words.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{healthy, site};
    use quorate::layout::kind::Kind;

    #[test]
    fn a_line_for_each_layout() {
        let line = |kind| placement(&healthy(site(kind)));
        assert_eq!(line(Kind::Classic), "primary srv1 · primary-ip srv1 · standby-ip srv2");
        assert_eq!(
            line(Kind::Packed),
            "primary-a pack1 · primary-ip-a pack1 · primary-b pack2 · primary-ip-b pack2"
        );
        assert_eq!(
            line(Kind::ManyReplicas),
            "primary many1 · primary-ip many1 · standby-ip-1 many2 · standby-ip-2 many3 · standby-ip-3 many4"
        );
    }

    #[test]
    fn what_runs_nowhere_is_shown_too() {
        let mut seen = healthy(site(Kind::Classic));
        if let Ok(status) = &mut seen.status {
            status.instances.retain(|i| i.resource != "standby-ip");
        }
        assert_eq!(placement(&seen), "primary srv1 · primary-ip srv1 · standby-ip -");
        seen.status = Err("nobody answers".to_owned());
        assert_eq!(placement(&seen), "unknown: nobody answers");
    }
}
