//! `ocf_quorate_postgres(7)`: the agent's manual page, from the same tables as its meta-data. The name is Debian's for an
//! agent's page: `ocf_PROVIDER_TYPE`.

use roff::{Inline, Roff, bold, italic, roman};

use super::exit_code::OcfCode;
use super::metadata::{LONG, OPERATIONS, SHORT};
use super::params::{Change, Kind, PARAMS, Param, Presence, Uniqueness};

/// The page's name, in its file's name and in its header.
pub const NAME: &str = "ocf_quorate_postgres";

/// What an operator types first; the whole configuration is in the templates.
const EXAMPLE: &[&str] = &[
    "pcs resource create pgsqld ocf:quorate:postgres \\",
    "    pgdata=/var/lib/postgresql/15/main \\",
    "    config_file=/etc/postgresql/15/main/postgresql.conf \\",
    "    op start timeout=60s op stop timeout=60s \\",
    "    op promote timeout=30s op demote timeout=120s \\",
    "    op monitor interval=3s timeout=5s role=Promoted \\",
    "    op monitor interval=4s timeout=5s role=Unpromoted \\",
    "    op notify timeout=20s promotable notify=true",
];

/// The codes that an action exits with, and what they tell an operator.
const CODES: &[(OcfCode, &str)] = &[
    (OcfCode::Success, "done; for monitor: runs as a standby"),
    (OcfCode::ErrGeneric, "failed; the reason is in the journal and in pcs status"),
    (OcfCode::ErrArgs, "a parameter's value can't be used on this node"),
    (OcfCode::ErrUnimplemented, "no such action"),
    (OcfCode::ErrPerm, "the system's permissions forbid it on this node"),
    (OcfCode::ErrInstalled, "programs or files of PostgreSQL are missing on this node"),
    (OcfCode::ErrConfigured, "the configuration is wrong on every node"),
    (OcfCode::NotRunning, "monitor: PostgreSQL does not run"),
    (OcfCode::RunningPromoted, "monitor: runs as the primary"),
    (OcfCode::FailedPromoted, "monitor: was the primary, and has failed"),
];

/// The page in roff, dated as given (YYYY-MM-DD).
pub fn page(date: &str) -> String {
    let mut page = Roff::new();
    let release = format!("quorate {}", env!("CARGO_PKG_VERSION"));
    page.control("TH", [NAME.to_uppercase().as_str(), "7", date, release.as_str(), "OCF resource agents"]);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{NAME} - {SHORT}"))]);
    page.control("SH", ["SYNOPSIS"]);
    let actions: Vec<&str> = super::Action::ALL.iter().map(|action| action.name()).collect();
    page.text([
        bold("/usr/lib/ocf/resource.d/quorate/postgres"),
        roman(format!(" [{}]", actions.join(" | "))),
    ]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(LONG)]);
    page.control("SH", ["PARAMETERS"]);
    for param in PARAMS {
        entry(&mut page, vec![bold(param.name)]);
        page.text([roman(param.long)]);
        page.control("IP", []);
        page.text(facts(param));
    }
    page.control("SH", ["ACTIONS"]);
    page.text([roman("With the timeouts and intervals that are advised:")]);
    for operation in OPERATIONS {
        let mut words = vec![bold(operation.action.name())];
        if let Some(role) = operation.role {
            words.push(roman(format!(" (role {role})")));
        }
        entry(&mut page, words);
        let interval = operation.interval.map_or(String::new(), |s| format!(", interval {s}s"));
        page.text([roman(format!("timeout {}s{interval}", operation.timeout))]);
    }
    page.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in CODES {
        entry(&mut page, vec![bold(code.status().to_string())]);
        page.text([roman(*meaning)]);
    }
    page.control("SH", ["EXAMPLES"]);
    page.text([roman("The resource, as a promotable clone that notifies:")]);
    page.control("PP", []);
    page.control("nf", []);
    for line in EXAMPLE {
        page.text([roman(*line)]);
    }
    page.control("fi", []);
    page.control("PP", []);
    page.text([
        roman("The float IPs, the constraints and fencing belong to it: see the templates in "),
        italic("/usr/share/doc/quorate/examples"),
        roman("."),
    ]);
    page.control("SH", ["FILES"]);
    entry(&mut page, vec![italic("/var/log/postgresql/quorate-<resource>.log")]);
    page.text([roman("PostgreSQL's standard error; see log_file.")]);
    entry(&mut page, vec![italic("/run/resource-agents/quorate-<resource>.json")]);
    page.text([roman("What the agent remembers between two calls; a reboot empties it.")]);
    page.control("PP", []);
    page.text([
        roman("Why the agent did what it did is in the journal: "),
        bold("journalctl -t quorate-postgres"),
    ]);
    page.control("SH", ["SEE ALSO"]);
    page.text(
        [("quorate", "1"), ("pcs", "8"), ("crm_mon", "8"), ("pacemakerd", "8")]
            .iter()
            .enumerate()
            .flat_map(|(i, (name, section))| {
                let comma = if i == 0 { "" } else { ", " };
                [roman(comma), bold(*name), roman(format!("({section})"))]
            })
            .collect::<Vec<Inline>>(),
    );
    page.render()
}

/// A tagged paragraph; its text follows.
fn entry(page: &mut Roff, tag: Vec<Inline>) {
    page.control("TP", []);
    page.text(tag);
}

/// What a parameter is, in one line.
fn facts(param: &Param) -> Vec<Inline> {
    let kind = match param.kind {
        Kind::Select(choices) => format!("one of {}", choices.join(", ")),
        kind => kind.name().to_owned(),
    };
    let need = match (param.presence, param.default) {
        (Presence::Required, _) => "required".to_owned(),
        (Presence::Optional, "") => "optional".to_owned(),
        (Presence::Optional, default) => format!("default {default}"),
    };
    let unique = match param.uniqueness {
        Uniqueness::Unique => "; unique",
        Uniqueness::Shared => "",
    };
    let change = match param.change {
        Change::Reloadable => "a change takes effect at once",
        Change::Restart => "a change restarts PostgreSQL",
    };
    vec![italic(format!("{kind}; {need}{unique}; {change}"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_every_parameter_and_operation() {
        let page = page("2026-01-01");
        for param in PARAMS {
            let name = format!(".TP\n\\fB{}\\fR\n", param.name);
            assert!(page.contains(&name), "{}", param.name);
        }
        for operation in OPERATIONS {
            assert!(page.contains(&operation.action.name().replace('-', "\\-")), "{}", operation.action);
        }
    }

    #[test]
    fn has_every_code_once() {
        let mut codes: Vec<u8> = CODES.iter().map(|(code, _)| code.status()).collect();
        codes.dedup();
        assert_eq!(codes, (0..=9).collect::<Vec<u8>>());
    }
}
