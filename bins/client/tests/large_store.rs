//! A recipient with many mailboxes, a message waiting in each, is started: how soon it is ready and
//! how much memory that takes.
//!
//! `LARGE_MAILBOXES=1000000 cargo test --release -p client --test large_store -- --nocapture`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout)] // the figures

#[path = "crash/log.rs"]
#[allow(dead_code)]
mod log;
#[path = "crash/member.rs"]
#[allow(dead_code)]
mod member;
mod world;

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use layer_minus_client_sdk::{Identity, Terms, Wallets};
use layer_minus_http::clock;
use layer_minus_message::{InboxToken, NodeRecord, Registration};
use layer_minus_node::{
    Effect, Event, Mark, Node, NodeConfig, NodeKeys, Request, RequestId, config::BATCH_EVENTS_MAX,
    sample,
};
use layer_minus_packet::{Fingerprint, Recipient, Sizes};
use layer_minus_seal::{Keyring, Version};
use layer_minus_store_sqlite::{Options, SqliteStore};
use layer_minus_wallet::{Address, Wallet};
use rand::{RngCore as _, SeedableRng as _, rngs::OsRng, rngs::StdRng};

use member::Member;
use world::World;

/// Mailboxes unless `LARGE_MAILBOXES` says otherwise.
const MAILBOXES: usize = 10_000;
/// Of a message that waits: what counts is how many there are.
const MESSAGE_BYTES: usize = 200;
const READY_WITHIN: Duration = Duration::from_secs(10);
const MEMORY_MAX_KB: u64 = 1_000_000;

/// The terms that all share.
fn registration(record: &NodeRecord, network: &str) -> (Registration, InboxToken) {
    let (rng, now) = (&mut OsRng, clock::now());
    let wallets = Wallets::generate(rng);
    let mut identity = Identity::generate(&wallets.wallet, network, Version::V6, now, rng).unwrap();
    let terms = Terms {
        limit_units: 1_000_000,
        ..Terms::default()
    };
    let made = identity.registration(&wallets, record, &terms, now, rng);
    (made.unwrap().1, identity.inbox)
}

/// Writes clients and their mail through the node's own code, in transactions of many.
fn fill(path: &std::path::Path, record: &NodeRecord, count: usize) {
    let mut rng = StdRng::seed_from_u64(1);
    let now = clock::now();
    let mut options = Options::default();
    options.cache_bytes = 512 << 20;
    let store = SqliteStore::open(path, options).unwrap();
    // Its acceptances are of nobody's wallet: nobody asked for them.
    let keys = NodeKeys {
        network: "layer-minus".to_owned(),
        wallet: Wallet::generate(&mut OsRng),
        cash: record.body.cash,
        keyring: Keyring::new(),
        sizes: Sizes::default(),
    };
    let mut node = Node::open(
        store,
        Arc::new(keys),
        NodeConfig::default(),
        now,
        &mut OsRng,
    )
    .unwrap();
    let (like, inbox) = registration(record, "layer-minus");
    let mut id = 0;
    let mut left = count;
    while left > 0 {
        let batch = left.min(BATCH_EVENTS_MAX);
        left -= batch;
        let mut one = || {
            let (mut address, mut key) = ([0; 20], [0; 32]);
            rng.fill_bytes(&mut address);
            rng.fill_bytes(&mut key);
            (Address::from(address), Fingerprint::V6(key))
        };
        let clients: Vec<_> = (0..batch).map(|_| one()).collect();
        sample::add_clients(&mut node, &like, &clients, now).unwrap();
        let mail = |(_, key): &(Address, Fingerprint)| {
            let (mut digest, mut message) = ([0; 32], vec![0; MESSAGE_BYTES]);
            rng.fill_bytes(&mut digest);
            rng.fill_bytes(&mut message);
            id += 1;
            let request = Request {
                id: RequestId(id),
                lane: None,
                marks: vec![Mark {
                    digest,
                    expires_at: now + 600,
                }],
                size_bytes: 16_000,
            };
            Event::Mail {
                request,
                recipient: Recipient::from(*key),
                inbox: Some(inbox),
                message: Bytes::from(message),
            }
        };
        let done = node.handle_batch(clients.iter().map(mail).collect(), now, &mut OsRng);
        assert_eq!(done.error, None);
        assert_eq!(done.effects.len(), batch);
        let refused = done.effects.iter().find(|effect| {
            !matches!(effect, Effect::Answer { answer, .. }
                if matches!(**answer, layer_minus_message::Answer::Accepted(_)))
        });
        assert_eq!(refused, None);
    }
}

fn is_healthy(admin: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(admin) else {
        return false;
    };
    write!(
        stream,
        "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.starts_with("HTTP/1.1 200")
}

/// A figure of the process, kB.
fn memory_kb(pid: u64, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn a_node_with_many_mailboxes_is_ready_soon_and_stays_small() {
    let count = env::var("LARGE_MAILBOXES").map_or(MAILBOXES, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut world = World::start_with(&[("admin", "\"127.0.0.1:0\"")]);
    let record = serde_json::from_value(world.b.record.clone()).unwrap();
    let record = NodeRecord::read(record, "layer-minus", clock::now()).unwrap();
    let member = Arc::new(runtime.block_on(Member::register(&world)));
    world.b.kill_9();
    let started = Instant::now();
    fill(&world.b.store(), &record, count);
    let size = fs::metadata(world.b.store()).unwrap().len();
    println!(
        "{count} mailboxes written in {} s, {} MB",
        started.elapsed().as_secs(),
        size / 1_000_000
    );

    let started = Instant::now();
    world.b.start();
    let (pid, admin) = (&world.b.started["pid"], &world.b.started["admin"]);
    let (pid, admin) = (pid.as_u64().unwrap(), admin.as_str().unwrap());
    assert!(is_healthy(admin));
    let healthy = started.elapsed();
    runtime.block_on(member.send(&member));
    let ready = started.elapsed();
    // The first ticks sweep.
    std::thread::sleep(Duration::from_secs(3));
    let memory = memory_kb(pid, "VmHWM");
    println!(
        "healthy after {} ms, a packet accepted after {} ms, {} MB of memory at most",
        healthy.as_millis(),
        ready.as_millis(),
        memory / 1_000
    );
    assert!(ready <= READY_WITHIN, "{ready:?}");
    assert!(memory <= MEMORY_MAX_KB, "{memory} kB");

    let started = Instant::now();
    let status = &world.b.ask(&["status"])[0];
    assert_eq!(status["waiting_packets"], count as u64 + 1, "{status}");
    assert_eq!(status["clients"], count as u64 + 1, "{status}");
    assert_eq!(status["ledger_balanced"], true, "{status}");
    println!("status took {} ms", started.elapsed().as_millis());
}
