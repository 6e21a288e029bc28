//! A client who is granted nothing pays out of a deposit: the program, a chain, a node over its store.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[path = "../../../crates/escrow/tests/escrow/anvil.rs"]
mod anvil;
#[path = "../../../tests/tools/mod.rs"]
mod tools;
#[path = "../../../crates/escrow/tests/escrow/world.rs"]
mod world;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command as Process,
    sync::Arc,
};

use bytes::Bytes;
use layer_minus_client_sdk::{Identity, Terms, Wallets};
use layer_minus_message::{
    Answer, Chain, Command, CommandSigner, NodeRecord, Prices, Reason, RecordBody, VerifiedCommand,
};
use layer_minus_node::{
    Effect, Event, Mark, Node, NodeConfig, NodeKeys, Request, RequestId, admin,
};
use layer_minus_packet::{Recipient, Sizes};
use layer_minus_seal::{Keyring, SecretCertificate, Version, open_layer};
use layer_minus_store_sqlite::{Options, SqliteStore};
use layer_minus_wallet::{
    Address, Wallet,
    keystore::{Kdf, Keystore},
};
use rand_chacha::rand_core::RngCore as _;
use world::World;

const NETWORK: &str = "test-net";
const SMALL: u32 = 16_000;

/// The node, and Bobo at it.
struct Desk {
    node: Node<SqliteStore>,
    record: NodeRecord,
    bobo: Wallets,
    identity: Identity,
    now: u64,
    requests: u64,
}

impl Desk {
    fn new(world: &mut World, store: &Path) -> Self {
        let rng = &mut world.rng;
        let wallet = Wallet::generate(rng);
        let name = wallet.address().to_string();
        let certificate = SecretCertificate::generate(rng, world.now, Version::V6, &name).unwrap();
        let body = RecordBody {
            network: NETWORK.to_owned(),
            node: wallet.address(),
            cash: world.node.address(),
            certificate: certificate.certificate().to_bytes(),
            next_certificate: None,
            urls: vec!["http://127.0.0.1:1/post".to_owned()],
            takes_clients: true,
            sizes: vec![SMALL],
            prices: Prices::default(),
            prices_until: world.now + 86_400,
            minimum_authorization: 0,
            retention_secs: 86_400,
            valid_from: world.now,
            valid_until: world.now + 86_400,
            sequence: 1,
        };
        let record = NodeRecord::sign(&wallet, body).unwrap();
        let keys = NodeKeys {
            network: NETWORK.to_owned(),
            cash: world.node.address(),
            wallet,
            keyring: Keyring::from(certificate),
            sizes: Sizes::new(&[SMALL as usize]).unwrap(),
        };
        let store = SqliteStore::open(store, Options::default()).unwrap();
        let config = NodeConfig::default();
        let node = Node::open(store, Arc::new(keys), config, world.now, rng).unwrap();
        let bobo = Wallets {
            wallet: Wallet::generate(rng),
            cash: world.cash.clone(),
        };
        let identity =
            Identity::generate(&bobo.wallet, NETWORK, Version::V6, world.now, rng).unwrap();
        Self {
            node,
            record,
            bobo,
            identity,
            now: world.now,
            requests: 0,
        }
    }

    fn request(&mut self, world: &mut World) -> Request {
        self.requests += 1;
        let mut digest = [0; 32];
        world.rng.fill_bytes(&mut digest);
        Request {
            id: RequestId(self.requests),
            lane: None,
            marks: vec![Mark {
                digest,
                expires_at: self.now + 600,
            }],
            size_bytes: SMALL,
        }
    }

    fn handle(&mut self, world: &mut World, event: Event) -> Answer {
        let batch = self
            .node
            .handle_batch(vec![event], self.now, &mut world.rng);
        assert_eq!(batch.error, None);
        let answer = batch.effects.into_iter().find_map(|effect| match effect {
            Effect::Answer { answer, .. } => Some(*answer),
            _ => None,
        });
        answer.expect("an answer")
    }

    fn command(&mut self, world: &mut World, command: Command) -> Answer {
        let mut nonce = [0; 16];
        world.rng.fill_bytes(&mut nonce);
        let wallet = self.bobo.wallet.address();
        let card = match &command {
            Command::Register(registration) => {
                let node = self.record.node();
                Some(
                    registration
                        .check_card(wallet, NETWORK, node, self.now)
                        .unwrap(),
                )
            }
            _ => None,
        };
        let signer = CommandSigner {
            wallet,
            nonce,
            time: self.now,
        };
        let request = self.request(world);
        let command = VerifiedCommand {
            command,
            signer: Some(signer),
            card: card.map(Box::new),
        };
        self.handle(world, Event::Command { request, command })
    }

    /// Bobo asks to be registered with a limit on the chain. The challenge opens with his key only.
    fn ask(&mut self, world: &mut World, limit_units: u64) -> Answer {
        let terms = Terms {
            limit_units,
            chain: world.chain,
            ..Terms::default()
        };
        let made =
            self.identity
                .registration(&self.bobo, &self.record, &terms, self.now, &mut world.rng);
        let registration = made.unwrap().1;
        self.command(world, Command::Register(Box::new(registration)))
    }

    fn confirm(&mut self, world: &mut World, sealed: &[u8]) {
        let opened = open_layer(sealed, &self.identity.keyring()).unwrap();
        let confirm = Command::Confirm {
            challenge: opened.body[..32].try_into().unwrap(),
            listen: None,
        };
        let answer = self.command(world, confirm);
        assert!(matches!(answer, Answer::Registered(_)), "{answer:?}");
    }

    fn mail(&mut self, world: &mut World, message: &'static [u8]) -> Answer {
        let key = self.identity.certificate.certificate().encryption_key();
        let event = Event::Mail {
            request: self.request(world),
            recipient: Recipient::Fingerprint(key),
            inbox: Some(self.identity.inbox),
            message: Bytes::from_static(message),
        };
        self.handle(world, event)
    }
}

/// The program, as an operator runs it.
struct Program {
    store: PathBuf,
    rpc: String,
    chain: Chain,
}

impl Program {
    fn run(&self, words: &[&str]) -> (bool, String) {
        let output = Process::new(env!("CARGO_BIN_EXE_escrow"))
            .args(["--json", "--rpc", &self.rpc])
            .args(words)
            .arg("--store")
            .arg(&self.store)
            .args(["--contract", &self.chain.contract.to_string()])
            .args(["--token", &self.chain.token.to_string()])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), text)
    }

    fn ok(&self, words: &[&str]) -> Vec<serde_json::Value> {
        let (success, text) = self.run(words);
        assert!(success, "{words:?}: {text}");
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_backs_a_client_and_what_it_paid_for_is_claimed_and_marked() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store.db");
    let mut desk = Desk::new(&mut world, &store);
    let program = Program {
        store,
        rpc: world.url().to_owned(),
        chain: world.chain,
    };
    // Nobody granted him anything, and nothing is deposited.
    let refused = desk.ask(&mut world, 1_000);
    assert!(
        matches!(refused, Answer::Refused(Reason::NotBacked { .. })),
        "{refused:?}"
    );

    // The channel that he signed gets its deposit. The node learns of it from the program alone, and it
    // counts only once its block is final.
    let refused_paper = desk.identity.membership.as_ref();
    assert!(refused_paper.is_none());
    admin::grant(desk.node.store_mut(), desk.bobo.wallet.address(), 2_000_000).unwrap();
    let challenge = desk.ask(&mut world, 2);
    let Answer::Challenge { sealed } = challenge else {
        panic!("{challenge:?}")
    };
    desk.confirm(&mut world, &sealed);
    let channel = admin::channels(desk.node.store(), None, 10)
        .unwrap()
        .remove(0);
    let terms = channel.authorization.channel(channel.client);
    world.payer.deposit(&terms, 500).await.unwrap();
    let seen = program.ok(&["watch", "--once"]);
    assert_eq!(seen[0]["backed_units"], "0", "not final yet");
    world.mine(100).await;
    assert_eq!(program.ok(&["watch", "--once"])[0]["backed_units"], "500");

    // The same deposit in a token that anybody could have made is worth nothing.
    let elsewhere = Program {
        chain: Chain {
            token: Address::repeat_byte(7),
            ..world.chain
        },
        store: program.store.clone(),
        rpc: program.rpc.clone(),
    };
    let seen = elsewhere.ok(&["watch", "--once"]);
    assert_eq!(seen[0]["backed_units"], "0");
    assert_eq!(program.ok(&["watch", "--once"])[0]["backed_units"], "500");

    // The limit is raised to what the deposit backs, and mail comes that the grant would not pay for.
    let mut raised = channel.authorization.clone();
    raised.resign(&desk.bobo.cash, channel.client, 500).unwrap();
    let answer = desk.command(&mut world, Command::Authorize(Box::new(raised)));
    assert!(matches!(answer, Answer::Authorized(_)), "{answer:?}");
    for message in [b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8"] {
        let answer = desk.mail(&mut world, message);
        assert!(matches!(answer, Answer::Accepted(_)), "{answer:?}");
    }

    // What was charged is claimed and paid out, once.
    let charged = admin::channels(desk.node.store(), None, 10)
        .unwrap()
        .remove(0);
    let units = u64::try_from(charged.charged_pusd.get() / 1_000_000).unwrap();
    assert!(units >= 2, "{units}");
    let (keystore, password) = (
        folder.path().join("cash.json"),
        folder.path().join("password"),
    );
    let sealed = Keystore::encrypt(&world.node, b"secret", &mut world.rng, Kdf::Light).unwrap();
    fs::write(&keystore, sealed.to_json().unwrap()).unwrap();
    fs::write(&password, "secret\n").unwrap();
    let claim = [
        "claim",
        "--pay-out",
        "--keystore",
        keystore.to_str().unwrap(),
        "--password-file",
        password.to_str().unwrap(),
    ];
    world.contract_for(&world.node.clone()).await;
    assert_eq!(program.ok(&claim).len(), 2, "a batch and the transfer");
    assert_eq!(world.balance(world.node.address()).await, u128::from(units));
    assert_eq!(
        program.ok(&["watch", "--once"])[0]["marked_units"],
        "0",
        "not final yet"
    );
    world.mine(100).await;
    let seen = program.ok(&["watch", "--once"]);
    assert_eq!(seen[0]["marked_units"], units.to_string());
    assert_eq!(seen[0]["backed_units"], "500", "what was claimed counts in");
    assert_eq!(program.ok(&["watch", "--once"])[0]["marked_units"], "0");
    assert_eq!(program.ok(&claim), Vec::<serde_json::Value>::new());
    assert_eq!(admin::verify(desk.node.store()).unwrap(), Ok(()));

    // What it cannot do it says.
    let (success, text) = program.run(&["watch", "--once", "--every", "0"]);
    assert!(!success, "{text}");
    let elsewhere = Program {
        store: folder.path().join("none.db"),
        ..program
    };
    let (success, text) = elsewhere.run(&["watch", "--once"]);
    assert!(!success && text.contains("there is no store"), "{text}");
    assert!(!elsewhere.store.exists(), "none is made");
}
