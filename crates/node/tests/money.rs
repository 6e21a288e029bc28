//! Every byte that passes is charged once, and nothing else is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use layer_minus_delivery::Mode;
use layer_minus_message::{Answer, Command, Reason};
use layer_minus_node::{Event, NodeConfig, admin};
use world::{DOLLAR_PUSD, DOLLAR_UNITS, LARGE, SMALL, World};

const PASS_SMALL: u64 = 20 * SMALL as u64;
const PASS_LARGE: u64 = 20 * LARGE as u64;

#[test]
fn the_whitepapers_day_of_storage_costs_336_000_picodollars() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    let before = world.standing(&bobo).charged_pusd;
    world.mail(&bobo, b"Hello Bobo");
    world.now += 24 * 3_600;
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    assert_eq!(stream.pushed.len(), 1);
    world.hand(&mut stream, 1);
    world.ack_through(&bobo, 1, 1);
    let after = world.standing(&bobo);
    // In, push, the listen command, this status command, and a day's storage.
    let expected = 2 * PASS_LARGE + 2 * PASS_SMALL + 336_000;
    assert_eq!(after.charged_pusd - before, expected);
    assert_eq!((after.reserved_pusd, after.waiting_packets), (0, 0));
}

#[test]
fn charged_is_20_per_byte_and_lanes_get_10_per_byte_of_what_posted() {
    let mut world = World::new(NodeConfig::default());
    let lane = Some(world.open_lane());
    let bobo = world.person();
    world.grant(&bobo, DOLLAR_PUSD);
    let register = world.registration(&bobo, None);
    let (id, effects) = world.command_on(bobo.address(), register, lane);
    let Answer::Challenge { sealed } = world::answer_to(&effects, id) else {
        panic!()
    };
    let challenge = world::open_challenge(&bobo, &sealed);
    assert_eq!(
        lane_credit(&world),
        0,
        "a registration earns nothing before it completes"
    );
    world.command_on(
        bobo.address(),
        Command::Confirm {
            challenge,
            listen: None,
        },
        lane,
    );
    assert_eq!(lane_credit(&world), 2 * 10 * u64::from(SMALL));

    let mut stream = world.listen_on(&bobo, 1, Mode::Each, lane);
    let (_, mut event) = world.mail_event(&bobo, b"one", LARGE);
    if let Event::Mail { request, .. } = &mut event {
        request.lane = lane;
    }
    let effects = world.run(vec![event]);
    stream.take(&effects);
    let before_push = lane_credit(&world);
    world.hand(&mut stream, 1);
    assert_eq!(lane_credit(&world) - before_push, 10 * u64::from(LARGE));
    world.ack_through(&bobo, 1, 1);

    let standing = world.standing(&bobo);
    let passed = 3 * u64::from(SMALL) + 2 * u64::from(LARGE);
    assert_eq!(
        standing.passed_bytes,
        passed + u64::from(SMALL),
        "the status command passes too"
    );
    assert_eq!(standing.charged_pusd, 20 * standing.passed_bytes);
    assert_eq!(
        lane_credit(&world),
        10 * passed,
        "the status command came without a lane"
    );
}

fn lane_credit(world: &World) -> u64 {
    let totals = admin::totals(world.node.store()).unwrap();
    assert!(totals.ledger_balanced);
    totals.lanes.iter().map(|lane| lane.credited_pusd).sum()
}

#[test]
fn a_push_that_was_not_handed_over_costs_nothing_and_a_second_one_costs_again() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    world.mail(&bobo, b"one");
    let stream = world.listen(&bobo, 1, Mode::Each);
    let before = world.standing(&bobo).charged_pusd;
    world.close(&stream);
    assert_eq!(world.standing(&bobo).charged_pusd - before, PASS_SMALL);

    let mut stream = world.listen(&bobo, 1, Mode::Each);
    world.hand(&mut stream, 1);
    world.close(&stream);
    // It was handed over but not acknowledged: it is pushed, and paid, again.
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    assert_eq!(stream.pushed.len(), 1);
    world.hand(&mut stream, 1);
    world.ack_through(&bobo, 1, 1);
    let after = world.standing(&bobo);
    assert_eq!(after.charged_pusd - before, 4 * PASS_SMALL + 2 * PASS_LARGE);
    assert_eq!(after.reserved_pusd, 0);
}

#[test]
fn two_devices_pay_two_pushes() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    let mut phone = world.listen(&bobo, 1, Mode::Each);
    let mut laptop = world.listen(&bobo, 2, Mode::Each);
    let before = world.standing(&bobo).charged_pusd;
    let (_, effects) = world.mail_effects(&bobo, b"one", LARGE);
    phone.take(&effects);
    laptop.take(&effects);
    assert_eq!((phone.pushed.len(), laptop.pushed.len()), (1, 1));
    world.hand(&mut phone, 1);
    world.hand(&mut laptop, 1);
    world.ack_through(&bobo, 1, 1);
    assert_eq!(
        world.standing(&bobo).waiting_packets,
        1,
        "the laptop has not acknowledged"
    );
    world.ack_through(&bobo, 2, 1);
    let after = world.standing(&bobo);
    assert_eq!(after.charged_pusd - before, 3 * PASS_LARGE + 2 * PASS_SMALL);
    assert_eq!((after.waiting_packets, after.reserved_pusd), (0, 0));
}

#[test]
fn mail_that_cannot_be_paid_is_refused_and_costs_nothing() {
    let mut world = World::new(NodeConfig::default());
    let mut bobo = world.person();
    // Enough to register and for one large packet's way in, but not for its push and storage.
    let units = (2 * PASS_SMALL + PASS_LARGE).div_ceil(1_000_000);
    bobo.authorization = world.authorization(&bobo.wallet, &bobo.cash, units);
    world.grant(&bobo, DOLLAR_PUSD);
    let command = world.registration(&bobo, None);
    let challenge = world.challenge(&bobo, command);
    world.command(
        bobo.address(),
        Command::Confirm {
            challenge,
            listen: None,
        },
    );
    assert_eq!(world.refused(&bobo, b"one"), Reason::RecipientCannotPay);
    let totals = admin::totals(world.node.store()).unwrap();
    assert_eq!(
        (totals.charged_pusd, totals.reserved_pusd),
        (2 * PASS_SMALL, 0)
    );

    // A higher limit helps at once.
    let raised = world.authorization(&bobo.wallet, &bobo.cash, DOLLAR_UNITS);
    let answer = world.command(bobo.address(), Command::Authorize(Box::new(raised)));
    assert!(matches!(answer, Answer::Authorized(_)), "{answer:?}");
    world.mail(&bobo, b"one");
}

#[test]
fn delivery_pauses_when_a_further_push_cannot_be_paid_and_goes_on_when_it_can() {
    let mut world = World::new(NodeConfig::default());
    let mut bobo = world.person();
    let units = (6 * PASS_SMALL + 2 * PASS_LARGE + 3_000_000).div_ceil(1_000_000);
    bobo.authorization = world.authorization(&bobo.wallet, &bobo.cash, units);
    world.grant(&bobo, DOLLAR_PUSD);
    let command = world.registration(&bobo, None);
    let challenge = world.challenge(&bobo, command);
    world.command(
        bobo.address(),
        Command::Confirm {
            challenge,
            listen: None,
        },
    );
    world.mail(&bobo, b"one");
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    world.hand(&mut stream, 1);
    world.close(&stream);
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    assert!(stream.pushed.is_empty());
    let paused = stream
        .control
        .iter()
        .any(|a| matches!(a, Answer::Paused(Reason::Exhausted { .. })));
    assert!(paused, "{stream:?}");
    let raised = world.authorization(&bobo.wallet, &bobo.cash, DOLLAR_UNITS);
    let (_, effects) = world.command_on(bobo.address(), Command::Authorize(Box::new(raised)), None);
    stream.take(&effects);
    assert_eq!(stream.pushed.len(), 1);
}

#[test]
fn what_expires_is_charged_for_its_storage_and_not_for_its_push() {
    let mut world = World::new(NodeConfig {
        retention_secs: 24 * 3_600,
        ..NodeConfig::default()
    });
    let bobo = world.client();
    let before = world.standing(&bobo).charged_pusd;
    world.mail(&bobo, b"one");
    world.tick(24 * 3_600 + 1);
    let after = world.standing(&bobo);
    assert_eq!(
        after.charged_pusd - before,
        PASS_LARGE + PASS_SMALL + 336_000
    );
    assert_eq!((after.reserved_pusd, after.waiting_packets), (0, 0));
    let stream = world.listen(&bobo, 1, Mode::Each);
    assert!(
        stream.control.contains(&Answer::Gap {
            from: 1,
            through: 1
        }),
        "{stream:?}"
    );
}

#[test]
fn leaving_settles_everything() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    world.mail(&bobo, b"one");
    assert_eq!(
        world.command(bobo.address(), Command::Unregister),
        Answer::Unregistered
    );
    let totals = admin::totals(world.node.store()).unwrap();
    assert_eq!(
        (totals.clients, totals.waiting_packets, totals.reserved_pusd),
        (0, 0, 0)
    );
    assert_eq!(totals.charged_pusd, 3 * PASS_SMALL + PASS_LARGE);
    // What was charged and what it was charged for go together.
    assert_eq!(totals.passed_bytes, 3 * u64::from(SMALL) + u64::from(LARGE));
    assert_eq!(world.refused(&bobo, b"two"), Reason::UnknownClient);
}
