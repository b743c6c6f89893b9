//! libpq's service file: INI sections of connection keywords.

/// The keywords of a section, in order; of a repeated one the first counts, as in libpq. `Ok(None)`: no such section.
///
/// # Errors
/// A line of that section that libpq refuses too, by its number.
pub fn lookup(text: &str, service: &str) -> Result<Option<Vec<(String, String)>>, ServiceError> {
    let mut found: Option<Vec<(String, String)>> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if header.strip_suffix(']') == Some(service) {
                found = Some(Vec::new());
            }
            continue;
        }
        let Some(section) = found.as_mut() else { continue };
        let fail = |problem| ServiceError { service: service.to_owned(), line: index + 1, problem };
        let (key, value) = line.split_once('=').ok_or_else(|| fail("expected keyword=value"))?;
        match key {
            "" => return Err(fail("expected a keyword before =")),
            "service" => return Err(fail("a service can't name another service")),
            _ if section.iter().any(|(known, _)| known == key) => {}
            _ => section.push((key.to_owned(), value.to_owned())),
        }
    }
    Ok(found)
}

/// A line of the service file that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the service file, in service \"{service}\": {problem}")]
pub struct ServiceError {
    /// Section.
    pub service: String,
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub problem: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# ours\n[main]\nhost=/run/pg\nport=5433\n  user=monitor\nport=9\n\n[other]\nhost=x\nbroken\n";

    #[test]
    fn a_section() {
        let pairs = lookup(TEXT, "main").expect("valid").expect("there");
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("host", "/run/pg"), ("port", "5433"), ("user", "monitor")]);
        assert_eq!(lookup(TEXT, "mai"), Ok(None));
        assert_eq!(lookup("", "main"), Ok(None));
    }

    #[test]
    fn bad_lines_of_our_section_only() {
        assert_eq!(lookup(TEXT, "other").map_err(|e| e.line), Err(10));
        assert_eq!(lookup("[a]\n=x\n", "a").map_err(|e| e.line), Err(2));
        assert_eq!(lookup("[a]\nservice=b\n", "a").map_err(|e| e.line), Err(2));
    }
}
