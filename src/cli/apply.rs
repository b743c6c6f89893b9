//! `quorate layout apply`: the steps that concern the cluster as a whole, from one of its nodes.

use super::CliError;
use crate::boundary::setup::{self, Started};
use crate::cluster::timing::start_wait_s;
use crate::layout::adopt::{Membership, membership};
use crate::layout::render::{Agent, CLUSTER, RESOURCES, Rendered, render, start_command};
use crate::layout::site::Site;

/// The variable that the script of the membership takes.
const PASSWORD: &str = "HACLUSTER_PASSWORD";

/// Whether pcs tries the nodes' watchdogs before it relies on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watchdogs {
    Checked,
    /// For machines whose watchdog pcs can't see.
    Unchecked,
}

fn script<'a>(files: &'a [Rendered], path: &str) -> &'a str {
    files.iter().find(|f| f.path == path).map_or("", |f| f.text.as_str())
}

/// Prints what [`run`] would do.
///
/// # Errors
/// A fault in a template.
pub(super) fn show(site: &Site) -> Result<(), CliError> {
    let files = render(site, Agent::Quorate).map_err(CliError::Other)?;
    println!("# 1. where there is no cluster yet: {CLUSTER}\n{}", script(&files, CLUSTER));
    println!("# 2. the cluster is started on all nodes\n{}\n", start_command(site).join(" "));
    println!("# 3. where it has no resources yet: {RESOURCES}\n{}", script(&files, RESOURCES));
    Ok(())
}

/// Makes the cluster, starts it and gives it its resources. What is there already is left alone; what is there and is
/// something else is an error.
///
/// # Errors
/// When this machine is none of the site's nodes, when a step fails, or when the cluster is another one.
pub(super) fn run(site: &Site, watchdogs: Watchdogs) -> Result<(), CliError> {
    let files = render(site, Agent::Quorate).map_err(CliError::Other)?;
    setup::need_root()?;
    let (host, found) = (setup::host_name()?, setup::cluster_name()?);
    match membership(site, &host, found.as_deref(), setup::pacemaker_ran()).map_err(CliError::Other)? {
        Membership::Keep => println!("the cluster {} is there already", site.name),
        made @ (Membership::Make | Membership::MakeAgain) => {
            let again = if made == Membership::Make { "" } else { ", again: it was never started" };
            println!("membership, quorum device, watchdog: {CLUSTER}{again}");
            let password = setup::password(PASSWORD)?;
            let unchecked = match watchdogs {
                Watchdogs::Checked => "no",
                Watchdogs::Unchecked => "yes",
            };
            let variables = [(PASSWORD, password.as_str()), ("WITHOUT_WATCHDOG_CHECK", unchecked)];
            setup::run_script(script(&files, CLUSTER), &variables)?;
        }
    }
    let start = start_command(site);
    println!("starting it on all nodes: {}", start.join(" "));
    match setup::start_all(&start, start_wait_s(site.profile.start_delay_s()))? {
        Started::Now => println!("started"),
        Started::Already => println!("it runs already"),
    }
    if site.witness.is_some() {
        setup::wait_for_quorum_device()?;
        println!("the quorum device is connected");
    }
    let resources = script(&files, RESOURCES);
    if setup::has_resources()? {
        let difference = setup::compare(resources)?;
        if difference.is_empty() {
            println!("the resources are there already, as described");
            return Ok(());
        }
        print!("{difference}");
        return Err(CliError::Other(format!(
            "the cluster has resources already, and they are not as described (- as it is, + as described): nothing \
             was changed; adapt them with pcs, or delete them and apply again (quorate layout render shows {RESOURCES})"
        )));
    }
    println!("PostgreSQL, float IPs, constraints, properties: {RESOURCES}");
    setup::run_script(resources, &[])?;
    println!("done: watch it with crm_mon");
    Ok(())
}
