//! docs/logs.md: what no level of a node's log holds.
#![cfg(target_os = "linux")] // People have loopback addresses of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use std::fs;

use world::{World, text};

const BOBOS_IP: &str = "127.0.0.21";
const PETERS_IP: &str = "127.0.0.22";
const WORDS: [&str; 3] = [
    "a word while online",
    "a word while offline",
    "a word by a detour",
];

#[test]
fn no_level_holds_who_or_what() {
    let world = World::start_logging("trace");
    let (mut bobo, mut peter) = (
        world.person("bobo", &world.a),
        world.person("peter", &world.d),
    );
    bobo.set_source(BOBOS_IP);
    peter.set_source(PETERS_IP);
    let mut secrets = WORDS.map(str::to_owned).to_vec();
    secrets.extend([BOBOS_IP, PETERS_IP].map(str::to_owned));
    for (person, node) in [(&bobo, &world.b), (&peter, &world.c)] {
        let invite = node.invite("$1.00");
        let words = ["register", "--node", &node.address, "--invite", &invite];
        person.via(&words).ok();
        let card = person.file("card.json");
        let card = person.ok(&["card", "--full", &card.to_string_lossy()]);
        let inbox = card.last().unwrap()["full"]["inbox"].as_str().unwrap();
        secrets.extend([
            invite,
            inbox.trim_start_matches("0x").to_owned(),
            text(&card, "key"),
            person.address.trim_start_matches("0x").to_owned(),
            person.cash.trim_start_matches("0x").to_owned(),
        ]);
    }
    bobo.befriend("peter", &peter);
    peter.befriend("bobo", &bobo);

    let online = bobo.listen(&[]);
    let mut sent = vec![peter.send("bobo", WORDS[0])];
    online.event("message");
    drop(online);
    sent.push(peter.send("bobo", WORDS[1]));
    let detour = ["send", "bobo", WORDS[2], "--hop", &world.c.address];
    sent.extend(peter.via(&detour).ok().pop());
    assert_eq!(bobo.collect(2).len(), 2);
    bobo.via(&["status"]).ok();
    // What is refused is logged too.
    bobo.via(&["unregister"]).ok();
    peter.via(&["send", "bobo", WORDS[0]]).failed(3);
    for letter in &sent {
        let accepted = &letter["accepted"][0];
        let texts = [&letter["id"], &accepted["receipt"], &accepted["digest"]];
        secrets.extend(texts.map(|text| text.as_str().unwrap().to_owned()));
    }

    let mut debug = 0;
    for node in [&world.a, &world.b, &world.c, &world.d] {
        let log = fs::read_to_string(node.run_log()).unwrap();
        debug += log.matches("\"level\":\"DEBUG\"").count();
        let log = log.to_ascii_lowercase();
        for secret in &secrets {
            let held = log.contains(&secret.to_ascii_lowercase());
            assert!(!held, "'{secret}' is in the log of {}", node.address);
        }
    }
    assert!(debug > 20, "only {debug} lines: is the level set?");
}
