//! `kill -9` at random moments under load, with a real recipient, a real relay, and clients that
//! send, listen and acknowledge. After every restart the driver compares what the node charged,
//! keeps and says with what the clients themselves saw.
//!
//! `CRASH_ROUNDS=200 CRASH_SEED=7 cargo test --release -p client --test crash -- --nocapture`
//!
//! Without variables it is 20 rounds of a seed that is printed. A seed fixes who is killed and when;
//! the rest is the machine's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout)] // progress, for whoever asked for 200 rounds

mod books;
mod log;
mod member;
#[path = "../world/mod.rs"]
mod world;

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{Rng as _, SeedableRng as _, rngs::OsRng, rngs::StdRng};

use books::Books;
use member::Member;
use world::{PATIENCE, World};

/// Rounds unless `CRASH_ROUNDS` says otherwise.
const ROUNDS: u64 = 20;
const MEMBERS: usize = 4;
/// Longest load before a kill.
const LOAD_MS_MAX: u64 = 900;

/// What the recipient owes the relay before it promises it, picodollars.
const PAY_AT_PUSD: u64 = 2_000_000;
/// The smallest promise, picodollars.
const UNIT_PUSD: u64 = 1_000_000;

/// Who is killed in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Recipient,
    Relay,
    Both,
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect(name))
}

#[test]
fn nothing_is_lost_or_charged_twice_whenever_a_node_is_killed() {
    let rounds = number("CRASH_ROUNDS").unwrap_or(ROUNDS);
    let seed = number("CRASH_SEED").unwrap_or_else(|| OsRng.r#gen());
    println!("seed {seed}, {rounds} rounds: CRASH_SEED={seed} CRASH_ROUNDS={rounds}");
    let mut rng = StdRng::seed_from_u64(seed);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut world = World::start_with(&[("pay_at_pusd", &PAY_AT_PUSD.to_string())]);
    // The relay asks for as little.
    world.a.kill_9();
    world.a.set("pay_at_pusd", &PAY_AT_PUSD.to_string());
    world.a.start();
    let members = runtime.block_on(Member::register_all(&world, MEMBERS));
    let loading = Arc::new(AtomicBool::new(false));
    for member in &members {
        runtime.spawn(Arc::clone(member).write_to(members.clone(), Arc::clone(&loading)));
        runtime.spawn(Arc::clone(member).listen());
    }
    let started = Instant::now();
    for round in 1..=rounds {
        let victim = match rng.gen_range(0..5) {
            0 => Victim::Relay,
            1 => Victim::Both,
            _ => Victim::Recipient,
        };
        // One who is away: what is for him waits over the crash.
        let away = rng.gen_range(0..2 * MEMBERS);
        let load = Duration::from_millis(rng.gen_range(20..LOAD_MS_MAX));
        for (index, member) in members.iter().enumerate() {
            member.go_online(index != away);
        }
        loading.store(true, Ordering::SeqCst);
        std::thread::sleep(load);
        kill(&mut world, victim);
        loading.store(false, Ordering::SeqCst);
        start(&mut world, victim);

        let mut text = settle_and_check(&world, &members, away);
        if round == rounds || round % 10 == 0 {
            // Those who were away come back and get the rest.
            members.iter().for_each(|member| member.go_online(true));
            text = settle_and_check(&world, &members, usize::MAX);
        }
        println!(
            "round {round}/{rounds} ({} s): {victim:?} killed after {} ms; {text}",
            started.elapsed().as_secs(),
            load.as_millis(),
        );
    }
    println!("{}", lanes_agree(&world));
    let letters: usize = members
        .iter()
        .map(|member| member.log().accepted.len())
        .sum();
    assert!(
        letters as u64 > rounds,
        "hardly any load: {letters} letters"
    );
}

fn kill(world: &mut World, victim: Victim) {
    if victim != Victim::Relay {
        world.b.kill_9();
    }
    if victim != Victim::Recipient {
        world.a.kill_9();
    }
}

fn start(world: &mut World, victim: Victim) {
    if victim != Victim::Relay {
        world.b.start();
    }
    if victim != Victim::Recipient {
        world.a.start();
    }
}

/// Waits until every letter has its acceptance and everybody who is online has acknowledged all;
/// then compares. Returns a line of figures.
fn settle_and_check(world: &World, members: &[Arc<Member>], away: usize) -> String {
    let until = Instant::now() + PATIENCE;
    let is_settled = |(index, member): (usize, &Arc<Member>)| {
        let log = member.log();
        member.is_idle() && (index == away || log.waiting() == 0)
    };
    while !members.iter().enumerate().all(is_settled) {
        let state: Vec<_> = members
            .iter()
            .map(|member| member.log().summary())
            .collect();
        assert!(Instant::now() < until, "not settled: {state:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let verified = world.b.ask(&["ledger", "verify"]);
    assert_eq!(verified[0]["damaged_rows"], 0, "{verified:?}");
    let status = world.b.ask(&["status"]);
    let books = Books::read(&world.b.store());
    books::compare(&books, &status[0], members);
    let log = |member: &Arc<Member>| member.log().accepted.len();
    format!(
        "{} letters, {} pushes, {} waiting",
        members.iter().map(log).sum::<usize>(),
        members
            .iter()
            .map(|member| member.log().pushes)
            .sum::<u64>(),
        members
            .iter()
            .map(|member| member.log().waiting())
            .sum::<usize>(),
    )
}

/// Both sides of the lane say the same, up to what is not promised yet. Returns a line of figures.
fn lanes_agree(world: &World) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let owed = book(&world.b, "owed", &world.a.address);
        let due = book(&world.a, "due", &world.b.address);
        let [credited, promised] =
            ["credited_pusd", "promised_pusd"].map(|name| number_of(&owed, name));
        let held = number_of(&due, "promised_pusd");
        assert!(held <= promised && promised <= credited, "{owed} {due}");
        for node in [&world.a, &world.b] {
            assert_eq!(node.ask(&["ledger", "verify"])[0]["ledger_balanced"], true);
        }
        if credited - held < PAY_AT_PUSD + UNIT_PUSD {
            return format!(
                "credited {credited} p$, promised {promised}, held by the relay {held}"
            );
        }
        assert!(Instant::now() < until, "not promised: {owed} {due}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn book(node: &world::Node, side: &str, other: &str) -> serde_json::Value {
    let books = node.ask(&["lanes", "list"]);
    let is_it = |book: &serde_json::Value| book["side"] == side && book["node"] == other;
    books.into_iter().find(is_it).expect("a book")
}

fn number_of(book: &serde_json::Value, name: &str) -> u64 {
    book[name].as_str().expect("a number").parse().expect(name)
}
