//! The table of what people do.

use super::fault::Fault;
use super::{inject, people, several};
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
];
