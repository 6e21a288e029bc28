//! Nodes in this process, on free ports of 127.0.0.1.

use std::sync::{Arc, RwLock};

use anyhow::{Context as _, Result};
use layer_minus_core::{
    http::{Gateway, HttpClient, HttpOptions, Limits, ServerConfig, clock, serve, spawn_node},
    message::{NodeRecord, Prices, RecordBody},
    node::{Node, NodeConfig, NodeKeys, admin, memory::MemoryStore},
    packet::Sizes,
    routing::{Source, Table, TableLimits},
    seal::{Keyring, SecretCertificate, Version},
    wallet::{Address, Wallet},
};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running node.
#[derive(Debug)]
pub struct LocalNode {
    /// What it hands out.
    pub record: NodeRecord,
    /// Invite codes for those who register here.
    pub invites: Vec<String>,
    _stop: DropGuard,
}

/// Nodes that know each other.
#[derive(Debug)]
pub struct LocalNetwork {
    /// The network's id.
    pub id: String,
    /// The nodes, in the order asked for.
    pub nodes: Vec<LocalNode>,
}

struct Prepared {
    listener: TcpListener,
    keys: Arc<NodeKeys>,
    record: NodeRecord,
}

impl LocalNetwork {
    /// Starts nodes; those for which `takes_clients` is true are recipients, the others relays. Each
    /// has `invites` codes worth a dollar.
    pub async fn start(takes_clients: &[bool], invites: usize) -> Result<Self> {
        let id = "example".to_owned();
        let mut prepared = Vec::new();
        for &takes in takes_clients {
            prepared.push(prepare(&id, takes).await?);
        }
        let records: Vec<NodeRecord> = prepared.iter().map(|one| one.record.clone()).collect();
        let mut nodes = Vec::new();
        for one in prepared {
            nodes.push(run(&id, one, &records, invites)?);
        }
        Ok(Self { id, nodes })
    }
}

async fn prepare(network: &str, takes_clients: bool) -> Result<Prepared> {
    let mut rng = rand::rngs::OsRng;
    let now = clock::now();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let wallet = Wallet::generate(&mut rng);
    let name = wallet.address().to_string();
    let secret = SecretCertificate::generate(&mut rng, now, Version::V6, &name)?;
    let sizes = Sizes::default();
    let body = RecordBody {
        network: network.to_owned(),
        node: wallet.address(),
        cash: Wallet::generate(&mut rng).address(),
        certificate: secret.certificate().to_bytes(),
        next_certificate: None,
        urls: vec![format!("http://{}/post", listener.local_addr()?)],
        takes_clients,
        sizes: sizes
            .iter()
            .map(|size| u32::try_from(size).unwrap_or(u32::MAX))
            .collect(),
        prices: Prices::default(),
        prices_until: now + 86_400,
        minimum_authorization: 1_000_000,
        retention_secs: 86_400,
        valid_from: now,
        valid_until: now + 86_400,
        sequence: 1,
    };
    let cash = body.cash;
    let record = NodeRecord::sign(&wallet, body)?;
    let mut keyring = Keyring::default();
    keyring.insert(secret);
    let keys = NodeKeys {
        network: network.to_owned(),
        wallet,
        cash,
        keyring,
        sizes,
    };
    Ok(Prepared {
        listener,
        keys: Arc::new(keys),
        record,
    })
}

fn run(
    network: &str,
    prepared: Prepared,
    records: &[NodeRecord],
    invites: usize,
) -> Result<LocalNode> {
    const DOLLAR_PUSD: u64 = 1_000_000_000_000;
    let Prepared {
        listener,
        keys,
        record,
    } = prepared;
    let mut rng = rand::rngs::OsRng;
    let now = clock::now();
    let mut store = MemoryStore::new();
    let invites = (0..invites)
        .map(|_| admin::invite(&mut store, DOLLAR_PUSD, &mut rng))
        .collect::<Result<_, _>>()?;
    let config = NodeConfig {
        takes_clients: record.body.takes_clients,
        ..NodeConfig::default()
    };
    let node = Node::open(store, keys.clone(), config, now, &mut rng)?;
    let (handle, _thread) = spawn_node(node);
    let mut table = Table::new(TableLimits::default(), network);
    for other in records {
        if other.node() != record.node() {
            table.insert(other.clone(), Source::Configured, true, now)?;
        }
    }
    let client = HttpClient::new(HttpOptions::default())?;
    let table = Arc::new(RwLock::new(table));
    let limits = Limits::default();
    let gateway = Gateway::new(keys, record.clone(), table, handle, client, limits);
    let stop = CancellationToken::new();
    let serving = serve(
        listener,
        Arc::new(gateway),
        ServerConfig::default(),
        stop.clone(),
    );
    tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "node stopped");
        }
    });
    Ok(LocalNode {
        record,
        invites,
        _stop: stop.drop_guard(),
    })
}

impl LocalNetwork {
    /// The record of a node.
    pub fn record(&self, node: &Address) -> Result<&NodeRecord> {
        let found = self.nodes.iter().find(|known| known.record.node() == *node);
        Ok(&found.context("no such node in this network")?.record)
    }
}
