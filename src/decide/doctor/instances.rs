//! PostgreSQL's resources in a CIB, as the rules about them see them.

use super::facts::{Facts, File, Known, Place};
use crate::cluster::cib::Cib;
use crate::cluster::cib::resources::{Op, Resource, Shape};

/// Agents for PostgreSQL.
pub(super) const AGENTS: [&str; 3] = ["ocf:quorate:postgres", "ocf:heartbeat:pgsqlms", "ocf:heartbeat:pgsql"];
/// The agents of float IPs.
const ADDRESSES: [&str; 2] = ["ocf:heartbeat:IPaddr2", "ocf:heartbeat:IPaddr"];

/// PostgreSQL's primitive, and its clone.
#[derive(Clone, Copy)]
pub(super) struct Instance<'a> {
    pub(super) primitive: &'a Resource,
    pub(super) clone: Option<&'a Resource>,
}

impl Instance<'_> {
    /// What constraints and commands name.
    pub(super) fn id(&self) -> &str {
        &self.clone.unwrap_or(self.primitive).id
    }
}

pub(super) fn is_address(resource: &Resource) -> bool {
    ADDRESSES.contains(&resource.agent.as_str())
}

pub(super) fn is_server(resource: &Resource) -> bool {
    AGENTS.contains(&resource.agent.as_str())
}

pub(super) fn is_device(resource: &Resource) -> bool {
    resource.agent.starts_with("stonith:")
}

/// What a resource stands in, and whether it is a clone.
pub(super) fn clone_of<'a>(cib: &'a Cib, resource: &Resource) -> Option<&'a Resource> {
    cib.resources.iter().find(|r| r.shape == Shape::Clone && resource.within.contains(&r.id))
}

/// The instances of a CIB.
pub(super) fn of(cib: &Cib) -> Vec<Instance<'_>> {
    let servers = cib.resources.iter().filter(|r| is_server(r));
    servers.map(|primitive| Instance { primitive, clone: clone_of(cib, primitive) }).collect()
}

/// The CIB and its instances.
pub(super) fn known(facts: &Facts) -> Known<(&File<Cib>, Vec<Instance<'_>>)> {
    let file = facts.cib.as_ref()?;
    Ok((file, of(&file.content)))
}

pub(super) fn at(file: &File<Cib>, line: usize) -> Place {
    Place::line(&file.name, line)
}

/// What writes an operation anew, with what it has but on-fail and enabled. pcs drops what is not named.
pub(super) fn update(resource: &str, op: &Op, timeout: Option<&str>) -> String {
    let timeout = timeout.map(str::to_owned).or_else(|| op.timeout.as_ref().map(|t| t.value.clone()));
    let timeout = timeout.map_or(String::new(), |t| format!(" timeout={t}"));
    let role = op.role.as_ref().map_or(String::new(), |r| format!(" role={r}"));
    format!("pcs resource update {resource} op {} interval={}{timeout}{role}", op.name, op.interval)
}
