//! The people and nodes of the tests, always the same.

use std::sync::LazyLock;

use layer_minus_message::{
    Acceptance, AcceptanceBody, Authorization, Card, CardBody, Chain, Channel, Claims, FullCard,
    InboxToken, LaneParty, LaneVoucher, Letter, NodeRecord, Part, Prices, RecordBody, Registration,
    lane_channel, letter::sha256,
};
use layer_minus_seal::{SecretCertificate, Version};
use layer_minus_wallet::{DeviceKey, Scope, Wallet};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

pub(crate) const NETWORK: &str = "vectors";
pub(crate) const NOW: u64 = 1_800_000_000;
const DAY_SECS: u64 = 86_400;

pub(crate) struct World {
    /// Peter writes to Bobo.
    pub(crate) peter: Wallet,
    pub(crate) peter_device: DeviceKey,
    pub(crate) bobo: Wallet,
    pub(crate) bobo_cash: Wallet,
    pub(crate) bobo_device: DeviceKey,
    pub(crate) card: Card,
    pub(crate) node: Wallet,
    pub(crate) node_cash: Wallet,
    pub(crate) node_device: DeviceKey,
    pub(crate) record: NodeRecord,
    pub(crate) authorization: Authorization,
}

pub(crate) fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(World::new);
    &WORLD
}

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn certificate(rng: &mut ChaCha20Rng, version: Version, wallet: &Wallet) -> Vec<u8> {
    let name = wallet.address().to_string();
    SecretCertificate::generate(rng, NOW, version, &name)
        .unwrap()
        .certificate()
        .to_bytes()
}

impl World {
    fn new() -> Self {
        let rng = &mut rng(0);
        let [peter, bobo, bobo_cash, node, node_cash] =
            std::array::from_fn(|_| Wallet::generate(rng));
        let mut device = |wallet: &Wallet, scope| {
            DeviceKey::generate(&mut *rng, wallet, NETWORK, scope, NOW - 60, 30 * DAY_SECS).unwrap()
        };
        let peter_device = device(&peter, Scope::ALL);
        let bobo_device = device(&bobo, Scope::ALL);
        let node_device = device(&node, Scope::REQUEST);
        let body = CardBody {
            network: NETWORK.to_owned(),
            wallet: bobo.address(),
            node: node.address(),
            certificate: certificate(rng, Version::V6, &bobo),
            valid_from: NOW,
            valid_until: NOW + 30 * DAY_SECS,
            version: 3,
        };
        let card = Card::sign(&bobo, body).unwrap();
        let body = RecordBody {
            network: NETWORK.to_owned(),
            node: node.address(),
            cash: node_cash.address(),
            certificate: certificate(rng, Version::V4, &node),
            next_certificate: Some(certificate(rng, Version::V6, &node)),
            urls: vec![
                "https://node.example/post".into(),
                "http://[2001:db8::1]:8080/p".into(),
            ],
            takes_clients: true,
            sizes: vec![16_000, 1_000_000],
            prices: Prices::default(),
            prices_until: NOW + 30 * DAY_SECS,
            minimum_authorization: 1_000_000_000,
            retention_secs: 7 * DAY_SECS,
            valid_from: NOW,
            valid_until: NOW + 30 * DAY_SECS,
            sequence: 12,
        };
        let record = NodeRecord::sign(&node, body).unwrap();
        let authorization = Authorization::sign(
            &bobo_cash,
            bobo.address(),
            (&record).into(),
            Chain::default(),
            5_000,
            NOW + 30 * DAY_SECS,
            rng,
        )
        .unwrap();
        Self {
            peter,
            peter_device,
            bobo,
            bobo_cash,
            bobo_device,
            card,
            node,
            node_cash,
            node_device,
            record,
            authorization,
        }
    }

    pub(crate) fn full_card(&self) -> FullCard {
        FullCard {
            card: self.card.signed.clone(),
            inbox: Some(InboxToken([0x1b; 16])),
        }
    }

    pub(crate) fn registration(&self) -> Registration {
        Registration {
            card: self.card.signed.clone(),
            authorization: self.authorization.clone(),
            invite: Some("k7q-invite".into()),
            inbox_digest: sha256(&[0x1b; 16]),
            strangers_bytes_per_day: 10_000_000,
        }
    }

    pub(crate) fn acceptance_body(&self) -> AcceptanceBody {
        AcceptanceBody {
            receipt: [0xac; 16],
            digest: sha256(b"sealed message"),
            accepted_at: NOW,
            kept_until: NOW + 7 * DAY_SECS,
        }
    }

    pub(crate) fn acceptance(&self) -> Acceptance {
        Acceptance::sign(&self.node, NETWORK, &self.acceptance_body(), &mut rng(1)).unwrap()
    }

    /// On which the node pays another one (here: itself) for what it forwards.
    pub(crate) fn lane_channel(&self) -> Channel {
        let party = LaneParty::from(&self.record);
        lane_channel(Chain::default(), party, party)
    }

    /// The node's promise of 12 units in all.
    pub(crate) fn voucher(&self) -> LaneVoucher {
        LaneVoucher::sign(&self.lane_channel(), &self.node, 12).unwrap()
    }

    /// A letter from Peter to Bobo that is all in one part.
    pub(crate) fn letter(&self, text: &'static str) -> Letter {
        let body = text.as_bytes();
        Letter {
            claims: Claims {
                version: 1,
                network: NETWORK.into(),
                from: self.peter.address(),
                to: self.bobo.address(),
                id: [0x1d; 16],
                sent_at: NOW,
                content_type: "text/plain; charset=utf-8".into(),
                name: None,
                in_reply_to: None,
                part: Part {
                    index: 0,
                    count: 1,
                    offset: 0,
                    total_bytes: body.len() as u64,
                    digest: sha256(body),
                },
                body_digest: sha256(body),
            },
            card: None,
            body: body.into(),
        }
    }
}
