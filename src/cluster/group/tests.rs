use super::*;
use crate::cluster::self_fencing::How;

fn key(byte: u8) -> Key {
    Key::derive(&[byte; 256]).unwrap()
}

const RING: Ring = Ring { seq: 8, node_id: 1 };

fn sender(node_id: u32, pid: u32, boot: &str) -> Sender {
    Sender { node_id, pid, node: format!("srv{node_id}"), boot: boot.into() }
}

fn notice() -> Message {
    Message::Notice(SelfFencingNotice {
        node: "srv1".into(),
        boot: "b".into(),
        reason: "r".into(),
        how: How::Reboot,
        within: 400,
        foreign: None,
    })
}

fn receiver() -> Receiver {
    let mut receiver = Receiver::default();
    receiver.formed(RING, &[1, 2, 3]);
    receiver
}

#[test]
fn what_root_on_a_member_sends_is_believed() {
    let mut receiver = receiver();
    let sent = seal(&key(1), &sender(1, 10, "b"), RING, 1, &notice()).unwrap();
    assert_eq!(receiver.open(Some(&key(1)), 1, 10, &sent), Ok((sender(1, 10, "b"), notice())));
    assert_eq!(receiver.boot(1), Some("b"));
    assert_eq!(receiver.boot(2), None);
    // A quorated that was started anew goes on with the numbers of the boot.
    let sent = seal(&key(1), &sender(1, 11, "b"), RING, 2, &Message::Hello).unwrap();
    assert_eq!(receiver.open(Some(&key(1)), 1, 11, &sent).unwrap().1, Message::Hello);
}

#[test]
fn what_is_not_sealed_by_the_key_is_dropped() {
    let sent = seal(&key(1), &sender(1, 10, "b"), RING, 1, &notice()).unwrap();
    let open = |key: Option<Key>, text: &[u8]| receiver().open(key.as_ref(), 1, 10, text).unwrap_err();
    assert_eq!(open(Some(key(2)), &sent), Dropped::Forged);
    assert_eq!(open(None, &sent), Dropped::NoKey);
    // Each byte after the version counts.
    let begin = prefix().len();
    for index in begin..sent.len() {
        let mut changed = sent.clone();
        changed[index] ^= 1;
        let dropped = open(Some(key(1)), &changed);
        assert!(matches!(dropped, Dropped::Forged | Dropped::OtherVersion), "{index}: {dropped:?}");
    }
    assert_eq!(open(Some(key(1)), &[b'x'; LONGEST + 1]), Dropped::Forged);
}

#[test]
fn another_version_is_dropped_as_such() {
    let newer = seal(&key(1), &sender(1, 10, "b"), RING, 1, &Message::Hello).unwrap();
    let newer = String::from_utf8(newer).unwrap().replacen("quorated/2", "quorated/3", 1);
    for text in
        [b"\"ping\"".as_slice(), br#"{"farewell":{"node":"srv1"}}"#, b"", newer.as_bytes(), b"quorated/2 zz"]
    {
        assert_eq!(receiver().open(Some(&key(1)), 1, 10, text), Err(Dropped::OtherVersion));
    }
}

#[test]
fn a_kind_that_is_not_known_is_no_forgery() {
    let envelope = Envelope {
        sender: sender(1, 10, "b"),
        ring: RING,
        number: 1,
        message: serde_json::json!({"song": 1}),
    };
    let envelope = serde_json::to_vec(&envelope).unwrap();
    let tag = seal_of(&key(1), &envelope).unwrap().finalize().into_bytes();
    let tag: String = tag.iter().map(|b| format!("{b:02x}")).collect();
    let text = [prefix().as_bytes(), tag.as_bytes(), b" ", &envelope].concat();
    assert_eq!(receiver().open(Some(&key(1)), 1, 10, &text), Err(Dropped::UnknownKind));
}

#[test]
fn a_copy_is_dropped() {
    let mut receiver = receiver();
    let sent = |pid, boot: &str, number| {
        seal(&key(1), &sender(1, pid, boot), RING, number, &Message::Hello).unwrap()
    };
    let mut open = |node, pid, text: &[u8]| receiver.open(Some(&key(1)), node, pid, text).err();
    assert_eq!(open(1, 10, &sent(10, "b", 5)), None);
    let from_elsewhere = Some(Dropped::Copied("another process sealed it"));
    assert_eq!(open(2, 10, &sent(10, "b", 6)), from_elsewhere);
    assert_eq!(open(1, 99, &sent(10, "b", 6)), from_elsewhere);
    assert_eq!(open(1, 10, &sent(10, "b", 5)), Some(Dropped::Copied("it was sent before")));
    assert_eq!(open(1, 10, &sent(10, "b", 4)), Some(Dropped::Copied("it was sent before")));
    // After a boot the numbers begin anew, and what is of the boot before is over.
    assert_eq!(open(1, 10, &sent(10, "c", 1)), None);
    assert_eq!(open(1, 10, &sent(10, "b", 9)), Some(Dropped::Copied("its node has booted since")));
    assert_eq!(open(1, 10, &sent(10, "c", 2)), None);
}

#[test]
fn what_was_sent_before_a_node_left_is_over_also_for_who_was_not_there() {
    let ring = |seq| Ring { seq, node_id: 1 };
    let sent = |seq, number| seal(&key(1), &sender(1, 10, "b"), ring(seq), number, &notice()).unwrap();
    let mut fresh = Receiver::default();
    assert_eq!(
        fresh.open(Some(&key(1)), 1, 10, &sent(8, 1)),
        Err(Dropped::OldMembership),
        "none is known yet"
    );
    fresh.formed(ring(16), &[1]);
    assert_eq!(fresh.open(Some(&key(1)), 1, 10, &sent(8, 1)), Err(Dropped::OldMembership));
    assert_eq!(fresh.open(Some(&key(1)), 1, 10, &sent(24, 1)), Err(Dropped::OldMembership));
    // Sent while the next membership formed.
    fresh.formed(ring(20), &[1]);
    fresh.formed(ring(20), &[1]);
    assert!(fresh.open(Some(&key(1)), 1, 10, &sent(16, 1)).is_ok());
    assert!(fresh.open(Some(&key(1)), 1, 10, &sent(20, 2)).is_ok());
    fresh.formed(ring(24), &[1]);
    assert_eq!(fresh.open(Some(&key(1)), 1, 10, &sent(16, 3)), Err(Dropped::OldMembership));
}

/// A virtual machine set back to a snapshot of its memory: the same boot, and an earlier time.
#[test]
fn a_node_that_left_counts_anew() {
    let ring = |seq| Ring { seq, node_id: 1 };
    let sent = |seq, number| seal(&key(1), &sender(2, 10, "b"), ring(seq), number, &notice()).unwrap();
    let mut receiver = Receiver::default();
    let open =
        |receiver: &mut Receiver, seq, number| receiver.open(Some(&key(1)), 2, 10, &sent(seq, number)).err();
    receiver.formed(ring(8), &[1, 2]);
    assert_eq!(open(&mut receiver, 8, 900), None);
    receiver.formed(ring(12), &[1, 2, 3]);
    assert_eq!(open(&mut receiver, 12, 5), Some(Dropped::Copied("it was sent before")), "it has not left");
    receiver.formed(ring(16), &[1, 3]);
    receiver.formed(ring(20), &[1, 2, 3]);
    assert_eq!(open(&mut receiver, 8, 901), Some(Dropped::OldMembership), "a copy of before it left");
    assert_eq!(open(&mut receiver, 20, 5), None);
    assert_eq!(open(&mut receiver, 20, 5), Some(Dropped::Copied("it was sent before")));
}
