//! Whether a machine may set a site up, and what of the membership is left to do there.

use super::site::Site;
use crate::cluster::corosync::SAMPLE;

/// What is to be done about the membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// There is no cluster yet.
    Make,
    /// The site's own was being made, and never started: making it broke off, or it is to be started now. What there is of
    /// it is made again.
    MakeAgain,
    /// The site's own is there already.
    Keep,
}

/// Whether Pacemaker ever ran on a machine, as its configuration there says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    Never,
    Before,
}

/// What is to be done on the machine `host`, which belongs to the cluster `found`.
///
/// # Errors
/// Why nothing may be done there, and the cure.
pub fn membership(site: &Site, host: &str, found: Option<&str>, ran: Ran) -> Result<Membership, String> {
    if !site.nodes.iter().any(|n| n.name == host) {
        let known: Vec<&str> = site.nodes.iter().map(|n| n.name.as_str()).collect();
        return Err(format!(
            "this machine is called {host:?}: run this on one of the database nodes, {}",
            known.join(", ")
        ));
    }
    match found {
        None => Ok(Membership::Make),
        Some(name) if name == site.name => Ok(match ran {
            Ran::Never => Membership::MakeAgain,
            Ran::Before => Membership::Keep,
        }),
        // pcs saves no host's token while it is there.
        Some(SAMPLE) => {
            Err("/etc/corosync/corosync.conf is Debian's sample: run 1-machine.sh here, or move it away"
                .to_owned())
        }
        Some(name) => Err(format!(
            "this machine belongs to the cluster {name:?}, and {:?} is described: correct the description, or remove \
             the old cluster with pcs cluster destroy --all",
            site.name
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::kind::Kind;
    use crate::layout::{Overrides, examples, read};

    #[test]
    fn only_a_node_without_another_cluster_goes_on() {
        let site = read(examples::text(Kind::Classic), &Overrides::default()).expect("an example");
        assert_eq!(membership(&site, "srv1", None, Ran::Never), Ok(Membership::Make));
        assert_eq!(membership(&site, "srv2", Some("classic"), Ran::Before), Ok(Membership::Keep));
        assert_eq!(membership(&site, "srv2", Some("classic"), Ran::Never), Ok(Membership::MakeAgain));
        let refused = |host, found| membership(&site, host, found, Ran::Never).expect_err("refused");
        assert!(refused("witness", None).contains("one of the database nodes, srv1, srv2"));
        assert!(refused("srv1", Some("debian")).contains("1-machine.sh"));
        assert!(refused("srv1", Some("prod")).contains("the cluster \"prod\""));
    }
}
