//! Whitepaper, "Registers Recipient Node".

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use world::{SMALL, World, text};

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
    // Two packets to register, one to ask.
    world.settled(&bobo, &world.b, (2 + 1) * SMALL, [0, 0]);

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
        .failed(2);
    assert!(
        error["text"].as_str().unwrap().contains("password"),
        "{error}"
    );
}

#[test]
fn a_limit_that_is_used_up_is_told_to_both_and_can_be_raised() {
    // Three passes of the large packet cost 60,000,000 p$ and more; the limit is 100,000,000.
    let world = World::start_with(&[("minimum_authorization_pusd", "1000000")]);
    let bobo = world.person("bobo", &world.a);
    let peter = world.person("peter", &world.d);
    let invite = world.b.invite("$0.0001");
    let words = ["register", "--node", &world.b.address, "--invite", &invite];
    // More than what backs it is refused, and the way out told.
    let error = bobo.via(&[&words[..], &["--limit", "5"]].concat());
    assert!(error.failed(3)["advice"].as_str().is_some());
    bobo.via(&[&words[..], &["--limit", "0.0001"]].concat())
        .ok();
    peter.register(&world.c, "$1.00");
    peter.befriend("bobo", &bobo);

    let file = peter.file("large");
    std::fs::write(&file, vec![1; 900_000]).unwrap();
    let file = file.to_string_lossy().into_owned();
    let send = ["send", "bobo", "--file", &file];
    let mut ended = peter.via(&send);
    for _ in 0..4 {
        if ended.code != Some(0) {
            break;
        }
        ended = peter.via(&send);
    }
    let error = ended.failed(3);
    let advice = error["advice"].as_str().unwrap();
    assert!(advice.contains("raise the limit"), "{error}");

    // Bobo raises it as far as it is backed, no further.
    let beyond = bobo.via(&["authorize", "--limit", "2"]).failed(3);
    assert!(beyond["advice"].as_str().is_some(), "{beyond}");
    world.b.ask(&["grant", &bobo.address, "$1.00"]);
    bobo.via(&["authorize", "--limit", "1"]).ok();
    assert_eq!(
        text(&bobo.via(&["status"]).ok(), "limit_pusd"),
        "1000000000000"
    );
    peter.via(&["send", "--resume"]).ok();
}
