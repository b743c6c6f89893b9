//! Whether this node may reset itself: a healthy node is never reset for a doubt, and never two at once.
//!
//! A stall of a shared array looks the same on every node. So a node that finds something hanging asks the others first, over
//! CPG: is a quorate member well that runs what this node runs, and is not about to reset itself too? CPG delivers in one order
//! everywhere. The first intent goes; the others hold theirs, and look again when that node is gone.

mod claims;
mod gate;
#[cfg(test)]
mod model;
mod rule;

pub use claims::{Answer, Claims, Delivery, View};
pub use gate::{Call, Excluded, Gate, Hold, Said};
pub use rule::{
    AGAIN_MS, ASK_MS, Ground, INTENT_MS, Others, REMIND_MS, RETURN_MS, Verdict, VoteCount, decide,
};
