//! The few kinds of XML events that a description of an agent is made of.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// A document that is being written.
pub(crate) type Document = Writer<Vec<u8>>;

/// A document of which the declaration is written.
pub(crate) fn begin(encoding: Option<&str>) -> io::Result<Document> {
    let mut w = Writer::new_with_indent(Vec::new(), b' ', 2);
    w.write_event(Event::Decl(BytesDecl::new("1.0", encoding, None)))?;
    Ok(w)
}

/// Its text.
pub(crate) fn end(w: Document) -> io::Result<String> {
    let mut xml = String::from_utf8(w.into_inner()).map_err(io::Error::other)?;
    xml.push('\n');
    Ok(xml)
}

fn element(name: &'static str, attributes: &[(&str, &str)]) -> BytesStart<'static> {
    let mut start = BytesStart::new(name);
    for attribute in attributes {
        start.push_attribute(*attribute);
    }
    start
}

pub(crate) fn open(w: &mut Document, name: &'static str, attributes: &[(&str, &str)]) -> io::Result<()> {
    w.write_event(Event::Start(element(name, attributes)))
}

pub(crate) fn close(w: &mut Document, name: &'static str) -> io::Result<()> {
    w.write_event(Event::End(BytesEnd::new(name)))
}

pub(crate) fn empty(w: &mut Document, name: &'static str, attributes: &[(&str, &str)]) -> io::Result<()> {
    w.write_event(Event::Empty(element(name, attributes)))
}

pub(crate) fn text(
    w: &mut Document,
    name: &'static str,
    attributes: &[(&str, &str)],
    s: &str,
) -> io::Result<()> {
    open(w, name, attributes)?;
    w.write_event(Event::Text(BytesText::new(s)))?;
    close(w, name)
}
