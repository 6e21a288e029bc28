//! Marking what clients' papers brought: totals, never more than was charged, never twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use layer_minus_message::{Answer, Command};
use layer_minus_node::{
    NodeConfig,
    admin::{self, Channel, SettleError},
};
use world::{DOLLAR_UNITS, LARGE, Person, World};

const UNIT_PUSD: u128 = 1_000_000;
/// A pass of a large packet, in units.
const PASS_UNITS: u64 = 20;

fn channel(world: &World, person: &Person) -> Channel {
    let id = person.authorization.channel_id(person.address()).unwrap().0;
    let channels = admin::channels(world.node.store(), None, 100).unwrap();
    channels.into_iter().find(|it| it.id == id).unwrap()
}

fn settle(world: &mut World, id: [u8; 32], units: u64) -> Result<u64, SettleError> {
    let now = world.now;
    let settled = admin::settle_channel(world.node.store_mut(), &id, units, now);
    world.check();
    settled
}

#[test]
fn a_total_is_marked_once_and_never_beyond_what_was_charged() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    world.mail(&bobo, b"one");
    let before = channel(&world, &bobo);
    let most = u64::try_from(before.charged_pusd.get() / UNIT_PUSD).unwrap();
    // Registering cost him too, in commands of small packets: less than a unit each.
    assert!(most >= PASS_UNITS && before.settled_units == 0);

    assert_eq!(settle(&mut world, before.id, 5).unwrap(), 5);
    assert_eq!(settle(&mut world, before.id, 5).unwrap(), 0);
    assert_eq!(
        settle(&mut world, before.id, 3).unwrap(),
        0,
        "a lower one is old"
    );
    assert_eq!(settle(&mut world, before.id, most).unwrap(), most - 5);
    let too_much = settle(&mut world, before.id, most + 1);
    assert!(
        matches!(too_much, Err(SettleError::TooMuch { most: it, wanted }) if it == most && wanted == most + 1)
    );
    let unknown = settle(&mut world, [7; 32], 1);
    assert!(matches!(unknown, Err(SettleError::NoPaper)));

    let after = channel(&world, &bobo);
    assert_eq!(after.settled_units, most);
    assert_eq!(
        after.charged_pusd, before.charged_pusd,
        "what he was charged stays"
    );
    // It comes back from the disk, and more may be marked when more is charged.
    world.restart();
    world.mail(&bobo, b"two");
    assert_eq!(
        settle(&mut world, before.id, most + PASS_UNITS).unwrap(),
        PASS_UNITS
    );
}

#[test]
fn a_channel_that_was_left_and_taken_up_again_is_settled_as_far_as_it_was() {
    let mut world = World::new(NodeConfig::default());
    let mut bobo = world.client();
    world.mail(&bobo, b"one");
    let first = channel(&world, &bobo);
    settle(&mut world, first.id, 7).unwrap();
    let paper = bobo.authorization.clone();

    // Another channel, on which nothing is charged yet but the command that brought it.
    let other = world.authorization(&bobo.wallet, &bobo.cash, DOLLAR_UNITS);
    for paper in [other, paper] {
        let command = Command::Authorize(Box::new(paper.clone()));
        let answer = world.command(bobo.address(), command);
        assert!(matches!(answer, Answer::Authorized(_)), "{answer:?}");
        bobo.authorization = paper;
    }
    let again = channel(&world, &bobo);
    assert_eq!((again.id, again.settled_units), (first.id, 7));
    assert!(again.charged_pusd >= first.charged_pusd);
    world.mail(&bobo, &[2; LARGE as usize / 1_000]);
    assert_eq!(settle(&mut world, first.id, 27).unwrap(), 20);
}
