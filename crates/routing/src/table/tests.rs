mod bounds;

use super::*;
use crate::{
    SUPERSEDED_KEYS_MAX, Verdict, decide,
    testing::{Change, LIFE_SECS, NOW, node, table},
};

const SMALL: TableLimits = TableLimits {
    nodes_max: 3,
    per_peer_max: 2,
    unaddressed_max: 2,
    unknown_max: 2,
};

fn peer(number: u8) -> Source {
    Source::Peer(Address::repeat_byte(number))
}

/// To whom a packet for the key goes.
fn way(table: &Table, key: Fingerprint, now: u64) -> Option<Address> {
    let by_fingerprint = table.route(&key.into(), now).map(NodeRecord::node);
    let by_key_id = table.route(&key.key_id().into(), now).map(NodeRecord::node);
    assert_eq!(by_fingerprint, by_key_id);
    by_fingerprint
}

fn addresses(records: &[&NodeRecord]) -> Vec<Address> {
    records.iter().map(|record| record.node()).collect()
}

#[test]
fn what_was_told_is_known_and_routes_only_once_it_is_proved() {
    let mut table = table(TableLimits::default());
    let (key, record) = (node(1).key(), node(1).record(1));
    assert_eq!(
        table.insert(record.clone(), peer(1), false, NOW),
        Ok(Inserted::New)
    );
    assert_eq!(table.record(&node(1).address()).unwrap().body, record.body);
    assert_eq!(way(&table, key, NOW), None);
    assert!(table.find(&key.into()).is_none() && table.peers().is_empty());

    assert_eq!(table.insert(record, peer(2), true, NOW), Ok(Inserted::Same));
    assert_eq!(way(&table, key, NOW), Some(node(1).address()));
    let view = table.entries().next().unwrap();
    assert!(view.proved && view.routes && view.source == peer(1));
}

#[test]
fn what_the_operator_configured_routes_without_proof() {
    let mut table = table(TableLimits::default());
    table
        .insert(node(1).record(1), peer(1), false, NOW)
        .unwrap();
    let again = table.insert(node(1).record(1), Source::Configured, false, NOW);
    assert_eq!(again, Ok(Inserted::Same));
    assert_eq!(way(&table, node(1).key(), NOW), Some(node(1).address()));
    let view = table.entries().next().unwrap();
    assert!(!view.proved && view.routes && view.source == Source::Configured);
}

#[test]
fn an_older_record_never_replaces_a_newer_one() {
    let mut table = table(TableLimits::default());
    let insert = |table: &mut Table, record| table.insert(record, peer(1), true, NOW);
    assert_eq!(insert(&mut table, node(1).record(5)), Ok(Inserted::New));
    assert_eq!(
        insert(&mut table, node(1).record(4)),
        Err(TableError::Older {
            node: node(1).address(),
            found: 4,
            known: 5
        })
    );
    let url = Some("http://elsewhere/post".to_owned());
    let other = node(1).changed(
        5,
        Change {
            url,
            ..Change::default()
        },
    );
    assert_eq!(
        insert(&mut table, other),
        Err(TableError::Contradiction {
            node: node(1).address(),
            sequence: 5
        })
    );
    assert_eq!(table.record(&node(1).address()).unwrap().body.sequence, 5);
    assert_eq!(insert(&mut table, node(1).record(6)), Ok(Inserted::Newer));
    assert_eq!(table.record(&node(1).address()).unwrap().body.sequence, 6);
    assert_eq!(
        way(&table, node(1).key(), NOW),
        Some(node(1).address()),
        "same key, same proof"
    );
}

#[test]
fn expired_records_and_those_of_other_networks_are_refused() {
    let mut table = table(TableLimits::default());
    let late = NOW + LIFE_SECS + 1;
    let refused = table.insert(node(1).record(1), Source::Configured, true, late);
    assert!(
        matches!(refused, Err(TableError::Expired { until, now, .. })
        if until == NOW + LIFE_SECS && now == late)
    );
    let foreign = node(1).changed(
        1,
        Change {
            network: Some("other"),
            ..Change::default()
        },
    );
    let refused = table.insert(foreign, Source::Configured, true, NOW);
    assert!(matches!(refused, Err(TableError::WrongNetwork { found, .. }) if found == "other"));
    assert!(table.is_empty());
}

#[test]
fn nothing_routes_after_its_time_even_if_nobody_cleaned_up() {
    let mut table = table(TableLimits::default());
    table
        .insert(node(1).record(1), Source::Configured, true, NOW)
        .unwrap();
    let last = NOW + LIFE_SECS;
    assert_eq!(way(&table, node(1).key(), last), Some(node(1).address()));
    assert_eq!(way(&table, node(1).key(), last + 1), None);
}

#[test]
fn a_stolen_subkey_gets_nothing() {
    let mut table = table(TableLimits::default());
    table.insert(node(1).record(1), peer(1), true, NOW).unwrap();
    let certificate = Some(node(2).steal(&node(1).certificates[0]));
    let theft = node(2).changed(
        1,
        Change {
            certificate,
            ..Change::default()
        },
    );
    assert_eq!(theft.certificate.encryption_key(), node(1).key());

    let claimed = TableError::KeyClaimed {
        node: node(2).address(),
        key: node(1).key(),
        holder: node(1).address(),
    };
    for source in [peer(1), peer(2), Source::Configured] {
        let refused = table.insert(theft.clone(), source, false, NOW);
        assert_eq!(refused, Err(claimed.clone()));
    }
    assert_eq!(way(&table, node(1).key(), NOW), Some(node(1).address()));

    // A second holder of the same secret key, say the same operator's, may be there as well; the
    // first keeps the packets while it lives, and its unproved updates are its own.
    assert_eq!(table.insert(theft, peer(1), true, NOW), Ok(Inserted::New));
    assert_eq!(way(&table, node(1).key(), NOW), Some(node(1).address()));
    assert_eq!(
        table.insert(node(1).record(2), peer(1), false, NOW),
        Ok(Inserted::Newer)
    );
    assert_eq!(way(&table, node(1).key(), NOW), Some(node(1).address()));
}

#[test]
fn a_thief_who_came_first_does_not_block_the_owner() {
    let mut table = table(TableLimits::default());
    let certificate = Some(node(2).steal(&node(1).certificates[0]));
    let theft = node(2).changed(
        1,
        Change {
            certificate,
            ..Change::default()
        },
    );
    assert_eq!(
        table.insert(theft.clone(), peer(1), false, NOW),
        Ok(Inserted::New)
    );
    assert_eq!(way(&table, node(1).key(), NOW), None);
    assert_eq!(
        table.insert(node(1).record(1), peer(2), false, NOW),
        Ok(Inserted::New)
    );
    assert_eq!(
        table.insert(node(1).record(1), peer(2), true, NOW),
        Ok(Inserted::Same)
    );
    assert_eq!(way(&table, node(1).key(), NOW), Some(node(1).address()));
    assert!(matches!(
        table.insert(theft, peer(1), false, NOW),
        Err(TableError::KeyClaimed { holder, .. }) if holder == node(1).address()
    ));
}

#[test]
fn my_own_key_is_mine_whatever_anybody_proves() {
    let mut table = table(TableLimits::default());
    let certificate = Some(node(2).steal(&node(0).certificates[0]));
    let theft = node(2).changed(
        1,
        Change {
            certificate,
            ..Change::default()
        },
    );
    let refused = table.insert(theft, Source::Configured, true, NOW);
    assert!(matches!(refused, Err(TableError::KeyClaimed { holder, .. })
        if holder == node(0).address()));
    assert!(matches!(
        decide(&node(0).key().into(), &table, NOW),
        Verdict::Mine
    ));
    // Peers tell a node its own record back.
    assert_eq!(
        table.insert(node(0).record(9), peer(1), true, NOW),
        Ok(Inserted::Same)
    );
    assert_eq!((table.len(), table.own().unwrap().body.sequence), (0, 1));
}

#[test]
fn learning_who_i_am_takes_me_out_of_the_others() {
    let mut table = Table::new(SMALL, crate::testing::NETWORK);
    table.insert(node(0).record(1), peer(1), true, NOW).unwrap();
    table.note_unknown(node(0).key().into(), NOW);
    table.set_own(vec![node(0).key()], node(0).record(1));
    assert_eq!(
        (table.len(), table.unknown_len(), table.holders.len()),
        (0, 0, 0)
    );
}

#[test]
fn after_rotation_the_old_key_routes_to_its_end_and_the_new_one_once_proved() {
    let mut table = table(TableLimits::default());
    let old = node(1).key();
    let new = node(1).certificates[1].encryption_key();
    let address = Some(node(1).address());
    table.insert(node(1).record(1), peer(1), true, NOW).unwrap();
    let life_secs = Some(3 * LIFE_SECS);
    let certificate = Some(node(1).certificates[1].clone());
    let rotated = node(1).changed(
        2,
        Change {
            certificate,
            life_secs,
            ..Change::default()
        },
    );
    assert_eq!(
        table.insert(rotated.clone(), peer(1), false, NOW),
        Ok(Inserted::Newer)
    );
    assert_eq!(
        (way(&table, old, NOW), way(&table, new, NOW)),
        (address, None)
    );
    table.insert(rotated, peer(1), true, NOW).unwrap();
    assert_eq!(
        (way(&table, old, NOW), way(&table, new, NOW)),
        (address, address)
    );
    assert_eq!(
        table.find(&old.into()).unwrap().body.sequence,
        2,
        "by the newest record"
    );

    let end = NOW + LIFE_SECS;
    assert_eq!(
        (way(&table, old, end), way(&table, new, end)),
        (address, address)
    );
    assert_eq!(
        (way(&table, old, end + 1), way(&table, new, end + 1)),
        (None, address)
    );
    table.remove_expired(end + 1);
    assert!(table.find(&old.into()).is_none() && table.find(&new.into()).is_some());
    assert!(!table.holders.contains_key(&old.key_id()));
}

#[test]
fn superseded_keys_are_few() {
    let mut table = table(TableLimits::default());
    let stolen = (2..7).map(|other| node(1).steal(&node(other).certificates[0]));
    let certificates = std::iter::once(node(1).certificates[0].clone()).chain(stolen);
    for (sequence, certificate) in certificates.enumerate() {
        let change = Change {
            certificate: Some(certificate),
            ..Change::default()
        };
        table
            .insert(node(1).changed(sequence as u64, change), peer(1), true, NOW)
            .unwrap();
    }
    assert_eq!(
        table.nodes[&node(1).address()].key_ids().len(),
        1 + SUPERSEDED_KEYS_MAX
    );
    assert_eq!(table.holders.len(), 1 + SUPERSEDED_KEYS_MAX);
}

#[test]
fn an_announced_key_routes_only_when_it_is_the_records_own() {
    let mut table = table(TableLimits::default());
    let next = Some(node(1).certificates[1].clone());
    let key = node(1).certificates[1].encryption_key();
    let announced = node(1).changed(
        1,
        Change {
            next,
            ..Change::default()
        },
    );
    table
        .insert(announced, Source::Configured, true, NOW)
        .unwrap();
    assert_eq!(way(&table, key, NOW), None);
    table
        .insert(node(1).rotated(2), peer(1), false, NOW)
        .unwrap();
    assert_eq!(
        way(&table, key, NOW),
        Some(node(1).address()),
        "configured by its address"
    );
}

#[test]
fn a_key_that_never_routed_does_not_begin_to_when_it_is_superseded() {
    let mut table = table(TableLimits::default());
    let certificate = Some(node(2).steal(&node(1).certificates[0]));
    let theft = node(2).changed(
        1,
        Change {
            certificate,
            ..Change::default()
        },
    );
    table.insert(theft, peer(1), false, NOW).unwrap();
    table.insert(node(2).record(2), peer(1), true, NOW).unwrap();
    table.insert(node(1).record(1), peer(1), true, NOW).unwrap();
    table
        .insert(node(2).record(2), Source::Configured, true, NOW)
        .unwrap();
    assert_eq!(way(&table, node(1).key(), NOW), Some(node(1).address()));
    assert_eq!(way(&table, node(2).key(), NOW), Some(node(2).address()));
}

impl Table {
    /// What must hold after every operation.
    pub(crate) fn check_invariants(&self) {
        assert!(self.nodes.len() <= self.limits.nodes_max);
        assert!(self.unaddressed.len() <= self.limits.unaddressed_max);
        assert!(self.unknown.len() <= self.limits.unknown_max);
        let mut told: BTreeMap<Source, usize> = BTreeMap::new();
        let mut named: BTreeMap<KeyId, Vec<Address>> = BTreeMap::new();
        for (node, entry) in &self.nodes {
            assert_eq!(*node, entry.record.node());
            *told.entry(entry.source).or_default() += 1;
            for id in entry.key_ids() {
                named.entry(id).or_default().push(*node);
            }
        }
        told.remove(&Source::Configured);
        assert!(
            told.values()
                .all(|count| *count <= self.limits.per_peer_max)
        );
        let mut holders = self.holders.clone();
        holders.values_mut().for_each(|holders| holders.sort());
        assert_eq!(holders, named, "the index says what the entries say");
    }
}
