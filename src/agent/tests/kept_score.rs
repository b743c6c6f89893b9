//! The promotion score that a daemon of Pacemaker lost, on a played host.

use super::*;
use crate::decide::kept_score::DOUBT;

#[test]
fn a_score_that_the_cib_lost_is_sent_again_by_the_next_monitor() {
    let mut host = FakeHost::new(Condition::Standby, position(3, 0x500));
    host.memory.standing = Standing::Current;
    host.memory.score = Some(Score::Standby);
    host.memory.score_doubted = Some(host.now);
    host.status = Some(cluster(None));
    monitor(&mut host);
    assert_eq!(host.did("score"), ["score srv1 900 again"]);
    let mut found = cluster(None);
    found.attributes.entry("srv1".into()).or_default().insert("master-pgsqld".into(), "900".into());
    host.status = Some(found);
    host.now += DOUBT;
    monitor(&mut host);
    assert_eq!(host.memory.score_doubted, None);
    host.status = Some(cluster(None));
    monitor(&mut host);
    assert_eq!(host.did("score").len(), 1, "without a doubt nobody looks: {:?}", host.done);
}
