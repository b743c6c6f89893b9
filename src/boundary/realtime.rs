//! What lets a watcher run where others don't: locked memory, and a place before them at the processor.

use std::io;

use nix::errno::Errno;

/// Below corosync and sbd, which ask for the highest: they must be able to run for the node to be well.
const PRIORITY: libc::c_int = 10;

/// Has all threads allocate from one arena: glibc keeps 64 MiB of addresses for each thread otherwise, all of which would count as
/// locked. To be called before any thread is started.
pub fn one_arena() {
    // SAFETY: a parameter and a number.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Locks all memory of the process, also what it takes later: none of it is ever waited for from a disk.
///
/// # Errors
/// Not permitted: systemd's `LimitMEMLOCK=infinity` is missing.
pub fn lock_memory() -> io::Result<()> {
    // SAFETY: flags only.
    Errno::result(unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) })
        .map(drop)
        .map_err(Into::into)
}

/// Puts the calling thread before all others, corosync and sbd too: for the last second of a node. First in, first out: who has this
/// priority already and gives way in turns (SCHED_RR) does not keep it from running.
///
/// # Errors
/// As [`run_first`].
pub fn run_before_all() -> io::Result<()> {
    // SAFETY: a policy.
    let highest = unsafe { libc::sched_get_priority_max(libc::SCHED_FIFO) };
    schedule(libc::SCHED_FIFO, highest)
}

/// Puts the calling thread, and those that it starts, before all that run at usual priorities.
///
/// # Errors
/// Not permitted, or the control group has no time for it (`CONFIG_RT_GROUP_SCHED`).
pub fn run_first() -> io::Result<()> {
    schedule(libc::SCHED_RR, PRIORITY)
}

fn schedule(policy: libc::c_int, priority: libc::c_int) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: this thread, a policy, and a structure that lives.
    let set = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    Errno::result(set).map(drop).map_err(Into::into)
}
