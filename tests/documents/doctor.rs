//! The generated part of `docs/doctor.md`.

use quorate::decide::doctor::registry::RULES;

/// A table for each subject.
pub fn rules() -> String {
    let mut out = String::new();
    let mut subject = None;
    for rule in RULES {
        if subject != Some(rule.subject) {
            subject = Some(rule.subject);
            let heading = rule.subject.name();
            out.push_str(&format!(
                "\n**{heading}**\n\n| rule | severity | what has to be so | else |\n|---|---|---|---|\n"
            ));
        }
        out.push_str(&format!(
            "| `{}` | {} | {} | {} |\n",
            rule.name,
            rule.severity.name(),
            rule.rule,
            rule.why
        ));
    }
    out
}
