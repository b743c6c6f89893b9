//! The lab's network: a bridge for each of the site's networks, to which every machine has a cable. The supervisor is in a
//! network namespace of its own, and with it whatever it starts; when the last of these processes has gone, the kernel
//! removes all of it. A cluster that borrows its witness has one more cable, from its first bridge to the lender's.

use super::delay::{Delay, Relay};
use super::protocol::Impairment;
use crate::host::error::Result;
use crate::host::run;
use crate::host::wait::{self, OnInterrupt};
use crate::machines::plan::Machine;
use ipnet::IpNet;
use std::time::Duration;

/// An `ip` command is a matter of milliseconds.
const DEADLINE: Duration = Duration::from_secs(10);
/// The borrower's end of the cable to the lender's bridge.
const UPLINK: &str = "uplink";
/// The table of a network in two parts.
const PARTED: &str = "lab-parted";

/// The bridge of a network, counted from 0.
fn bridge(link: usize) -> String {
    format!("br{link}")
}

/// The outer end of a machine's cable. A kernel's name for it has at most 15 characters, a host's name more.
fn outer(machine: &Machine, link: usize) -> String {
    format!("m{}-{link}", machine.number)
}

/// The name that a machine has for its end of a cable.
#[must_use]
pub fn inner(link: usize) -> String {
    format!("eth{link}")
}

/// The words that make systemd-nspawn lay the cables of a machine. [`plug_in`] has to follow.
#[must_use]
pub fn nspawn_words(machine: &Machine) -> Vec<String> {
    let cable = |link| format!("--network-veth-extra={}:{}", outer(machine, link), inner(link));
    (0..machine.addresses.len()).map(cable).collect()
}

/// Makes the bridges.
///
/// # Errors
/// When the kernel refuses.
pub fn create(networks: usize) -> Result<()> {
    run::check(&["ip", "link", "set", "lo", "up"], DEADLINE)?;
    for link in 0..networks {
        let bridge = bridge(link);
        run::check(
            &["ip", "link", "add", &bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0"],
            DEADLINE,
        )?;
        run::check(&["ip", "link", "set", &bridge, "up"], DEADLINE)?;
    }
    Ok(())
}

/// Gives the lab itself an address in the clients' network.
///
/// # Errors
/// When the kernel refuses.
pub fn stand_at(address: IpNet) -> Result<()> {
    let mut words = vec!["ip".to_owned(), "addr".to_owned(), "add".to_owned(), address.to_string()];
    words.extend(["dev".to_owned(), bridge(0)]);
    words.extend(undetected(address).map(str::to_owned));
    run::check(&words, DEADLINE).map(drop)
}

/// Looking for duplicates takes a second in which an IPv6 address is of no use.
pub fn undetected(address: IpNet) -> Option<&'static str> {
    matches!(address, IpNet::V6(_)).then_some("nodad")
}

/// Lays a cable from the first bridge to that of the supervisor with this process id. It goes when one of the two does.
///
/// # Errors
/// When that supervisor is gone, or the kernel refuses.
pub fn join(lender: i32) -> Result<()> {
    let (pid, there, bridge) = (lender.to_string(), format!("from{}", std::process::id()), bridge(0));
    run::check(
        &["ip", "link", "add", UPLINK, "type", "veth", "peer", "name", &there, "netns", &pid],
        DEADLINE,
    )?;
    run::check(&["ip", "link", "set", UPLINK, "master", &bridge, "up"], DEADLINE)?;
    let namespace = format!("--net=/proc/{pid}/ns/net");
    run::check(&["nsenter", &namespace, "ip", "link", "set", &there, "master", &bridge, "up"], DEADLINE)?;
    Ok(())
}

/// Plugs the cables of a machine that has just been started into their bridges.
///
/// # Errors
/// When systemd-nspawn doesn't lay them in time.
pub fn plug_in(machine: &Machine) -> Result<()> {
    for link in 0..machine.addresses.len() {
        let (outer, bridge) = (outer(machine, link), bridge(link));
        wait::until(&format!("the cable {outer} of {}", machine.name), DEADLINE, OnInterrupt::GoOn, || {
            let set = run::run(&["ip", "link", "set", &outer, "master", &bridge], None, DEADLINE);
            set.and_then(|o| o.success("ip link set")).map_err(|e| e.to_string())
        })?;
    }
    Ok(())
}

/// Puts a relay between each cable of a machine and its bridge. The relays' end is followed by [`plug_in`].
///
/// # Errors
/// When the kernel refuses; then some of the cables are in no bridge.
pub fn slow_cables(machine: &Machine, delay: Delay) -> Result<Vec<Relay>> {
    let one = |link| {
        let (cable, tap) = (outer(machine, link), format!("t{}-{link}", machine.number));
        // The lab itself is not to answer on a cable that is in no bridge.
        run::check(&["ip", "link", "set", &cable, "nomaster", "arp", "off"], DEADLINE)?;
        let relay = Relay::start(&cable, &tap, delay)?;
        run::check(&["ip", "link", "set", &tap, "master", &bridge(link), "up"], DEADLINE)?;
        Ok(relay)
    };
    (0..machine.addresses.len()).map(one).collect()
}

/// Pulls all cables of a machine. One that is off has none: as good.
///
/// # Errors
/// The first one; all cables are tried.
pub fn unlink(machine: &Machine) -> Result<()> {
    set(machine, "down")
}

/// Puts all cables of a machine in.
///
/// # Errors
/// The first one; all cables are tried.
pub fn link(machine: &Machine) -> Result<()> {
    set(machine, "up")
}

/// Lets the cables of a machine lose packets, as a broken port or a radio link does; nothing is lost at [`Impairment::NONE`].
///
/// # Errors
/// When the kernel refuses, or nft is not there.
pub fn impair(machine: &Machine, by: Impairment) -> Result<()> {
    run::run(&["nft", "-f", "-"], Some(&rules(machine, by)), DEADLINE)?.success("nft").map(drop)
}

/// How many packets the cables of a machine have lost since [`impair`].
///
/// # Errors
/// When there is no such table.
pub fn lost_packets(machine: &Machine) -> Result<u64> {
    let listed = run::check(&["nft", "list", "table", "netdev", &table(machine)], DEADLINE)?;
    Ok(counted(&listed))
}

/// Drops what goes from the one side to the other, on all bridges; who stands at a bridge reaches both.
///
/// # Errors
/// When the kernel refuses, or nft is not there.
pub fn part(sides: [&[&Machine]; 2]) -> Result<()> {
    run::run(&["nft", "-f", "-"], Some(&walls(sides)), DEADLINE)?.success("nft").map(drop)
}

/// Takes back what [`part`] did.
///
/// # Errors
/// When the kernel refuses, or nft is not there.
pub fn reunite() -> Result<()> {
    run::run(&["nft", "-f", "-"], Some(&no_walls()), DEADLINE)?.success("nft").map(drop)
}

/// How many packets were dropped between the sides since [`part`].
///
/// # Errors
/// When they are not apart.
pub fn lost_between() -> Result<u64> {
    run::check(&["nft", "list", "table", "bridge", PARTED], DEADLINE).map(|listed| counted(&listed))
}

fn no_walls() -> String {
    format!("table bridge {PARTED} {{\n}}\ndelete table bridge {PARTED}\n")
}

/// A machine's cable keeps its name from boot to boot: who comes back comes back on its own side.
fn walls(sides: [&[&Machine]; 2]) -> String {
    let [one, other] = sides.map(|side| {
        let cables = side.iter().flat_map(|m| (0..m.addresses.len()).map(|link| outer(m, link)));
        cables.map(|cable| format!("\"{cable}\"")).collect::<Vec<_>>().join(", ")
    });
    let mut rules = no_walls();
    rules.push_str(&format!(
        "table bridge {PARTED} {{\n chain forward {{\n  type filter hook forward priority 0\n"
    ));
    for (from, to) in [(&one, &other), (&other, &one)] {
        rules.push_str(&format!("  iifname {{ {from} }} oifname {{ {to} }} counter drop\n"));
    }
    rules.push_str(" }\n}\n");
    rules
}

fn table(machine: &Machine) -> String {
    format!("lab-m{}", machine.number)
}

/// What leaves the machine comes in at the outer end of its cable.
fn rules(machine: &Machine, by: Impairment) -> String {
    let table = table(machine);
    // A table that isn't there can't be deleted: it is made first.
    let mut rules = format!("table netdev {table} {{\n}}\ndelete table netdev {table}\n");
    if by == Impairment::NONE {
        return rules;
    }
    rules.push_str(&format!("table netdev {table} {{\n"));
    for link in 0..machine.addresses.len() {
        let cable = outer(machine, link);
        for (hook, percent) in [("ingress", by.leaving), ("egress", by.arriving)] {
            if percent == 0 {
                continue;
            }
            // nft takes no number that is always true.
            let which =
                if percent < 100 { format!("numgen random mod 100 < {percent} ") } else { String::new() };
            rules.push_str(&format!(
                " chain {hook}{link} {{\n  type filter hook {hook} device \"{cable}\" priority 0\n  \
                 {which}counter drop\n }}\n"
            ));
        }
    }
    rules.push_str("}\n");
    rules
}

fn counted(listed: &str) -> u64 {
    let mut words = listed.split_whitespace();
    let mut sum = 0;
    while words.any(|word| word == "packets") {
        sum += words.next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
    }
    sum
}

/// Removes the cables of a machine that is off: after a power cut the kernel takes its time for it.
///
/// # Errors
/// The first one; all cables are tried.
pub fn clear_away(machine: &Machine) -> Result<()> {
    each(machine, "delete", &[])
}

fn set(machine: &Machine, state: &str) -> Result<()> {
    each(machine, "set", &[state])
}

/// `ip link VERB CABLE STATE` for each of a machine's cables that exists.
fn each(machine: &Machine, verb: &str, state: &[&str]) -> Result<()> {
    let one = |link| {
        let cable = outer(machine, link);
        let words = [&["ip", "link", verb, &cable], state].concat();
        let output = run::run(&words, None, DEADLINE)?;
        if output.stderr.contains("Cannot find device") {
            return Ok(());
        }
        output.success(&words.join(" ")).map(drop)
    };
    let results: Vec<Result<()>> = (0..machine.addresses.len()).map(one).collect();
    results.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machines::plan::{WitnessIs, machines};
    use crate::testing::site;
    use quorate::layout::kind::Kind;

    #[test]
    fn each_cable_loses_in_its_directions() {
        let machine = &machines(&site(Kind::ManyReplicas), WitnessIs::Own)[1];
        let rules = rules(machine, Impairment { leaving: 10, arriving: 0 });
        assert!(
            rules.contains(
                "hook ingress device \"m1-0\" priority 0\n  numgen random mod 100 < 10 counter drop"
            )
        );
        assert!(rules.contains("\"m1-1\"") && !rules.contains("egress"));
        let all = super::rules(machine, Impairment { leaving: 100, arriving: 100 });
        assert!(all.contains("priority 0\n  counter drop"), "{all}");
        assert!(!super::rules(machine, Impairment::NONE).contains("drop"));
    }

    #[test]
    fn between_two_sides_nothing_goes_either_way() {
        let all = machines(&site(Kind::ManyReplicas), WitnessIs::Own);
        let walls = walls([&[&all[0], &all[1]], &[&all[2], &all[3]]]);
        let near = r#"{ "m0-0", "m0-1", "m1-0", "m1-1" }"#;
        let far = r#"{ "m2-0", "m2-1", "m3-0", "m3-1" }"#;
        assert!(walls.contains(&format!("iifname {near} oifname {far} counter drop")), "{walls}");
        assert!(walls.contains(&format!("iifname {far} oifname {near} counter drop")), "{walls}");
        assert!(!walls.contains("m4"), "the witness is on both sides");
    }

    #[test]
    fn counters_are_added_up() {
        assert_eq!(counted("x counter packets 3 bytes 9 drop } y counter packets 4 bytes 0 drop"), 7);
        assert_eq!(counted(""), 0);
    }
}
