//! `quorate topology`: who follows whom, and in which site, as a tree.

use std::fmt::Write as _;

use super::overview::{Member, Overview, Server};

/// The tree of each resource: its primary, below it the other nodes; where nobody is promoted, all of them below that.
#[must_use]
pub fn tree(found: &Overview) -> String {
    let mut resources: Vec<&str> = found.servers.iter().map(|server| server.resource.as_str()).collect();
    resources.dedup();
    let mut out = String::new();
    for (number, resource) in resources.iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        let of_node = |node: &str| {
            found.servers.iter().find(|server| server.resource == *resource && server.node == node)
        };
        let (primaries, others): (Vec<&Member>, Vec<&Member>) =
            found.members.iter().partition(|member| of_node(&member.name).is_some_and(is_primary));
        let _ = writeln!(out, "{resource}");
        if primaries.is_empty() {
            out.push_str("NOBODY is promoted\n");
        }
        // More than one is a fault: each is shown, and the others stand below the last.
        for member in &primaries {
            let _ = writeln!(out, "{}", line(member, of_node(&member.name)));
        }
        for (at, member) in others.iter().enumerate() {
            let branch = if at + 1 == others.len() { "└─" } else { "├─" };
            let _ = writeln!(out, "{branch} {}", line(member, of_node(&member.name)));
        }
    }
    out
}

fn is_primary(server: &Server) -> bool {
    server.role == "Promoted"
}

/// A node: its site, its own state where that is not a healthy one, and its instance.
fn line(member: &Member, server: Option<&Server>) -> String {
    let site = member.site.as_deref().map_or(String::new(), |site| format!(" ({site})"));
    let mut words = Vec::new();
    if member.state != "online" {
        words.push(member.state.to_owned());
    }
    match server {
        Some(server) if server.role != "-" => words.extend(instance(server)),
        Some(_) | None => words.push("runs nothing".to_owned()),
    }
    format!("{}{site}  {}", member.name, words.join(", "))
}

fn instance(server: &Server) -> Vec<String> {
    let mut words = vec![server.role.clone()];
    words.extend(server.timeline.map(|timeline| format!("timeline {timeline}")));
    words.extend(server.lsn.map(|lsn| lsn.to_string()));
    words.extend(server.replication.clone().filter(|_| !is_primary(server)));
    words.extend(server.sync.clone().filter(|_| !is_primary(server)));
    // A guess is marked as in quorate status.
    let about = if server.is_reported { "~" } else { "" };
    words.extend(server.lag_bytes.map(|bytes| format!("{about}{bytes} bytes behind")));
    words.extend(server.score.map(|score| format!("score {score}")));
    words
}

#[cfg(test)]
mod tests {
    use super::super::overview::{Health, Votes};
    use super::*;
    use crate::pg::lsn::Lsn;

    fn member(name: &str, site: Option<&str>, state: &'static str) -> Member {
        Member { name: name.into(), expected: true, site: site.map(str::to_owned), state, away_s: None }
    }

    fn server(node: &str, role: &str) -> Server {
        let runs = role != "-";
        Server {
            resource: "pgsqld".into(),
            node: node.into(),
            role: role.into(),
            timeline: runs.then_some(5),
            lsn: runs.then_some(Lsn(0x300_0060)),
            lag_bytes: (role == "Unpromoted").then_some(16),
            is_reported: true,
            replication: (role == "Unpromoted").then(|| "streaming".to_owned()),
            sync: (role == "Unpromoted").then(|| "sync".to_owned()),
            upstream: None,
            score: runs.then_some(1000),
        }
    }

    fn overview(members: Vec<Member>, servers: Vec<Server>) -> Overview {
        Overview {
            health: Health::Healthy,
            seen_from: "srv1".into(),
            quorate: Some(true),
            dc: None,
            votes: None::<Votes>,
            quorum_device: String::new(),
            fencing: String::new(),
            watchdog: String::new(),
            quorated: String::new(),
            one_more_loss: String::new(),
            commits: Vec::new(),
            kept: None,
            members,
            servers,
            issues: Vec::new(),
        }
    }

    #[test]
    fn a_primary_and_those_below_it() {
        let members = vec![
            member("srv1", Some("east"), "online"),
            member("srv2", Some("west"), "online"),
            member("srv3", None, "OFFLINE"),
        ];
        let servers = vec![server("srv1", "Unpromoted"), server("srv2", "Promoted"), server("srv3", "-")];
        let tree = tree(&overview(members, servers));
        assert_eq!(
            tree,
            "pgsqld\n\
             srv2 (west)  Promoted, timeline 5, 0/3000060, score 1000\n\
             ├─ srv1 (east)  Unpromoted, timeline 5, 0/3000060, streaming, sync, ~16 bytes behind, score 1000\n\
             └─ srv3  OFFLINE, runs nothing\n"
        );
    }

    #[test]
    fn nobody_is_promoted_or_two_are() {
        let members = || vec![member("srv1", None, "online"), member("srv2", None, "standby")];
        let none = tree(&overview(members(), vec![server("srv1", "Unpromoted"), server("srv2", "-")]));
        let lines: Vec<&str> = none.lines().collect();
        assert_eq!(lines[1], "NOBODY is promoted");
        assert!(lines[2].starts_with("├─ srv1  Unpromoted") && lines[3] == "└─ srv2  standby, runs nothing");
        let two = tree(&overview(members(), vec![server("srv1", "Promoted"), server("srv2", "Promoted")]));
        assert_eq!(two.lines().filter(|line| line.contains("Promoted")).count(), 2, "{two}");
        assert_eq!(tree(&overview(members(), Vec::new())), "");
    }
}
