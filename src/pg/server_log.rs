//! What PostgreSQL's own log says about a failed start.

use super::conninfo::masked;
use super::timeline::Timeline;

/// How many lines are quoted.
const LINES: usize = 4;

/// What a server answers to whoever connects before it can be of use. These are the agent's own tries, once a round.
const REFUSALS: [&str; 6] = [
    "the database system is starting up",
    "the database system is not yet accepting connections",
    "the database system is not accepting connections",
    "the database system is in recovery mode",
    "the database system is shutting down",
    "connection to client lost",
];

/// How the messages of a WAL receiver begin: they say why a standby does not stream, and a server does not end for it.
const OF_THE_RECEIVER: [&str; 12] = [
    "could not connect to the primary server",
    "could not receive data from WAL stream",
    "could not send data to WAL stream",
    "could not start WAL streaming",
    "could not receive timeline history file",
    "could not receive database system identifier",
    "could not fetch",
    "could not parse primary timeline",
    "database system identifier differs between",
    "highest timeline",
    "streaming replication receiver",
    "terminating walreceiver",
];

/// The same of refused clients and of workers.
const OF_OTHERS: [&str; 7] = [
    "terminating background worker",
    "no pg_hba.conf entry",
    "pg_hba.conf rejects",
    "password authentication failed",
    "Peer authentication failed",
    "role ",
    "sorry, too many clients already",
];

/// What ends a start whose reason stands in lines of a lesser severity before it, and how those lines go.
const SUMMARIES: [(&str, &[&str]); 3] = [
    ("contains errors", &["in file ", "for parameter ", "parameter "]),
    ("could not create any ", &["could not bind ", "could not create ", "could not set permissions"]),
    ("could not load ", &["pg_hba.conf", "pg_ident.conf", "hba file", "in file ", "line "]),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Ends the server or its recovery.
    Fatal,
    Error,
    /// Another process's trouble, which ends nothing.
    Aside,
    /// Tells, as LOG and WARNING do.
    Remark,
    /// Our own tries to connect.
    Refusal,
}

/// A message, from its severity on, with its details and hints.
#[derive(Debug)]
struct Message {
    weight: Weight,
    lines: Vec<String>,
}

/// The directory of the logging collector's files, where the server's own output ends with the word that it logs there from now on:
/// relative to the data directory.
pub fn collected_in(output: &str) -> Option<&str> {
    let (_, after) = output.rsplit_once("Future log output will appear in directory \"")?;
    after.split_once('"').map(|(directory, _)| directory)
}

/// The text file that the collector writes to now, by what it keeps in `current_logfiles`: relative to the data directory, or whole.
pub fn current(logfiles: &str) -> Option<&str> {
    logfiles.lines().find_map(|line| line.strip_prefix("stderr ")).filter(|path| !path.is_empty())
}

/// A collector's file from the last start on: it holds those before it, too.
pub fn since_last_start(text: &str) -> &str {
    let begins = text.rfind("starting PostgreSQL ").map(|at| text[..at].rfind('\n').map_or(0, |end| end + 1));
    &text[begins.unwrap_or(0)..]
}

/// The lines that say why, out of the end of a log: the cause before its consequences, with details and hints; without any, the last
/// ones. One line, without the log's own prefix before the severity. What our own tries to connect left in the log is no cause.
pub fn why(tail: &str) -> String {
    let messages = messages(tail);
    let Some(weight) = messages.iter().map(|m| m.weight).filter(|w| *w < Weight::Remark).min() else {
        let told: Vec<&str> =
            messages.iter().filter(|m| m.weight != Weight::Refusal).flat_map(texts).collect();
        return told[told.len().saturating_sub(LINES)..].join(" | ");
    };
    let mut quoted: Vec<&str> = Vec::new();
    // The first is the cause, the later ones its consequences.
    for (index, message) in messages.iter().enumerate().filter(|(_, m)| m.weight == weight) {
        for line in reasons_before(&messages[..index], message).chain(texts(message)) {
            if !quoted.contains(&line) {
                quoted.push(line);
            }
        }
    }
    quoted.truncate(LINES);
    let cure = quoted.iter().find_map(|line| foreign_history(line));
    quoted.join(" | ") + &cure.map_or_else(String::new, |cure| format!(" | {cure}"))
}

/// What to do where PostgreSQL follows a timeline that is none of its own: it takes the newest of pg_wal and the archive.
fn foreign_history(line: &str) -> Option<String> {
    let (_, after) = line.split_once("requested timeline ")?;
    let (number, after) = after.split_once(' ')?;
    let file = number.parse::<Timeline>().ok()?.history_file_name()?;
    after.starts_with("is not a child").then(|| {
        format!("if the primary is not of timeline {number}, move {file} out of pg_wal and the archive")
    })
}

fn texts(message: &Message) -> impl Iterator<Item = &str> {
    message.lines.iter().map(String::as_str)
}

/// The remarks that a summary such as "configuration file contains errors" sums up.
fn reasons_before<'a>(before: &'a [Message], summary: &Message) -> impl Iterator<Item = &'a str> {
    let words = SUMMARIES.iter().find(|(end, _)| summary.lines[0].contains(end)).map_or(&[][..], |s| s.1);
    before
        .iter()
        .filter(move |m| m.weight == Weight::Remark && words.iter().any(|word| m.lines[0].contains(word)))
        .flat_map(texts)
}

fn messages(tail: &str) -> Vec<Message> {
    let mut found: Vec<Message> = Vec::new();
    for (line, begins) in
        tail.lines().map(|line| (line.trim(), begins(line))).filter(|(line, _)| !line.is_empty())
    {
        let line = masked(line);
        match severity(&line).filter(|_| begins == Begins::Message) {
            Some((at, Severity::Detail)) => match found.last_mut() {
                Some(message) => message.lines.push(line[at..].to_owned()),
                // Its beginning is cut off.
                None => found.push(Message { weight: Weight::Aside, lines: vec![line[at..].to_owned()] }),
            },
            Some((at, Severity::Message(weight))) => {
                let text = line[at..].to_owned();
                found.push(Message { weight: weigh(weight, &text), lines: vec![text] });
            }
            // A program's own output, such as that of restore_command; the rest of a message of several lines.
            None => found.push(Message { weight: Weight::Remark, lines: vec![line.into_owned()] }),
        }
    }
    found
}

/// What a line of the log is the beginning of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begins {
    Message,
    /// The rest of a message of several lines, which a client may have written: PostgreSQL puts a tab before it (elog.c).
    Nothing,
}

fn begins(line: &str) -> Begins {
    if line.starts_with('\t') { Begins::Nothing } else { Begins::Message }
}

enum Severity {
    Message(Weight),
    Detail,
}

/// Where the line's severity begins, and which it is. Words of the log's prefix come before; within a message the same word would
/// stand further right.
fn severity(line: &str) -> Option<(usize, Severity)> {
    const WORDS: [(&str, Severity); 11] = [
        ("PANIC:", Severity::Message(Weight::Fatal)),
        ("FATAL:", Severity::Message(Weight::Fatal)),
        ("ERROR:", Severity::Message(Weight::Error)),
        ("WARNING:", Severity::Message(Weight::Remark)),
        ("NOTICE:", Severity::Message(Weight::Remark)),
        ("LOG:", Severity::Message(Weight::Remark)),
        ("DETAIL:", Severity::Detail),
        ("HINT:", Severity::Detail),
        ("CONTEXT:", Severity::Detail),
        ("QUERY:", Severity::Detail),
        ("STATEMENT:", Severity::Detail),
    ];
    WORDS
        .into_iter()
        .filter_map(|(word, severity)| Some((line.find(word)?, severity)))
        .min_by_key(|(at, _)| *at)
}

fn weigh(weight: Weight, text: &str) -> Weight {
    let said = text.split_once(':').map_or(text, |(_, said)| said).trim_start();
    match weight {
        Weight::Fatal if REFUSALS.iter().any(|words| said.starts_with(words)) => Weight::Refusal,
        Weight::Fatal | Weight::Error if is_of_others(said) => Weight::Aside,
        weight => weight,
    }
}

fn is_of_others(said: &str) -> bool {
    OF_THE_RECEIVER.iter().chain(&OF_OTHERS).any(|words| said.starts_with(words))
}

/// Why the WAL receiver gave up last, with the details; `None` where it streams since.
pub fn receiver_trouble(tail: &str) -> Option<String> {
    let messages = messages(tail);
    let begun = messages.iter().rposition(|m| m.lines[0].contains("started streaming WAL from primary"));
    let since = &messages[begun.map_or(0, |at| at + 1)..];
    let its = |m: &&Message| {
        let said = m.lines[0].split_once(':').map_or("", |(_, said)| said).trim_start();
        m.weight == Weight::Aside && OF_THE_RECEIVER.iter().any(|words| said.starts_with(words))
    };
    Some(since.iter().rfind(its)?.lines.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as PostgreSQL's default log_line_prefix has them.
    fn log(lines: &[&str]) -> String {
        lines.iter().map(|line| format!("2026-11-22 11:00:00.000 UTC [7] {line}\n")).collect()
    }

    #[test]
    fn the_cause_comes_before_its_consequences() {
        let tail = log(&[
            "LOG:  entering standby mode",
            "FATAL:  recovery aborted because of insufficient parameter settings",
            "DETAIL:  max_connections = 20 is a lower setting than on the primary",
            "HINT:  You can restart the server after making the changes.",
            "LOG:  startup process (PID 7) exited with exit code 1",
            "LOG:  database system is shut down",
        ]);
        let why = why(&tail);
        assert!(why.starts_with("FATAL:  recovery aborted") && why.contains("max_connections = 20"), "{why}");
        assert!(!why.contains("shut down"), "{why}");
    }

    #[test]
    fn our_own_tries_to_connect_are_no_cause() {
        for (refusal, detail) in [
            ("FATAL:  the database system is starting up", None),
            (
                "FATAL:  the database system is not yet accepting connections",
                Some("DETAIL:  Consistent recovery state has not been yet reached."),
            ),
            (
                "FATAL:  the database system is not accepting connections",
                Some("DETAIL:  Hot standby mode is disabled."),
            ),
            ("FATAL:  the database system is shutting down", None),
            ("FATAL:  the database system is in recovery mode", None),
        ] {
            let mut lines = vec!["LOG:  entering standby mode"];
            for _ in 0..4 {
                lines.extend(std::iter::once(refusal).chain(detail));
            }
            lines.push("FATAL:  could not open file \"pg_wal/00000002.history\": Permission denied");
            lines.extend(std::iter::once(refusal).chain(detail));
            let cause = "FATAL:  could not open file \"pg_wal/00000002.history\": Permission denied";
            assert_eq!(why(&log(&lines)), cause, "{refusal}");
            // Where nothing else went wrong: what the server does.
            let waits = log(&["LOG:  redo starts at 0/2000028", refusal, refusal, refusal, refusal, refusal]);
            assert_eq!(why(&waits), "LOG:  redo starts at 0/2000028", "{refusal}");
        }
    }

    #[test]
    fn another_process_s_trouble_comes_last() {
        let receiver =
            "FATAL:  could not connect to the primary server: connection to server at \"srv2\" failed";
        let refused = "FATAL:  role \"quorate\" does not exist";
        let panic = "PANIC:  could not locate a valid checkpoint record";
        assert_eq!(why(&log(&[receiver, refused, panic, receiver])), panic);
        assert_eq!(why(&log(&[receiver, receiver, refused])), format!("{receiver} | {refused}"));
        let error = "ERROR:  could not read block 0 in file \"base/1/1259\"";
        assert_eq!(why(&log(&[receiver, error])), error);
    }

    #[test]
    fn the_receivers_last_word_counts_until_it_streams() {
        let refused = "FATAL:  could not connect to the primary server: connection to server at \"srv1\", port 5432 failed: \
                       FATAL:  no pg_hba.conf entry for replication connection from host \"srv2\"";
        let slot = "FATAL:  could not start WAL streaming: ERROR:  replication slot \"srv2\" does not exist";
        let identifier = [
            "FATAL:  database system identifier differs between the primary and standby",
            "DETAIL:  The primary's identifier is 1, the standby's identifier is 2.",
        ];
        let client = "FATAL:  role \"x\" does not exist";
        assert_eq!(receiver_trouble(&log(&[slot, refused, client])).as_deref(), Some(refused));
        assert_eq!(receiver_trouble(&log(&[refused, slot])).as_deref(), Some(slot));
        assert_eq!(receiver_trouble(&log(&identifier)), Some(identifier.join(" | ")));
        let streams = "LOG:  started streaming WAL from primary at 0/3000000 on timeline 1";
        assert_eq!(receiver_trouble(&log(&[slot, streams, client])), None);
        assert_eq!(receiver_trouble(&log(&[streams, slot])).as_deref(), Some(slot));
        // A client's statement of two lines.
        let forged = format!("{}\t{slot}\n", log(&[streams, "LOG:  statement: select 1"]));
        assert_eq!(receiver_trouble(&forged), None);
    }

    #[test]
    fn the_file_of_a_foreign_timeline_is_named() {
        let tail = log(&[
            "FATAL:  requested timeline 3 is not a child of this server's history",
            "DETAIL:  Latest checkpoint is at 0/3000148 on timeline 2, but in the history of the requested timeline, the \
             server forked off from that timeline at 0/2000060.",
        ]);
        assert!(why(&tail).contains("move 00000003.history out of pg_wal and the archive"), "{}", why(&tail));
    }

    #[test]
    fn a_summary_comes_after_what_it_sums_up() {
        let bound = log(&[
            "LOG:  starting PostgreSQL 15.14",
            "LOG:  could not bind IPv4 address \"127.0.0.1\": Address already in use",
            "HINT:  Is another postmaster already running on port 5432?",
            "WARNING:  could not create listen socket for \"127.0.0.1\"",
            "FATAL:  could not create any TCP/IP sockets",
            "LOG:  database system is shut down",
        ]);
        assert!(why(&bound).starts_with("LOG:  could not bind IPv4 address"), "{}", why(&bound));
        assert!(why(&bound).ends_with("FATAL:  could not create any TCP/IP sockets"), "{}", why(&bound));
        let conf = log(&[
            "LOG:  invalid value for parameter \"max_connections\": \"banana\"",
            "FATAL:  configuration file \"/etc/p.conf\" contains errors",
        ]);
        assert!(why(&conf).starts_with("LOG:  invalid value for parameter"), "{}", why(&conf));
    }

    #[test]
    fn a_collector_s_file_is_read_from_the_last_start_on() {
        let output = log(&[
            "LOG:  redirecting log output to logging collector process",
            "HINT:  Future log output will appear in directory \"log\".",
        ]);
        assert_eq!((collected_in(&output), collected_in("")), (Some("log"), None));
        let earlier = log(&["LOG:  starting PostgreSQL 15.14 on x", "FATAL:  of an earlier start"]);
        let later = log(&["LOG:  starting PostgreSQL 15.14 on x", "FATAL:  of this one"]);
        assert_eq!(since_last_start(&format!("{earlier}{later}")), later);
        assert_eq!(since_last_start("FATAL:  x"), "FATAL:  x");
    }

    #[test]
    fn the_file_of_now_is_the_one_that_the_collector_names() {
        assert_eq!(current("csvlog log/a.csv\nstderr log/a.log\n"), Some("log/a.log"));
        for other in ["", "csvlog log/a.csv\n", "stderr \n", "stderr"] {
            assert_eq!(current(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_password_in_a_line_is_not_quoted() {
        let tail = "LOG:  invalid line\nFATAL:  could not open: password='s3cret' host=x\nDETAIL:  x\n";
        assert_eq!(why(tail), "FATAL:  could not open: password=*** | DETAIL:  x");
    }

    #[test]
    fn without_an_error_the_last_lines() {
        assert_eq!(why("a\n\nb\n"), "a | b");
        assert_eq!(why(""), "");
        assert_eq!(why("DETAIL:  x\n"), "DETAIL:  x");
    }
}
