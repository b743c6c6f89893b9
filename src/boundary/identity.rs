//! The operating system's users, and acting as one of them for a moment.

use std::path::PathBuf;

use nix::unistd::{Gid, Uid, User, getgrouplist, getgroups};

use crate::pg::instance::Access;

/// A user that the machine knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemUser {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// All groups, the primary one too.
    pub groups: Vec<u32>,
    /// Home directory.
    pub home: PathBuf,
}

/// The user can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// No such user.
    #[error(
        "there is no user \"{0}\" on this machine; install PostgreSQL's packages or set system_user to the owner of the data directory"
    )]
    Unknown(String),
    /// The user database failed.
    #[error("the user \"{name}\" can't be looked up: {errno}; check nsswitch.conf")]
    Lookup {
        /// Login name.
        name: String,
        /// Why.
        errno: nix::errno::Errno,
    },
}

impl From<&Access> for SystemUser {
    /// As the agent has looked it up: whoever asks no name service does not wait for one.
    fn from(access: &Access) -> Self {
        let groups = if access.groups.is_empty() { vec![access.gid] } else { access.groups.clone() };
        Self {
            name: access.user.clone(),
            uid: access.uid,
            gid: access.gid,
            groups,
            home: access.home.clone(),
        }
    }
}

impl SystemUser {
    /// Looks a user up by name, with all groups. May block on a name service (LDAP, sssd) outside our control: once for each call, early.
    ///
    /// # Errors
    /// No such user, or the lookup failed.
    pub fn lookup(name: &str) -> Result<Self, IdentityError> {
        let failed = |errno| IdentityError::Lookup { name: name.to_owned(), errno };
        let user =
            User::from_name(name).map_err(failed)?.ok_or_else(|| IdentityError::Unknown(name.to_owned()))?;
        let c_name = std::ffi::CString::new(name).map_err(|_| IdentityError::Unknown(name.to_owned()))?;
        let groups = getgrouplist(&c_name, user.gid).map_err(failed)?;
        Ok(Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
            home: user.dir,
        })
    }

    /// Root, which is not looked up.
    #[must_use]
    pub fn root() -> Self {
        Self { name: "root".into(), uid: 0, gid: 0, groups: vec![0], home: "/root".into() }
    }

    /// The user with this number.
    ///
    /// # Errors
    /// As [`Self::lookup`].
    #[cfg(any(feature = "cli", feature = "daemon"))]
    pub fn by_uid(uid: u32) -> Result<Self, IdentityError> {
        let name = uid.to_string();
        let user = User::from_uid(nix::unistd::Uid::from_raw(uid))
            .map_err(|errno| IdentityError::Lookup { name: name.clone(), errno })?;
        Self::lookup(&user.ok_or(IdentityError::Unknown(name))?.name)
    }

    /// Runs `act` with this user's effective ids and groups, and without root's capabilities. The kernel takes them for a
    /// socket's peer credentials, for the rights on files and for the owner of a new one. Real and saved id stay root's, so
    /// that the user can't signal or trace us meanwhile. When we are not root, `act` runs as whoever we are.
    ///
    /// Only the calling thread changes: the bare system calls are used rather than libc's wrappers, which change all threads.
    pub fn act_as<T>(&self, act: impl FnOnce() -> T) -> T {
        let _back = EffectiveIds::take(self.uid, self.gid, &self.groups);
        act()
    }
}

/// Puts the ids back when it goes out of scope, a panic included.
struct EffectiveIds(Option<Before>);

/// What the thread had.
struct Before {
    uid: u32,
    gid: u32,
    groups: Vec<libc::gid_t>,
}

/// "Leave it" for setresuid and setresgid.
const KEEP: libc::c_long = -1;

impl EffectiveIds {
    fn take(uid: u32, gid: u32, groups: &[u32]) -> Self {
        let before = (Uid::effective().as_raw(), Gid::effective().as_raw());
        if before.0 != 0 || uid == 0 {
            return Self(None);
        }
        let own = getgroups().expect("the kernel tells a process its groups");
        let own = own.into_iter().map(Gid::as_raw).collect();
        // From here on the guard goes back even if a step fails. The groups first: without uid 0 they could no longer change.
        let back = Self(Some(Before { uid: before.0, gid: before.1, groups: own }));
        Self::set_groups(groups);
        Self::set_gid(gid);
        Self::set_uid(uid);
        back
    }

    fn set_groups(groups: &[u32]) {
        // SAFETY: pointer and length are those of a live slice of gid_t.
        let rc = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
        assert!(
            rc == 0,
            "root may take and give back groups {groups:?}: {}",
            std::io::Error::last_os_error()
        );
    }

    fn set_uid(uid: u32) {
        // SAFETY: setresuid takes integers and touches no memory of ours.
        let rc = unsafe { libc::syscall(libc::SYS_setresuid, KEEP, libc::c_long::from(uid), KEEP) };
        assert!(
            rc == 0,
            "root may take and give back effective user {uid}: {}",
            std::io::Error::last_os_error()
        );
    }

    fn set_gid(gid: u32) {
        // SAFETY: as above.
        let rc = unsafe { libc::syscall(libc::SYS_setresgid, KEEP, libc::c_long::from(gid), KEEP) };
        assert!(
            rc == 0,
            "root may take and give back effective group {gid}: {}",
            std::io::Error::last_os_error()
        );
    }
}

impl Drop for EffectiveIds {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            Self::set_uid(before.uid);
            Self::set_gid(before.gid);
            Self::set_groups(&before.groups);
        }
    }
}

/// The id of this boot of the machine. Empty where the kernel tells none.
pub fn boot_id() -> String {
    let read = super::storage::read_text("/proc/sys/kernel/random/boot_id".as_ref());
    read.map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// The machine's name.
pub fn host_name() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known() {
        let root = SystemUser::lookup("root").expect("root");
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0));
    }

    #[test]
    fn unknown_users_are_named() {
        assert_eq!(SystemUser::lookup("no-such-user"), Err(IdentityError::Unknown("no-such-user".into())));
        assert!(SystemUser::lookup("a\0b").is_err());
    }

    #[test]
    fn ids_come_back_even_after_a_panic() {
        let nobody = SystemUser::lookup("nobody").expect("nobody");
        let ids = || (Uid::effective(), Gid::effective(), getgroups().expect("groups"));
        let before = ids();
        let during = nobody.act_as(ids);
        if before.0.is_root() {
            let groups = nobody.groups.iter().copied().map(Gid::from_raw).collect();
            assert_eq!(during, (Uid::from_raw(nobody.uid), Gid::from_raw(nobody.gid), groups));
            // Root's rights on files are gone, not only its name.
            let shadow = nobody.act_as(|| std::fs::read("/etc/shadow"));
            assert_eq!(shadow.expect_err("root's").kind(), std::io::ErrorKind::PermissionDenied);
        }
        let caught = std::panic::catch_unwind(|| nobody.act_as(|| panic!("on purpose")));
        assert!(caught.is_err());
        assert_eq!(ids(), before);
    }
}
