//! Keeps this node's history: its own promotions with their causes, and what the members tell.

use std::time::Duration;

use super::{Agent, ROUND};
use crate::boundary::host::Level;
use crate::decide::clock::Millis;
use crate::decide::cluster::Manager;
use crate::decide::history::{Entry, Evidence, Kind, cause};
use crate::decide::memory::Succession;
use crate::decide::promotions::{Promotion, Record};

/// A promotion that others made is told by then: they wait until it has settled.
const AFTER_PROMOTION: Millis = 25_000;
/// For what was missed.
const AGAIN: Millis = 600_000;
/// What could not be written is tried again by then.
const AFTER_FAILURE: Millis = 60_000;
/// Each look costs some of Pacemaker's programs, half a second each at most, and the writing its own time.
const LEAST: Duration = Duration::from_millis(2500);

impl Agent<'_> {
    /// Remembers whom it succeeds, for the history: what Pacemaker planned is known during the promotion alone.
    pub(super) fn remember_succession(&mut self, record: &Record) {
        let before = record.last();
        let of = |nodes: &[String]| before.is_some_and(|before| nodes.contains(&before.node));
        self.memory.succession = Some(Succession {
            before: before.map(ToString::to_string),
            demoted: of(&self.plan.demoting),
            stopped: of(&self.plan.stopping),
            own: None,
        });
    }

    /// It has begun: it is to be written, also where this reign ends before it has settled.
    pub(super) fn remember_promotion(&mut self, promotion: &Promotion) {
        if let Some(succession) = &mut self.memory.succession {
            succession.own = Some(promotion.to_string());
        }
    }

    /// Writes this promotion into the history, with its cause. No decision depends on it: a failure is said once.
    fn note_promotion(&mut self, promotion: &Promotion) {
        if promotion.node != self.node() || self.memory.noted == Some(promotion.id) {
            return;
        }
        let succession = self.memory.succession.clone().unwrap_or_default();
        let before: Option<Promotion> = succession.before.as_deref().and_then(|text| text.parse().ok());
        let from = before.as_ref().map(|before| before.node.clone());
        let (told, status) = self.host.evidence(from.as_deref(), &promotion.node);
        let evidence = Evidence {
            from: from.clone(),
            to: promotion.node.clone(),
            resource: self.run.resource.clone(),
            demoted: succession.demoted,
            stopped: succession.stopped,
            adopted: promotion.fork.is_none(),
            approved: self.memory.approved,
            ..told
        };
        let (kind, sentence) = cause(&evidence, status.as_ref());
        let now = self.host.wall_seconds();
        let passed = self.memory.promoted.map_or(0, |when| self.host.now().since(when) / 1000);
        let at = now.saturating_sub(passed);
        let line = format!("history: promotion {}, {}: {sentence}", promotion.generation, kind.name());
        let mut entries = vec![Entry::promotion(at, promotion, from, kind, sentence)];
        // That one's node may be gone before it told.
        entries.extend(before.map(|before| {
            let why = format!("not known: {} was lost before it told", before.node);
            Entry::promotion(at.saturating_sub(1), &before, None, Kind::Unknown, why)
        }));
        if let Some(is_new) = self.note(entries) {
            if is_new {
                self.host.log(Level::Info, &line);
            }
            self.memory.noted = Some(promotion.id);
        }
    }

    /// Takes over what the members tell, now and then, and after a promotion.
    pub(super) fn gather_history(&mut self) {
        let now = self.host.now();
        let is_due = self.memory.history_due.is_none_or(|due| now >= due)
            || self.memory.history_rejoined != self.memory.rejoined;
        if self.manager() == Manager::Nobody || !is_due || self.left() < LEAST.max(ROUND) {
            return;
        }
        self.memory.history_due = Some(now + AGAIN);
        self.memory.history_rejoined = self.memory.rejoined;
        // A reign that ended before it had settled is still to be written.
        let own = self.memory.succession.as_ref().and_then(|succession| succession.own.as_deref());
        let own: Option<Promotion> = own.and_then(|text| text.parse().ok());
        match own.filter(|own| self.memory.noted != Some(own.id)) {
            Some(own) => {
                self.note_promotion(&own);
                if self.memory.noted != Some(own.id) {
                    self.memory.history_due = Some(now + AFTER_FAILURE);
                }
            }
            None => {
                self.note(Vec::new());
            }
        }
    }

    /// This primary's promotion has settled: it is written next, behind everything that a monitor is for.
    pub(super) fn history_is_due(&mut self, promotion: &Promotion) {
        if promotion.node == self.node() && self.memory.noted != Some(promotion.id) {
            self.memory.succession.get_or_insert_default().own = Some(promotion.to_string());
            self.memory.history_due = None;
        }
    }

    /// A promotion was made: it will be told.
    pub(super) fn expect_history(&mut self) {
        self.memory.history_due = Some(self.host.now() + AFTER_PROMOTION);
    }

    /// Whether the history is another one by now; `None`: it could not be written.
    fn note(&mut self, entries: Vec<Entry>) -> Option<bool> {
        let noted = self.host.note_history(entries);
        noted.map_err(|error| self.complain(Some(format!("the history could not be kept: {error}")))).ok()
    }
}
