//! What PostgreSQL's own log says about a failed start.

use std::borrow::Cow;

use super::conninfo::masked;

/// How many lines are quoted.
const LINES: usize = 4;

/// The lines that say why, out of the end of a log: the errors with their details and hints; without any, the last ones. One line,
/// without the log's own prefix before the severity.
pub fn why(tail: &str) -> String {
    let lines: Vec<Cow<'_, str>> =
        tail.lines().map(str::trim).filter(|line| !line.is_empty()).map(masked).collect();
    let errors: Vec<&str> = lines.iter().filter_map(|line| severe(line)).collect();
    if errors.is_empty() {
        return lines[lines.len().saturating_sub(LINES)..].join(" | ");
    }
    // The first error is the cause, the later ones its consequences.
    errors[..errors.len().min(LINES)].join(" | ")
}

/// The line from its severity on, if it is one that explains.
fn severe(line: &str) -> Option<&str> {
    const EXPLAINING: [&str; 5] = ["PANIC:", "FATAL:", "ERROR:", "DETAIL:", "HINT:"];
    // Words of the log's prefix come before; within a message the same word would stand further right.
    EXPLAINING.iter().filter_map(|word| line.find(word)).min().map(|at| &line[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_comes_before_its_consequences() {
        let tail = "2026-11-22 11:00:00.000 UTC [7] LOG:  entering standby mode\n\
                    2026-11-22 11:00:00.001 UTC [7] FATAL:  recovery aborted because of insufficient parameter settings\n\
                    2026-11-22 11:00:00.001 UTC [7] DETAIL:  max_connections = 20 is a lower setting than on the primary\n\
                    2026-11-22 11:00:00.001 UTC [7] HINT:  You can restart the server after making the changes.\n\
                    2026-11-22 11:00:00.002 UTC [6] LOG:  startup process (PID 7) exited with exit code 1\n\
                    2026-11-22 11:00:00.003 UTC [6] LOG:  database system is shut down\n";
        let why = why(tail);
        assert!(why.starts_with("FATAL:  recovery aborted") && why.contains("max_connections = 20"), "{why}");
        assert!(!why.contains("shut down"), "{why}");
    }

    #[test]
    fn a_password_in_a_line_is_not_quoted() {
        let tail = "LOG:  invalid line\nFATAL:  could not connect: password='s3cret' host=x\nDETAIL:  x\n";
        assert_eq!(why(tail), "FATAL:  could not connect: password=*** | DETAIL:  x");
    }

    #[test]
    fn without_an_error_the_last_lines() {
        assert_eq!(why("a\n\nb\n"), "a | b");
        assert_eq!(why(""), "");
    }
}
