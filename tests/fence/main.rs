//! The fence agent: as a program, and with a votequorum and records of our own.
#![allow(clippy::disallowed_methods, reason = "a test starts the program that it tests")]

mod program;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use quorate::boundary::self_fence_requests::Requests;
use quorate::boundary::{clock::boottime, self_fence_records};
use quorate::cluster::corosync::Ring;
use quorate::cluster::self_fencing::{How, Left, SelfFenceRecord, SelfFenceRequest, SelfFencingNotice};
use quorate::fence::options::Options;
use quorate::fence::{Code, Places, Report, perform};

/// Two nodes and a quorum device, srv1 gone.
const ALONE: &str = "Nodes: 1\nNode ID: 2\nRing ID: 2.2c\nQuorate: Yes\nMembership information\n Nodeid Votes Qdevice Name\n 2 1 A,V,NMW srv2 (local)\n 0 1 Qdevice\n";
/// The same with srv1.
const BOTH: &str = "Nodes: 2\nNode ID: 2\nRing ID: 1.28\nQuorate: Yes\nMembership information\n Nodeid Votes Qdevice Name\n 1 1 A,V,NMW srv1\n 2 1 A,V,NMW srv2 (local)\n 0 1 Qdevice\n";
const CONF: &str = "nodelist {\n    node {\n        ring0_addr: 192.168.56.21\n        name: srv1\n        nodeid: 1\n    }\n    node {\n        ring0_addr: 192.168.56.22\n        name: srv2\n        nodeid: 2\n    }\n}\n";

/// A node with a corosync that says what it is told to.
struct World {
    dir: tempfile::TempDir,
    places: Places,
}

impl World {
    /// `script`: what the tool for votequorum does.
    fn with(script: &str) -> World {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| dir.path().join(name);
        let places = Places {
            quorumtool: at("quorumtool"),
            configuration: at("corosync.conf"),
            self_fence_records: at("self_fence_records"),
            self_fence_requests: at("self_fence_requests"),
        };
        fs::write(&places.configuration, CONF).expect("writable");
        let world = World { dir, places };
        world.votequorum(script);
        world
    }

    fn saying(votes: &str) -> World {
        let world = World::with("");
        world.says(votes);
        world
    }

    fn votequorum(&self, script: &str) {
        // Replaced by a rename: what runs goes on in the old file.
        let new = self.dir.path().join("new");
        fs::write(&new, format!("#!/bin/sh\n{script}\n")).expect("writable");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("ours");
        fs::rename(&new, &self.places.quorumtool).expect("the same directory");
    }

    fn says(&self, votes: &str) {
        let code = if votes.contains("Quorate: Yes") { 0 } else { 2 };
        self.votequorum(&format!("cat <<'END'\n{votes}END\nexit {code}"));
    }

    /// A self-fencing notice that came two seconds ago; `left`: how many milliseconds ago its node left.
    fn notice(&self, node: &str, left: Option<u64>) {
        self.keep(&record(node, left));
    }

    fn keep(&self, record: &SelfFenceRecord) {
        self_fence_records::keep(&self.places.self_fence_records, record).expect("writable");
    }

    fn asked(&self, lines: &str) -> Report {
        perform(&Options::from_lines(lines).expect("good options"), &self.places)
    }
}

/// Of a node that switches itself off, which is as good where it is to be reset.
fn record(node: &str, left: Option<u64>) -> SelfFenceRecord {
    let now = boottime();
    let notice = SelfFencingNotice {
        node: node.to_owned(),
        boot: "b".to_owned(),
        reason: "corosync hangs".to_owned(),
        how: How::Off,
        within: 400,
        foreign: Some(Vec::new()),
    };
    let received = now.before(left.unwrap_or(0) + 2000);
    let left = left.map(|ago| Left { at: now.before(ago), ring: Ring { seq: 0x2c, node_id: 2 } });
    SelfFenceRecord { notice, node_id: 1, received, left }
}

#[track_caller]
fn refused(report: &Report, words: &[&str]) {
    assert_eq!(report.code, Code::Failed, "{report:?}");
    assert!(report.output.is_empty(), "{report:?}");
    for word in words {
        assert!(report.reason.contains(word), "{word}: {report:?}");
    }
}

#[test]
fn a_node_that_announced_its_self_fencing_and_left_is_confirmed() {
    let world = World::saying(ALONE);
    world.notice("srv1", Some(300));
    for action in ["off", "reboot"] {
        let report = world.asked(&format!("action={action}\nplug=srv1\nnodename=srv1\n"));
        assert_eq!(report.code, Code::Done, "{report:?}");
        assert!(report.reason.contains("corosync hangs"), "{report:?}");
    }
    assert_eq!(world.asked("action=status\nplug=srv1").code, Code::Off);
}

#[test]
fn a_notice_confirms_what_it_announces_and_no_more() {
    let world = World::saying(ALONE);
    let with = |change: &dyn Fn(&mut SelfFenceRecord)| {
        let mut kept = record("srv1", Some(300));
        change(&mut kept);
        world.keep(&kept);
    };
    with(&|r| r.notice.how = How::Reboot);
    refused(&world.asked("action=off\nplug=srv1"), &["to be off, but resets itself"]);
    assert_eq!(world.asked("action=reboot\nplug=srv1").code, Code::Done);
    with(&|r| r.notice.foreign = Some(vec!["web (systemd:nginx)".to_owned()]));
    refused(&world.asked("action=reboot\nplug=srv1"), &["other resources", "web (systemd:nginx)"]);
    with(&|r| r.notice.foreign = None);
    refused(&world.asked("action=reboot\nplug=srv1"), &["other resources", "CIB"]);
}

#[test]
fn nothing_is_confirmed_before_the_reset_has_begun() {
    let world = World::saying(ALONE);
    let mut kept = record("srv1", Some(0));
    kept.notice.how = How::Reboot;
    kept.received = boottime();
    kept.left = kept.left.map(|left| Left { at: kept.received, ..left });
    world.keep(&kept);
    let began = Instant::now();
    refused(&world.asked("action=reboot\nplug=srv1\nwait=0"), &["may not have begun"]);
    assert_eq!(world.asked("action=reboot\nplug=srv1\nwait=2").code, Code::Done);
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(450) && waited < Duration::from_millis(1500), "{waited:?}");
}

#[test]
fn a_record_of_a_membership_that_is_over_confirms_nothing() {
    let world = World::saying(&ALONE.replace("2.2c", "2.34"));
    world.notice("srv1", Some(300));
    refused(&world.asked("action=off\nplug=srv1\nwait=0"), &["the membership has changed since it left"]);
    world.says(&ALONE.replace("Ring ID: 2.2c\n", ""));
    refused(&world.asked("action=off\nplug=srv1\nwait=0"), &["the membership has changed since it left"]);
}

#[test]
fn of_a_node_that_left_without_a_notice_nothing_is_known_and_little_time_is_lost() {
    let world = World::saying(ALONE);
    let began = Instant::now();
    refused(&world.asked("action=off\nplug=srv1"), &["it sent no self-fencing notice"]);
    world.notice("srv2", Some(300));
    refused(&world.asked("action=off\nplug=srv1"), &["it sent no self-fencing notice"]);
    // Its corosync may hang as well.
    world.votequorum("sleep 60");
    refused(&world.asked("action=off\nplug=srv1\nwait=0"), &["it sent no self-fencing notice"]);
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
}

/// Seen on a loaded survivor.
#[test]
fn a_votequorum_that_is_slow_is_waited_for() {
    let world = World::saying(BOTH);
    let requests = Requests::open(&world.places.self_fence_requests).expect("its place is free");
    // Once.
    let asked = world.dir.path().join("asked");
    let script = format!("[ -e {0} ] || {{ >{0}; sleep 1; }}\ncat <<'END'\n{BOTH}END", asked.display());
    world.votequorum(&script);
    refused(&world.asked("action=off\nplug=srv1\nself_fence_timeout=1"), &["was asked to fence itself"]);
    assert!(requests.next().expect("it was given").is_some());
    for (lines, code) in
        [("action=status\nplug=srv1", Code::Done), ("action=status\nplug=srv1\nwait=0", Code::Failed)]
    {
        fs::remove_file(&asked).expect("it was asked");
        assert_eq!(world.asked(lines).code, code, "{lines}");
    }
}

#[test]
fn a_member_without_a_notice_is_asked_to_fence_itself() {
    let world = World::saying(BOTH);
    let began = Instant::now();
    refused(
        &world.asked("action=off\nplug=srv1"),
        &["can't be asked to fence itself", "self_fence_requests"],
    );
    assert!(began.elapsed() < Duration::from_millis(1000), "{:?}", began.elapsed());

    let requests = Requests::open(&world.places.self_fence_requests).expect("its place is free");
    refused(&world.asked("action=off\nplug=srv1\nself_fence_timeout=0"), &["can't be asked to fence itself"]);
    let began = Instant::now();
    refused(
        &world.asked("action=off\nplug=srv1\nself_fence_timeout=1"),
        &["was asked to fence itself", "no self-fencing notice"],
    );
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(1) && waited < Duration::from_millis(2500), "{waited:?}");
    let request = SelfFenceRequest { node_id: 1, node: "srv1".to_owned(), how: How::Off };
    assert_eq!(requests.next(), Ok(Some(request)), "and nobody with self_fence_timeout=0");

    let report = std::thread::scope(|scope| {
        let asked = scope.spawn(|| world.asked("action=reboot\nplug=srv1\nself_fence_timeout=10\nwait=0"));
        assert!(requests.next().expect("it was given").is_some());
        world.notice("srv1", Some(0));
        world.says(ALONE);
        asked.join().expect("no panic")
    });
    assert_eq!(report.code, Code::Done, "{report:?}");
}

#[test]
fn a_notice_that_comes_between_the_record_and_the_membership_counts() {
    let world = World::saying(BOTH);
    let _requests = Requests::open(&world.places.self_fence_requests).expect("its place is free");
    let (kept, told) = (world.dir.path().join("kept"), world.dir.path().join("told"));
    self_fence_records::keep(&kept, &record("srv1", Some(0))).expect("writable");
    fs::create_dir(&world.places.self_fence_records).expect("its place is free");
    world.votequorum(&format!(
        "if [ -e {told} ]; then [ ! -e {kept}/srv1 ] || mv {kept}/srv1 {self_fence_records}; cat <<'END'\n{ALONE}END\n\
         else touch {told}; cat <<'END'\n{BOTH}END\nfi",
        told = told.display(),
        kept = kept.display(),
        self_fence_records = world.places.self_fence_records.display(),
    ));
    let report = world.asked("action=off\nplug=srv1");
    assert_eq!(report.code, Code::Done, "{report:?}");
}

#[test]
fn neither_itself_nor_anybody_without_quorum_is_asked_to_fence_itself() {
    let world = World::saying(BOTH);
    let requests = Requests::open(&world.places.self_fence_requests).expect("its place is free");
    refused(&world.asked("action=off\nplug=srv2"), &["it sent no self-fencing notice"]);
    refused(&world.asked("action=off\nplug=srv3"), &["it sent no self-fencing notice"]);
    world.says(&BOTH.replace("Quorate: Yes", "Quorate: No"));
    refused(&world.asked("action=off\nplug=srv1"), &["it sent no self-fencing notice"]);
    world.says(BOTH);
    refused(&world.asked("action=off\nplug=srv1\nself_fence_timeout=1"), &["was asked to fence itself"]);
    let first = requests.next().expect("it was given").expect("an order");
    assert_eq!(first.node, "srv1", "the only one");
}

#[test]
fn a_member_is_not_believed() {
    let world = World::saying(BOTH);
    world.notice("srv1", None);
    refused(&world.asked("action=off\nplug=srv1\nwait=0"), &["has not left the membership"]);
    // It has been back: the record is of an earlier boot.
    world.notice("srv1", Some(300));
    refused(&world.asked("action=off\nplug=srv1\nwait=0"), &["lists it as a member"]);
    assert_eq!(world.asked("action=status\nplug=srv1").code, Code::Done);
    // Under another name than Pacemaker's.
    world.says(&BOTH.replace("srv1", "192.168.56.21"));
    refused(&world.asked("action=off\nplug=srv1\nwait=0"), &["lists it as a member"]);
}

#[test]
fn without_quorum_nothing_is_confirmed() {
    let world = World::saying(&ALONE.replace("Quorate: Yes", "Quorate: No"));
    world.notice("srv1", Some(300));
    refused(&world.asked("action=off\nplug=srv1"), &["no quorum"]);
    for (flags, why) in
        [("A,NV,NMW", "withholds"), ("NA,V,NMW", "does not answer"), ("NR", "does not answer")]
    {
        world.says(&ALONE.replace("A,V,NMW", flags));
        refused(&world.asked("action=off\nplug=srv1"), &["quorum device", why]);
    }
    // The same without a quorum device.
    world.says(&ALONE.replace("A,V,NMW ", ""));
    assert_eq!(world.asked("action=off\nplug=srv1").code, Code::Done);
}

#[test]
fn a_votequorum_that_hangs_or_fails_confirms_nothing_and_delays_little() {
    for (script, words) in [
        ("sleep 60", &["votequorum does not answer", "no end within"][..]),
        ("echo 'Cannot initialize CMAP service' >&2; exit 1", &["votequorum does not answer", "CMAP"]),
        ("echo 'Quorate: Yes'", &["votequorum does not answer"]),
        ("kill -9 $$", &["votequorum does not answer", "signal 9"]),
    ] {
        let world = World::with(script);
        world.notice("srv1", Some(300));
        let began = Instant::now();
        refused(&world.asked("action=off\nplug=srv1\nwait=0"), words);
        assert!(began.elapsed() < Duration::from_millis(1500), "{script}: {:?}", began.elapsed());
        let status = world.asked("action=status\nplug=srv1");
        refused(&status, &["votequorum does not answer"]);
    }
    let world = World::saying(ALONE);
    world.notice("srv1", Some(300));
    fs::remove_file(&world.places.quorumtool).expect("it is there");
    refused(&world.asked("action=off\nplug=srv1\nwait=0"), &["is missing or not executable"]);
    refused(&world.asked("action=monitor"), &["is missing or not executable"]);
}

#[test]
fn a_record_that_makes_no_sense_confirms_nothing() {
    let world = World::saying(ALONE);
    world.notice("srv1", Some(11_000));
    refused(&world.asked("action=off\nplug=srv1"), &["too old"]);
    let record = world.places.self_fence_records.join("srv1");
    for rubbish in ["", "{}", "rubbish\n", "\u{0}"] {
        fs::write(&record, rubbish).expect("writable");
        refused(&world.asked("action=off\nplug=srv1"), &["can't be read"]);
        refused(&world.asked("action=status\nplug=srv1"), &["can't be read"]);
    }
    fs::remove_file(&record).expect("it is there");
    world.notice("srv2", Some(300));
    fs::rename(world.places.self_fence_records.join("srv2"), &record).expect("the same directory");
    refused(&world.asked("action=off\nplug=srv1"), &["another node"]);
    fs::remove_file(&record).expect("it is there");
    fs::create_dir(&record).expect("its place is free");
    refused(&world.asked("action=off\nplug=srv1"), &["can't be read"]);
}

#[test]
fn it_waits_for_a_node_that_is_about_to_leave_and_no_longer() {
    let world = World::saying(BOTH);
    world.notice("srv1", None);
    let began = Instant::now();
    refused(&world.asked("action=off\nplug=srv1\nwait=1"), &["has not left the membership"]);
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(1) && waited < Duration::from_millis(2500), "{waited:?}");
    let report = std::thread::scope(|scope| {
        let asked = scope.spawn(|| world.asked("action=off\nplug=srv1\nwait=10"));
        std::thread::sleep(Duration::from_millis(200));
        // quorated's word and votequorum's do not come at the same moment.
        world.notice("srv1", Some(0));
        std::thread::sleep(Duration::from_millis(200));
        world.says(ALONE);
        asked.join().expect("no panic")
    });
    assert_eq!(report.code, Code::Done, "{report:?}");
}

#[test]
fn the_other_actions() {
    let world = World::saying(&ALONE.replace("Quorate: Yes", "Quorate: No"));
    // The device works, whatever it would answer.
    for action in ["monitor", "validate-all", "metadata", "list"] {
        assert_eq!(world.asked(&format!("action={action}")).code, Code::Done, "{action}");
    }
    assert_eq!(world.asked("action=on\nplug=srv1").code, Code::Done);
    assert_eq!(world.asked("action=list").output, "srv1,\nsrv2,\n");
    assert!(world.asked("action=metadata").output.starts_with("<?xml"));
    refused(&world.asked("action=status\nplug=srv1"), &["it sent no self-fencing notice"]);
    fs::write(&world.places.configuration, "nodelist {\n").expect("writable");
    refused(&world.asked("action=list"), &["nodelist", "closing brace"]);
    refused(&world.asked("action=validate-all"), &["nodelist", "closing brace"]);
    for action in ["off", "on", "reboot", "status"] {
        refused(&world.asked(&format!("action={action}")), &[action, "plug=NODE", "--plug NODE"]);
    }
}
