use super::*;
use crate::decide::alert::Event;

fn message(text: &str) -> Message {
    Message {
        event: Event::Primary,
        severity: Severity::Warning,
        text: text.to_owned(),
        node: Some("srv2".into()),
        resource: Some("pgsqld".into()),
        role: Some("primary"),
        from: None,
        timeline: Some(5),
    }
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

#[test]
fn a_value_makes_no_header_and_no_option() {
    let text = "srv1\nBcc: all@example.org\r\n\r\nbody \u{1b}[2J Größe";
    let letter = letter("dba@example.org", Some("q@example.org"), &shown(&message(text)), "srv2");
    let (head, body) = letter.split_once("\n\n").expect("a head and a body");
    assert_eq!(head.lines().count(), 7, "{head}");
    assert!(head.contains("Subject: [warning] srv1 Bcc: all@example.org") && head.is_ascii(), "{head}");
    assert!(body.contains("Größe") && !letter.contains('\u{1b}') && !letter.contains('\r'), "{body}");

    let config = curl_config(
        "https://h/T0/secret",
        Some("to\"ken"),
        "{\"a\":\"\\n\\\" url = x\"}",
        soon().remaining(),
    );
    assert_eq!(config.lines().count(), 13, "{config}");
    assert!(config.contains("data-binary = \"{\\\"a\\\":\\\"\\\\n\\\\\\\" url = x\\\"}\"\n"), "{config}");
    assert!(config.contains("Bearer to\\\"ken\"") && config.contains("proto = \"=https\""), "{config}");
}

#[test]
fn the_longest_text_is_bounded() {
    assert!(shown(&message(&"x".repeat(100_000))).text.len() <= LONGEST_TEXT);
}

#[test]
fn only_roots_programs_are_run() {
    assert!(is_roots(Path::new("/usr/bin/env")).is_ok());
    assert!(is_roots(Path::new("/no/such/hook")).is_err());
    let directory = tempfile::tempdir().expect("a directory");
    let hook = directory.path().join("hook");
    std::fs::write(&hook, "#!/bin/sh\nexit 0\n").expect("written");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).expect("ours");
    // Its directory lies below one that everybody may write to.
    let refused = is_roots(&hook).expect_err("refused").text;
    assert!(refused.contains("is not run") && refused.contains("root's alone"), "{refused}");
    let link = directory.path().join("link");
    std::os::unix::fs::symlink("/usr/bin/env", &link).expect("a link");
    let refused = is_roots(&link).expect_err("refused").text;
    assert!(refused.contains("/usr/bin/env"), "{refused}");
}

#[test]
fn a_hook_gets_its_values_and_no_shell() {
    let message = shown(&message("$(touch /tmp/x); `id`\nsecond"));
    // /usr/bin/env prints what it was given, and takes the event for a program that is not there.
    let error = run("/usr/bin/env", &message, soon()).expect_err("no program of this name").text;
    assert!(error.contains("/usr/bin/env primary") && error.contains("127"), "{error}");
    let printed =
        Command::new("/usr/bin/printenv").environment(Environment::Clean).env("QUORATE_TEXT", &message.text);
    let printed = printed.arg("QUORATE_TEXT").run(soon()).expect("runs").text();
    assert_eq!(printed, "$(touch /tmp/x); `id` second\n");
}

#[test]
fn a_token_is_roots_and_no_others() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("a path");
    let mode = |mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
    std::fs::write(path, "abc123\nmore\n").expect("written");
    mode(0o640);
    assert_eq!(token(path).expect("good"), "abc123");
    mode(0o644);
    assert!(token(path).expect_err("open").text.contains("chmod 640"));
    std::fs::write(path, "a b\n").expect("written");
    mode(0o600);
    let error = token(path).expect_err("no token").text;
    assert!(!error.contains("a b"), "{error}");
}

fn webhook(port: u16, limit: Duration) -> (HostResult<()>, Duration) {
    let pairs = [("CRM_alert_recipient", format!("http://127.0.0.1:{port}/T0/secret"))];
    let options = Options::read(&pairs.map(|(name, value)| (name.to_owned(), value)).into()).expect("good");
    let begun = std::time::Instant::now();
    let sent = send(&options, &message("a \"quoted\" Größe \\ url"), "srv9", Deadline::after(limit));
    (sent, begun.elapsed())
}

#[test]
fn a_webhook_gets_json_and_one_that_hangs_is_given_up() {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    if !Path::new(CURL).exists() {
        return;
    }
    // Nobody accepts.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let (sent, took) = webhook(deaf.local_addr().expect("bound").port(), Duration::from_secs(1));
    let error = sent.expect_err("no answer").text;
    assert!(took < Duration::from_secs(4) && !error.contains("secret"), "{took:?}: {error}");

    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = server.local_addr().expect("bound").port();
    let answer = std::thread::Builder::new().spawn(move || {
        let mut stream = BufReader::new(server.accept().expect("a client").0);
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).expect("a head") > 0 {}
        for line in head.to_ascii_lowercase().lines() {
            length = line.strip_prefix("content-length: ").map_or(length, |n| n.parse().expect("a number"));
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("a body");
        stream.get_mut().write_all(b"HTTP/1.0 204 x\r\n\r\n").expect("answered");
        (head, body)
    });
    webhook(port, Duration::from_secs(20)).0.expect("posted");
    let (head, body) = answer.expect("a thread").join().expect("an answer");
    assert!(head.starts_with("POST /T0/secret "), "{head}");
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((&body["text"], &body["host"]), (&"a \"quoted\" Größe \\ url".into(), &"srv9".into()));
    assert_eq!((&body["event"], &body["timeline"]), (&"primary".into(), &5.into()));
}
