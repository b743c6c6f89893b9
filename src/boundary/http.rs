//! The HTTP server: small answers to short requests, one for each connection, and limits for everything that a stranger on the network may
//! bring.
//!
//! One that sends slowly, or nothing, holds its connection for [`PATIENCE`] at most, and less where others want it: with [`MOST`] open, the
//! oldest is closed for the new one. A check takes a millisecond, so that it is never the oldest for long.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use libsystemd::activation::{IsType, receive_descriptors};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::host::{HostError, HostResult};

/// Connections at a time.
pub const MOST: usize = 64;
/// From the first byte to the last.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// A request line and its headers.
const LONGEST_HEAD: usize = 8 * 1024;
const MOST_HEADERS: usize = 64;
/// Before the next try, where no descriptor is left.
const SHORTAGE: Duration = Duration::from_millis(100);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub path: String,
    pub query: Option<String>,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
}

/// Gives the answers.
pub type Answers = Arc<dyn Fn(&Question) -> Reply + Send + Sync>;

/// The sockets that systemd listens on for us.
///
/// # Errors
/// There is none, or something else than a TCP socket.
pub fn activated() -> HostResult<Vec<TcpListener>> {
    let none = |e: &dyn std::fmt::Display| HostError::missing(format!("systemd has given no socket: {e}"));
    let given = receive_descriptors(true).map_err(|e| none(&e))?;
    let mut listeners = Vec::new();
    for socket in given {
        if !socket.is_inet() {
            return Err(HostError::unusable("systemd has given a socket that is not TCP: see ListenStream="));
        }
        // SAFETY: systemd has opened it for this process alone, and receive_descriptors gives each one once.
        let fd = unsafe { OwnedFd::from_raw_fd(socket.into_raw_fd()) };
        listeners.push(TcpListener::from(fd));
    }
    if listeners.is_empty() { Err(none(&"start quorate-http.socket")) } else { Ok(listeners) }
}

/// Serves for ever.
///
/// # Errors
/// The sockets can't be used.
pub fn serve(listeners: Vec<TcpListener>, answers: &Answers) -> HostResult<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut accepting = Vec::new();
        for listener in listeners {
            listener.set_nonblocking(true)?;
            accepting.push(tokio::net::TcpListener::from_std(listener)?);
        }
        let (mut open, mut turn) = (VecDeque::new(), 0);
        loop {
            // Each in its turn: a flood of one address keeps none of the others away.
            turn += 1;
            match accept(&accepting, turn).await {
                Ok(stream) => {
                    open.retain(|connection: &JoinHandle<()>| !connection.is_finished());
                    if open.len() >= MOST
                        && let Some(oldest) = open.pop_front()
                    {
                        oldest.abort();
                    }
                    open.push_back(tokio::spawn(converse(stream, Arc::clone(answers))));
                }
                // A peer that went away, or no descriptor: the next one may fare better.
                Err(_) => tokio::time::sleep(SHORTAGE).await,
            }
        }
    })
}

async fn accept(listeners: &[tokio::net::TcpListener], turn: usize) -> io::Result<TcpStream> {
    std::future::poll_fn(|context| {
        let (before, from) = listeners.split_at(turn % listeners.len().max(1));
        for listener in from.iter().chain(before) {
            if let std::task::Poll::Ready(accepted) = listener.poll_accept(context) {
                return std::task::Poll::Ready(accepted.map(|(stream, _)| stream));
            }
        }
        std::task::Poll::Pending
    })
    .await
}

/// One request, one answer.
async fn converse(stream: TcpStream, answers: Answers) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = respond(&request, &answers);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .keep_alive(false)
        .max_buf_size(LONGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever asks sees that it failed.
    let _ = tokio::time::timeout(PATIENCE, connection).await;
}

fn respond(request: &Request<Incoming>, answers: &Answers) -> Response<Full<Bytes>> {
    let reply = match *request.method() {
        Method::GET | Method::HEAD | Method::OPTIONS => {
            let uri = request.uri();
            answers(&Question { path: uri.path().to_owned(), query: uri.query().map(str::to_owned) })
        }
        _ => Reply { status: 405, content_type: TEXT, body: "GET, HEAD or OPTIONS\n".to_owned() },
    };
    // HAProxy's checks use OPTIONS where nothing else is said, and want the status alone.
    let body = if request.method() == Method::OPTIONS { String::new() } else { reply.body };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    response
}

/// Of what people read.
pub const TEXT: &str = "text/plain; charset=utf-8";

#[cfg(test)]
mod tests;
