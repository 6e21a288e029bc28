//! What is delivered can be cashed: deposits that go, channels that are left, and how many of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use layer_minus_delivery::Mode;
use layer_minus_message::{Answer, Authorization, Command, Paused, Prices, Reason};
use layer_minus_node::{Event, NodeConfig, admin, config::FORMER_CHANNELS_MAX};
use world::{DOLLAR_PUSD, DOLLAR_UNITS, LARGE, Person, SMALL, Stream, World};

const PASS_SMALL: u64 = 20 * SMALL as u64;
const PASS_LARGE: u64 = 20 * LARGE as u64;
const UNIT_PUSD: u64 = 1_000_000;
const DAY_SECS: u64 = 24 * 3_600;

fn world() -> World {
    World::new(NodeConfig::default())
}

fn channel(person: &Person) -> [u8; 32] {
    person.authorization.channel_id(person.address()).unwrap().0
}

fn register(world: &mut World, person: &Person) -> Answer {
    let command = world.registration(person, None);
    let challenge = match world.command(person.address(), command) {
        Answer::Challenge { sealed } => world::open_challenge(person, &sealed),
        other => return other,
    };
    let listen = None;
    world.command(person.address(), Command::Confirm { challenge, listen })
}

fn authorize(world: &mut World, person: &mut Person, paper: Authorization) -> Answer {
    let command = Command::Authorize(Box::new(paper.clone()));
    let answer = world.command(person.address(), command);
    if matches!(answer, Answer::Authorized(_)) {
        person.authorization = paper;
    }
    answer
}

/// A paper on a new channel.
fn another(world: &mut World, person: &Person, units: u64) -> Authorization {
    world.authorization(&person.wallet, &person.cash, units)
}

/// An escrow holds so much for a channel: the fake of a chain.
fn deposit(world: &mut World, channel: [u8; 32], units: u64) -> Vec<layer_minus_node::Effect> {
    let until = world.now + 90 * DAY_SECS;
    world.run(vec![Event::Backing {
        channel,
        units,
        until,
    }])
}

/// A client who pays out of a deposit alone.
fn depositor(world: &mut World) -> Person {
    let person = world.person();
    deposit(world, channel(&person), DOLLAR_UNITS);
    let answer = register(world, &person);
    assert!(matches!(answer, Answer::Registered(_)), "{answer:?}");
    person
}

fn paused(stream: &Stream) -> Vec<Paused> {
    let reasons = stream.control.iter().filter_map(|answer| match answer {
        Answer::Paused(reason) => reason.paused(),
        _ => None,
    });
    reasons.collect()
}

/// The next acknowledgement brought the next push, which nobody would ever pay for.
#[test]
fn what_is_reserved_waits_once_what_backed_it_was_withdrawn() {
    let mut world = world();
    let bobo = depositor(&mut world);
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    for message in [b"one", b"two", b"six"] {
        let (_, effects) = world.mail_effects(&bobo, message, LARGE);
        stream.take(&effects);
    }
    assert_eq!(stream.pushed.len(), 1, "one at a time");
    // All but what was charged is taken back: what the open stream pushes already is lost.
    let charged = world.standing(&bobo).charged_pusd;
    let units = charged.div_ceil(UNIT_PUSD);
    let effects = deposit(&mut world, channel(&bobo), units);
    stream.take(&effects);
    world.hand(&mut stream, 1);
    assert_eq!(stream.pushed.len(), 1);
    assert_eq!(paused(&stream), [Paused::Unbacked]);
    let effects = world.ack_through(&bobo, 1, 1);
    stream.take(&effects);
    stream.take(&world.tick(60));
    assert_eq!(stream.pushed.len(), 1, "nor later");
    assert_eq!(world.standing(&bobo).waiting_packets, 2);

    // There is enough for one more push.
    let charged = world.standing(&bobo).charged_pusd;
    let units = (charged + PASS_LARGE).div_ceil(UNIT_PUSD);
    let effects = deposit(&mut world, channel(&bobo), units);
    stream.take(&effects);
    assert_eq!(stream.pushed.len(), 2);
    world.hand(&mut stream, 2);
    assert_eq!(stream.pushed.len(), 2);
}

#[test]
fn of_two_streams_one_goes_on_when_there_is_enough_for_one_push() {
    let mut world = world();
    let bobo = depositor(&mut world);
    let mut streams = [1, 1].map(|consumer| world.listen(&bobo, consumer, Mode::Share));
    for message in [b"one", b"two", b"six", b"ten"] {
        let (_, effects) = world.mail_effects(&bobo, message, LARGE);
        streams.iter_mut().for_each(|stream| stream.take(&effects));
    }
    deposit(&mut world, channel(&bobo), 1);
    for stream in &mut streams {
        let seq = stream.pushed[0].0;
        world.hand(stream, seq);
    }
    let charged = world.standing(&bobo).charged_pusd;
    let units = (charged + PASS_LARGE).div_ceil(UNIT_PUSD);
    let effects = deposit(&mut world, channel(&bobo), units);
    streams.iter_mut().for_each(|stream| stream.take(&effects));
    let pushed: usize = streams.iter().map(|stream| stream.pushed.len()).sum();
    assert_eq!(pushed, 3);
}

/// Such paper can still be cashed for what was posted on it.
#[test]
fn what_is_reserved_goes_on_under_paper_that_was_taken_back_while_it_is_backed() {
    let mut world = world();
    let bobo = depositor(&mut world);
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    for message in [b"one", b"two"] {
        let (_, effects) = world.mail_effects(&bobo, message, LARGE);
        stream.take(&effects);
    }
    world.command(bobo.address(), Command::Revoke);
    world.hand(&mut stream, 1);
    assert_eq!(stream.pushed.len(), 2);
}

/// With an allowance that makes the pass free, nothing else asked whether the new paper is worth it.
#[test]
fn what_is_reserved_is_not_moved_to_a_channel_that_does_not_back_it() {
    let prices = Prices {
        free_bytes_per_day: 3 * u64::from(SMALL),
        ..Prices::default()
    };
    let mut world = World::new(NodeConfig {
        prices,
        ..NodeConfig::default()
    });
    let mut bobo = world.person();
    // The grant is used up on a first channel.
    let granted = 43 * UNIT_PUSD;
    world.grant(&bobo, granted);
    bobo.authorization = another(&mut world, &bobo, granted / UNIT_PUSD);
    register(&mut world, &bobo);
    world.mail(&bobo, b"one");
    world.now += 6 * DAY_SECS;
    world.ack_through_everything(&bobo);
    let left = granted - world.standing(&bobo).charged_pusd;
    assert!(left < 2 * UNIT_PUSD, "{left} p$");

    // A second one has a deposit, on which mail is reserved; a third one has none.
    let backed = another(&mut world, &bobo, 200);
    let id = backed.channel_id(bobo.address()).unwrap().0;
    deposit(&mut world, id, 200);
    world.now += DAY_SECS;
    let answer = authorize(&mut world, &mut bobo, backed);
    assert!(matches!(answer, Answer::Authorized(_)), "{answer:?}");
    world.mail(&bobo, b"two");
    let bare = another(&mut world, &bobo, granted / UNIT_PUSD);
    let answer = authorize(&mut world, &mut bobo, bare.clone());
    assert!(
        matches!(answer, Answer::Refused(Reason::NotBacked { .. })),
        "{answer:?}"
    );
    // When nothing is reserved any more there is nothing to move.
    world.ack_through_everything(&bobo);
    world.now += DAY_SECS;
    let answer = authorize(&mut world, &mut bobo, bare);
    assert!(matches!(answer, Answer::Authorized(_)), "{answer:?}");
}

fn channels(world: &World) -> Vec<admin::Channel> {
    admin::channels(world.node.store(), None, 1_000).unwrap()
}

/// Each was looked at on its chain for ever, and cost its client a pass.
#[test]
fn a_client_leaves_no_more_channels_uncashed_than_the_limit() {
    let mut world = world();
    let mut bobo = world.client();
    let first = bobo.authorization.clone();
    for number in 0..=FORMER_CHANNELS_MAX {
        // More than a unit on each.
        world.mail(&bobo, &[u8::try_from(number).unwrap()]);
        world.ack_through_everything(&bobo);
        let paper = another(&mut world, &bobo, DOLLAR_UNITS);
        let answer = authorize(&mut world, &mut bobo, paper);
        let over = Answer::Refused(Reason::OverLimit {
            limit: "channels_per_client_max".to_owned(),
        });
        assert_eq!(answer == over, number == FORMER_CHANNELS_MAX, "{number}");
    }
    let listed = channels(&world);
    assert_eq!(listed.len(), FORMER_CHANNELS_MAX + 1);
    let in_use: Vec<_> = listed.iter().filter(|one| one.in_use).collect();
    assert_eq!((in_use.len(), in_use[0].id), (1, channel(&bobo)));

    // Leaving and coming back is no way around; a channel that was left is.
    let current = bobo.authorization.clone();
    world.command(bobo.address(), Command::Unregister);
    bobo.authorization = another(&mut world, &bobo, DOLLAR_UNITS);
    let answer = register(&mut world, &bobo);
    assert!(
        matches!(answer, Answer::Refused(Reason::OverLimit { .. })),
        "{answer:?}"
    );
    bobo.authorization = current;
    let answer = register(&mut world, &bobo);
    assert!(matches!(answer, Answer::Registered(_)), "{answer:?}");
    let answer = authorize(&mut world, &mut bobo, first);
    assert!(matches!(answer, Answer::Authorized(_)), "{answer:?}");
    let paper = another(&mut world, &bobo, DOLLAR_UNITS);
    let answer = authorize(&mut world, &mut bobo, paper.clone());
    assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");

    // When one is cashed there is room for another.
    let cashed = channels(&world).into_iter().find(|one| !one.in_use);
    let cashed = cashed.unwrap();
    let units = u64::try_from(cashed.charged_pusd.get() / u128::from(UNIT_PUSD)).unwrap();
    let now = world.now;
    admin::settle_channel(world.node.store_mut(), &cashed.id, units, now).unwrap();
    let answer = authorize(&mut world, &mut bobo, paper);
    assert!(matches!(answer, Answer::Authorized(_)), "{answer:?}");
    world.command(bobo.address(), Command::Revoke);
    assert!(channels(&world).iter().all(|one| !one.in_use));
}

#[test]
fn a_channel_with_less_than_a_unit_is_forgotten_when_a_grant_pays_for_it() {
    let mut world = world();
    let mut bobo = world.client();
    let before = world.standing(&bobo);
    let left = before.limit_pusd - before.charged_pusd;
    for number in 1..=40 {
        let paper = another(&mut world, &bobo, DOLLAR_UNITS);
        let answer = authorize(&mut world, &mut bobo, paper);
        let Answer::Authorized(standing) = answer else {
            panic!("{answer:?}")
        };
        // The grant paid for each of them.
        let now = standing.limit_pusd - standing.charged_pusd;
        assert_eq!(now, left - number * PASS_SMALL);
    }
    // The first, on which registering was charged, and the one in use.
    assert!(channels(&world).len() <= 2);

    // Who has a deposit alone cannot use two in turns, each for a little.
    let mut peter = depositor(&mut world);
    let other = another(&mut world, &peter, DOLLAR_UNITS);
    let id = other.channel_id(peter.address()).unwrap().0;
    deposit(&mut world, id, DOLLAR_UNITS);
    let first = peter.authorization.clone();
    for paper in [other.clone(), first.clone(), other, first] {
        let answer = authorize(&mut world, &mut peter, paper);
        assert!(matches!(answer, Answer::Authorized(_)), "{answer:?}");
    }
    let listed = channels(&world).into_iter();
    let charged: u128 = listed
        .filter(|one| one.client == peter.address())
        .map(|one| one.charged_pusd.get())
        .sum();
    let all = world.standing(&peter).charged_pusd - PASS_SMALL;
    assert_eq!(charged, u128::from(all));
}

/// A stolen device key must not bring it back; whoever takes back one after another is stopped too.
#[test]
fn channels_that_were_taken_back_count_until_their_paper_expires() {
    let mut world = world();
    let mut bobo = world.client();
    let mut taken = 0;
    for _ in 0..30 {
        world.command(bobo.address(), Command::Revoke);
        let paper = another(&mut world, &bobo, DOLLAR_UNITS);
        let answer = authorize(&mut world, &mut bobo, paper);
        if !matches!(answer, Answer::Authorized(_)) {
            break;
        }
        taken += 1;
    }
    assert_eq!(taken, FORMER_CHANNELS_MAX);
    world.now += 91 * DAY_SECS;
    let paper = another(&mut world, &bobo, DOLLAR_UNITS);
    let answer = authorize(&mut world, &mut bobo, paper);
    assert!(matches!(answer, Answer::Authorized(_)), "{answer:?}");
    assert!(channels(&world).len() < 4);
}

/// Somebody who moved while nobody looked at the chain lost his grant for good.
#[test]
fn the_deposit_of_a_channel_that_was_left_counts_when_it_is_known_again() {
    let mut world = world();
    let mut bobo = world.client();
    let first = channel(&bobo);
    deposit(&mut world, first, DOLLAR_UNITS);
    world.mail(&bobo, b"one");
    world.ack_through_everything(&bobo);
    let on_first = world.standing(&bobo).charged_pusd;
    // Nobody looks any more.
    world.tick(91 * DAY_SECS);
    bobo.authorization = another(&mut world, &bobo, DOLLAR_UNITS);
    let paper = bobo.authorization.clone();
    let answer = authorize(&mut world, &mut bobo, paper);
    assert!(matches!(answer, Answer::Authorized(_)), "{answer:?}");
    let limit = |world: &mut World, bobo: &Person| world.standing(bobo).limit_pusd;
    // From what was charged on the first, what is left of the grant: a dollar less that again.
    assert_eq!(limit(&mut world, &bobo), DOLLAR_PUSD);

    deposit(&mut world, first, DOLLAR_UNITS);
    assert_eq!(limit(&mut world, &bobo), on_first + DOLLAR_PUSD);
    // That it is not known any more is no news.
    world.tick(91 * DAY_SECS);
    let paper = another(&mut world, &bobo, DOLLAR_UNITS);
    let answer = authorize(&mut world, &mut bobo, paper);
    assert!(matches!(answer, Answer::Authorized(_)), "{answer:?}");
    let before = limit(&mut world, &bobo);
    assert_eq!(before, on_first + DOLLAR_PUSD);
    // That it was withdrawn is: the grant pays for what was not claimed, and is not whole again.
    deposit(&mut world, first, 1);
    assert_eq!(limit(&mut world, &bobo), before - on_first + UNIT_PUSD);
}

/// Beside the running node, as the program that looks at the chain does it.
#[test]
fn an_operators_look_at_a_channel_that_was_left_counts_too() {
    let mut world = world();
    let mut bobo = world.client();
    let first = channel(&bobo);
    world.mail(&bobo, b"one");
    world.ack_through_everything(&bobo);
    let paper = another(&mut world, &bobo, DOLLAR_UNITS);
    let answer = authorize(&mut world, &mut bobo, paper);
    assert!(matches!(answer, Answer::Authorized(_)), "{answer:?}");
    let before = world.standing(&bobo).limit_pusd;
    let (now, until) = (world.now, world.now + DAY_SECS);
    for units in [5, 5, 3, 7] {
        admin::back(world.node.store_mut(), &first, units, until, now).unwrap();
        let limit = world.standing(&bobo).limit_pusd;
        assert_eq!(limit, before + units * UNIT_PUSD);
    }
}
