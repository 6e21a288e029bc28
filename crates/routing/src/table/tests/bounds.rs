//! Shares, room, expiry, and what is told.

use super::*;

#[test]
fn each_peer_has_a_share_in_which_proof_counts() {
    let mut table = table(SMALL);
    for number in [1, 2] {
        table
            .insert(node(number).record(1), peer(1), false, NOW)
            .unwrap();
    }
    let limit = SMALL.per_peer_max;
    let share = TableError::PeerShare {
        peer: Address::repeat_byte(1),
        limit,
    };
    assert_eq!(
        table.insert(node(3).record(1), peer(1), false, NOW),
        Err(share.clone())
    );
    assert_eq!(
        table.insert(node(3).record(1), peer(1), true, NOW),
        Ok(Inserted::New)
    );
    assert_eq!(
        table.len(),
        2,
        "a proved one took the place of one that was only told"
    );
    assert_eq!(
        table.insert(node(4).record(1), peer(1), false, NOW),
        Err(share)
    );
    assert_eq!(
        table.insert(node(4).record(1), peer(2), false, NOW),
        Ok(Inserted::New)
    );
}

#[test]
fn configured_entries_are_never_pushed_out_and_push_out_others() {
    let mut table = table(SMALL);
    let insert = |table: &mut Table, number: usize, source, proved| {
        table.insert(node(number).record(1), source, proved, NOW)
    };
    let full = Err(TableError::Full {
        limit: SMALL.nodes_max,
    });
    insert(&mut table, 1, peer(1), false).unwrap();
    insert(&mut table, 2, peer(2), true).unwrap();
    insert(&mut table, 3, Source::Configured, false).unwrap();
    assert_eq!(insert(&mut table, 4, peer(3), false), full);
    assert_eq!(insert(&mut table, 4, peer(3), true), Ok(Inserted::New));
    assert!(
        table.record(&node(1).address()).is_none(),
        "the one that was only told went"
    );
    for number in [5, 6] {
        assert_eq!(
            insert(&mut table, number, Source::Configured, false),
            Ok(Inserted::New)
        );
    }
    assert_eq!(insert(&mut table, 1, Source::Configured, true), full);
    let configured = [3, 5, 6].map(|number| node(number).address());
    assert!(
        configured
            .iter()
            .all(|address| table.record(address).is_some())
    );
    assert_eq!((table.len(), table.holders.len()), (3, 3));
}

#[test]
fn what_expired_makes_room_but_a_configured_node_stays_configured() {
    let mut table = table(TableLimits {
        nodes_max: 2,
        ..SMALL
    });
    table
        .insert(node(1).record(1), Source::Configured, false, NOW)
        .unwrap();
    table.insert(node(2).record(1), peer(1), true, NOW).unwrap();
    let late = NOW + LIFE_SECS + 1;
    let long = Change {
        life_secs: Some(3 * LIFE_SECS),
        ..Change::default()
    };
    let newcomer = table.insert(node(3).changed(1, long.clone()), peer(1), false, late);
    assert_eq!(newcomer, Ok(Inserted::New));
    assert!(table.record(&node(2).address()).is_none());

    assert!(table.record(&node(1).address()).is_some());
    assert!(table.peers().is_empty() && table.find(&node(1).key().into()).is_none());
    table
        .insert(node(1).changed(2, long), peer(1), false, late)
        .unwrap();
    assert_eq!(way(&table, node(1).key(), late), Some(node(1).address()));
}

#[test]
fn records_are_told_own_first_then_those_that_route_page_by_page() {
    let mut table = table(TableLimits::default());
    for number in 1..6 {
        table
            .insert(node(number).record(1), peer(1), number != 3, NOW)
            .unwrap();
    }
    let mut expected: Vec<Address> = [1, 2, 4, 5]
        .iter()
        .map(|number| node(*number).address())
        .collect();
    expected.sort();
    expected.insert(0, node(0).address());
    assert_eq!(addresses(&table.records(None, 99)), expected);
    for page in 1..=expected.len() {
        let (mut told, mut after) = (Vec::new(), None);
        loop {
            let records = addresses(&table.records(after, page));
            assert!(records.len() <= page);
            let Some(last) = records.last() else { break };
            after = Some(*last);
            told.extend(records);
        }
        assert_eq!(told, expected, "pages of {page}");
    }
    assert_eq!(table.records(None, 0).len(), 0);
    let last = expected.last().copied();
    assert!(table.records(last, 9).is_empty());
}

#[test]
fn peers_to_ask_are_configured_ones_first() {
    let mut table = table(TableLimits::default());
    for (number, source, proved) in [
        (1, peer(1), true),
        (2, peer(1), false),
        (3, Source::Configured, false),
    ] {
        table
            .insert(node(number).record(1), source, proved, NOW)
            .unwrap();
    }
    assert_eq!(
        addresses(&table.peers()),
        [node(3).address(), node(1).address()]
    );
}

#[test]
fn certificates_without_address_are_bounded_and_known_by_subkey() {
    let mut table = table(SMALL);
    let certificate = |number: usize| node(number).certificates[1].clone();
    assert_eq!(
        table.insert_unaddressed(certificate(1), NOW),
        Ok(Inserted::New)
    );
    assert_eq!(
        table.insert_unaddressed(certificate(1), NOW),
        Ok(Inserted::Same)
    );
    assert_eq!(
        table.insert_unaddressed(certificate(2), NOW),
        Ok(Inserted::New)
    );
    let key = certificate(3).encryption_key_id();
    assert_eq!(
        table.insert_unaddressed(certificate(3), NOW),
        Err(TableError::UnaddressedFull { key, limit: 2 })
    );
    let subkey = certificate(1).encryption_key();
    assert!(table.is_unaddressed(&subkey.into(), NOW));
    assert!(table.is_unaddressed(&subkey.key_id().into(), NOW));
    assert!(!table.is_unaddressed(&certificate(1).fingerprint().key_id().into(), NOW));
    assert!(!table.is_unaddressed(&Recipient::Wildcard, NOW));
    assert_eq!(
        (table.unaddressed_len(), table.unaddressed().count()),
        (2, 2)
    );
}

#[test]
fn what_became_known_is_no_longer_unknown() {
    let mut table = table(TableLimits::default());
    let key = Recipient::from(node(1).key());
    table.note_unknown(key, NOW);
    table
        .insert(node(1).record(1), peer(1), false, NOW)
        .unwrap();
    assert!(
        table.is_recently_unknown(&key, NOW),
        "it does not route yet"
    );
    table.insert(node(1).record(1), peer(1), true, NOW).unwrap();
    assert!(!table.is_recently_unknown(&key, NOW));
}
