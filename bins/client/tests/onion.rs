//! Whitepaper, onion routing: a packet for a node inside a packet for a node.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use world::{SMALL, World, texts};

#[test]
fn two_hops_there_and_two_hops_to_listen() {
    let world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    // Peter's IP address is seen by D alone, Bobo's node by C alone.
    let hops = ["--hop", &world.a.address, "--hop", &world.c.address];
    let words = [&["send", "bobo", "through four nodes"], &hops[..]].concat();
    let accepted = peter.via(&words).ok();
    assert_eq!(accepted.last().unwrap()["sent"], true);

    let hops = ["--hop", &world.d.address, "--hop", &world.c.address];
    let online = bobo.listen(&[&["--count", "1"], &hops[..]].concat());
    let message = online.event("message");
    assert_eq!(message["text"], "through four nodes");
    assert_eq!(message["from"], peter.address.as_str());
    online.end().ok();

    // It came once.
    let asked = world.gone(&bobo);
    peter.send("bobo", "directly");
    assert_eq!(texts(&bobo.collect(1)), ["directly"]);
    // Hops cost him nothing: registered, listened twice, two letters in and out. Both waited for ten
    // minutes at most.
    let most = 2 * SMALL * 600 * 14 / (1_000 * 3_600);
    let passed = (2 + 2 + 2 * 2) * SMALL + asked;
    world.settled(&bobo, &world.b, passed, [0, most]);
}

#[test]
fn a_hop_that_is_down_is_told() {
    let mut world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    world.a.kill_9();
    let words = ["send", "bobo", "hello", "--hop", &world.a.address];
    let ended = peter.via(&words);
    assert!(matches!(ended.code, Some(3 | 4)), "{}", ended.story);
    // The other way is open.
    let resumed = peter.via(&["send", "bobo", "another way", "--hop", &world.c.address]);
    resumed.ok();
    let collected = bobo.run(&["listen", "--count", "1", "--relay", &world.d.address]);
    assert_eq!(texts(&collected.ok()), ["another way"]);
}

#[test]
fn a_hop_that_is_over_its_quota_is_told_and_the_message_stays() {
    let mut world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    world.a.kill_9();
    // One small packet an hour.
    world.a.set("onward_bytes_per_hour", "20000");
    world.a.start();
    let words = ["--hop", &world.a.address];
    peter
        .via(&[&["send", "bobo", "first"], &words[..]].concat())
        .ok();
    let second = peter.via(&[&["send", "bobo", "second"], &words[..]].concat());
    let error = second.failed(3);
    assert_eq!(error["reason"]["reason"], "over-limit", "{error}");
    // It is still in the outbox, and there is another hop.
    peter
        .via(&["send", "--resume", "--hop", &world.c.address])
        .ok();
    assert_eq!(texts(&bobo.collect(2)), ["first", "second"]);
}
