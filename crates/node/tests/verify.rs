//! What verification finds in a store that was tampered with, one thing at a time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use layer_minus_delivery::Mode;
use layer_minus_ledger::{Account, DebitLimit, Transfer, TransferState};
use layer_minus_node::{Flaw, NodeConfig, Store as _, Table, admin, memory::MemoryStore};
use serde_json::{Value, json};
use world::World;

/// Two letters wait, one of them with a further push under way; one was collected.
fn world() -> World {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    world.mail(&bobo, b"zero");
    world.ack_through_everything(&bobo);
    world.mail(&bobo, b"one");
    world.mail(&bobo, b"two");
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    world.hand(&mut stream, 2);
    world.close(&stream);
    world.listen(&bobo, 2, Mode::Each);
    world.check();
    world
}

fn rows(world: &World, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let store = world.node.store();
    store.scan(table, &[], &[0xff; 64], usize::MAX).unwrap()
}

fn tamper(world: &mut World, change: impl FnOnce(&mut MemoryStore)) {
    let store = world.node.store_mut();
    store.begin().unwrap();
    change(store);
    store.commit().unwrap();
}

fn put(world: &mut World, table: Table, key: &[u8], value: &[u8]) {
    tamper(world, |store| store.put(table, key, value).unwrap());
}

fn delete(world: &mut World, table: Table, key: &[u8]) {
    tamper(world, |store| store.delete(table, key).unwrap());
}

fn flaw(world: &World) -> Flaw {
    admin::verify(world.node.store()).unwrap().unwrap_err()
}

fn transfers(world: &World) -> Vec<Transfer> {
    let rows = rows(world, Table::Transfers);
    rows.iter()
        .map(|(_, row)| Transfer::from_bytes(row).unwrap())
        .collect()
}

fn accounts(world: &World) -> Vec<Account> {
    let rows = rows(world, Table::Accounts);
    rows.iter()
        .map(|(_, row)| Account::from_bytes(row).unwrap())
        .collect()
}

/// The first packet that waits, as JSON.
fn packet(world: &World) -> (Vec<u8>, Value) {
    let (key, value) = rows(world, Table::Packets).swap_remove(0);
    (key, serde_json::from_slice(&value).unwrap())
}

#[test]
fn books_that_do_not_balance() {
    let mut world = world();
    let mut income = accounts(&world)
        .into_iter()
        .find(|account| account.credits_posted > 0)
        .unwrap();
    income.credits_posted += 1;
    let id = income.id;
    put(
        &mut world,
        Table::Accounts,
        id.as_bytes(),
        &income.to_bytes(),
    );
    assert!(
        flaw(&world).to_string().contains("posted debits are"),
        "{}",
        flaw(&world)
    );
}

#[test]
fn an_account_beyond_its_limit() {
    let mut world = world();
    let mut client = accounts(&world)
        .into_iter()
        .find(|account| account.debits_posted > 0)
        .unwrap();
    client.limit = DebitLimit::UpTo(client.used() - 1);
    let id = client.id;
    put(
        &mut world,
        Table::Accounts,
        id.as_bytes(),
        &client.to_bytes(),
    );
    assert!(
        flaw(&world).to_string().contains("has used"),
        "{}",
        flaw(&world)
    );
}

#[test]
fn a_transfer_that_is_there_twice() {
    let mut world = world();
    let (_, row) = rows(&world, Table::Transfers).swap_remove(0);
    put(&mut world, Table::Transfers, &[0xee; 16], &row);
    assert!(
        flaw(&world).to_string().contains("twice"),
        "{}",
        flaw(&world)
    );
}

#[test]
fn a_row_under_another_key() {
    let mut world = world();
    let (key, row) = rows(&world, Table::Transfers).swap_remove(0);
    delete(&mut world, Table::Transfers, &key);
    put(&mut world, Table::Transfers, &[0xee; 16], &row);
    assert!(matches!(flaw(&world), Flaw::Misplaced { .. }));
}

#[test]
fn a_transfer_that_is_missing() {
    let mut world = world();
    let posted = transfers(&world)
        .into_iter()
        .find(|row| row.state == TransferState::Posted)
        .unwrap();
    delete(&mut world, Table::Transfers, posted.id.as_bytes());
    assert!(
        flaw(&world).to_string().contains("come to"),
        "{}",
        flaw(&world)
    );
}

#[test]
fn a_packet_without_its_reservation() {
    for field in ["push", "storage"] {
        let mut world = world();
        let (key, mut row) = packet(&world);
        row[field] = json!("00000000000000000000000000000000");
        put(&mut world, Table::Packets, &key, row.to_string().as_bytes());
        let found = flaw(&world);
        let Flaw::NotReserved { what, .. } = found else {
            panic!("{found}")
        };
        assert_eq!(what, field);
    }
}

#[test]
fn a_packet_for_which_too_little_is_reserved() {
    for (field, value) in [
        ("size_bytes", json!(1_000_001)),
        ("kept_until", Value::Null),
    ] {
        let mut world = world();
        let (key, mut row) = packet(&world);
        row[field] = match value {
            Value::Null => json!(row[field].as_u64().unwrap() + 3_600),
            value => value,
        };
        put(&mut world, Table::Packets, &key, row.to_string().as_bytes());
        let found = flaw(&world);
        assert!(matches!(found, Flaw::NotReserved { .. }), "{found}");
    }
}

#[test]
fn a_packet_that_shares_its_reservation() {
    let mut world = world();
    let (key, row) = packet(&world);
    let mut other = key.clone();
    other[27] = 99;
    put(
        &mut world,
        Table::Packets,
        &other,
        row.to_string().as_bytes(),
    );
    let found = flaw(&world);
    assert!(matches!(found, Flaw::ReservedTwice { .. }), "{found}");
}

#[test]
fn a_reservation_of_nothing() {
    let mut world = world();
    let (key, _) = packet(&world);
    delete(&mut world, Table::Packets, &key);
    delete(&mut world, Table::Bodies, &key);
    let found = flaw(&world);
    assert!(matches!(found, Flaw::Orphan { .. }), "{found}");
}

#[test]
fn a_further_push_that_nobody_lets_lapse() {
    let mut world = world();
    let again = transfers(&world)
        .into_iter()
        .find(|row| row.code == layer_minus_node::money::code::PUSH_AGAIN && row.held().get() > 0)
        .unwrap();
    let due = rows(&world, Table::Retention)
        .into_iter()
        .find(|(key, _)| key.ends_with(again.id.as_bytes()))
        .unwrap();
    delete(&mut world, Table::Retention, &due.0);
    assert_eq!(flaw(&world), Flaw::Orphan { pending: again.id });
}

#[test]
fn a_packet_without_bytes_and_bytes_without_a_packet() {
    let mut world = world();
    let (key, _) = packet(&world);
    let (_, body) = rows(&world, Table::Bodies).swap_remove(0);
    delete(&mut world, Table::Bodies, &key);
    let found = flaw(&world);
    assert!(matches!(found, Flaw::HalfStored { .. }), "{found}");
    put(&mut world, Table::Bodies, &key, &body);
    world.check();
    let mut other = key;
    other[27] = 99;
    put(&mut world, Table::Bodies, &other, &body);
    let found = flaw(&world);
    assert!(matches!(found, Flaw::HalfStored { seq: 99, .. }), "{found}");
}

#[test]
fn a_mailbox_that_counts_wrong() {
    for field in ["count", "bytes"] {
        let mut world = world();
        let (key, value) = rows(&world, Table::Mailboxes).swap_remove(0);
        let mut row: Value = serde_json::from_slice(&value).unwrap();
        let counted = row["mailbox"][field].as_u64().unwrap();
        row["mailbox"][field] = json!(counted - 1);
        put(
            &mut world,
            Table::Mailboxes,
            &key,
            row.to_string().as_bytes(),
        );
        let found = flaw(&world);
        assert!(matches!(found, Flaw::Miscounted { .. }), "{found}");
    }
}

#[test]
fn a_statement_that_was_changed() {
    // Its first row is the tally.
    let lines = rows(&world(), Table::Journal).len();
    assert!(lines > 5);
    for at in 1..lines {
        let mut changed = world();
        let (key, mut line) = rows(&changed, Table::Journal).swap_remove(at);
        line[22] ^= 1;
        put(&mut changed, Table::Journal, &key, &line);
        let found = flaw(&changed);
        assert!(matches!(found, Flaw::Statement { .. }), "{at}: {found}");

        let mut shorter = world();
        delete(&mut shorter, Table::Journal, &key);
        let found = flaw(&shorter);
        assert!(matches!(found, Flaw::Statement { .. }), "{at}: {found}");
    }
}

#[test]
fn a_statement_that_is_not_what_was_charged() {
    let mut world = world();
    for (key, _) in rows(&world, Table::Journal) {
        delete(&mut world, Table::Journal, &key);
    }
    let found = flaw(&world);
    assert!(matches!(found, Flaw::StatementSum { .. }), "{found}");
    // Nor does a tally alone make it so.
    let mut world = self::world();
    let journal = rows(&world, Table::Journal);
    let mut tally: Value = serde_json::from_slice(&journal[0].1).unwrap();
    for (key, _) in &journal[1..] {
        delete(&mut world, Table::Journal, key);
    }
    tally["first_seq"] = tally["next_seq"].clone();
    put(
        &mut world,
        Table::Journal,
        &journal[0].0,
        tally.to_string().as_bytes(),
    );
    let found = flaw(&world);
    assert!(matches!(found, Flaw::StatementSum { .. }), "{found}");
}
