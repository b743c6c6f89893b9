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

/// How one subject is watched.
#[derive(Debug)]
pub struct Rule {
    pub subject: Subject,
    /// For the log.
    pub name: &'static str,
    /// The name of its process, as the kernel has it: 15 bytes at most.
    pub comm: &'static str,
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

    /// Whether it is asked, or only its process looked at.
    #[must_use]
    pub const fn answers(self) -> bool {
        !matches!(self, Self::Sbd | Self::Qdevice)
    }
}

const fn daemon(
    subject: Subject,
    name: &'static str,
    comm: &'static str,
    socket: &'static str,
    remedy: Remedy,
) -> Rule {
    Rule { subject, name, comm, socket: Some(socket), unit: "pacemaker.service", remedy }
}

/// The table. The sockets' names are Pacemaker's (`include/crm/common/ipc.h`: `CRM_SYSTEM_*`, `PCMK__SERVER_BASED_RO` …).
///
/// pacemaker-based is not killed: the other members call its node lost then, while it lives on.
pub(super) static RULES: [Rule; 11] = [
    Rule {
        subject: Subject::Corosync,
        name: "corosync",
        comm: "corosync",
        socket: None,
        unit: "corosync.service",
        remedy: Remedy::Reset,
    },
    Rule {
        subject: Subject::Totem,
        name: "corosync's membership",
        comm: "corosync",
        socket: None,
        unit: "corosync.service",
        remedy: Remedy::Fence,
    },
    daemon(Subject::Pacemakerd, "pacemakerd", "pacemakerd", "pacemakerd", Remedy::Kill),
    daemon(Subject::Based, "pacemaker-based", "pacemaker-based", "cib_ro", Remedy::Reset),
    daemon(Subject::Controld, "pacemaker-controld", "pacemaker-contr", "crmd", Remedy::Kill),
    daemon(Subject::Execd, "pacemaker-execd", "pacemaker-execd", "lrmd", Remedy::Kill),
    daemon(Subject::Attrd, "pacemaker-attrd", "pacemaker-attrd", "attrd", Remedy::Kill),
    daemon(Subject::Fenced, "pacemaker-fenced", "pacemaker-fence", "stonith-ng", Remedy::Kill),
    daemon(Subject::Schedulerd, "pacemaker-schedulerd", "pacemaker-sched", "pengine", Remedy::Kill),
    Rule {
        subject: Subject::Sbd,
        name: "sbd",
        comm: "sbd",
        socket: None,
        unit: "sbd.service",
        remedy: Remedy::Reset,
    },
    Rule {
        subject: Subject::Qdevice,
        name: "corosync-qdevice",
        comm: "corosync-qdevic",
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
            assert!(subject.rule().comm.len() <= 15, "{subject:?}: the kernel cuts it");
        }
    }
}
