//! A node over its store, its clients, and the program beside it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command as Process,
    sync::Arc,
};

use bytes::Bytes;
use layer_minus_client_sdk::{Identity, Terms, Wallets};
use layer_minus_message::{
    Answer, Chain, Channel, Command, CommandSigner, NodeRecord, Prices, RecordBody, VerifiedCommand,
};
use layer_minus_node::{
    Effect, Event, Mark, Node, NodeConfig, NodeKeys, Request, RequestId, admin,
};
use layer_minus_packet::{Recipient, Sizes};
use layer_minus_seal::{Keyring, SecretCertificate, Version, open_layer};
use layer_minus_store_sqlite::{Options, SqliteStore};
use layer_minus_wallet::{
    Wallet,
    keystore::{Kdf, Keystore},
};
use rand_chacha::rand_core::RngCore as _;

use crate::world::World;

const NETWORK: &str = "test-net";
const SMALL: u32 = 16_000;

/// Who is served.
pub(crate) struct Client {
    pub(crate) wallets: Wallets,
    pub(crate) identity: Identity,
    /// The withdraw delay of its channel, seconds.
    delay: u64,
    /// How long its authorization lasts, seconds.
    pub(crate) lasts: u64,
}

/// The node, as its clients come to it.
pub(crate) struct Desk {
    pub(crate) node: Node<SqliteStore>,
    record: NodeRecord,
    now: u64,
    requests: u64,
}

impl Desk {
    pub(crate) fn new(world: &mut World, store: &Path) -> Self {
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
        Self {
            node,
            record,
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

    pub(crate) fn command(
        &mut self,
        world: &mut World,
        client: &Client,
        command: Command,
    ) -> Answer {
        let mut nonce = [0; 16];
        world.rng.fill_bytes(&mut nonce);
        let wallet = client.wallets.wallet.address();
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

    /// Asks to be registered with a limit on the chain. The challenge opens with the client's key only.
    pub(crate) fn ask(&mut self, world: &mut World, client: &mut Client, limit: u64) -> Answer {
        let terms = Terms {
            limit_units: limit,
            chain: world.chain,
            ..Terms::default()
        };
        let Client {
            wallets,
            identity,
            delay,
            lasts,
        } = client;
        let made = identity.registration(wallets, &self.record, &terms, self.now, &mut world.rng);
        let mut registration = made.unwrap().1;
        let paper = &mut registration.authorization;
        paper.withdraw_delay_secs = *delay;
        paper.expires_at = self.now + *lasts;
        paper
            .resign(&wallets.cash, wallets.wallet.address(), limit)
            .unwrap();
        self.command(world, client, Command::Register(Box::new(registration)))
    }

    pub(crate) fn confirm(&mut self, world: &mut World, client: &Client, answer: &Answer) {
        let Answer::Challenge { sealed } = answer else {
            panic!("{answer:?}")
        };
        let opened = open_layer(sealed, &client.identity.keyring()).unwrap();
        let confirm = Command::Confirm {
            challenge: opened.body[..32].try_into().unwrap(),
            listen: None,
        };
        let answer = self.command(world, client, confirm);
        assert!(matches!(answer, Answer::Registered(_)), "{answer:?}");
    }

    /// A client with a channel of this withdraw delay, and as much credit as its limit.
    pub(crate) fn join(&mut self, world: &mut World, limit: u64, delay: u64) -> Client {
        let client = Client::new(world, delay);
        self.admit(world, client, limit)
    }

    /// The same, of a client who is there.
    pub(crate) fn admit(&mut self, world: &mut World, mut client: Client, limit: u64) -> Client {
        let wallet = client.wallets.wallet.address();
        admin::grant(self.node.store_mut(), wallet, limit * 1_000_000).unwrap();
        let challenge = self.ask(world, &mut client, limit);
        self.confirm(world, &client, &challenge);
        client
    }

    /// Asks for this and that until so many units are charged, and no more.
    pub(crate) fn charge(&mut self, world: &mut World, client: &Client, units: u64) {
        for _ in 0..100 {
            if self.charged(client) >= units {
                assert_eq!(self.charged(client), units);
                return;
            }
            let answer = self.command(world, client, Command::Status);
            assert!(matches!(answer, Answer::Status(_)), "{answer:?}");
        }
        panic!("nothing is charged");
    }

    /// Whole units that were charged.
    pub(crate) fn charged(&self, client: &Client) -> u64 {
        let charged = self.channel(client).charged_pusd.get();
        u64::try_from(charged / 1_000_000).unwrap()
    }

    /// As it is in the books.
    pub(crate) fn channel(&self, client: &Client) -> admin::Channel {
        let wallet = client.wallets.wallet.address();
        let channels = admin::channels(self.node.store(), None, 100).unwrap();
        let mut his = channels.into_iter().filter(|it| it.client == wallet);
        his.next().expect("a channel")
    }

    /// As it is on the chain.
    pub(crate) fn terms(&self, client: &Client) -> Channel {
        let channel = self.channel(client);
        channel.authorization.channel(channel.client)
    }

    /// Its id, as the program writes it.
    pub(crate) fn id(&self, client: &Client) -> String {
        self.terms(client).id().unwrap().to_string()
    }

    pub(crate) fn mail(
        &mut self,
        world: &mut World,
        client: &Client,
        message: &'static [u8],
    ) -> Answer {
        let key = client.identity.certificate.certificate().encryption_key();
        let event = Event::Mail {
            request: self.request(world),
            recipient: Recipient::Fingerprint(key),
            inbox: Some(client.identity.inbox),
            message: Bytes::from_static(message),
        };
        self.handle(world, event)
    }
}

impl Client {
    pub(crate) fn new(world: &mut World, delay: u64) -> Self {
        let rng = &mut world.rng;
        let wallets = Wallets {
            wallet: Wallet::generate(rng),
            cash: world.cash.clone(),
        };
        let identity =
            Identity::generate(&wallets.wallet, NETWORK, Version::V6, world.now, rng).unwrap();
        Self {
            wallets,
            identity,
            delay,
            lasts: 180 * 86_400,
        }
    }
}

/// The program, as an operator runs it.
pub(crate) struct Program {
    pub(crate) store: PathBuf,
    pub(crate) rpc: String,
    pub(crate) chain: Chain,
}

impl Program {
    pub(crate) fn process(&self, words: &[&str]) -> Process {
        let mut process = Process::new(env!("CARGO_BIN_EXE_escrow"));
        process
            .args(["--json", "--rpc", &self.rpc])
            .args(words)
            .arg("--store")
            .arg(&self.store)
            .args(["--contract", &self.chain.contract.to_string()])
            .args(["--token", &self.chain.token.to_string()]);
        process
    }

    pub(crate) fn run(&self, words: &[&str]) -> (bool, String) {
        let output = self.process(words).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), text)
    }

    pub(crate) fn ok(&self, words: &[&str]) -> Vec<serde_json::Value> {
        let (success, text) = self.run(words);
        assert!(success, "{words:?}: {text}");
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// The wallet that claims, and what the program is told of it.
pub(crate) struct Cash {
    keystore: PathBuf,
    password: PathBuf,
}

impl Cash {
    pub(crate) fn new(world: &mut World, folder: &Path) -> Self {
        let (keystore, password) = (folder.join("cash.json"), folder.join("password"));
        let sealed = Keystore::encrypt(&world.node, b"secret", &mut world.rng, Kdf::Light).unwrap();
        fs::write(&keystore, sealed.to_json().unwrap()).unwrap();
        fs::write(&password, "secret\n").unwrap();
        Self { keystore, password }
    }

    /// `claim` with these words.
    pub(crate) fn claim<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        let mut all = vec![
            "claim",
            "--keystore",
            self.keystore.to_str().unwrap(),
            "--password-file",
            self.password.to_str().unwrap(),
        ];
        all.extend(words);
        all
    }
}
