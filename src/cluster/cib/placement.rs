//! Constraints of the CIB that a command on Pacemaker's command line leaves or needs: locations, and what runs with what.

use super::tree::{self, Element, TreeError};
use crate::cluster::calendar;

/// A location constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub id: String,
    /// The resource or clone.
    pub resource: String,
    /// `None`: a rule decides that does not name one node.
    pub node: Option<String>,
    /// `Promoted`, where it is of that role alone.
    pub role: Option<String>,
    pub score: String,
    /// When it ends, as it is written down.
    pub ends: Option<String>,
}

impl Location {
    /// Made by a move or a ban on the command line (`crm_resource`, `pcs resource move`), not by the configuration.
    #[must_use]
    pub fn is_typed(&self) -> bool {
        self.id.starts_with("cli-prefer-") || self.id.starts_with("cli-ban-")
    }

    /// Whether it is over. `now` as `2026-11-29 13:00:00`, in UTC. One whose end can't be read is still in force.
    #[must_use]
    pub fn is_over(&self, now: &str) -> bool {
        matches!((self.end(), calendar::seconds(now)), (Some(end), Some(now)) if end <= now)
    }

    /// When it ends, in seconds since 1970. crm_resource writes the time of its node's zone, with the offset; without one Pacemaker takes
    /// the zone of whoever asks, so that the moment is not known.
    #[must_use]
    pub fn end(&self) -> Option<i64> {
        let end = self.ends.as_deref()?.trim();
        let clock = end.get(10..)?;
        let has_zone = clock.ends_with('Z') || clock.contains(['+', '-']);
        let is_plain = clock.chars().all(|c| !c.is_ascii_alphabetic() || matches!(c, 'T' | 'Z'));
        calendar::seconds(end).filter(|_| has_zone && is_plain)
    }
}

/// A resource that runs where another one does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Colocation {
    pub resource: String,
    pub with: String,
    pub with_role: Option<String>,
    pub score: String,
}

/// What concerns one PostgreSQL resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// The clone of it.
    pub clone: Option<String>,
    /// Of the clone or the primitive.
    pub locations: Vec<Location>,
    /// With the clone or the primitive.
    pub colocations: Vec<Colocation>,
    /// The longest timeout of an operation with this name, as it is written down.
    pub timeouts: Vec<(String, String)>,
}

impl Placement {
    /// The resources that have to run where it is promoted: float IPs of the primary.
    #[must_use]
    pub fn with_the_primary(&self) -> Vec<&str> {
        let is_its = |c: &&Colocation| {
            matches!(c.with_role.as_deref(), Some("Promoted" | "Master")) && c.score == "INFINITY"
        };
        self.colocations.iter().filter(is_its).map(|c| c.resource.as_str()).collect()
    }
}

/// Reads them from a CIB.
///
/// # Errors
/// It is no CIB.
pub fn placement(xml: &str, resource: &str) -> Result<Placement, TreeError> {
    let root = tree::parse(xml)?;
    let none = Element::default();
    let configuration = root.child("configuration").unwrap_or(&none);
    let section = |name| configuration.child(name).unwrap_or(&none);
    let is_clone = |e: &&Element| matches!(e.name.as_str(), "clone" | "master");
    let clone = section("resources").children.iter().filter(is_clone).find(|c| c.find(resource).is_some());
    let clone = clone.and_then(|c| c.get("id")).map(str::to_owned);
    let is_ours = |id: Option<&str>| id.is_some() && (id == Some(resource) || id == clone.as_deref());
    let text = |e: &Element, name: &str| e.get(name).map(str::to_owned);
    let mut found = Placement { clone: clone.clone(), ..Placement::default() };
    for element in section("constraints").all("rsc_location").filter(|e| is_ours(e.get("rsc"))) {
        let rule = element.child("rule");
        let expressions = || rule.into_iter().flat_map(|rule| rule.all("expression"));
        let name = expressions().find(|e| e.get("attribute") == Some("#uname"));
        let named = name.filter(|e| e.get("operation") == Some("eq")).and_then(|e| text(e, "value"));
        let end = rule.into_iter().flat_map(|rule| rule.all("date_expression"));
        found.locations.push(Location {
            id: text(element, "id").unwrap_or_default(),
            resource: text(element, "rsc").unwrap_or_default(),
            node: text(element, "node").or(named),
            role: text(element, "role").or_else(|| rule.and_then(|rule| text(rule, "role"))),
            score: text(element, "score").or_else(|| rule.and_then(|r| text(r, "score"))).unwrap_or_default(),
            ends: end.filter(|e| e.get("operation") == Some("lt")).find_map(|e| text(e, "end")),
        });
    }
    for element in section("constraints").all("rsc_colocation").filter(|e| is_ours(e.get("with-rsc"))) {
        found.colocations.push(Colocation {
            resource: text(element, "rsc").unwrap_or_default(),
            with: text(element, "with-rsc").unwrap_or_default(),
            with_role: text(element, "with-rsc-role"),
            score: text(element, "score").unwrap_or_default(),
        });
    }
    let primitive = section("resources").find(resource);
    for operation in primitive.and_then(|p| p.child("operations")).into_iter().flat_map(|o| o.all("op")) {
        if let (Some(name), Some(timeout)) = (text(operation, "name"), text(operation, "timeout")) {
            found.timeouts.push((name, timeout));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CIB: &str = r##"<cib><configuration><resources>
      <clone id="pgsqld-clone"><primitive id="pgsqld" class="ocf" provider="quorate" type="postgres"><operations>
        <op id="a" name="demote" interval="0s" timeout="120s"/></operations></primitive></clone>
      <primitive id="pgsql-ip" class="ocf" provider="heartbeat" type="IPaddr2"/></resources><constraints>
      <rsc_location id="cli-prefer-pgsqld-clone" rsc="pgsqld-clone" role="Promoted"><rule id="r" score="INFINITY" boolean-op="and">
        <expression id="e" attribute="#uname" operation="eq" value="srv2" type="string"/>
        <date_expression id="d" operation="lt" end="2026-11-29 12:00:00Z"/></rule></rsc_location>
      <rsc_location id="cli-ban-pgsqld-clone-on-srv1" rsc="pgsqld-clone" role="Promoted" node="srv1" score="-INFINITY"/>
      <rsc_location id="other" rsc="web" node="srv1" score="1"/>
      <rsc_colocation id="c" rsc="pgsql-ip" with-rsc="pgsqld-clone" with-rsc-role="Promoted" score="INFINITY"/>
      <rsc_colocation id="s" rsc="standby-ip" with-rsc="pgsqld-clone" with-rsc-role="Promoted" score="-100"/>
      </constraints></configuration></cib>"##;

    #[test]
    fn of_one_resource() {
        let found = placement(CIB, "pgsqld").expect("a CIB");
        assert_eq!(found.clone.as_deref(), Some("pgsqld-clone"));
        assert_eq!(found.with_the_primary(), ["pgsql-ip"]);
        assert_eq!(found.timeouts, [("demote".to_owned(), "120s".to_owned())]);
        let [prefer, ban] = found.locations.as_slice() else { panic!("{:?}", found.locations) };
        assert!(prefer.is_typed() && ban.is_typed());
        assert_eq!((prefer.node.as_deref(), prefer.score.as_str()), (Some("srv2"), "INFINITY"));
        assert!(prefer.is_over("2026-11-29 12:00:00") && !prefer.is_over("2026-11-29 11:59:59"));
        assert_eq!((ban.node.as_deref(), ban.role.as_deref()), (Some("srv1"), Some("Promoted")));
        assert!(!ban.is_over("2099-01-01 00:00:00"), "it has no end");
        // Of crm_resource --lifetime on a node that is not in UTC: 12:00:00 UTC each.
        for local in ["2026-11-29 07:00:00 -05:00", "2026-11-29 17:30:00 +05:30", "2026-11-29T13:00:00+01:00"]
        {
            let at = Location { ends: Some(local.into()), ..prefer.clone() };
            assert_eq!(at.end(), Some(1_795_953_600), "{local}");
            assert!(at.is_over("2026-11-29 12:00:00") && !at.is_over("2026-11-29 11:59:59"), "{local}");
        }
        for unknown in ["", "soon", "2020-01-01 00:00:00", "2020-01-01 00:00:00 EST", "2020-01-01"] {
            let at = Location { ends: Some(unknown.into()), ..prefer.clone() };
            assert!(!at.is_over("2026-11-29 12:00:00"), "{unknown}");
        }
        assert_eq!(placement(CIB, "other").expect("a CIB"), Placement::default());
        assert!(placement("<nvset/>", "pgsqld").is_err());
    }
}
