//! A mailbox with more in it than one transaction takes out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use layer_minus_message::{Answer, Command, Prices, Reason};
use layer_minus_node::{NodeConfig, Store as _, Table};
use world::{Person, SMALL, World};

const PACKETS: u64 = 50_200;

/// As if so many packets had come: copies of the first. Free, so that none has a reservation of its own.
fn fill(world: &mut World, bobo: &Person) {
    let key = |seq: u64| [bobo.address().as_slice(), &seq.to_be_bytes()].concat();
    let store = world.node.store_mut();
    let [packet, body] =
        [Table::Packets, Table::Bodies].map(|table| store.get(table, &key(1)).unwrap().unwrap());
    let address = bobo.address();
    let mailbox = store.get(Table::Mailboxes, address.as_slice());
    let mut mailbox: serde_json::Value =
        serde_json::from_slice(&mailbox.unwrap().unwrap()).unwrap();
    let kept_until: serde_json::Value = serde_json::from_slice(&packet).unwrap();
    let kept_until = kept_until["kept_until"].as_u64().unwrap();
    mailbox["mailbox"]["next_seq"] = (PACKETS + 1).into();
    mailbox["mailbox"]["count"] = PACKETS.into();
    mailbox["mailbox"]["bytes"] = (PACKETS * u64::from(SMALL)).into();
    store.begin().unwrap();
    let row = serde_json::to_vec(&mailbox).unwrap();
    store
        .put(Table::Mailboxes, address.as_slice(), &row)
        .unwrap();
    for seq in 2..=PACKETS {
        store.put(Table::Packets, &key(seq), &packet).unwrap();
        store.put(Table::Bodies, &key(seq), &body).unwrap();
        let due = [&kept_until.to_be_bytes()[..], &[1], &key(seq)].concat();
        store.put(Table::Retention, &due, &[]).unwrap();
    }
    store.commit().unwrap();
}

/// What was left of it belonged to nobody, and ended the sweep for everybody when its retention ended.
#[test]
fn a_client_with_very_many_packets_leaves_none_behind() {
    let mut world = World::new(NodeConfig {
        prices: Prices::FREE,
        mailbox_bytes_max: 2 * PACKETS * u64::from(SMALL),
        ..NodeConfig::default()
    });
    let bobo = world.client();
    world.mail_effects(&bobo, b"one", SMALL);
    fill(&mut world, &bobo);
    world.check();
    // It can still change its mind.
    let unregister = |world: &mut World| world.command(bobo.address(), Command::Unregister);
    assert_eq!(unregister(&mut world), Answer::Refused(Reason::Unavailable));
    let waiting = world.standing(&bobo).waiting_packets;
    assert!(waiting > 0 && waiting < PACKETS, "{waiting}");
    assert_eq!(unregister(&mut world), Answer::Unregistered);
    assert_eq!(world.node.store().rows(Table::Packets), 0);
    assert_eq!(world.node.store().rows(Table::Bodies), 0);
    world.tick(8 * 24 * 3_600);
}
