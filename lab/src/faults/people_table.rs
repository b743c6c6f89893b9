//! The table of what people do.

use super::fault::{Breaks, Fault};
use super::{inject, leftovers, people, several};
use crate::truth::Loss;

/// Ordinary acts of operators, each of which lost acknowledged commits once.
pub(super) const PEOPLE: &[Fault] = &[
    Fault::own(
        "standby-then-power-off-then-unstandby",
        "the primary goes into standby mode, another one acknowledges and loses its power, the first one comes back",
        people::standby_then_power_off,
        several::the_other_is_off,
    )
    .seen_by("the machine that got the role is off")
    .of_people()
    .takes_all_of_two()
    .happens_within(15)
    .restored_within(60)
    .costs("PAF: promotes the first one", "no service until it is back; standby by itself"),
    Fault::own(
        "hand-promote",
        "pg_promote() on a standby, by hand",
        people::hand_promote,
        people::is_refused,
    )
    .seen_by("Pacemaker lists a failed action of the node, with the reason")
    .of_people()
    .forks()
    .usually_on("standby")
    .happens_within(60)
    .costs("PAF: two primaries", "unnoticed; stopped after 1.7 s, rebuilt by hand"),
    Fault::own(
        "hand-start-former-primary",
        "pcs cluster stop; PostgreSQL is started by hand as a primary, and writes; pcs cluster start",
        people::hand_start,
        people::is_refused,
    )
    .seen_by("Pacemaker lists a failed action of the node, with the reason")
    .of_people()
    .forks()
    .happens_within(90)
    .costs("the real primary is demoted", "1.2 s; refused: diverged"),
    Fault::own(
        "recovery-target-left",
        "recovery_target = immediate and recovery_target_action = promote are left on the primary; a switchover",
        people::recovery_target_left,
        inject::primary_moved,
    )
    .seen_by("the role is on the node that it was to go to")
    .of_people()
    .happens_within(30)
    .costs("the demoted one promotes itself", "1.7 s; standby by itself"),
    Fault::own(
        "standbys-away",
        "all standbys go into standby mode (pcs node standby): commits that wait for one would hang",
        people::standbys_away,
        people::they_are_away,
    )
    .seen_by("Pacemaker shows them in standby mode")
    .of_people()
    .happens_within(30)
    .reacts_within(30)
    .costs("every commit hangs", "unnoticed"),
    Fault::two(
        "pair",
        "the primary and the standby that would take over lose their power in the same moment",
        people::pair,
    )
    .of_people()
    .takes_all()
    .restored_within(60)
    .costs("two of four nodes with the last commits: 40 of 40 rows lost", "no service; primary again"),
    Fault::own(
        "all-off-primary-stays-off",
        "all database nodes lose their power, and all but the primary's come back",
        people::all_but_the_primary_return,
        people::the_others_are_back,
    )
    .seen_by("the primary's machine is off, the others are members again")
    .of_people()
    .takes_all()
    .loses(Loss::Possible)
    .happens_within(120)
    .restored_within(60)
    .costs("who boots first is promoted", "no service; primary again"),
    Fault::own(
        "forked-copy",
        "a standby was started once by hand, on the primary's timeline, and wrote; then it is a standby again",
        leftovers::forked_copy,
        leftovers::it_was_put_aside_or_refused,
    )
    .seen_by("its data stand aside, kept, or Pacemaker lists a failed action of the node")
    .of_people()
    .forks()
    .usually_on("standby")
    .happens_within(90)
    .costs("elected later: 5 of 5 rows lost", "unnoticed"),
    Fault::own(
        "foreign-datadir",
        "a standby's data directory is replaced by an empty server's (initdb)",
        leftovers::foreign_datadir,
        people::is_refused,
    )
    .seen_by("Pacemaker lists a failed action of the node, with the reason")
    .of_people()
    .usually_on("standby")
    .happens_within(60)
    .unnoticed()
    .costs("it wins an election by a higher timeline", "unnoticed"),
    Fault::own(
        "commit-hang",
        "a name that no standby has is left in synchronous_standby_names",
        leftovers::commit_hang,
        leftovers::commits_wait_or_it_was_replaced,
    )
    .seen_by("commits wait, or the agent has put its own names in place of it")
    .of_people()
    .takes_all()
    .reacts_within(30)
    .restored_within(30)
    .costs("every commit hangs, \"no issues found\"", "no service; primary again"),
    Fault::own(
        "wrong-address",
        "the parameter addresses gives each node the address of the next",
        leftovers::wrong_address,
        leftovers::the_address_is_wrong,
    )
    .seen_by("Pacemaker has the parameter so")
    .of_people()
    .reacts_within(60)
    .costs("standbys stream from themselves, \"0 bytes behind\"", "unnoticed"),
    Fault::own(
        "busy-voter",
        "the standby that would take over has no connection and no processor left, and the primary loses its power",
        leftovers::busy_voter,
        inject::power_is_off,
    )
    .seen_by("the primary's machine is off")
    .breaks(Breaks::Machine)
    .loses(Loss::Possible)
    .reacts_within(40)
    .restored_within(120)
    .costs("it publishes no ballot, and nobody is promoted", "18 s; standby by itself"),
];
