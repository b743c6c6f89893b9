//! When a node tells the others that it fences itself: every combination of facts is decided.

use std::time::Duration;

use quorate::decide::notice::{Facts, Instances, Marker, Postgres, Terms, Verdict, decide};

use super::merge::{Column, table};

pub fn notice() -> String {
    let columns: [Column; 4] = [
        Postgres::ALL.map(Postgres::text).to_vec(),
        vec!["written", "not written"],
        vec!["all ended", "one was not ended", "one can't be read"],
        vec!["none", "some", "unknown"],
    ];
    let heads =
        ["PostgreSQL", "the marker for the agent", "recorded instances", "other resources", "what follows"];
    table(&heads, &columns, &|chosen| {
        let [postgres, marker, instances, foreign] = chosen else { unreachable!("four columns") };
        let facts = Facts {
            postgres: Postgres::ALL[*postgres],
            marker: [Marker::Written, Marker::NotWritten][*marker],
            instances: match instances {
                0 => Instances::Ended,
                1 => Instances::Another("another one".into()),
                _ => Instances::Unreadable("its record is damaged".into()),
            },
            foreign: [Some(Vec::new()), Some(vec!["web".to_owned()]), None][*foreign].clone(),
            within: Duration::from_millis(300),
        };
        match decide(&facts) {
            Verdict::Send(Terms { foreign: Some(named), .. }) if named.is_empty() => {
                "**sent**: who reads it need not wait for the watchdog".to_owned()
            }
            Verdict::Send(Terms { foreign: Some(_), .. }) => "**sent**, and names them".to_owned(),
            Verdict::Send(Terms { foreign: None, .. }) => {
                "**sent**, and says that they are unknown".to_owned()
            }
            Verdict::Withhold(why) => format!("none: {why}"),
            Verdict::ReadInstances => "the records are read first".to_owned(),
        }
    })
}
