//! An even split: two data centres lose each other, and each of them still sees everybody else.

use super::trace::{Seen, Trace};
use crate::cluster::handle::Cluster;
use crate::host::error::{LabError, Result};
use quorate::layout::site::Site;

/// The nodes of the data centre of `node`, and those of the other one.
///
/// # Errors
/// Where it would be no even split, or the node is in neither.
fn sides(site: &Site, node: &str) -> Result<[Vec<String>; 2]> {
    let refused = |why: String| LabError::Host(format!("split: {why}"));
    if site.witness.is_none() || site.centres().len() != 2 {
        return Err(refused(format!(
            "{} has no two data centres with a witness between them; use unlink",
            site.kind.name()
        )));
    }
    let centre = site.nodes.iter().find(|n| n.name == node).map(|n| n.centre.as_str());
    let centre = centre.ok_or_else(|| refused(format!("{node} is in neither of the two data centres")))?;
    let (here, there): (Vec<_>, Vec<_>) = site.nodes.iter().partition(|n| n.centre == centre);
    Ok([here, there].map(|side| side.into_iter().map(|n| n.name.clone()).collect()))
}

pub(super) fn part(cluster: &Cluster, node: &str) -> Result<Trace> {
    let boots = cluster.node(node)?.boots;
    let sides = sides(cluster.site(), node)?;
    let others = sides.iter().flatten().filter(|name| *name != node).cloned().collect();
    cluster.part(sides)?;
    Ok(Trace { boots, others, ..Trace::default() })
}

pub(super) fn sides_are_apart(cluster: &Cluster, node: &str, _: &Trace) -> Seen {
    let info = cluster.node(node).map_err(|e| e.to_string())?;
    match (info.apart_from.as_slice(), info.lost_packets) {
        ([], _) => Err(format!("{node} reaches everybody")),
        (_, 0) => Err("no packet was dropped yet".to_owned()),
        (from, lost) => Ok(format!("{lost} packets between {node} and {} were dropped", from.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::site;
    use quorate::layout::kind::Kind;

    #[test]
    fn each_side_is_a_data_centre() {
        let words = |kind, node: &str| sides(&site(kind), node).expect(node);
        assert_eq!(words(Kind::ManyReplicas, "many3"), [["many3", "many4"], ["many1", "many2"]]);
        assert_eq!(words(Kind::Classic, "srv1"), [["srv1"], ["srv2"]]);
    }

    #[test]
    fn there_is_no_even_split_of_three() {
        let error = sides(&site(Kind::ThreeCentres), "tri1").expect_err("three").to_string();
        assert!(error.contains("no two data centres"), "{error}");
        let error = sides(&site(Kind::Classic), "witness").expect_err("witness").to_string();
        assert!(error.contains("neither"), "{error}");
    }
}
