//! The admin address: `GET /healthz` says whether this node can keep what it accepts.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use layer_minus_http::clock;
use layer_minus_node::{Store as _, StoreError, Table};
use layer_minus_store_sqlite::SqliteStore;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Longest request that is read, bytes.
const REQUEST_BYTES_MAX: usize = 4_096;
/// For the whole of a request and its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests at a time; more wait.
const REQUESTS_MAX: usize = 8;
/// How long a finding is told again without a look: a probe must not become a load.
const FRESH: Duration = Duration::from_secs(2);
/// The row that is written to see that rows can be written.
const HEALTH_KEY: &[u8] = b"health";
/// The row that is written and taken back to see that there is room for a small packet: a store at
/// its limit still changes rows that are there.
const ROOM_KEY: &[u8] = b"health room";
const ROOM_BYTES: usize = 16_000;

/// Whether the node is well.
pub(super) struct Health {
    store: Mutex<(SqliteStore, Option<Finding>)>,
    stopping: AtomicBool,
}

struct Finding {
    at: Instant,
    result: Result<bool, StoreError>,
}

impl Health {
    /// Looks through a handle of its own, so that it waits for the node like any other process.
    pub(super) fn new(store: SqliteStore) -> Arc<Self> {
        Arc::new(Self {
            store: Mutex::new((store, None)),
            stopping: AtomicBool::new(false),
        })
    }

    /// From now on the answer is no: whoever balances load sends nothing more here.
    pub(super) fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Status and text. Writes a row, durably: a disk that is full or gone shows only then. A node that
    /// is down to its reserve is well: clients collect what makes it full.
    fn look(&self) -> (u16, String) {
        if self.stopping.load(Ordering::Relaxed) {
            return (503, "stopping\n".to_owned());
        }
        let mut guard = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let (store, found) = &mut *guard;
        if found
            .as_ref()
            .is_none_or(|found| found.at.elapsed() > FRESH)
        {
            let result = write(store).and_then(|()| store.has_room());
            if let Err(error) = &result {
                warn!(%error, "health: the store failed");
            }
            if result == Ok(false) {
                warn!("health: no room for new mail");
            }
            *found = Some(Finding {
                at: Instant::now(),
                result,
            });
        }
        match found.as_ref().map(|found| &found.result) {
            Some(Err(error)) => (503, format!("{error}\n")),
            Some(Ok(false)) => (200, "ok, but no room for new mail\n".to_owned()),
            _ => (200, "ok\n".to_owned()),
        }
    }
}

fn write(store: &mut SqliteStore) -> Result<(), StoreError> {
    store.begin()?;
    let now = clock::now().to_string();
    let written = store
        .put(Table::Meta, ROOM_KEY, &[0; ROOM_BYTES])
        .and_then(|()| store.delete(Table::Meta, ROOM_KEY))
        .and_then(|()| store.put(Table::Meta, HEALTH_KEY, now.as_bytes()))
        .and_then(|()| store.commit());
    if written.is_err() {
        // The first failure is the one to report.
        let _ = store.rollback();
    }
    written
}

/// Answers until `stop`, and then still says that the node is stopping, until the process ends.
pub(super) async fn serve(listener: TcpListener, health: Arc<Health>, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(REQUESTS_MAX));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let health = Arc::clone(&health);
                tokio::spawn(async move {
                    // A probe that is too slow or gone is nobody's loss.
                    let _ = timeout(REQUEST_TIMEOUT, answer(stream, health)).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!(kind = %error.kind(), "admin: accept failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
                if stop.is_cancelled() {
                    return;
                }
            }
        }
    }
}

async fn answer(mut stream: TcpStream, health: Arc<Health>) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 1_024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).await?;
        if count == 0 || request.len() + count > REQUEST_BYTES_MAX {
            return Ok(());
        }
        request.extend_from_slice(&buffer[..count]);
    }
    let (status, text) = match target(&request) {
        Some((method, "/healthz")) if method == "GET" || method == "HEAD" => {
            tokio::task::spawn_blocking(move || health.look())
                .await
                .unwrap_or_else(|_| (503, "health check failed\n".to_owned()))
        }
        Some((_, "/healthz")) => (405, "GET only\n".to_owned()),
        Some(_) => (404, "only /healthz is here\n".to_owned()),
        None => (400, "not a request\n".to_owned()),
    };
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Service Unavailable",
    };
    let body = if request.starts_with(b"HEAD ") {
        ""
    } else {
        text.as_str()
    };
    let response = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nconnection: close\r\n\r\n{body}",
        text.len()
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

/// Method and path of a request.
fn target(request: &[u8]) -> Option<(&str, &str)> {
    let line = request.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let path = target.split('?').next()?;
    words
        .next()?
        .starts_with("HTTP/1.")
        .then_some((method, path))
}

#[cfg(test)]
mod tests {
    use layer_minus_store_sqlite::Options;

    use super::*;

    #[test]
    fn requests_are_read() {
        let read = |text: &'static str| target(text.as_bytes());
        assert_eq!(
            read("GET /healthz HTTP/1.1\r\n\r\n"),
            Some(("GET", "/healthz"))
        );
        assert_eq!(
            read("GET /healthz?x=1 HTTP/1.0\r\n\r\n"),
            Some(("GET", "/healthz"))
        );
        for text in [
            "",
            "\r\n\r\n",
            "GET\r\n\r\n",
            "GET / HTTP/2\r\n\r\n",
            "GET /\r\n\r\n",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_store_at_its_limit_is_not_well() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let mut store = SqliteStore::open(&path, Options::default()).unwrap();
        write(&mut store).unwrap();
        let limit = std::fs::metadata(&path).unwrap().len() + 40_000;
        store.set_max_bytes(Some(limit)).unwrap();
        let fill = |key: &[u8], bytes: usize, store: &mut SqliteStore| {
            store.begin()?;
            store.put(Table::Bodies, key, &vec![1; bytes])?;
            store.commit()
        };
        // Smaller and smaller, until hardly a page is left.
        for bytes in [16_000, 4_000, 500] {
            let full = (0..1_000_u32).find_map(|number| {
                let key = [number.to_be_bytes(), (bytes as u32).to_be_bytes()].concat();
                fill(&key, bytes, &mut store).err()
            });
            assert!(matches!(full, Some(StoreError::Full(_))), "{full:?}");
        }
        let (status, text) = Health::new(store).look();
        assert_eq!(status, 503, "{text}");
        assert!(text.contains("full"), "{text}");
    }

    #[test]
    fn a_store_that_cannot_be_written_is_not_well() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        drop(SqliteStore::open(&path, Options::default()).unwrap());
        let health = Health::new(SqliteStore::open(&path, Options::default()).unwrap());
        assert_eq!(health.look().0, 200);
        health.stopping();
        assert_eq!(health.look(), (503, "stopping\n".to_owned()));

        let mut options = Options::default();
        options.busy_timeout = Duration::from_millis(50);
        let health = Health::new(SqliteStore::open(&path, options).unwrap());
        let mut other = SqliteStore::open(&path, Options::default()).unwrap();
        other.begin().unwrap();
        let (status, text) = health.look();
        assert_eq!(status, 503, "{text}");
        other.rollback().unwrap();
        // Told again while it is fresh, then looked at anew.
        assert_eq!(health.look().0, 503);
        std::thread::sleep(FRESH + Duration::from_millis(50));
        assert_eq!(health.look().0, 200);
    }
}
