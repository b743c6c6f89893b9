//! The operating system's users, and acting as one of them for a moment.

use std::path::PathBuf;

use nix::unistd::{Gid, Uid, User, getgrouplist};

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

    /// The user with this number.
    ///
    /// # Errors
    /// As [`Self::lookup`].
    #[cfg(feature = "daemon")]
    pub fn by_uid(uid: u32) -> Result<Self, IdentityError> {
        let name = uid.to_string();
        let user = User::from_uid(nix::unistd::Uid::from_raw(uid))
            .map_err(|errno| IdentityError::Lookup { name: name.clone(), errno })?;
        Self::lookup(&user.ok_or(IdentityError::Unknown(name))?.name)
    }

    /// Runs `act` with this user's effective ids. The kernel takes them for a socket's peer credentials and for the rights on
    /// files; supplementary groups stay ours. When we are not root, `act` runs as whoever we are.
    ///
    /// Only the calling thread changes: the bare system calls are used rather than libc's wrappers, which change all threads.
    pub fn act_as<T>(&self, act: impl FnOnce() -> T) -> T {
        let _back = EffectiveIds::take(self.uid, self.gid);
        act()
    }
}

/// Puts the ids back when it goes out of scope, a panic included.
struct EffectiveIds(Option<(u32, u32)>);

/// "Leave it" for setresuid and setresgid.
const KEEP: libc::c_long = -1;

impl EffectiveIds {
    fn take(uid: u32, gid: u32) -> Self {
        let before = (Uid::effective().as_raw(), Gid::effective().as_raw());
        if before.0 != 0 || uid == 0 {
            return Self(None);
        }
        // The group first: without uid 0 it could no longer change.
        Self::set_gid(gid);
        Self::set_uid(uid);
        Self(Some(before))
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
        if let Some((uid, gid)) = self.0 {
            Self::set_uid(uid);
            Self::set_gid(gid);
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
        let before = (Uid::effective(), Gid::effective());
        let during = nobody.act_as(|| Uid::effective().as_raw());
        if before.0.is_root() {
            assert_eq!(during, nobody.uid);
        }
        let caught = std::panic::catch_unwind(|| nobody.act_as(|| panic!("on purpose")));
        assert!(caught.is_err());
        assert_eq!((Uid::effective(), Gid::effective()), before);
    }
}
