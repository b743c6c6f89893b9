//! The tables of `docs/agent-tables.md`: every combination of facts is decided, rows of equal outcome are merged.

use std::fmt::Write as _;
use std::time::Duration;

use quorate::decide::activity;
use quorate::decide::clock::Time;
use quorate::decide::disk::Disk;
use quorate::decide::facts::{
    Control, Facts, Process, ProcessSummary, RunState, STATES, ServerAnswer, Signal,
};
use quorate::decide::monitor::{self, Hiccup, LastMonitor, MonitorOutcome, Occasion, Verdict};
use quorate::decide::notify::{Task, tasks};
use quorate::decide::promote::{self, Progress};
use quorate::decide::start::{After, Before, Launched, Stream, after, before};
use quorate::decide::stop::{self, NodeReset, Purpose, Shutdown, Stage, StopFacts};
use quorate::ocf::{Environment, Notification, OcfCode};
use quorate::pg::control_data::{ControlData, DbState};
use quorate::pg::lsn::{Lsn, SegmentSize};
use quorate::pg::timeline::{Timeline, WalPosition};
use quorate::pg::view::{Answer, PrimaryView, Rejection, StandbyView};

fn answer_of(answer: ServerAnswer) -> Option<Answer> {
    let lsn = Lsn::valid(1).expect("not zero");
    Some(match answer {
        ServerAnswer::None => return None,
        ServerAnswer::Primary => Answer::Primary(PrimaryView {
            lsn,
            timeline: Timeline::new(1).expect("not zero"),
            standbys: Vec::new(),
            synchronous_standby_names: String::new(),
        }),
        ServerAnswer::Standby => Answer::Standby(StandbyView {
            received: None,
            replayed: None,
            receiver: None,
            streams_to: Vec::new(),
            primary_conninfo: None,
            is_paused: false,
        }),
        ServerAnswer::Recovering => Answer::Rejects(Rejection::InRecovery),
        ServerAnswer::ShuttingDown => Answer::Rejects(Rejection::ShuttingDown),
        ServerAnswer::ColdStandby => Answer::Rejects(Rejection::HotStandbyDisabled),
        ServerAnswer::NoRole => Answer::Rejects(Rejection::TooManyConnections),
        ServerAnswer::Failing => {
            Answer::Rejects(Rejection::Other { sqlstate: "58030".into(), message: "x".into() })
        }
        ServerAnswer::Silent => Answer::Silent { after: Duration::from_secs(1) },
        ServerAnswer::Refused => Answer::Refused,
    })
}

fn process_of(process: ProcessSummary) -> Process {
    match process {
        ProcessSummary::Absent => Process::Absent,
        ProcessSummary::Leftovers => Process::Leftovers(3),
        ProcessSummary::Alive(state) => Process::Alive(state),
        ProcessSummary::Unknown => Process::Unknown("no answer from /proc".into()),
    }
}

fn control() -> Control {
    let timeline = Timeline::new(1).expect("not zero");
    let lsn = Lsn::valid(1).expect("not zero");
    Control::Known(ControlData {
        system_identifier: 1,
        catalog_version: 1,
        state: DbState::ShutDownInRecovery,
        written: 0,
        checkpoint: WalPosition { timeline, lsn },
        redo: lsn,
        previous_timeline: None,
        min_recovery: None,
        backup_start: None,
        segment_size: SegmentSize::new(16 << 20).expect("a power of two"),
        data_checksums: true,
        wal_log_hints: false,
    })
}

fn facts(process: ProcessSummary, answer: ServerAnswer, control: Control) -> Facts {
    Facts { process: process_of(process), answer: answer_of(answer), control, signal: Signal::Present }
}

/// Rows (process, answer, outcomes…); answers of a process with equal outcomes share a row.
fn merged(head: &str, decide: impl Fn(ProcessSummary, ServerAnswer) -> Vec<String>) -> String {
    let columns = head.matches('|').count() + 1;
    let mut table = format!("| process | answer | {head} |\n|{}\n", "---|".repeat(columns + 2));
    for process in ProcessSummary::ALL {
        let mut rows: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
        for answer in ServerAnswer::ALL {
            let outcome = decide(process, answer);
            match rows.iter_mut().find(|(_, o)| *o == outcome) {
                Some((words, _)) => words.push(answer.text()),
                None => rows.push((vec![answer.text()], outcome)),
            }
        }
        for (words, outcome) in rows {
            let words = words_cell(&words);
            let _ = writeln!(table, "| {} | {words} | {} |", process.text(), outcome.join(" | "));
        }
    }
    table
}

/// The verdicts of a monitor: words with equal verdicts share their rows, states with equal verdicts share a row.
pub fn monitor() -> String {
    let mut table = String::from(
        "| process | answer | control file | recurring monitor | probe | reason |\n|---|---|---|---|---|---|\n",
    );
    for process in ProcessSummary::ALL {
        let mut groups: Vec<(Vec<&str>, Rows)> = Vec::new();
        for answer in ServerAnswer::ALL {
            let rows = by_state(process, answer);
            match groups.iter_mut().find(|(_, r)| *r == rows) {
                Some((words, _)) => words.push(answer.text()),
                None => groups.push((vec![answer.text()], rows)),
            }
        }
        for (words, rows) in groups {
            let words = words_cell(&words);
            for (states, verdict) in rows {
                let _ = writeln!(table, "| {} | {words} | {states} | {verdict} |", process.text());
            }
        }
    }
    table
}

/// States of the control file and the cells that follow them.
type Rows = Vec<(String, String)>;

fn by_state(process: ProcessSummary, answer: ServerAnswer) -> Rows {
    let mut rows: Vec<(Vec<String>, String)> = Vec::new();
    for state in STATES {
        let both = |occasion| {
            let now = monitor::decide(occasion, Time::Left, process, answer, state);
            (now, monitor::decide(occasion, Time::Over, process, answer, state))
        };
        let (recurring, probe) = (both(Occasion::Recurring), both(Occasion::Probe));
        let reason = match recurring.1 {
            Verdict::Finish(_, reason) | Verdict::Wait(reason) => reason,
            Verdict::Once(outcome, hiccup) => {
                let (last, progress) = (LastMonitor::Answered, activity::Progress::GoesOn);
                monitor::settle(Occasion::Recurring, outcome, hiccup, last, progress, Disk::Sound).1
            }
        };
        let cells = format!(
            "{} | {} | {reason}",
            verdicts(Occasion::Recurring, recurring),
            verdicts(Occasion::Probe, probe)
        );
        let name = state.map_or("unreadable".to_owned(), |s| s.to_string());
        match rows.iter_mut().find(|(_, c)| *c == cells) {
            Some((states, _)) => states.push(name),
            None => rows.push((vec![name], cells)),
        }
    }
    let join =
        |states: Vec<String>| if states.len() == STATES.len() { "any".into() } else { states.join(", ") };
    rows.into_iter().map(|(states, cells)| (join(states), cells)).collect()
}

fn verdicts(occasion: Occasion, (now, at_deadline): (Verdict, Verdict)) -> String {
    let outcome = |o: MonitorOutcome| {
        let name = match o {
            MonitorOutcome::Promoted => "promoted",
            MonitorOutcome::Unpromoted => "unpromoted",
            MonitorOutcome::NotRunning => "not running",
            MonitorOutcome::Failed => "failed",
            MonitorOutcome::FailedPromoted => "failed promoted",
        };
        format!("{name} ({})", o.code().status())
    };
    let once = |o: MonitorOutcome, hiccup: Hiccup| match hiccup {
        Hiccup::Error => {
            format!("{}; the second time in a row {}", outcome(o), outcome(MonitorOutcome::Failed))
        }
        Hiccup::Stall => format!(
            "{} if its processes go on; the second time in a row {}",
            outcome(o),
            outcome(MonitorOutcome::Failed)
        ),
    };
    let probe = |o: MonitorOutcome, hiccup: Hiccup| match hiccup {
        Hiccup::Error => outcome(o),
        Hiccup::Stall => format!("{} if its processes go on", outcome(o)),
    };
    let of = |o, hiccup| if occasion == Occasion::Probe { probe(o, hiccup) } else { once(o, hiccup) };
    match (now, at_deadline) {
        (Verdict::Once(o, hiccup), _) => of(o, hiccup),
        (Verdict::Wait(_), Verdict::Once(o, hiccup)) => format!("waits, then {}", of(o, hiccup)),
        (Verdict::Finish(o, _), _) => outcome(o),
        (Verdict::Wait(_), Verdict::Finish(o, _)) => format!("waits, then {}", outcome(o)),
        (Verdict::Wait(_), Verdict::Wait(_)) => "waits".into(),
    }
}

fn words_cell(words: &[&str]) -> String {
    match words.len() {
        10 => "any".into(),
        6.. => "anything else".into(),
        _ => words.join(", "),
    }
}

fn fails(code: OcfCode, reason: &str) -> String {
    format!("fails ({}): {reason}", code.status())
}

/// What a start does before it launches a server.
pub fn start_before() -> String {
    let text = |step: Before| match step {
        Before::Already(reason) => format!("success: {reason}"),
        Before::Clear(reason) => format!("brings it down first: {reason}"),
        Before::Launch => "launches a standby".into(),
        Before::Wait(reason) => format!("waits: {reason}"),
        Before::Refuse(code, reason) => fails(code, &reason),
    };
    merged("start | at the deadline | control file unreadable", |process, answer| {
        vec![
            text(before(&facts(process, answer, control()), false)),
            text(before(&facts(process, answer, control()), true)),
            text(before(&facts(process, answer, Control::Unknown("what is wrong with it".into())), false)),
        ]
    })
}

/// What a start concludes from the server that it launched.
pub fn start_after() -> String {
    let text = |step: After| match step {
        After::Wait(reason) => format!("waits: {reason}"),
        After::Done(reason) | After::Recovering(reason) => format!("success: {reason}"),
        After::Fail(code, reason) => fails(code, &reason),
    };
    let decide = |process, answer, stream: &Stream, time_over| {
        text(after(&Launched {
            facts: &facts(process, answer, control()),
            stream,
            consistent_for: Duration::ZERO,
            recovery: activity::Progress::StandsStill,
            time_over,
            log: "PostgreSQL's last lines",
        }))
    };
    let mut table = merged("now | at the deadline", |process, answer| {
        vec![decide(process, answer, &Stream::NotYet, false), decide(process, answer, &Stream::NotYet, true)]
    });
    table.push_str(
        "\nA standby that answers, by its stream:\n\n| stream | now | at the deadline |\n|---|---|---|\n",
    );
    for (name, stream) in [
        ("no primary is there", Stream::NoPrimary),
        ("streams", Stream::Streaming),
        ("not yet", Stream::NotYet),
        ("its WAL diverged", Stream::Diverged("both timelines, both positions, the cure".into())),
    ] {
        let process = ProcessSummary::Alive(RunState::Running);
        let (now, end) = (
            decide(process, ServerAnswer::Standby, &stream, false),
            decide(process, ServerAnswer::Standby, &stream, true),
        );
        let _ = writeln!(table, "| {name} | {now} | {end} |");
    }
    table
}

/// The stages of a stop and of a demotion, played through for a server that reacts to nothing.
pub fn stop() -> String {
    let mut table =
        String::from("| process | children | stop | stop of a standby | demote |\n|---|---|---|---|---|\n");
    for process in ProcessSummary::ALL {
        for stopped_children in [0, 2] {
            let facts = StopFacts {
                process: process_of(process),
                stopped_children,
                node_reset: NodeReset::NotHeldBack,
                shutdown: Shutdown::UnderWay,
            };
            let children = if stopped_children == 0 { "run" } else { "some stopped (SIGSTOP)" };
            let [stop, standby, demote] =
                [Purpose::Stop, Purpose::StopStandby, Purpose::Demote].map(|purpose| play(purpose, &facts));
            let _ = writeln!(table, "| {} | {children} | {stop} | {standby} | {demote} |", process.text());
        }
    }
    table
}

fn play(purpose: Purpose, facts: &StopFacts) -> String {
    let mut sent = Stage::Nothing;
    let mut steps = Vec::new();
    for percent in 0..=100 {
        match stop::decide(
            purpose,
            facts,
            Disk::Sound,
            sent,
            Duration::from_secs(percent),
            Duration::from_secs(100),
        ) {
            stop::Step::Done => {
                steps.push("done".to_owned());
                break;
            }
            stop::Step::Send(stage, reason) => {
                let stage_name = match stage {
                    Stage::Nothing => "nothing",
                    Stage::Fast => "fast shutdown",
                    Stage::Immediate => "immediate shutdown",
                    Stage::Killed => "SIGKILL to all",
                };
                steps.push(format!("{percent} %: {stage_name} ({reason})"));
                sent = stage;
            }
            stop::Step::Wait => {}
            stop::Step::GiveUp(reason) => {
                steps.push(format!("{percent} %: fails (1): {reason}"));
                break;
            }
        }
    }
    steps.join("; ")
}

/// The steps of a promotion.
pub fn promote() -> String {
    let text = |step: promote::Step| match step {
        promote::Step::Elect => "holds the election".into(),
        promote::Step::Tell => "tells the postmaster to promote".into(),
        promote::Step::Wait(reason) => format!("waits: {reason}"),
        promote::Step::Prove => "proves that it takes a write: success".into(),
        promote::Step::Fail(reason) => fails(OcfCode::ErrGeneric, &reason),
    };
    merged("begun | elected | told | told, at the deadline", |process, answer| {
        let facts = facts(process, answer, control());
        vec![
            text(promote::decide(&facts, Progress::Begun, false)),
            text(promote::decide(&facts, Progress::Elected, false)),
            text(promote::decide(&facts, Progress::Told, false)),
            text(promote::decide(&facts, Progress::Told, true)),
        ]
    })
}

/// What each instance does on a notification, in a switchover from srv1 to srv2 with srv3 beside.
pub fn notify() -> String {
    let mut table = String::from(
        "| notification | srv1, demoted | srv2, promoted | srv3, stays a standby |\n|---|---|---|---|\n",
    );
    for operation in ["start", "stop", "promote", "demote"] {
        for phase in ["pre", "post"] {
            let env: Environment = [
                ("type", phase),
                ("operation", operation),
                ("demote_uname", "srv1"),
                ("promote_uname", "srv2"),
                ("promoted_uname", "srv1"),
                ("unpromoted_uname", "srv2 srv3"),
            ]
            .into_iter()
            .map(|(k, v)| (format!("OCF_RESKEY_CRM_meta_notify_{k}"), v.to_owned()))
            .collect();
            let notification = Notification::from(&env).expect("a notification that makes sense");
            let cell = |node: &str| {
                let tasks: Vec<String> = tasks(&notification, node).into_iter().map(task).collect();
                if tasks.is_empty() { "nothing".to_owned() } else { tasks.join(", ") }
            };
            let _ = writeln!(
                table,
                "| {phase}-{operation} | {} | {} | {} |",
                cell("srv1"),
                cell("srv2"),
                cell("srv3")
            );
        }
    }
    table
}

fn task(task: Task) -> String {
    match task {
        Task::Checkpoint => "writes a checkpoint".into(),
        Task::Vote => "publishes its position in the WAL".into(),
        Task::Unvote => "takes the position back".into(),
        Task::Follow(node) => format!("follows {node}"),
        Task::Score => "looks at its score".into(),
        Task::StepDown => "steps down".into(),
        Task::TellVoters(_) => "with `sync`: tells who starts who has the acknowledged commits".into(),
        Task::Release(_) => "with `sync`: lets no commit wait for who stops".into(),
    }
}

/// Who resets a node, and who has to be asked before.
pub fn reset() -> String {
    use quorate::decide::reset::{Ground, Others, Verdict, decide};
    let mut table = String::from("| what hangs | the others | what follows | why |\n|---|---|---|---|\n");
    let mut rows: Vec<(Vec<&str>, Vec<&str>, String)> = Vec::new();
    for ground in Ground::ALL {
        let mut own: Vec<(Vec<&str>, String)> = Vec::new();
        for others in Others::ALL {
            let (verdict, why) = decide(ground, others);
            let what = match verdict {
                Verdict::Reset => "reset",
                Verdict::Ask => "the others are asked",
                Verdict::Wait => "waits",
                Verdict::Hold => "held back, said",
            };
            let cells = format!("{what} | {why}");
            match own.iter_mut().find(|(_, c)| *c == cells) {
                Some((known, _)) => known.push(others.text()),
                None => own.push((vec![others.text()], cells)),
            }
        }
        for (others, cells) in own {
            match rows.iter_mut().find(|(_, o, c)| *o == others && *c == cells) {
                Some((grounds, ..)) => grounds.push(ground.text()),
                None => rows.push((vec![ground.text()], others, cells)),
            }
        }
    }
    for (grounds, others, cells) in rows {
        let others =
            if others.len() == Others::ALL.len() { "any, not asked".into() } else { others.join("; or ") };
        let _ = writeln!(table, "| {} | {others} | {cells} |", grounds.join("; "));
    }
    table
}

/// What each condition of the disk does to the scores.
pub fn disk() -> String {
    use quorate::decide::disk::{FULL, Finding, ROOM, STUCK_AFTER};
    use quorate::decide::memory::Memory;
    use quorate::decide::promotion_score::{Score, ScoreStep};
    use quorate::decide::storage;
    let mut table =
        String::from("| the disk | told by | score of the primary | of a standby |\n|---|---|---|---|\n");
    for disk in Disk::ALL {
        let told = match disk {
            Disk::Sound => "the block is written and flushed".to_owned(),
            Disk::Slow => format!("not yet, since less than {} s", STUCK_AFTER / 1000),
            Disk::Full => format!(
                "no space, no more files, or less than {} MiB left; until there are {} MiB",
                FULL >> 20,
                ROOM >> 20
            ),
            Disk::ReadOnly => "the kernel says so".to_owned(),
            Disk::Broken => "an input/output error".to_owned(),
            Disk::Stuck => format!("not yet, since {} s or more", STUCK_AFTER / 1000),
        };
        let finding = Finding { disk, reason: None };
        let stands = |score| Memory { score: Some(score), ..Memory::default() };
        let after = |step, before: Score| match step {
            ScoreStep::Set(score, _) => score,
            ScoreStep::Keep(_) | ScoreStep::Wait(_) | ScoreStep::AskCluster => before,
        };
        let keep = || ScoreStep::Keep(None);
        let primary = after(storage::primary(keep(), &stands(Score::Primary), &finding), Score::Primary);
        let standby = after(storage::standby(keep(), &stands(Score::Standby), &finding), Score::Standby);
        let name = disk.text().split(':').next().unwrap_or_default();
        let _ = writeln!(table, "| {name} | {told} | {primary} | {standby} |");
    }
    table
}

/// The scores, highest first.
pub fn scores() -> String {
    use quorate::decide::promotion_score::Score;
    let mut table = String::from("| score | who |\n|---|---|\n");
    for (score, who) in [
        (Score::PrimaryAtProbe, "the promoted instance that a probe finds, until its next monitor"),
        (Score::Primary, "the promoted instance"),
        (Score::FormerPrimary, "a former primary, as long as nobody is promoted"),
        (
            Score::Standby,
            "a standby that streams from the primary, or did when the primary vanished; of several the primary gives each its place: 1000, 990, …",
        ),
        (
            Score::FirstStart,
            "the first start, when nobody was promoted yet and every instance is here to vote; a former primary has 50 more",
        ),
        (
            Score::PrimaryDiskFailing,
            "the promoted instance, when its disk is full, read-only, failing or stuck: a standby that has everything goes before it",
        ),
        (Score::Detached, "a standby that lost its stream, or whose replay is paused: the last choice"),
        (Score::StandbyDiskFull, "a standby whose disk is full: promoted only when there is no other"),
        (Score::SafeMode, "safe mode: nobody is promoted, and it may lack commits; it serves reads"),
        (
            Score::Withdrawn,
            "running, neither to be promoted nor read from: diverged, long without a stream, behind by more than `maxlag`, or its disk is read-only, failing or stuck",
        ),
    ] {
        let _ = writeln!(table, "| {score} | {who} |");
    }
    table.push_str("| none | not running |\n");
    table
}
