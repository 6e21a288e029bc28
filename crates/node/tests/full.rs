//! A store that is down to its reserve, or has no room at all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use layer_minus_delivery::Mode;
use layer_minus_message::{Answer, Command, Reason};
use layer_minus_node::{Event, NodeConfig, StoreError, Table};
use world::{LARGE, SMALL, World, answer_to};

const MB: u64 = 1_000_000;

fn world() -> World {
    let config = NodeConfig {
        retention_secs: 3_600,
        ..NodeConfig::default()
    };
    World::new(config)
}

/// Lets the store have `left` bytes more, of which `reserve` are held back.
fn limit(world: &mut World, left: u64, reserve: u64) {
    let used = world.node.store().used_bytes();
    world.node.store_mut().set_capacity(Some(used + left));
    world.node.store_mut().set_reserve(reserve);
}

/// A message of 900 kB that no other is equal to.
fn body(number: u8) -> Vec<u8> {
    vec![number; 900_000]
}

#[test]
fn at_the_reserve_mail_is_refused_and_what_waits_is_collected() {
    let mut world = world();
    let bobo = world.client();
    limit(&mut world, 4 * MB, 2 * MB);
    let mut sent = 0_u8;
    let reason = loop {
        match world.mail_effects(&bobo, &body(sent), LARGE).0 {
            Answer::Accepted(_) => sent += 1,
            Answer::Refused(reason) => break reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((sent, reason), (3, Reason::Unavailable));
    // Strangers, and whoever wants to become a client, write nothing at all.
    let (peter, seen) = (world.person(), world.node.store().rows(Table::Seen));
    world.grant(&peter, 1);
    let registration = world.registration(&peter, None);
    let (peter, bobos) = (
        peter.address(),
        Command::Card {
            wallet: bobo.address(),
        },
    );
    for command in [registration, bobos, Command::Status] {
        let answer = world.command(peter, command);
        assert_eq!(answer, Answer::Refused(Reason::Unavailable));
    }
    let request = world.request(None, SMALL);
    let id = request.id;
    let effects = world.run(vec![Event::See { request }]);
    assert_eq!(
        answer_to(&effects, id),
        Answer::Refused(Reason::Unavailable)
    );
    assert_eq!(world.node.store().rows(Table::Seen), seen);

    world.standing(&bobo);
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    for seq in 1..=u64::from(sent) {
        world.hand(&mut stream, seq);
        world.ack_through(&bobo, 1, seq);
    }
    assert_eq!(stream.pushed.len(), 3);
    world.mail(&bobo, &body(9));
}

#[test]
fn at_the_reserve_mail_expires_and_makes_room() {
    let mut world = world();
    let bobo = world.client();
    let stream = world.listen(&bobo, 1, Mode::Each);
    world.close(&stream);
    limit(&mut world, 2 * MB, MB);
    world.mail(&bobo, &body(1));
    world.mail(&bobo, &body(2));
    assert_eq!(world.refused(&bobo, &body(3)), Reason::Unavailable);
    // Not even the reserve is left.
    limit(&mut world, 0, MB);
    world.tick(3_601);
    assert_eq!(world.node.store().rows(Table::Bodies), 0);
    world.mail(&bobo, &body(4));
    assert_eq!(world.standing(&bobo).waiting_packets, 1);
}

#[test]
fn a_tick_that_finds_no_room_sweeps_what_it_can_and_closes_no_stream() {
    let mut world = world();
    let (bobo, peter) = (world.client(), world.client());
    let mut stream = world.listen(&peter, 1, Mode::Each);
    world.mail(&bobo, b"small");
    world.now += 3_601;
    // Nothing may become longer: the message is short, and charging its storage takes a row.
    world.node.store_mut().set_capacity(Some(0));
    let seen = world.node.store().rows(Table::Seen);
    let batch = world.batch(vec![Event::Tick]);
    assert!(
        matches!(batch.error, Some(StoreError::Full(_))),
        "{:?}",
        batch.error
    );
    stream.take(&batch.effects);
    assert!(!stream.closed);
    assert!(matches!(
        stream.control.last(),
        Some(Answer::Heartbeat { .. })
    ));
    assert!(world.node.store().rows(Table::Seen) < seen);
    assert_eq!(world.node.store().rows(Table::Bodies), 1);

    limit(&mut world, MB, 0);
    world.tick(1);
    assert_eq!(world.node.store().rows(Table::Bodies), 0);
}

#[test]
fn of_a_batch_that_does_not_fit_as_a_whole_what_fits_is_accepted() {
    let mut world = world();
    let bobo = world.client();
    limit(&mut world, 2 * MB, 0);
    let (ids, events): (Vec<_>, Vec<_>) = (0..3)
        .map(|number| world.mail_event(&bobo, &body(number), LARGE))
        .unzip();
    let batch = world.batch(events);
    assert!(
        matches!(batch.error, Some(StoreError::Full(_))),
        "{:?}",
        batch.error
    );
    let answers: Vec<Answer> = ids
        .iter()
        .map(|id| answer_to(&batch.effects, *id))
        .collect();
    assert!(matches!(answers[0], Answer::Accepted(_)), "{answers:?}");
    assert!(matches!(answers[1], Answer::Accepted(_)), "{answers:?}");
    assert_eq!(answers[2], Answer::Refused(Reason::Unavailable));
    world.check();
}
