//! For each rule a small change of a clean configuration that breaks it, and it alone.

use quorate::decide::doctor::facts::{DiskHolds, DiskPaths};
use quorate::layout::kind::Kind;
use quorate::layout::kind::Kind::{Classic, ThreeCentres};

use crate::base::Change::{self, *};

/// A broken configuration.
pub struct Case {
    pub rule: &'static str,
    pub kind: Kind,
    pub changes: &'static [Change],
    /// What each finding names.
    pub says: &'static str,
}

pub const fn case(rule: &'static str, kind: Kind, changes: &'static [Change], says: &'static str) -> Case {
    Case { rule, kind, changes, says }
}

const STONITH_WATCHDOG: &str = "name=\"stonith-watchdog-timeout\" value=\"10\"";

pub const CASES: &[Case] = &[
    case("token", ThreeCentres, &[Corosync("token: 3000", "token: 900")], "token is 900 ms, below 1 s"),
    case(
        "corosync-key",
        Classic,
        &[Corosync("    crypto_cipher: aes256\n    crypto_hash: sha256\n", "")],
        "totem.crypto_hash is not set",
    ),
    case(
        "corosync-key",
        Classic,
        &[Corosync(
            "crypto_cipher: aes256\n    crypto_hash: sha256",
            "crypto_cipher: none\n    crypto_hash: none",
        )],
        "totem.crypto_hash is none",
    ),
    case(
        "corosync-key",
        Classic,
        &[Corosync("crypto_cipher: aes256\n    crypto_hash: sha256", "secauth: off")],
        "totem.crypto_hash is none",
    ),
    case(
        "corosync-key",
        Classic,
        &[Corosync("transport: knet", "transport: udpu")],
        "totem.transport is udpu",
    ),
    case(
        "consensus",
        ThreeCentres,
        &[Corosync("token: 3000", "token: 3000\n    consensus: 3600")],
        "consensus is 3600 ms, the token that 3 nodes use is 3650 ms: at least 4380",
    ),
    case(
        "qdevice-conflict",
        Classic,
        &[Corosync(
            "provider: corosync_votequorum",
            "provider: corosync_votequorum\n    auto_tie_breaker: 1",
        )],
        "auto_tie_breaker is on",
    ),
    case(
        "qdevice-conflict",
        Classic,
        &[Corosync("provider: corosync_votequorum", "provider: corosync_votequorum\n    two_node: 1")],
        "two_node is on",
    ),
    case("qdevice-ffsplit", Classic, &[Corosync("votes: 1", "votes: 2")], "votes is 2"),
    case("qdevice-ffsplit", Classic, &[Corosync("        votes: 1\n", "")], "votes is not set"),
    case(
        "qdevice-ffsplit",
        Classic,
        &[
            Corosync(
                "nodelist {",
                "nodelist {\n    node {\n        ring0_addr: 192.168.56.29\n        name: srv3\n    }",
            ),
            Cluster("<nodes>", "<nodes><node name=\"srv3\" online=\"true\"/>"),
        ],
        "ffsplit with 3 nodes",
    ),
    case("qdevice-lms", Classic, &[Corosync("ffsplit", "lms")], "votes is 1 with the algorithm lms"),
    case(
        "qdevice-lms",
        Classic,
        &[Corosync("        votes: 1\n", ""), Corosync("ffsplit", "lms\n            tie_breaker: 2")],
        "tie_breaker is the node 2",
    ),
    case("qdevice-timeout", Classic, &[Corosync("timeout: 5300", "timeout: 1000")], "is 1000 ms, below 1250"),
    // The settings under which Tuchanka's second node resets itself too.
    case(
        "qdevice-recovery",
        Classic,
        &[Corosync("timeout: 5300", "timeout: 10000")],
        "timeout is 10000 ms; with 6600 ms of recovery and a sync_timeout of 3000 ms at most 5352",
    ),
    case(
        "qdevice-sync-timeout",
        Classic,
        &[
            Corosync("sync_timeout: 3000", "sync_timeout: 6000"),
            Cib(STONITH_WATCHDOG, "name=\"stonith-watchdog-timeout\" value=\"13\""),
        ],
        "sync_timeout is 6000 ms, sbd's watchdog timeout 5 s",
    ),
    case(
        "qdevice-heuristics",
        Classic,
        &[Corosync("            sync_timeout: 1000", "            sync_timeout: 2996")],
        "2996 ms, with a round trip of 5 ms not below the quorum device's 3000",
    ),
    case(
        "qdevice-heuristics",
        Classic,
        &[Corosync("            sync_timeout: 1000", "            sync_timeout: 500")],
        "500 ms, below 1000",
    ),
    case(
        "qdevice-even-split",
        Classic,
        &[Corosync("mode: sync", "mode: off")],
        "no heuristics: of two halves that both see it, the one with the lowest node id goes on",
    ),
    case(
        "qdevice-even-split",
        Classic,
        &[
            Corosync("mode: sync", "mode: off"),
            Corosync("host: witness", "host: witness\n            tie_breaker: 2"),
        ],
        "the one with the node 2 goes on",
    ),
    case(
        "qdevice-place",
        Classic,
        &[Corosync("host: witness", "host: 192.168.56.22")],
        "which is the node srv2",
    ),
    case("qdevice-place", Classic, &[WitnessCentre("east")], "in east, a data centre of nodes"),
    case(
        "qdevice-tls",
        Classic,
        &[Corosync("host: witness", "host: witness\n            tls: off")],
        "tls is off",
    ),
    case(
        "qdevice-tls",
        Classic,
        &[Link("TLS active:\t\tYes (client certificate sent)", "TLS active:\t\tNo")],
        "is not encrypted",
    ),
    case("qdevice-certificates", Classic, &[Certificate("2126", "2026")], "\"Cluster Cert\" e"),
    case(
        "qdevice-votes",
        Classic,
        &[Votes("A,V,NMW srv2", "A,NV,NMW srv2")],
        "on srv2 the quorum device casts no vote",
    ),
    case(
        "qdevice-votes",
        Classic,
        &[Votes("A,V,NMW srv1", "NR srv1")],
        "on srv1 the quorum device is not alive",
    ),
    case(
        "stonith-enabled",
        Classic,
        &[Cib("name=\"stonith-enabled\" value=\"true\"", "name=\"stonith-enabled\" value=\"false\"")],
        "stonith-enabled is \"false\"",
    ),
    case(
        "startup-fencing",
        Classic,
        &[Cib(
            "      </cluster_property_set>",
            "<nvpair id=\"x\" name=\"startup-fencing\" value=\"no\"/></cluster_property_set>",
        )],
        "startup-fencing is \"no\"",
    ),
    case(
        "concurrent-fencing",
        Classic,
        &[Cib("name=\"concurrent-fencing\" value=\"true\"", "name=\"x\" value=\"true\"")],
        "concurrent-fencing is not set, and false by itself",
    ),
    case("no-quorum-ignore", Classic, &[Cib("\"suicide\"", "\"ignore\"")], "no-quorum-policy is ignore"),
    case(
        "no-quorum-policy",
        Classic,
        &[
            Cib("\"suicide\"", "\"stop\""),
            Cib(STONITH_WATCHDOG, "name=\"stonith-watchdog-timeout\" value=\"14\""),
        ],
        "no-quorum-policy is \"stop\"",
    ),
    case(
        "stonith-watchdog-timeout",
        Classic,
        &[Cib(STONITH_WATCHDOG, "name=\"stonith-watchdog-timeout\" value=\"-1\"")],
        "is -1: computed",
    ),
    case(
        "stonith-watchdog-timeout",
        Classic,
        &[Cib(STONITH_WATCHDOG, "name=\"stonith-watchdog-timeout\" value=\"0\"")],
        "is 0: nobody",
    ),
    case(
        "stonith-watchdog-timeout",
        Classic,
        &[Cib(STONITH_WATCHDOG, "name=\"x\" value=\"10\"")],
        "is not set",
    ),
    case(
        "stonith-watchdog-timeout-bound",
        Classic,
        &[Corosync("sync_timeout: 3000", "sync_timeout: 4000")],
        "is 10 s; with sync_timeout 4000 ms, a watchdog of 5 s and no-quorum-policy suicide at least 11",
    ),
    case(
        "stonith-watchdog-timeout-twice",
        Classic,
        &[
            Sbd("SBD_WATCHDOG_TIMEOUT=5", "SBD_WATCHDOG_TIMEOUT=7"),
            OtherSbd("SBD_WATCHDOG_TIMEOUT=5", "SBD_WATCHDOG_TIMEOUT=7"),
            Cib(STONITH_WATCHDOG, "name=\"stonith-watchdog-timeout\" value=\"13s\""),
        ],
        "is 13 s, sbd's watchdog timeout 7 s",
    ),
    // Seen with 2.1.5: fencing fails after 6 s, before the watchdog's 10 are over.
    case(
        "fencing-time",
        Classic,
        &[
            Cib("name=\"pcmk_off_retries\" value=\"1\"/>", "name=\"pcmk_reboot_timeout\" value=\"5\"/>"),
            Cib(
                "      </cluster_property_set>",
                "<nvpair id=\"x\" name=\"dc-version\" value=\"2.1.5-a3f44794f94\"/></cluster_property_set>",
            ),
        ],
        "srv1, srv2 is given 6 s (1.2 x (quorate-fence 5 s)), and needs 13: quorate-fence 3 s until they have failed, and stonith-watchdog-timeout 10 s",
    ),
    case(
        "fencing-time",
        Classic,
        &[Cib(
            "      </cluster_property_set>",
            "<nvpair id=\"x\" name=\"stonith-timeout\" value=\"2\"/></cluster_property_set>",
        )],
        "after 2 s (1.2 x stonith-timeout 2 s) Pacemaker does not wait for the watchdog any more",
    ),
    case(
        "sbd-watchdog-same",
        Classic,
        &[OtherSbd("SBD_WATCHDOG_TIMEOUT=5", "SBD_WATCHDOG_TIMEOUT=4")],
        "is 4 here and 5 in sbd",
    ),
    case(
        "sbd-enabled",
        Classic,
        &[Systemd("UnitFileState=enabled", "UnitFileState=disabled")],
        "sbd is not enabled",
    ),
    case(
        "sbd-pacemaker",
        Classic,
        &[Sbd("SBD_PACEMAKER=yes", "SBD_PACEMAKER=no")],
        "SBD_PACEMAKER is \"no\"",
    ),
    case(
        "sbd-startup-sync",
        Classic,
        &[Sbd("SBD_PACEMAKER=yes", "SBD_PACEMAKER=yes\nSBD_SYNC_RESOURCE_STARTUP=no")],
        "SBD_SYNC_RESOURCE_STARTUP is \"no\"",
    ),
    case(
        "sbd-startup-sync",
        Classic,
        &[Systemd("Environment=SBD_SYNC_RESOURCE_STARTUP=yes", "Environment=")],
        "is not set",
    ),
    case(
        "sbd-delay-start",
        Classic,
        &[Sbd("SBD_DELAY_START=18", "SBD_DELAY_START=no"), RebootSeconds(9)],
        "a reboot takes 9 s: the node is back before the 17 s",
    ),
    // A virtual machine is back at once.
    case(
        "sbd-delay-start",
        Classic,
        &[Sbd("SBD_DELAY_START=18", "SBD_DELAY_START=17"), RebootUnknown],
        "SBD_DELAY_START is 17 s and a fast reboot none",
    ),
    case(
        "start-at-boot",
        Classic,
        &[Disabled("corosync-qdevice")],
        "corosync-qdevice does not start at boot: a node that was reset stays out",
    ),
    case("start-at-boot", ThreeCentres, &[Disabled("quorated")], "quorated does not start at boot"),
    case(
        "start-at-boot",
        Classic,
        &[Cib(
            STONITH_WATCHDOG,
            "name=\"quorate-start-at-boot\" value=\"false\"/>\n<nvpair id=\"x\" name=\"stonith-watchdog-timeout\" value=\"10\"",
        )],
        "starts at boot, and the site wants it started by hand",
    ),
    case(
        "disk-timeouts",
        Classic,
        &[Disk(DiskHolds::Data, DiskPaths::Several, 30_000)],
        "sda, under /data, waits 30000 ms for a path that is lost; after 8000 ms",
    ),
    case(
        "disk-timeouts",
        Classic,
        &[Disk(DiskHolds::State, DiskPaths::One, 60_000)],
        "may wait 5 times more than 60000 ms for an answer; after 300000 ms",
    ),
    case(
        "sbd-timeout-action",
        Classic,
        &[Sbd("SBD_TIMEOUT_ACTION=noflush,reboot", "SBD_TIMEOUT_ACTION=flush,reboot")],
        "SBD_TIMEOUT_ACTION is \"flush,reboot\"",
    ),
    case(
        "sbd-device",
        Classic,
        &[Sbd("SBD_PACEMAKER=yes", "SBD_PACEMAKER=yes\nSBD_DEVICE=/dev/sdx")],
        "SBD_DEVICE is \"/dev/sdx\"",
    ),
    case(
        "sbd-unit",
        Classic,
        &[SbdUnit("sbd $SBD_OPTS -p", "sbd $SBD_OPTS -1 60 -p")],
        "systemd starts \"/usr/sbin/sbd $SBD_OPTS -1 60 -p /run/sbd.pid watch\"",
    ),
    case(
        "sbd-unit",
        Classic,
        &[SbdUnit("EnvironmentFiles=/etc/default/sbd", "EnvironmentFiles=/root/sbd")],
        "sbd",
    ),
    // What a drop-in sets counts, where the file does not set it itself.
    case(
        "sbd-options",
        Classic,
        &[SbdUnit("Environment=", "Environment=\"SBD_OPTS=-v -T\" ")],
        "with -T sbd does not set",
    ),
    case(
        "sbd-watchdog-used",
        Classic,
        &[SbdUnit("Environment=", "Environment=SBD_WATCHDOG=no ")],
        "SBD_WATCHDOG is \"no\": no watchdog",
    ),
    case(
        "sbd-watchdog-same",
        Classic,
        &[OtherSbd("SBD_PACEMAKER=yes", "SBD_PACEMAKER=yes\nSBD_OPTS=\"-1 4\"")],
        "SBD_WATCHDOG_TIMEOUT (by -1 in SBD_OPTS) is 4 here and 5 in sbd",
    ),
    case(
        "watchdog-systemd",
        Classic,
        &[Systemd("RuntimeWatchdogUSec=0", "RuntimeWatchdogUSec=30s")],
        "RuntimeWatchdogSec is 30s",
    ),
    case(
        "watchdog-corosync",
        Classic,
        &[Corosync("logging {", "resources {\n    watchdog_device: /dev/watchdog\n}\nlogging {")],
        "corosync has the watchdog open, /dev/watchdog",
    ),
    case(
        "monitor-timeout",
        Classic,
        &[Cib("timeout=\"5s\" role=\"Promoted\"", "timeout=\"10s\" role=\"Promoted\"")],
        "the monitor of pgsqld role=Promoted has a timeout of 10 s",
    ),
    case(
        "stop-timeout",
        Classic,
        &[Cib(
            "name=\"stop\" interval=\"0s\" timeout=\"60s\"",
            "name=\"stop\" interval=\"0s\" timeout=\"10s\"",
        )],
        "the stop of pgsqld has a timeout of 10 s",
    ),
    case(
        "pacemaker-version",
        Classic,
        &[Cib(
            "      </cluster_property_set>",
            "<nvpair id=\"x\" name=\"dc-version\" value=\"1.1.24-8.el7\"/></cluster_property_set>",
        )],
        "Pacemaker is 1.1",
    ),
    case("max-slot-wal-keep-size", Classic, &[Postgresql("'4GB'", "'-1'")], "max_slot_wal_keep_size is -1"),
    case(
        "rewindable",
        Classic,
        &[Postgresql("wal_log_hints = on", "wal_log_hints = off")],
        "wal_log_hints is off",
    ),
    case(
        "wal-timeouts",
        Classic,
        &[Postgresql("wal_receiver_timeout = '5000ms'", "wal_receiver_timeout = 0")],
        "wal_receiver_timeout is 0",
    ),
    case(
        "restart-after-crash",
        Classic,
        &[Postgresql("restart_after_crash = off", "restart_after_crash = on")],
        "restart_after_crash is on",
    ),
    case(
        "agent-role",
        Classic,
        &[Cib("name=\"dbuser\" value=\"quorate\"", "name=\"dbuser\" value=\"postgres\"")],
        "dbuser is postgres",
    ),
    case("agent-role", Classic, &[Cib("name=\"dbuser\"", "name=\"nodbuser\"")], "dbuser is not set"),
    case(
        "agent-role",
        Classic,
        &[Postgresql("wal_level = replica", "wal_level = replica\nis_superuser = on")],
        "the agent asks as a superuser",
    ),
    case(
        "lc-messages",
        Classic,
        &[Postgresql("wal_level = replica", "wal_level = replica\nlc_messages = 'de_DE.UTF-8'")],
        "lc_messages is \"de_DE.UTF-8\"",
    ),
    case(
        "members",
        Classic,
        &[Cluster("name=\"srv2\" online=\"true\"", "name=\"srv2\" online=\"false\"")],
        "srv2 is not online, for 1 h 6 min",
    ),
    case(
        "one-more-loss",
        Classic,
        &[Votes("Total votes:      3", "Total votes:      2")],
        "one more loss of a vote ends the service: 2 are present, 2 are needed",
    ),
    case("reset-held-back", Classic, &[QuoratedHoldsAResetBack], "srv2: its disk hangs"),
    case(
        "foreign-resources",
        Classic,
        &[Cib("<resources>", "<resources><primitive id=\"web\" class=\"systemd\" type=\"nginx\"/>")],
        "web (systemd:nginx) is ended by nobody",
    ),
    case(
        "self-fence-record",
        Classic,
        &[SelfFenced("srv2")],
        "srv2 is a member, and counts here as one that has",
    ),
    case("quorated", Classic, &[QuoratedIsSilent], "does not run here, or hangs"),
    case("quorated", Classic, &[QuoratedOnlySays], "only reports what it finds"),
    case("quorated", Classic, &[QuoratedHasNoDevice], "does not have its watchdog device"),
    case(
        "quorated",
        Classic,
        &[QuoratedLeavesAlone],
        "pacemaker-controld hangs, and quorated leaves it alone: pacemaker.service is started or stopped by order, for 35 s",
    ),
];
