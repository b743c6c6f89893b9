//! Resources with what counts for them: their own meta attributes, those of what they stand in and of the defaults, and their operations.

use std::collections::BTreeMap;

use super::sets::{self, Value, Values};
use super::tree::Element;
use super::{boolean, milliseconds};

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Primitive,
    Group,
    Clone,
    Bundle,
}

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    pub id: String,
    pub shape: Shape,
    pub line: usize,
    /// As in `pcs resource create`; empty for what is no primitive.
    pub agent: String,
    /// What it stands in, the innermost first.
    pub within: Vec<String>,
    /// The meta attributes that count for it, as Pacemaker inherits them.
    pub meta: Values,
    /// A primitive's operations.
    pub operations: Vec<Op>,
    /// What it needs of a node's capacity.
    pub utilization: Values,
}

/// An operation as it counts: with its own attributes, its sets, and the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    pub name: String,
    /// As written.
    pub interval: String,
    pub interval_ms: i64,
    pub timeout: Option<Value>,
    pub role: Option<String>,
    pub on_fail: Option<Value>,
    pub enabled: Option<Value>,
    pub start_delay: Option<Value>,
    pub line: usize,
}

impl Op {
    /// Whether Pacemaker runs it again and again.
    #[must_use]
    pub fn recurs(&self) -> bool {
        self.interval_ms > 0 && self.is_enabled()
    }

    /// Whether Pacemaker runs it at all.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled.as_ref().is_none_or(|e| boolean(&e.value) != Some(false))
    }

    /// Its timeout; Pacemaker's own where it has none, or a word that is no time.
    #[must_use]
    pub fn timeout_ms(&self) -> i64 {
        self.timeout.as_ref().and_then(|t| milliseconds(&t.value)).unwrap_or(OWN_TIMEOUT_MS)
    }

    /// Its role with the present word.
    #[must_use]
    pub fn role_now(&self) -> Option<&str> {
        self.role.as_deref().map(role_now)
    }
}

/// Pacemaker's own where an operation has none.
pub const OWN_TIMEOUT_MS: i64 = 20_000;

/// A role with the word that Pacemaker has used since 2.1.
#[must_use]
pub fn role_now(role: &str) -> &str {
    match role.to_ascii_lowercase().as_str() {
        "master" | "promoted" => "Promoted",
        "slave" | "unpromoted" => "Unpromoted",
        "started" => "Started",
        "stopped" => "Stopped",
        _ => role,
    }
}

impl Resource {
    /// A meta attribute that counts.
    #[must_use]
    pub fn meta(&self, name: &str) -> Option<&Value> {
        self.meta.get(name)
    }

    /// A yes or no; `own` where it is not set, or neither.
    #[must_use]
    pub fn flag(&self, name: &str, own: bool) -> bool {
        self.meta(name).and_then(|v| boolean(&v.value)).unwrap_or(own)
    }

    /// A number where it is set to one.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.meta(name).and_then(|v| super::score(&v.value))
    }

    /// Whether a constraint that names `id` is about it.
    #[must_use]
    pub fn is_named(&self, id: &str) -> bool {
        self.id == id || self.within.iter().any(|w| w == id)
    }
}

/// All resources, those that stand in others after these.
pub(super) fn resources(root: &Element) -> Vec<Resource> {
    let none = Element::default();
    let configuration = root.child("configuration").unwrap_or(&none);
    let section = |name| configuration.child(name).unwrap_or(&none);
    let defaults = sets::values(root, section("rsc_defaults").all("meta_attributes"));
    let op_defaults = sets::values(root, section("op_defaults").all("meta_attributes"));
    let reader = Reader { root, defaults, op_defaults };
    let mut found = Vec::new();
    for element in &section("resources").children {
        reader.read(element, &[], &Values::default(), &mut found);
    }
    found
}

struct Reader<'a> {
    root: &'a Element,
    defaults: Values,
    op_defaults: Values,
}

impl Reader<'_> {
    fn read(&self, element: &Element, within: &[String], above: &Values, found: &mut Vec<Resource>) {
        let shape = match element.name.as_str() {
            "primitive" => Shape::Primitive,
            "group" => Shape::Group,
            "clone" | "master" => Shape::Clone,
            "bundle" => Shape::Bundle,
            _ => return,
        };
        let id = element.get("id").unwrap_or_default().to_owned();
        let template = element.get("template").and_then(|id| self.root.find(id));
        let mut own = sets::values(self.root, element.all("meta_attributes"));
        if let Some(template) = template {
            own.fill(&sets::values(self.root, template.all("meta_attributes")));
        }
        if element.name == "master" {
            own.plain.entry("promotable".to_owned()).or_insert_with(|| Value::new("true", element.line));
        }
        for (old, new) in [("master-max", "promoted-max"), ("master-node-max", "promoted-node-max")] {
            if let Some(value) = own.plain.get(old).cloned() {
                own.plain.entry(new.to_owned()).or_insert(value);
            }
        }
        own.owned(&id);
        own.fill(above);
        let mut meta = own.clone();
        meta.fill(&self.defaults);
        let word = |name| element.get(name).or_else(|| template.and_then(|t| t.get(name)));
        let agent = match shape {
            Shape::Primitive => {
                ["class", "provider", "type"].into_iter().filter_map(word).collect::<Vec<_>>().join(":")
            }
            Shape::Group | Shape::Clone | Shape::Bundle => String::new(),
        };
        let operations =
            if shape == Shape::Primitive { self.operations(element, template) } else { Vec::new() };
        let utilization = sets::values(self.root, element.all("utilization"));
        let within_this: Vec<String> = std::iter::once(id.clone()).chain(within.iter().cloned()).collect();
        found.push(Resource {
            id,
            shape,
            line: element.line,
            agent,
            within: within.to_vec(),
            meta,
            operations,
            utilization,
        });
        for child in &element.children {
            self.read(child, &within_this, &own, found);
        }
    }

    fn operations(&self, element: &Element, template: Option<&Element>) -> Vec<Op> {
        let own: Vec<&Element> = element.all("operations").flat_map(|o| o.all("op")).collect();
        let of_template = template.into_iter().flat_map(|t| t.all("operations")).flat_map(|o| o.all("op"));
        let key = |op: &Element| (op.get("name").map(str::to_owned), op.get("interval").map(str::to_owned));
        let mut all = own.clone();
        all.extend(of_template.filter(|op| own.iter().all(|o| key(o) != key(op))));
        all.into_iter().map(|op| self.operation(op)).collect()
    }

    fn operation(&self, op: &Element) -> Op {
        let mut of_sets = sets::values(self.root, op.all("meta_attributes"));
        of_sets.fill(&self.op_defaults);
        let value =
            |name: &str| op.get(name).map(|v| Value::new(v, op.line)).or_else(|| of_sets.get(name).cloned());
        let interval = value("interval").map_or_else(|| "0s".to_owned(), |v| v.value);
        Op {
            name: op.get("name").unwrap_or_default().to_owned(),
            interval_ms: milliseconds(&interval).unwrap_or_default(),
            interval,
            timeout: value("timeout"),
            role: value("role").map(|v| v.value),
            on_fail: value("on-fail"),
            enabled: value("enabled"),
            start_delay: value("start-delay"),
            line: op.line,
        }
    }
}

/// A node's attributes: those that last, and those of its present life.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeAttributes {
    pub name: String,
    pub id: String,
    pub line: usize,
    pub lasting: Values,
    pub passing: Values,
    pub utilization: Values,
}

impl NodeAttributes {
    /// The value that counts; the passing one where both are there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.passing.plain.get(name).or_else(|| self.lasting.plain.get(name))
    }
}

/// The nodes' attributes.
pub(super) fn node_attributes(root: &Element) -> Vec<NodeAttributes> {
    let nodes = root.child("configuration").and_then(|c| c.child("nodes"));
    let read = |node: &Element| {
        let (id, name) = (node.get("id").unwrap_or_default(), node.get("uname").unwrap_or_default());
        let states = root.child("status").into_iter().flat_map(|s| s.all("node_state"));
        let state = states.filter(|s| s.get("uname").map_or(s.get("id") == Some(id), |u| u == name));
        let passing =
            state.flat_map(|s| s.all("transient_attributes")).flat_map(|t| t.all("instance_attributes"));
        NodeAttributes {
            name: name.to_owned(),
            id: id.to_owned(),
            line: node.line,
            lasting: sets::values(root, node.all("instance_attributes")),
            passing: sets::values(root, passing),
            utilization: sets::values(root, node.all("utilization")),
        }
    };
    nodes.into_iter().flat_map(|n| n.all("node")).map(read).collect()
}

/// The tickets that this cluster holds, by their ids.
pub(super) fn tickets(root: &Element) -> BTreeMap<String, bool> {
    let tickets = root.child("status").into_iter().flat_map(|s| s.all("tickets"));
    let states = tickets.flat_map(|t| t.all("ticket_state"));
    states
        .filter_map(|t| Some((t.get("id")?.to_owned(), t.get("granted").and_then(boolean) == Some(true))))
        .collect()
}
