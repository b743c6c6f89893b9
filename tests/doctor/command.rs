//! The command itself: exit codes, what it prints, and files that can't be read.

use std::path::Path;
use std::process::{Command, Output};

fn doctor(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quorate")).arg("doctor").args(args).output().expect("quorate runs")
}

fn pcs(layout: &str) -> String {
    format!("{}/tests/doctor/pcs/{layout}.xml", env!("CARGO_MANIFEST_DIR"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn written(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("writable");
    path.display().to_string()
}

/// `quorate doctor | head -c 1`: who reads no further is no failure of ours.
#[test]
fn a_closed_pipe_ends_it_without_a_word() {
    use std::os::unix::process::ExitStatusExt as _;
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(["doctor", "--cib", &pcs("classic")]).stderr(std::process::Stdio::piped());
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = command.stdout(writer).spawn().and_then(std::process::Child::wait_with_output);
    let output = output.expect("quorate runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    const SIGPIPE: i32 = 13;
    assert_eq!(output.status.signal(), Some(SIGPIPE));
}

#[test]
fn exit_codes_and_words() {
    let dir = tempfile::tempdir().expect("a directory");
    let clean = doctor(&["--cib", &pcs("classic")]);
    assert_eq!(clean.status.code(), Some(0), "{}", stdout(&clean));
    assert!(stdout(&clean).contains("not given: --sbd FILE"));
    let cib = std::fs::read_to_string(pcs("classic")).expect("captured");
    let warned = written(dir.path(), "warned.xml", &cib.replace("suicide", "freeze"));
    let warned = doctor(&["--cib", &warned]);
    assert_eq!(warned.status.code(), Some(1), "{}", stdout(&warned));
    let text = stdout(&warned);
    assert!(
        text.contains("warned.xml:6\n") && text.contains("cure  pcs property set no-quorum-policy=suicide"),
        "{text}"
    );
    let broken = written(
        dir.path(),
        "broken.xml",
        &cib.replace("stonith-enabled\" value=\"true", "stonith-enabled\" value=\"off"),
    );
    assert_eq!(doctor(&["--cib", &broken]).status.code(), Some(2));
    let json = doctor(&["--cib", &broken, "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!((value["exit_code"].as_i64(), value["worst"].as_str()), (Some(2), Some("critical")));
    let rules = value["rules"].as_array().expect("rules");
    let of = |name: &str| rules.iter().find(|r| r["name"] == name).expect("a rule");
    assert_eq!(of("stonith-enabled")["findings"][0]["line"], 5);
    assert_eq!(of("token")["verdict"], "not checked");
}

/// Power switches and no watchdog need no stonith-watchdog-timeout; with a watchdog they do.
#[test]
fn power_switches_need_no_watchdog() {
    let dir = tempfile::tempdir().expect("a directory");
    let switch = "<resources><primitive id=\"ipmi\" class=\"stonith\" type=\"fence_ipmilan\"/>";
    let cib = std::fs::read_to_string(pcs("classic")).expect("captured");
    let without =
        cib.replace("name=\"stonith-watchdog-timeout\"", "name=\"x\"").replace("<resources>", switch);
    let watched = without.replace("name=\"x\" value=\"10\"", "name=\"have-watchdog\" value=\"true\"");
    assert_ne!(watched, without);
    let code = |text: &str| doctor(&["--cib", &written(dir.path(), "cib.xml", text)]).status.code();
    assert_eq!((code(&without), code(&watched)), (Some(0), Some(2)));
}

#[test]
fn a_site_is_clean() {
    for layout in ["packed", "classic", "three-centres", "many-replicas"] {
        let path = format!("{}/pcs-templates/{layout}.toml", env!("CARGO_MANIFEST_DIR"));
        let output = doctor(&["--site", &path]);
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    }
}

#[test]
fn postgresql_conf_is_read_with_what_it_includes() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("conf.d")).expect("a directory");
    let main = written(
        dir.path(),
        "postgresql.conf",
        "lc_messages = 'C'\nwal_log_hints = off\ninclude_dir = 'conf.d'\n",
    );
    written(
        &dir.path().join("conf.d"),
        "a.conf",
        "wal_log_hints = on\nmax_slot_wal_keep_size = 1GB\nrestart_after_crash = off\n",
    );
    let output = doctor(&["--postgresql-conf", &main]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let circle = written(dir.path(), "circle.conf", "include = 'circle.conf'\n");
    let output = doctor(&["--postgresql-conf", &circle]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("include each other"));
}

/// Whoever may write postgresql.conf must not hold up root's doctor, nor fill its memory.
#[test]
fn an_include_is_no_trap() {
    let dir = tempfile::tempdir().expect("a directory");
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("made");
    // Each level includes the next one ten times: 10^8 files.
    for level in 0..8 {
        let next = format!("include 'bomb{}.conf'\n", level + 1).repeat(10);
        written(dir.path(), &format!("bomb{level}.conf"), &next);
    }
    written(dir.path(), "bomb8.conf", "a = 1\n");
    written(dir.path(), "big.conf", &format!("# {}\n", "x".repeat(1_000_000)));
    let many = dir.path().join("many.d");
    std::fs::create_dir(&many).expect("a directory");
    for i in 0..1200 {
        written(&many, &format!("{i}.conf"), "a = 1\n");
    }
    let cases = [
        ("include '/dev/zero'\n".to_owned(), "not a regular file"),
        (format!("include '{}'\n", fifo.display()), "not a regular file"),
        (format!("include_if_exists '{}'\ninclude 'bomb0.conf'\n", fifo.display()), "files are included"),
        ("include_dir 'many.d'\n".to_owned(), "files are included"),
        ("include 'big.conf'\n".repeat(3), "bytes are included"),
    ];
    for (text, wanted) in cases {
        let main = written(dir.path(), "main.conf", &text);
        let begin = std::time::Instant::now();
        let output = doctor(&["--postgresql-conf", &main]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text:?}: {said}");
        assert!(said.contains(wanted), "{text:?}: {said}");
        assert!(begin.elapsed() < std::time::Duration::from_secs(20), "{text:?}: {:?}", begin.elapsed());
    }
}

/// A file that its own program would refuse: its name, the line, what is wrong; exit code 2.
#[test]
fn broken_files_are_named_with_their_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let cases: &[(&str, &str, &str)] = &[
        (
            "--corosync-conf",
            "totem {\n    token 3000\n}\n",
            "2: \"token 3000\" is neither a section nor key: value",
        ),
        ("--corosync-conf", "totem {\n    token: 3000\n", "1: the section totem is not closed"),
        (
            "--corosync-conf",
            "totem {\n    token: soon\n}\nnodelist {\n    node {\n    }\n}\n",
            "2: totem.token \"soon\" is no number",
        ),
        ("--corosync-conf", "totem {\n}\n", "2: there is no nodelist"),
        ("--corosync-conf", "", "1: there is no nodelist"),
        ("--cib", "<cib>\n<configuration>\n</cib>\n", "3: broken XML"),
        ("--cib", "not XML\n", "1: there is no <cib> element"),
        ("--cib", "<cib>\n<nodes>\n<node id=\"1\"/>\n", "3: <node> has no uname"),
        (
            "--sbd",
            "SBD_PACEMAKER=yes\nSBD_WATCHDOG_TIMEOUT=long\n",
            "2: SBD_WATCHDOG_TIMEOUT=\"long\" is no number",
        ),
        ("--sbd", "SBD_PACEMAKER\n", "1: \"SBD_PACEMAKER\" is no assignment"),
        ("--postgresql-conf", "wal_level = replica\n= on\n", "2: \"= on\" is no setting"),
        ("--postgresql-conf", "include 'nothing.conf'\n", "No such file"),
        ("--site", "layout = \"classic\"\nname = \n", "2: "),
    ];
    for (option, text, wanted) in cases {
        let path = written(dir.path(), "input", text);
        let output = doctor(&[option, &path]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{option} {text:?}: {said}");
        assert!(said.contains(wanted), "{option} {text:?}: {said}");
        assert!(said.contains("input") || said.contains("nothing.conf"), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    let missing = doctor(&["--cib", "/nonexistent/cib.xml"]);
    assert_eq!(missing.status.code(), Some(2));
    let binary = dir.path().join("binary");
    std::fs::write(&binary, [0xff_u8, 0, 0x80, b'\n', b'{']).expect("writable");
    for option in ["--corosync-conf", "--cib", "--sbd", "--postgresql-conf"] {
        let output = doctor(&[option, &binary.display().to_string()]);
        assert_eq!(output.status.code(), Some(2), "{option}");
    }
}
