//! What slow uploads cost a relay: 100 of 1 MB, held half-way, at most 64 KiB each.
//!
//! The relay is a process of its own, and what it costs is what the system says that it holds. Prints
//! one JSON object; fails above the limit. Linux only, as that is where the figure comes from.
//!
//! `cargo test -p layer-minus-http --test slow_uploads [-- UPLOADS]`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

#[path = "../sockets/world/mod.rs"]
mod world;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, Command, Stdio},
    time::Duration,
};

use layer_minus_http::{Limits, clock};
use layer_minus_message::{NodeRecord, SignedDocument};
use layer_minus_routing::Source;
use layer_minus_seal::seal_layer;
use rand::rngs::OsRng;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use world::{LARGE, Maker, NETWORK, network, relay, sink::Sink, until};

const UPLOADS: usize = 100;
const BYTES_EACH_MAX: u64 = 64 * 1024;
/// Runs as the relay when this is the first argument.
const RELAY: &str = "be-the-relay";

fn main() {
    let argument = std::env::args().nth(1).unwrap_or_default();
    if argument == "--list" || !cfg!(target_os = "linux") {
        return;
    }
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = threads.unwrap();
    if argument == RELAY {
        runtime.block_on(be_the_relay());
    } else {
        runtime.block_on(measure(argument.parse().unwrap_or(UPLOADS)));
    }
}

/// Knows one node, whose record comes on the first line of the input; says its port on the first line
/// of the output; lives until the input ends.
async fn be_the_relay() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let signed: SignedDocument = serde_json::from_str(&line).unwrap();
    let record = NodeRecord::read(signed, NETWORK, clock::now()).unwrap();
    let place = network(&[relay(&[]).limits(Limits::default())])
        .await
        .remove(0);
    let table = place.gateway.table();
    table
        .write()
        .unwrap()
        .insert(record, Source::Configured, false, clock::now())
        .unwrap();
    println!("{}", place.addr.port());
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let _ = ended.await;
}

struct Relay {
    child: Child,
    port: u16,
}

impl Relay {
    fn start(record: &NodeRecord) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(RELAY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = serde_json::to_string(&record.signed).unwrap();
        line.push('\n');
        child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(line.as_bytes())
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut port)
            .unwrap();
        Self {
            port: port.trim().parse().unwrap(),
            child,
        }
    }

    /// What the process holds in memory, bytes.
    fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

async fn begin(port: u16, packet: &[u8], bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = format!(
        "POST /post HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        packet.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&packet[..bytes]).await.unwrap();
    stream
}

async fn finish(mut stream: TcpStream, rest: &[u8]) {
    stream.write_all(rest).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

async fn measure(uploads: usize) {
    let sink = Sink::start().await;
    let maker = Maker::new();
    let record = maker.record(&[sink.url()], false);
    let relay = Relay::start(&record);
    let to = &record.certificate;
    let packet = seal_layer(&mut OsRng, to, &[b"nothing"], LARGE).unwrap();
    let half = LARGE / 2;

    // One that goes through, so that what is needed once is there.
    let first = begin(relay.port, &packet, half).await;
    finish(first, &packet[half..]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (before, sunk) = (relay.resident_bytes(), sink.bytes());

    let mut streams = Vec::new();
    for _ in 0..uploads {
        streams.push(begin(relay.port, &packet, half).await);
    }
    let wanted = sunk + (uploads * half) as u64;
    until("the next hop has every first half", || {
        sink.bytes() >= wanted
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let during = relay.resident_bytes();
    for stream in streams {
        finish(stream, &packet[half..]).await;
    }
    let each = during.saturating_sub(before) / uploads as u64;
    let object = serde_json::json!({
        "uploads": uploads,
        "packet_bytes": LARGE,
        "sent_bytes_each": half,
        "resident_before": before,
        "resident_during": during,
        "bytes_each": each,
        "bytes_each_max": BYTES_EACH_MAX,
    });
    println!("{object}");
    assert!(each <= BYTES_EACH_MAX, "a slow upload costs {each} bytes");
}
