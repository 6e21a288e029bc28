//! Whitepaper, "Send Peer-to-Peer Encrypted Messages".

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use world::{World, texts};

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
