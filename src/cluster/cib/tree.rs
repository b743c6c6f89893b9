//! The elements of a CIB as a tree: sets of attributes depend on what stands beside and above them.

use std::collections::BTreeMap;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::Lines;

/// Deeper than Pacemaker nests, and shallow enough for a stack.
const DEPTH: usize = 64;

/// Why the text is no CIB.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TreeError(String);

/// An element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    /// Counted from 1.
    pub(super) line: usize,
    attributes: BTreeMap<String, String>,
    pub(super) children: Vec<Element>,
}

impl Element {
    pub(super) fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute).map(String::as_str)
    }

    /// The children of that name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// The first child of that name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.name == name)
    }

    /// The element of that id, here or below.
    pub(super) fn find(&self, id: &str) -> Option<&Self> {
        if self.get("id") == Some(id) {
            return Some(self);
        }
        self.children.iter().find_map(|c| c.find(id))
    }
}

/// Reads it. The root is the `<cib>`.
pub(super) fn parse(xml: &str) -> Result<Element, TreeError> {
    let mut reader = Reader::from_str(xml);
    let mut open: Vec<Element> = Vec::new();
    let mut root: Option<Element> = None;
    let mut lines = Lines::of(xml);
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        match reader.read_event().map_err(|e| TreeError(format!("broken XML: {e}")))? {
            Event::Start(start) => {
                if open.len() >= DEPTH {
                    return Err(TreeError(format!("elements are nested more than {DEPTH} deep")));
                }
                open.push(element(&start, lines.at(at))?);
            }
            Event::Empty(start) => close(element(&start, lines.at(at))?, &mut open, &mut root),
            Event::End(_) => {
                if let Some(done) = open.pop() {
                    close(done, &mut open, &mut root);
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    match (open.last(), root) {
        (Some(open), _) => Err(TreeError(format!("it ends inside of <{}>", open.name))),
        (None, Some(root)) if root.name == "cib" => Ok(root),
        (None, _) => Err(TreeError("there is no <cib> element".to_owned())),
    }
}

fn close(done: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(done),
        None => *root = Some(done),
    }
}

fn element(start: &BytesStart<'_>, line: usize) -> Result<Element, TreeError> {
    let name = start.name().as_ref().to_owned();
    let broken = |e: &dyn std::fmt::Display| TreeError(format!("a broken attribute of <{name}>: {e}"));
    let mut attributes = BTreeMap::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| broken(&e))?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|e| broken(&e))?;
        attributes.insert(attribute.key.as_ref().to_owned(), value.into_owned());
    }
    Ok(Element { name, line, attributes, children: Vec::new() })
}
