//! A network of nodes on 127.0.0.1, with real sockets, and clients that talk to it.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc
)] // each test uses a part

pub mod person;
pub mod sink;
pub mod tap;

use std::{
    net::SocketAddr,
    sync::{Arc, RwLock},
    thread::JoinHandle,
};

use layer_minus_http::{
    Gateway, HttpClient, HttpOptions, Limits, NodeHandle, ServerConfig, TlsFiles, clock, serve,
    spawn_node,
};
use layer_minus_message::{NodeRecord, Prices, RecordBody};
use layer_minus_node::{Node, NodeConfig, NodeKeys, memory::MemoryStore};
use layer_minus_packet::Sizes;
use layer_minus_routing::{Source, Table, TableLimits};
use layer_minus_seal::{Certificate, Keyring, SecretCertificate, Version};
use layer_minus_wallet::{Address, Wallet};
use rand::rngs::OsRng;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::tap::Tap;

pub const NETWORK: &str = "testnet";
pub const SMALL: usize = 16_000;
pub const LARGE: usize = 1_000_000;

/// What is special about a node.
#[derive(Clone, Default)]
pub struct Plan {
    /// The nodes in its directory, by number.
    pub knows: Vec<usize>,
    /// Whether a tap stands before it.
    pub tapped: bool,
    /// Whether it takes clients; each has a credit of a dollar.
    pub takes_clients: bool,
    /// How long a push may take before the stream ends, seconds.
    pub slow_reader_secs: Option<u64>,
    pub limits: Limits,
    /// Its files for TLS.
    pub tls: Option<TlsFiles>,
    /// How it reaches others.
    pub options: HttpOptions,
}

/// A node that knows those nodes.
pub fn relay(knows: &[usize]) -> Plan {
    Plan {
        knows: knows.to_vec(),
        ..Plan::default()
    }
}

/// A node that takes clients.
pub fn recipient(knows: &[usize]) -> Plan {
    Plan {
        takes_clients: true,
        ..relay(knows)
    }
}

impl Plan {
    pub fn tapped(self) -> Self {
        Self {
            tapped: true,
            ..self
        }
    }

    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

pub struct Place {
    pub record: NodeRecord,
    pub keys: Arc<NodeKeys>,
    pub gateway: Arc<Gateway>,
    pub addr: SocketAddr,
    pub tap: Option<Tap>,
    pub config: NodeConfig,
    handle: NodeHandle,
    thread: JoinHandle<Node<MemoryStore>>,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
    server: ServerConfig,
}

impl Place {
    /// Where the world posts packets for it.
    pub fn url(&self) -> &str {
        &self.record.body.urls[0]
    }

    pub fn address(&self) -> Address {
        self.record.node()
    }

    /// Stops it and gives what it has stored.
    pub async fn stop(self) -> Node<MemoryStore> {
        self.stop.cancel();
        self.serving.await.unwrap();
        self.handle.stop();
        let thread = self.thread;
        tokio::task::spawn_blocking(move || thread.join().unwrap())
            .await
            .unwrap()
    }

    /// Stops it and starts it again at the same address, with the store that `change` makes of the
    /// old one.
    pub async fn restart(mut self, change: impl FnOnce(MemoryStore) -> MemoryStore) -> Self {
        let (keys, record, server) = (self.keys.clone(), self.record.clone(), self.server.clone());
        let (config, addr) = (self.config.clone(), self.addr);
        let table = Arc::clone(self.gateway.table());
        let tap = self.tap.take();
        let node = self.stop().await;
        let store = change(node.store().clone());
        let listener = TcpListener::bind(addr).await.unwrap();
        start(Start {
            keys,
            record,
            server,
            config,
            table,
            store,
            listener,
            tap,
            options: HttpOptions::default(),
        })
    }
}

struct Start {
    keys: Arc<NodeKeys>,
    record: NodeRecord,
    server: ServerConfig,
    config: NodeConfig,
    table: Arc<RwLock<Table>>,
    store: MemoryStore,
    listener: TcpListener,
    tap: Option<Tap>,
    options: HttpOptions,
}

fn start(start: Start) -> Place {
    let Start {
        keys,
        record,
        server,
        config,
        table,
        store,
        listener,
        tap,
        options,
    } = start;
    let now = clock::now();
    let node = Node::open(store, keys.clone(), config.clone(), now, &mut OsRng).unwrap();
    let (handle, thread) = spawn_node(node);
    let client = HttpClient::new(options).unwrap();
    let gateway = Arc::new(Gateway::new(
        keys.clone(),
        record.clone(),
        table,
        handle.clone(),
        client,
        server.limits.clone(),
    ));
    let stop = CancellationToken::new();
    let addr = listener.local_addr().unwrap();
    let served = serve(listener, gateway.clone(), server.clone(), stop.clone());
    let serving = tokio::spawn(async move { served.await.unwrap() });
    Place {
        record,
        keys,
        gateway,
        addr,
        tap,
        config,
        handle,
        thread,
        stop,
        serving,
        server,
    }
}

/// Who a node is before it runs.
pub struct Maker {
    pub wallet: Wallet,
    pub cash: Address,
    pub certificate: SecretCertificate,
}

impl Maker {
    pub fn new() -> Self {
        let wallet = Wallet::generate(&mut OsRng);
        let name = wallet.address().to_string();
        let now = clock::now();
        let certificate = SecretCertificate::generate(&mut OsRng, now, Version::V6, &name).unwrap();
        Self {
            wallet,
            cash: Wallet::generate(&mut OsRng).address(),
            certificate,
        }
    }

    pub fn record(&self, urls: &[String], takes_clients: bool) -> NodeRecord {
        self.record_with(&self.certificate.certificate(), urls, takes_clients)
    }

    /// A record with a certificate of which this node need not have the keys.
    pub fn record_with(
        &self,
        certificate: &Certificate,
        urls: &[String],
        takes_clients: bool,
    ) -> NodeRecord {
        let now = clock::now();
        let body = RecordBody {
            network: NETWORK.to_owned(),
            node: self.wallet.address(),
            cash: self.cash,
            certificate: certificate.to_bytes(),
            next_certificate: None,
            urls: urls.to_vec(),
            takes_clients,
            sizes: vec![SMALL as u32, LARGE as u32],
            prices: Prices::default(),
            prices_until: now + 86_400,
            minimum_authorization: 1_000_000,
            retention_secs: 7 * 86_400,
            valid_from: now - 60,
            valid_until: now + 86_400,
            sequence: 1,
        };
        NodeRecord::sign(&self.wallet, body).unwrap()
    }

    pub fn keys(&self) -> Arc<NodeKeys> {
        Arc::new(NodeKeys {
            network: NETWORK.to_owned(),
            wallet: self.wallet.clone(),
            cash: self.cash,
            keyring: Keyring::from(self.certificate.clone()),
            sizes: Sizes::default(),
        })
    }
}

/// A table with these nodes, as an operator configures them.
pub fn table<'a>(records: impl IntoIterator<Item = &'a NodeRecord>) -> Arc<RwLock<Table>> {
    let mut table = Table::new(TableLimits::default(), NETWORK);
    for record in records {
        table
            .insert(record.clone(), Source::Configured, false, clock::now())
            .unwrap();
    }
    Arc::new(RwLock::new(table))
}

/// Starts nodes that know each other as their plans say.
pub async fn network(plans: &[Plan]) -> Vec<Place> {
    let mut made = Vec::new();
    for plan in plans {
        let maker = Maker::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let tap = if plan.tapped {
            Some(Tap::before(addr).await)
        } else {
            None
        };
        let at = tap.as_ref().map_or(addr, |tap| tap.addr);
        let scheme = if plan.tls.is_some() { "https" } else { "http" };
        let host = if plan.tls.is_some() {
            "localhost"
        } else {
            "127.0.0.1"
        };
        let url = format!("{scheme}://{host}:{}/post", at.port());
        let record = maker.record(&[url], plan.takes_clients);
        made.push((maker, listener, tap, record));
    }
    let records: Vec<NodeRecord> = made.iter().map(|(.., record)| record.clone()).collect();
    let mut places = Vec::new();
    for (plan, (maker, listener, tap, record)) in plans.iter().zip(made) {
        let known = table(plan.knows.iter().map(|&number| &records[number]));
        let config = NodeConfig {
            takes_clients: plan.takes_clients,
            default_credit_pusd: 1_000_000_000_000,
            slow_reader_secs: plan.slow_reader_secs.unwrap_or(60),
            ..NodeConfig::default()
        };
        let server = ServerConfig {
            listen: listener.local_addr().unwrap(),
            tls: plan.tls.clone(),
            limits: plan.limits.clone(),
            ..ServerConfig::default()
        };
        let keys = maker.keys();
        let store = MemoryStore::new();
        let options = plan.options.clone();
        places.push(start(Start {
            keys,
            record,
            server,
            config,
            table: known,
            store,
            listener,
            tap,
            options,
        }));
    }
    places
}

/// Waits until it is so, at most 10 s.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if so() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("not within 10 s: {what}");
}
