//! Passing on, as it arrives.

use std::time::{Duration, Instant};

use layer_minus_http::{HttpClient, HttpError, HttpOptions, Limits, Reply};
use layer_minus_message::NodeRecord;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{
    raw::{self, filler, question},
    world::{LARGE, Maker, Place, Plan, SMALL, network, relay, until},
};

/// A relay that knows one node, which is a listener of the test.
async fn before_a_listener(limits: Limits) -> (Place, NodeRecord, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/post", listener.local_addr().unwrap());
    let record = Maker::new().record(&[url], false);
    let place = network(&[relay(&[]).limits(limits)]).await.remove(0);
    let now = layer_minus_http::clock::now();
    let source = layer_minus_routing::Source::Configured;
    place
        .gateway
        .table()
        .write()
        .unwrap()
        .insert(record.clone(), source, false, now)
        .unwrap();
    (place, record, listener)
}

fn impatient() -> Limits {
    Limits {
        lane_timeout: Duration::from_millis(50),
        ..Limits::default()
    }
}

/// Accepts until a packet of `size` is announced: the first connection asks for a lane.
async fn accept_packet(listener: &TcpListener, size: usize) -> (TcpStream, Vec<u8>) {
    let announced = format!("content-length: {size}");
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        let mut buffer = [0; 4_096];
        while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
            let count = stream.read(&mut buffer).await.unwrap();
            assert!(count > 0);
            bytes.extend_from_slice(&buffer[..count]);
        }
        let end = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap();
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        if head.contains(&announced) {
            return (stream, bytes.split_off(end + 4));
        }
    }
}

async fn begin(addr: std::net::SocketAddr, packet: &[u8], bytes: usize) -> TcpStream {
    let mut client = TcpStream::connect(addr).await.unwrap();
    let head = format!(
        "POST /post HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        packet.len()
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&packet[..bytes]).await.unwrap();
    client
}

const OCTETS: &str = "application/octet-stream";
/// The size of a sealed answer.
const SEALED: usize = 4_096;

/// A good answer, by its status.
fn answer(kind: &str, bytes: usize) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {bytes}\r\n\r\n");
    [head.into_bytes(), vec![b'x'; bytes]].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_hop_has_the_first_bytes_before_the_last_were_sent() {
    let (place, record, listener) = before_a_listener(impatient()).await;
    let packet = filler(&record, LARGE);
    let half = LARGE / 2;
    let mut client = begin(place.addr, &packet, half).await;
    let (mut next, mut got) = accept_packet(&listener, LARGE).await;
    let mut buffer = vec![0; 65_536];
    while got.len() < half {
        let count = next.read(&mut buffer).await.unwrap();
        got.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(got, packet[..half]);
    client.write_all(&packet[half..]).await.unwrap();
    while got.len() < LARGE {
        let count = next.read(&mut buffer).await.unwrap();
        got.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(got, packet);
    next.write_all(&answer(OCTETS, SEALED)).await.unwrap();
    let raw = raw::read(&mut client).await.unwrap();
    assert_eq!((raw.status, &raw.body[..]), (200, &[b'x'; SEALED][..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_ends_short_voids_the_request_to_the_next_hop() {
    let (place, record, listener) = before_a_listener(impatient()).await;
    let packet = filler(&record, LARGE);
    let client = begin(place.addr, &packet, LARGE - 1).await;
    let (mut next, mut got) = accept_packet(&listener, LARGE).await;
    drop(client);
    let mut buffer = vec![0; 65_536];
    let ended = timeout(Duration::from_secs(5), async {
        loop {
            match next.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => got.extend_from_slice(&buffer[..count]),
            }
        }
    });
    ended.await.expect("the relay must close the connection");
    assert!(got.len() < LARGE, "and never make the body whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_next_hop_that_does_not_answer_is_a_bad_gateway() {
    let (place, record, listener) = before_a_listener(impatient()).await;
    drop(listener);
    let packet = question(&record).packet;
    let raw = raw::post(place.addr, "application/octet-stream", &packet).await;
    assert_eq!(raw.status, 502);

    // One that closes without a word, one that talks nonsense, one that has trouble of its own.
    for (answer, status) in [
        ("", 502),
        ("nonsense\r\n\r\n", 502),
        ("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", 502),
        ("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", 503),
        ("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", 404),
        (
            "HTTP/1.1 301 There\r\nlocation: /\r\ncontent-length: 0\r\n\r\n",
            502,
        ),
    ] {
        let (place, record, listener) = before_a_listener(impatient()).await;
        let serving = tokio::spawn(async move {
            let (mut next, _) = accept_packet(&listener, LARGE).await;
            let mut buffer = vec![0; 65_536];
            let mut missing = LARGE - 20_000;
            while missing > 0 {
                let count = next.read(&mut buffer).await.unwrap_or(0);
                missing = if count == 0 {
                    0
                } else {
                    missing.saturating_sub(count)
                };
            }
            next.write_all(answer.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        });
        let packet = filler(&record, LARGE);
        let raw = raw::post(place.addr, "application/octet-stream", &packet).await;
        assert_eq!(raw.status, status, "{answer}");
        serving.await.unwrap();
    }
}

/// Whoever is at a next hop's URL may be a server that never heard of this network, and its pages
/// are not for strangers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_a_sealed_answer_is_not_passed_back() {
    for (kind, bytes, status) in [
        (OCTETS, SEALED, 200),
        (OCTETS, 64_000, 200),
        // Sealed by several nodes, when the content just fits.
        (OCTETS, 64_104, 200),
        (OCTETS, SEALED - 1, 502),
        (OCTETS, 70_000, 502),
        (OCTETS, 4, 502),
        ("text/html", SEALED, 502),
        ("application/json", SEALED, 502),
    ] {
        let (place, record, listener) = before_a_listener(impatient()).await;
        let serving = tokio::spawn(async move {
            let (mut next, mut got) = accept_packet(&listener, LARGE).await;
            let mut buffer = vec![0; 65_536];
            while got.len() < LARGE {
                let count = next.read(&mut buffer).await.unwrap();
                got.extend_from_slice(&buffer[..count]);
            }
            next.write_all(&answer(kind, bytes)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        });
        let raw = raw::post(place.addr, OCTETS, &filler(&record, LARGE)).await;
        assert_eq!(raw.status, status, "{kind} of {bytes} bytes");
        let secret = raw.body.windows(4).any(|part| part == b"xxxx");
        assert_eq!(secret, status == 200, "{kind} of {bytes} bytes");
        serving.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_next_hop_that_takes_everything_and_says_nothing_is_a_gateway_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/post", listener.local_addr().unwrap());
    let record = Maker::new().record(&[url], false);
    let options = HttpOptions {
        answer_timeout: Duration::from_millis(500),
        ..HttpOptions::default()
    };
    let place = network(&[Plan {
        options,
        ..relay(&[]).limits(impatient())
    }])
    .await
    .remove(0);
    let now = layer_minus_http::clock::now();
    let source = layer_minus_routing::Source::Configured;
    place
        .gateway
        .table()
        .write()
        .unwrap()
        .insert(record.clone(), source, false, now)
        .unwrap();
    // The system accepts; a large packet does not even fit its buffers, a small one does.
    for size in [SMALL, LARGE] {
        let started = Instant::now();
        let packet = filler(&record, size);
        let raw = raw::post(place.addr, "application/octet-stream", &packet).await;
        assert_eq!(raw.status, 504, "{size}");
        assert!(started.elapsed() < Duration::from_secs(8));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_address_of_a_node_is_tried_when_nobody_is_at_the_first() {
    let places = network(&[relay(&[]), relay(&[])]).await;
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/post", listener.local_addr().unwrap())
    };
    let maker = Maker::new();
    let record = maker.record(&[gone, places[1].url().to_owned()], false);
    let now = layer_minus_http::clock::now();
    let source = layer_minus_routing::Source::Configured;
    let table = places[0].gateway.table();
    table
        .write()
        .unwrap()
        .insert(record.clone(), source, false, now)
        .unwrap();
    // The second node opens with the keys of the one that it stands for.
    places[1].gateway.set_identity(maker.keys(), record.clone());
    let outgoing = question(&record);
    let raw = raw::post(places[0].addr, "application/octet-stream", &outgoing.packet).await;
    assert_eq!(raw.status, 200);
    outgoing.pending.answer(&raw.body).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_says_what_happened() {
    let places = network(&[relay(&[1]), relay(&[])]).await;
    let options = HttpOptions {
        answer_timeout: Duration::from_millis(300),
        ..HttpOptions::default()
    };
    let client = HttpClient::new(options).unwrap();

    let seen = std::sync::Mutex::new(Vec::new());
    let outgoing = question(&places[1].record);
    let tell = |sent| seen.lock().unwrap().push(sent);
    let reply = client
        .post(places[0].url(), outgoing.packet, Some(&tell))
        .await
        .unwrap();
    let Reply::Once(record) = reply else {
        panic!("a stream")
    };
    outgoing.pending.answer(&record).unwrap();
    let seen = seen.into_inner().unwrap();
    assert!(seen.is_sorted() && seen.last() == Some(&16_000), "{seen:?}");

    let outgoing = question(&places[1].record);
    let wrong = places[0].url().replace("/post", "/other");
    let error = client
        .post(&wrong, outgoing.packet.clone(), None)
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(404));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/post", listener.local_addr().unwrap());
    let started = Instant::now();
    let error = client
        .post(&url, outgoing.packet.clone(), None)
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3));
    drop(listener);
    let error = client
        .post(&url, outgoing.packet.clone(), None)
        .await
        .unwrap_err();
    assert!(error.is_connect(), "{error}");

    for url in ["", "post", "ftp://a/b", "http:///post", "/post"] {
        let error = client
            .post(url, outgoing.packet.clone(), None)
            .await
            .unwrap_err();
        assert!(matches!(error, HttpError::Url(_)), "{url}: {error}");
    }
    let error = client.get(places[0].url(), 100).await.unwrap_err();
    assert_eq!(error.status(), Some(405));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outgoing_connections_come_from_the_address_that_was_set() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/f", listener.local_addr().unwrap());
    let source = Some(std::net::Ipv4Addr::new(127, 0, 0, 77).into());
    let client = HttpClient::new(HttpOptions {
        source,
        ..HttpOptions::default()
    })
    .unwrap();
    let accepting = tokio::spawn(async move {
        let (mut stream, peer) = listener.accept().await.unwrap();
        let mut buffer = [0; 1_024];
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
            .await
            .unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        peer.ip()
    });
    assert_eq!(client.get(&url, 100).await.unwrap(), "hello");
    drop(client);
    assert_eq!(accepting.await.unwrap().to_string(), "127.0.0.77");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_longer_than_allowed_is_not_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/f", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1_024];
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'x'; 1_000]).await.is_ok() {}
    });
    let client = HttpClient::new(HttpOptions::default()).unwrap();
    let error = client.get(&url, 10_000).await.unwrap_err();
    assert!(
        matches!(error, HttpError::TooLong { limit: 10_000 }),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_point_at_each_other_do_not_keep_a_packet_going_round() {
    let places = network(&[relay(&[]).tapped(), relay(&[]).tapped()]).await;
    let maker = Maker::new();
    for (at, other) in [(0, 1), (1, 0)] {
        let record = maker.record(&[places[other].url().to_owned()], false);
        let now = layer_minus_http::clock::now();
        let source = layer_minus_routing::Source::Configured;
        let mut table = places[at].gateway.table().write().unwrap();
        table.insert(record, source, false, now).unwrap();
    }
    let packet = filler(&maker.record(&[places[0].url().to_owned()], false), LARGE);
    let raw = raw::post(places[0].addr, "application/octet-stream", &packet).await;
    assert_eq!(raw.status, 404);
    let passes: usize = places
        .iter()
        .flat_map(|place| place.tap.as_ref().unwrap().packets())
        .filter(|body| body.len() == LARGE)
        .count();
    assert!(passes <= 3, "{passes}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_node_finishes_what_is_in_flight() {
    let (place, record, listener) = before_a_listener(impatient()).await;
    let addr = place.addr;
    let packet = filler(&record, LARGE);
    let mut client = begin(addr, &packet, LARGE / 2).await;
    let (mut next, _) = accept_packet(&listener, LARGE).await;
    let stopping = tokio::spawn(place.stop());
    let refused = || std::net::TcpStream::connect(addr).is_err();
    until("no new connections", refused).await;
    let draining = tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        let mut got = 0;
        while got < LARGE - 70_000 {
            got += next.read(&mut buffer).await.unwrap();
        }
        next.write_all(&answer(OCTETS, SEALED)).await.unwrap();
        next
    });
    client.write_all(&packet[LARGE / 2..]).await.unwrap();
    let raw = raw::read(&mut client).await.unwrap();
    assert_eq!(raw.status, 200);
    drop(draining.await.unwrap());
    timeout(Duration::from_secs(12), stopping)
        .await
        .expect("it stops")
        .unwrap();
}
