//! Whitepaper, "Anonymous Server with the Client-Server Model" and its load balance.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use std::time::Duration;

use world::{Person, World, shown, text, texts};

/// A server at B with two machines, and a client at C that has only its short card.
fn server_and_client(world: &World) -> (Person, Person, Person) {
    let (left, client) = (
        world.person("left", &world.a),
        world.person("client", &world.d),
    );
    left.register(&world.b, "$1.00");
    client.register(&world.c, "$1.00");
    client.add("server", &left);
    let backup = left.file("backup");
    let backup = backup.to_string_lossy();
    left.ok(&["backup", &backup]);
    let mut right = world.vacant("right", &world.d);
    right.ok(&["restore", &backup]);
    right.address.clone_from(&left.address);
    (left, right, client)
}

#[test]
fn two_machines_share_the_requests_and_one_takes_over() {
    let world = World::start();
    let (left, right, client) = server_and_client(&world);
    let share = ["--mode", "share"];
    let (first, second) = (left.listen(&share), right.listen(&share));
    let requests = |range: std::ops::Range<u32>| -> Vec<String> {
        range.map(|number| format!("request {number}")).collect()
    };
    for request in requests(0..4) {
        client.send("server", &request);
    }
    let time = Duration::from_secs(4);
    let mut served = texts(&shown(&first.all_within(time)));
    served.extend(texts(&shown(&second.all_within(time))));
    served.sort();
    // Each by one machine.
    assert_eq!(served, requests(0..4));

    first.kill_9();
    for request in requests(4..7) {
        client.send("server", &request);
        assert_eq!(second.event("message")["text"], request.as_str());
    }
}

#[test]
fn a_request_is_answered_to_whoever_asked() {
    let world = World::start();
    let (server, _, client) = server_and_client(&world);
    let online = server.listen(&["--mode", "share"]);
    let asked = client.send("server", "who are you?");
    let request = online.event("message");
    assert_eq!(request["from"], client.address.as_str());

    // The request carried the card: the address is enough.
    let id = text(std::slice::from_ref(&request), "id");
    let words = ["send", &client.address, "an address", "--reply-to", &id];
    server.via(&words).ok();
    let answers = client.collect(1);
    assert_eq!(texts(&answers), ["an address"]);
    assert_eq!(answers[0]["in_reply_to"], asked["id"]);
    assert_eq!(answers[0]["from"], server.address.as_str());
}
