//! Prices: in and out, at least, for nothing, and fixed for a time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use layer_minus_delivery::Mode;
use layer_minus_ledger::Amount;
use layer_minus_message::{Answer, Command, Prices, Standing};
use layer_minus_node::{Event, NodeConfig, admin};
use world::{LARGE, Person, SMALL, World};

const DAY_SECS: u64 = 24 * 3_600;
const IN_SMALL: u64 = 20 * SMALL as u64;

fn world(prices: Prices) -> World {
    World::new(NodeConfig {
        prices,
        ..NodeConfig::default()
    })
}

/// The operator changes the prices and starts the node again.
fn change(world: &mut World, prices: Prices) {
    world.config.prices = prices;
    world.restart();
}

fn renew(world: &mut World, person: &Person) -> Standing {
    let command = world.registration(person, None);
    let challenge = world.challenge(person, command);
    let listen = None;
    match world.command(person.address(), Command::Confirm { challenge, listen }) {
        Answer::Registered(standing) => standing,
        other => panic!("not renewed but {other:?}"),
    }
}

fn charged_by(world: &mut World, person: &Person, what: impl FnOnce(&mut World)) -> u64 {
    let before = charged(world, person);
    what(world);
    charged(world, person) - before
}

fn charged(world: &World, person: &Person) -> u64 {
    let page = admin::statement(world.node.store(), &person.address(), 0).unwrap();
    u64::try_from(page.charged_pusd.get()).unwrap()
}

fn per_byte(way_in: u64, out: u64) -> Prices {
    Prices {
        in_per_byte: Amount::new(way_in),
        out_per_byte: Amount::new(out),
        ..Prices::default()
    }
}

#[test]
fn in_out_and_the_minimum_are_charged_each_for_itself() {
    let mut world = world(Prices {
        minimum_charge: Amount::new(400_000),
        ..per_byte(3, 30)
    });
    let bobo = world.client();
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    let size = u64::from(LARGE);
    let way_in = charged_by(&mut world, &bobo, |world| {
        let (_, effects) = world.mail_effects(&bobo, b"one", LARGE);
        stream.take(&effects);
    });
    assert_eq!(way_in, 3 * size);
    let push = charged_by(&mut world, &bobo, |world| drop(world.hand(&mut stream, 1)));
    assert_eq!(push, 30 * size);
    // 16 kB would come to 48,000.
    let status = charged_by(&mut world, &bobo, |world| {
        world.standing(&bobo);
    });
    assert_eq!(status, 400_000);
}

#[test]
fn prices_are_fixed_for_a_client_until_the_time_it_was_told() {
    let mut world = world(Prices::default());
    let bobo = world.client();
    let told = world.standing(&bobo);
    assert_eq!(told.prices, Prices::default());
    assert_eq!(told.prices_until, world.now + 30 * DAY_SECS);

    change(&mut world, per_byte(40, 40));
    let status = |world: &mut World| {
        charged_by(world, &bobo, |world| {
            world.standing(&bobo);
        })
    };
    assert_eq!(status(&mut world), IN_SMALL);
    assert_eq!(world.standing(&bobo).prices, Prices::default());
    world.now = told.prices_until;
    assert_eq!(status(&mut world), IN_SMALL, "the last second");
    world.now += 1;
    assert_eq!(status(&mut world), 2 * IN_SMALL);
    let after = world.standing(&bobo);
    assert_eq!(after.prices, per_byte(40, 40));
    assert_eq!(after.prices_until, told.prices_until, "over");

    // Who comes now is told other terms.
    let peter = world.client();
    assert_eq!(world.standing(&peter).prices, per_byte(40, 40));
}

#[test]
fn renewing_never_makes_dearer_what_is_promised_still() {
    let mut world = world(Prices::default());
    let bobo = world.client();
    let first = world.standing(&bobo).prices_until;
    world.now += DAY_SECS;
    assert_eq!(renew(&mut world, &bobo).prices_until, first + DAY_SECS);

    let mixed = per_byte(19, 21);
    for dearer in [per_byte(40, 40), mixed] {
        change(&mut world, dearer);
        world.now += DAY_SECS;
        let kept = renew(&mut world, &bobo);
        assert_eq!(kept.prices, Prices::default());
        assert_eq!(
            kept.prices_until,
            first + DAY_SECS,
            "the promise has its end"
        );
    }
    change(&mut world, per_byte(10, 20));
    let cheaper = renew(&mut world, &bobo);
    assert_eq!(cheaper.prices, per_byte(10, 20));
    assert_eq!(cheaper.prices_until, world.now + 30 * DAY_SECS);

    change(&mut world, mixed);
    world.now = cheaper.prices_until + 1;
    assert_eq!(renew(&mut world, &bobo).prices, mixed);
}

#[test]
fn what_is_free_is_not_charged_and_earns_nobody_anything() {
    let free = 3 * u64::from(LARGE);
    let mut world = world(Prices {
        free_bytes_per_day: free,
        ..Prices::default()
    });
    let lane = Some(world.open_lane());
    let bobo = world.client();
    assert_eq!(charged(&world, &bobo), 0, "registering is two passes");
    let mut left = free - 2 * u64::from(SMALL);
    let mut stream = world.listen_on(&bobo, 1, Mode::Each, lane);
    left -= u64::from(SMALL);
    // In and out.
    let (_, mut event) = world.mail_event(&bobo, b"one", LARGE);
    if let Event::Mail { request, .. } = &mut event {
        request.lane = lane;
    }
    let effects = world.run(vec![event]);
    stream.take(&effects);
    world.hand(&mut stream, 1);
    world.ack_through(&bobo, 1, 1);
    left -= 2 * u64::from(LARGE);
    assert_eq!(charged(&world, &bobo), 0);

    // A pass that does not fit is charged in full, and leaves what is left to smaller ones.
    world.mail(&bobo, b"two");
    let standing = world.standing(&bobo);
    left -= u64::from(SMALL);
    assert_eq!(standing.charged_pusd, 20 * u64::from(LARGE));
    assert_eq!(standing.free_bytes_left, left);
    let totals = admin::totals(world.node.store()).unwrap();
    assert_eq!(totals.lanes[0].credited_pusd, 0);
    assert_eq!(
        standing.passed_bytes,
        5 * u64::from(SMALL) - u64::from(SMALL) + 3 * u64::from(LARGE)
    );

    // Leaving and coming back on the same day brings no new allowance; midnight does.
    world.command(bobo.address(), Command::Unregister);
    left -= u64::from(SMALL);
    let back = renew(&mut world, &bobo);
    assert_eq!(back.free_bytes_left, left - 2 * u64::from(SMALL));
    world.now = (world.now / DAY_SECS + 1) * DAY_SECS;
    assert_eq!(
        world.standing(&bobo).free_bytes_left,
        free - u64::from(SMALL)
    );
}

#[test]
fn a_push_that_was_free_is_not_charged_however_it_ends() {
    let mut world = world(Prices {
        free_bytes_per_day: 10 * u64::from(LARGE),
        ..Prices::default()
    });
    let bobo = world.client();
    world.mail(&bobo, b"one");
    // The stream falls after the packet came through.
    let stream = world.listen(&bobo, 1, Mode::Each);
    assert_eq!(stream.pushed.len(), 1);
    world.close(&stream);
    world.ack_through(&bobo, 1, 1);
    world.mail(&bobo, b"two");
    // Two devices: the second push is a pass of its own, and free as well.
    let (mut phone, mut laptop) = (
        world.listen(&bobo, 1, Mode::Each),
        world.listen(&bobo, 2, Mode::Each),
    );
    world.hand(&mut laptop, 2);
    world.hand(&mut phone, 2);
    world.ack_through(&bobo, 1, 2);
    world.ack_through(&bobo, 2, 2);
    let standing = world.standing(&bobo);
    assert_eq!((standing.charged_pusd, standing.reserved_pusd), (0, 0));
    assert_eq!(standing.waiting_packets, 0);
}

#[test]
fn a_forwarder_earns_what_is_announced_and_never_more_than_was_paid() {
    let mut world = world(Prices::default());
    let lane = Some(world.open_lane());
    let bobo = world.client();
    let status = |world: &mut World| {
        let credited =
            |world: &World| admin::totals(world.node.store()).unwrap().lanes[0].credited_pusd;
        let before = credited(world);
        world.command_on(bobo.address(), Command::Status, lane);
        credited(world) - before
    };
    assert_eq!(status(&mut world), 10 * u64::from(SMALL));
    for (relay, earned) in [(15, 15), (50, 20)] {
        change(
            &mut world,
            Prices {
                relay_per_byte: Amount::new(relay),
                ..Prices::default()
            },
        );
        assert_eq!(status(&mut world), earned * u64::from(SMALL));
    }
}
