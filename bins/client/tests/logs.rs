//! What a node and a client write about themselves when everything is asked for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use world::World;

/// Hexadecimal digits of the shortest secret.
const SECRET_DIGITS: usize = 64;

fn holds_a_secret(text: &str) -> bool {
    text.split(|letter: char| !letter.is_ascii_hexdigit())
        .any(|digits| digits.len() >= SECRET_DIGITS)
}

#[test]
fn no_key_and_no_client_is_in_any_log_even_if_everything_is_asked_for() {
    let world = World::start_logging("trace");
    let bobo = world.person("bobo", &world.a);
    let invite = world.b.invite("$1.00");
    let (node, relay) = (&world.b.address, &world.a.address);
    let words = ["register", "--node", node, "--invite", &invite];
    let registered = bobo
        .command(&[&words[..], &["--relay", relay]].concat())
        .env("LAYER_MINUS_LOG", "trace")
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert!(registered.status.success(), "{registered:?}");
    for line in String::from_utf8(registered.stderr).unwrap().lines() {
        let target = line.split_whitespace().nth(2).unwrap_or_default();
        assert!(target.starts_with("layer_minus_"), "{line}");
        assert!(!holds_a_secret(line), "{line}");
    }

    let lines = world.b.log_lines();
    assert!(lines.iter().any(|line| line["message"] == "started"));
    assert!(lines.iter().any(|line| line["level"] == "DEBUG"));
    for line in lines {
        let target = line["target"].as_str().unwrap();
        assert!(target.starts_with("layer_minus_"), "{line}");
        let text = line.to_string().to_lowercase();
        assert!(!holds_a_secret(&text), "{line}");
        let address = bobo.address.trim_start_matches("0x").to_lowercase();
        assert!(!text.contains(&address), "{line}");
    }
}
