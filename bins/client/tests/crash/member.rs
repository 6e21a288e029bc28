//! A client in this process: it sends until it has the acceptance, listens again whenever its stream
//! breaks, and acknowledges what it has.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use layer_minus_client_sdk::{
    AckBook, Acknowledgement, Caps, Desk, Identity, Inbox, Network, Outcome, Outgoing, Plan,
    Received, Route, SealedMail, Terms, Wallets,
    answer::{
        AnswerReader, expect_acceptance, expect_acknowledged, expect_challenge, expect_standing,
    },
    content, receive,
};
use layer_minus_delivery::Mode;
use layer_minus_http::{HttpClient, HttpOptions, RecordStream, Reply, clock};
use layer_minus_message::{Answer, Card, Content, FullCard, NodeRecord, PushedPacket};
use layer_minus_packet::Sizes;
use layer_minus_seal::Version;
use layer_minus_wallet::Address;
use rand::{Rng as _, rngs::OsRng};
use tokio::time::{sleep, timeout};

use crate::{
    log::{LetterId, Log, Taken},
    world::World,
};

const NETWORK: &str = "layer-minus";
/// A dollar in token units.
const LIMIT_UNITS: u64 = 1_000_000;
/// After something failed.
const PAUSE: Duration = Duration::from_millis(30);
/// How long packets are collected before they are acknowledged.
const ACK_AFTER: Duration = Duration::from_millis(15);
/// How many packets are acknowledged at once.
const ACK_PACKETS: u32 = 8;

/// A client of recipient B who goes through relay A.
#[derive(Debug)]
pub(crate) struct Member {
    identity: Identity,
    network: Network,
    node: NodeRecord,
    relay_url: String,
    http: HttpClient,
    log: Mutex<Log>,
    online: AtomicBool,
    /// Letters that it began to send and has no acceptance for.
    sending: AtomicU64,
}

/// An open stream.
struct Stream {
    records: RecordStream,
    reader: AnswerReader,
}

/// What a client has on its disk, whatever becomes of its streams.
struct Disk {
    inbox: Inbox,
    book: AckBook,
    /// Which letter has which number.
    places: BTreeMap<u64, LetterId>,
}

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

impl Member {
    /// Registers `count` new ones.
    pub(crate) async fn register_all(world: &World, count: usize) -> Vec<Arc<Self>> {
        let mut members = Vec::new();
        for _ in 0..count {
            members.push(Arc::new(Self::register(world).await));
        }
        members
    }

    /// Registers a new one.
    pub(crate) async fn register(world: &World) -> Self {
        let (rng, now) = (&mut OsRng, clock::now());
        let record = serde_json::from_value(world.b.record.clone()).unwrap();
        let wallets = Wallets::generate(rng);
        let mut member = Self {
            identity: Identity::generate(&wallets.wallet, NETWORK, Version::V6, now, rng).unwrap(),
            network: Network {
                id: NETWORK.to_owned(),
                sizes: Sizes::default(),
            },
            node: NodeRecord::read(record, NETWORK, now).unwrap(),
            relay_url: format!("http://127.0.0.1:{}/post", world.a.port),
            http: HttpClient::new(HttpOptions::default()).unwrap(),
            log: Mutex::default(),
            online: AtomicBool::new(true),
            sending: AtomicU64::new(0),
        };
        let terms = Terms {
            limit_units: LIMIT_UNITS,
            invite: Some(world.b.invite("$1.00")),
            ..Terms::default()
        };
        let (card, registration) = member
            .identity
            .registration(&wallets, &member.node, &terms, now, rng)
            .unwrap();
        let authorization = registration.authorization.clone();
        let route = Route::direct(&member.node);
        let desk = Desk::new(&member.network, &route);
        let register = desk.register(&member.identity, registration, now, rng);
        let sealed = expect_challenge(member.ask(register.unwrap()).await.unwrap()).unwrap();
        let node = member.node.node();
        let challenge = member.identity.open_challenge(&sealed, node).unwrap();
        let confirm = desk.confirm(&member.identity, challenge, None, now, rng);
        expect_standing(member.ask(confirm.unwrap()).await.unwrap()).unwrap();
        member.identity.registered(&card, authorization, now);
        member
    }

    pub(crate) fn address(&self) -> Address {
        self.identity.address()
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }

    /// Says whether it should be online; it goes within a moment.
    pub(crate) fn go_online(&self, online: bool) {
        self.online.store(online, Ordering::SeqCst);
    }

    /// Whether it has an acceptance for all that it began to send.
    pub(crate) fn is_idle(&self) -> bool {
        self.sending.load(Ordering::SeqCst) == 0
    }

    fn card(&self) -> FullCard {
        self.identity.full_card().unwrap()
    }

    async fn ask(&self, out: Outgoing) -> Fallible<Content> {
        match self.http.post(&self.relay_url, out.packet, None).await? {
            Reply::Once(record) => Ok(out.pending.answer(&record)?),
            Reply::Stream(_) => Err("a stream came where one answer was due".into()),
        }
    }

    /// Sends letters to anybody for as long as `loading` is set; one that was begun is finished.
    pub(crate) async fn write_to(
        self: Arc<Self>,
        members: Vec<Arc<Self>>,
        loading: Arc<AtomicBool>,
    ) {
        loop {
            if !loading.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(5)).await;
                continue;
            }
            self.sending.fetch_add(1, Ordering::SeqCst);
            let to = &members[OsRng.gen_range(0..members.len())];
            self.send(to).await;
            self.sending.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Tries the same letter, in fresh layers, until the node has accepted it.
    pub(crate) async fn send(&self, to: &Self) {
        let (full, now, sizes) = (to.card(), clock::now(), &self.network.sizes);
        let card = Card::read(full.card.clone(), NETWORK, now).unwrap();
        let text = b"under load";
        let plan = Plan::of(to.address(), content::TEXT, text, sizes, now, &mut OsRng).unwrap();
        let letter = plan.letter(&self.identity, 0, Bytes::from_static(text), None);
        let mail = SealedMail::seal(
            &letter.unwrap(),
            &self.identity,
            &card,
            sizes,
            now,
            &mut OsRng,
        )
        .unwrap();
        to.log().sent.insert(plan.id);
        let route = Route::direct(&self.node);
        loop {
            let now = clock::now();
            let out = mail.packet(&self.network, &route, full.inbox, now, &mut OsRng);
            if let Ok(answered) = self.ask(out.unwrap()).await {
                let node = self.node.node();
                // "Try later" is an answer as well.
                if let Ok(receipt) =
                    expect_acceptance(answered, NETWORK, node, &mail.digest, clock::now())
                {
                    let first = to.log().accepted.insert(plan.id, receipt.body.accepted_at);
                    assert_eq!(first, None, "ids are random");
                    return;
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// Listens for ever, when it is online.
    pub(crate) async fn listen(self: Arc<Self>) {
        let mut disk = Disk {
            inbox: Inbox::new(),
            book: AckBook::new(Mode::Each),
            places: BTreeMap::new(),
        };
        loop {
            if !self.online.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(5)).await;
                continue;
            }
            match self.open().await {
                Ok(mut stream) => {
                    // It ends when a node is killed: that is what this is about.
                    let _ = self.read(&mut stream, &mut disk).await;
                    self.log().stream_broke();
                }
                Err(_) => self.log().listens_unknown += 1,
            }
            sleep(PAUSE).await;
        }
    }

    async fn open(&self) -> Fallible<Stream> {
        let route = Route::direct(&self.node);
        let desk = Desk::new(&self.network, &route);
        let out = desk.listen(&self.identity, Mode::Each, clock::now(), &mut OsRng)?;
        let reader = out.pending.reader();
        match self.http.post(&self.relay_url, out.packet, None).await? {
            Reply::Stream(records) => Ok(Stream { records, reader }),
            Reply::Once(record) => {
                let answered = out.pending.answer(&record)?;
                Err(format!("no stream: {answered:?}").into())
            }
        }
    }

    async fn read(&self, stream: &mut Stream, disk: &mut Disk) -> Fallible<()> {
        let mut heard = false;
        let mut fresh = 0;
        loop {
            if let Ok(next) = timeout(ACK_AFTER, stream.records.next()).await {
                let Some(Ok(record)) = next else {
                    if !heard {
                        self.log().listens_unknown += 1;
                    }
                    return Ok(());
                };
                match stream.reader.read(&record)? {
                    Content::Packet(packet) => {
                        self.take(&packet, disk)?;
                        fresh += 1;
                    }
                    Content::Answer(answer) => match *answer {
                        Answer::Listening { position, .. } => {
                            heard = true;
                            self.log().listens += 1;
                            disk.book.opened(position);
                        }
                        Answer::Gap { from, through } => {
                            panic!("a gap from {from} to {through}: nothing was dropped");
                        }
                        Answer::Paused(reason) => panic!("paused: {reason}"),
                        _ => {}
                    },
                }
                if fresh < ACK_PACKETS {
                    continue;
                }
            }
            if !self.online.load(Ordering::SeqCst) {
                return Ok(());
            }
            fresh = 0;
            if let Some(ack) = disk.book.take() {
                self.acknowledge(ack, disk).await;
            }
        }
    }

    fn take(&self, packet: &PushedPacket, disk: &mut Disk) -> Fallible<()> {
        let keys = self.identity.keyring();
        let opened = receive::open(packet, &keys, NETWORK, self.address())?;
        let Received::Letter(letter) = opened else {
            panic!("not a letter");
        };
        let id = letter.claims.id;
        let outcome = disk.inbox.take(&letter, &Caps::CONTACT, clock::now());
        disk.places.insert(packet.position.seq, id);
        disk.book.took(packet.position);
        let mut log = self.log();
        log.pushes += 1;
        if matches!(outcome, Outcome::Whole) {
            *log.shown.entry(id).or_default() += 1;
        }
        Ok(())
    }

    /// Says what is safe here. What the node did not answer is said again on the next stream.
    async fn acknowledge(&self, ack: Acknowledgement, disk: &mut Disk) {
        let through = ack.through.unwrap_or(0);
        let ids: Vec<LetterId> = disk.places.range(..=through).map(|(_, id)| *id).collect();
        let from = clock::now();
        for id in &ids {
            let taken = Taken { from, until: None };
            self.log().taken.entry(*id).or_insert(taken);
        }
        let route = Route::direct(&self.node);
        let desk = Desk::new(&self.network, &route);
        let out = desk.ack(&self.identity, ack.clone(), from, &mut OsRng);
        let told = match self.ask(out.unwrap()).await {
            Ok(answered) => expect_acknowledged(answered).is_ok(),
            Err(_) => false,
        };
        if !told {
            disk.book.put_back(ack);
            sleep(PAUSE).await;
            return;
        }
        // They need not be told again, nor looked at.
        disk.places = disk.places.split_off(&(through + 1));
        let until = clock::now();
        let mut log = self.log();
        for id in ids {
            if let Some(taken) = log.taken.get_mut(&id) {
                taken.until = taken.until.or(Some(until));
            }
        }
    }
}
