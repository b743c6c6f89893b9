//! `quorate layout prove`: where everything runs after each single failure, by Pacemaker's scheduler.

use super::CliError;
use crate::boundary::scheduler::{Bench, Quorum};
use crate::decide::promotion_score::Score;
use crate::layout::proof::{self, Failure, Placement, Scores};
use crate::layout::render::{Agent, RESOURCES, render};
use crate::layout::site::Site;

/// What the agent sets where the data was made.
const SCORES: Scores = Scores { primary: Score::Primary.value(), standby: Score::Standby.value() };

/// Proves a site; gives the exit code, 1 where something would not run where it should.
///
/// # Errors
/// When the tools are missing or refuse the configuration.
pub(super) fn run(site: &Site) -> Result<u8, CliError> {
    let files = render(site, Agent::Quorate).map_err(CliError::Other)?;
    let script = files.iter().find(|f| f.path == RESOURCES).map_or("", |f| f.text.as_str());
    let bench = Bench::new()?;
    eprintln!("{}: pcs writes the configuration to a file (half a second a call)", site.name);
    let cib = bench.configure(script)?;
    let (status, whole) =
        bench.settle(&proof::started(site, &cib, SCORES).map_err(CliError::Other)?, Quorum::Held, &[])?;
    let mut rows = vec![(Failure::None, Placement::of(site, &status))];
    let failures = proof::failures(site);
    eprintln!("{}: {} failures, one at a time", site.name, failures.len() - 1);
    for failure in failures.into_iter().filter(|f| *f != Failure::None) {
        rows.push((failure.clone(), after(site, &bench, &whole, &failure)?));
    }
    print!("{}", proof::tables(site, &rows));
    let mut bad = 0;
    for (failure, placement) in &rows {
        for complaint in proof::complaints(site, failure, placement) {
            println!("WRONG when {} fails: {complaint}", failure.name());
            bad += 1;
        }
    }
    println!("{}", proof::after_reset(site));
    println!("{}", if bad == 0 { "PASS" } else { "FAIL" });
    Ok(u8::from(bad > 0))
}

fn after(site: &Site, bench: &Bench, whole: &str, failure: &Failure) -> Result<Placement, CliError> {
    let injection = proof::injection(site, failure);
    let cib = match &injection.status {
        Some(element) => bench.add_status(whole, element)?,
        None => whole.to_owned(),
    };
    let quorum = if proof::quorate(site, failure) { Quorum::Held } else { Quorum::Lost };
    let (status, _) = bench.settle(&cib, quorum, &injection.arguments)?;
    Ok(Placement::of(site, &status))
}
