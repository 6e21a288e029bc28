//! A recipient is backed up while it works, goes on, is restored, and goes on again.

#![allow(clippy::print_stdout)] // which case it was
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use std::fs;

use bytes::Bytes;
use layer_minus_client_sdk::{
    Identity, Network, Plan, Route, SealedMail, Wallets, answer::expect_acceptance, content,
};
use layer_minus_http::{HttpClient, HttpError, HttpOptions, Reply, clock};
use layer_minus_message::{Card, FullCard, NodeRecord};
use layer_minus_packet::Sizes;
use layer_minus_seal::Version;
use rand::rngs::OsRng;
use serde_json::Value;
use world::{Node, Person, World, shown, texts};

const NETWORK: &str = "layer-minus";

/// Somebody who writes with the library, and keeps what went over the wire.
struct Stranger {
    identity: Identity,
    to: Card,
    full: FullCard,
    node: NodeRecord,
    http: HttpClient,
    runtime: tokio::runtime::Runtime,
}

impl Stranger {
    fn who_writes_to(person: &Person, node: &Node) -> Self {
        let (rng, now) = (&mut OsRng, clock::now());
        let path = person.file("for-a-stranger.card");
        person.ok(&["card", "--full", &path.to_string_lossy()]);
        let full: FullCard = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let record = serde_json::from_value(node.record.clone()).unwrap();
        let wallets = Wallets::generate(rng);
        Self {
            identity: Identity::generate(&wallets.wallet, NETWORK, Version::V6, now, rng).unwrap(),
            to: Card::read(full.card.clone(), NETWORK, now).unwrap(),
            full,
            node: NodeRecord::read(record, NETWORK, now).unwrap(),
            http: HttpClient::new(HttpOptions::default()).unwrap(),
            runtime: tokio::runtime::Runtime::new().unwrap(),
        }
    }

    /// Sends a text through a relay and returns the packet as it was on the wire.
    fn send(&self, relay: &Node, text: &str) -> Bytes {
        let (rng, now, sizes) = (&mut OsRng, clock::now(), Sizes::default());
        let to = self.to.body.wallet;
        let plan = Plan::of(to, content::TEXT, text.as_bytes(), &sizes, now, rng).unwrap();
        let body = Bytes::copy_from_slice(text.as_bytes());
        let letter = plan.letter(&self.identity, 0, body, None).unwrap();
        let mail = SealedMail::seal(&letter, &self.identity, &self.to, &sizes, now, rng).unwrap();
        let network = Network {
            id: NETWORK.to_owned(),
            sizes,
        };
        let route = Route::direct(&self.node);
        let out = mail
            .packet(&network, &route, self.full.inbox, now, rng)
            .unwrap();
        let packet = out.packet.clone();
        let Ok(Reply::Once(record)) = self.post(relay, &packet) else {
            panic!("not answered");
        };
        let content = out.pending.answer(&record).unwrap();
        expect_acceptance(content, NETWORK, self.node.node(), &mail.digest, now).unwrap();
        packet
    }

    fn post(&self, at: &Node, packet: &Bytes) -> Result<Reply, HttpError> {
        let url = format!("http://127.0.0.1:{}/post", at.port);
        self.runtime
            .block_on(self.http.post(&url, packet.clone(), None))
    }

    /// Whether the node behind `at` takes no notice of a packet that was on the wire before.
    fn is_refused(&self, at: &Node, packet: &Bytes) -> bool {
        matches!(self.post(at, packet), Err(HttpError::Status { .. }))
    }
}

fn number(status: &[Value], field: &str) -> u64 {
    let text = &status[0][field];
    text.as_u64()
        .or_else(|| text.as_str()?.parse().ok())
        .unwrap_or_else(|| panic!("no {field} in {status:?}"))
}

/// `restore` ends with that code and says that.
fn refuses(node: &Node, file: &str, code: i32, what: &str) {
    let ended = node.run(&["restore", file]);
    assert_eq!(ended.code, Some(code), "{}", ended.story);
    assert!(ended.story.contains(what), "{}", ended.story);
}

#[test]
fn nothing_is_replayed_and_no_cursor_confused_after_a_restore() {
    let mut world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    let stranger = Stranger::who_writes_to(&bobo, &world.b);
    let before = stranger.send(&world.a, "on the wire before the backup");
    peter.send("bobo", "waits in the backup");

    // While it works: backed up, and on it goes.
    let file = world.folder("backups").join("b.db");
    let file = file.to_string_lossy();
    let online = bobo.listen(&[]);
    world.b.ask(&["backup", &file]);
    let in_backup = number(&world.b.ask(&["status"]), "charged_pusd");
    assert_eq!(
        online.event("message")["text"],
        "on the wire before the backup"
    );
    assert_eq!(online.event("message")["text"], "waits in the backup");
    peter.send("bobo", "shown after the backup");
    assert_eq!(online.event("message")["text"], "shown after the backup");
    let after = stranger.send(&world.a, "on the wire after the backup");
    assert_eq!(
        online.event("message")["text"],
        "on the wire after the backup"
    );
    // Killed, it might have printed a message and not noted that yet.
    online.interrupt().failed(130);
    peter.send("bobo", "lost with the disk");
    refuses(&world.b, &file, 1, "another node runs on");
    for packet in [&before, &after] {
        assert!(stranger.is_refused(&world.b, packet), "it was seen");
    }

    world.b.kill_9();
    let restored = world.b.ask(&["restore", &file]);
    assert!(fs::exists(restored[0]["former_store"].as_str().unwrap()).unwrap());
    world.b.start();
    // The marks of what came after the backup are gone with the disk; so is the key.
    for packet in [&before, &after] {
        for at in [&world.b, &world.a, &world.d] {
            assert!(stranger.is_refused(at, packet), "a replay was taken");
        }
    }

    // Bobo and Peter do nothing about it.
    let back = bobo.via(&["listen", "--for", "6"]);
    let told = back.lines.iter().filter(|line| line["event"] == "restored");
    assert_eq!(told.count(), 1, "{}", back.story);
    assert!(shown(&back.lines).is_empty(), "twice: {}", back.story);
    peter.send("bobo", "after the restore");
    assert_eq!(texts(&bobo.collect(1)), ["after the restore"]);
    bobo.via(&["status"]).ok();
    let again = bobo.via(&["listen", "--once"]);
    assert!(again.lines.iter().all(|line| line["event"] != "restored"));

    // What had been acknowledged after the backup waited again, and was acknowledged again.
    let status = world.b.ask(&["status"]);
    assert_eq!(number(&status, "waiting_packets"), 0, "{status:?}");
    assert!(number(&status, "charged_pusd") > in_backup, "{status:?}");
    assert_eq!(status[0]["ledger_balanced"], true);
    world.b.ask(&["ledger", "verify"]);
    // The nodes that were told know it after their next start too.
    world.d.kill_9();
    world.d.start();
    peter.send("bobo", "through a relay that was started again");
    assert_eq!(bobo.collect(1).len(), 1);
}

#[test]
fn only_a_sound_backup_is_restored() {
    let mut world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    peter.send("bobo", "still here");
    let file = world.folder("backups").join("b.db");
    world.b.ask(&["backup", &file.to_string_lossy()]);
    world.b.kill_9();
    let bytes = fs::read(&file).unwrap();
    let bad = world.folder("backups").join("bad.db");
    for (what, change) in [
        (
            "cut",
            Box::new(|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2))
                as Box<dyn Fn(&mut Vec<u8>)>,
        ),
        (
            "flipped",
            Box::new(|bytes: &mut Vec<u8>| {
                // Wherever it is: in the middle of every page.
                for at in (4_000..bytes.len()).step_by(8_192) {
                    bytes[at] ^= 1;
                }
            }),
        ),
        (
            "something else",
            Box::new(|bytes: &mut Vec<u8>| *bytes = b"x".repeat(9_000)),
        ),
    ] {
        let mut changed = bytes.clone();
        change(&mut changed);
        fs::write(&bad, &changed).unwrap();
        println!("{what}");
        refuses(&world.b, &bad.to_string_lossy(), 1, "bad.db");
    }
    refuses(&world.b, "/no/such/file", 1, "No such file");
    let store = world.b.store();
    refuses(&world.b, &store.to_string_lossy(), 2, "is the store itself");
    // Nothing of that changed anything: the key is the old one, and so is the store.
    world.b.start();
    assert_eq!(texts(&bobo.collect(1)), ["still here"]);
}
