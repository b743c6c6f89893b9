//! What one call may cost.

use std::time::Duration;

use crate::support::{World, code};

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// An unoptimised binary on a busy machine: a tenth of PAF's 221 ms would be too strict here; the lab measures the
/// optimised one beside PAF on one node.
#[test]
fn a_monitor_is_quick() {
    let world = World::new("cost");
    let node = world.node(1);
    node.must("start", code::SUCCESS);
    node.must("monitor", code::SUCCESS);
    let times = (0..9).map(|_| node.call("monitor").recurring().must(code::SUCCESS).elapsed).collect();
    let median = median(times);
    assert!(median < Duration::from_millis(150), "median of nine monitors: {median:?}");
}
