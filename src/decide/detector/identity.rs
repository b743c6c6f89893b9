//! Which process is a daemon: by its user, its program and its unit. A name is no evidence: anybody may run
//! `/tmp/sbd`, or call himself so.

use std::path::{Path, PathBuf};

use super::subjects::Rule;
pub use super::subjects::User;

/// A process that may be a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// `None` where its real, effective and saved user are not the same one: a program with the set-user-ID
    /// bit, for one.
    pub user: Option<u32>,
    /// What it executes, without the mark of a file that was replaced since.
    pub program: PathBuf,
    /// The service of this machine's systemd in whose control group it runs. `None`: a login session, a
    /// container, a user's service.
    pub unit: Option<String>,
    pub parent: Parent,
}

/// Who started it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parent {
    /// pid 1, or who did has ended.
    Init,
    Program(PathBuf),
    Unknown,
}

/// What a candidate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The daemon, in its own unit.
    Own,
    /// The daemon, under the name of another unit.
    Under(String),
    /// Something else, by this.
    Other(Mismatch),
}

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    Program,
    User,
    Unit,
}

/// Compares a candidate with what the daemon of `rule` is. `cluster_user`: the number of Pacemaker's user,
/// where it has one.
///
/// In the daemon's own unit, into which root and systemd alone put a process, the program's name is enough:
/// it may be a build of the site's own. Under another unit it has to be the package's program, and a main
/// process: a `sbd query-watchdog` that a timer runs is not sbd.
#[must_use]
pub fn identify(rule: &Rule, candidate: &Candidate, cluster_user: Option<u32>) -> Identity {
    if candidate.program.file_name() != Path::new(rule.program).file_name() {
        return Identity::Other(Mismatch::Program);
    }
    let allowed = match (candidate.user, rule.user) {
        (None, _) => false,
        (Some(0), _) => true,
        (Some(user), User::Cluster) => Some(user) == cluster_user,
        (Some(_), User::Root) => false,
    };
    if !allowed {
        return Identity::Other(Mismatch::User);
    }
    match &candidate.unit {
        None => Identity::Other(Mismatch::Unit),
        Some(unit) if unit == rule.unit => Identity::Own,
        Some(_) if !is_packaged(rule, &candidate.program) => Identity::Other(Mismatch::Program),
        Some(unit) => match &candidate.parent {
            Parent::Init => Identity::Under(unit.clone()),
            Parent::Program(program) if rule.is_of_pacemaker() && program.ends_with("pacemakerd") => {
                Identity::Under(unit.clone())
            }
            Parent::Program(_) | Parent::Unknown => Identity::Other(Mismatch::Unit),
        },
    }
}

/// Debian's directories, and Red Hat's for Pacemaker's daemons.
fn is_packaged(rule: &Rule, program: &Path) -> bool {
    program == Path::new(rule.program)
        || rule
            .program
            .strip_prefix("/usr/lib/")
            .is_some_and(|name| program == Path::new("/usr/libexec").join(name))
}

/// The control group of a process among those that systemd makes: of `/proc/PID/cgroup`, in each of its three
/// hierarchies (the unified one, the old one, both).
#[must_use]
pub fn control_group(text: &str) -> Option<&str> {
    let path = |controllers: &str| {
        text.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            (fields.next() == Some(controllers)).then(|| fields.next()).flatten()
        })
    };
    path("name=systemd").or_else(|| path(""))
}

/// The group below which systemd makes its own, as pid 1 is in it: not `/` in a container that sees its
/// host's.
#[must_use]
pub fn root_group(first: &str) -> &str {
    let group = control_group(first).unwrap_or_default();
    group.strip_suffix("/init.scope").unwrap_or(group).trim_end_matches('/')
}

/// The service of the system's manager in which a group lies. Not those of a user's manager, nor of a
/// container's, whose names their owners choose.
#[must_use]
pub fn unit_of<'a>(group: &'a str, root: &str) -> Option<&'a str> {
    let below = group.strip_prefix(root)?.strip_prefix('/')?;
    let unit = below.split('/').find(|part| !part.ends_with(".slice"))?;
    (unit.ends_with(".service") && !unit.starts_with("user@")).then_some(unit)
}

#[cfg(test)]
mod tests {
    use super::super::Subject;
    use super::*;

    const HACLUSTER: u32 = 112;
    const NOBODY: u32 = 65534;

    fn of(user: u32, program: &str, unit: Option<&str>, parent: Parent) -> Candidate {
        Candidate { user: Some(user), program: program.into(), unit: unit.map(Into::into), parent }
    }

    #[test]
    fn a_process_is_known_by_user_program_and_unit() {
        use Identity::{Other, Own};
        use Mismatch::{Program, Unit, User};
        let under = |unit: &str| Identity::Under(unit.into());
        let by = |program: &str| Parent::Program(program.into());
        let (sbd, own) = ("/usr/sbin/sbd", Some("sbd.service"));
        let (based, pacemaker) = ("/usr/lib/pacemaker/pacemaker-based", Some("pacemaker.service"));
        let site = Some("cluster.service");
        for (what, subject, candidate, right) in [
            ("the daemon", Subject::Sbd, of(0, sbd, own, Parent::Init), Own),
            ("started by a shell of its unit", Subject::Sbd, of(0, sbd, own, by("/bin/dash")), Own),
            ("a site's own build", Subject::Sbd, of(0, "/opt/sbd/bin/sbd", own, Parent::Init), Own),
            ("anybody's file", Subject::Sbd, of(NOBODY, "/tmp/sbd", None, Parent::Init), Other(User)),
            ("anybody in a service", Subject::Sbd, of(NOBODY, sbd, site, Parent::Init), Other(User)),
            ("anybody in its unit", Subject::Sbd, of(NOBODY, sbd, own, Parent::Init), Other(User)),
            ("only a name", Subject::Sbd, of(0, "/usr/bin/sleep", own, Parent::Init), Other(Program)),
            ("root's copy", Subject::Sbd, of(0, "/root/sbd", None, Parent::Init), Other(Unit)),
            (
                "root's copy as a service",
                Subject::Sbd,
                of(0, "/root/sbd", site, Parent::Init),
                Other(Program),
            ),
            ("by hand", Subject::Sbd, of(0, sbd, None, by("/bin/bash")), Other(Unit)),
            ("of a timer", Subject::Sbd, of(0, sbd, site, by("/bin/dash")), Other(Unit)),
            ("parent unknown", Subject::Sbd, of(0, sbd, site, Parent::Unknown), Other(Unit)),
            ("another unit's name", Subject::Sbd, of(0, sbd, site, Parent::Init), under("cluster.service")),
            ("Pacemaker's user", Subject::Based, of(HACLUSTER, based, pacemaker, Parent::Init), Own),
            ("or root", Subject::Based, of(0, based, pacemaker, Parent::Init), Own),
            (
                "not so for root's",
                Subject::Execd,
                of(HACLUSTER, "/usr/lib/pacemaker/pacemaker-execd", pacemaker, Parent::Init),
                Other(User),
            ),
            ("nor for sbd", Subject::Sbd, of(HACLUSTER, sbd, own, Parent::Init), Other(User)),
            (
                "its child",
                Subject::Based,
                of(HACLUSTER, based, site, by("/usr/sbin/pacemakerd")),
                under("cluster.service"),
            ),
            ("a shell's", Subject::Based, of(HACLUSTER, based, site, by("/bin/sh")), Other(Unit)),
            (
                "Red Hat's",
                Subject::Based,
                of(0, "/usr/libexec/pacemaker/pacemaker-based", site, Parent::Init),
                under("cluster.service"),
            ),
            (
                "sbd is no child of it",
                Subject::Sbd,
                of(0, sbd, site, by("/usr/sbin/pacemakerd")),
                Other(Unit),
            ),
        ] {
            assert_eq!(identify(subject.rule(), &candidate, Some(HACLUSTER)), right, "{what}");
        }
        let mixed = Candidate { user: None, ..of(0, sbd, own, Parent::Init) };
        assert_eq!(
            identify(Subject::Sbd.rule(), &mixed, Some(HACLUSTER)),
            Other(User),
            "a set-user-ID program"
        );
        let based = of(HACLUSTER, based, pacemaker, Parent::Init);
        assert_eq!(identify(Subject::Based.rule(), &based, None), Other(User), "the user is not known");
    }

    #[test]
    fn the_unit_of_each_hierarchy() {
        let unified = "0::/system.slice/sbd.service\n";
        let old = "12:pids:/x\n5:name=systemd:/system.slice/sbd.service\n0::/\n";
        let both = "9:freezer:/\n1:name=systemd:/system.slice/sbd.service\n0::/system.slice/sbd.service\n";
        for text in [unified, old, both] {
            assert_eq!(control_group(text).and_then(|g| unit_of(g, "")), Some("sbd.service"), "{text}");
        }
        assert_eq!(control_group("garbage\n1:x\n"), None);
        for (group, unit) in [
            ("/system.slice/sbd.service/watchers", Some("sbd.service")),
            ("/cluster.slice/cluster-ha.slice/sbd.service", Some("sbd.service")),
            ("/user.slice/user-1000.slice/user@1000.service/app.slice/sbd.service", None),
            ("/machine.slice/x.scope/system.slice/sbd.service", None),
            ("/user.slice/user-0.slice/session-1.scope", None),
            ("/lab/srv1/system.slice/sbd.service", None),
            ("/system.slice", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(unit_of(group, ""), unit, "{group}");
        }
    }

    #[test]
    fn a_container_that_sees_the_groups_of_its_host() {
        assert_eq!(root_group("1:name=systemd:/init.scope\n0::/init.scope\n"), "");
        assert_eq!(root_group("0::/\n"), "");
        let root = root_group("0::/machine.slice/srv1/init.scope\n");
        assert_eq!(root, "/machine.slice/srv1");
        assert_eq!(unit_of("/machine.slice/srv1/system.slice/sbd.service", root), Some("sbd.service"));
        assert_eq!(unit_of("/machine.slice/srv12/system.slice/sbd.service", root), None);
        assert_eq!(unit_of("/system.slice/sbd.service", root), None);
    }
}
