//! From a site to the scripts that set it up: the templates of `pcs-templates/`, filled in.

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};

use super::context::Context;
use super::kind::Kind;
use super::site::{AtBoot, Site};
use crate::cluster::timing::start_wait_s;

/// Which PostgreSQL resource agent the scripts are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Agent {
    /// Ours, `ocf:quorate:postgres`.
    Quorate,
    /// `ocf:heartbeat:pgsqlms`, for comparison in the lab.
    Paf,
}

impl Agent {
    /// Its name in templates and on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quorate => "quorate",
            Self::Paf => "paf",
        }
    }
}

/// A file of a rendered site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Relative to the site's directory.
    pub path: &'static str,
    pub text: String,
    pub mode: Mode,
}

/// What a rendered file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// To be run.
    Script,
    /// To be read.
    Text,
}

/// A step of setting a site up: a script, and the machines to run it on. Steps follow each other; the machines of one
/// step don't wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    /// The path of a [`Rendered`] script.
    pub script: &'static str,
    /// Host names.
    pub machines: Vec<String>,
    /// One line for people.
    pub summary: &'static str,
}

/// The script that makes the membership, the quorum device and the watchdog.
pub const CLUSTER: &str = "7-cluster.sh";
/// The script that makes the resources.
pub const RESOURCES: &str = "8-resources.sh";

/// What the steps write in the end, to compare with; the doctor reads it.
pub const COROSYNC_CONF: &str = "reference/corosync.conf";
pub const SBD: &str = "reference/sbd";
pub const POSTGRESQL_CONF: &str = "reference/postgresql.conf";
/// Of the CIB only what decides about fencing and time.
pub const CIB: &str = "reference/cib.xml";

const MACHINE: &str = "1-machine.sh";
const WITNESS: &str = "2-witness.sh";
const POSTGRES: &str = "3-postgres.sh";
const PRIMARY: &str = "4-primary.sh";
const STANDBY: &str = "5-standby.sh";
const HANDOVER: &str = "6-handover.sh";

macro_rules! template {
    ($path:literal) => {
        ($path, include_str!(concat!("../../pcs-templates/", $path)))
    };
}

/// All templates by their path.
const TEMPLATES: [(&str, &str); 28] = [
    template!("parts/who.sh.j2"),
    template!("parts/sample.sh.j2"),
    template!("parts/before.sh.j2"),
    template!("parts/not-started.sh.j2"),
    template!("parts/ask.sh.j2"),
    template!("parts/instances.sh.j2"),
    template!("parts/postgres.sh.j2"),
    template!("parts/head.sh.j2"),
    template!("parts/foot.sh.j2"),
    template!("parts/macros.j2"),
    template!("parts/postgresql.conf.j2"),
    template!("steps/1-machine.sh.j2"),
    template!("steps/2-witness.sh.j2"),
    template!("steps/3-postgres.sh.j2"),
    template!("steps/4-primary.sh.j2"),
    template!("steps/5-standby.sh.j2"),
    template!("steps/6-handover.sh.j2"),
    template!("steps/7-cluster.sh.j2"),
    template!("steps/run-all.sh.j2"),
    template!("packed.sh.j2"),
    template!("classic.sh.j2"),
    template!("three-centres.sh.j2"),
    template!("many-replicas.sh.j2"),
    template!("reference/corosync.conf.j2"),
    template!("reference/sbd.j2"),
    template!("reference/postgresql.conf.j2"),
    template!("reference/cib.xml.j2"),
    template!("reference/README.md.j2"),
];

const fn resources(kind: Kind) -> &'static str {
    match kind {
        Kind::Packed => "packed.sh.j2",
        Kind::Classic => "classic.sh.j2",
        Kind::ThreeCentres => "three-centres.sh.j2",
        Kind::ManyReplicas => "many-replicas.sh.j2",
    }
}

/// All files of a site.
///
/// # Errors
/// A fault in a template, which a test of this project should have found.
pub fn render(site: &Site, agent: Agent) -> Result<Vec<Rendered>, String> {
    let environment = environment().map_err(|e| format!("{e:#}"))?;
    let context = Context::new(site, agent);
    let file = |path: &'static str, template: &str, mode: Mode| {
        let text = environment
            .get_template(template)
            .and_then(|t| t.render(Serde(&context)))
            .map_err(|e| format!("{template}: {e:#}"))?;
        Ok::<_, String>(Rendered { path, text, mode })
    };
    let mut files = vec![
        file("README.md", "reference/README.md.j2", Mode::Text)?,
        file(MACHINE, "steps/1-machine.sh.j2", Mode::Script)?,
    ];
    if site.witness.is_some() {
        files.push(file(WITNESS, "steps/2-witness.sh.j2", Mode::Script)?);
    }
    files.extend([
        file(POSTGRES, "steps/3-postgres.sh.j2", Mode::Script)?,
        file(PRIMARY, "steps/4-primary.sh.j2", Mode::Script)?,
        file(STANDBY, "steps/5-standby.sh.j2", Mode::Script)?,
        file(HANDOVER, "steps/6-handover.sh.j2", Mode::Script)?,
        file(CLUSTER, "steps/7-cluster.sh.j2", Mode::Script)?,
        file(RESOURCES, resources(site.kind), Mode::Script)?,
        file("run-all.sh", "steps/run-all.sh.j2", Mode::Script)?,
        file(COROSYNC_CONF, "reference/corosync.conf.j2", Mode::Text)?,
        file(SBD, "reference/sbd.j2", Mode::Text)?,
        file(POSTGRESQL_CONF, "reference/postgresql.conf.j2", Mode::Text)?,
        file(CIB, "reference/cib.xml.j2", Mode::Text)?,
    ]);
    Ok(files)
}

/// Templates that fail on a name that they don't know, and that leave no lines behind where their blocks stood.
fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut syntax = environment.syntax().to_builder();
    environment.set_syntax(syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    // Shell, not HTML: what goes in was checked, and no value has a character that a shell takes for its own.
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    Ok(environment)
}

/// What starts the cluster; it starts corosync-qdevice too, which systemd would not.
#[must_use]
pub fn start_command(site: &Site) -> Vec<String> {
    let mut words = ["pcs", "cluster", "start", "--all"].map(str::to_owned).to_vec();
    let wait_s = start_wait_s(match site.at_boot {
        AtBoot::Start => site.profile.start_delay_s(),
        AtBoot::StayOut => 0,
    });
    words.push(format!("--wait={wait_s}"));
    // pcs's own limit of a request is 60 s; a node answers when its services run.
    words.push(format!("--request-timeout={wait_s}"));
    words
}

/// The steps, in their order.
#[must_use]
pub fn steps(site: &Site) -> Vec<Step> {
    let nodes: Vec<String> = site.nodes.iter().map(|n| n.name.clone()).collect();
    let witness: Vec<String> = site.witness.iter().map(|w| w.name.clone()).collect();
    let machines = [nodes.clone(), witness.clone()].concat();
    let first = nodes.iter().take(1).cloned().collect();
    let all = [
        (MACHINE, machines, "names, pcs's password, pcsd"),
        (WITNESS, witness, "the quorum device's server"),
        (POSTGRES, nodes.clone(), "PostgreSQL's instances and their configuration"),
        (PRIMARY, site.homes(), "the role for replication; PostgreSQL runs there from now on"),
        (STANDBY, nodes.clone(), "copies of the data"),
        (HANDOVER, nodes, "PostgreSQL stopped: from here on the cluster starts it"),
        (CLUSTER, Vec::clone(&first), "membership, quorum device, watchdog"),
        (RESOURCES, first, "PostgreSQL, float IPs, constraints and properties"),
    ];
    all.into_iter()
        .filter(|(_, machines, _)| !machines.is_empty())
        .map(|(script, machines, summary)| Step { script, machines, summary })
        .collect()
}
