//! Constraints: where resources may be, with what, and after what. Resource sets are read as the pairs that they stand for.

use super::resources::role_now;
use super::rule::Rule;
use super::score;
use super::tree::Element;

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Constraints {
    pub locations: Vec<Location>,
    pub colocations: Vec<Colocation>,
    pub orders: Vec<Order>,
    pub tickets: Vec<Ticket>,
}

/// Where resources may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub id: String,
    pub line: usize,
    /// Resources by their ids; a pattern stands as `/…/`.
    pub resources: Vec<String>,
    /// Present words; `None`: of whatever role.
    pub role: Option<String>,
    pub place: Place,
    /// `resource-discovery`.
    pub discovery: Option<String>,
}

/// For which nodes a location counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Node { name: String, score: i64 },
    Rules(Vec<Rule>),
}

/// A resource that follows another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Colocation {
    pub id: String,
    pub line: usize,
    /// What follows, and in which role.
    pub resource: String,
    pub role: Option<String>,
    /// What it follows, and in which role.
    pub with: String,
    pub with_role: Option<String>,
    pub score: i64,
}

/// An action after another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub id: String,
    pub line: usize,
    pub first: String,
    pub first_action: String,
    pub then: String,
    pub then_action: String,
    /// Whether the second waits for the first; else they only don't run in the other order.
    pub is_mandatory: bool,
}

/// A resource that needs a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    pub id: String,
    pub line: usize,
    pub resources: Vec<String>,
    pub ticket: String,
}

fn text(element: &Element, name: &str) -> String {
    element.get(name).unwrap_or_default().to_owned()
}

fn role(element: &Element, name: &str) -> Option<String> {
    element.get(name).map(|r| role_now(r).to_owned())
}

/// The resources that a constraint or a set names.
fn named(element: &Element, name: &str) -> Vec<String> {
    let of_sets =
        element.all("resource_set").flat_map(|set| set.all("resource_ref")).filter_map(|r| r.get("id"));
    let pattern = element.get("rsc-pattern").map(|p| format!("/{p}/"));
    element.get(name).into_iter().chain(of_sets).map(str::to_owned).chain(pattern).collect()
}

/// Reads them.
pub(super) fn constraints(root: &Element) -> Constraints {
    let mut found = Constraints::default();
    let Some(section) = root.child("configuration").and_then(|c| c.child("constraints")) else {
        return found;
    };
    for element in &section.children {
        match element.name.as_str() {
            "rsc_location" => found.locations.push(location(root, element)),
            "rsc_colocation" => found.colocations.extend(colocations(element)),
            "rsc_order" => found.orders.extend(orders(element)),
            "rsc_ticket" => found.tickets.push(Ticket {
                id: text(element, "id"),
                line: element.line,
                resources: named(element, "rsc"),
                ticket: text(element, "ticket"),
            }),
            _ => {}
        }
    }
    found
}

fn location(root: &Element, element: &Element) -> Location {
    let rules: Vec<&Element> = element.all("rule").collect();
    let of_rule = rules.first().and_then(|r| role(r, "role"));
    let of_set = element.all("resource_set").find_map(|s| role(s, "role"));
    let place = match element.get("node") {
        Some(node) if rules.is_empty() => Place::Node {
            name: node.to_owned(),
            score: element.get("score").and_then(score).unwrap_or_default(),
        },
        _ => Place::Rules(rules.into_iter().map(|rule| Rule::of(root, rule)).collect()),
    };
    Location {
        id: text(element, "id"),
        line: element.line,
        resources: named(element, "rsc"),
        role: role(element, "role").or(of_rule).or(of_set),
        place,
        discovery: element.get("resource-discovery").map(str::to_owned),
    }
}

/// Members of a set follow the one before; a set follows the next one.
fn colocations(element: &Element) -> Vec<Colocation> {
    let score = element.get("score").and_then(score).unwrap_or_default();
    let pair = |resource: &str, role: Option<String>, with: &str, with_role: Option<String>| Colocation {
        id: text(element, "id"),
        line: element.line,
        resource: resource.to_owned(),
        role,
        with: with.to_owned(),
        with_role,
        score,
    };
    if let (Some(resource), Some(with)) = (element.get("rsc"), element.get("with-rsc")) {
        return vec![pair(resource, role(element, "rsc-role"), with, role(element, "with-rsc-role"))];
    }
    let sets: Vec<&Element> = element.all("resource_set").collect();
    let ids = |set: &Element| -> Vec<String> {
        set.all("resource_ref").filter_map(|r| r.get("id")).map(str::to_owned).collect()
    };
    let mut found = Vec::new();
    for set in &sets {
        for two in ids(set).windows(2) {
            if let [before, after] = two {
                found.push(pair(after, role(set, "role"), before, role(set, "role")));
            }
        }
    }
    for two in sets.windows(2) {
        let [dependent, primary] = two else { continue };
        for resource in ids(dependent) {
            for with in ids(primary) {
                found.push(pair(&resource, role(dependent, "role"), &with, role(primary, "role")));
            }
        }
    }
    found
}

fn orders(element: &Element) -> Vec<Order> {
    let is_mandatory = match (element.get("kind"), element.get("score").and_then(score)) {
        (Some(kind), _) => kind.eq_ignore_ascii_case("mandatory"),
        (None, Some(score)) => score > 0,
        (None, None) => true,
    };
    let pair = |first: &str, first_action: &str, then: &str, then_action: &str| Order {
        id: text(element, "id"),
        line: element.line,
        first: first.to_owned(),
        first_action: first_action.to_owned(),
        then: then.to_owned(),
        then_action: then_action.to_owned(),
        is_mandatory,
    };
    if let (Some(first), Some(then)) = (element.get("first"), element.get("then")) {
        let action = element.get("first-action").unwrap_or("start");
        return vec![pair(first, action, then, element.get("then-action").unwrap_or(action))];
    }
    let sets: Vec<(Vec<&str>, &str)> = element
        .all("resource_set")
        .map(|set| {
            let ids = set.all("resource_ref").filter_map(|r| r.get("id")).collect();
            (ids, set.get("action").unwrap_or("start"))
        })
        .collect();
    let mut found = Vec::new();
    for (ids, action) in &sets {
        found.extend(ids.windows(2).filter_map(|two| match two {
            [a, b] => Some(pair(a, action, b, action)),
            _ => None,
        }));
    }
    for two in sets.windows(2) {
        let [(first, first_action), (then, then_action)] = two else { continue };
        for a in first {
            found.extend(then.iter().map(|b| pair(a, first_action, b, then_action)));
        }
    }
    found
}
