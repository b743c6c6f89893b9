//! What Pacemaker is told to leave alone: the cluster, nodes and resources in maintenance, unmanaged resources, nodes on standby.
//!
//! A set of attributes with a rule is not evaluated here. Where it would put something into maintenance it is taken to hold;
//! where it would take something out of it, it is passed over: a reset for a doubt is worse than none.

use std::collections::BTreeMap;

use super::boolean;
use super::tree::{self, Element, TreeError};

/// All of it. Each value is the reason, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Management {
    /// The whole cluster is in maintenance mode.
    pub cluster: Option<String>,
    pub nodes: Vec<NodeState>,
    /// By the primitive's id: why Pacemaker does nothing about it.
    pub unmanaged: BTreeMap<String, String>,
}

/// What a node is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeState {
    /// corosync's id, which Pacemaker takes for its own.
    pub id: Option<u32>,
    pub name: String,
    pub maintenance: Option<String>,
    pub standby: Option<String>,
}

impl Management {
    /// The node of this id; without one, of this name.
    #[must_use]
    pub fn node(&self, id: Option<u32>, name: Option<&str>) -> Option<&NodeState> {
        let by_id = id.and_then(|id| self.nodes.iter().find(|n| n.id == Some(id)));
        by_id.or_else(|| name.and_then(|name| self.nodes.iter().find(|n| n.name == name)))
    }
}

/// Reads it from a CIB, with or without its status section.
///
/// # Errors
/// It is no CIB.
pub fn management(xml: &str) -> Result<Management, TreeError> {
    Ok(of(&tree::parse(xml)?))
}

pub(super) fn of(root: &Element) -> Management {
    let none = Element::default();
    let configuration = root.child("configuration").unwrap_or(&none);
    let section = |name| configuration.child(name).unwrap_or(&none);
    let read = Reader { root };
    let properties: Vec<&Element> = section("crm_config").all("cluster_property_set").collect();
    let mut found = Management {
        cluster: read.yes(&properties, "maintenance-mode").map(|how| how.of("maintenance-mode=true")),
        ..Management::default()
    };
    for node in section("nodes").all("node") {
        let (id, name) = (node.get("id").unwrap_or_default(), node.get("uname").unwrap_or_default());
        let mut sets: Vec<&Element> = node.all("instance_attributes").collect();
        let states = root.child("status").into_iter().flat_map(|s| s.all("node_state"));
        let state = states.filter(|s| s.get("id") == Some(id) || s.get("uname") == Some(name));
        let transient = state.flat_map(|s| s.all("transient_attributes"));
        sets.extend(transient.flat_map(|t| t.all("instance_attributes")));
        let told =
            |word| read.any_yes(&sets, word).map(|how| how.of(&format!("{word}=true of the node {name}")));
        found.nodes.push(NodeState {
            id: id.parse().ok(),
            name: name.to_owned(),
            maintenance: told("maintenance"),
            standby: told("standby"),
        });
    }
    let defaults: Vec<&Element> = section("rsc_defaults").all("meta_attributes").collect();
    let default = read.value(&properties, "is-managed-default");
    for resource in &section("resources").children {
        read.resource(resource, &[], &defaults, default, &mut found.unmanaged);
    }
    found
}

/// How something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Plainly,
    ByRule,
}

impl How {
    fn of(self, what: &str) -> String {
        match self {
            Self::Plainly => what.to_owned(),
            Self::ByRule => format!("{what} by a rule, which is taken to hold"),
        }
    }
}

struct Reader<'a> {
    root: &'a Element,
}

impl<'a> Reader<'a> {
    /// A set, or the one that it refers to.
    fn set(&self, set: &'a Element) -> &'a Element {
        set.get("id-ref").and_then(|id| self.root.find(id)).unwrap_or(set)
    }

    fn in_set(&self, set: &'a Element, name: &str) -> Option<&'a str> {
        set.all("nvpair").find_map(|pair| {
            let target = pair.get("id-ref").and_then(|id| self.root.find(id)).unwrap_or(pair);
            let known = pair.get("name").or_else(|| target.get("name"));
            (known == Some(name)).then(|| target.get("value").unwrap_or_default())
        })
    }

    /// The value that counts of those without a rule: that of the highest score, then the first.
    fn value(&self, sets: &[&'a Element], name: &str) -> Option<&'a str> {
        let score = |set: &Element| match set.get("score") {
            Some("INFINITY" | "+INFINITY") => 1_000_000,
            Some("-INFINITY") => -1_000_000,
            Some(score) => score.parse::<i64>().unwrap_or(0),
            None => 0,
        };
        let mut plain: Vec<&Element> =
            sets.iter().map(|s| self.set(s)).filter(|s| s.child("rule").is_none()).collect();
        plain.sort_by_key(|set| std::cmp::Reverse(score(set)));
        plain.into_iter().find_map(|set| self.in_set(set, name))
    }

    /// The values of sets with a rule.
    fn ruled(&self, sets: &[&'a Element], name: &str) -> Vec<&'a str> {
        let ruled = sets.iter().map(|s| self.set(s)).filter(|s| s.child("rule").is_some());
        ruled.filter_map(|set| self.in_set(set, name)).collect()
    }

    fn yes(&self, sets: &[&'a Element], name: &str) -> Option<How> {
        if self.value(sets, name).and_then(boolean) == Some(true) {
            return Some(How::Plainly);
        }
        self.ruled(sets, name).into_iter().any(|v| boolean(v) == Some(true)).then_some(How::ByRule)
    }

    /// As [`Self::yes`], of sets each of which counts by itself: Pacemaker reads a node's lasting and passing attributes apart.
    fn any_yes(&self, sets: &[&'a Element], name: &str) -> Option<How> {
        sets.iter().filter_map(|set| self.yes(&[set], name)).min_by_key(|how| *how == How::ByRule)
    }

    /// `above`: the sets of the group and the clone that the resource is in, the nearest first.
    fn resource(
        &self,
        resource: &'a Element,
        above: &[Vec<&'a Element>],
        defaults: &[&'a Element],
        default: Option<&'a str>,
        found: &mut BTreeMap<String, String>,
    ) {
        let mut levels = vec![resource.all("meta_attributes").collect::<Vec<_>>()];
        if let Some(template) = resource.get("template").and_then(|id| self.root.find(id)) {
            levels.push(template.all("meta_attributes").collect());
        }
        levels.extend_from_slice(above);
        match resource.name.as_str() {
            "primitive" => {
                levels.push(defaults.to_vec());
                if let (Some(id), Some(why)) = (resource.get("id"), self.left_alone(&levels, default)) {
                    found.insert(id.to_owned(), why);
                }
            }
            _ => {
                for inner in &resource.children {
                    if matches!(inner.name.as_str(), "primitive" | "group" | "clone" | "master") {
                        self.resource(inner, &levels, defaults, default, found);
                    }
                }
            }
        }
    }

    fn left_alone(&self, levels: &[Vec<&'a Element>], default: Option<&'a str>) -> Option<String> {
        let plain = |name: &str| levels.iter().find_map(|sets| self.value(sets, name));
        let by_rule = |name: &str, bad: fn(&str) -> bool| {
            levels.iter().flat_map(|sets| self.ruled(sets, name)).any(bad)
        };
        type Test = (&'static str, fn(&str) -> bool);
        let tests: [Test; 3] = [
            ("maintenance", |v| boolean(v) == Some(true)),
            ("is-managed", |v| boolean(v) == Some(false)),
            // Pacemaker would promote nobody in its place.
            ("target-role", |v| {
                matches!(v.to_ascii_lowercase().as_str(), "stopped" | "slave" | "unpromoted")
            }),
        ];
        for (name, bad) in tests {
            let value = plain(name).or(if name == "is-managed" { default } else { None });
            if let Some(value) = value.filter(|v| bad(v)) {
                return Some(How::Plainly.of(&format!("{name}={value}")));
            }
            if by_rule(name, bad) {
                return Some(How::ByRule.of(name));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &str, nodes: &str, resources: &str, rest: &str) -> Management {
        let xml = format!(
            "<cib><configuration><crm_config>{options}</crm_config><nodes>{nodes}</nodes>\
             <resources>{resources}</resources><constraints/>{rest}</cib>"
        );
        management(&xml).expect("a CIB")
    }

    fn pair(name: &str, value: &str) -> String {
        format!("<nvpair id=\"x\" name=\"{name}\" value=\"{value}\"/>")
    }

    const RULE: &str = "<rule id=\"r\" score=\"100\"><date_expression id=\"e\" operation=\"gt\" start=\"2020-01-01\"/></rule>";

    fn meta(name: &str, value: &str) -> String {
        format!("<meta_attributes id=\"m\">{}</meta_attributes>", pair(name, value))
    }

    #[test]
    fn the_cluster() {
        let set = |inner: String| {
            read(
                &format!("<cluster_property_set id=\"o\">{inner}</cluster_property_set>"),
                "",
                "",
                "</configuration>",
            )
        };
        assert_eq!(set(pair("maintenance-mode", "true")).cluster.as_deref(), Some("maintenance-mode=true"));
        assert_eq!(set(pair("maintenance-mode", "perhaps")).cluster, None);
        let ruled = set(RULE.to_owned() + &pair("maintenance-mode", "true")).cluster.expect("taken to hold");
        assert!(ruled.contains("by a rule"), "{ruled}");
        assert_eq!(set(RULE.to_owned() + &pair("maintenance-mode", "false")).cluster, None);
    }

    #[test]
    fn a_node_lasting_passing_and_by_rule() {
        let node = |inner: &str, status: &str| {
            let nodes =
                format!("<node id=\"1\" uname=\"srv1\">{inner}</node><node id=\"2\" uname=\"srv2\"/>");
            read("", &nodes, "", &format!("</configuration><status>{status}</status>"))
        };
        let set = |inner: String| format!("<instance_attributes id=\"a\">{inner}</instance_attributes>");
        let lasting = node(&set(pair("maintenance", "true")), "");
        let srv1 = lasting.node(Some(1), None).expect("known");
        assert_eq!(srv1.maintenance.as_deref(), Some("maintenance=true of the node srv1"));
        assert_eq!(lasting.node(None, Some("srv2")).expect("known").maintenance, None);
        let state = |inner: String| {
            format!(
                "<node_state id=\"1\" uname=\"srv1\"><transient_attributes id=\"1\">{inner}</transient_attributes></node_state>"
            )
        };
        let passing = node("", &state(set(pair("standby", "on"))));
        assert!(passing.nodes[0].standby.is_some() && passing.nodes[0].maintenance.is_none());
        assert!(passing.nodes[1].standby.is_none());
        // Each kind counts by itself.
        let both = node(&set(pair("maintenance", "false")), &state(set(pair("maintenance", "true"))));
        assert!(both.nodes[0].maintenance.is_some());
        let ruled = node(&set(RULE.to_owned() + &pair("maintenance", "1")), "");
        assert!(ruled.nodes[0].maintenance.as_deref().is_some_and(|why| why.contains("by a rule")));
    }

    fn unmanaged(resources: &str, defaults: &str) -> Option<String> {
        let rest = format!("<rsc_defaults>{defaults}</rsc_defaults></configuration>");
        read("", "", resources, &rest).unmanaged.remove("pgsqld")
    }

    fn clone(own: &str, inner: &str) -> String {
        format!(
            "<clone id=\"c\">{own}<primitive id=\"pgsqld\">{inner}</primitive></clone><primitive id=\"ip\"/>"
        )
    }

    #[test]
    fn a_resource_by_itself_its_group_its_clone_and_the_defaults() {
        let off = meta("is-managed", "false");
        assert_eq!(unmanaged(&clone("", ""), ""), None);
        assert_eq!(unmanaged(&clone("", &off), "").as_deref(), Some("is-managed=false"));
        assert!(unmanaged(&clone(&off, ""), "").is_some());
        assert!(unmanaged(&clone("", ""), &off).is_some());
        let group =
            format!("<clone id=\"c\"><group id=\"g\">{off}<primitive id=\"pgsqld\"/></group></clone>");
        assert!(unmanaged(&group, "").is_some());
        let template =
            format!("<template id=\"t\">{off}</template><primitive id=\"pgsqld\" template=\"t\"/>");
        assert!(unmanaged(&template, "").is_some());
        assert!(unmanaged(&clone("", &meta("maintenance", "true")), "").is_some());
        assert!(unmanaged(&clone("", &meta("target-role", "Unpromoted")), "").is_some());
        assert_eq!(unmanaged(&clone("", &meta("target-role", "Started")), ""), None);
        // The nearest counts.
        assert_eq!(unmanaged(&clone(&off, &meta("is-managed", "true")), &off), None);
        // A reference is followed.
        let shared = format!(
            "{}<primitive id=\"pgsqld\"><meta_attributes id-ref=\"m\"/></primitive>",
            clone(&off, "").replace("pgsqld", "other")
        );
        assert!(unmanaged(&shared, "").is_some());
    }

    #[test]
    fn a_rule_puts_into_maintenance_and_never_takes_out_of_it() {
        let ruled =
            |name, value| format!("<meta_attributes id=\"n\">{RULE}{}</meta_attributes>", pair(name, value));
        assert!(
            unmanaged(&clone("", &ruled("is-managed", "false")), "").is_some_and(|w| w.contains("by a rule"))
        );
        assert!(unmanaged(&clone("", &meta("is-managed", "true")), &ruled("maintenance", "true")).is_some());
        let off = meta("is-managed", "false");
        assert!(unmanaged(&clone("", &(ruled("is-managed", "true") + &off)), "").is_some());
    }

    /// What pcs 0.11 adds to a cluster of its own making, each by the command beside it.
    #[test]
    fn as_pcs_writes_it() {
        const CIB: &str = include_str!("../../../tests/doctor/pcs/classic.xml");
        let with = |after: &str, added: &str| {
            assert!(CIB.contains(after), "{after}");
            management(&CIB.replacen(after, &format!("{after}\n{added}"), 1)).expect("a CIB")
        };
        let plain = management(CIB).expect("a CIB");
        assert_eq!((plain.cluster.clone(), plain.unmanaged.len(), plain.nodes.len()), (None, 0, 2));
        assert!(plain.nodes.iter().all(|n| n.maintenance.is_none() && n.standby.is_none()));
        let site = "<nvpair id=\"nodes-1-site\" name=\"site\" value=\"east\"/>";
        // pcs node maintenance srv1; pcs node standby srv1
        let of_node =
            |word| with(site, &format!("<nvpair id=\"nodes-1-{word}\" name=\"{word}\" value=\"on\"/>"));
        assert!(of_node("maintenance").node(Some(1), None).is_some_and(|n| n.maintenance.is_some()));
        assert!(of_node("standby").node(Some(1), None).is_some_and(|n| n.standby.is_some()));
        // pcs resource unmanage pgsqld-clone (it writes it to the primitive)
        let primitive = "<primitive id=\"pgsqld\" class=\"ocf\" type=\"postgres\" provider=\"quorate\">";
        let meta = "<meta_attributes id=\"pgsqld-meta_attributes\">\n\
            <nvpair id=\"pgsqld-meta_attributes-is-managed\" name=\"is-managed\" value=\"false\"/>\n</meta_attributes>";
        assert_eq!(with(primitive, meta).unmanaged.into_keys().collect::<Vec<_>>(), ["pgsqld"]);
        // pcs resource disable pgsqld-clone; pcs resource meta pgsqld-clone maintenance=true
        let of_clone = "<meta_attributes id=\"pgsqld-clone-meta_attributes\">";
        for (name, value) in [("target-role", "Stopped"), ("maintenance", "true")] {
            let unmanaged = with(of_clone, &pair(name, value)).unmanaged;
            assert!(
                unmanaged.contains_key("pgsqld") && !unmanaged.contains_key("primary-ip"),
                "{unmanaged:?}"
            );
        }
        // pcs resource defaults update is-managed=false: of all that does not say it itself
        let defaults = "<meta_attributes id=\"rsc_defaults-meta_attributes\">";
        assert!(with(defaults, &pair("is-managed", "false")).unmanaged.len() > 2);
        // pcs resource defaults set create id=night meta is-managed=false rule 'date gt 2020-01-01'
        let night = "<rsc_defaults>";
        let set = "<meta_attributes id=\"night\"><rule id=\"night-rule\" boolean-op=\"and\" score=\"INFINITY\">\
            <date_expression id=\"night-rule-expr\" operation=\"gt\" start=\"2020-01-01\"/></rule>\
            <nvpair id=\"night-is-managed\" name=\"is-managed\" value=\"false\"/></meta_attributes>";
        assert!(with(night, set).unmanaged["pgsqld"].contains("by a rule"));
        // pcs property set maintenance-mode=true
        let options = "<cluster_property_set id=\"cib-bootstrap-options\">";
        assert!(with(options, &pair("maintenance-mode", "true")).cluster.is_some());
    }

    #[test]
    fn the_set_of_the_highest_score_counts() {
        let set = |score, value| {
            format!(
                "<meta_attributes id=\"s\" score=\"{score}\">{}</meta_attributes>",
                pair("is-managed", value)
            )
        };
        assert_eq!(unmanaged(&clone("", &(set("1", "false") + &set("5", "true"))), ""), None);
        assert!(unmanaged(&clone("", &(set("INFINITY", "false") + &set("5", "true"))), "").is_some());
    }

    #[test]
    fn what_is_no_cib_is_an_error_and_never_a_panic() {
        for text in ["", "<a/>", "<cib>", "<cib><nodes></cib>", "<cib a=\"&x;\"/>", &"<cib>".repeat(100)] {
            assert!(management(text).is_err(), "{text}");
        }
        assert_eq!(management("<cib/>"), Ok(Management::default()));
    }
}
