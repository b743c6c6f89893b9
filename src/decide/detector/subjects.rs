//! Who is watched, how it is asked, and what is done when it hangs: one table.

use serde::Serialize;

/// A daemon, or a service of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// corosync's votequorum answers.
    Corosync,
    /// A message to the own process group (CPG) comes back: totem delivers.
    Totem,
    Pacemakerd,
    Based,
    Controld,
    Execd,
    Attrd,
    Fenced,
    Schedulerd,
    Sbd,
    Qdevice,
}

/// What is done about one that hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// SIGKILL: its supervisor starts it anew, and the service goes on. The node is reset when that does not help.
    Kill,
    /// SIGKILL, and systemd starts its unit. Never a reason to reset.
    Restart,
    /// The node.
    Reset,
    /// The primaries of this node end: it can't know whether the others go on without it.
    Fence,
}

/// Whose rights a daemon has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    Root,
    /// Pacemaker's own: `hacluster`.
    Cluster,
}

/// How one subject is watched.
#[derive(Debug)]
pub struct Rule {
    pub subject: Subject,
    /// For the log.
    pub name: &'static str,
    /// The package's program; [`super::identity`] has what else makes a process the daemon.
    pub program: &'static str,
    /// Whose rights it has.
    pub user: User,
    /// The abstract socket on which libqb answers for it, where it has one.
    pub socket: Option<&'static str>,
    /// systemd's unit.
    pub unit: &'static str,
    pub remedy: Remedy,
}

impl Subject {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 11] = [
        Self::Corosync,
        Self::Totem,
        Self::Pacemakerd,
        Self::Based,
        Self::Controld,
        Self::Execd,
        Self::Attrd,
        Self::Fenced,
        Self::Schedulerd,
        Self::Sbd,
        Self::Qdevice,
    ];

    /// Its line of the table.
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        &RULES[self as usize]
    }

    /// Whether it is asked, or only its process looked at. The quorum device's client is asked through
    /// votequorum, to which it reports.
    #[must_use]
    pub const fn answers(self) -> bool {
        !matches!(self, Self::Sbd)
    }
}

/// What the cluster's configuration has: nothing else is looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Expected {
    /// No cluster is set up here.
    Nothing,
    /// A cluster without a quorum device.
    WithoutDevice,
    /// All of it, or nobody knows.
    #[default]
    Everything,
}

impl Expected {
    /// Whether this subject is among it.
    #[must_use]
    pub fn has(self, subject: Subject) -> bool {
        match self {
            Self::Nothing => false,
            Self::WithoutDevice => subject != Subject::Qdevice,
            Self::Everything => true,
        }
    }
}

impl Rule {
    /// Whether it is one of Pacemaker's daemons.
    #[must_use]
    pub fn is_of_pacemaker(&self) -> bool {
        self.unit == PACEMAKER
    }
}

const PACEMAKER: &str = "pacemaker.service";

const fn daemon(
    subject: Subject,
    name: &'static str,
    program: &'static str,
    user: User,
    socket: &'static str,
    remedy: Remedy,
) -> Rule {
    Rule { subject, name, program, user, socket: Some(socket), unit: PACEMAKER, remedy }
}

/// The table. The sockets' names are Pacemaker's (`include/crm/common/ipc.h`: `CRM_SYSTEM_*`, `PCMK__SERVER_BASED_RO` …).
///
/// pacemaker-based is not killed: the other members call its node lost then, while it lives on.
pub(super) static RULES: [Rule; 11] = [
    Rule {
        subject: Subject::Corosync,
        name: "corosync",
        program: "/usr/sbin/corosync",
        user: User::Root,
        socket: None,
        unit: "corosync.service",
        remedy: Remedy::Reset,
    },
    Rule {
        subject: Subject::Totem,
        name: "corosync's membership",
        program: "/usr/sbin/corosync",
        user: User::Root,
        socket: None,
        unit: "corosync.service",
        remedy: Remedy::Fence,
    },
    daemon(Subject::Pacemakerd, "pacemakerd", "/usr/sbin/pacemakerd", User::Root, "pacemakerd", Remedy::Kill),
    daemon(
        Subject::Based,
        "pacemaker-based",
        "/usr/lib/pacemaker/pacemaker-based",
        User::Cluster,
        "cib_ro",
        Remedy::Reset,
    ),
    daemon(
        Subject::Controld,
        "pacemaker-controld",
        "/usr/lib/pacemaker/pacemaker-controld",
        User::Cluster,
        "crmd",
        Remedy::Kill,
    ),
    daemon(
        Subject::Execd,
        "pacemaker-execd",
        "/usr/lib/pacemaker/pacemaker-execd",
        User::Root,
        "lrmd",
        Remedy::Kill,
    ),
    daemon(
        Subject::Attrd,
        "pacemaker-attrd",
        "/usr/lib/pacemaker/pacemaker-attrd",
        User::Cluster,
        "attrd",
        Remedy::Kill,
    ),
    daemon(
        Subject::Fenced,
        "pacemaker-fenced",
        "/usr/lib/pacemaker/pacemaker-fenced",
        User::Root,
        "stonith-ng",
        Remedy::Kill,
    ),
    daemon(
        Subject::Schedulerd,
        "pacemaker-schedulerd",
        "/usr/lib/pacemaker/pacemaker-schedulerd",
        User::Cluster,
        "pengine",
        Remedy::Kill,
    ),
    Rule {
        subject: Subject::Sbd,
        name: "sbd",
        program: "/usr/sbin/sbd",
        user: User::Root,
        socket: None,
        unit: "sbd.service",
        remedy: Remedy::Reset,
    },
    Rule {
        subject: Subject::Qdevice,
        name: "corosync-qdevice",
        program: "/usr/sbin/corosync-qdevice",
        user: User::Root,
        socket: None,
        unit: "corosync-qdevice.service",
        remedy: Remedy::Restart,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_line() {
        for subject in Subject::ALL {
            assert_eq!(subject.rule().subject, subject);
            assert!(subject.rule().program.starts_with("/usr/"), "{subject:?}");
        }
    }
}
