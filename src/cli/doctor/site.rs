//! A site as the doctor sees it: the configuration that its scripts would write.

use crate::decide::doctor::facts::{AT_BOOT, Centres, Node, Server, Service, Surroundings, Unknown};
use crate::decide::doctor::read::{Broken, Gathered, Text};
use crate::layout::render::{Agent, CIB, COROSYNC_CONF, POSTGRESQL_CONF, Rendered, SBD, render};
use crate::layout::site::{AtBoot, Site};
use crate::pg::conf::{self, Line, Setting};

/// What the package puts into Pacemaker's environment.
const DROP_IN: &str = include_str!("../../../dist/systemd/quorate.conf");

/// A site's rendered configuration.
///
/// # Errors
/// A fault in a template.
pub fn gathered(site: &Site) -> Result<Gathered, String> {
    let files = render(site, Agent::Quorate)?;
    let mut node = Node::unknown("a description tells nothing of a node that runs");
    let set = |line: &str| line.strip_prefix("Environment=SBD_SYNC_RESOURCE_STARTUP=").map(str::to_owned);
    node.startup_sync = Ok(DROP_IN.lines().find_map(set));
    let enabled = site.at_boot == AtBoot::Start;
    node.at_boot = Ok(AT_BOOT.iter().map(|name| Service { name, enabled }).collect());
    let surroundings = Surroundings { rtt_ms: Ok(site.profile.rtt_ms), ..Surroundings::unknown() };
    let centres = site.witness.as_ref().map(|witness| Centres {
        witness: witness.centre.clone(),
        nodes: site.centres().into_iter().map(str::to_owned).collect(),
    });
    let no_witness = || Unknown("the site has no witness".to_owned());
    Ok(Gathered {
        corosync: Ok(text(&files, COROSYNC_CONF)),
        cib: Ok(text(&files, CIB)),
        // Written by pcs, the same on all nodes.
        sbd: Ok(site.nodes.iter().map(|_| text(&files, SBD)).collect()),
        postgresql: Ok(vec![server(&text(&files, POSTGRESQL_CONF))?]),
        surroundings: Surroundings { centres: centres.ok_or_else(no_witness), ..surroundings },
        node,
    })
}

fn text(files: &[Rendered], path: &str) -> Text {
    let text = files.iter().find(|f| f.path == path).map_or(String::new(), |f| f.text.clone());
    Text { name: path.to_owned(), text }
}

/// The settings of one file that includes no other.
///
/// # Errors
/// The first line that PostgreSQL would refuse.
pub fn server(file: &Text) -> Result<Server, String> {
    let broken = |(line, e): (usize, conf::ConfError)| {
        Broken { file: file.name.clone(), line, what: e.to_string() }.to_string()
    };
    let settings: Vec<Setting> = conf::parse(&file.name, &file.text)
        .map_err(broken)?
        .into_iter()
        .filter_map(|line| match line {
            Line::Setting(setting) => Some(setting),
            Line::Include { .. } | Line::IncludeDir { .. } => None,
        })
        .collect();
    Ok(Server { name: file.name.clone(), settings })
}
