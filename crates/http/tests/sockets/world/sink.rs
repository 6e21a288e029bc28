//! A next hop that reads and forgets: it answers every request with what has the length of a sealed
//! answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub struct Sink {
    pub addr: SocketAddr,
    /// Bytes of bodies that came.
    pub bytes: Arc<AtomicU64>,
}

impl Sink {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let bytes: Arc<AtomicU64> = Arc::default();
        let count = bytes.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(swallow(stream, count.clone()));
            }
        });
        Self { addr, bytes }
    }

    pub fn url(&self) -> String {
        format!("http://{}/post", self.addr)
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

async fn swallow(mut stream: TcpStream, bytes: Arc<AtomicU64>) {
    let mut buffer = vec![0; 65_536];
    let mut held = 0;
    loop {
        let Some(end) = buffer[..held]
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
        else {
            match stream.read(&mut buffer[held..]).await {
                Ok(count @ 1..) => held += count,
                _ => return,
            }
            continue;
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|length| length.trim().parse().ok())
            .unwrap_or(0);
        let mut got = (held - end - 4).min(length);
        bytes.fetch_add(got as u64, Ordering::Relaxed);
        held = 0;
        while got < length {
            match stream.read(&mut buffer).await {
                Ok(count @ 1..) => {
                    got += count;
                    bytes.fetch_add(count as u64, Ordering::Relaxed);
                }
                _ => return,
            }
        }
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: 4096";
        let answer = [head.as_bytes(), b"\r\n\r\n", &[0; 4_096]].concat();
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}
