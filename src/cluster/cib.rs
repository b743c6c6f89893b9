//! The CIB: what of the configuration decides about fencing and time, each value with its line.

pub mod allowed;
pub mod constraints;
mod management;
pub mod placement;
pub mod resources;
mod rule;
mod sets;
mod tree;

use std::collections::BTreeMap;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use constraints::Constraints;
pub use management::{Management, NodeState, management};
use resources::{NodeAttributes, Resource};
pub use rule::Rule;
pub use sets::{Value, Values};
pub use tree::TreeError;

/// A configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cib {
    /// Cluster properties.
    pub properties: Vec<Property>,
    pub nodes: Vec<Node>,
    pub primitives: Vec<Primitive>,
    /// The fencing topology, in the order in which it is written down.
    pub levels: Vec<Level>,
    /// Everything under `<resources>`, with what counts for each.
    pub resources: Vec<Resource>,
    pub constraints: Constraints,
    pub node_attributes: Vec<NodeAttributes>,
    /// The tickets of which the CIB knows, and whether this cluster holds them.
    pub tickets: BTreeMap<String, bool>,
    /// What Pacemaker is told to leave alone.
    pub management: Management,
    /// The port, and its line, at which anybody may change the CIB unencrypted.
    pub clear_port: Option<Value>,
}

/// A cluster property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    pub name: String,
    pub value: String,
    /// Counted from 1.
    pub line: usize,
}

/// A node of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    pub line: usize,
}

/// A primitive resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Primitive {
    pub id: String,
    /// As in `pcs resource create`: `ocf:quorate:postgres`.
    pub agent: String,
    /// The agent's parameters.
    pub parameters: BTreeMap<String, String>,
    pub operations: Vec<Operation>,
    pub line: usize,
}

/// One of a primitive's operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub name: String,
    /// As written.
    pub interval: String,
    pub timeout: Option<String>,
    pub role: Option<String>,
    pub line: usize,
}

/// A level of the fencing topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Whom it fences: a node, a pattern of names, or an attribute of nodes with its value.
    pub target: String,
    /// Levels are tried from the lowest on.
    pub index: u32,
    /// Resources; all of them have to succeed.
    pub devices: Vec<String>,
    pub line: usize,
}

/// Why the text is no CIB.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {cure}")]
pub struct CibError {
    pub line: usize,
    pub what: String,
    pub cure: &'static str,
}

const HOW: &str = "save it anew: pcs cluster cib FILE";
/// Deeper is no CIB: what is asked of each element's ancestors would cost the square of the file.
const DEEPEST: usize = 100;

/// Reads a CIB. What Pacemaker's next release adds is skipped.
///
/// # Errors
/// The line from which on it is not XML, or not a CIB.
pub fn parse(xml: &str) -> Result<Cib, CibError> {
    let mut reader = Reader::from_str(xml);
    let mut parser = Parser { lines: Lines::of(xml), cib: Cib::default(), path: Vec::new(), has_root: false };
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let broken = |e: quick_xml::Error, reader: &Reader<&[u8]>| {
            let at = usize::try_from(reader.error_position()).unwrap_or(usize::MAX);
            CibError { line: line_at(xml, at), what: format!("broken XML: {e}"), cure: HOW }
        };
        match reader.read_event() {
            Err(error) => return Err(broken(error, &reader)),
            Ok(Event::Start(element)) => {
                parser.enter(&element, at)?;
                parser.path.push(element.name().as_ref().to_owned());
                if parser.path.len() > DEEPEST {
                    let what = format!("elements lie more than {DEEPEST} deep in each other");
                    return Err(CibError { line: parser.lines.at(at), what, cure: HOW });
                }
            }
            Ok(Event::Empty(element)) => parser.enter(&element, at)?,
            Ok(Event::End(_)) => {
                parser.path.pop();
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
        }
    }
    let end = |what: String| CibError { line: xml.lines().count().max(1), what, cure: HOW };
    match parser.path.last() {
        Some(open) => Err(end(format!("the file ends inside of <{open}>"))),
        None if !parser.has_root => Err(end("there is no <cib> element".to_owned())),
        None => whole(xml, parser.cib),
    }
}

/// What depends on what stands beside and above it.
fn whole(xml: &str, mut cib: Cib) -> Result<Cib, CibError> {
    let broken = |e: TreeError| CibError { line: 1, what: e.to_string(), cure: HOW };
    let root = tree::parse(xml).map_err(broken)?;
    cib.resources = resources::resources(&root);
    cib.constraints = constraints::constraints(&root);
    cib.node_attributes = resources::node_attributes(&root);
    cib.tickets = resources::tickets(&root);
    cib.management = management::of(&root);
    cib.clear_port =
        root.get("remote-clear-port").filter(|p| *p != "0").map(|port| Value::new(port, root.line));
    Ok(cib)
}

fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1
}

/// Counts lines on the way through the text: to count from its beginning for each element would cost the square of the file.
struct Lines<'a> {
    text: &'a [u8],
    offset: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    const fn of(text: &'a str) -> Self {
        Self { text: text.as_bytes(), offset: 0, line: 1 }
    }

    /// The line of an offset that is not before the last one that was asked for.
    fn at(&mut self, offset: usize) -> usize {
        let passed = self.text.get(self.offset..offset).unwrap_or_default();
        self.line += passed.iter().filter(|b| **b == b'\n').count();
        self.offset = self.offset.max(offset);
        self.line
    }
}

struct Parser<'a> {
    lines: Lines<'a>,
    cib: Cib,
    path: Vec<String>,
    has_root: bool,
}

impl Parser<'_> {
    fn enter(&mut self, element: &BytesStart<'_>, at: usize) -> Result<(), CibError> {
        let line = self.lines.at(at);
        let get = |name: &'static str| attribute(element, name, line);
        let need = |name: &'static str| {
            get(name)?.ok_or_else(|| CibError {
                line,
                what: format!("<{}> has no {name}", element.name().as_ref()),
                cure: HOW,
            })
        };
        let name = element.name().as_ref().to_owned();
        let within = |section: &str| self.path.iter().any(|p| p == section);
        match (self.path.last().map(String::as_str), name.as_str()) {
            (None, "cib") => self.has_root = true,
            (Some("cluster_property_set"), "nvpair") => {
                let value = get("value")?.unwrap_or_default();
                self.cib.properties.push(Property { name: need("name")?, value, line });
            }
            (Some("nodes"), "node") => self.cib.nodes.push(Node { name: need("uname")?, line }),
            (_, "primitive") if within("resources") => {
                let words = [get("class")?, get("provider")?, get("type")?];
                let agent = words.into_iter().flatten().collect::<Vec<_>>().join(":");
                let id = need("id")?;
                let parameters = BTreeMap::new();
                self.cib.primitives.push(Primitive { id, agent, parameters, operations: Vec::new(), line });
            }
            (Some("instance_attributes"), "nvpair") if within("primitive") && !within("operations") => {
                let (name, value) = (need("name")?, get("value")?.unwrap_or_default());
                if let Some(primitive) = self.cib.primitives.last_mut() {
                    primitive.parameters.insert(name, value);
                }
            }
            (Some("fencing-topology"), "fencing-level") => {
                let index = need("index")?;
                let index = index.parse().map_err(|_| CibError {
                    line,
                    what: format!("the index of a <fencing-level>, {index:?}, is no number"),
                    cure: HOW,
                })?;
                let attribute = get("target-attribute")?.zip(get("target-value")?);
                let target = match (get("target")?.or(get("target-pattern")?), attribute) {
                    (Some(target), _) => target,
                    (None, Some((name, value))) => format!("{name}={value}"),
                    (None, None) => need("target")?,
                };
                let devices = need("devices")?.split(',').map(|device| device.trim().to_owned()).collect();
                self.cib.levels.push(Level { target, index, devices, line });
            }
            (Some("operations"), "op") => {
                let operation = Operation {
                    name: need("name")?,
                    interval: get("interval")?.unwrap_or_default(),
                    timeout: get("timeout")?,
                    role: get("role")?,
                    line,
                };
                if let Some(primitive) = self.cib.primitives.last_mut() {
                    primitive.operations.push(operation);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn attribute(element: &BytesStart<'_>, name: &'static str, line: usize) -> Result<Option<String>, CibError> {
    let broken = |what: String| CibError { line, what, cure: HOW };
    match element.try_get_attribute(name) {
        Err(e) => Err(broken(format!("a broken attribute: {e}"))),
        Ok(None) => Ok(None),
        Ok(Some(found)) => match found.normalized_value(XmlVersion::Implicit1_0) {
            Ok(value) => Ok(Some(value.into_owned())),
            Err(e) => Err(broken(format!("a broken attribute {name}: {e}"))),
        },
    }
}

impl Cib {
    /// A cluster property. The first of several counts, as in Pacemaker, where the sets have the same score.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|p| p.name == name)
    }
}

/// What Pacemaker takes for infinite.
pub const INFINITY: i64 = 1_000_000;

/// A score as Pacemaker writes it, a number or infinite.
#[must_use]
pub fn score(text: &str) -> Option<i64> {
    match text.trim().to_ascii_lowercase().as_str() {
        "infinity" | "+infinity" => Some(INFINITY),
        "-infinity" => Some(-INFINITY),
        other => other.parse::<i64>().ok().map(|n| n.clamp(-INFINITY, INFINITY)),
    }
}

/// A time as Pacemaker writes it, in milliseconds: a number of seconds, or one with a unit.
#[must_use]
pub fn milliseconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '-' || c == '+')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "s" | "sec" => 1000,
        "ms" | "msec" => 1,
        "m" | "min" => 60_000,
        "h" | "hr" => 3_600_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(factor)
}

/// A yes or no as Pacemaker writes it.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "y" | "1" => Some(true),
        "false" | "off" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CIB: &str = r#"<cib validate-with="pacemaker-3.9">
  <configuration>
    <crm_config>
      <cluster_property_set id="o">
        <nvpair id="a" name="stonith-enabled" value="true"/>
      </cluster_property_set>
    </crm_config>
    <nodes><node id="1" uname="srv1"/></nodes>
    <resources>
      <clone id="c"><primitive id="pgsqld" class="ocf" type="postgres" provider="quorate">
        <instance_attributes id="i"><nvpair id="p" name="pgdata" value="/d"/></instance_attributes><operations>
          <op name="monitor" interval="3s" timeout="5s" role="Promoted" id="m"/>
        </operations>
      </primitive></clone>
    </resources>
    <fencing-topology>
      <fencing-level id="l1" target="srv1" index="2" devices="a, b"/>
      <fencing-level id="l2" target-attribute="centre" target-value="east" index="1" devices="a"/>
      <fencing-level id="l3" target-pattern="srv.*" index="1" devices="a"/>
    </fencing-topology>
  </configuration>
  <status/>
</cib>
"#;

    #[test]
    fn values_and_their_lines() {
        let cib = parse(CIB).expect("a CIB");
        assert_eq!(cib.property("stonith-enabled").map(|p| (p.value.as_str(), p.line)), Some(("true", 5)));
        assert_eq!(cib.nodes, [Node { name: "srv1".into(), line: 8 }]);
        assert_eq!(cib.primitives[0].agent, "ocf:quorate:postgres");
        assert_eq!(cib.primitives[0].parameters.get("pgdata").map(String::as_str), Some("/d"));
        assert_eq!((cib.primitives[0].line, cib.primitives[0].operations[0].line), (10, 12));
        let levels: Vec<_> =
            cib.levels.iter().map(|l| (l.target.as_str(), l.index, l.devices.join("+"), l.line)).collect();
        let expected = [("srv1", 2, "a+b", 17), ("centre=east", 1, "a", 18), ("srv.*", 1, "a", 19)];
        assert_eq!(
            levels,
            expected.map(|(target, index, devices, line)| (target, index, devices.to_owned(), line))
        );
    }

    #[test]
    fn broken_ones_have_a_line() {
        for (text, line, word) in [
            ("", 1, "no <cib>"),
            ("<a/>\n", 1, "no <cib>"),
            ("<cib>\n<configuration>\n</cib>\n", 3, "broken XML"),
            ("<cib>\n<configuration>\n", 2, "ends inside of <configuration>"),
            ("<cib>\n<configuration>\n<nodes>\n<node id=\"1\"/>\n", 4, "<node> has no uname"),
            ("<cib><fencing-topology>\n<fencing-level index=\"x\"/>", 2, "\"x\", is no number"),
            ("<cib><fencing-topology>\n<fencing-level index=\"1\" devices=\"a\"/>", 2, "has no target"),
            ("<cib>\n<nodes>\n<node uname=\"&x;\"/></nodes></cib>\n", 3, "broken attribute"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.to_string().contains(word), "{text}: {error}");
            assert_eq!(error.line, line, "{text}: {error}");
        }
    }

    #[test]
    fn times_and_flags() {
        for (text, ms) in [
            ("10", 10_000),
            ("10s", 10_000),
            ("500ms", 500),
            ("1m", 60_000),
            ("-1", -1000),
            ("2min", 120_000),
        ] {
            assert_eq!(milliseconds(text), Some(ms), "{text}");
        }
        for text in ["", "s", "10 years", "1.5s", "PT10S"] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
        assert_eq!((boolean("True"), boolean("0"), boolean("maybe")), (Some(true), Some(false), None));
    }

    #[test]
    fn a_file_costs_its_length_and_not_its_square() {
        let deep = "<primitive>".repeat(101);
        let error = parse(&format!("<cib>\n{deep}")).unwrap_err();
        assert!(error.what.contains("deep") && error.line == 2, "{error:?}");
        // A minute where the lines before each element are counted anew.
        let long = format!("<cib><nodes>{}</nodes></cib>", "<node uname=\"n\"/>\n".repeat(50_000));
        let began = std::time::Instant::now();
        let cib = parse(&long).expect("sound");
        assert_eq!(cib.nodes.last().map(|n| n.line), Some(50_000));
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }
}
