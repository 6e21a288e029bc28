//! What a review found: each a way in which money leaked, mail was lost, or one party harmed others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use layer_minus_delivery::{ConsumerId, Mode};
use layer_minus_ledger::Amount;
use layer_minus_message::{Answer, Command, Listen, Paused, Prices, Reason};
use layer_minus_node::{
    Effect, Event, NodeConfig, Request, Store, Table, admin, config::SEEN_UNPAID_ROWS_MAX,
};
use world::{LARGE, SMALL, World};

const PASS_SMALL: u64 = 20 * SMALL as u64;
const PASS_LARGE: u64 = 20 * LARGE as u64;

/// Prices are promised to nobody.
fn world() -> World {
    World::new(NodeConfig {
        prices_fixed_secs: 0,
        ..NodeConfig::default()
    })
}

fn charged(world: &World) -> u64 {
    admin::totals(world.node.store()).unwrap().charged_pusd
}

/// The same node over the same store with other prices.
fn with_prices(world: &mut World, prices: Prices) {
    world.config.prices = prices;
    world.restart();
}

#[test]
fn a_reply_key_used_again_after_its_frame_expired_is_charged_again_and_harms_nobody() {
    let mut world = world();
    let bobo = world.client();
    let request = world.request(None, SMALL);
    let again = |world: &mut World, size_bytes: u32| {
        let mut marks = request.marks.clone();
        marks[0].expires_at = world.now + 1;
        let request = Request {
            marks,
            size_bytes,
            ..request.clone()
        };
        let command = world.verified(bobo.address(), Command::Status);
        let id = request.id;
        let effects = world.run(vec![Event::Command { request, command }]);
        world.tick(3);
        world::answer_to(&effects, id)
    };
    let before = charged(&world);
    for size in [SMALL, SMALL, LARGE] {
        assert!(matches!(again(&mut world, size), Answer::Status(_)));
    }
    assert_eq!(charged(&world) - before, 2 * PASS_SMALL + PASS_LARGE);
}

/// It waited for the writer until what was seen of it had been forgotten.
#[test]
fn a_frame_that_expired_before_it_was_handled_is_garbage() {
    let mut world = world();
    for (late, garbage) in [(600, false), (601, true)] {
        let request = world.request(None, SMALL);
        let id = request.id;
        world.now += late;
        let effects = world.run(vec![Event::See { request }]);
        let expected = match garbage {
            false => Effect::Fresh { request: id },
            true => Effect::Garbage { request: id },
        };
        assert_eq!(effects, [expected], "{late}");
    }
}

/// Whoever had used up the limit was told to raise it first.
#[test]
fn a_client_with_nothing_left_may_leave() {
    let mut world = world();
    let bobo = world.client();
    // A millionth of a dollar pays for three small passes, and for no mail.
    let least = world.authorization(&bobo.wallet, &bobo.cash, 1);
    let answer = world.command(bobo.address(), Command::Authorize(Box::new(least)));
    assert!(matches!(answer, Answer::Authorized(_)), "{answer:?}");
    assert_eq!(world.standing(&bobo).paused, Some(Paused::Exhausted));
    let mut before = 0;
    while before < charged(&world) {
        before = charged(&world);
        world.standing(&bobo);
    }
    assert_eq!(
        world.command(bobo.address(), Command::Unregister),
        Answer::Unregistered
    );
    assert_eq!(charged(&world), before);
}

#[test]
fn mail_is_settled_at_the_prices_at_which_it_was_accepted() {
    let mut world = world();
    let bobo = world.client();
    world.mail(&bobo, b"one");
    let before = charged(&world);
    with_prices(
        &mut world,
        Prices {
            storage_per_kb_hour: Amount::new(14_000),
            ..Prices::FREE
        },
    );
    world.now += 24 * 3_600;
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    world.hand(&mut stream, 1);
    world.ack_through(&bobo, 1, 1);
    assert_eq!(charged(&world) - before, PASS_LARGE + 336_000);
    assert_eq!(world.standing(&bobo).reserved_pusd, 0);
}

#[test]
fn a_first_push_that_fell_leaves_no_reservation_when_another_device_was_quicker() {
    let mut world = world();
    let bobo = world.client();
    let phone = world.listen(&bobo, 1, Mode::Each);
    let mut laptop = world.listen(&bobo, 2, Mode::Each);
    let (_, effects) = world.mail_effects(&bobo, b"one", LARGE);
    laptop.take(&effects);
    world.hand(&mut laptop, 1);
    world.close(&phone);
    let mut phone = world.listen(&bobo, 1, Mode::Each);
    world.hand(&mut phone, 1);
    world.ack_through(&bobo, 1, 1);
    world.ack_through(&bobo, 2, 1);
    assert_eq!(world.standing(&bobo).reserved_pusd, 0);
}

#[test]
fn what_is_acknowledged_before_its_last_byte_was_handed_over_is_paid() {
    let mut world = world();
    let bobo = world.client();
    let lane = Some(world.open_lane());
    let mut stream = world.listen_on(&bobo, 1, Mode::Each, lane);
    let (_, effects) = world.mail_effects(&bobo, b"one", LARGE);
    stream.take(&effects);
    let before = (charged(&world), credit(&world));
    world.ack_through(&bobo, 1, 1);
    assert_eq!(charged(&world) - before.0, PASS_LARGE);
    assert_eq!(credit(&world) - before.1, 10 * u64::from(LARGE));
    world.hand(&mut stream, 1);
    assert_eq!(charged(&world) - before.0, PASS_LARGE, "not twice");
    // The same, when the stream fell before the acknowledgement.
    let (_, effects) = world.mail_effects(&bobo, b"two", LARGE);
    stream.take(&effects);
    let before = charged(&world);
    world.close(&stream);
    world.ack_through(&bobo, 1, 2);
    assert_eq!(charged(&world) - before, PASS_LARGE);
    assert_eq!(world.standing(&bobo).reserved_pusd, 0);
}

fn credit(world: &World) -> u64 {
    let totals = admin::totals(world.node.store()).unwrap();
    totals.lanes.iter().map(|lane| lane.credited_pusd).sum()
}

#[test]
fn nothing_is_charged_after_the_authorizations_last_second() {
    let mut world = world();
    let bobo = world.client();
    let before = charged(&world);
    world.now += 91 * 24 * 3_600;
    let listen = Command::Listen(Listen {
        consumer: ConsumerId::new([1; 16]),
        mode: Mode::Each,
    });
    let statement = Command::Statement { after: 0 };
    for command in [statement, listen] {
        let answer = world.command(bobo.address(), command);
        assert_eq!(answer, Answer::Refused(Reason::AuthorizationExpired));
    }
    // Its state it is told all the same.
    assert_eq!(world.standing(&bobo).paused, Some(Paused::Expired));
    assert_eq!(
        world.command(bobo.address(), Command::Unregister),
        Answer::Unregistered
    );
    assert_eq!(charged(&world), before);
}

#[test]
fn a_pass_that_costs_its_client_less_than_the_lane_earns_credits_nobody() {
    let mut world = world();
    let lane = Some(world.open_lane());
    let bobo = world.client();
    with_prices(
        &mut world,
        Prices {
            in_per_byte: Amount::ZERO,
            out_per_byte: Amount::ZERO,
            ..Prices::default()
        },
    );
    world.now += 1;
    world.command_on(bobo.address(), Command::Status, lane);
    assert_eq!(credit(&world), 0);
}

#[test]
fn a_grant_comes_on_top_of_the_default_credit() {
    let config = NodeConfig {
        default_credit_pusd: 2_000_000,
        ..NodeConfig::default()
    };
    let mut world = World::new(config);
    let mut bobo = world.person();
    world.grant(&bobo, 1_000_000);
    bobo.authorization = world.authorization(&bobo.wallet, &bobo.cash, 3);
    let command = world.registration(&bobo, None);
    world.challenge(&bobo, command);
}

#[test]
fn a_receipt_of_an_earlier_registration_says_nothing_about_this_one() {
    let mut world = world();
    let bobo = world.client();
    let first = world.mail(&bobo, b"one");
    world.command(bobo.address(), Command::Unregister);
    world.now += 1;
    let command = world.registration(&bobo, None);
    let challenge = world.challenge(&bobo, command);
    world.command(
        bobo.address(),
        Command::Confirm {
            challenge,
            listen: None,
        },
    );
    assert_ne!(world.mail(&bobo, b"one"), first);
    assert_eq!(world.standing(&bobo).waiting_packets, 1);
}

#[test]
fn newer_mail_that_expires_first_does_not_make_a_stream_skip_older_mail() {
    let config = NodeConfig {
        slow_reader_secs: 600,
        ..NodeConfig::default()
    };
    let mut world = World::new(config);
    let bobo = world.client();
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    for text in ["one", "two"] {
        let (_, effects) = world.mail_effects(&bobo, text.as_bytes(), SMALL);
        stream.take(&effects);
    }
    // The operator shortens retention: what comes now expires before what waits.
    world.config.retention_secs = 60;
    world.restart();
    let (_, effects) = world.mail_effects(&bobo, b"three", SMALL);
    stream.take(&effects);
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    world.tick(61);
    for seq in [1, 2] {
        world.hand(&mut stream, seq);
    }
    let pushed: Vec<u64> = stream.pushed.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(pushed, [1, 2]);
}

#[test]
fn a_listener_that_cannot_have_its_consumer_is_not_charged() {
    let mut world = world();
    let bobo = world.client();
    let stream = world.listen(&bobo, 1, Mode::Each);
    world.close(&stream);
    let before = charged(&world);
    let listen = Command::Listen(Listen {
        consumer: ConsumerId::new([1; 16]),
        mode: Mode::Share,
    });
    let answer = world.command(bobo.address(), listen);
    assert!(
        matches!(answer, Answer::Refused(Reason::Malformed { .. })),
        "{answer:?}"
    );
    assert_eq!(charged(&world), before);
}

/// What nobody pays for filled the store, and was remembered for a day.
#[test]
fn frames_that_nobody_pays_for_are_remembered_up_to_a_limit() {
    let mut world = world();
    let bobo = world.client();
    let rows = |world: &World| {
        let bytes = Store::get(world.node.store(), Table::Meta, b"seen-unpaid").unwrap();
        serde_json::from_slice::<u64>(&bytes.unwrap_or(b"0".to_vec())).unwrap()
    };
    for expected in 1..=3 {
        let request = world.request(None, SMALL);
        world.run(vec![Event::See { request }]);
        assert_eq!(rows(&world), expected);
    }
    world.command(bobo.address(), Command::Status);
    assert_eq!(rows(&world), 3, "paid for");
    let full = SEEN_UNPAID_ROWS_MAX.to_string();
    let store = world.node.store_mut();
    store.begin().unwrap();
    let key = b"seen-unpaid";
    store.put(Table::Meta, key, full.as_bytes()).unwrap();
    store.commit().unwrap();
    let request = world.request(None, SMALL);
    let id = request.id;
    let effects = world.run(vec![Event::See { request }]);
    assert_eq!(
        world::answer_to(&effects, id),
        Answer::Refused(Reason::Unavailable)
    );
    let answer = world.command(bobo.address(), Command::Status);
    assert!(matches!(answer, Answer::Status(_)), "{answer:?}");
    // Those that expire make room.
    world.tick(601);
    assert_eq!(rows(&world), SEEN_UNPAID_ROWS_MAX - 3);
}

#[test]
fn a_node_has_one_live_lane_and_the_sweep_keeps_up() {
    let mut world = world();
    let wallet = layer_minus_wallet::Wallet::generate(&mut world.rng);
    for _ in 0..5 {
        world.open_lane_of(&wallet);
    }
    assert_eq!(world.node.lanes(world.now).unwrap().len(), 1);
    // The others are not waited for either.
    let due = Store::scan(world.node.store(), Table::Retention, &[], &[0xff; 40], 100);
    assert_eq!(due.unwrap().len(), 1);
    for _ in 0..1_000 {
        let request = world.request(None, SMALL);
        world.batch(vec![Event::See { request }]);
    }
    // Longer than the frames live, and the nonces of the commands before them.
    world.now += 1_300;
    world.run(vec![Event::Tick]);
    let seen =
        layer_minus_node::Store::scan(world.node.store(), Table::Seen, &[], &[0xff; 33], 2_000);
    assert_eq!(seen.unwrap(), []);
}

fn confirmed(world: &mut World, bobo: &world::Person, challenge: [u8; 32]) {
    let listen = None;
    let command = Command::Confirm { challenge, listen };
    let answer = world.command(bobo.address(), command);
    assert!(matches!(answer, Answer::Registered(_)), "{answer:?}");
}

/// Its push and its storage had been released with the first registration, and were never charged.
#[test]
fn the_same_mail_in_the_second_of_a_new_registration_is_charged_again() {
    // Registered long before, and in the same second.
    for secs in [100, 0] {
        let mut world = world();
        let bobo = world.client();
        world.now += secs;
        let command = world.registration(&bobo, None);
        let challenge = world.challenge(&bobo, command);
        let first = world.mail(&bobo, b"one");
        let again = world.mail(&bobo, b"one");
        assert_eq!(again, first, "the same mail again is the same mail");
        world.command(bobo.address(), Command::Unregister);
        confirmed(&mut world, &bobo, challenge);
        let before = world.standing(&bobo);
        assert_eq!(before.reserved_pusd, 0);

        assert_ne!(world.mail(&bobo, b"one"), first, "{secs}");
        let after = world.standing(&bobo);
        let way_in = after.charged_pusd - before.charged_pusd - PASS_SMALL;
        assert_eq!((way_in, after.waiting_packets), (PASS_LARGE, 1), "{secs}");
        assert!(after.reserved_pusd > PASS_LARGE, "push and storage");
        let mut stream = world.listen(&bobo, 1, Mode::Each);
        let before = charged(&world);
        world.hand(&mut stream, 1);
        assert_eq!(charged(&world) - before, PASS_LARGE);
    }
}

/// Nothing was paid for them, and each gave its lane's allowance back.
#[test]
fn an_acknowledgement_that_is_no_news_counts_as_what_strangers_send() {
    let mut world = world();
    let bobo = world.client();
    let lane = Some(world.open_lane());
    let mut stream = world.listen_on(&bobo, 1, Mode::Each, lane);
    let shared = world.listen_on(&bobo, 2, Mode::Share, lane);
    let (_, effects) = world.mail_effects(&bobo, b"one", LARGE);
    stream.take(&effects);
    world.hand(&mut stream, 1);
    world.run(vec![Event::Handed {
        connection: shared.id,
        seq: 1,
    }]);
    let commands = [
        (world.ack(1, None, &[]), 0),
        (world.ack(1, Some(1), &[]), 1),
        (world.ack(1, Some(1), &[]), 0),
        (world.ack(2, None, &[1]), 1),
        (world.ack(2, None, &[1]), 0),
    ];
    for (number, (command, news)) in commands.into_iter().enumerate() {
        let (id, effects) = world.command_on(bobo.address(), command, lane);
        assert_eq!(world::answer_to(&effects, id), Answer::Acknowledged);
        let paid = |effect: &&Effect| matches!(effect, Effect::Paid { .. });
        assert_eq!(effects.iter().filter(paid).count(), news, "{number}");
    }
}

/// Their charges had one id, so that the second was taken for done.
#[test]
fn both_passes_of_a_registration_are_charged_also_with_one_reply_key() {
    let mut world = world();
    let bobo = world.person();
    world.grant(&bobo, world::DOLLAR_PUSD);
    let lane = Some(world.open_lane());
    let mut request = world.request(lane, SMALL);
    let on_lane = |world: &mut World, request: &Request, command: Command| {
        let (id, request) = (request.id, request.clone());
        let command = world.verified(bobo.address(), command);
        let effects = world.run(vec![Event::Command { request, command }]);
        world::answer_to(&effects, id)
    };
    request.marks[0].expires_at = world.now;
    let command = world.registration(&bobo, None);
    let Answer::Challenge { sealed } = on_lane(&mut world, &request, command) else {
        panic!("no challenge")
    };
    // Its frame is forgotten by then.
    world.tick(2);
    request.marks[0].expires_at = world.now + 1;
    let challenge = world::open_challenge(&bobo, &sealed);
    let listen = None;
    let confirm = Command::Confirm { challenge, listen };
    let answer = on_lane(&mut world, &request, confirm);
    assert!(matches!(answer, Answer::Registered(_)), "{answer:?}");
    assert_eq!(charged(&world), 2 * PASS_SMALL);
    assert_eq!(credit(&world), PASS_SMALL);
}

/// Its number had been another packet's, which was on its way when its retention ended.
#[test]
fn a_packet_is_not_dropped_for_an_earlier_one_of_its_number() {
    let mut world = world();
    let bobo = world.client();
    let retention_secs = world.config.retention_secs;
    world.mail(&bobo, b"one");
    world.now += retention_secs - 10;
    let stream = world.listen(&bobo, 1, Mode::Each);
    assert_eq!(stream.pushed.len(), 1);
    world.tick(20);
    assert_eq!(world.standing(&bobo).waiting_packets, 1, "on its way");
    world.command(bobo.address(), Command::Unregister);
    let command = world.registration(&bobo, None);
    let challenge = world.challenge(&bobo, command);
    confirmed(&mut world, &bobo, challenge);
    world.mail(&bobo, b"two");
    world.tick(100);
    assert_eq!(world.standing(&bobo).waiting_packets, 1);
    world.tick(retention_secs);
    assert_eq!(world.standing(&bobo).waiting_packets, 0);
}
