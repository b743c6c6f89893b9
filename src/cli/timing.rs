//! `quorate timing`: what each fault will cost a site, phase by phase.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use super::layout::SiteArgs;
use super::prove_watchdog::measured_ms;
use super::{CliError, doctor};
use crate::boundary::printable;
use crate::cluster::timing::predict::{Advice, Commits, Margin, Prediction, faster, margin, predictions};
use crate::cluster::timing::{Profile, witness_may_be_silent_ms};
use crate::cluster::watchdog_proof::used_s;
use crate::decide::doctor::cluster_times::cluster_times;
use crate::decide::doctor::facts::Unknown;
use crate::decide::doctor::read::read;
use crate::layout::proof::after_reset;
use crate::layout::site::{AtBoot, Site};
use crate::ocf::Sync;

/// Which site. None: the cluster of this node, as it is configured.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 the times are sound, 1 they are not, the description is wrong, or there is no cluster here"
)]
pub struct Timing {
    #[command(flatten)]
    site: SiteArgs,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Whose times.
struct Subject {
    name: String,
    profile: Profile,
    commits: Commits,
    /// What a node does after its reset, in words, and after how many seconds it joins.
    after_reset: String,
    joins_after_boot_s: Option<u32>,
    remarks: Vec<String>,
}

impl Subject {
    fn of(site: &Site) -> Self {
        Self {
            name: site.name.clone(),
            profile: site.profile,
            commits: commits(site),
            after_reset: after_reset(site),
            joins_after_boot_s: (site.at_boot == AtBoot::Start).then(|| site.profile.start_delay_s()),
            remarks: Vec::new(),
        }
    }

    /// The cluster of this node.
    fn here() -> Result<Self, CliError> {
        let live =
            doctor::look().map_err(|e| CliError::Other(format!("{e}; or name a layout or a --site")))?;
        let facts = read(live.gathered).map_err(|e| CliError::Other(e.to_string()))?;
        let unknown =
            |why: Unknown| CliError::Other(format!("the times of this cluster are not known: {}", why.0));
        let times = cluster_times(&facts).map_err(unknown)?;
        let starts = facts.node.at_boot.as_ref().ok();
        let starts = starts.map(|all| all.iter().any(|s| s.name == "pacemaker" && s.enabled));
        let (after_reset, joins_after_boot_s) = match starts {
            Some(true) => {
                let s = times.profile.start_delay_s();
                (
                    format!(
                        "reset: the node comes back by itself as a standby, {s} s after its boot where SBD_DELAY_START says so"
                    ),
                    Some(s),
                )
            }
            Some(false) => ("reset: the node stays out until pcs cluster start".to_owned(), None),
            None => ("reset: nobody tells whether the node starts the cluster at its boot".to_owned(), None),
        };
        Ok(Self {
            name: "this cluster".to_owned(),
            profile: times.profile,
            commits: times.commits,
            after_reset,
            joins_after_boot_s,
            remarks: times.remarks,
        })
    }
}

#[derive(Serialize)]
struct Document<'a> {
    site: &'a str,
    predictions: Vec<Outage<'a>>,
    margin: Margin,
    spare_ms: i64,
    faster: &'a [Advice],
    unsound: &'a [String],
    /// So late after its boot a node that was reset joins by itself; none where somebody has to start it.
    joins_after_boot_s: Option<u32>,
}

#[derive(Serialize)]
struct Outage<'a> {
    #[serde(flatten)]
    prediction: &'a Prediction,
    least_ms: u32,
    most_ms: u32,
}

/// Prints; gives the exit code.
///
/// # Errors
/// A wrong description, an unreadable file.
pub(super) fn run(args: &Timing) -> Result<u8, CliError> {
    let mut site = if args.site.names_one() { Subject::of(&args.site.load()?) } else { Subject::here()? };
    let drill = drill(&mut site.profile);
    let all = predictions(&site.profile, site.commits);
    let (left, advice, unsound) = (margin(&site.profile), faster(&site.profile), site.profile.complaints());
    if args.json {
        let outage = |p| Outage { prediction: p, least_ms: p.least_ms(), most_ms: p.most_ms() };
        let document = Document {
            site: &site.name,
            predictions: all.iter().map(outage).collect(),
            margin: left,
            spare_ms: left.spare_ms(),
            faster: &advice,
            unsound: &unsound,
            joins_after_boot_s: site.joins_after_boot_s,
        };
        let text = serde_json::to_string_pretty(&document).map_err(|e| CliError::Other(e.to_string()))?;
        println!("{text}");
    } else {
        print!("{}{}{}", headline(&site), drill.unwrap_or_default(), tables(&all));
        println!("\n{}", site.after_reset);
        for remark in &site.remarks {
            println!("{}", printable::line(remark));
        }
        print!("{}", ending(left, &advice, &unsound));
    }
    Ok(u8::from(!unsound.is_empty()))
}

/// Counts with the time after which this node's watchdog was seen to reset it, where that is longer; says so.
fn drill(profile: &mut Profile) -> Option<String> {
    let (timeout_s, measured_ms) = measured_ms()?;
    let configured_s = profile.watchdog_s;
    if timeout_s != configured_s {
        return None;
    }
    profile.watchdog_s = used_s(configured_s, Some(measured_ms));
    Some(format!(
        "this node's watchdog, set to {configured_s} s, has reset it after {} s: {} s are counted with\n",
        seconds(measured_ms),
        profile.watchdog_s
    ))
}

/// What a site's commits wait for.
#[must_use]
pub fn commits(site: &Site) -> Commits {
    let waits = site.instances.iter().any(|instance| instance.sync != Sync::Off);
    match (waits, site.nodes.len()) {
        (false, _) => Commits::Alone,
        (true, ..=2) => Commits::ForTheOther,
        (true, _) => Commits::ForAny,
    }
}

/// Milliseconds as seconds, with one decimal.
#[must_use]
pub fn seconds(ms: u32) -> String {
    format!("{:.1}", f64::from(ms) / 1000.0)
}

/// From … to, or nothing at all.
#[must_use]
pub fn range(prediction: &Prediction) -> String {
    match (prediction.least_ms(), prediction.most_ms()) {
        (0, 0) => "nothing".to_owned(),
        (least, most) if least == most => format!("{} s", seconds(least)),
        (least, most) => format!("{} to {} s", seconds(least), seconds(most)),
    }
}

fn headline(site: &Subject) -> String {
    let p: &Profile = &site.profile;
    let device = p.sync_timeout_ms().map_or(String::new(), |sync| {
        format!(
            ", quorum device {} s and sync_timeout {} s (a witness that is silent for {} s takes no vote away)",
            seconds(p.qdevice_timeout_ms),
            seconds(sync),
            seconds(witness_may_be_silent_ms(p.qdevice_timeout_ms))
        )
    });
    format!(
        "{}: {} nodes, token {} s{device}, watchdog {} s, stonith-watchdog-timeout {} s, no-quorum-policy {}\n",
        site.name,
        p.nodes,
        seconds(p.effective_token_ms()),
        p.watchdog_s,
        p.stonith_watchdog_s,
        p.no_quorum_policy.word()
    )
}

fn tables(all: &[Prediction]) -> String {
    let mut out = String::new();
    for prediction in all {
        let _ = writeln!(out, "\n{}: {}", prediction.fault, range(prediction));
        for phase in &prediction.phases {
            let _ = writeln!(
                out,
                "  {:>5} {:>5}  {}",
                seconds(phase.least_ms),
                seconds(phase.most_ms),
                phase.what
            );
        }
    }
    out
}

fn ending(left: Margin, advice: &[Advice], unsound: &[String]) -> String {
    let spare = left.spare_ms();
    let verdict = if spare >= 0 {
        format!("{:.1} s to spare", spare as f64 / 1000.0)
    } else {
        format!("for {:.1} s both may write", -spare as f64 / 1000.0)
    };
    let mut out = format!(
        "\nsafety: a node that is cut off is dead after {} s at the latest, another one promoted after {} s at the earliest: {verdict}\n",
        seconds(left.dead_ms),
        seconds(left.promoted_ms)
    );
    for complaint in unsound {
        let _ = writeln!(out, "UNSOUND: {complaint}");
    }
    if advice.is_empty() {
        out.push_str("\nfaster and still sound: nothing that this command knows; a power switch with a network of its own answers sooner than a watchdog\n");
    } else {
        out.push_str("\nfaster and still sound, when a node is lost:\n");
    }
    for advice in advice {
        let _ = writeln!(
            out,
            "  {}: {} s less. It asks for {}",
            advice.change,
            seconds(advice.saves_ms),
            advice.price
        );
    }
    out
}
