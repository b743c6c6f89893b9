//! The generated part of `docs/doctor.md`.

use quorate::decide::doctor::registry;

use super::document::entry;

/// A list for each subject.
pub fn rules() -> String {
    let mut out = String::new();
    let mut subject = None;
    for rule in registry::rules() {
        if subject != Some(rule.subject) {
            subject = Some(rule.subject);
            let heading = rule.subject.name();
            out.push_str(&format!("\n**{heading}**\n\n"));
        }
        let (severity, kept, broken) = (rule.severity.name(), rule.rule, rule.why);
        out.push_str(&entry(&format!("**`{}`** ({severity}): {kept}. *Else*: {broken}.", rule.name)));
    }
    out
}
