//! Rules about a node that runs.

use super::super::{disks, node, self_fencing};
use crate::decide::doctor::rule::Rule;
use crate::decide::doctor::rule::Severity::{Error, Warning};
use crate::decide::doctor::rule::Subject::Node;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "members",
        severity: Error,
        subject: Node,
        rule: "every node of corosync.conf is online",
        why: "\"2 of 3\" looks normal until the next one is lost",
        check: node::members,
    },
    Rule {
        name: "start-at-boot",
        severity: Warning,
        subject: Node,
        rule: "corosync, Pacemaker, corosync-qdevice and quorated start at boot, or the site says start_at_boot = false",
        why: "after any reset somebody has to start the node; two such nodes, and the service is down",
        check: node::start_at_boot,
    },
    Rule {
        name: "one-more-loss",
        severity: Warning,
        subject: Node,
        rule: "with one vote less, of a node or of the quorum device, there is still a quorum",
        why: "the next loss ends the service: a node that is stopped, or a witness that is silent for longer than its timeout",
        check: node::one_more_loss,
    },
    Rule {
        name: "reset-held-back",
        severity: Error,
        subject: Node,
        rule: "quorated holds no reset of this node back",
        why: "something hangs here, and no other node is well enough to go on in its place",
        check: node::held_reset,
    },
    Rule {
        name: "disk-timeouts",
        severity: Warning,
        subject: Node,
        rule: "a disk by several paths gives a lost one up within quorated's 8 s; one of the cluster's state answers within its 300 s",
        why: "a path that fails over, or an array's controller, is taken for a disk that hangs: the role moves, or the node is reset",
        check: disks::timeouts,
    },
    Rule {
        name: "quorated",
        severity: Warning,
        subject: Node,
        rule: "quorated runs, and acts on what it finds",
        why: "a daemon or a disk that hangs is noticed late or by nobody; a node that lost quorum hears of it from daemons that may hang",
        check: node::quorated,
    },
    Rule {
        name: "self-fence-record",
        severity: Warning,
        subject: Node,
        rule: "no member of the cluster has a self-fence record here",
        why: "a record says that its node has reset itself; quorated, which drops it as soon as the node is back, does not run here, or hangs",
        check: self_fencing::records,
    },
];
