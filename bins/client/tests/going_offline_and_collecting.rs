//! Whitepaper, "Client is going to offline", "Store Offline Messages" and "Get offline messages when
//! the client is online".

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read as _},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use world::{LARGE, SMALL, World, shown, texts};

/// How long a file waits.
const AWAY: Duration = Duration::from_secs(3);

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("letter {number}")).collect()
}

#[test]
fn letters_wait_keep_their_order_and_come_once() {
    let world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    // Online, then offline.
    let online = bobo.listen(&[]);
    drop(online);
    let asked = world.gone(&bobo);
    peter.send("bobo", "Hello Bobo");
    for text in numbered(0..4) {
        peter.send("bobo", &text);
    }
    let mut wanted = vec!["Hello Bobo".to_owned()];
    wanted.extend(numbered(0..4));
    assert_eq!(texts(&bobo.collect(5)), wanted);
    // Nothing is left, and that is an answer of its own.
    let nothing = bobo.via(&["listen", "--once"]);
    assert!(shown(&nothing.lines).is_empty(), "{}", nothing.story);
    nothing.failed(5);
    // Registered, listened three times, and five letters came and went.
    let passed = (2 + 3 + 5 * 2) * SMALL + asked;
    // Five packets for ten minutes at most.
    let most = 5 * SMALL * 600 * 14 / (1_000 * 3_600);
    world.settled(&bobo, &world.b, passed, [0, most]);
}

#[test]
fn a_file_of_three_megabytes_waits_and_arrives_whole() {
    let world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    let bytes: Vec<u8> = (0..3_000_000_u32)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let path = peter.file("holiday.bin");
    fs::write(&path, &bytes).unwrap();
    drop(bobo.listen(&[]));
    let asked = world.gone(&bobo);
    let sent = peter.via(&["send", "bobo", "--file", &path.to_string_lossy()]);
    assert_eq!(sent.ok().last().unwrap()["content_bytes"], "3000000");
    // So that it costs something to have kept it.
    thread::sleep(AWAY);

    let files = bobo.collect(1);
    let file = &files[0];
    assert_eq!(
        (&file["event"], &file["name"]),
        (&"file".into(), &"holiday.bin".into())
    );
    let saved = fs::read(file["path"].as_str().unwrap()).unwrap();
    let digest = hex::encode(Sha256::digest(&bytes));
    assert_eq!(hex::encode(Sha256::digest(&saved)), digest);
    assert_eq!(file["sha256"], digest.as_str());

    // Four packets, each in and out, and at least one second less than they waited: the node counts whole
    // ones.
    let passed = (2 + 2) * SMALL + asked + 4 * 2 * LARGE;
    let storage = |seconds: u64| 4 * LARGE * seconds * 14 / (1_000 * 3_600);
    let least = storage(AWAY.as_secs() - 1);
    world.settled(&bobo, &world.b, passed, [least, storage(600)]);
}

#[test]
fn a_listener_that_is_killed_loses_nothing() {
    let world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    let online = bobo.listen(&[]);
    let mut seen = Vec::new();
    for text in numbered(0..6) {
        peter.send("bobo", &text);
        if seen.len() < 2 {
            seen.push(online.event("message"));
        }
    }
    seen.extend(shown(&online.kill_9()));
    let before = texts(&seen);

    let again = bobo.listen(&["--for", "8"]);
    let after = texts(&shown(&again.end().lines));
    let all: BTreeSet<&String> = before.iter().chain(&after).collect();
    let wanted = numbered(0..6);
    assert_eq!(all, wanted.iter().collect(), "{before:?} {after:?}");
    for texts in [&before, &after] {
        assert!(texts.is_sorted(), "{before:?} {after:?}");
    }
    // A letter is printed first and noted as shown then, so a kill between the two repeats that one
    // rather than losing it.
    let twice: Vec<&String> = after.iter().filter(|text| before.contains(text)).collect();
    assert!(
        twice.is_empty() || twice == [before.last().unwrap()],
        "{before:?} {after:?}"
    );
}

#[test]
fn what_a_killed_recipient_had_accepted_is_delivered() {
    let mut world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    peter.send("bobo", "accepted before the crash");
    world.b.kill_9();

    // While it is down nobody gets through, and nothing is lost either.
    let down = peter.via(&["send", "bobo", "while it was down"]);
    assert!(matches!(down.code, Some(3 | 4)), "{}", down.story);
    world.b.start();
    assert_eq!(texts(&bobo.collect(1)), ["accepted before the crash"]);
    peter.via(&["send", "--resume"]).ok();
    assert_eq!(texts(&bobo.collect(1)), ["while it was down"]);
}

#[test]
fn a_listener_survives_the_crash_of_its_node() {
    let mut world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    let online = bobo.listen(&[]);
    world.b.kill_9();
    online.event("offline");
    world.b.start();
    peter.send("bobo", "after the crash");
    assert_eq!(online.event("message")["text"], "after the crash");
}

#[test]
fn another_relay_does_when_one_is_down() {
    let mut world = World::start();
    let (bobo, mut peter) = world.bobo_and_peter();
    world.d.kill_9();
    let error = peter
        .via(&["send", "bobo", "by hook or by crook"])
        .failed(4);
    assert_eq!(error["kind"], "unreachable");
    assert!(
        error["text"].as_str().unwrap().contains("another relay"),
        "{error}"
    );

    peter.change_relay(&world.a);
    peter.via(&["send", "--resume"]).ok();
    assert_eq!(texts(&bobo.collect(1)), ["by hook or by crook"]);
}

#[test]
fn a_second_device_gets_the_mail_too() {
    let world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    let backup = bobo.file("backup");
    let backup = backup.to_string_lossy();
    bobo.ok(&["backup", &backup]);
    let tablet = world.vacant("tablet", &world.d);
    tablet.ok(&["restore", &backup]);
    // From its first time online the node keeps mail for a device.
    for device in [&bobo, &tablet] {
        drop(device.listen(&[]));
    }

    peter.send("bobo", "on all screens");
    for device in [&tablet, &bobo] {
        let messages = device.collect(1);
        assert_eq!(texts(&messages), ["on all screens"]);
        assert_eq!(messages[0]["from_name"], "peter");
    }
}

#[test]
fn a_quote_is_what_is_sent_on_both_sides_of_the_small_packets_end() {
    let world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    // Nobody has Peter's card but Bobo, whom he has not written to yet: it goes along.
    let check = |length: usize| {
        let text = "x".repeat(length);
        let quote = peter.via(&["send", "bobo", &text, "--quote"]).ok();
        let quoted = quote.last().unwrap()["bytes_on_wire"].clone();
        assert_eq!(peter.send("bobo", &text)["bytes"], quoted, "{length} bytes");
        quoted
    };
    let mut sizes: Vec<_> = vec![check(3_950)];
    sizes.extend([4_500, 5_000, 5_400, 7_000].map(check));
    assert!(sizes.contains(&"16000".into()) && sizes.contains(&"1000000".into()));
    // Without a person the quote is a range that holds both.
    let range = peter.ok(&["quote", "--bytes", "4500"]);
    let range = range.last().unwrap();
    assert_eq!(range["bytes_on_wire"], "1000000");
    assert_eq!(range["bytes_on_wire_least"], "16000");
    drop(bobo);
}

#[test]
fn what_was_dropped_is_told_when_nothing_else_waits() {
    let world = World::start_with(&[("retention_secs", "2")]);
    let (bobo, peter) = world.bobo_and_peter();
    peter.send("bobo", "too late");
    thread::sleep(Duration::from_secs(4));
    let listened = bobo.via(&["listen", "--once"]);
    let gap = listened.lines.iter().find(|line| line["event"] == "gap");
    let gap = gap.unwrap_or_else(|| panic!("{}", listened.story));
    assert_eq!((&gap["from"], &gap["through"]), (&"1".into(), &"1".into()));
    // Told once.
    let again = bobo.via(&["listen", "--once"]);
    assert!(
        again.lines.iter().all(|line| line["event"] != "gap"),
        "{}",
        again.story
    );
}

#[test]
fn a_file_larger_than_the_mailbox_goes_to_whoever_collects_meanwhile() {
    let world = World::start_with(&[("mailbox_bytes_max", "3000000")]);
    let (bobo, peter) = world.bobo_and_peter();
    let path = peter.file("film");
    fs::write(&path, vec![7; 8_000_000]).unwrap();
    let online = bobo.listen(&[]);
    let sent = peter.via(&["send", "bobo", "--file", &path.to_string_lossy()]);
    assert_eq!(sent.ok().last().unwrap()["content_bytes"], "8000000");
    assert_eq!(online.event("file")["bytes"], "8000000");
}

#[test]
fn the_own_node_is_never_taken_for_a_relay() {
    let mut world = World::start();
    let (_bobo, peter) = world.bobo_and_peter();
    world.a.kill_9();
    world.d.kill_9();
    // Of the nodes that are up one is Bobo's, and the other knows Peter's wallet.
    let error = peter.run(&["send", "bobo", "hello"]).failed(4);
    assert_eq!(error["kind"], "unreachable", "{error}");
    // Unless Peter says so.
    let words = ["send", "--resume", "--relay", &world.c.address];
    peter.run(&words).ok();
}

/// Passes on what goes to that port, but no answer of more than `answer_bytes_max`: there it cuts. Returns
/// its own port.
fn swallowing(port: u16, answer_bytes_max: u64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else {
                continue;
            };
            let (mut asks, mut asked) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut asks, &mut asked));
            thread::spawn(move || {
                let _ = io::copy(&mut (&far).take(answer_bytes_max), &mut &near);
                let _ = far.shutdown(Shutdown::Both);
                near.shutdown(Shutdown::Both)
            });
        }
    });
    own
}

#[test]
fn a_relay_that_swallows_what_is_pushed_is_asked_ever_more_rarely() {
    let world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    let path = peter.file("photo");
    fs::write(&path, vec![7; 500_000]).unwrap();
    let words = ["send", "bobo", "--file", &path.to_string_lossy()];
    peter.via(&words).ok();

    let thief = swallowing(world.a.port, LARGE / 10);
    let thief = format!("http://127.0.0.1:{thief}/post");
    let robbed = bobo.start(&["listen", "--relay", &thief]);
    // It opens each stream, and each push costs Bobo something and earns the relay something.
    for step_ms in [500, 1_000, 2_000] {
        robbed.event("listening");
        let pause = robbed.event("offline")["retry_ms"].as_u64().unwrap();
        assert!((step_ms / 2..=step_ms).contains(&pause), "{pause} ms");
    }
    drop(robbed);
    assert_eq!(bobo.collect(1)[0]["bytes"], "500000");
}
