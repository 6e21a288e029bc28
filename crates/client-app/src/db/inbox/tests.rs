use super::*;
use bytes::Bytes;
use layer_minus_client_sdk::{Identity, Plan, Unwanted, Wallets, assemble, content};
use layer_minus_message::Position;
use layer_minus_packet::Sizes;
use layer_minus_seal::Version;
use rand::rngs::OsRng;

const NOW: u64 = 1_800_000_000;

fn letters(content: &[u8], part_bytes: u64) -> Vec<Letter> {
    let wallets = Wallets::generate(&mut OsRng);
    let from = Identity::generate(&wallets.wallet, "net", Version::V6, NOW, &mut OsRng).unwrap();
    let sizes = Sizes::default();
    let to = Address::repeat_byte(1);
    let plan = Plan::of(to, content::TEXT, content, &sizes, NOW, &mut OsRng).unwrap();
    let plan = Plan {
        part_bytes,
        ..plan.named("a.txt")
    };
    let letter = |index| {
        let range = plan.range(index);
        let body = &content[range.start as usize..range.end as usize];
        plan.letter(&from, index, Bytes::copy_from_slice(body), None)
            .unwrap()
    };
    (0..plan.parts()).map(letter).collect()
}

fn pushed(seq: u64) -> PushedPacket {
    PushedPacket {
        position: Position { generation: 1, seq },
        accepted_at: NOW,
        message: Bytes::new(),
    }
}

fn open(folder: &tempfile::TempDir) -> Db {
    Db::open(&folder.path().join("client.db")).unwrap()
}

#[test]
fn a_letter_is_shown_once_and_its_content_erased() {
    let folder = tempfile::tempdir().unwrap();
    let mut db = open(&folder);
    let letter = letters(b"hello", 100).remove(0);
    let take = |db: &mut Db| {
        db.take_letter(&letter, &pushed(4), &Caps::STRANGER, NOW)
            .unwrap()
    };
    assert_eq!(take(&mut db), Outcome::Whole);
    assert_eq!(take(&mut db), Outcome::Duplicate);
    drop(db); // before it was shown

    let mut db = open(&folder);
    let whole = db.next_unshown(&[]).unwrap().unwrap();
    let key = (whole.from, whole.id);
    assert_eq!(
        (whole.seq, whole.content),
        (4, Content::Body(b"hello".to_vec()))
    );
    assert_eq!(db.next_unshown(&[key]).unwrap(), None);
    db.shown(key).unwrap();
    assert_eq!(db.next_unshown(&[]).unwrap(), None);
    assert_eq!(take(&mut db), Outcome::Duplicate);
    let bodies: i64 = db
        .connection
        .query_row(
            "SELECT count(body) + count(name) FROM received",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(bodies, 0);
    db.sweep_inbox(NOW + IDS_SECS_MAX).unwrap();
    assert_eq!(take(&mut db), Outcome::Duplicate);
    db.sweep_inbox(NOW + IDS_SECS_MAX + 1).unwrap();
    assert_eq!(
        take(&mut db),
        Outcome::Whole,
        "as long as any node could bring it again"
    );
}

#[test]
fn parts_survive_a_break_and_are_joined_from_disk() {
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..=250).collect();
    let letters = letters(&content, 100);
    let take = |part: usize| {
        let mut db = open(&folder); // another process each time
        db.take_letter(&letters[part], &pushed(part as u64), &Caps::STRANGER, NOW)
            .unwrap()
    };
    assert_eq!(take(2), Outcome::Part { have: 1, count: 3 });
    assert_eq!(take(0), Outcome::Part { have: 2, count: 3 });
    assert_eq!(take(0), Outcome::Duplicate);
    assert!(matches!(take(1), Outcome::Complete(_)));
    assert_eq!(take(1), Outcome::Duplicate);
    let mut db = open(&folder);
    let whole = db.next_unshown(&[]).unwrap().unwrap();
    let key = (whole.from, whole.id);
    assert!(matches!(whole.content, Content::Parts(_)));
    let joined: Vec<u8> = (0..3)
        .flat_map(|part| db.part(key, part).unwrap())
        .collect();
    assert_eq!(joined, content);
    db.shown(key).unwrap();
    assert!(db.part(key, 0).is_err());
}

#[test]
fn refused_and_stale_transfers_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut db = open(&folder);
    let count = |db: &Db| -> i64 {
        let sql = "SELECT (SELECT count(*) FROM parts) + (SELECT count(*) FROM transfers)";
        db.connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let caps = Caps {
        sender_bytes_max: 10,
        ..Caps::STRANGER
    };
    let large = letters(&[1; 250], 100);
    let outcome = db.take_letter(&large[0], &pushed(1), &caps, NOW).unwrap();
    assert!(matches!(
        outcome,
        Outcome::Refused(Unwanted::TooMuch { .. })
    ));
    assert_eq!(count(&db), 0);
    db.take_letter(&large[0], &pushed(1), &Caps::STRANGER, NOW)
        .unwrap();
    let mut broken = large[1].clone();
    broken.body = Bytes::from(vec![1; 240]);
    db.take_letter(&broken, &pushed(2), &Caps::STRANGER, NOW)
        .unwrap();
    assert_eq!(count(&db), 2, "a bad part does not spoil the others");
    let mut short = large[1].clone();
    short.body = Bytes::from(vec![1; 1]);
    db.take_letter(&short, &pushed(2), &Caps::STRANGER, NOW)
        .unwrap();
    let outcome = db
        .take_letter(&large[2], &pushed(3), &Caps::STRANGER, NOW)
        .unwrap();
    assert_eq!(outcome, Outcome::Refused(Unwanted::Broken));
    assert_eq!(
        count(&db),
        0,
        "and when the whole cannot be right, all goes"
    );

    db.take_letter(
        &letters(&[2; 250], 100)[0],
        &pushed(4),
        &Caps::STRANGER,
        NOW,
    )
    .unwrap();
    assert_eq!(
        db.sweep_inbox(NOW + assemble::UNFINISHED_SECS_MAX).unwrap(),
        0
    );
    assert_eq!(
        db.sweep_inbox(NOW + assemble::UNFINISHED_SECS_MAX + 1)
            .unwrap(),
        1
    );
    assert_eq!(count(&db), 0);
}

#[test]
fn a_foreign_message_is_taken_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut db = open(&folder);
    let foreign = Foreign {
        id: [3; 16],
        body: Bytes::from_static(b"from gpg"),
        name: None,
    };
    assert!(
        db.take_foreign(&foreign, "text/plain", &pushed(1), NOW)
            .unwrap()
    );
    assert!(
        !db.take_foreign(&foreign, "text/plain", &pushed(2), NOW)
            .unwrap()
    );
    let whole = db.next_unshown(&[]).unwrap().unwrap();
    assert_eq!(
        (whole.from, whole.content),
        (NOBODY, Content::Body(b"from gpg".to_vec()))
    );
}
