//! The life of an authorization, and what stands behind it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use layer_minus_delivery::Mode;
use layer_minus_message::{Answer, Authorization, Command, Paused, Reason};
use layer_minus_node::{Event, NodeConfig, Store as _, Table, admin};
use world::{DOLLAR_PUSD, DOLLAR_UNITS, LARGE, Person, SMALL, Stream, World};

const PASS_SMALL: u64 = 20 * SMALL as u64;
const PASS_LARGE: u64 = 20 * LARGE as u64;
const HOUR_SECS: u64 = 3_600;

fn world() -> World {
    World::new(NodeConfig::default())
}

fn channel(person: &Person) -> [u8; 32] {
    person.authorization.channel_id(person.address()).unwrap().0
}

/// A limit on the channel that the person has.
fn resigned(person: &Person, units: u64) -> Authorization {
    let mut paper = person.authorization.clone();
    paper.resign(&person.cash, person.address(), units).unwrap();
    paper
}

fn authorize(world: &mut World, person: &mut Person, paper: Authorization) -> Answer {
    let answer = world.command(
        person.address(),
        Command::Authorize(Box::new(paper.clone())),
    );
    if matches!(answer, Answer::Authorized(_)) {
        person.authorization = paper;
    }
    answer
}

fn authorized(world: &mut World, person: &mut Person, paper: Authorization) {
    let answer = authorize(world, person, paper);
    assert!(matches!(answer, Answer::Authorized(_)), "{answer:?}");
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

/// An escrow holds so much for the person's channel: the fake of a chain.
fn deposit(world: &mut World, person: &Person, units: u64, secs: u64) {
    let until = world.now + secs;
    let channel = channel(person);
    world.run(vec![Event::Backing {
        channel,
        units,
        until,
    }]);
}

fn paused(stream: &Stream) -> Vec<Paused> {
    let reasons = stream.control.iter().filter_map(|answer| match answer {
        Answer::Paused(reason) => reason.paused(),
        _ => None,
    });
    reasons.collect()
}

fn state(world: &mut World, person: &Person) -> Option<Paused> {
    world.standing(person).paused
}

#[test]
fn a_limit_is_lowered_to_what_is_used_and_no_further_and_raised_again() {
    let mut world = world();
    let mut bobo = world.client();
    world.mail(&bobo, b"one");
    let standing = world.standing(&bobo);
    let used = standing.charged_pusd + standing.reserved_pusd;
    let paper = resigned(&bobo, 1);
    assert_eq!(
        authorize(&mut world, &mut bobo, paper),
        Answer::Refused(Reason::AuthorizationTooSmall { minimum_pusd: used })
    );
    let units = (used + PASS_SMALL).div_ceil(1_000_000);
    let paper = resigned(&bobo, units);
    authorized(&mut world, &mut bobo, paper);
    assert_eq!(state(&mut world, &bobo), Some(Paused::Exhausted));
    assert_eq!(world.refused(&bobo, b"two"), Reason::RecipientCannotPay);
    let paper = resigned(&bobo, DOLLAR_UNITS);
    authorized(&mut world, &mut bobo, paper);
    assert_eq!(state(&mut world, &bobo), None);
    world.mail(&bobo, b"two");
}

#[test]
fn an_exhausted_account_says_so_on_both_sides_and_drops_nothing() {
    let mut world = world();
    let mut bobo = world.person();
    // Registering, one letter to the end, listening twice.
    let units = (4 * PASS_SMALL + 2 * PASS_LARGE + 4_000_000).div_ceil(1_000_000);
    bobo.authorization = world.authorization(&bobo.wallet, &bobo.cash, units);
    world.grant(&bobo, DOLLAR_PUSD);
    register(&mut world, &bobo);
    world.mail(&bobo, b"one");
    assert_eq!(world.refused(&bobo, b"two"), Reason::RecipientCannotPay);
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    assert_eq!(stream.pushed.len(), 1, "it was reserved");
    world.hand(&mut stream, 1);
    world.close(&stream);
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    assert_eq!(paused(&stream), [Paused::Exhausted]);
    // The standing says it too, also when nothing is left to pay the question with.
    let standing = world.standing(&bobo);
    assert_eq!(
        (standing.paused, standing.waiting_packets),
        (Some(Paused::Exhausted), 1)
    );
    for _ in 0..20 {
        world.standing(&bobo);
    }
    assert!(world.standing(&bobo).left_pusd() < PASS_SMALL);
    let paper = resigned(&bobo, DOLLAR_UNITS);
    let command = Command::Authorize(Box::new(paper));
    let (_, effects) = world.command_on(bobo.address(), command, None);
    stream.take(&effects);
    assert_eq!(stream.pushed.len(), 1, "it goes on");
    assert_eq!(state(&mut world, &bobo), None);
}

#[test]
fn an_expired_authorization_pauses_until_a_new_one_comes() {
    let mut world = world();
    let mut bobo = world.client();
    world.mail(&bobo, b"one");
    let stream = world.listen(&bobo, 1, Mode::Each);
    world.now = bobo.authorization.expires_at + 1;
    // Retention is over by then, not the account.
    assert_eq!(world.refused(&bobo, b"two"), Reason::RecipientCannotPay);
    let charged = world.standing(&bobo).charged_pusd;
    let standing = world.standing(&bobo);
    assert_eq!(standing.paused, Some(Paused::Expired));
    assert_eq!(
        standing.charged_pusd, charged,
        "nothing is charged any more"
    );
    world.close(&stream);
    let paper = world.authorization(&bobo.wallet, &bobo.cash, DOLLAR_UNITS);
    authorized(&mut world, &mut bobo, paper);
    assert_eq!(state(&mut world, &bobo), None);
    world.mail(&bobo, b"two");
}

#[test]
fn what_was_taken_back_is_charged_to_its_reservations_and_no_further() {
    let mut world = world();
    let mut bobo = world.client();
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    for message in [b"one", b"two"] {
        let (_, effects) = world.mail_effects(&bobo, message, LARGE);
        stream.take(&effects);
    }
    let before = world.standing(&bobo);
    let (id, effects) = world.command_on(bobo.address(), Command::Revoke, None);
    let Answer::Revoked(standing) = world::answer_to(&effects, id) else {
        panic!("{effects:?}")
    };
    stream.take(&effects);
    assert_eq!(paused(&stream), [Paused::Revoked]);
    assert_eq!(standing.paused, Some(Paused::Revoked));
    // Saying so is a command, and charged.
    assert_eq!(standing.charged_pusd, before.charged_pusd + PASS_SMALL);
    assert_eq!(world.refused(&bobo, b"three"), Reason::RecipientCannotPay);
    assert_eq!(
        world.command(bobo.address(), Command::Statement { after: 0 }),
        Answer::Refused(Reason::Revoked)
    );
    // What was reserved is delivered and charged; a further push is not.
    world.hand(&mut stream, 1);
    assert_eq!(stream.pushed.len(), 2);
    world.hand(&mut stream, 2);
    world.ack_through(&bobo, 1, 1);
    world.close(&stream);
    let after = world.standing(&bobo);
    let spent = after.charged_pusd - standing.charged_pusd;
    assert_eq!(spent, 2 * PASS_LARGE, "storage of no time costs nothing");
    assert_eq!((after.waiting_packets, after.limit_pusd), (1, 0));
    // Said twice, it is still so, and free.
    let again = world.command(bobo.address(), Command::Revoke);
    let Answer::Revoked(again) = again else {
        panic!("{again:?}")
    };
    assert_eq!(again.charged_pusd, after.charged_pusd);

    // Its channel takes no other paper, also not by leaving and coming back; a new one does.
    let paper = resigned(&bobo, 2 * DOLLAR_UNITS);
    world.grant(&bobo, DOLLAR_PUSD);
    assert_eq!(
        authorize(&mut world, &mut bobo, paper),
        Answer::Refused(Reason::Revoked)
    );
    let paper = world.authorization(&bobo.wallet, &bobo.cash, DOLLAR_UNITS);
    let old = std::mem::replace(&mut bobo.authorization, paper.clone());
    authorized(&mut world, &mut bobo, paper);
    let stream = world.listen(&bobo, 1, Mode::Each);
    assert_eq!(stream.pushed.len(), 1, "it waited");
    world.command(bobo.address(), Command::Unregister);
    bobo.authorization = old;
    assert_eq!(
        register(&mut world, &bobo),
        Answer::Refused(Reason::Revoked)
    );
}

#[test]
fn a_grant_that_comes_later_wakes_a_stream_that_waits() {
    let mut world = world();
    let mut bobo = world.person();
    let units = 50;
    bobo.authorization = world.authorization(&bobo.wallet, &bobo.cash, units);
    world.grant(&bobo, 50_000_000);
    register(&mut world, &bobo);
    world.mail(&bobo, b"one");
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    world.hand(&mut stream, 1);
    world.close(&stream);
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    assert_eq!(paused(&stream), [Paused::Exhausted]);
    // The larger paper is there first, the grant follows.
    world.grant(&bobo, 50_000_000);
    let paper = resigned(&bobo, 100);
    let command = Command::Authorize(Box::new(paper));
    let (_, effects) = world.command_on(bobo.address(), command, None);
    stream.take(&effects);
    assert_eq!(stream.pushed.len(), 1);
}

#[test]
fn a_deposit_backs_its_channel_as_long_as_somebody_vouches_for_it() {
    let mut world = world();
    let mut bobo = world.person();
    assert_eq!(
        register(&mut world, &bobo),
        Answer::Refused(Reason::NotBacked { granted_pusd: 0 })
    );
    deposit(&mut world, &bobo, DOLLAR_UNITS, HOUR_SECS);
    assert!(matches!(register(&mut world, &bobo), Answer::Registered(_)));
    world.mail(&bobo, b"one");
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    world.hand(&mut stream, 1);
    world.close(&stream);

    // Nobody looked at the chain since: what is reserved stays, nothing new is.
    world.tick(HOUR_SECS + 1);
    let store = world.node.store();
    let rows = store.scan(Table::Backings, &[], &[0xff; 33], 10).unwrap();
    assert!(rows.is_empty());
    let standing = world.standing(&bobo);
    assert_eq!(standing.paused, Some(Paused::Unbacked));
    assert_eq!(standing.limit_pusd, 0);
    assert_eq!(world.refused(&bobo, b"two"), Reason::RecipientCannotPay);
    let listen = layer_minus_message::Listen {
        consumer: layer_minus_delivery::ConsumerId::new([1; 16]),
        mode: Mode::Each,
    };
    assert_eq!(
        world.command(bobo.address(), Command::Listen(listen)),
        Answer::Refused(Reason::NotBacked { granted_pusd: 0 })
    );

    // It is looked at again, and a stream that waits goes on.
    deposit(&mut world, &bobo, DOLLAR_UNITS, HOUR_SECS);
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    world.hand(&mut stream, 1);
    world.close(&stream);
    let paid = world.standing(&bobo);
    let units = (paid.charged_pusd + paid.reserved_pusd + PASS_SMALL).div_ceil(1_000_000);
    deposit(&mut world, &bobo, units, HOUR_SECS);
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    assert_eq!(paused(&stream), [Paused::Unbacked]);
    let (channel, until) = (channel(&bobo), world.now + HOUR_SECS);
    let effects = world.run(vec![Event::Backing {
        channel,
        units: DOLLAR_UNITS,
        until,
    }]);
    stream.take(&effects);
    assert_eq!(stream.pushed.len(), 1);

    // It is one channel's: another paper of the same client is not backed by it.
    let paper = world.authorization(&bobo.wallet, &bobo.cash, DOLLAR_UNITS);
    assert_eq!(
        authorize(&mut world, &mut bobo, paper),
        Answer::Refused(Reason::NotBacked { granted_pusd: 0 })
    );
}

#[test]
fn a_backing_that_falls_below_what_is_used_only_stops_what_is_new() {
    let mut world = world();
    let bobo = world.person();
    deposit(&mut world, &bobo, DOLLAR_UNITS, 40 * 24 * HOUR_SECS);
    register(&mut world, &bobo);
    for message in [b"one", b"two"] {
        world.mail(&bobo, message);
    }
    deposit(&mut world, &bobo, 1, 40 * 24 * HOUR_SECS);
    let before = world.standing(&bobo);
    assert_eq!(before.paused, Some(Paused::Unbacked));
    // What expires is charged out of its reservations, and what that frees is not spent again.
    world.tick(7 * 24 * HOUR_SECS + 1);
    let after = world.standing(&bobo);
    assert!(after.charged_pusd > before.charged_pusd && after.reserved_pusd == 0);
    assert!(after.charged_pusd + after.reserved_pusd < before.charged_pusd + before.reserved_pusd);
    assert_eq!(world.refused(&bobo, b"three"), Reason::RecipientCannotPay);
    assert_eq!(world.standing(&bobo).charged_pusd, after.charged_pusd);
}

#[test]
fn one_grant_is_not_counted_for_two_channels() {
    let mut world = world();
    let mut bobo = world.client();
    let spend = |world: &mut World, bobo: &Person, letters: u8| {
        for letter in 0..letters {
            world.mail(bobo, &[letter, world.now as u8]);
            world.now += 1;
            world.ack_through_everything(bobo);
        }
    };
    spend(&mut world, &bobo, 3);
    let on_first = world.standing(&bobo).charged_pusd;
    let paper = world.authorization(&bobo.wallet, &bobo.cash, DOLLAR_UNITS);
    let first = channel(&bobo);
    authorized(&mut world, &mut bobo, paper);
    let standing = world.standing(&bobo);
    assert_eq!(
        standing.limit_pusd, DOLLAR_PUSD,
        "what the first took is gone"
    );
    spend(&mut world, &bobo, 2);
    let total = world.standing(&bobo).charged_pusd;
    let charged = |world: &World, id: [u8; 32]| {
        let channels = admin::channels(world.node.store(), None, 10).unwrap();
        let one = channels
            .into_iter()
            .find(|channel| channel.id == id)
            .unwrap();
        u64::try_from(one.charged_pusd.get()).unwrap()
    };
    assert_eq!(charged(&world, first), on_first);
    assert_eq!(charged(&world, channel(&bobo)), total - on_first);
    assert_eq!(world.standing(&bobo).limit_pusd, DOLLAR_PUSD);
}

#[test]
fn a_deposit_pays_for_its_own_channel_before_the_grant_does() {
    let mut world = world();
    let mut bobo = world.person();
    world.grant(&bobo, DOLLAR_PUSD);
    deposit(&mut world, &bobo, 1_000, 90 * 24 * HOUR_SECS);
    register(&mut world, &bobo);
    world.mail(&bobo, b"one");
    world.ack_through_everything(&bobo);
    let covered = world.standing(&bobo).charged_pusd;
    assert!(covered < 1_000_000_000);
    let first = bobo.authorization.clone();
    let paper = world.authorization(&bobo.wallet, &bobo.cash, DOLLAR_UNITS);
    authorized(&mut world, &mut bobo, paper);
    // Nothing of the grant is used: the first channel's escrow holds what was charged on it.
    assert_eq!(world.standing(&bobo).limit_pusd, covered + DOLLAR_PUSD);
    // The first channel again: what was charged on it counts on it.
    authorized(&mut world, &mut bobo, first);
    let standing = world.standing(&bobo);
    let on_second = 2 * PASS_SMALL;
    assert_eq!(
        standing.limit_pusd,
        // 1,000 units and the grant but for the second channel's part, at most the dollar signed.
        on_second + DOLLAR_PUSD.min(1_000_000_000 + DOLLAR_PUSD - on_second)
    );
}

#[test]
fn a_channel_is_bound_to_one_client() {
    let mut world = world();
    let bobo = world.client();
    let mut peter = world.person();
    world.grant(&peter, DOLLAR_PUSD);
    // Bobo's paper does not open for Peter: the channel's id commits to the client.
    let own = std::mem::replace(&mut peter.authorization, bobo.authorization.clone());
    let answer = register(&mut world, &peter);
    assert!(
        matches!(answer, Answer::Refused(Reason::BadAuthorization { .. })),
        "{answer:?}"
    );
    // And if two commitments ever met, the second client would be refused.
    peter.authorization = own;
    let id = channel(&peter);
    let store = world.node.store_mut();
    let of_bobo = store
        .get(Table::Channels, &channel(&bobo))
        .unwrap()
        .unwrap();
    store.begin().unwrap();
    store.put(Table::Channels, &id, &of_bobo).unwrap();
    store.commit().unwrap();
    let answer = register(&mut world, &peter);
    let Answer::Refused(Reason::BadAuthorization { detail }) = answer else {
        panic!("{answer:?}")
    };
    assert!(detail.contains("another client"), "{detail}");
}
