//! Threads that hand a baton on: an action of the agent is ordinary, blocking code, so it has a thread, but
//! exactly one of all threads runs at a time, and which one is decided by the scheduler. At each call of its
//! host an action says how long that takes and waits; the scheduler lets it go on at that moment of virtual
//! time, or ends it there.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};

use quorate::ocf::OcfCode;

/// How an action ended, with the agent's reason.
pub type Outcome = (OcfCode, String);

/// What an action says when it hands the baton back.
#[derive(Debug)]
pub enum Said {
    /// A call of the host, which takes so many milliseconds.
    Wait(u64),
    Done(Outcome),
    /// It was ended between two calls.
    Ended,
    /// A defect of the agent, or of the model.
    Panicked(String),
}

/// The work of one action.
pub type Job = Box<dyn FnOnce(Line) -> Outcome + Send>;

enum Order {
    Begin(Job),
    Go,
    End,
}

/// An action's side: it hands the baton back and waits for it.
#[derive(Clone)]
pub struct Line {
    shared: std::sync::Arc<Ends>,
}

struct Ends {
    orders: std::sync::Mutex<Receiver<Order>>,
    said: Sender<Said>,
}

/// The payload that unwinds an action that is ended.
struct EndOfAction;

impl Line {
    /// Hands the baton back for so long.
    pub fn wait(&self, millis: u64) {
        let over = self.shared.said.send(Said::Wait(millis)).is_err();
        let order = self.shared.orders.lock().ok().and_then(|orders| orders.recv().ok());
        if over || !matches!(order, Some(Order::Go)) {
            resume_unwind(Box::new(EndOfAction));
        }
    }

    fn next(&self) -> Option<Order> {
        self.shared.orders.lock().ok()?.recv().ok()
    }
}

/// A thread that runs one action after the other.
pub struct Worker {
    orders: Sender<Order>,
}

/// The threads, kept for the next action.
pub struct Pool {
    idle: Vec<Worker>,
    said: Receiver<Said>,
    say: Sender<Said>,
}

impl Pool {
    pub fn new() -> Pool {
        let (say, said) = channel();
        Pool { idle: Vec::new(), said, say }
    }

    /// Begins an action, up to its first call of the host.
    pub fn begin(&mut self, job: Job) -> (Worker, Said) {
        let worker = self.idle.pop().unwrap_or_else(|| self.worker());
        let said = self.order(&worker, Order::Begin(job));
        (worker, said)
    }

    /// Lets an action go on, up to its next call of the host.
    pub fn go_on(&mut self, worker: &Worker) -> Said {
        self.order(worker, Order::Go)
    }

    /// Ends an action where it is.
    pub fn end(&mut self, worker: Worker) {
        let _ = self.order(&worker, Order::End);
        self.idle.push(worker);
    }

    /// Takes back a worker whose action has ended.
    pub fn release(&mut self, worker: Worker) {
        self.idle.push(worker);
    }

    fn order(&mut self, worker: &Worker, order: Order) -> Said {
        if worker.orders.send(order).is_err() {
            return Said::Panicked("the action's thread is gone".into());
        }
        self.said.recv().unwrap_or_else(|_| Said::Panicked("the action's thread is gone".into()))
    }

    fn worker(&self) -> Worker {
        let (orders, received) = channel();
        let ends = Ends { orders: std::sync::Mutex::new(received), said: self.say.clone() };
        let line = Line { shared: std::sync::Arc::new(ends) };
        std::thread::Builder::new()
            .name("action".into())
            .stack_size(512 << 10)
            .spawn(move || work(&line))
            .expect("a test may have a thread");
        Worker { orders }
    }
}

fn work(line: &Line) {
    while let Some(Order::Begin(job)) = line.next() {
        let own = line.clone();
        let said = match catch_unwind(AssertUnwindSafe(move || job(own))) {
            Ok(outcome) => Said::Done(outcome),
            Err(payload) if payload.is::<EndOfAction>() => Said::Ended,
            Err(payload) => Said::Panicked(text(payload.as_ref())),
        };
        if line.shared.said.send(said).is_err() {
            return;
        }
    }
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".into())
}
