//! Asks before something is changed.

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::time::Duration;

use super::CliError;
use crate::boundary::clock::Deadline;
use crate::boundary::{input, printable};

/// Who asks is not left waiting for ever.
const ANSWER: Duration = Duration::from_secs(300);
const LONGEST: usize = 16;

/// Prints the question and reads the answer. Everything but a yes is a no.
///
/// # Errors
/// No answer within 300 s.
pub(super) fn confirmed(question: &str) -> Result<bool, CliError> {
    let _ = writeln!(std::io::stdout(), "{} [y/N] ", printable::line(question));
    let answer = input::line(std::io::stdin().as_fd(), LONGEST, Deadline::after(ANSWER))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
