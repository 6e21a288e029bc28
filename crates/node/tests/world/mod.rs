//! A node over a memory store, on a clock that the test turns, and clients that talk to it by events.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)] // each test uses a part

use std::sync::Arc;

use bytes::Bytes;
use layer_minus_delivery::{ConsumerId, Mode};
use layer_minus_message::{
    Acceptance, Answer, Authorization, Card, CardBody, Chain, Command, CommandSigner, InboxToken,
    LaneParty, Listen, NodeRecord, Prices, Reason, RecordBody, Registration, SignedDocument,
    Standing, VerifiedCommand, letter::sha256,
};
use layer_minus_node::{
    Batch, ConnectionId, Effect, Event, Mark, Node, NodeConfig, NodeKeys, Request, RequestId,
    admin, memory::MemoryStore,
};
use layer_minus_packet::{Recipient, Sizes};
use layer_minus_seal::{Keyring, SecretCertificate, Version, open_layer};
use layer_minus_wallet::{Address, Wallet};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;

pub const NETWORK: &str = "test-net";
pub const START: u64 = 1_800_000_000;
pub const LARGE: u32 = 1_000_000;
pub const SMALL: u32 = 16_000;
/// A dollar in token units.
pub const DOLLAR_UNITS: u64 = 1_000_000;
pub const DOLLAR_PUSD: u64 = 1_000_000_000_000;

pub struct World {
    pub node: Node<MemoryStore>,
    pub keys: Arc<NodeKeys>,
    pub config: NodeConfig,
    pub now: u64,
    pub rng: ChaCha20Rng,
    /// Whether the books are checked after every batch; who has very many checks them at the end.
    pub checked: bool,
    next_request: u64,
}

pub struct Person {
    pub wallet: Wallet,
    pub cash: Wallet,
    pub certificate: SecretCertificate,
    pub inbox: InboxToken,
    pub authorization: Authorization,
    pub version: u64,
}

impl Person {
    pub fn address(&self) -> Address {
        self.wallet.address()
    }

    pub fn key(&self) -> Recipient {
        Recipient::Fingerprint(self.certificate.certificate().encryption_key())
    }
}

impl World {
    pub fn new(config: NodeConfig) -> Self {
        Self::seeded(config, 7)
    }

    /// A node with other keys.
    pub fn other(config: NodeConfig) -> Self {
        Self::seeded(config, 8)
    }

    pub fn seeded(config: NodeConfig, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let wallet = Wallet::generate(&mut rng);
        let name = wallet.address().to_string();
        let mut keyring = Keyring::default();
        let secret = SecretCertificate::generate(&mut rng, START, Version::V6, &name).unwrap();
        keyring.insert(secret);
        let keys = Arc::new(NodeKeys {
            network: NETWORK.to_owned(),
            wallet,
            cash: Wallet::generate(&mut rng).address(),
            keyring,
            sizes: Sizes::default(),
        });
        let store = MemoryStore::new();
        let node = Node::open(store, keys.clone(), config.clone(), START, &mut rng).unwrap();
        Self {
            node,
            keys,
            config,
            now: START,
            rng,
            checked: true,
            next_request: 1,
        }
    }

    /// A power loss and a restart: what was not committed is gone, and so is all that lives in memory.
    pub fn restart(&mut self) {
        let store = self.node.store().crashed();
        let (keys, config) = (self.keys.clone(), self.config.clone());
        self.node = Node::open(store, keys, config, self.now, &mut self.rng).unwrap();
    }

    /// A store that is lost; the keys are not.
    pub fn wipe(&mut self) {
        let (keys, config) = (self.keys.clone(), self.config.clone());
        let store = MemoryStore::new();
        self.node = Node::open(store, keys, config, self.now, &mut self.rng).unwrap();
    }

    pub fn person(&mut self) -> Person {
        let wallet = Wallet::generate(&mut self.rng);
        let cash = Wallet::generate(&mut self.rng);
        let name = wallet.address().to_string();
        let certificate =
            SecretCertificate::generate(&mut self.rng, self.now, Version::V6, &name).unwrap();
        let mut inbox = InboxToken([0; 16]);
        self.rng.fill_bytes(&mut inbox.0);
        let authorization = self.authorization(&wallet, &cash, DOLLAR_UNITS);
        Person {
            wallet,
            cash,
            certificate,
            inbox,
            authorization,
            version: 1,
        }
    }

    pub fn authorization(&mut self, wallet: &Wallet, cash: &Wallet, units: u64) -> Authorization {
        let expires_at = self.now + 90 * 24 * 3_600;
        let receiver = LaneParty {
            node: self.keys.wallet.address(),
            cash: self.keys.cash,
        };
        let chain = Chain::default();
        let client = wallet.address();
        Authorization::sign(
            cash,
            client,
            receiver,
            chain,
            units,
            expires_at,
            &mut self.rng,
        )
        .unwrap()
    }

    /// What a new process of the runtime does: its numbers begin again.
    pub fn number_requests_from(&mut self, first: u64) {
        self.next_request = first;
    }

    pub fn request(&mut self, lane: Option<Address>, size_bytes: u32) -> Request {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        let mut digest = [0; 32];
        self.rng.fill_bytes(&mut digest);
        let marks = vec![Mark {
            digest,
            expires_at: self.now + 600,
        }];
        Request {
            id,
            lane,
            marks,
            size_bytes,
        }
    }

    pub fn batch(&mut self, events: Vec<Event>) -> Batch {
        self.node.handle_batch(events, self.now, &mut self.rng)
    }

    /// Handles events that must not fail, and checks the ledger after them.
    pub fn run(&mut self, events: Vec<Event>) -> Vec<Effect> {
        let batch = self.batch(events);
        assert_eq!(batch.error, None);
        if self.checked {
            self.check();
        }
        batch.effects
    }

    pub fn check(&self) {
        assert_eq!(admin::verify(self.node.store()).unwrap(), Ok(()));
    }

    pub fn verified(&mut self, wallet: Address, command: Command) -> VerifiedCommand {
        let mut nonce = [0; 16];
        self.rng.fill_bytes(&mut nonce);
        let card = self.check_card(wallet, &command).ok().flatten();
        VerifiedCommand {
            command,
            signer: Some(CommandSigner {
                wallet,
                nonce,
                time: self.now,
            }),
            card: card.map(Box::new),
        }
    }

    pub fn command_on(
        &mut self,
        wallet: Address,
        command: Command,
        lane: Option<Address>,
    ) -> (RequestId, Vec<Effect>) {
        let request = self.request(lane, SMALL);
        let id = request.id;
        let command = self.verified(wallet, command);
        (id, self.run(vec![Event::Command { request, command }]))
    }

    /// What is checked where packets are opened.
    fn check_card(&self, wallet: Address, command: &Command) -> Result<Option<Card>, Reason> {
        let Command::Register(registration) = command else {
            return Ok(None);
        };
        let node = self.keys.wallet.address();
        registration
            .check_card(wallet, NETWORK, node, self.now)
            .map(Some)
    }

    /// Gives a command that is answered at once, and returns the answer.
    pub fn command(&mut self, wallet: Address, command: Command) -> Answer {
        if let Err(reason) = self.check_card(wallet, &command) {
            return Answer::Refused(reason);
        }
        let (id, effects) = self.command_on(wallet, command, None);
        answer_to(&effects, id)
    }

    pub fn registration(&mut self, person: &Person, invite: Option<String>) -> Command {
        let body = CardBody {
            network: NETWORK.to_owned(),
            wallet: person.address(),
            node: self.keys.wallet.address(),
            certificate: person.certificate.certificate().to_bytes(),
            valid_from: self.now,
            valid_until: self.now + 20 * 24 * 3_600,
            version: person.version,
        };
        Command::Register(Box::new(Registration {
            card: Card::sign(&person.wallet, body).unwrap().signed,
            authorization: person.authorization.clone(),
            invite,
            inbox_digest: sha256(&person.inbox.0),
            strangers_bytes_per_day: 2 * u64::from(LARGE),
        }))
    }

    pub fn challenge(&mut self, person: &Person, command: Command) -> [u8; 32] {
        match self.command(person.address(), command) {
            Answer::Challenge { sealed } => open_challenge(person, &sealed),
            other => panic!("no challenge but {other:?}"),
        }
    }

    pub fn grant(&mut self, person: &Person, amount_pusd: u64) {
        admin::grant(self.node.store_mut(), person.address(), amount_pusd).unwrap();
    }

    /// A person who is registered with a dollar granted and authorized.
    pub fn client(&mut self) -> Person {
        let person = self.person();
        self.grant(&person, DOLLAR_PUSD);
        let command = self.registration(&person, None);
        let challenge = self.challenge(&person, command);
        let confirm = Command::Confirm {
            challenge,
            listen: None,
        };
        match self.command(person.address(), confirm) {
            Answer::Registered(_) => person,
            other => panic!("not registered but {other:?}"),
        }
    }

    pub fn mail_event(&mut self, to: &Person, message: &[u8], size: u32) -> (RequestId, Event) {
        let request = self.request(None, size);
        let id = request.id;
        let (recipient, inbox) = (to.key(), Some(to.inbox));
        let message = Bytes::copy_from_slice(message);
        (
            id,
            Event::Mail {
                request,
                recipient,
                inbox,
                message,
            },
        )
    }

    pub fn mail_effects(
        &mut self,
        to: &Person,
        message: &[u8],
        size: u32,
    ) -> (Answer, Vec<Effect>) {
        let (id, event) = self.mail_event(to, message, size);
        let effects = self.run(vec![event]);
        (answer_to(&effects, id), effects)
    }

    pub fn mail(&mut self, to: &Person, message: &[u8]) -> Acceptance {
        match self.mail_effects(to, message, LARGE).0 {
            Answer::Accepted(acceptance) => acceptance,
            other => panic!("not accepted but {other:?}"),
        }
    }

    pub fn refused(&mut self, to: &Person, message: &[u8]) -> Reason {
        match self.mail_effects(to, message, LARGE).0 {
            Answer::Refused(reason) => reason,
            other => panic!("not refused but {other:?}"),
        }
    }

    pub fn listen(&mut self, person: &Person, consumer: u8, mode: Mode) -> Stream {
        self.listen_on(person, consumer, mode, None)
    }

    pub fn listen_on(
        &mut self,
        person: &Person,
        consumer: u8,
        mode: Mode,
        lane: Option<Address>,
    ) -> Stream {
        let listen = Listen {
            consumer: ConsumerId::new([consumer; 16]),
            mode,
        };
        let (id, effects) = self.command_on(person.address(), Command::Listen(listen), lane);
        Stream::begin(id, effects)
    }

    /// Says that the push in flight was handed over, and returns what follows on that stream.
    pub fn hand(&mut self, stream: &mut Stream, seq: u64) -> Vec<Effect> {
        let connection = stream.id;
        let effects = self.run(vec![Event::Handed { connection, seq }]);
        stream.take(&effects);
        effects
    }

    pub fn close(&mut self, stream: &Stream) -> Vec<Effect> {
        self.run(vec![Event::Closed {
            connection: stream.id,
        }])
    }

    pub fn ack_through(&mut self, person: &Person, consumer: u8, through: u64) -> Vec<Effect> {
        let command = self.ack(consumer, Some(through), &[]);
        self.command_on(person.address(), command, None).1
    }

    /// Collects and acknowledges all that waits.
    pub fn ack_through_everything(&mut self, person: &Person) {
        let mut stream = self.listen(person, 1, Mode::Each);
        while let Some((seq, _)) = stream.pushed.pop() {
            self.hand(&mut stream, seq);
            self.ack_through(person, 1, seq);
        }
    }

    pub fn ack(&self, consumer: u8, through: Option<u64>, seqs: &[u64]) -> Command {
        Command::Ack {
            consumer: ConsumerId::new([consumer; 16]),
            generation: self.generation(),
            through,
            seqs: seqs.to_vec(),
        }
    }

    pub fn generation(&self) -> u64 {
        let table = layer_minus_node::Table::Meta;
        let bytes = layer_minus_node::Store::get(self.node.store(), table, b"generation");
        u64::from_be_bytes(bytes.unwrap().unwrap().try_into().unwrap())
    }

    /// Another node opens a lane to this one.
    pub fn open_lane(&mut self) -> Address {
        let wallet = Wallet::generate(&mut self.rng);
        self.open_lane_of(&wallet)
    }

    pub fn open_lane_of(&mut self, wallet: &Wallet) -> Address {
        let cash = Wallet::generate(&mut self.rng).address();
        let record = self.record_of(wallet, cash);
        let held = None;
        match self.command(wallet.address(), Command::Lane { record, held }) {
            Answer::LaneOpen { .. } => wallet.address(),
            other => panic!("no lane but {other:?}"),
        }
    }

    /// What another node says of itself.
    pub fn record_of(&mut self, wallet: &Wallet, cash: Address) -> SignedDocument {
        let name = wallet.address().to_string();
        let certificate =
            SecretCertificate::generate(&mut self.rng, self.now, Version::V6, &name).unwrap();
        let body = RecordBody {
            network: NETWORK.to_owned(),
            node: wallet.address(),
            cash,
            certificate: certificate.certificate().to_bytes(),
            next_certificate: None,
            urls: vec!["http://127.0.0.1:1/post".to_owned()],
            takes_clients: false,
            sizes: vec![SMALL, LARGE],
            prices: Prices::default(),
            prices_until: self.now + 20 * 24 * 3_600,
            minimum_authorization: 0,
            retention_secs: 0,
            valid_from: self.now,
            valid_until: self.now + 3_600,
            sequence: 1,
        };
        NodeRecord::sign(wallet, body).unwrap().signed
    }

    pub fn standing(&mut self, person: &Person) -> Standing {
        match self.command(person.address(), Command::Status) {
            Answer::Status(standing) => standing,
            other => panic!("no status but {other:?}"),
        }
    }

    pub fn tick(&mut self, secs: u64) -> Vec<Effect> {
        self.now += secs;
        self.run(vec![Event::Tick])
    }
}

/// What a client sees of a stream.
#[derive(Debug)]
pub struct Stream {
    pub id: ConnectionId,
    pub control: Vec<Answer>,
    pub pushed: Vec<(u64, Bytes)>,
    pub closed: bool,
}

impl Stream {
    fn begin(request: RequestId, effects: Vec<Effect>) -> Self {
        let mut stream = Self {
            id: ConnectionId(request.0),
            control: Vec::new(),
            pushed: Vec::new(),
            closed: false,
        };
        stream.take(&effects);
        assert!(!stream.control.is_empty(), "no stream but {effects:?}");
        stream
    }

    pub fn take(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Stream {
                    connection, first, ..
                } if *connection == self.id => {
                    self.control.extend(first.iter().cloned());
                }
                Effect::Control { connection, answer } if *connection == self.id => {
                    self.control.push((**answer).clone());
                }
                Effect::Push {
                    connection, packet, ..
                } if *connection == self.id => {
                    self.pushed
                        .push((packet.position.seq, packet.message.clone()));
                }
                Effect::Close { connection } if *connection == self.id => self.closed = true,
                _ => {}
            }
        }
    }
}

pub fn answer_to(effects: &[Effect], id: RequestId) -> Answer {
    let found = effects.iter().find_map(|effect| match effect {
        Effect::Answer {
            request, answer, ..
        } if *request == id => Some((**answer).clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no answer in {effects:?}"))
}

pub fn open_challenge(person: &Person, sealed: &[u8]) -> [u8; 32] {
    let mut keyring = Keyring::default();
    let copy = SecretCertificate::from_bytes(&person.certificate.to_bytes()).unwrap();
    keyring.insert(copy);
    open_layer(sealed, &keyring).unwrap().body[..32]
        .try_into()
        .unwrap()
}
