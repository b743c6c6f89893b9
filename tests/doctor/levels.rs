//! The time of a fencing topology, by Pacemaker's version and its devices' timeouts.

use quorate::cluster::timing::Preset;
use quorate::decide::doctor::Report;
use quorate::layout::kind::Kind;

use crate::base::{Base, examined};

const RULE: &str = "fencing-time";
const RETRIES: &str = r#"name="pcmk_off_retries" value="1"/>"#;

/// As `docs/fencing.md` adds it: a switch for srv1, between the two levels.
const SWITCH: &str = r#"<primitive id="srv1-ipmi" class="stonith" type="fence_ipmilan">
        <instance_attributes id="i">
          <nvpair id="a" name="pcmk_host_list" value="srv1"/>
          <nvpair id="b" name="pcmk_off_timeout" value="8s"/>
          <nvpair id="c" name="pcmk_reboot_timeout" value="8s"/>
        </instance_attributes>
      </primitive>
    </resources>"#;
const SECOND: &str = r#"index="2" devices="watchdog"/>"#;
const SECOND_AND_THIRD: &str = r#"index="2" devices="srv1-ipmi"/>
      <fencing-level id="fl-srv1-3" target="srv1" index="3" devices="watchdog"/>"#;

struct Topology {
    base: Base,
}

impl Topology {
    fn classic() -> Self {
        Self { base: Base::of(Kind::Classic, Preset::Default) }
    }

    fn with_a_switch() -> Self {
        Self::classic().put("    </resources>", SWITCH).put(SECOND, SECOND_AND_THIRD)
    }

    fn put(mut self, from: &str, to: &str) -> Self {
        assert!(self.base.cib.contains(from), "{from:?} is not in\n{}", self.base.cib);
        self.base.cib = self.base.cib.replacen(from, to, 1);
        self
    }

    fn property(self, name: &str, value: &str) -> Self {
        let pair = format!(r#"<nvpair id="{name}" name="{name}" value="{value}"/></cluster_property_set>"#);
        self.put("</cluster_property_set>", &pair)
    }

    /// Of quorate-fence.
    fn parameter(self, name: &str, value: &str) -> Self {
        let pair = format!(r#"{RETRIES}<nvpair id="{name}" name="{name}" value="{value}"/>"#);
        self.put(RETRIES, &pair)
    }

    fn on(self, version: &str) -> Found {
        Found::of(&examined(self.property("dc-version", version).base))
    }

    fn on_an_unknown_version(self) -> Found {
        Found::of(&examined(self.base))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    NotChecked,
    Broken(Vec<(String, String)>),
}

impl Found {
    fn of(report: &Report) -> Self {
        if report.not_checked().any(|(rule, _)| rule.name == RULE) {
            return Self::NotChecked;
        }
        let others: Vec<_> = report.broken().filter(|(rule, _)| rule.name != RULE).collect();
        assert!(others.is_empty(), "{others:?}");
        match report.broken().next() {
            None => Self::Nothing,
            Some((_, found)) => {
                Self::Broken(found.iter().map(|f| (f.what.clone(), f.cure.clone())).collect())
            }
        }
    }

    #[track_caller]
    fn says(&self, what: &str, cure: &str) {
        match self {
            Self::Broken(found) if found.len() == 1 => {
                assert!(found[0].0.contains(what), "{what:?} is not in {:?}", found[0].0);
                assert_eq!(found[0].1, cure);
            }
            other => panic!("{other:?}"),
        }
    }
}

fn short() -> Topology {
    Topology::classic().parameter("pcmk_reboot_timeout", "5s")
}

#[test]
fn a_short_timeout_counts_before_2_1_6_alone() {
    let cure = "pcs stonith update quorate-fence pcmk_reboot_timeout=60 pcmk_off_timeout=60";
    for old in ["2.1.5-a3f44794f94", "2.1.0"] {
        short().on(old).says("of srv1, srv2 is given 6 s (1.2 x (quorate-fence 5 s)), and needs 13", cure);
        assert_eq!(Topology::classic().on(old), Found::Nothing, "{old}");
    }
    for new in ["2.1.6-6fdc9deea29", "2.1.10", "3.0.0"] {
        assert_eq!(short().on(new), Found::Nothing, "{new}");
    }
}

#[test]
fn without_a_version_only_what_is_clean_in_all_is_judged() {
    assert_eq!(Topology::classic().on_an_unknown_version(), Found::Nothing);
    assert_eq!(short().on_an_unknown_version(), Found::NotChecked);
    assert_eq!(short().on("2.1"), Found::NotChecked);
}

#[test]
fn either_action_counts() {
    let off = Topology::classic().parameter("pcmk_off_timeout", "9");
    let cure = "pcs stonith update quorate-fence pcmk_reboot_timeout=60 pcmk_off_timeout=60";
    off.on("2.1.5").says("is given 10 s (1.2 x (quorate-fence 9 s)), and needs 13", cure);
}

/// Pacemaker before 2.1.8 does so too.
#[test]
fn units_of_a_devices_timeout_are_not_read() {
    let minute = Topology::classic().parameter("pcmk_reboot_timeout", "1m");
    let cure = "pcs stonith update quorate-fence pcmk_reboot_timeout=60 pcmk_off_timeout=60";
    minute.on("2.1.5").says("1.2 x (quorate-fence 1 s)), and needs 11: quorate-fence 1 s until", cure);
    let unset = Topology::classic().parameter("pcmk_reboot_timeout", "0");
    assert_eq!(unset.on("2.1.5"), Found::Nothing);
}

#[test]
fn the_switch_of_the_document_is_clean() {
    assert_eq!(Topology::with_a_switch().on("2.1.5"), Found::Nothing);
    let cure = "pcs stonith update quorate-fence pcmk_reboot_timeout=60 pcmk_off_timeout=60";
    let short = Topology::with_a_switch().parameter("pcmk_reboot_timeout", "8");
    let Found::Broken(found) = short.on("2.1.5") else { panic!("clean") };
    // srv2 has no switch.
    assert_eq!(found.len(), 2);
    assert!(
        found[0].0.contains("srv1 is given 19 s (1.2 x (quorate-fence 8 s + srv1-ipmi 8 s)), and needs 21")
    );
    assert!(found[1].0.contains("srv2 is given 9 s (1.2 x (quorate-fence 8 s)), and needs 13"));
    assert!(found.iter().all(|(_, cured)| cured == cure), "{found:?}");
}

#[test]
fn stonith_timeout_is_that_of_devices_without_one() {
    let found = Topology::classic().property("stonith-timeout", "10s").on("2.1.5");
    let cure = "pcs stonith update quorate-fence pcmk_reboot_timeout=11 pcmk_off_timeout=11";
    found.says("is given 12 s (1.2 x (quorate-fence 10 s)), and needs 13", cure);
    let wait = Topology::classic().property("stonith-timeout", "10s").parameter("wait", "0").on("2.1.5");
    assert_eq!(wait, Found::Nothing);
}

#[test]
fn a_switch_alone_gets_what_it_may_need_itself() {
    let alone = Topology::with_a_switch()
        .put(SECOND_AND_THIRD, SECOND)
        .put("index=\"1\" devices=\"quorate-fence\"", "index=\"1\" devices=\"srv1-ipmi\"");
    let cure = "pcs stonith update srv1-ipmi pcmk_reboot_timeout=60 pcmk_off_timeout=60";
    alone.on("2.1.5").says("of srv1 is given 9 s (1.2 x (srv1-ipmi 8 s)), and needs 18", cure);
}

#[test]
fn the_watchdog_alone_is_given_stonith_timeout() {
    let mut alone = Topology::classic().property("stonith-timeout", "5s");
    for node in ["srv1", "srv2"] {
        let first =
            format!(r#"<fencing-level id="fl-{node}-1" target="{node}" index="1" devices="quorate-fence"/>"#);
        alone = alone.put(&first, "");
    }
    let what = "of srv1, srv2 is given 6 s (1.2 x stonith-timeout 5 s), stonith-watchdog-timeout is 10 s";
    alone.on("2.1.5").says(what, "pcs property set stonith-timeout=9s");
}

/// In every version.
#[test]
fn a_level_before_must_not_outlast_the_question() {
    let slow = || Topology::with_a_switch().put("\"pcmk_reboot_timeout\" value=\"8s\"", "\"x\" value=\"8s\"");
    assert_eq!(slow().on("3.0.0"), Found::Nothing);
    let cure = "pcs stonith update srv1-ipmi pcmk_reboot_timeout=68 pcmk_off_timeout=68";
    // Its unit is read there.
    let minutes = || slow().put("name=\"x\" value=\"8s\"", "name=\"pcmk_reboot_timeout\" value=\"2m\"");
    minutes().on("2.1.8").says("may take quorate-fence 3 s + srv1-ipmi 120 s until", cure);
    assert_eq!(minutes().on("2.1.7"), Found::Nothing);
    let slower =
        || slow().put("name=\"x\" value=\"8s\"", "name=\"pcmk_delay_base\" value=\"srv1:9s;srv2:1\"");
    for found in [slower().on("3.0.0"), slower().on_an_unknown_version()] {
        found.says(
            "srv1 may take quorate-fence 3 s + srv1-ipmi 69 s until the watchdog's level, and after 72 s",
            cure,
        );
    }
}

#[test]
fn long_watchdogs_are_waited_for_by_every_version() {
    let text = quorate::layout::examples::text(Kind::Classic);
    for watchdog_s in [5, 34, 35, 60, 300] {
        let changed = text.replace("watchdog_s = 5", &format!("watchdog_s = {watchdog_s}"));
        let mut base = Base::described(&changed, Preset::Default);
        base.surroundings.reboot_s = Ok(2000);
        assert_eq!(base.cib.contains("pcmk_reboot_timeout"), watchdog_s > 34, "{watchdog_s}");
        assert_eq!(Topology { base }.on("2.1.5"), Found::Nothing, "{watchdog_s}");
    }
}
