//! The cures that are commands of pcs and nothing else: what `quorate doctor --fix` prints, and with `--yes` does.

use super::Report;

/// What may be typed while the service runs: it sets a value, or takes an order back. What stops the cluster, or needs a place or a
/// name that nobody but the operator knows, is left to him.
const SAFE: [&[&str]; 17] = [
    &["pcs", "property", "set"],
    &["pcs", "property", "unset"],
    &["pcs", "resource", "meta"],
    &["pcs", "resource", "update"],
    &["pcs", "resource", "enable"],
    &["pcs", "resource", "manage"],
    &["pcs", "resource", "defaults", "update"],
    &["pcs", "resource", "op", "defaults", "update"],
    &["pcs", "node", "unstandby"],
    &["pcs", "node", "unmaintenance"],
    &["pcs", "constraint", "delete"],
    &["pcs", "constraint", "colocation", "add"],
    &["pcs", "constraint", "order", "promote"],
    &["pcs", "stonith", "update"],
    &["pcs", "stonith", "enable"],
    &["pcs", "stonith", "level"],
    &["pcs", "quorum", "device", "update"],
];

/// A finding that commands mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    pub rule: &'static str,
    pub what: String,
    /// Each a program and its arguments.
    pub commands: Vec<Vec<String>>,
}

/// A finding that takes a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByHand {
    pub rule: &'static str,
    pub what: String,
    pub cure: String,
}

/// What commands mend, and what they don't. A command is there once.
#[must_use]
pub fn fixes(report: &Report) -> (Vec<Fix>, Vec<ByHand>) {
    let (mut fixes, mut by_hand) = (Vec::<Fix>::new(), Vec::new());
    for (rule, findings) in report.broken() {
        for finding in findings {
            let what = finding.what.clone();
            let Some(mut commands) = commands(&finding.cure) else {
                by_hand.push(ByHand { rule: rule.name, what, cure: finding.cure.clone() });
                continue;
            };
            commands.retain(|command| !fixes.iter().any(|fix| fix.commands.contains(command)));
            fixes.push(Fix { rule: rule.name, what, commands });
        }
    }
    (fixes, by_hand)
}

/// The commands that a cure consists of; `None`: it is more than that, or less.
#[must_use]
pub fn commands(cure: &str) -> Option<Vec<Vec<String>>> {
    cure.split(" && ").map(command).collect()
}

fn command(text: &str) -> Option<Vec<String>> {
    let words = words(text)?;
    let is_safe =
        SAFE.iter().any(|safe| words.len() > safe.len() && words.iter().zip(*safe).all(|(a, b)| a == b));
    // A name in capitals is to be filled in; a value may be one.
    let is_filled = |word: &String| {
        let name = word.split('=').next().unwrap_or_default();
        let value = word.split_once('=').map_or("", |(_, value)| value);
        let is_blank = |w: &str| w.len() > 2 && w != "INFINITY" && w.bytes().all(|b| b.is_ascii_uppercase());
        !is_blank(name) && !is_blank(value)
    };
    (is_safe && words.iter().all(is_filled)).then_some(words)
}

/// Words as a shell takes them, of what needs no more than double quotes. Prose has other signs.
fn words(text: &str) -> Option<Vec<String>> {
    if text.contains("  ")
        || text.contains(", ")
        || text.contains(['(', ')', ';', '…', '|', '<', '>', '$', '`', '\'', '\\'])
    {
        return None;
    }
    let mut words = Vec::new();
    for (index, part) in text.split('"').enumerate() {
        if index % 2 == 1 {
            // Within quotes: a part of the word that is open.
            words.last_mut().map(|last: &mut String| last.push_str(part))?;
            continue;
        }
        let joins = part.starts_with(' ') || index == 0;
        for (at, word) in part.split_whitespace().enumerate() {
            match words.last_mut() {
                Some(last) if at == 0 && !joins => last.push_str(word),
                _ => words.push(word.to_owned()),
            }
        }
    }
    // An odd number of quotes.
    text.matches('"').count().is_multiple_of(2).then_some(words)
}

/// A command as one types it.
#[must_use]
pub fn typed(command: &[String]) -> String {
    let word = |word: &String| if word.contains(' ') { format!("\"{word}\"") } else { word.clone() };
    command.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_and_what_is_prose() {
        let one = |cure: &str| commands(cure).map(|all| all.iter().map(|c| typed(c)).collect::<Vec<_>>());
        for cure in [
            "pcs property set stonith-watchdog-timeout=14",
            "pcs resource meta pgsqld-clone notify=true",
            "pcs constraint delete cli-ban-pgsqld-clone-on-srv2",
            "pcs resource update pgsqld op monitor interval=3s timeout=5s role=Promoted",
            "pcs constraint colocation add primary-ip with Promoted pgsqld-clone score=INFINITY",
        ] {
            assert_eq!(one(cure), Some(vec![cure.to_owned()]));
        }
        let listed = "pcs stonith update watchdog pcmk_host_list=\"srv1 srv2\"";
        assert_eq!(commands(listed).expect("one")[0][4], "pcmk_host_list=srv1 srv2");
        assert_eq!(
            one(
                "pcs constraint delete c1 && pcs constraint colocation add ip with Promoted c score=INFINITY"
            )
            .map(|a| a.len()),
            Some(2)
        );
        for prose in [
            "systemctl restart quorated",
            "pcs quorum device update model algorithm=ffsplit (pcs sets the votes with it)",
            "pcs stonith delete x, then a device that resets",
            "pcs cluster stop --all && pcs cluster start --all",
            "pcs resource restart RESOURCE",
            "pcs resource update RESOURCE pgdata=/x",
            "pcs property set stonith-watchdog-timeout=…; quorate timing computes it",
            "pcs property set",
            "pcs resource meta \"x y=1",
            "pcs constraint delete x && reboot",
            "pcs property set a=$(reboot)",
        ] {
            assert_eq!(commands(prose), None, "{prose}");
        }
    }
}
