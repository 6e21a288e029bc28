//! What is not a packet gets what an ordinary web server answers.

use std::time::{Duration, Instant};

use layer_minus_http::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    raw::{self, Raw, filler, question},
    world::{LARGE, SMALL, network, recipient, relay},
};

/// Nothing about us in any header or body.
fn is_ordinary(raw: &Raw) {
    let all = format!("{}{}", raw.head, String::from_utf8_lossy(&raw.body)).to_lowercase();
    for word in [
        "layer", "minus", "packet", "openpgp", "pgp", "node", "relay", "wallet", "conet",
    ] {
        assert!(!all.contains(word), "'{word}' in {all}");
    }
    if raw.status != 200 {
        assert_eq!(raw.header("content-type"), Some("text/html"));
    }
}

#[tokio::test]
async fn garbage_gets_a_small_page() {
    let places = network(&[relay(&[])]).await;
    let addr = places[0].addr;
    let packet = question(&places[0].record).packet;
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = packet.to_vec();
        change(&mut bytes);
        bytes
    };
    let cases: Vec<(&str, u16, Vec<u8>)> = vec![
        ("nothing", 400, vec![]),
        ("text", 400, b"hello".to_vec()),
        ("random of a listed size", 400, vec![0x5a; SMALL]),
        ("high bits of a listed size", 400, vec![0xff; SMALL]),
        ("one byte less", 400, packet[..SMALL - 1].to_vec()),
        ("one byte more", 400, with(&|bytes| bytes.push(0))),
        (
            "another size in the head",
            400,
            with(&|bytes| bytes.resize(LARGE, 0)),
        ),
        (
            "a changed ciphertext",
            400,
            with(&|bytes| bytes[SMALL - 1] ^= 1),
        ),
        (
            "a changed algorithm",
            400,
            with(&|bytes| bytes[200] ^= 0xff),
        ),
        ("too large for anything", 413, vec![0xc1; 2 * LARGE + 1]),
        (
            "nothing inside",
            400,
            filler(&places[0].record, SMALL).to_vec(),
        ),
    ];
    for (what, status, body) in cases {
        let raw = raw::post(addr, "application/octet-stream", &body).await;
        assert_eq!(raw.status, status, "{what}: {raw:?}");
        is_ordinary(&raw);
    }
    let raw = raw::post(addr, "application/octet-stream", &packet).await;
    assert_eq!(raw.status, 200, "and the packet itself is answered");
    is_ordinary(&raw);
    let again = raw::post(addr, "application/octet-stream", &packet).await;
    assert_eq!(again.status, 400, "once");
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let places = network(&[relay(&[])]).await;
    let addr = places[0].addr;
    for (line, status) in [
        ("GET /post", 405),
        ("PUT /post", 405),
        ("OPTIONS /post", 405),
        ("GET /", 404),
        ("POST /", 404),
        ("POST /post/", 404),
        ("GET /.well-known/security.txt", 404),
    ] {
        let raw = raw::send(addr, &format!("{line} HTTP/1.1\r\nhost: x\r\n\r\n"), b"").await;
        assert_eq!(raw.status, status, "{line}");
        is_ordinary(&raw);
    }
    let get = raw::send(addr, "GET /post HTTP/1.1\r\nhost: x\r\n\r\n", b"").await;
    assert_eq!(get.header("allow"), Some("POST"));
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(40_000));
    let raw = raw::send(addr, &long, b"").await;
    assert!([414, 431].contains(&raw.status), "{raw:?}");
}

#[tokio::test]
async fn a_key_that_nobody_has_is_not_found_and_asked_for_once_in_a_while() {
    let places = network(&[relay(&[1]), relay(&[]), relay(&[])]).await;
    let packet = question(&places[2].record).packet;
    let first = raw::post(places[0].addr, "application/octet-stream", &packet).await;
    assert_eq!(first.status, 404);
    is_ordinary(&first);
    let started = Instant::now();
    let again = raw::post(places[0].addr, "application/octet-stream", &packet).await;
    assert_eq!(again.status, 404);
    assert!(
        started.elapsed() < Duration::from_millis(500),
        "from memory"
    );
    assert_eq!(places[0].gateway.table().read().unwrap().unknown_len(), 1);
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let limits = Limits {
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(1),
        ..Limits::default()
    };
    let places = network(&[relay(&[]).limits(limits)]).await;
    for begin in ["", "P", "POST /post HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = TcpStream::connect(places[0].addr).await.unwrap();
        stream.write_all(begin.as_bytes()).await.unwrap();
        let started = Instant::now();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(started.elapsed() < Duration::from_secs(5), "'{begin}'");
    }
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up() {
    let limits = Limits {
        body_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let places = network(&[
        relay(&[1]).limits(limits.clone()),
        recipient(&[]).limits(limits),
    ])
    .await;
    for place in &places {
        let packet = filler(&places[1].record, LARGE);
        let mut stream = TcpStream::connect(place.addr).await.unwrap();
        let head = format!("POST /post HTTP/1.1\r\nhost: x\r\ncontent-length: {LARGE}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&packet[..LARGE / 2]).await.unwrap();
        let raw = raw::read(&mut stream).await.unwrap();
        assert_eq!(raw.status, 408);
    }
}

#[tokio::test]
async fn what_nobody_pays_for_is_rationed() {
    let limits = Limits {
        unpaid_requests_per_second: 3,
        ..Limits::default()
    };
    let places = network(&[relay(&[]).limits(limits)]).await;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        let packet = question(&places[0].record).packet;
        statuses.push(
            raw::post(places[0].addr, "application/octet-stream", &packet)
                .await
                .status,
        );
    }
    assert!(
        statuses.contains(&200) && statuses.contains(&503),
        "{statuses:?}"
    );
}
