//! The shell of `quorate-http`: reads what `quorated` tells, has it decided, answers. It asks nobody and changes nothing.

pub mod answer;
pub mod metrics;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;

use crate::boundary::clock::boottime;
use crate::boundary::health;
use crate::boundary::host::{HostError, HostResult};
use crate::boundary::http::{self, Answers, Question};
use crate::boundary::printable;
use crate::cluster::health::PATH;

/// Tells proxies which node takes writes and which takes reads, and Prometheus how all of it is
#[derive(Debug, Parser)]
#[command(name = "quorate-http", version)]
pub struct Arguments {
    /// Listen here instead of on the sockets of systemd (quorate-http.socket); repeat it for several
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,
    /// What quorated tells
    #[arg(long, value_name = "FILE", default_value = PATH)]
    facts: PathBuf,
}

/// Serves until it is killed. Gives the exit code.
#[must_use]
pub fn main(arguments: &Arguments) -> u8 {
    match run(arguments) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("quorate-http: {}", printable::line(&error.to_string()));
            1
        }
    }
}

fn run(arguments: &Arguments) -> HostResult<()> {
    let listeners = if arguments.listen.is_empty() {
        http::activated()?
    } else {
        let bind = |address: &SocketAddr| {
            TcpListener::bind(address)
                .map_err(|e| HostError::from(e).about(format!("can't listen on {address}")))
        };
        arguments.listen.iter().map(bind).collect::<HostResult<_>>()?
    };
    let facts = arguments.facts.clone();
    let answers: Answers = Arc::new(move |question: &Question| {
        // What can't be read is not known: 503.
        let health = health::read_from(&facts).ok().flatten();
        answer::answer(health.as_ref(), question, boottime(), &health::checker_metrics)
    });
    http::serve(listeners, &answers)
}
