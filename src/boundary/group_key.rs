//! The key with which `quorated`'s messages are sealed, from corosync's own.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use super::host::{HostError, HostResult};
use super::storage;
use crate::cluster::corosync::conf;
use crate::cluster::corosync::key::{DEFAULT_FILE, Source, source};
use crate::cluster::group::key::Key;

/// corosync takes no longer key.
const LONGEST: u64 = 4096;
/// Bits of a mode that let others than the owner read.
const OTHERS: u32 = 0o077;

/// When the files were last written that the key comes from: it is read anew when this changes.
#[must_use]
pub fn written(configuration: &Path) -> [Option<SystemTime>; 2] {
    let modified = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
    let named = match find(configuration) {
        Ok(Source::File(file)) => file,
        Ok(Source::Off(_) | Source::Written(_)) | Err(_) => DEFAULT_FILE.to_owned(),
    };
    [modified(configuration), modified(named.as_ref())]
}

/// Reads it.
///
/// # Errors
/// There is none, or not root alone can read it; with the cure.
pub fn read(configuration: &Path) -> HostResult<Key> {
    let bytes = match find(configuration)? {
        Source::Off(off) => {
            return Err(HostError::unusable(format!(
                "{}: {}; {}",
                configuration.display(),
                off.what,
                off.cure
            )));
        }
        Source::File(file) => {
            let path = Path::new(&file);
            private(path)?;
            storage::read(path, LONGEST)?
        }
        Source::Written(key) => {
            private(configuration)?;
            key.into_bytes()
        }
    };
    Key::derive(&bytes).map_err(|e| HostError::unusable(e.to_string()))
}

fn find(configuration: &Path) -> HostResult<Source> {
    let text = storage::read_text(configuration)?;
    let conf = conf::parse(&text).map_err(|e| {
        HostError::unusable(format!("{}:{}: {}; {}", configuration.display(), e.line, e.what, e.cure))
    })?;
    Ok(source(&conf))
}

/// Whether root alone can read it: who else can, could seal a message.
fn private(path: &Path) -> HostResult<()> {
    let meta = std::fs::metadata(path).map_err(|e| HostError::from(e).about(path.display()))?;
    let (owner, mode) = (meta.uid(), meta.mode() & 0o7777);
    if owner != nix::unistd::geteuid().as_raw() || mode & OTHERS != 0 {
        let why = format!(
            "others than root can read corosync's key (owner {owner}, mode {mode:04o}); chown root and chmod 0400"
        );
        return Err(HostError::forbidden(why).about(path.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_a_key_that_root_alone_can_read_is_one() {
        let directory = tempfile::tempdir().unwrap();
        let (conf, file) = (directory.path().join("corosync.conf"), directory.path().join("authkey"));
        let chmod = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let write = |lines: &str| std::fs::write(&conf, format!("totem {{\n{lines}\n}}\n")).unwrap();
        write(&format!("secauth: on\nkeyfile: {}", file.display()));
        assert!(read(&conf).unwrap_err().text.contains("authkey"));
        std::fs::write(&file, [7; 256]).unwrap();
        chmod(&file, 0o440);
        assert!(read(&conf).unwrap_err().text.contains("mode 0440"));
        chmod(&file, 0o400);
        let before = written(&conf);
        let key = read(&conf).unwrap();
        assert_eq!(Ok(key.clone()), Key::derive(&[7; 256]));
        chmod(&file, 0o600);
        std::fs::write(&file, [8; 256]).unwrap();
        std::fs::File::open(&file).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_ne!(written(&conf), before, "it is read anew");
        assert_ne!(read(&conf).unwrap(), key);
        std::fs::write(&file, [8; 16]).unwrap();
        assert!(read(&conf).unwrap_err().text.contains("16 bytes"));
        write("secauth: off");
        assert!(read(&conf).unwrap_err().text.contains("crypto_hash is none"));
        write(&format!("secauth: on\nkey: {}", "k".repeat(128)));
        chmod(&conf, 0o644);
        assert!(read(&conf).unwrap_err().text.contains("mode 0644"), "a key in a file that all can read");
        chmod(&conf, 0o600);
        assert!(read(&conf).is_ok());
    }
}
