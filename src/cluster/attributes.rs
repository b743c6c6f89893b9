//! Node attributes as `attrd_updater --query` prints them.

/// One node's value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeValue {
    pub node: String,
    pub value: String,
}

/// Reads lines of the form `name="master-pgsqld" host="srv1" value="1001"`; others are skipped: the command mixes
/// remarks into its output. A node without a value is left out.
pub fn parse(text: &str) -> Vec<NodeValue> {
    text.lines()
        .filter_map(|line| {
            let node = quoted(line, "host")?;
            let value = quoted(line, "value")?;
            (!node.is_empty() && !value.is_empty())
                .then(|| NodeValue { node: node.into(), value: value.into() })
        })
        .collect()
}

fn quoted<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = line;
    loop {
        let at = rest.find(key)?;
        let whole = at == 0 || rest[..at].ends_with(' ');
        let after = &rest[at + key.len()..];
        match after.strip_prefix("=\"") {
            Some(value) if whole => return value.split('"').next(),
            _ => rest = after,
        }
    }
}

/// A score as Pacemaker writes it: a number, or INFINITY, which is 1,000,000.
pub fn score(text: &str) -> Option<i32> {
    match text.trim() {
        "INFINITY" | "+INFINITY" => Some(1_000_000),
        "-INFINITY" => Some(-1_000_000),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_attrd_updater() {
        let text = "name=\"master-pgsqld\" host=\"srv1\" value=\"1001\"\nname=\"master-pgsqld\" host=\"srv10\" value=\"900\"\n\
                    name=\"master-pgsqld\" host=\"srv3\" value=\"\"\nattrd_updater: a remark\n";
        let values = parse(text);
        assert_eq!(values.len(), 2);
        assert_eq!((values[1].node.as_str(), values[1].value.as_str()), ("srv10", "900"));
        assert_eq!(parse(""), []);
        assert_eq!(parse("host= value"), []);
    }

    #[test]
    fn a_name_that_contains_a_key_does_not_confuse() {
        let values = parse("name=\"host-value\" host=\"a\" value=\"1\"");
        assert_eq!(values, [NodeValue { node: "a".into(), value: "1".into() }]);
    }

    #[test]
    fn scores() {
        assert_eq!(score("-INFINITY"), Some(-1_000_000));
        assert_eq!(score("900"), Some(900));
        assert_eq!(score("much"), None);
    }
}
