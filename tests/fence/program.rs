//! The program: standard input, the command line, exit codes.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// No node of this name has ever announced its self-fencing here.
const NOBODY: &str = "nobody-of-this-name";

#[track_caller]
fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fence_quorate"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    // It need not read what is written.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let output = child.wait_with_output().expect("it is our child");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    output
}

/// The line that it writes to standard error; where there is no syslog, its log is there too.
#[track_caller]
fn reason(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("fence_quorate: ")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    lines[0].to_owned()
}

#[track_caller]
fn fails(arguments: &[&str], input: &[u8], words: &[&str]) {
    let output = run(arguments, input);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    let reason = reason(&output);
    for word in words {
        assert!(reason.contains(word), "{arguments:?}: {word}: {reason}");
    }
}

#[test]
fn by_standard_input_as_pacemaker_calls_it() {
    let lines = format!(
        "# a comment\naction=off\nnodename={NOBODY}\nnodeid=1\nplug={NOBODY}\ncrm_feature_set=3.16.2\n"
    );
    let began = Instant::now();
    fails(&[], lines.as_bytes(), &[NOBODY, "not confirmed", "no self-fencing notice"]);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let output = run(&[], b"action=metadata");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    assert!(String::from_utf8_lossy(&output.stdout).contains("<resource-agent name=\"fence_quorate\""));
}

#[test]
fn by_the_command_line() {
    fails(&["-o", "off", "-n", NOBODY], b"", &[NOBODY, "no self-fencing notice"]);
    fails(&["--action=reboot", "--plug", NOBODY], b"action=metadata\n", &[NOBODY, "no self-fencing notice"]);
    for shown in [["--help"], ["--version"]] {
        let output = run(&shown, b"");
        assert_eq!(output.status.code(), Some(0), "{shown:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("fence_quorate"), "{shown:?}");
    }
}

#[test]
fn bad_input_is_named_with_its_cure() {
    fails(&[], b"action=explode\nplug=srv1\n", &["'explode'", "--action", "off, reboot"]);
    fails(&[], b"action=off\nplug=srv1\nwait=long\n", &["'long'", "--wait", "from 0 to 30"]);
    fails(&[], b"action=off\n", &["off", "plug=NODE"]);
    fails(&[], b"", &["reboot", "plug=NODE"]);
    fails(&[], b"\xff\xfe\0\0rubbish", &["plug=NODE"]);
    fails(&[], &[b'x'; 70_000], &["65536 bytes"]);
    fails(&["--bogus"], b"", &["--bogus", "--help"]);
    fails(&["off"], b"", &["'off'", "--help"]);
    // 2 would say "off" of a status.
    fails(&["-o", "status"], b"", &["status", "plug=NODE"]);
}

#[test]
fn an_input_that_does_not_end_is_not_waited_for_for_ever() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fence_quorate"));
    let began = Instant::now();
    let child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut child = child;
    // Open until it has ended.
    let input = child.stdin.take();
    let output = child.wait_with_output().expect("it is our child");
    drop(input);
    assert_eq!(output.status.code(), Some(1));
    assert!(reason(&output).contains("--help"), "{output:?}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_closed_standard_output_is_a_failure() {
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" -o metadata >&-", env!("CARGO_BIN_EXE_fence_quorate")]);
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panicked"), "{said}");
    // The standard library opens /dev/null in the place of what is closed.
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    let output = Command::new("sh")
        .args(["-c", "exec \"$0\" -o metadata >/dev/full", env!("CARGO_BIN_EXE_fence_quorate")])
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
