//! Every form in which a packet may come.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    raw::{self, question},
    world::{network, relay},
};

fn armored(packet: &[u8]) -> String {
    let lines: Vec<String> = STANDARD
        .encode(packet)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!(
        "-----BEGIN PGP MESSAGE-----\nComment: none\n\n{}\n-----END PGP MESSAGE-----\n",
        lines.join("\n")
    )
}

fn form(packet: &[u8], name: &str, extra: &str) -> Vec<u8> {
    let mut body =
        format!("--XX\r\ncontent-disposition: form-data; name=\"{name}\"{extra}\r\n\r\n")
            .into_bytes();
    body.extend_from_slice(packet);
    body.extend_from_slice(
        b"\r\n--XX\r\ncontent-disposition: form-data; name=\"b\"\r\n\r\nx\r\n--XX--\r\n",
    );
    body
}

#[tokio::test]
async fn every_form_is_opened_here_and_passed_on() {
    let places = network(&[relay(&[1]), relay(&[])]).await;
    let multipart = "multipart/form-data; boundary=XX";
    for place in &places {
        let posted = |kind: &'static str, body: Vec<u8>| async move {
            raw::post(place.addr, kind, &body).await
        };
        let make = || question(&places[1].record);
        let json = |data: String| serde_json::json!({ "data": data }).to_string().into_bytes();
        type Make = Box<dyn Fn(&[u8]) -> Vec<u8>>;
        let forms: Vec<(&str, &'static str, Make)> = vec![
            (
                "binary",
                "application/octet-stream",
                Box::new(<[u8]>::to_vec),
            ),
            (
                "binary, as curl sends it",
                "application/x-www-form-urlencoded",
                Box::new(<[u8]>::to_vec),
            ),
            ("armor", "text/plain", Box::new(|p| armored(p).into_bytes())),
            (
                "json with armor",
                "application/json",
                Box::new(move |p| json(armored(p))),
            ),
            (
                "json with base64",
                "application/json",
                Box::new(move |p| json(STANDARD.encode(p))),
            ),
            (
                "a file",
                multipart,
                Box::new(|p| form(p, "file", "; filename=\"a.bin\"")),
            ),
            (
                "a field with armor",
                multipart,
                Box::new(|p| form(armored(p).as_bytes(), "data", "")),
            ),
        ];
        for (what, kind, make_body) in forms {
            let outgoing = make();
            let raw = posted(kind, make_body(&outgoing.packet)).await;
            assert_eq!(raw.status, 200, "{what}: {raw:?}");
            assert_eq!(raw.header("content-type"), Some("application/octet-stream"));
            outgoing.pending.answer(&raw.body).expect(what);
        }
    }
}

/// 256 of them closed a node to everybody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_stand_still_keep_nobody_out_and_are_ended_in_time() {
    let places = network(&[relay(&[])]).await;
    let addr = places[0].addr;
    let head = b"POST /post HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 20000";
    let begun = [&head[..], b"\r\n\r\n{\"data\":\"", &[b'A'; 1_700]].concat();
    let started = Instant::now();
    let mut idle = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(&begun).await.unwrap();
        idle.push(stream);
    }
    let outgoing = question(&places[0].record);
    let body = serde_json::json!({ "data": STANDARD.encode(&outgoing.packet) }).to_string();
    let raw = raw::post(addr, "application/json", body.as_bytes()).await;
    assert_eq!(raw.status, 200);
    outgoing.pending.answer(&raw.body).unwrap();
    // A body of that size has 11 s, however long the largest may take.
    let raw = raw::read(&mut idle[0]).await.unwrap();
    assert_eq!(raw.status, 408);
    assert!(started.elapsed() < Duration::from_secs(18));
}

#[tokio::test]
async fn a_body_without_length_is_taken_whole() {
    let places = network(&[relay(&[])]).await;
    let outgoing = question(&places[0].record);
    let mut body = Vec::new();
    for piece in outgoing.packet.chunks(5_000) {
        body.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        body.extend_from_slice(piece);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    let head = "POST /post HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let raw = raw::send(places[0].addr, head, &body).await;
    assert_eq!(raw.status, 200, "{raw:?}");
    outgoing.pending.answer(&raw.body).unwrap();
}

#[tokio::test]
async fn broken_forms_are_refused() {
    let places = network(&[relay(&[])]).await;
    let packet = question(&places[0].record).packet;
    let short = form(&packet[..100], "file", "");
    let mut endless = form(&packet, "file", "");
    endless.truncate(9_000);
    for (kind, body) in [
        ("application/json", b"{\"data\": 5}".to_vec()),
        ("application/json", b"{".to_vec()),
        (
            "text/plain",
            armored(&packet).into_bytes()[..5_000].to_vec(),
        ),
        ("multipart/form-data; boundary=XX", short),
        ("multipart/form-data; boundary=XX", endless),
        (
            "multipart/form-data; boundary=YY",
            form(&packet, "file", ""),
        ),
    ] {
        let raw = raw::post(places[0].addr, kind, &body).await;
        assert_eq!(raw.status, 400, "{kind}: {raw:?}");
    }
}

#[tokio::test]
async fn a_body_without_length_is_bounded_too() {
    let places = network(&[relay(&[])]).await;
    let piece = format!("186a0\r\n{}\r\n", "A".repeat(100_000));
    let body = piece.repeat(21);
    let head = "POST /post HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let raw = raw::send(places[0].addr, head, body.as_bytes()).await;
    assert_eq!(raw.status, 413, "{raw:?}");
}
