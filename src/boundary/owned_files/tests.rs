use std::os::unix::fs::symlink;

use super::*;

/// The files of whoever runs the tests.
pub(in crate::boundary) fn mine() -> OwnedFiles {
    let uid = nix::unistd::Uid::current();
    let name = nix::unistd::User::from_uid(uid).expect("works").expect("known").name;
    OwnedFiles::of(&SystemUser::lookup(&name).expect("it is us"))
}

/// The files of a user without any rights; `None` where we could not act as it.
fn nobodys() -> Option<OwnedFiles> {
    let nobody = OwnedFiles::of(&SystemUser::lookup("nobody").expect("nobody"));
    nix::unistd::Uid::effective().is_root().then_some(nobody)
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// A directory of nobody's.
fn nobodys_directory(files: &OwnedFiles) -> tempfile::TempDir {
    let dir = directory();
    std::os::unix::fs::chown(dir.path(), Some(files.user.uid), Some(files.user.gid)).expect("we are root");
    dir
}

fn fifo(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
}

#[test]
fn reads_are_bounded_and_regular() {
    let (dir, files) = (directory(), mine());
    let path = dir.path().join("f");
    assert!(files.read(&path, 9).expect_err("missing").is_missing());
    assert_eq!(files.read_if_there(&path).expect("fine"), None);
    std::fs::write(&path, "123456789").expect("written");
    assert_eq!(files.read(&path, 9).expect("fits"), b"123456789");
    assert!(matches!(files.read(&path, 8), Err(StorageError::TooLarge { limit: 8, .. })));
    assert_eq!(files.read_tail(&path, 7, 100).expect("reads"), "89");
    assert_eq!(files.read_tail(&path, 0, 4).expect("reads"), "6789");
    assert_eq!(files.read_tail(&path, 99, 4).expect("reads"), "", "the log was rotated meanwhile");
    std::fs::write(&path, [0xff]).expect("written");
    assert!(matches!(files.read_text(&path), Err(StorageError::NotText(_))));
}

/// Each way in refuses a link, a FIFO (without waiting), a device and a directory.
#[test]
fn nothing_but_regular_files_is_opened() {
    let (dir, files) = (directory(), mine());
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("secret"), "secret").expect("written");
    symlink(at("secret"), at("link")).expect("a link");
    symlink("/dev/null", at("device link")).expect("a link");
    fifo(&at("fifo"));
    for name in ["link", "device link", "fifo", "/dev/zero", "."] {
        let path = at(name);
        assert!(files.read(&path, 99).is_err(), "{name}");
        assert!(files.read_if_there(&path).is_err(), "{name}");
        assert!(files.read_tail(&path, 0, 99).is_err(), "{name}");
        assert!(files.read_secret(&path).is_err(), "{name}");
        assert!(files.read_trusted(&path).is_err(), "{name}");
        assert!(files.append(&path).is_err(), "{name}");
        assert!(files.create(&path).is_err(), "{name}");
        assert_eq!(files.length(&path), 0, "{name}");
    }
    assert!(matches!(files.read(&at("link"), 9), Err(StorageError::Link(_))));
    assert!(matches!(files.read(&at("fifo"), 9), Err(StorageError::NotRegular(_))));
    // What PostgreSQL reads through a link is a regular file at its end.
    assert_eq!(files.read_configuration(&at("link")).expect("as PostgreSQL"), b"secret");
    assert!(files.read_configuration(&at("device link")).is_err());
    assert!(files.read_configuration(&at("fifo")).is_err());
    // Directories may be links.
    symlink(dir.path(), at("directory")).expect("a link");
    assert_eq!(files.read(&at("directory/secret"), 9).expect("reads"), b"secret");
    assert!(files.names(&at("directory")).expect("lists").contains(&"secret".to_owned()));
}

/// Opening a FIFO for writing, or a file under another one's lease, waits where it is not opened with `O_NONBLOCK`.
#[test]
fn a_log_that_is_a_fifo_does_not_wait() {
    let (dir, files) = (directory(), mine());
    let path = dir.path().join("log");
    fifo(&path);
    // A reader: the open would succeed.
    let reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).expect("a reader");
    assert!(matches!(files.append(&path), Err(StorageError::NotRegular(_))));
    drop(reader);
    std::fs::remove_file(&path).expect("removed");
    files.append(&path).expect("made").write_all(b"one\n").expect("written");
    files.append(&path).expect("opened").write_all(b"two\n").expect("written");
    assert_eq!(std::fs::read(&path).expect("there"), b"one\ntwo\n");
    assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o640);
}

#[test]
fn a_replacement_keeps_the_mode_and_leaves_nothing_behind() {
    let (dir, files) = (directory(), mine());
    let path = dir.path().join("f");
    files.replace(&path, b"one").expect("written");
    assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
    std::fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("chmod");
    files.replace(&path, b"two").expect("written");
    assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o640);
    assert_eq!(std::fs::read(&path).expect("there"), b"two");
    let taken = dir.path().join("d");
    std::fs::create_dir_all(taken.join("x")).expect("mkdir");
    assert!(files.replace(&taken, b"x").is_err());
    assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 2);
    let error = files.replace(&dir.path().join("no/f"), b"").expect_err("no directory").to_string();
    assert!(error.contains("/no/f.quorate") && error.contains("check the path"), "{error}");
}

/// A cluster whose group may read it: initdb --allow-group-access.
#[test]
fn a_new_file_is_the_groups_to_read_in_a_directory_of_mode_0750() {
    let (dir, files) = (directory(), mine());
    for (directory, file) in [(0o700, 0o600), (0o750, 0o640), (0o755, 0o600), (0o711, 0o600)] {
        std::fs::set_permissions(dir.path(), Permissions::from_mode(directory)).expect("chmod");
        for (name, make) in [
            ("c", OwnedFiles::create as fn(&OwnedFiles, &Path) -> _),
            ("r", |files, path| files.replace(path, b"x").map(|()| Changed::Yes)),
        ] {
            let path = dir.path().join(name);
            make(&files, &path).expect("made");
            let mode = std::fs::metadata(&path).expect("there").mode() & 0o7777;
            assert_eq!(mode, file, "{name} in {directory:o}: {mode:o}");
            std::fs::remove_file(&path).expect("removed");
        }
    }
}

/// A link in the place of a file is replaced, and what it leads to stays.
#[test]
fn a_replacement_follows_no_link() {
    let (dir, files) = (directory(), mine());
    let (path, victim) = (dir.path().join("f"), dir.path().join("victim"));
    std::fs::write(&victim, "theirs").expect("written");
    symlink(&victim, &path).expect("a link");
    files.replace(&path, b"ours").expect("written");
    assert_eq!(std::fs::read(&victim).expect("there"), b"theirs");
    assert!(std::fs::symlink_metadata(&path).expect("there").is_file());
}

#[test]
fn what_the_user_may_not_is_not_done() {
    let Some(files) = nobodys() else { return };
    let dir = nobodys_directory(&files);
    let roots = directory();
    std::fs::set_permissions(roots.path(), Permissions::from_mode(0o700)).expect("chmod");
    std::fs::write(roots.path().join("secret"), "secret").expect("written");
    let planted = dir.path().join("planted");
    symlink(roots.path(), &planted).expect("a link");
    let path = planted.join("secret");
    assert!(files.read(&path, 99).is_err());
    assert!(files.replace(&path, b"mine").is_err());
    assert!(files.create(&planted.join("new")).is_err());
    assert!(files.append(&planted.join("log")).is_err());
    assert!(files.remove(&path).is_err());
    assert!(files.names(&planted).is_err());
    assert!(files.make_directory(&planted.join("made")).is_err());
    assert_eq!(std::fs::read_dir(roots.path()).expect("lists").count(), 1);
    assert_eq!(std::fs::read(&path).expect("there"), b"secret");
    // A hard link to a file of root's is root's file.
    let hard = dir.path().join("hard");
    if std::fs::hard_link(&path, &hard).is_ok() {
        std::fs::set_permissions(&hard, Permissions::from_mode(0o600)).expect("chmod");
        assert!(files.read(&hard, 99).is_err());
    }
    let made = dir.path().join("made");
    files.create(&made).expect("the user's own directory");
    let meta = std::fs::metadata(&made).expect("there");
    assert_eq!((meta.uid(), meta.gid()), (files.user.uid, files.user.gid));
}

#[test]
fn secrets_are_the_users_own() {
    let Some(files) = nobodys() else { return };
    let dir = nobodys_directory(&files);
    let path = dir.path().join(".pgpass");
    let put = |mode: u32, uid: u32| {
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, "*:*:*:*:pw").expect("written");
        std::os::unix::fs::chown(&path, Some(uid), Some(files.user.gid)).expect("we are root");
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("chmod");
    };
    put(0o600, files.user.uid);
    assert_eq!(files.read_secret(&path).expect("its own"), "*:*:*:*:pw");
    put(0o640, files.user.uid);
    assert!(matches!(files.read_secret(&path), Err(StorageError::NotSecret { mode: 0o640, .. })));
    for mode in [0o600, 0o644] {
        put(mode, 0);
        assert!(files.read_secret(&path).is_err(), "root's, {mode:o}");
    }
    assert_eq!(files.read_trusted(&path).expect("root's, and no secret"), "*:*:*:*:pw");
    put(0o644, 1);
    assert!(matches!(files.read_trusted(&path), Err(StorageError::Owner { owner: 1, .. })));
}

#[test]
fn a_directory_is_made_below_roots_own_only() {
    let Some(files) = nobodys() else { return };
    let roots = directory();
    let at = |name: &str| roots.path().join(name);
    std::fs::set_permissions(roots.path(), Permissions::from_mode(0o755)).expect("chmod");
    // Below /tmp, which others can change: refused, and nothing is made.
    let error = files.make_directory(&at("a/b")).expect_err("/tmp is everybody's").to_string();
    assert!(error.contains("/tmp") && error.contains("install -d -o nobody"), "{error}");
    assert!(!at("a").exists());
    let base = tempfile::tempdir_in("/root").expect("a directory of root's");
    std::fs::set_permissions(base.path(), Permissions::from_mode(0o755)).expect("chmod");
    let at = |name: &str| base.path().join(name);
    symlink("real", at("link")).expect("a link of root's");
    std::fs::create_dir(at("real")).expect("mkdir");
    files.make_directory(&at("link/log/postgresql")).expect("below root's own");
    let owner = |path: &str| std::fs::metadata(at(path)).expect("there").uid();
    assert_eq!((owner("real/log"), owner("real/log/postgresql")), (0, files.user.uid));
    // One that is there stays root's.
    std::fs::create_dir(at("closed")).expect("mkdir");
    std::fs::set_permissions(at("closed"), Permissions::from_mode(0o700)).expect("chmod");
    let _ = files.make_directory(&at("closed"));
    assert_eq!(owner("closed"), 0);
}
