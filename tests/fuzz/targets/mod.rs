//! What is fuzzed: a function for each parser of what others wrote. It takes the bytes as their reader hands them over, says whether they
//! were accepted, and asserts what must hold of every answer.

mod cluster;
mod endpoint;
mod files;
mod pacemaker;
mod postgres;
mod records;
mod site;

/// One parser, or one chain of them that ends in what is shown to a person.
pub struct Target {
    pub name: &'static str,
    /// The modules whose counters say how much of it was reached.
    pub modules: &'static [&'static str],
    /// The longest that the reader hands over.
    pub limit: usize,
    pub words: &'static [&'static str],
    pub seeds: fn() -> Vec<Vec<u8>>,
    pub run: fn(&[u8]) -> bool,
}

/// What the readers of files take at most.
const FILE: usize = 1 << 20;
/// A value of a parameter, an attribute, a column.
const VALUE: usize = 16 << 10;

pub fn all() -> Vec<Target> {
    [
        cluster::TARGETS,
        endpoint::TARGETS,
        files::TARGETS,
        pacemaker::TARGETS,
        postgres::TARGETS,
        records::TARGETS,
        site::TARGETS,
    ]
    .into_iter()
    .flatten()
    .map(|target| Target { ..*target })
    .collect()
}

/// As the readers do that take any bytes.
fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

/// As the readers do that refuse what is not UTF-8.
fn strict(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}

fn seeds(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// An error is one line for a person, and not longer for a longer input.
fn short(error: &impl std::fmt::Display) -> bool {
    let text = error.to_string();
    assert!(text.len() < 4096, "an error of {} bytes", text.len());
    false
}

/// Several texts in one input, with a byte between that none of them has.
fn parts(input: &[u8]) -> Vec<String> {
    input.split(|byte| *byte == 0x1e).map(text).collect()
}

fn joined(texts: &[&str]) -> Vec<u8> {
    texts.join("\x1e").into_bytes()
}
