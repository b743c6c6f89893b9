//! The helper processes, `quorated --helper=KIND`: what may hang in a disk, apart from the locked process at real-time priority that decides.
//!
//! `storage` makes the trial writes, each in a child of its own; `evidence` is [`super::evidence`], `health` is
//! [`super::health_helper`]. See [`crate::boundary::companion`] for the reason.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{evidence, health_helper};
use crate::boundary::identity::SystemUser;
use crate::boundary::owned_files::OwnedFiles;
use crate::boundary::{companion, write_test};
use crate::decide::disk::Trial;

/// What a helper process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    Storage,
    Evidence,
    Health,
}

/// What the storage helper is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Which file systems these are.
    Survey(Survey),
    /// To try whether they take a write.
    Write(Write),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Survey {
    /// A data directory, and its WAL where that may hang apart, as this user sees them.
    Data(PathBuf, u32),
    Other(PathBuf),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Write {
    pub(super) places: Vec<PathBuf>,
    pub(super) uid: u32,
    pub(super) lock: PathBuf,
    pub(super) patience: Duration,
    /// The file's name.
    pub(super) name: String,
}

/// A directory, and the device below it.
pub(super) type Surveyed = Vec<(PathBuf, Option<u64>)>;

/// What the storage helper answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Survey(Surveyed),
    Write(Vec<Trial>),
    /// The user is not known: why.
    Untried(String),
}

/// Works until `quorated` is gone. Gives the exit code.
pub(super) fn serve(kind: Kind) -> u8 {
    match kind {
        Kind::Storage => storage(),
        Kind::Evidence => evidence::serve(),
        Kind::Health => health_helper::serve(),
    }
}

fn storage() -> u8 {
    companion::name(c"quorated-disk");
    while let Ok(Some(text)) = companion::listen() {
        write_test::reap();
        // Both sides are the same program: what can't be read is no question of ours.
        let Ok(request) = serde_json::from_slice(&text) else { return 1 };
        let answer = match request {
            Request::Survey(survey) => look(survey).map_or_else(Answer::Untried, Answer::Survey),
            Request::Write(write) => match SystemUser::by_uid(write.uid) {
                Ok(user) => {
                    let tried =
                        write_test::run(&write.places, &write.name, &user, &write.lock, write.patience);
                    Answer::Write(tried.into_iter().map(|(_, trial)| trial).collect())
                }
                Err(e) => Answer::Untried(e.to_string()),
            },
        };
        let sent = serde_json::to_vec(&answer).map(|text| companion::answer(&text));
        if !matches!(sent, Ok(Ok(()))) {
            return 1;
        }
    }
    0
}

fn look(survey: Survey) -> Result<Surveyed, String> {
    let (files, places) = match survey {
        Survey::Data(pgdata, uid) => {
            let files = OwnedFiles::of(&SystemUser::by_uid(uid).map_err(|e| e.to_string())?);
            let places = write_test::directories(&files, &pgdata);
            (files, places)
        }
        Survey::Other(path) => {
            let files = OwnedFiles::of(&SystemUser::root());
            let there = files.directory(&path).is_ok();
            (files, there.then_some(path).into_iter().collect())
        }
    };
    let device = |path: &PathBuf| files.directory(path).ok().map(|d| d.device);
    Ok(places.into_iter().map(|path| (device(&path), path)).map(|(device, path)| (path, device)).collect())
}
