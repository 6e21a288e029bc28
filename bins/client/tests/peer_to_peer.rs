//! Whitepaper, "Send Peer-to-Peer Encrypted Messages".

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use world::{SMALL, World, text, texts};

#[test]
fn hello_bobo() {
    let world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    let online = bobo.listen(&[]);
    let accepted = peter.send("bobo", "Hello Bobo");
    assert_eq!(accepted["sent"], true);
    assert_eq!(accepted["to"], bobo.address.as_str());

    let message = online.event("message");
    assert_eq!(message["text"], "Hello Bobo");
    assert_eq!(message["from"], peter.address.as_str());
    assert_eq!(message["from_name"], "peter");
    assert_eq!(message["signed"], true);
    assert_eq!(message["id"], accepted["id"]);

    // And back, through the other relay and recipient.
    bobo.send("peter", "Hello Peter");
    assert_eq!(texts(&peter.collect(1)), ["Hello Peter"]);

    // Each registered (two packets), listened, and was written to: in and out. Nothing waited longer
    // than a moment: 30 s of two packets is the most that a busy machine makes of it.
    let most = 2 * SMALL * 30 * 14 / (1_000 * 3_600) + 1;
    world.settled(&bobo, &world.b, (2 + 1 + 2) * SMALL, [0, most]);
    world.settled(&peter, &world.c, (2 + 1 + 2) * SMALL, [0, most]);
}

#[test]
fn the_short_card_is_enough() {
    let world = World::start();
    let (bobo, peter) = (
        world.person("bobo", &world.a),
        world.person("peter", &world.d),
    );
    bobo.register(&world.b, "$1.00");
    peter.register(&world.c, "$1.00");
    peter.add("bobo", &bobo);
    peter.send("bobo", "I have only your short card");
    let messages = bobo.collect(1);
    assert_eq!(texts(&messages), ["I have only your short card"]);
    assert_eq!(messages[0]["from"], peter.address.as_str());
}

#[test]
fn somebody_unknown_is_not_written_to() {
    let world = World::start();
    let (_, peter) = world.bobo_and_peter();
    let error = peter.via(&["send", "nobody", "hello"]).failed(1);
    assert!(
        error["text"].as_str().unwrap().contains("nobody"),
        "{error}"
    );
}

#[test]
fn somebody_who_moved_gets_what_was_sent_to_the_old_node() {
    let world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    bobo.via(&["unregister"]).ok();
    peter.via(&["send", "bobo", "first"]).failed(3);
    let file = peter.file("file.bin");
    std::fs::write(&file, [7; 20_000]).unwrap();
    let file = file.to_string_lossy().into_owned();
    peter.via(&["send", "bobo", "--file", &file]).failed(3);

    // Nobody says so to Peter: when the old node refuses, he asks the others. What waits follows.
    bobo.register(&world.c, "$1.00");
    let accepted = peter.via(&["send", "bobo", "second"]).ok();
    assert_eq!(text(&accepted, "node"), world.c.address);
    assert_eq!(accepted.len(), 3, "{accepted:?}");
    let received = bobo.collect(3);
    assert_eq!(texts(&received), ["second", "first"]);
    let file = received.iter().find(|line| line["bytes"] == "20000");
    assert!(file.is_some(), "{received:?}");

    // Bobo goes back, and says so by his new short card.
    bobo.register(&world.b, "$1.00");
    let short = bobo.short_card();
    let added = peter.ok(&["contacts", "add", "bobo", &short]);
    assert_eq!(text(&added, "node"), world.b.address);
    assert_eq!(
        peter.send("bobo", "third")["node"],
        world.b.address.as_str()
    );
    assert_eq!(texts(&bobo.collect(1)), ["third"]);
}

#[test]
fn somebody_who_left_the_node_is_told_of() {
    let world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    bobo.via(&["unregister"]).ok();
    let error = peter.via(&["send", "bobo", "still there?"]).failed(3);
    assert_eq!(error["kind"], "refused");
    assert!(
        error["advice"].as_str().unwrap().contains("new card"),
        "{error}"
    );
}
