//! What Pacemaker prints, and how it calls an agent.

use quorate::cluster::{cib, crm_mon};
use quorate::fence::options::{Options, OptionsError};
use quorate::ocf::{Environment, Notification, Plan, Run, Settings};

use super::{FILE, Target, cluster, parts, seeds, short, text};

pub const TARGETS: &[Target] = &[
    Target {
        name: "cib",
        modules: &["cluster::cib"],
        limit: FILE,
        words: &[
            "<nvpair id=\"a\" name=\"b\" value=\"c\"/>",
            "<fencing-level target=\"srv1\" index=\"1\" devices=\"a,b\"/>",
            "<op id=\"o\" name=\"monitor\" interval=\"3s\"/>",
            "</resources>",
            "uname=",
            "<primitive id=\"p\" class=\"ocf\" provider=\"quorate\" type=\"postgres\"/>",
        ],
        seeds: || {
            vec![
                include_bytes!("../../doctor/pcs/classic.xml").to_vec(),
                include_bytes!("../../doctor/pcs/three-centres.xml").to_vec(),
                b"<cib><configuration><resources/></configuration></cib>".to_vec(),
            ]
        },
        run: |input| match cib::parse(&text(input)) {
            Ok(cib) => {
                for property in &cib.properties {
                    cluster::times(&property.value);
                }
                true
            }
            Err(e) => {
                assert!(e.line > 0);
                false
            }
        },
    },
    Target {
        name: "crm-mon",
        modules: &["cluster::crm_mon"],
        limit: FILE,
        words: &[
            "<node name=\"srv3\" online=\"true\"/>",
            "<resource id=\"pgsqld:0\" role=\"Promoted\" resource_agent=\"ocf:quorate:postgres\"/>",
            "<ban id=\"b\" resource=\"r\" node=\"n\"/>",
            "<attribute name=\"a\" value=\"1\"/>",
            "Promoted",
            "Stopped",
        ],
        seeds: || {
            vec![
                include_bytes!("../../../src/cluster/crm_mon/healthy-2.1.xml").to_vec(),
                include_bytes!("../../../src/cluster/crm_mon/healthy-3.0.xml").to_vec(),
                include_bytes!("../../../src/cluster/crm_mon/failure-2.1.xml").to_vec(),
            ]
        },
        run: |input| match crm_mon::parse(&text(input)) {
            Ok(status) => {
                let _ = (
                    status.node_of("pgsqld"),
                    status.role_on("pgsqld", "srv1"),
                    status.promotion_score("pgsqld", "srv1"),
                );
                true
            }
            Err(e) => e.to_string().is_empty(),
        },
    },
    Target {
        name: "ocf-environment",
        modules: &["ocf::environment", "ocf::notify", "ocf::settings"],
        limit: 64 << 10,
        words: &[
            "OCF_RESKEY_CRM_meta_notify_type=pre",
            "OCF_RESKEY_CRM_meta_notify_operation=promote",
            "OCF_RESKEY_CRM_meta_timeout=60000",
            "OCF_RESKEY_pgdata=/",
            "OCF_RESKEY_addresses=srv1=10.0.0.1",
            "OCF_RESKEY_start_opts=-c x=1",
            "OCF_RESKEY_maxlag=16MB",
            "OCF_RESKEY_replication_conninfo=user=r",
            "OCF_RESKEY_on_crash=failover",
            "OCF_RESKEY_pgport=5432",
        ],
        seeds: || {
            seeds(&[
                "OCF_RESOURCE_INSTANCE=pgsqld:0\nOCF_RESKEY_CRM_meta_timeout=60000\nOCF_RESKEY_CRM_meta_on_node=srv1\nOCF_RESKEY_CRM_meta_notify=true\nOCF_RESKEY_CRM_meta_clone_max=2\nOCF_RESKEY_CRM_meta_notify_type=pre\nOCF_RESKEY_CRM_meta_notify_operation=promote\nOCF_RESKEY_CRM_meta_notify_promote_uname=srv1\nOCF_RESKEY_CRM_meta_notify_promoted_uname=srv2 \nOCF_RESKEY_pgdata=/var/lib/postgresql/15/main\nOCF_RESKEY_bindir=/usr/lib/postgresql/15/bin\nOCF_RESKEY_pgport=5432\nOCF_RESKEY_addresses=srv1=192.168.56.21 srv2=192.168.56.22\nOCF_RESKEY_maxlag=16777216\nOCF_RESKEY_start_opts=-c 'a b'\nOCF_RESKEY_replication_conninfo=user=replicator sslmode=prefer\n",
            ])
        },
        run: |input| {
            let text = text(input);
            let env: Environment = text
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect();
            let run = Run::from(&env);
            assert!(run.budget() <= run.timeout, "a deadline after the operation's own");
            assert!(
                !run.resource.is_empty() && !run.resource.contains('/'),
                "it becomes the name of a file: {:?}",
                run.resource
            );
            let plan = Plan::from(&env);
            let _ = (plan.primary_after(), plan.running_after(), Notification::from(&env), run.is_probe());
            match Settings::strict(&env) {
                Ok(settings) => {
                    assert!(
                        Settings::tolerant(&env)
                            .is_ok_and(|(same, wrong)| same == settings && wrong.is_empty())
                    );
                    true
                }
                Err(e) => short(&e),
            }
        },
    },
    Target {
        name: "fence-options",
        modules: &["fence::options"],
        limit: 64 << 10,
        words: &[
            "action=reboot",
            "plug=srv1",
            "nodename=srv1",
            "wait=30",
            "port=",
            "--help",
            "action=metadata",
            "self_fence_timeout=",
        ],
        seeds: || {
            seeds(&["action=reboot\nnodename=srv1\nplug=srv1\nwait=2\n", "# c\naction=monitor\nunknown=1\n"])
        },
        run: |input| match Options::from_lines(&text(input)) {
            Ok(options) => {
                let target = options.target().unwrap_or("x");
                assert!(
                    !target.contains('/') && !target.starts_with('.'),
                    "{target:?} becomes the name of a file"
                );
                true
            }
            Err(OptionsError::Shown(_)) => panic!("a line of standard input asks for the help"),
            Err(e @ OptionsError::Wrong(_)) => e.to_string().is_empty(),
        },
    },
    Target {
        name: "times",
        modules: &["cluster::cib"],
        limit: 4096,
        words: &["ms", "min", "hr", "true", "no"],
        seeds: || seeds(&["60s", "9223372036854775807h", "-1", "yes"]),
        run: |input| parts(input).iter().any(|word| cluster::times(word)),
    },
];
