//! A history in words, for whoever doubts a finding.

use std::fmt::Write as _;

use super::operation::{Action, Op};
use crate::record::history::Outcome;

/// One line an operation, in the order of their being sent.
#[must_use]
pub fn tell(ops: &[Op]) -> String {
    let mut sorted: Vec<&Op> = ops.iter().collect();
    sorted.sort_by_key(|op| op.asked);
    let mut text = String::new();
    for op in sorted {
        let (from, to) = (op.asked.as_secs_f64(), op.ended.as_secs_f64());
        let _ = write!(text, "{from:10.4} {to:10.4} {}/{} ", op.client, op.connection);
        let _ = match &op.action {
            Action::Append { list, id } => write!(text, "append {list}:{id}"),
            Action::Write { register, value } => write!(text, "register {register} = {value}"),
            Action::Read(shown) => write!(text, "read {:?} {:?}", shown.newest, shown.registers),
        };
        let _ = match &op.outcome {
            Outcome::Acked => write!(text, " acknowledged"),
            Outcome::Refused(why) => write!(text, " refused: {why}"),
            Outcome::Uncertain(why) => write!(text, " uncertain: {why}"),
        };
        if let Some(served) = &op.served {
            let node = served.node.as_deref().unwrap_or("unknown");
            let timeline = served.timeline.map_or("?".to_owned(), |t| t.to_string());
            let lsn = served.lsn.map_or("?".to_owned(), |l| l.to_string());
            let _ = write!(text, " by {node} on timeline {timeline} at {lsn}");
        }
        text.push('\n');
    }
    text
}
