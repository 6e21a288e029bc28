//! Nodes for the tests. They are made once a run: keys and signatures take time.

mod theft;

use std::sync::LazyLock;

use alloy_primitives::Address;
use layer_minus_message::{NodeRecord, Prices, RecordBody};
use layer_minus_packet::Fingerprint;
use layer_minus_seal::{Certificate, SecretCertificate, Version};
use layer_minus_wallet::Wallet;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use crate::table::{Table, TableLimits};

pub(crate) const NETWORK: &str = "test";
pub(crate) const NOW: u64 = 1_800_000_000;
/// Every record of the tests is valid for at least so long.
pub(crate) const LIFE_SECS: u64 = 1_000;

/// A node: a wallet and two certificates, so that it can rotate.
pub(crate) struct Node {
    pub(crate) wallet: Wallet,
    pub(crate) certificates: [Certificate; 2],
}

static NODES: LazyLock<Vec<Node>> = LazyLock::new(|| (0..7).map(Node::new).collect());

/// One of seven nodes.
pub(crate) fn node(number: usize) -> &'static Node {
    &NODES[number]
}

/// What is changed about a record; the rest is the same for all.
#[derive(Clone, Default)]
pub(crate) struct Change {
    pub(crate) certificate: Option<Certificate>,
    pub(crate) next: Option<Certificate>,
    pub(crate) life_secs: Option<u64>,
    pub(crate) url: Option<String>,
    pub(crate) network: Option<&'static str>,
}

impl Node {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let wallet = Wallet::generate(&mut rng);
        let name = wallet.address().to_string();
        let certificates = [Version::V6, Version::V4].map(|version| {
            SecretCertificate::generate(&mut rng, NOW, version, &name)
                .unwrap()
                .certificate()
        });
        Self {
            wallet,
            certificates,
        }
    }

    pub(crate) fn address(&self) -> Address {
        self.wallet.address()
    }

    pub(crate) fn key(&self) -> Fingerprint {
        self.certificates[0].encryption_key()
    }

    pub(crate) fn record(&self, sequence: u64) -> NodeRecord {
        self.changed(sequence, Change::default())
    }

    /// The record after rotation to the second certificate.
    pub(crate) fn rotated(&self, sequence: u64) -> NodeRecord {
        let certificate = Some(self.certificates[1].clone());
        self.changed(
            sequence,
            Change {
                certificate,
                ..Change::default()
            },
        )
    }

    pub(crate) fn changed(&self, sequence: u64, change: Change) -> NodeRecord {
        let certificate = change
            .certificate
            .unwrap_or_else(|| self.certificates[0].clone());
        let body = RecordBody {
            network: change.network.unwrap_or(NETWORK).to_owned(),
            node: self.address(),
            cash: Address::repeat_byte(0xca),
            certificate: certificate.to_bytes(),
            next_certificate: change.next.map(|next| next.to_bytes()),
            urls: vec![
                change
                    .url
                    .unwrap_or_else(|| "http://127.0.0.1:4000/post".to_owned()),
            ],
            takes_clients: false,
            sizes: vec![16_000, 1_000_000],
            prices: Prices::default(),
            prices_until: NOW + change.life_secs.unwrap_or(LIFE_SECS),
            minimum_authorization: 1_000_000,
            retention_secs: 86_400,
            valid_from: NOW,
            valid_until: NOW + change.life_secs.unwrap_or(LIFE_SECS),
            sequence,
        };
        NodeRecord::sign(&self.wallet, body).unwrap()
    }

    /// A certificate of this node under which somebody else's encryption subkey is bound.
    pub(crate) fn steal(&self, victim: &Certificate) -> Certificate {
        let mut rng = ChaCha20Rng::seed_from_u64(99);
        theft::steal(&mut rng, &self.address().to_string(), victim, NOW)
    }
}

/// A table that belongs to node 0.
pub(crate) fn table(limits: TableLimits) -> Table {
    let mut table = Table::new(limits, NETWORK);
    table.set_own(vec![node(0).key()], node(0).record(1));
    table
}
