//! Running the node: the parts are put together here, in the order in which they may fail.

mod admin;
mod announce;
mod logs;
mod refresh;
mod signals;

use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    thread::JoinHandle,
    time::Duration,
};

use layer_minus_http::{
    Gateway, HttpClient, HttpOptions, NodeHandle, ServerConfig, clock, serve, spawn_node,
};
use layer_minus_message::NodeRecord;
use layer_minus_node::{Node, NodeKeys};
use layer_minus_routing::{Table, directory::Entry};
use layer_minus_store_sqlite::SqliteStore;
use rand::rngs::OsRng;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    app::Composition, config::Config, directory, error::DaemonError, keys, out::Out, password,
    record, store,
};
use signals::{Signal, Signals};

/// How often the running node looks whether its record is due and its thread alive.
const WATCH: Duration = Duration::from_secs(1);
/// How long the node's thread may take to finish its last batch.
const LAST_BATCH: Duration = Duration::from_secs(10);

/// What a program that starts a node needs to know, in particular with port 0.
#[derive(Serialize)]
struct Started {
    listening: String,
    admin: Option<String>,
    node: String,
    pid: u32,
}

/// Runs until a signal or a failure.
pub(crate) fn run(
    composition: Composition,
    config: &Config,
    password_file: Option<&Path>,
    out: Out,
) -> Result<(), DaemonError> {
    logs::start(config.log());
    let password = password::find(password_file)?;
    let keys = keys::load(config, &password)?;
    drop(password);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| DaemonError::Failed(format!("cannot start the runtime: {error}")))?;
    let result = runtime.block_on(run_with(composition, config, keys, out));
    // What still waits on the disk or on a name server must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match &result {
        Ok(()) => info!("stopped"),
        Err(error) => error!(%error, "stopped"),
    }
    result
}

async fn run_with(
    composition: Composition,
    config: &Config,
    keys: NodeKeys,
    out: Out,
) -> Result<(), DaemonError> {
    let mut signals = Signals::new()?;
    let _lock = store::lock(config)?;
    if let Some(tls) = config.tls_files() {
        tls.check()?;
    }
    let listener = bind(config.http.listen).await?;
    let admin = match config.http.admin {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let keys = Arc::new(keys);
    let now = clock::now();
    let record = record::current(config, composition, &keys, now)?;
    let table = Table::new(config.directory.limits(), config.network());
    let store = store::open_to_run(config)?;
    let health = admin::Health::new(store::open(config)?);
    let node = Node::open(
        store,
        Arc::clone(&keys),
        config.node(composition),
        now,
        &mut OsRng,
    )
    .map_err(store::failed(config))?;
    let client = HttpClient::new(HttpOptions {
        source: config.http.source,
        extra_roots: config.http.extra_roots.clone(),
        allow_private: config.directory.allow_private,
        ..HttpOptions::default()
    })?;
    let limits = config.limits.http();
    let (handle, thread) = spawn_node(node);
    let gateway = Arc::new(Gateway::new(
        Arc::clone(&keys),
        record.clone(),
        Arc::new(RwLock::new(table)),
        handle.clone(),
        client.clone(),
        limits.clone(),
    ));
    read_directory(&gateway, config);

    let address = |listener: &TcpListener| {
        listener
            .local_addr()
            .map_or_else(|_| "?".to_owned(), |address| address.to_string())
    };
    let started = Started {
        listening: address(&listener),
        admin: admin.as_ref().map(address),
        node: keys.wallet.address().to_string(),
        pid: std::process::id(),
    };
    let stop = CancellationToken::new();
    if let Some(admin) = admin {
        tokio::spawn(admin::serve(admin, Arc::clone(&health), stop.clone()));
    }
    let refresh = refresh::Refresh {
        config: config.clone(),
        keys: Arc::clone(&keys),
        gateway: Arc::clone(&gateway),
        client,
        stop: stop.clone(),
    };
    tokio::spawn(refresh.run());
    let announce = announce::Announce {
        config: config.clone(),
        gateway: Arc::clone(&gateway),
        stop: stop.clone(),
    };
    let server = ServerConfig {
        listen: config.http.listen,
        path: config.http.path.clone(),
        tls: config.tls_files(),
        limits,
        source: config.http.source,
    };
    let served = tokio::spawn(serve(listener, Arc::clone(&gateway), server, stop.clone()));
    // They ask back, so it is after the server was started.
    tokio::spawn(announce.run());
    let (listening, node) = (&started.listening, &started.node);
    info!(%listening, admin = started.admin, %node, program = composition.name(), "started");
    out.line(|| format!("{node} listens on {listening}"), &started)?;

    let mut served = Served {
        task: served,
        thread,
        handle,
        stop,
    };
    let watch = Watch {
        composition,
        config,
        keys: &keys,
        gateway: &gateway,
    };
    let outcome = watch.until_end(record, &mut served, &mut signals).await;
    // Before the log says so: whoever reads it there finds the admin address agreeing.
    health.stopping();
    if let Ok(signal) = outcome {
        info!(signal, "stopping");
    }
    let ended = tokio::select! {
        ended = served.end() => ended,
        signal = signals.terminate() => {
            warn!(signal, "second signal: ending at once");
            Err(DaemonError::Failed("ended at once by a second signal".to_owned()))
        }
    };
    outcome.and(ended)
}

async fn bind(address: std::net::SocketAddr) -> Result<TcpListener, DaemonError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| DaemonError::Failed(format!("cannot listen on {address}: {error}")))
}

/// Reads the directory files into the table: at the start, and again at SIGHUP.
fn read_directory(gateway: &Gateway, config: &Config) {
    let now = clock::now();
    let mut table = gateway
        .table()
        .write()
        .unwrap_or_else(PoisonError::into_inner);
    let listed = directory::fill(&mut table, config, now);
    let (nodes, unaddressed) = (table.len(), table.unaddressed_len());
    drop(table);
    let mut refused = 0;
    for entry in &listed {
        match &entry.line.result {
            Ok(Entry::Record(_) | Entry::Unaddressed(_)) => {}
            Err(reason) => {
                refused += 1;
                let (file, name) = (entry.file.display(), &entry.line.name);
                warn!(%file, %name, %reason, "directory entry refused");
            }
        }
    }
    info!(nodes, unaddressed, refused, "directory read");
}

/// What runs.
struct Served {
    task: tokio::task::JoinHandle<Result<(), layer_minus_http::HttpError>>,
    thread: JoinHandle<Node<SqliteStore>>,
    handle: NodeHandle,
    stop: CancellationToken,
}

impl Served {
    /// Whether something ended that should run as long as the process.
    fn has_ended(&self) -> Option<&'static str> {
        if self.thread.is_finished() {
            Some("the node's thread")
        } else if self.task.is_finished() {
            Some("the server")
        } else {
            None
        }
    }

    /// Ends the server, which has its own limit for what is in flight, then the node's thread, so
    /// that the store is closed with everything in it.
    async fn end(self) -> Result<(), DaemonError> {
        self.stop.cancel();
        let served = self.task.await;
        self.handle.stop();
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join().map(drop).is_ok());
        match tokio::time::timeout(LAST_BATCH, joined).await {
            Ok(Ok(true)) => {}
            Ok(_) => return Err(DaemonError::Failed("the node's thread panicked".to_owned())),
            Err(_) => warn!("the last batch was not finished in time"),
        }
        match served {
            Ok(result) => Ok(result?),
            Err(error) => Err(DaemonError::Failed(format!("the server failed: {error}"))),
        }
    }
}

/// What is looked after while the node runs.
struct Watch<'a> {
    composition: Composition,
    config: &'a Config,
    keys: &'a Arc<NodeKeys>,
    gateway: &'a Gateway,
}

impl Watch<'_> {
    /// Returns at the first signal to stop, with its name, or when something failed.
    async fn until_end(
        &self,
        mut record: NodeRecord,
        served: &mut Served,
        signals: &mut Signals,
    ) -> Result<&'static str, DaemonError> {
        let mut interval = tokio::time::interval(WATCH);
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Terminate(name) => return Ok(name),
                    Signal::Reload => read_directory(self.gateway, self.config),
                },
                _ = interval.tick() => {
                    if let Some(what) = served.has_ended() {
                        return Err(DaemonError::Failed(format!("{what} ended by itself")));
                    }
                    self.renew(&mut record);
                }
            }
        }
    }

    fn renew(&self, record: &mut NodeRecord) {
        let now = clock::now();
        if now < record::renewal(record) {
            return;
        }
        match record::current(self.config, self.composition, self.keys, now) {
            Ok(renewed) => {
                info!(valid_until = renewed.body.valid_until, "record renewed");
                self.gateway
                    .set_identity(Arc::clone(self.keys), renewed.clone());
                *record = renewed;
            }
            // Tried again; the old one is good for as long again.
            Err(error) => error!(%error, "record not renewed"),
        }
    }
}
