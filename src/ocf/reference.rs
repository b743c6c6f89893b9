//! `docs/parameters.md`: the reference of the parameters, from their table.

use super::params::{Change, Kind, PARAMS, Presence};

/// Columns of a line of text.
const WIDTH: usize = 110;

/// The whole page, Markdown.
pub fn page() -> String {
    let mut page = String::from(
        "# Parameters of `ocf:quorate:postgres`\n\n\
         Set them with `pcs resource create` or `pcs resource update`. Generated from `src/ocf/params.rs`.\n\n\
         | parameter | default | type | a change |\n|---|---|---|---|\n",
    );
    for p in PARAMS {
        let default = match (p.presence, p.default) {
            (Presence::Required, _) => "required".to_owned(),
            (Presence::Optional, "") => "derived".to_owned(),
            (Presence::Optional, default) => format!("`{default}`"),
        };
        let kind = match p.kind {
            Kind::Select(choices) => choices.join(", "),
            kind => kind.name().to_owned(),
        };
        let change = match p.change {
            Change::Reloadable => "takes effect at once",
            Change::Restart => "restarts PostgreSQL",
        };
        page.push_str(&format!("| [`{0}`](#{0}) | {default} | {kind} | {change} |\n", p.name));
    }
    for p in PARAMS {
        let text = folded(&format!("{}. {}", p.short, p.long));
        page.push_str(&format!("\n## {}\n\n{text}\n", p.name));
    }
    page
}

/// In lines that a screen has room for.
fn folded(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_a_section_for_every_parameter() {
        let page = page();
        assert!(PARAMS.iter().all(|p| page.contains(&format!("\n## {}\n", p.name))));
    }
}
