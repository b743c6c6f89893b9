//! `metadata`: the agent's description in XML, from the table of its options.

use std::io;

use clap::{Arg, CommandFactory};

use super::options::{Action, Options};
use crate::ocf::xml::{Document, close, empty, open, text};

const SHORT: &str = "Early confirmation that a node has reset itself, which a member is told to do";

/// What it is.
pub(super) const LONG: &str = "Confirms at once that a node is gone, where it announced its self-fencing before it reset itself: no process of \
PostgreSQL was left there then. A node that is still a member and announced nothing is asked to: its quorated shuts PostgreSQL down, \
announces its self-fencing and resets it. For off it switches itself off. It belongs into the first level of a fencing topology, before a power \
switch or the watchdog, and fails within milliseconds where it has no positive evidence, so that the next level begins.";

/// What an operator needs to know beside the options.
pub(super) const HELP: &str = "off and reboot succeed only when all of this is so: the node's quorated announced its self-fencing, \
and what is asked for; no other resource than PostgreSQL and float IP addresses may run there; the node has left the membership \
since, less than 10 s ago, and its reset has begun; votequorum, asked directly, does not list it, says that this side has quorum, and \
speaks of the membership that quorated has followed since; and the quorum device, where there is one, gives its vote. Everything \
else, and whatever can't be read or does not answer, fails.

A member that announced nothing is asked to fence itself, where this side has quorum, and its notice is waited for. It does so where \
its own votequorum and Pacemaker agree. What has left without a notice is never waited for.

on does nothing and succeeds: a node that has reset itself comes back by itself. monitor succeeds when votequorum answers, with \
quorum or without. list shows the nodes of corosync.conf.

Without options the same is read from standard input, a line key=value each; keys that are not known are ignored.

Exit status: 0 done (status: the node is a member); 1 failed, or it can't be verified; 2 status: the node is known to be gone.

Example:

  pcs stonith create quorate-fence fence_quorate \\
  pcmk_host_list=\"srv1 srv2\" \\
  pcmk_reboot_retries=1 pcmk_off_retries=1
  pcs stonith create watchdog fence_watchdog \\
  pcmk_host_list=\"srv1 srv2\"
  pcs stonith level add 1 srv1 quorate-fence
  pcs stonith level add 2 srv1 watchdog

One try is enough: a second one, which Pacemaker makes after a second, only delays the next level. Do not shorten \
pcmk_reboot_timeout: Pacemaker 2.1.5 does not count the watchdog's time into the time for all levels together.

See also /usr/share/doc/quorate/docs/fencing.md, quorate(1), stonith_admin(8).";

/// The whole document.
///
/// # Errors
/// None in practice: it writes into memory.
pub fn document() -> io::Result<String> {
    let mut w = crate::ocf::xml::begin(None)?;
    open(&mut w, "resource-agent", &[("name", super::NAME), ("shortdesc", SHORT)])?;
    text(&mut w, "longdesc", &[], LONG)?;
    // There is no page of ours to name; the schema wants the element.
    text(&mut w, "vendor-url", &[], "")?;
    open(&mut w, "parameters", &[])?;
    for argument in Options::command().get_arguments() {
        parameter(&mut w, argument)?;
    }
    close(&mut w, "parameters")?;
    open(&mut w, "actions", &[])?;
    for action in Action::ALL {
        let mut attributes = vec![("name", action.name())];
        // A node need not be switched on before it may join.
        attributes.extend((action == Action::On).then_some(("automatic", "0")));
        empty(&mut w, "action", &attributes)?;
    }
    close(&mut w, "actions")?;
    close(&mut w, "resource-agent")?;
    crate::ocf::xml::end(w)
}

fn parameter(w: &mut Document, argument: &Arg) -> io::Result<()> {
    let (Some(name), Some(value)) = (argument.get_long(), argument.get_value_names()) else { return Ok(()) };
    let value = value.first().map_or("value", |v| v.as_str()).to_lowercase();
    // Pacemaker adds the first two by itself.
    let required = if matches!(name, "action" | "plug") { "1" } else { "0" };
    open(w, "parameter", &[("name", name), ("unique", "0"), ("required", required)])?;
    let short = argument.get_short().map_or(String::new(), |letter| format!("-{letter}, "));
    empty(w, "getopt", &[("mixed", &format!("{short}--{name}=[{value}]"))])?;
    let mut content = vec![("type", if value == "seconds" { "second" } else { "string" })];
    let default = argument.get_default_values().first().map(|v| v.to_string_lossy().into_owned());
    content.extend(default.as_deref().map(|v| ("default", v)));
    empty(w, "content", &content)?;
    let help = argument.get_help().map_or(String::new(), ToString::to_string);
    text(w, "shortdesc", &[("lang", "en")], &help)?;
    close(w, "parameter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_option_and_action() {
        let xml = document().unwrap();
        for name in ["action", "plug", "nodename", "wait"] {
            assert!(xml.contains(&format!("<parameter name=\"{name}\"")), "{name}: {xml}");
        }
        for action in Action::ALL {
            assert!(xml.contains(&format!("<action name=\"{}\"", action.name())), "{action:?}");
        }
        // Pacemaker passes the node's name as `port` to an agent that has such a parameter, which is the older way.
        assert!(!xml.contains("name=\"port\"") && !xml.contains("name=\"help\""), "{xml}");
        assert!(xml.contains("mixed=\"-n, --plug=[node]\"") && xml.contains("type=\"second\" default=\"2\""));
    }
}
