//! What is not a packet, what nobody can route, and a store from the future.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
};

use world::{Node, PATIENCE, World, texts};

/// Says that to a node, in its own words; the first line of the answer and the rest.
fn say(node: &Node, words: &[u8], hang_up: bool) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", node.port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A node that has heard enough may close before all is said.
    let _ = stream.write_all(words);
    if hang_up {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(node: &Node, announced: usize, body: &[u8]) -> String {
    let head = format!(
        "POST /post HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\
         content-type: application/octet-stream\r\ncontent-length: {announced}\r\n\r\n"
    );
    say(
        node,
        &[head.as_bytes(), body].concat(),
        body.len() < announced,
    )
}

/// A refusal that any web server could have sent.
fn assert_plain(answer: &str, statuses: &[&str]) {
    let status = answer.split(' ').nth(1).unwrap_or_default();
    assert!(statuses.contains(&status), "{statuses:?}: {answer}");
    let lower = answer.to_lowercase();
    for word in ["packet", "pkesk", "layer", "recipient", "openpgp", "json"] {
        assert!(!lower.contains(word), "{word}: {answer}");
    }
}

/// A packet of the right shape and size for a key that nobody has.
fn for_nobody(size: usize) -> Vec<u8> {
    let mut packet = Vec::with_capacity(size);
    // PKESK v3, X25519: key ID, ephemeral key, length, AES-256, wrapped session key.
    let wrapped = 40;
    let body = 1 + 8 + 1 + 32 + 1 + 1 + wrapped;
    packet.extend([0xc1, body as u8, 3]);
    packet.extend([0x0b, 0xad, 0x0b, 0xad, 0x0b, 0xad, 0x0b, 0xad]);
    packet.extend([25]);
    packet.extend([9; 32]);
    packet.extend([1 + wrapped as u8, 9]);
    packet.extend(vec![7; wrapped]);
    // SEIPD v2, AES-256, GCM.
    let rest = (size - packet.len() - 6) as u32;
    packet.extend([0xd2, 0xff]);
    packet.extend(rest.to_be_bytes());
    packet.extend([2, 9, 3, 14]);
    packet.resize(size, 0x5a);
    packet
}

#[test]
fn what_is_not_a_packet_gets_a_web_servers_answer() {
    let mut world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    for node in [&world.a, &world.b] {
        let hello = "HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        assert_plain(
            &say(node, format!("GET / {hello}").as_bytes(), false),
            &["404", "405"],
        );
        assert_plain(
            &say(node, format!("GET /post {hello}").as_bytes(), false),
            &["404", "405"],
        );
        assert_plain(&post(node, 0, &[]), &["400"]);
        assert_plain(&post(node, 11, b"hello world"), &["400"]);
        assert_plain(&post(node, 16_000, &[0; 16_000]), &["400"]);
        assert_plain(&post(node, 50_000_000, &[0xc1; 1_000]), &["413"]);
        // Bytes that no HTTP parser takes.
        let garbage = say(
            node,
            &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, b'\r', b'\n', b'\r', b'\n'],
            false,
        );
        assert!(
            garbage.is_empty() || garbage.starts_with("HTTP/1.1 4"),
            "{garbage}"
        );

        let whole = for_nobody(16_000);
        // A key that nobody has: as a server with nothing behind it.
        assert_plain(
            &post(node, whole.len(), &whole),
            &["404", "502", "503", "504"],
        );
        // One octet more than announced by the packet, and cut short at many places.
        assert_plain(&post(node, 15_999, &whole[..15_999]), &["400"]);
        for cut in [1, 2, 60, 100, 1_000, 15_000] {
            let answer = post(node, whole.len(), &whole[..cut]);
            assert!(!answer.starts_with("HTTP/1.1 2"), "{cut}: {answer}");
        }
        // Noise, the same in every run.
        let mut state = 1_u64;
        for _ in 0..30 {
            let mut noise = whole.clone();
            for _ in 0..8 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                noise[(state >> 33) as usize % 90] = (state >> 17) as u8;
            }
            let answer = post(node, noise.len(), &noise);
            assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
        }
    }
    assert!(world.a.is_running() && world.b.is_running());
    peter.send("bobo", "are you well?");
    assert_eq!(texts(&bobo.collect(1)), ["are you well?"]);
}

#[test]
fn a_node_that_nobody_knows_cannot_be_joined() {
    let world = World::start();
    let bobo = world.person("bobo", &world.a);
    let error = bobo.via(&["register", "--node", &bobo.address]).failed(1);
    assert!(
        error["text"]
            .as_str()
            .unwrap()
            .contains("not in the directory"),
        "{error}"
    );
    assert!(
        error["advice"].as_str().unwrap().contains("nodes"),
        "{error}"
    );
}

#[test]
fn a_store_of_a_newer_program_is_refused() {
    let mut world = World::start();
    world.b.kill_9();
    {
        let store = rusqlite::Connection::open(world.b.store()).unwrap();
        let raised = "UPDATE store_info SET value = 99 WHERE name = 'schema_version'";
        assert_eq!(store.execute(raised, []).unwrap(), 1);
    }
    let ended = world.b.run(&["run"]);
    assert_eq!(ended.code, Some(1), "{}", ended.story);
    let said = "schema version 99, this program knows up to 1";
    assert!(ended.story.contains(said), "{}", ended.story);
}

#[test]
fn a_home_of_a_newer_program_is_refused() {
    let world = World::start();
    let bobo = world.person("bobo", &world.a);
    {
        let home = rusqlite::Connection::open(bobo.file("home").join("client.db")).unwrap();
        home.pragma_update(None, "user_version", 99).unwrap();
    }
    let error = bobo.run(&["contacts", "list"]).failed(1);
    assert!(
        error["text"].as_str().unwrap().contains("newer program"),
        "{error}"
    );
}
