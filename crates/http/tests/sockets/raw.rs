//! HTTP by hand, for what no decent client would send.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use layer_minus_client_sdk::{Desk, Network, Outgoing, Route};
use layer_minus_http::clock;
use layer_minus_message::NodeRecord;
use layer_minus_packet::Sizes;
use rand::rngs::OsRng;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::world::NETWORK;

/// An answer as it was on the wire.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Bytes,
}

impl Raw {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

/// Sends a request's head and body, and reads the answer until its length is there.
pub(crate) async fn send(addr: SocketAddr, head: &str, body: &[u8]) -> Raw {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // The answer may come before all of it was taken.
    let _ = stream.write_all(body).await;
    read(&mut stream).await.expect("no answer")
}

/// A `POST` of a body to `/post`.
pub(crate) async fn post(addr: SocketAddr, kind: &str, body: &[u8]) -> Raw {
    let head = format!(
        "POST /post HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    send(addr, &head, body).await
}

/// Reads one answer; none if the connection ends before it does.
pub(crate) async fn read(stream: &mut TcpStream) -> Option<Raw> {
    timeout(Duration::from_secs(20), async {
        let mut bytes = Vec::new();
        loop {
            if let Some(raw) = parse(&bytes) {
                return Some(raw);
            }
            let mut buffer = [0; 16_384];
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            }
        }
    })
    .await
    .expect("no answer within 20 s")
}

fn parse(bytes: &[u8]) -> Option<Raw> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let raw = Raw {
        status,
        head,
        body: Bytes::new(),
    };
    let length: usize = raw.header("content-length").unwrap_or("0").parse().ok()?;
    let body = bytes.get(end + 4..end + 4 + length)?;
    Some(Raw {
        body: Bytes::copy_from_slice(body),
        ..raw
    })
}

/// A small packet that asks a node for its directory.
pub(crate) fn question(node: &NodeRecord) -> Outgoing {
    let network = Network {
        id: NETWORK.to_owned(),
        sizes: Sizes::default(),
    };
    let route = Route::direct(node);
    Desk::new(&network, &route)
        .directory(None, clock::now(), &mut OsRng)
        .unwrap()
}

/// A packet of any listed size that is sealed to a node and holds nothing of use.
pub(crate) fn filler(node: &NodeRecord, size: usize) -> Bytes {
    layer_minus_seal::seal_layer(&mut OsRng, &node.certificate, &[b"nothing"], size).unwrap()
}
