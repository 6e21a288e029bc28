//! Nodes without sockets: a packet is posted to whoever it is for, as relays would bring it there.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use layer_minus_client_sdk::{Identity, Network, Terms, Wallets};
use layer_minus_message::{Card, Content, NodeRecord, Prices, RecordBody};
use layer_minus_node::{
    ConnectionId, Effect, Event, Node, NodeConfig, NodeKeys, ReplyChain, Request, RequestId, Task,
    admin, intake, memory::MemoryStore,
};
use layer_minus_packet::{Recipient, SealedPacket, Sizes};
use layer_minus_seal::{Keyring, RecordOpener, SecretCertificate, Version};
use layer_minus_wallet::{Address, Wallet};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

pub(crate) const NETWORK: &str = "testnet";
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) struct Place {
    pub(crate) node: Node<MemoryStore>,
    pub(crate) keys: Arc<NodeKeys>,
    pub(crate) record: NodeRecord,
    /// Every packet that came to it.
    pub(crate) saw: Vec<Bytes>,
}

/// How an answer finds back: the acting node's seal, then each hop's, the last hop first.
struct Way {
    place: usize,
    chain: ReplyChain,
    back: Vec<(RecordOpener, ReplyChain)>,
    handed: Vec<Vec<u8>>,
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) places: Vec<Place>,
    ways: HashMap<u64, Way>,
    next: u64,
}

/// A stream that a packet became.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream(u64);

impl World {
    pub(crate) fn new(nodes: usize, sizes: &[usize]) -> Self {
        let mut world = Self {
            now: NOW,
            rng: ChaCha20Rng::seed_from_u64(7),
            places: Vec::new(),
            ways: HashMap::new(),
            next: 1,
        };
        for _ in 0..nodes {
            world.add_place(sizes);
        }
        world
    }

    fn add_place(&mut self, sizes: &[usize]) {
        let wallet = Wallet::generate(&mut self.rng);
        let cash = Wallet::generate(&mut self.rng);
        let name = wallet.address().to_string();
        let certificate =
            SecretCertificate::generate(&mut self.rng, self.now, Version::V6, &name).unwrap();
        let body = RecordBody {
            network: NETWORK.to_owned(),
            node: wallet.address(),
            cash: cash.address(),
            certificate: certificate.certificate().to_bytes(),
            next_certificate: None,
            urls: vec!["http://127.0.0.1:1/post".to_owned()],
            takes_clients: true,
            sizes: sizes
                .iter()
                .map(|&size| u32::try_from(size).unwrap())
                .collect(),
            prices: Prices::default(),
            prices_until: self.now + 30 * 86_400,
            minimum_authorization: 1_000_000,
            retention_secs: 7 * 86_400,
            valid_from: self.now,
            valid_until: self.now + 30 * 86_400,
            sequence: 1,
        };
        let record = NodeRecord::sign(&wallet, body).unwrap();
        let keys = Arc::new(NodeKeys {
            network: NETWORK.to_owned(),
            wallet,
            cash: cash.address(),
            keyring: Keyring::from(certificate),
            sizes: Sizes::new(sizes).unwrap(),
        });
        let config = NodeConfig::default();
        let node = Node::open(
            MemoryStore::new(),
            keys.clone(),
            config,
            self.now,
            &mut self.rng,
        )
        .unwrap();
        self.places.push(Place {
            node,
            keys,
            record,
            saw: Vec::new(),
        });
    }

    pub(crate) fn network(&self) -> Network {
        Network::common(NETWORK, self.places.iter().map(|place| &place.record)).unwrap()
    }

    pub(crate) fn record(&self, place: usize) -> NodeRecord {
        self.places[place].record.clone()
    }

    pub(crate) fn grant(&mut self, place: usize, client: Address, pusd: u64) {
        admin::grant(self.places[place].node.store_mut(), client, pusd).unwrap();
    }

    fn holder_of(&self, recipient: &Recipient) -> usize {
        let holds = |place: &Place| place.keys.keyring.find(recipient).is_some();
        self.places
            .iter()
            .position(holds)
            .expect("nobody holds the key")
    }

    /// Posts a packet and gives it to whoever it is for. Returns the stream of its answer.
    pub(crate) fn post(&mut self, packet: &Bytes) -> Stream {
        let mut back = Vec::new();
        let mut packet = packet.clone();
        loop {
            let sizes = Sizes::default();
            let admitted = SealedPacket::admit(packet.clone(), &sizes).expect("a listed size");
            let at = self.holder_of(&admitted.recipient());
            self.places[at].saw.push(packet.clone());
            let place = &mut self.places[at];
            let opened = intake::open(&admitted, &place.keys, self.now).expect("opens");
            let id = self.next;
            self.next += 1;
            let request = Request {
                id: RequestId(id),
                lane: None,
                marks: opened.marks,
                size_bytes: opened.size_bytes,
            };
            let event = match opened.task {
                Task::Onward {
                    recipient,
                    packet: inner,
                } => {
                    let to = self.holder_of(&recipient);
                    let next = self.places[to].record.certificate.clone();
                    let (wrapped, key) = intake::wrap_onward(
                        inner,
                        &next,
                        opened.size_bytes,
                        NETWORK,
                        self.now,
                        &mut self.rng,
                    )
                    .unwrap();
                    back.push((RecordOpener::new(&key), opened.chain));
                    packet = wrapped;
                    continue;
                }
                Task::Mail {
                    recipient,
                    inbox,
                    message,
                } => Event::Mail {
                    request,
                    recipient,
                    inbox,
                    message,
                },
                Task::Command(command) => Event::Command { request, command },
                Task::Refuse(reason) => {
                    let way = Way {
                        place: at,
                        chain: opened.chain,
                        back,
                        handed: Vec::new(),
                    };
                    self.ways.insert(id, way);
                    let answer = layer_minus_message::Answer::Refused(reason);
                    self.hand(id, &Content::from(answer), None);
                    return Stream(id);
                }
            };
            let way = Way {
                place: at,
                chain: opened.chain,
                back,
                handed: Vec::new(),
            };
            self.ways.insert(id, way);
            self.run(at, vec![event]);
            return Stream(id);
        }
    }

    pub(crate) fn run(&mut self, at: usize, events: Vec<Event>) {
        let mut events = events;
        while !events.is_empty() {
            let batch = self.places[at]
                .node
                .handle_batch(events, self.now, &mut self.rng);
            assert!(batch.error.is_none(), "{:?}", batch.error);
            events = Vec::new();
            for effect in batch.effects {
                match effect {
                    Effect::Answer {
                        request, answer, ..
                    } => {
                        self.hand(request.0, &Content::Answer(answer), None);
                    }
                    Effect::Stream { request, first, .. } => {
                        for answer in first {
                            self.hand(request.0, &Content::from(answer), None);
                        }
                    }
                    Effect::Control { connection, answer } => {
                        self.hand(connection.0, &Content::Answer(answer), None);
                    }
                    Effect::Push {
                        connection,
                        packet,
                        size_bytes,
                    } => {
                        let seq = packet.position.seq;
                        self.hand(connection.0, &Content::Packet(packet), Some(size_bytes));
                        events.push(Event::Handed { connection, seq });
                    }
                    Effect::Close { connection } => {
                        self.ways.remove(&connection.0);
                    }
                    other => panic!("not expected here: {other:?}"),
                }
            }
        }
    }

    /// Seals a record at the acting node and again at every hop on the way back.
    fn hand(&mut self, id: u64, content: &Content, size: Option<u32>) {
        let way = self.ways.get_mut(&id).expect("somebody waits");
        let mut record = way
            .chain
            .seal(&content.to_bytes().unwrap(), size, &mut self.rng)
            .unwrap();
        for (opener, chain) in way.back.iter_mut().rev() {
            let inner = opener.open(&record).unwrap();
            record = chain.seal(&inner, size, &mut self.rng).unwrap();
        }
        way.handed.push(record);
    }

    /// The records that came back since the last time.
    pub(crate) fn records(&mut self, stream: Stream) -> Vec<Vec<u8>> {
        self.ways
            .get_mut(&stream.0)
            .map(|way| std::mem::take(&mut way.handed))
            .unwrap_or_default()
    }

    /// The only record of a one-shot answer.
    pub(crate) fn answer(&mut self, packet: &Bytes) -> Vec<u8> {
        let stream = self.post(packet);
        let mut records = self.records(stream);
        assert_eq!(records.len(), 1);
        records.pop().unwrap()
    }

    pub(crate) fn close(&mut self, stream: Stream) {
        let at = self.ways[&stream.0].place;
        self.ways.remove(&stream.0);
        self.run(
            at,
            vec![Event::Closed {
                connection: ConnectionId(stream.0),
            }],
        );
    }
}

/// A person with wallets, registered at a place.
pub(crate) struct Person {
    pub(crate) wallets: Wallets,
    pub(crate) identity: Identity,
    pub(crate) card: Card,
}

impl World {
    pub(crate) fn person(&mut self, place: usize, version: Version) -> Person {
        use layer_minus_client_sdk::{Desk, Route, answer};
        let wallets = Wallets::generate(&mut self.rng);
        let mut identity =
            Identity::generate(&wallets.wallet, NETWORK, version, self.now, &mut self.rng).unwrap();
        self.grant(place, identity.address(), 1_000_000_000_000);
        let (network, record) = (self.network(), self.record(place));
        let route = Route::direct(&record);
        let desk = Desk::new(&network, &route);
        let terms = Terms {
            limit_units: 1_000_000,
            ..Terms::default()
        };
        let (card, registration) = identity
            .registration(&wallets, &record, &terms, self.now, &mut self.rng)
            .unwrap();
        let authorization = registration.authorization.clone();
        let sent = desk
            .register(&identity, registration, self.now, &mut self.rng)
            .unwrap();
        let content = sent.pending.answer(&self.answer(&sent.packet)).unwrap();
        let challenge = answer::expect_challenge(content).unwrap();
        let nonce = identity.open_challenge(&challenge, record.node()).unwrap();
        let sent = desk
            .confirm(&identity, nonce, None, self.now, &mut self.rng)
            .unwrap();
        let content = sent.pending.answer(&self.answer(&sent.packet)).unwrap();
        answer::expect_standing(content).unwrap();
        identity.registered(&card, authorization, self.now);
        Person {
            wallets,
            identity,
            card,
        }
    }
}
