use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use super::*;

fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answers: Answers = Arc::new(|question: &Question| Reply {
        status: if question.path == "/no" { 503 } else { 200 },
        content_type: TEXT,
        body: format!("{} {:?}\n", question.path, question.query),
    });
    // Ends with the test's process.
    let started = std::thread::Builder::new().spawn(move || serve(vec![listener], &answers));
    drop(started.unwrap());
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text
}

#[test]
fn methods_and_paths() {
    let address = server();
    let get = ask(address, "GET /a?lag=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(get.starts_with("HTTP/1.1 200 OK\r\n") && get.ends_with("\r\n\r\n/a Some(\"lag=1\")\n"), "{get}");
    assert!(get.contains("connection: close") && get.contains("cache-control: no-store"), "{get}");
    // As HAProxy and curl -I ask.
    let old = ask(address, "OPTIONS /no HTTP/1.0\r\n\r\n");
    assert!(old.starts_with("HTTP/1.0 503 ") && old.ends_with("\r\n\r\n"), "{old}");
    let head = ask(address, "HEAD /no HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 503 ") && head.ends_with("\r\n\r\n"), "{head}");
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"] {
        let refused = ask(address, &format!("{method} /a HTTP/1.1\r\nHost: x\r\n\r\n"));
        let status = refused.get(9..12);
        assert!(matches!(status, Some("405" | "400")), "{method}: {refused}");
    }
}

#[test]
fn what_is_no_short_request_gets_no_answer_of_ours() {
    let address = server();
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(200));
    for wrong in
        ["\r\n\r\n\0\0\r\n\r\n", "GET\r\n\r\n", "hello\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", &long, &many]
    {
        let said = ask(address, wrong);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    }
    assert!(ask(address, "GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 200"), "and it goes on");
}

/// Twice as many as there may be say nothing, or a byte now and then.
#[test]
fn who_is_slow_keeps_nobody_away() {
    let address = server();
    let mut slow: Vec<TcpStream> = (0..2 * MOST).map(|_| connect(address)).collect();
    for stream in &mut slow {
        let _ = stream.write_all(b"GET /a HTTP/1.1\r\nX: ");
    }
    let begun = Instant::now();
    for _ in 0..20 {
        assert!(ask(address, "GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 200"));
    }
    // The oldest were closed for the newer ones.
    let mut nothing = [0; 8];
    assert!(matches!(slow[0].read(&mut nothing), Ok(0) | Err(_)));
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    // The last of them is let go in time, though it sends on.
    let mut last = slow.pop().unwrap();
    let closed = (0..100).any(|_| {
        crate::boundary::clock::Deadline::after(Duration::from_secs(1)).sleep(Duration::from_millis(100));
        last.write_all(b"a").is_err()
    });
    assert!(closed && begun.elapsed() < 2 * PATIENCE + Duration::from_secs(2), "{:?}", begun.elapsed());
}
