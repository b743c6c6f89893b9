//! Whether anything was lost or went wrong: a checker over the whole history of what clients did and saw.
//!
//! Values in, findings out: no clock, no files. One file a property:
//!
//! | file | finds |
//! |---|---|
//! | [`lists`] | acknowledged writes that are lost, refused ones that are there, unanswered ones that are there |
//! | [`primaries`] | time in which two servers took writes |
//! | `take_over` | the last commit of one primary and the first of the next |
//! | [`reads`] | reads that went back in time on one connection |
//! | [`registers`] | values that nobody wrote, or that had been overwritten before the read began |
//! | [`timelines`] | timelines that do not form one line |
//!
//! Each rule condemns only what no order of the operations can explain: an operation takes effect somewhere between its
//! being asked and its answer, and one without an answer at any time after its being asked, or never.

mod finding;
pub mod lists;
mod operation;
pub mod primaries;
pub mod reads;
pub mod registers;
mod take_over;
mod tell;
pub mod timelines;

pub use finding::{Finding, Found, Loss, Truth, words};
pub use operation::{Action, Final, Op, Shown};
pub use take_over::{TakeOver, acked_by, take_over};
pub use tell::tell;

/// Checks a whole history against what is there in the end.
#[must_use]
pub fn check(ops: &[Op], end: &Final) -> Truth {
    let effects = registers::Effects::of(ops);
    let mut truth = lists::check(ops, end);
    truth.findings.extend(primaries::check(ops));
    truth.findings.extend(reads::check(ops, &effects));
    truth.findings.extend(registers::check(ops, end, &effects));
    truth.findings.extend(timelines::check(ops, end));
    truth
}

#[cfg(test)]
mod tests;
