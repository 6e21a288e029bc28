//! Statements: a line for every charge, and sums that are exact whatever was dropped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use layer_minus_delivery::Mode;
use layer_minus_ledger::Sum;
use layer_minus_message::{Answer, ChargeKind as K, Command, Statement};
use layer_minus_node::{NodeConfig, Store as _, Table, admin};
use world::{LARGE, Person, SMALL, START, World};

const PASS_SMALL: u64 = 20 * SMALL as u64;
const PASS_LARGE: u64 = 20 * LARGE as u64;
const DAY_SECS: u64 = 24 * 3_600;

fn page(world: &mut World, person: &Person, after: u64) -> Statement {
    match world.command(person.address(), Command::Statement { after }) {
        Answer::Statement(page) => page,
        other => panic!("no statement but {other:?}"),
    }
}

fn rows(world: &World) -> usize {
    let store = world.node.store();
    store
        .scan(Table::Journal, &[], &[0xff; 25], usize::MAX)
        .unwrap()
        .len()
}

#[test]
fn every_charge_has_its_line_and_they_come_to_what_was_charged() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    world.mail(&bobo, b"one");
    world.now += DAY_SECS;
    let mut phone = world.listen(&bobo, 1, Mode::Each);
    let mut laptop = world.listen(&bobo, 2, Mode::Each);
    world.hand(&mut phone, 1);
    world.hand(&mut laptop, 1);
    world.ack_through(&bobo, 1, 1);
    world.ack_through(&bobo, 2, 1);
    let page = page(&mut world, &bobo, 0);
    let lines: Vec<_> = page
        .charges
        .iter()
        .map(|line| (line.kind, line.bytes, line.amount_pusd.get(), line.at))
        .collect();
    let later = START + DAY_SECS;
    assert_eq!(
        lines,
        [
            (K::Command, SMALL, PASS_SMALL, START),
            (K::Command, SMALL, PASS_SMALL, START),
            (K::MailIn, LARGE, PASS_LARGE, START),
            (K::Command, SMALL, PASS_SMALL, later),
            (K::Command, SMALL, PASS_SMALL, later),
            (K::Push, LARGE, PASS_LARGE, later),
            (K::PushAgain, LARGE, PASS_LARGE, later),
            (K::Storage, LARGE, 336_000, later),
            // The question itself.
            (K::Command, SMALL, PASS_SMALL, later),
        ]
    );
    let sum = 5 * PASS_SMALL + 3 * PASS_LARGE + 336_000;
    assert_eq!(page.check().unwrap(), (9, Sum::new(sum.into())));
    let standing = world.standing(&bobo);
    assert_eq!(standing.charged_pusd, sum + PASS_SMALL);
    // The operator reads the same, and so does nobody else.
    let own = admin::statement(world.node.store(), &bobo.address(), 0).unwrap();
    assert_eq!(own.charges[..9], page.charges[..]);
    let peter = world.client();
    assert_eq!(
        admin::statement(world.node.store(), &peter.address(), 0)
            .unwrap()
            .charges
            .len(),
        2
    );
}

#[test]
fn long_statements_come_in_pages_that_follow_each_other() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    for _ in 0..600 {
        world.standing(&bobo);
    }
    let mut after = 0;
    let mut sizes = Vec::new();
    let mut last = Sum::ZERO;
    loop {
        let page = page(&mut world, &bobo, after);
        assert_eq!((page.opening_seq, page.opening_pusd), (after, last));
        (after, last) = page.check().unwrap();
        sizes.push(page.charges.len());
        if !page.more {
            break;
        }
    }
    // Two passes of registering, 600 of status, and one for each page so far.
    assert_eq!(sizes, [256, 256, 602 + 3 - 512]);
    assert_eq!(last.get(), u128::from(605 * PASS_SMALL));
    // After the end there is only what the question costs.
    assert_eq!(page(&mut world, &bobo, after).charges.len(), 1);
    assert!(page(&mut world, &bobo, u64::MAX).check().is_ok());
}

#[test]
fn old_lines_go_and_the_sums_stay_exact() {
    let mut world = World::new(NodeConfig {
        statement_secs: 10 * DAY_SECS,
        ..NodeConfig::default()
    });
    let bobo = world.client();
    for _ in 0..5 {
        world.now += DAY_SECS;
        world.standing(&bobo);
    }
    assert_eq!(rows(&world), 1 + 7);
    world.tick(5 * DAY_SECS);
    assert_eq!(rows(&world), 1 + 7, "not before their time");
    // Registration's lines are over; the next look is a day later at the earliest.
    world.tick(1);
    assert_eq!(rows(&world), 1 + 5);
    for _ in 0..6 {
        world.tick(DAY_SECS);
    }
    assert_eq!(rows(&world), 1);
    let page = page(&mut world, &bobo, 0);
    assert_eq!((page.opening_seq, page.charges.len()), (7, 1));
    assert_eq!(page.opening_pusd, Sum::new((7 * PASS_SMALL).into()));
    page.check().unwrap();
    world.restart();
    world.check();
    // And again, after the table was empty.
    world.tick(12 * DAY_SECS);
    world.tick(DAY_SECS);
    assert_eq!(rows(&world), 1);
}

#[test]
fn there_are_never_more_lines_than_the_limit_says() {
    let mut world = World::new(NodeConfig {
        statement_lines_max: 3,
        ..NodeConfig::default()
    });
    let bobo = world.client();
    for lines in [3, 3, 3] {
        world.standing(&bobo);
        assert_eq!(rows(&world), 1 + lines);
    }
    let page = page(&mut world, &bobo, 0);
    assert_eq!((page.opening_seq, page.charges.len()), (3, 3));
    page.check().unwrap();
}

#[test]
fn leaving_and_coming_back_goes_on_in_the_same_statement() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    world.mail(&bobo, b"one");
    world.command(bobo.address(), Command::Unregister);
    world.check();
    let left = admin::statement(world.node.store(), &bobo.address(), 0).unwrap();
    assert_eq!(left.charges.len(), 4);
    let command = world.registration(&bobo, None);
    let challenge = world.challenge(&bobo, command);
    let listen = None;
    world.command(bobo.address(), Command::Confirm { challenge, listen });
    let page = page(&mut world, &bobo, 0);
    assert_eq!(page.charges.len(), 7);
    page.check().unwrap();
}

#[test]
fn the_statement_is_charged_and_a_stranger_gets_none() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    let before = world.standing(&bobo).charged_pusd;
    page(&mut world, &bobo, 0);
    assert_eq!(world.standing(&bobo).charged_pusd - before, 2 * PASS_SMALL);
    let peter = world.person();
    let answer = world.command(peter.address(), Command::Statement { after: 0 });
    assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
}

/// A line is time, kind, size, amount and balance: there is no room for a person or a message.
#[test]
fn nothing_in_a_statement_tells_who_wrote_or_what() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    world.mail(&bobo, b"a message that has a digest");
    let digest = layer_minus_message::letter::sha256(b"a message that has a digest");
    let store = world.node.store();
    let lines = store.scan(Table::Journal, &[], &[0xff; 25], 100).unwrap();
    assert_eq!(lines.len(), 4);
    for (key, value) in &lines {
        assert_eq!(key.len(), 24);
        let row = [&key[..], value].concat();
        for secret in [&digest[..8], &bobo.address()[..8], b"message"] {
            assert!(!row.windows(secret.len()).any(|window| window == secret));
        }
    }
}
