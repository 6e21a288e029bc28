//! A wire tap: it stands before a node and keeps every byte that goes by.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What went by on one connection.
#[derive(Clone, Default)]
pub struct Link {
    pub up: Vec<u8>,
    pub down: Vec<u8>,
    pub closed: bool,
}

#[derive(Clone)]
pub struct Tap {
    pub addr: SocketAddr,
    links: Arc<Mutex<Vec<Link>>>,
}

impl Tap {
    /// Stands before that address.
    pub async fn before(node: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let links: Arc<Mutex<Vec<Link>>> = Arc::default();
        let tap = Self {
            addr,
            links: links.clone(),
        };
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let number = {
                    let mut links = links.lock().unwrap();
                    links.push(Link::default());
                    links.len() - 1
                };
                let links = links.clone();
                tokio::spawn(async move {
                    if let Ok(far) = TcpStream::connect(node).await {
                        pass(near, far, &links, number).await;
                    }
                    links.lock().unwrap()[number].closed = true;
                });
            }
        });
        tap
    }

    pub fn links(&self) -> Vec<Link> {
        self.links.lock().unwrap().clone()
    }

    pub fn clear(&self) {
        for link in self.links.lock().unwrap().iter_mut() {
            link.up.clear();
            link.down.clear();
        }
    }

    /// The bodies of all requests, complete or not.
    pub fn packets(&self) -> Vec<Vec<u8>> {
        self.links()
            .iter()
            .flat_map(|link| bodies(&link.up))
            .collect()
    }

    /// The bodies of all answers that have a length.
    pub fn answers(&self) -> Vec<Vec<u8>> {
        self.links()
            .iter()
            .flat_map(|link| bodies(&link.down))
            .collect()
    }
}

async fn pass(near: TcpStream, far: TcpStream, links: &Mutex<Vec<Link>>, number: usize) {
    let (mut near_read, mut near_write) = near.into_split();
    let (mut far_read, mut far_write) = far.into_split();
    let up = async {
        let mut buffer = vec![0; 16_384];
        while let Ok(count @ 1..) = near_read.read(&mut buffer).await {
            links.lock().unwrap()[number]
                .up
                .extend_from_slice(&buffer[..count]);
            if far_write.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
        // An end of one side ends both: nobody here half-closes.
    };
    let down = async {
        let mut buffer = vec![0; 16_384];
        while let Ok(count @ 1..) = far_read.read(&mut buffer).await {
            links.lock().unwrap()[number]
                .down
                .extend_from_slice(&buffer[..count]);
            if near_write.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

/// Cuts HTTP/1.1 messages with `content-length` apart.
pub fn bodies(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    while let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|length| length.trim().parse::<usize>().ok())
            .unwrap_or(0);
        let rest = &bytes[end + 4..];
        let (body, after) = rest.split_at(length.min(rest.len()));
        bodies.push(body.to_vec());
        bytes = after;
    }
    bodies
}
