//! Who takes part: keys, certificates and identities, made once and shared by all seeds, because
//! making them costs more than a whole run.

use std::sync::{Arc, OnceLock};

use layer_minus_client_sdk::{Identity, Network, Wallets};
use layer_minus_message::{NodeRecord, Prices, RecordBody};
use layer_minus_node::NodeKeys;
use layer_minus_packet::Sizes;
use layer_minus_seal::{Keyring, SecretCertificate, Version};
use layer_minus_wallet::Wallet;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The network's id.
pub(crate) const NETWORK: &str = "sim";
/// When keys and delegations were made, unix seconds. Worlds begin a day later, so that a clock
/// that is set back finds them valid.
const MADE_AT: u64 = 1_800_000_000;
/// When every world begins, unix seconds.
pub(crate) const START: u64 = MADE_AT + 86_400;
/// The only packet size, bytes.
pub(crate) const SIZE_BYTES: u32 = 16_000;
/// Most nodes of a world.
pub(crate) const NODES: usize = 2;
/// Most relays of a world.
pub(crate) const RELAYS: usize = 3;
/// Most people of a world.
pub(crate) const PEOPLE: usize = 6;
/// Most devices of a person.
pub(crate) const DEVICES: usize = 3;
/// How long mail waits, seconds: less than a frame lives, so that both end within one run.
pub(crate) const RETENTION_SECS: u64 = 3 * 3_600;

/// A node: a recipient or a relay.
#[derive(Debug)]
pub(crate) struct NodeRole {
    pub(crate) keys: Arc<NodeKeys>,
    pub(crate) record: NodeRecord,
}

/// A person: the wallets, and who each device is.
#[derive(Debug)]
pub(crate) struct PersonRole {
    pub(crate) wallets: Wallets,
    pub(crate) devices: Vec<Identity>,
}

/// Everybody.
#[derive(Debug)]
pub(crate) struct Cast {
    pub(crate) network: Network,
    pub(crate) nodes: Vec<NodeRole>,
    pub(crate) relays: Vec<NodeRole>,
    pub(crate) people: Vec<PersonRole>,
}

/// The cast, made at the first call.
pub(crate) fn cast() -> Result<&'static Cast, String> {
    static CAST: OnceLock<Result<Cast, String>> = OnceLock::new();
    CAST.get_or_init(make).as_ref().map_err(Clone::clone)
}

fn make() -> Result<Cast, String> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let sizes = Sizes::new(&[SIZE_BYTES as usize]).map_err(text)?;
    let nodes = (0..NODES).map(|_| node(&sizes, &mut rng));
    let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
    let relays = (0..RELAYS).map(|_| node(&sizes, &mut rng));
    let relays = relays.collect::<Result<Vec<_>, _>>()?;
    let people = (0..PEOPLE).map(|_| person(&mut rng));
    let people = people.collect::<Result<Vec<_>, _>>()?;
    let network = Network {
        id: NETWORK.to_owned(),
        sizes,
    };
    Ok(Cast {
        network,
        nodes,
        relays,
        people,
    })
}

fn node(sizes: &Sizes, rng: &mut ChaCha8Rng) -> Result<NodeRole, String> {
    let wallet = Wallet::generate(rng);
    let cash = Wallet::generate(rng).address();
    let name = wallet.address().to_string();
    let certificate =
        SecretCertificate::generate(rng, MADE_AT, Version::V6, &name).map_err(text)?;
    let body = RecordBody {
        network: NETWORK.to_owned(),
        node: wallet.address(),
        cash,
        certificate: certificate.certificate().to_bytes(),
        next_certificate: None,
        urls: vec!["http://127.0.0.1:1/post".to_owned()],
        takes_clients: true,
        sizes: vec![SIZE_BYTES],
        prices: Prices::default(),
        prices_until: MADE_AT,
        minimum_authorization: 1_000_000,
        retention_secs: RETENTION_SECS,
        valid_from: MADE_AT,
        valid_until: MADE_AT + 30 * 86_400,
        sequence: 1,
    };
    let record = NodeRecord::sign(&wallet, body).map_err(text)?;
    let keys = Arc::new(NodeKeys {
        network: NETWORK.to_owned(),
        wallet,
        cash,
        keyring: Keyring::from(certificate),
        sizes: *sizes,
    });
    Ok(NodeRole { keys, record })
}

fn person(rng: &mut ChaCha8Rng) -> Result<PersonRole, String> {
    let wallets = Wallets::generate(rng);
    let wallet = &wallets.wallet;
    let first = Identity::generate(wallet, NETWORK, Version::V6, MADE_AT, rng).map_err(text)?;
    let mut devices = vec![first.clone()];
    while devices.len() < DEVICES {
        let mut device = first.clone();
        device
            .become_another_device(wallet, MADE_AT, rng)
            .map_err(text)?;
        devices.push(device);
    }
    Ok(PersonRole { wallets, devices })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
