//! Whitepaper, "Registers Recipient Node".

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use world::{World, text};

#[test]
fn with_an_invite_through_a_relay_once() {
    let world = World::start();
    let bobo = world.person("bobo", &world.a);
    let invite = world.b.invite("$1.00");
    let words = [
        "register",
        "--node",
        &world.b.address,
        "--invite",
        &invite,
        "--relay",
        &world.a.address,
    ];
    let registered = bobo.ok(&words);
    assert_eq!(text(&registered, "node"), world.b.address);
    assert_eq!(text(&registered, "relay"), world.a.address);
    // $1.00 in picodollars.
    assert_eq!(text(&registered, "limit_pusd"), "1000000000000");
    assert!(bobo.short_card().contains(&bobo.address[2..10]));

    let status = bobo.via(&["status"]).ok();
    assert_eq!(text(&status, "limit_pusd"), "1000000000000");

    // The code is used up.
    let late = world.person("late", &world.d);
    let error = late.run(&words).failed(3);
    assert_eq!(error["kind"], "refused");
    assert!(error.to_string().contains("invite"), "{error}");
    assert!(
        error["advice"].as_str().unwrap().contains("works once"),
        "{error}"
    );
    assert!(!late.run(&["card", "--short"]).lines.is_empty());
}

#[test]
fn without_an_invite_the_reason_and_the_way_out_are_told() {
    let world = World::start();
    let bobo = world.person("bobo", &world.a);
    let error = bobo
        .via(&["register", "--node", &world.b.address])
        .failed(3);
    assert!(
        error["advice"].as_str().unwrap().contains("invite"),
        "{error}"
    );

    // A relay takes no clients.
    let error = bobo
        .via(&["register", "--node", &world.d.address])
        .failed(2);
    assert!(error["text"].as_str().unwrap().contains("relay"), "{error}");
}

#[test]
fn a_wrong_password_opens_nothing() {
    let world = World::start();
    let bobo = world.person("bobo", &world.a);
    let wrong = bobo.file("wrong");
    std::fs::write(&wrong, "not the password").unwrap();
    let wrong = wrong.to_string_lossy().into_owned();
    let words = ["register", "--node", &world.b.address];
    let error = bobo
        .run(&[&words[..], &["--password-file", &wrong]].concat())
        .failed(1);
    assert!(
        error["text"].as_str().unwrap().contains("password"),
        "{error}"
    );
}
