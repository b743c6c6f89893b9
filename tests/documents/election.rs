//! The tables of the election: every combination of facts is decided, values that make no difference share a row.

use quorate::decide::clock::Time;
use quorate::decide::cluster::Manager;
use quorate::decide::disk::Disk;
use quorate::decide::election::{
    Again, Approval, Arrived, Ballot, Ballots, Earlier, Facts, Failure, Fitness, OnRecord, Receiver, Refusal,
    Verdict, decide,
};
use quorate::decide::memory::{Knowledge, LastRole};
use quorate::decide::promotions::{Branch, Record};
use quorate::pg::lsn::Lsn;
use quorate::pg::timeline::{Timeline, WalPosition};

use super::merge::table;

fn at(lsn: u64) -> WalPosition {
    WalPosition { timeline: Timeline::new(2).expect("not zero"), lsn: Lsn(lsn) }
}

const OWN: u64 = 0x100;

fn other(lsn: u64, fitness: Fitness) -> Vec<Ballot> {
    vec![Ballot { node: "srv2".into(), position: at(lsn), fitness }]
}

/// A candidate of two with nothing against it.
fn candidate<'a>(ballots: &'a [Ballot]) -> Facts<'a> {
    Facts {
        node: "srv1",
        manager: Manager::Pacemaker,
        time: Time::Left,
        position: Some(at(OWN)),
        disk: Disk::Sound,
        ballots: Ballots::Read(ballots),
        receiver: Receiver::Idle,
        earlier: Earlier::default(),
        knowledge: Knowledge::Current,
        last_role: LastRole::Standby,
        record: &Record::Empty,
        branch: &Branch::Unrecorded,
        voters: OnRecord::Nothing,
        approval: Approval::NotGiven,
        expected: Some(2),
        lag: None,
        maxlag: Some(1000),
    }
}

/// Whether positions are compared at all.
pub fn first() -> String {
    const WAL: [&str; 6] = [
        "no connection to a primary",
        "connected, first round",
        "none since the last round",
        "more since the last round",
        "it has ended; another instance published its position before",
        "it has ended; nobody else published one",
    ];
    let columns = [vec!["read", "not read"], WAL.to_vec(), vec!["left", "over"]];
    table(&["the others' positions", "WAL that arrives", "time", "what follows"], &columns, &|chosen| {
        let [read, wal, time] = chosen else { unreachable!("three columns") };
        let told = other(OWN - 1, Fitness::Fit);
        let ballots: &[Ballot] = if *wal == 5 { &[] } else { &told };
        let mut facts = candidate(ballots);
        if *read == 1 {
            facts.ballots = Ballots::Unread("timed out");
        }
        facts.time = [Time::Left, Time::Over][*time];
        facts.receiver = if *wal == 0 { Receiver::Idle } else { Receiver::Streams };
        let before = |lsn, arrived| Earlier { position: Some(at(lsn)), arrived };
        facts.earlier = match wal {
            0 | 1 => Earlier::default(),
            2 => before(OWN, Arrived::Nothing),
            3 => before(OWN - 1, Arrived::Nothing),
            _ => before(OWN, Arrived::Wal),
        };
        match decide(&facts) {
            Verdict::Again(Again::ReadBallots) => "reads them again".to_owned(),
            Verdict::Again(Again::WatchWal { warning: None, .. }) => {
                "waits half a second for more".to_owned()
            }
            Verdict::Again(Again::WatchWal { warning: Some(_), .. }) => {
                "waits for the old primary's end, with a warning".to_owned()
            }
            Verdict::Failed(Failure::RecordUnread(_)) => "fails (1): the record could not be read".to_owned(),
            Verdict::Failed(Failure::VotersUnread(_)) => {
                "fails (1): the record of synchronous standbys could not be read".to_owned()
            }
            Verdict::Failed(Failure::BallotsUnread(_)) => {
                "fails (1): the others' positions are unknown".to_owned()
            }
            Verdict::Failed(Failure::OldPrimaryLives(_)) => "fails (1): the old primary is alive".to_owned(),
            Verdict::Failed(Failure::BallotsOutdated) => {
                "fails (1): their positions are outdated, Pacemaker asks again".to_owned()
            }
            Verdict::Again(Again::AskCluster)
            | Verdict::Won(_)
            | Verdict::Lost { .. }
            | Verdict::Refused(_) => "the positions are compared".to_owned(),
        }
    })
}

/// What the comparison gives.
pub fn comparison() -> String {
    const OTHERS: [(&str, Option<(u64, Fitness)>); 13] = [
        ("nobody", None),
        ("behind", Some((OWN - 1, Fitness::Fit))),
        ("behind, disk full", Some((OWN - 1, Fitness::DiskFull))),
        ("behind, not writable", Some((OWN - 1, Fitness::NotWritable))),
        ("behind, failed primary", Some((OWN - 1, Fitness::FailedPrimary))),
        ("equal", Some((OWN, Fitness::Fit))),
        ("equal, disk full", Some((OWN, Fitness::DiskFull))),
        ("equal, not writable", Some((OWN, Fitness::NotWritable))),
        ("equal, failed primary", Some((OWN, Fitness::FailedPrimary))),
        ("ahead", Some((OWN + 1, Fitness::Fit))),
        ("ahead, disk full", Some((OWN + 1, Fitness::DiskFull))),
        ("ahead, not writable", Some((OWN + 1, Fitness::NotWritable))),
        ("ahead, failed primary", Some((OWN + 1, Fitness::FailedPrimary))),
    ];
    const KNOWLEDGE: [&str; 6] =
        ["current", "approved", "all answered", "one missing", "number unknown", "no cluster"];
    let columns = [
        vec!["known", "unknown"],
        Disk::ALL.map(|disk| disk.text().split(':').next().unwrap_or_default()).to_vec(),
        OTHERS.map(|(name, _)| name).to_vec(),
        vec!["≤ maxlag or unknown", "> maxlag"],
        KNOWLEDGE.to_vec(),
    ];
    let heads = ["position", "disk", "furthest other", "lag", "knowledge", "what follows"];
    table(&heads, &columns, &|chosen| {
        let [position, disk, others, lag, knowledge] = chosen else { unreachable!("five columns") };
        let ballots = OTHERS[*others].1.map_or(Vec::new(), |(lsn, fitness)| other(lsn, fitness));
        let mut facts = candidate(&ballots);
        facts.position = facts.position.filter(|_| *position == 0);
        facts.disk = Disk::ALL[*disk];
        facts.lag = (*lag == 1).then_some(1001);
        facts.knowledge = if *knowledge == 0 { Knowledge::Current } else { Knowledge::Unproven };
        match knowledge {
            1 => facts.approval = Approval::Given,
            2 => facts.expected = Some(ballots.len() + 1),
            3 => facts.expected = Some(ballots.len() + 2),
            4 => facts.expected = None,
            5 => facts.manager = Manager::Nobody,
            _ => {}
        }
        match decide(&facts) {
            Verdict::Won(_) => "**promoted**".to_owned(),
            Verdict::Lost { .. } => "fails (1): the other one is preferred, its score is raised".to_owned(),
            Verdict::Refused(why) => format!("fails (1): {}", short(&why)),
            Verdict::Failed(_) | Verdict::Again(_) => "not compared".to_owned(),
        }
    })
}

fn short(why: &Refusal) -> &'static str {
    match why {
        Refusal::PositionUnknown => "its position is unknown",
        Refusal::Branch(_) => "not on the last promotion's WAL",
        Refusal::Disk(_) => "its disk takes no writes",
        Refusal::AnotherIsAhead(_) => "what the other one has may be acknowledged commits",
        Refusal::Lag { .. } => "further behind than maxlag",
        Refusal::TooFewVoters { .. } => "too few of those that have the commits answered",
        Refusal::Unproven { .. } => "may lack commits (cold start)",
    }
}
