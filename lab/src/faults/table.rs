//! The table of the faults of machines.

use std::time::Duration;

use super::fault::{Breaks, CountsFrom, Disturbs, Fault, Insiders, Needs};
use super::signals::Processes;
use super::{bomb, clock, inject, memory, several, slow, split, storage};
use crate::truth::Loss;

/// SIGSTOP of a daemon, all its processes.
macro_rules! stop {
    ($short:literal, $program:literal, $noticed_after:literal) => {
        Fault::stop(
            concat!($short, "-stop"),
            concat!("SIGSTOP to ", $program, ": it is there and does nothing"),
            Processes::Of($program),
            $noticed_after,
        )
    };
}

/// SIGKILL of a daemon, all its processes.
macro_rules! kill {
    ($short:literal, $program:literal) => {
        Fault::kill(concat!($short, "-kill"), concat!("SIGKILL to ", $program), Processes::Of($program))
    };
}

/// So much later the cable is pulled: less than anybody needs to notice the hang, and longer than it takes to be sure of it.
const CABLE: Duration = Duration::from_secs(5);
/// The agent's monitor restarts a stopped postmaster within some seconds, and the watchdog expires 4 to 5 s after sbd's last keepalive.
const CABLE_AT_ONCE: Duration = Duration::from_secs(1);

/// SIGSTOP of a daemon, and 5 s later the cable is pulled.
macro_rules! stop_then_unlink {
    ($short:literal, $program:literal) => {
        Fault::stop_then_unlink(
            concat!($short, "-stop-then-unlink"),
            concat!("SIGSTOP to ", $program, ", 5 s later the cable is pulled"),
            Processes::Of($program),
            CABLE,
        )
    };
}

/// What breaks by itself: machines, disks, networks, programs; and orders to the cluster.
pub(super) const MACHINES: &[Fault] = &[
    Fault::kill(
        "postgres-kill",
        "SIGKILL to every postgres process of the node at once",
        Processes::POSTGRES,
    )
    .loses(Loss::Forbidden)
    .reacts_within(10)
    .costs("PAF: 8 to 15 s", "3.4 s; primary again"),
    Fault::stop(
        "postgres-stop",
        "SIGSTOP to every postgres process: they are there and do nothing",
        Processes::POSTGRES,
        10,
    )
    .loses(Loss::Forbidden)
    .costs("PAF: 271 s", "2.3 s; primary again"),
    Fault::stop(
        "postmaster-stop",
        "SIGSTOP to the postmasters alone: sessions go on, nobody can connect",
        Processes::POSTMASTER,
        30,
    )
    .loses(Loss::Forbidden)
    .costs("PAF: not noticed in 4 min", "4.8 s, 1.5 s of it without writes; primary again"),
    Fault::stop(
        "walreceiver-stop",
        "SIGSTOP to the walreceivers: a standby that looks well and receives nothing",
        Processes::WALRECEIVER,
        30,
    )
    .usually_on("standby")
    .costs("none stated", "unnoticed; the standby is restarted"),
    Fault::own(
        "power-off",
        "the power goes and stays away until healed",
        inject::power_off,
        inject::power_is_off,
    )
    .seen_by("the machine is off")
    .breaks(Breaks::Machine)
    .loses(Loss::Possible)
    .happens_within(15)
    .costs("PAF: 18 to 20 s", "18.5 s; refused: diverged; rebuilt by hand"),
    Fault::own(
        "reset",
        "the power goes and comes back; the cluster's services stay off until healed",
        inject::reset,
        inject::was_booted_again,
    )
    .seen_by("the machine was booted once more")
    .breaks(Breaks::Machine)
    .loses(Loss::Possible)
    .happens_within(30)
    .costs("none stated", "17.8 s; standby by itself"),
    Fault::own(
        "fence",
        "the cluster fences the node while it is a member: stonith_admin --reboot by another one",
        inject::fence,
        inject::was_booted_again,
    )
    .seen_by("the machine was booted once more")
    .happens_within(30)
    .costs("the watchdog's 10 s and a promotion", "2.3 s; standby by itself"),
    Fault::pause("pause-5", "the machine is paused for 5 s, its watchdog with it, and goes on", 5)
        .costs("none stated", "18.2 and 25.4 s: sbd had the node reset; once unnoticed; 0 ms of two primaries"),
    Fault::pause("pause-15", "the same for 15 s: longer than stonith-watchdog-timeout", 15)
        .costs("none stated", "17.6 to 22.5 s, 0 ms of two primaries; standby by itself, or refused: diverged"),
    Fault::pause("pause-60", "the same for 60 s: the others have gone on for long", 60)
        .costs("none stated", "17 to 19 s; two primaries 0 ms in four of five runs, once 17 ms; refused: diverged"),
    Fault::pause_without_sbd(
        "sbd-stop-then-pause-15",
        "SIGSTOP to all of sbd, and at once the machine is paused for 15 s",
        15,
    )
    .costs("none stated", "20.2, 21.1 s, once no service until healed; 0 commits after the pause (without quorated 257 in 4.0 s)"),
    Fault::own(
        "shut-down",
        "an orderly power-off, as by an administrator: systemctl poweroff",
        inject::shut_down,
        inject::power_is_off,
    )
    .seen_by("the machine is off")
    .breaks(Breaks::Machine)
    .happens_within(180)
    .costs("Tuchanka: 19 s", "0.9 s; standby by itself"),
    Fault::own(
        "unlink",
        "the network cable is pulled; the node runs on alone",
        inject::unlink,
        inject::cable_is_out,
    )
    .seen_by("the cable is out")
    .breaks(Breaks::Machine)
    .insiders(Insiders::Sessions)
    .loses(Loss::Possible)
    .happens_within(15)
    .costs("PAF: 19 to 21 s", "18.2 s; refused: diverged; rebuilt by hand"),
    Fault::own(
        "switchover",
        "pcs resource move: the primary's role goes to another node by order",
        inject::switchover,
        inject::primary_moved,
    )
    .seen_by("Pacemaker shows the role on the node that was named")
    .breaks(Breaks::Nothing)
    .counts_from(CountsFrom::LastGoodWrite)
    .happens_within(150)
    .costs("PAF: 2 to 3 s", "1.1 s; standby by itself"),
    Fault::own(
        "upgrade",
        "dpkg -i of a newer package on the node, as by apt: nobody may notice it",
        inject::upgrade,
        inject::package_is_newer,
    )
    .seen_by("dpkg has the newer version")
    .unnoticed()
    .costs("nobody may notice it", "unnoticed"),
    Fault::stop("sbd-stop", "SIGSTOP to all of sbd: only the watchdog is left", Processes::Of("sbd"), 15)
        .costs("the watchdog resets the node", "21.8 s; standby by itself"),
    kill!("sbd", "sbd").costs("none stated", "2.0 s; standby by itself"),
    Fault::own(
        "fork-bomb",
        "a fork bomb of root's, up to the node's limit of tasks",
        bomb::explode,
        bomb::tasks_are_used_up,
    )
    .seen_by("nine tenths of the node's tasks are used, or the node was reset")
    .disturbs(Disturbs::Host)
    .loses(Loss::Possible)
    .happens_within(30)
    .reacts_within(60)
    .costs("Tuchanka: 31 s", "14.3 s; standby by itself"),
    Fault::own(
        "oom-postmaster",
        "the node's memory is used up, and the kernel's killer chooses the postmaster",
        memory::kills_postmaster,
        memory::was_chosen,
    )
    .seen_by("the control group counts a kill, and the process is gone")
    .reacts_within(20)
    .costs("none stated", "13.5 s, 9.6 s of it without writes; primary again"),
    Fault::own(
        "oom-quorated",
        "the same, and it chooses quorated",
        memory::kills_quorated,
        memory::was_chosen,
    )
    .seen_by("the control group counts a kill, and the process is gone")
    .reacts_within(20)
    .resets_nobody()
    .costs("none stated", "unnoticed"),
    Fault::own(
        "oom-corosync",
        "the same, and it chooses corosync",
        memory::kills_corosync,
        memory::was_chosen,
    )
    .seen_by("the control group counts a kill, and the process is gone")
    .loses(Loss::Possible)
    .reacts_within(30)
    .costs("none stated", "unnoticed"),
    Fault::own(
        "slow-disk",
        "the node's file systems take 20 writes a second, each after the other",
        slow::disk,
        slow::writes_are_slow,
    )
    .seen_by("synced writes to each are timed")
    .happens_within(60)
    .reacts_within(60)
    .restored_within(180)
    .resets_nobody()
    .costs("none stated", "pauses of up to 2.8 s for as long as it lasts; nobody reset"),
    Fault::own(
        "slow-network",
        "all that the node sends and gets is 80 to 120 ms late",
        slow::network,
        slow::packets_are_late,
    )
    .seen_by("the relay counts packets that it held back")
    .breaks(Breaks::Machine)
    .reacts_within(60)
    .restored_within(180)
    .resets_nobody()
    .costs("none stated", "0.6 s; nobody reset"),
    Fault::own(
        "clock-forward",
        "the wall clock steps 10 min forward, and back when healed",
        clock::forward,
        clock::has_stepped,
    )
    .seen_by("all its daemons read that time")
    .unnoticed()
    .resets_nobody()
    .reacts_within(60)
    .costs("none stated", "unnoticed"),
    Fault::own(
        "clock-back",
        "the wall clock steps 10 min back, and forward when healed",
        clock::back,
        clock::has_stepped,
    )
    .seen_by("all its daemons read that time")
    .unnoticed()
    .resets_nobody()
    .reacts_within(60)
    .costs("none stated", "unnoticed"),
    Fault::own(
        "out-of-space",
        "the data's file system is full, to the last block",
        storage::fill,
        storage::is_full,
    )
    .seen_by("df shows nothing left")
    .loses(Loss::Possible)
    .happens_within(20)
    .reacts_within(40)
    .restored_within(180)
    .costs("Tuchanka: never noticed", "4.5 to 5.5 s; standby by itself"),
    Fault::own(
        "wal-full",
        "the data's file system is full, and the WAL files that were made in advance are used up",
        storage::fill_wal,
        storage::is_full,
    )
    .seen_by("df shows nothing left, and PostgreSQL could not switch to a new WAL file")
    .loses(Loss::Possible)
    .happens_within(20)
    .reacts_within(20)
    .restored_within(180)
    .costs(
        "none stated",
        "6.3 to 11.1 s; standby by itself, once in four refused: diverged; rebuilt by hand",
    ),
    Fault::own(
        "disk-freeze",
        "the data's file system is frozen (fsfreeze): each write hangs, nothing fails",
        storage::freeze,
        storage::writes_hang,
    )
    .seen_by("a write to it hangs in state D, or the node was reset")
    .loses(Loss::Possible)
    .happens_within(15)
    .restored_within(180)
    .costs("nobody notices but a monitor that writes", "28.3 to 31.5 s; standby by itself"),
    Fault::own(
        "state-freeze",
        "the file systems of Pacemaker's and corosync's state are frozen: their writes hang, PostgreSQL's don't",
        storage::freeze_state,
        storage::state_hangs,
    )
    .seen_by("writes to them hang in state D, or the node was reset")
    .loses(Loss::Possible)
    .happens_within(20)
    .reacts_within(60)
    .restored_within(180)
    .costs("none stated", "unnoticed"),
    Fault::own(
        "data-stall",
        "the data's file systems are frozen for 15 s, as by an array's failover or a multipath's switch",
        storage::stall_data,
        storage::writes_hang,
    )
    .usually_on("all")
    .seen_by("a write to it hangs in state D, or the node was reset")
    .loses(Loss::Possible)
    .happens_within(12)
    .reacts_within(40)
    .restored_within(180)
    .costs("every database node reset in the same second", "20.0 s; standby by itself"),
    Fault::own(
        "state-stall",
        "the file systems of Pacemaker's and corosync's state are frozen for 15 s",
        storage::stall_state,
        storage::state_hangs,
    )
    .usually_on("all")
    .seen_by("writes to them hang in state D, or the node was reset")
    .unnoticed()
    .happens_within(12)
    .reacts_within(40)
    .restored_within(180)
    .costs("every database node reset in the same second: no service until somebody starts it", "unnoticed"),
    Fault::own(
        "state-stall-60",
        "the same for 60 s",
        storage::stall_state_long,
        storage::state_hangs,
    )
    .usually_on("all")
    .seen_by("writes to them hang in state D, or the node was reset")
    .unnoticed()
    .happens_within(12)
    .reacts_within(90)
    .restored_within(180)
    .costs("every database node reset in the same second: no service until somebody starts it", "unnoticed"),
    Fault::own(
        "read-only",
        "the kernel makes the data's file system read-only, as after an error of the disk",
        storage::make_read_only,
        storage::is_read_only,
    )
    .seen_by("the mount's options say so, or the node was reset")
    .loses(Loss::Possible)
    .reacts_within(30)
    .restored_within(180)
    .costs("none stated", "2.9 s; standby by itself"),
    Fault::two(
        "witness-then-node",
        "the witness's power goes, 5 s later the node's; of two nodes the one that is left has no majority",
        several::witness_then_node,
    )
    .needs(Needs::QuorumDevice)
    .disturbs(Disturbs::WitnessToo)
    .costs("no service, never two primaries", "no service; primary again"),
    Fault::two(
        "second-fault",
        "the primary's power goes, 5 s later that of the standby that is about to take over",
        several::second_fault,
    )
    .costs("no service, never two primaries", "no service; primary again"),
    Fault::two(
        "standby-then-primary",
        "the power of the standby that would take over goes, 5 s later the primary's",
        several::standby_then_primary,
    )
    .costs("no service, never two primaries", "no service; primary again"),
    Fault::own(
        "switchover-then-primary",
        "the role moves by order; as soon as pcs has seen it done, the power of the new primary goes",
        several::switchover_then_primary,
        several::the_other_is_off,
    )
    .seen_by("the role has moved, and the machine that got it is off")
    .loses(Loss::Possible)
    .counts_from(CountsFrom::LastGoodWrite)
    .happens_within(15)
    .restored_within(120)
    .costs("PAF: no failover at all", "23.8 s, with the switchover; primary again"),
    Fault::own(
        "split",
        "the data centres lose each other; the witness and the clients see both",
        split::part,
        split::sides_are_apart,
    )
    .seen_by("the counter of packets that were dropped between them rises")
    .breaks(Breaks::Machine)
    .loses(Loss::Possible)
    .reacts_within(30)
    .costs("the primary's side goes on, and nobody notices it", "unnoticed"),
    Fault::impair("one-way-out", "all packets that the node sends are lost, on all its links", 100, 0)
        .costs("none stated", "17.4 s; refused: diverged; rebuilt by hand"),
    Fault::impair("one-way-in", "all packets that are sent to the node are lost, on all its links", 0, 100)
        .costs("none stated", "18.0 s; refused: diverged; rebuilt by hand"),
    Fault::impair("packet-loss-10", "one packet in ten is lost, both ways, on all links of the node", 10, 10)
        .costs("none stated", "14.4 s, 0.6 s of it without writes; primary again"),
    Fault::impair(
        "packet-loss-30",
        "three packets in ten are lost, both ways, on all links of the node",
        30,
        30,
    )
    .costs(
        "none stated",
        "failed, each time: in the end both nodes lost quorum and reset themselves; no service until healed",
    ),
    stop!("corosync", "corosync", 25)
        .costs("sbd resets the node after 9 to 10 s", "17.5 s; standby by itself"),
    kill!("corosync", "corosync").costs("none stated", "unnoticed"),
    stop!("pacemakerd", "pacemakerd", 25)
        .costs("sbd resets the node after 14 to 15 s", "30.2 s; standby by itself"),
    kill!("pacemakerd", "pacemakerd").costs("none stated", "unnoticed"),
    stop!("based", "pacemaker-based", 25)
        .costs("sbd resets the node after 10 to 12 s", "26.2 s; standby by itself"),
    kill!("based", "pacemaker-based")
        .costs("none stated", "unnoticed four times in seven; else 14.3 to 27.9 s; standby by itself"),
    stop!("controld", "pacemaker-controld", 60).costs("pacemakerd notices after 40 to 48 s", "unnoticed"),
    kill!("controld", "pacemaker-controld").costs("none stated", "unnoticed"),
    stop!("execd", "pacemaker-execd", 60)
        .costs("40 to 48 s without any monitor", "37.5 s, 1.1 s of it without writes; standby by itself"),
    kill!("execd", "pacemaker-execd").costs(
        "none stated",
        "unnoticed; once in three Pacemaker fenced the node: 11.6 s; standby by itself",
    ),
    stop!("attrd", "pacemaker-attrd", 60).costs("noticed after 40 to 48 s", "unnoticed"),
    kill!("attrd", "pacemaker-attrd").costs("none stated", "unnoticed"),
    stop!("fenced", "pacemaker-fenced", 60).costs("noticed after 40 to 48 s", "unnoticed"),
    kill!("fenced", "pacemaker-fenced").costs("none stated", "unnoticed"),
    stop!("schedulerd", "pacemaker-schedulerd", 60).costs("noticed after 40 to 48 s", "unnoticed"),
    kill!("schedulerd", "pacemaker-schedulerd").costs("none stated", "0.5 s; primary again"),
    stop!("qdevice", "corosync-qdevice", 10).needs(Needs::QuorumDevice).costs("nobody notices it", "unnoticed"),
    kill!("qdevice", "corosync-qdevice").needs(Needs::QuorumDevice).costs("none stated", "unnoticed"),
    stop!("quorated", "quorated", 40).costs("none stated", "not run"),
    kill!("quorated", "quorated").costs("none stated", "not run"),
    stop_then_unlink!("corosync", "corosync").costs("none stated", "13.2 s; refused: diverged"),
    stop_then_unlink!("pacemakerd", "pacemakerd").costs("none stated", "18.7 s; refused: diverged"),
    stop_then_unlink!("based", "pacemaker-based").costs("none stated", "17.9 s; refused: diverged"),
    stop_then_unlink!("controld", "pacemaker-controld")
        .costs("PAF: 23.0 s of two writable primaries", "19.8 s; 24.0 s of two writable primaries"),
    stop_then_unlink!("execd", "pacemaker-execd").costs("none stated", "17.7 s; refused: diverged"),
    stop_then_unlink!("attrd", "pacemaker-attrd").costs("none stated", "18.4 s; refused: diverged"),
    stop_then_unlink!("fenced", "pacemaker-fenced").costs("none stated", "18.7 s; refused: diverged"),
    stop_then_unlink!("schedulerd", "pacemaker-schedulerd").costs("none stated", "17.9 s; refused: diverged"),
    Fault::stop_then_unlink(
        "sbd-stop-then-unlink",
        "SIGSTOP to all of sbd, 1 s later the cable is pulled",
        Processes::Of("sbd"),
        CABLE_AT_ONCE,
    )
    .costs("none stated", "18.9 s; refused: diverged"),
    stop_then_unlink!("qdevice", "corosync-qdevice").needs(Needs::QuorumDevice).costs("none stated", "18.2 s; refused: diverged"),
    stop_then_unlink!("quorated", "quorated").costs("none stated", "not run"),
    Fault::own(
        "survivor-qdevice-stop-then-unlink",
        "SIGSTOP to corosync-qdevice of the standby that would take over, 20 s later the primary's cable is pulled",
        several::survivors_qdevice_then_unlink,
        inject::cable_is_out,
    )
    .needs(Needs::QuorumDevice)
    .seen_by("the cable is out")
    .insiders(Insiders::Sessions)
    .loses(Loss::Possible)
    .counts_from(CountsFrom::LastGoodWrite)
    .happens_within(15)
    .restored_within(90)
    .costs("the survivor loses the vote", "no service: both nodes reset themselves"),
    Fault::stop_then_unlink(
        "postmaster-stop-then-unlink",
        "SIGSTOP to the postmasters alone, which hear no order to stop then; 1 s later the cable is pulled",
        Processes::POSTMASTER,
        CABLE_AT_ONCE,
    )
    .costs("none stated", "19.5 s; refused: diverged"),
];
