//! What corosync's tools print.

use super::Ring;

/// What `corosync-quorumtool -s` says of the votes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Votes {
    /// Of the node that was asked.
    pub node_id: Option<u32>,
    pub quorate: Option<bool>,
    /// How many members there are.
    pub nodes: Option<u32>,
    pub expected: Option<u32>,
    pub total: Option<u32>,
    pub quorum: Option<u32>,
    /// The membership of which it speaks.
    pub ring: Option<Ring>,
    pub members: Vec<Member>,
}

/// A row of the membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub id: u32,
    /// As written: a node id, or a name.
    pub name: String,
    pub votes: u32,
    /// What the quorum device is to that node; `None` without one.
    pub device: Option<Device>,
}

/// The flags of a node's quorum device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// `A`: its client runs and polls.
    pub alive: bool,
    /// `V`: it casts a vote.
    pub votes: bool,
}

/// Reads `corosync-quorumtool -s`. `None`: it is not that tool's output.
#[must_use]
pub fn votes(text: &str) -> Option<Votes> {
    let mut votes = Votes::default();
    let mut in_members = false;
    for line in text.lines() {
        if line.starts_with("Membership information") {
            in_members = true;
        }
        if in_members {
            votes.members.extend(member(line));
            continue;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        let number = || value.split_whitespace().next().and_then(|n| n.parse().ok());
        match key.trim() {
            "Nodes" => votes.nodes = number(),
            "Node ID" => votes.node_id = number(),
            "Quorate" => votes.quorate = Some(value.trim() == "Yes"),
            "Expected votes" => votes.expected = number(),
            "Total votes" => votes.total = number(),
            "Quorum" => votes.quorum = number(),
            "Ring ID" => votes.ring = Ring::parse(value),
            _ => {}
        }
    }
    votes.quorate.is_some().then_some(votes)
}

/// `1  1  A,V,NMW srv1 (local)`, or without a quorum device `1  1 srv1 (local)`.
fn member(line: &str) -> Option<Member> {
    let mut words = line.split_whitespace();
    // Node ids are numbers: what else begins a line is a heading. The quorum device's own row has the id 0.
    let id = words.next()?.parse().ok().filter(|id| *id != 0)?;
    let votes = words.next()?.parse().ok()?;
    let next = words.next()?;
    let (device, name) = match flags(next) {
        Some(device) => (Some(device), words.next()?),
        None => (None, next),
    };
    Some(Member { id, name: name.to_owned(), votes, device })
}

/// `A,V,NMW`, or NR where no client has registered.
fn flags(word: &str) -> Option<Device> {
    if word == "NR" {
        return Some(Device { alive: false, votes: false });
    }
    let mut parts = word.split(',');
    let alive = match parts.next()? {
        "A" => true,
        "NA" => false,
        _ => return None,
    };
    let votes = match parts.next()? {
        "V" => true,
        "NV" => false,
        _ => return None,
    };
    Some(Device { alive, votes })
}

/// Whether the link to the quorum device's server is encrypted, by what `corosync-qdevice-tool -s` prints. `None`: it does not
/// say, as when it is not connected.
#[must_use]
pub fn tls_is_active(status: &str) -> Option<bool> {
    let value = status.lines().find_map(|l| l.trim().strip_prefix("TLS active:"))?;
    Some(value.trim().starts_with("Yes"))
}

/// When a certificate ends, by what `certutil -L -n NAME` prints: seconds since 1970.
#[must_use]
pub fn certificate_end(text: &str) -> Option<i64> {
    let date = text.lines().find_map(|l| l.trim().strip_prefix("Not After :"))?;
    // Fri Nov 24 11:44:00 2126, in UTC.
    let [_, month, day, time, year] = date.split_whitespace().collect::<Vec<_>>()[..] else { return None };
    let month = MONTHS.iter().position(|m| *m == month)? + 1;
    let numbers: Vec<i64> = time.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [hours, minutes, seconds] = numbers[..] else { return None };
    let (year, day): (i64, i64) = (year.parse().ok()?, day.parse().ok()?);
    let sound = (1..=9999).contains(&year)
        && (1..=31).contains(&day)
        && (0..24).contains(&hours)
        && (0..60).contains(&minutes)
        && (0..=60).contains(&seconds);
    if !sound {
        return None;
    }
    let days = days_since_1970(year, i64::try_from(month).ok()?, day);
    Some(days * 86_400 + hours * 3600 + minutes * 60 + seconds)
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Days of the Gregorian calendar; the year begins in March, so that the leap day is its last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719468 days lie between the first of March of the year 0 and 1970.
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "Quorum information\n------------------\nDate:             Tue Nov 24 11:00:00 2026\nQuorum provider:  corosync_votequorum\nNodes:            2\nNode ID:          1\nRing ID:          1.9\nQuorate:          Yes\n\nVotequorum information\n----------------------\nExpected votes:   3\nHighest expected: 3\nTotal votes:      3\nQuorum:           2  \nFlags:            Quorate Qdevice \n\nMembership information\n----------------------\n    Nodeid      Votes    Qdevice Name\n         1          1    A,V,NMW srv1 (local)\n         2          1   NA,NV,NMW srv2\n         0          1            Qdevice\n";

    #[test]
    fn votes_with_a_quorum_device() {
        let said = votes(TWO).expect("its output");
        assert_eq!(
            (said.quorate, said.expected, said.total, said.quorum),
            (Some(true), Some(3), Some(3), Some(2))
        );
        let devices: Vec<_> = said.members.iter().map(|m| (m.name.as_str(), m.device)).collect();
        let device = |alive, votes| Some(Device { alive, votes });
        assert_eq!((said.node_id, said.nodes, said.members[1].id), (Some(1), Some(2), 2));
        assert_eq!(devices, [("srv1", device(true, true)), ("srv2", device(false, false))]);
    }

    #[test]
    fn votes_without_one_and_other_text() {
        let said = votes("Quorate: No\nMembership information\n Nodeid Votes Name\n 1 1 tri1 (local)\n")
            .expect("its output");
        assert_eq!((said.quorate, said.members[0].device), (Some(false), None));
        assert_eq!(said.members[0].name, "tri1");
        for other in ["", "Cannot initialize QUORUM service\n"] {
            assert_eq!(votes(other), None, "{other}");
        }
    }

    #[test]
    fn the_end_of_a_certificate() {
        let said = "        Validity:\n            Not Before: Tue Nov 24 11:44:00 2026\n            Not After : Thu Feb 29 00:00:01 2024\n";
        assert_eq!(certificate_end(said), Some(1_709_164_801));
        assert_eq!(certificate_end("Not After : Thu Jan 01 00:00:00 1970"), Some(0));
        assert_eq!(certificate_end("Not After : Sun Nov 24 11:44:00 2126"), Some(4_951_194_240));
        for other in [
            "",
            "Not After : soon",
            "Not After : Thu Foo 01 00:00:00 1970",
            "Not After : Thu Jan 01 00:00:00 9223372036854775807",
            "Not After : Thu Jan 9223372036854775807 00:00:00 1970",
            "Not After : Thu Jan 01 9223372036854775807:00:00 1970",
            "Not After : Thu Jan 01 24:00:00 1970",
        ] {
            assert_eq!(certificate_end(other), None, "{other}");
        }
    }

    #[test]
    fn encryption() {
        assert_eq!(
            tls_is_active("TLS:\tSupported\nTLS active:\t\tYes (client certificate sent)\n"),
            Some(true)
        );
        assert_eq!(tls_is_active("TLS active:\t\tNo\n"), Some(false));
        assert_eq!(tls_is_active("State:\tConnect failed\n"), None);
    }
}
