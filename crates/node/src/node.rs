//! The node: one writer that turns events into durable changes and effects.

use std::sync::Arc;

use layer_minus_ledger::{DebitLimit, Op};
use layer_minus_message::{Answer, Command, Reason};
use layer_minus_wallet::Address;
use rand::{CryptoRng, RngCore};

use crate::{
    config::{BATCH_EVENTS_MAX, NodeConfig},
    event::{Effect, Event, LaneKey, Request, RequestId},
    feed::Hungry,
    intake::NodeKeys,
    journal::Keeping,
    live::Live,
    money::{self, Ids},
    rows::{ClientRow, LaneRow},
    store::{Store, StoreError, Table},
    tx::{Stop, Tx, unheard},
};

pub(crate) const SECRET_KEY: &[u8] = b"secret";
const GENERATION_KEY: &[u8] = b"generation";
pub(crate) const CLIENTS_KEY: &[u8] = b"clients";
/// Frames that expire before this time, unix seconds (8 bytes, big-endian), may have been seen and
/// forgotten.
pub(crate) const FORGOTTEN_KEY: &[u8] = b"forgotten";
pub(crate) const BACKINGS_KEY: &[u8] = b"backings";
/// Before the address of a node that ever opened a lane.
pub(crate) const LANE_PREFIX: &[u8] = b"lane:";

/// What came of a batch.
#[derive(Debug)]
pub struct Batch {
    /// To be carried out, in order. What they say is durable.
    pub effects: Vec<Effect>,
    /// Why nothing of the batch was kept, if so.
    pub error: Option<StoreError>,
}

/// A lane that another node opened.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Its number.
    pub id: [u8; 16],
    /// Who forwards on it.
    pub node: Address,
    /// Secret for message authentication.
    pub key: LaneKey,
    /// Unix seconds until which it is good.
    pub expires_at: u64,
}

/// A node. Relay and recipient are the same; a relay takes no clients.
#[derive(Debug)]
pub struct Node<S> {
    pub(crate) store: S,
    pub(crate) keys: Arc<NodeKeys>,
    pub(crate) config: NodeConfig,
    pub(crate) ids: Ids,
    pub(crate) generation: u64,
    pub(crate) live: Live,
}

impl<S: Store> Node<S> {
    /// Opens a node over its store, which is prepared if it is new.
    pub fn open(
        mut store: S,
        keys: Arc<NodeKeys>,
        config: NodeConfig,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, StoreError> {
        store.begin()?;
        let prepared = prepare(&mut store, now, rng);
        let (secret, generation) = match prepared {
            Ok(prepared) => {
                store.commit()?;
                prepared
            }
            Err(error) => {
                store.rollback()?;
                return Err(error);
            }
        };
        let mut run = [0; 16];
        rng.fill_bytes(&mut run);
        let live = Live {
            run,
            swept_at: now,
            ..Live::default()
        };
        let mut node = Self {
            store,
            keys,
            config,
            ids: Ids::new(&secret),
            generation,
            live,
        };
        node.load_peers()?;
        Ok(node)
    }

    /// The store, for reports.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// The store, for operators' changes between batches.
    pub const fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// The lanes that other nodes opened and that are still good.
    pub fn lanes(&self, now: u64) -> Result<Vec<Lane>, StoreError> {
        const LANES_MAX: usize = 100_000;
        let rows = self.store.scan(Table::Lanes, &[], &[0xff; 17], LANES_MAX)?;
        let mut lanes = Vec::with_capacity(rows.len());
        for (key, value) in rows {
            let row: LaneRow = crate::rows::from_json(Table::Lanes, &key, &value)?;
            if let (Ok(id), true) = (key.as_slice().try_into(), row.expires_at >= now) {
                let (node, expires_at) = (row.node, row.expires_at);
                lanes.push(Lane {
                    id,
                    node,
                    key: LaneKey(row.key),
                    expires_at,
                });
            }
        }
        Ok(lanes)
    }

    /// Handles up to [`BATCH_EVENTS_MAX`] events in one transaction and returns what to do once it is
    /// durable, which it is on return.
    ///
    /// If the store fails nothing of the batch was kept: its requests are told to try later, and every
    /// stream is closed, because what they were told and what is stored may no longer agree. If it was
    /// one damaged row, or for want of room, the requests are tried again one by one, so that only those
    /// fail that need the row or the room. A tick does what it can in small transactions, and what fails
    /// of it closes nobody else's stream. Events above the limit are refused.
    pub fn handle_batch(
        &mut self,
        mut events: Vec<Event>,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Batch {
        let surplus = events.split_off(events.len().min(BATCH_EVENTS_MAX));
        let before = events.len();
        events.retain(|event| !matches!(event, Event::Tick));
        let tick = events.len() < before || surplus.iter().any(|e| matches!(e, Event::Tick));
        let mut batch = Batch {
            effects: Vec::new(),
            error: None,
        };
        let idle = events.is_empty();
        if !idle {
            self.work(events, &mut batch, now, rng);
        }
        if tick {
            self.tick(&mut batch, now);
            if idle && let Err(error) = self.store.tidy() {
                batch.error.get_or_insert(error);
            }
        }
        batch
            .effects
            .extend(surplus.iter().filter_map(request_of).map(unavailable));
        batch
    }

    fn work(
        &mut self,
        events: Vec<Event>,
        batch: &mut Batch,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) {
        let error = match self.try_batch(events.clone(), now, rng) {
            Ok(effects) => {
                batch.effects = effects;
                return;
            }
            Err(error) => error,
        };
        batch.effects.extend(self.drop_connections());
        let one_by_one = match error {
            StoreError::Damaged { .. } => events.len() > 1,
            // A single one as well: the store may have released what it held back for this.
            StoreError::Full(_) => true,
            _ => false,
        };
        batch.error = Some(error);
        for event in events {
            let Some(request) = request_of(&event) else {
                continue;
            };
            match one_by_one.then(|| self.try_batch(vec![event], now, rng)) {
                Some(Ok(effects)) => batch.effects.extend(effects),
                Some(Err(_)) => {
                    batch.effects.extend(self.drop_connections());
                    batch.effects.push(unavailable(request));
                }
                None => batch.effects.push(unavailable(request)),
            }
        }
    }

    fn try_batch(
        &mut self,
        events: Vec<Event>,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Vec<Effect>, StoreError> {
        self.transact(now, |parts| parts.run(events, rng))
            .map(|((), effects)| effects)
    }

    /// Runs `work` in a transaction of its own; its effects are durable on return.
    pub(crate) fn transact<T>(
        &mut self,
        now: u64,
        work: impl FnOnce(&mut Parts<'_, S>) -> Result<T, StoreError>,
    ) -> Result<(T, Vec<Effect>), StoreError> {
        self.store.begin()?;
        let leaving = self.live.leaving.len();
        let outcome = self.begun(now, work);
        match outcome {
            Ok(done) => {
                self.store.commit()?;
                // Their ends are among the effects.
                self.live.leaving.truncate(leaving);
                Ok(done)
            }
            Err(error) => {
                // The first failure is the one to report; a second says the same.
                let _ = self.store.rollback();
                Err(error)
            }
        }
    }

    fn begun<T>(
        &mut self,
        now: u64,
        work: impl FnOnce(&mut Parts<'_, S>) -> Result<T, StoreError>,
    ) -> Result<(T, Vec<Effect>), StoreError> {
        let has_room = self.store.has_room()?;
        let mut parts = Parts {
            keys: &self.keys,
            config: &self.config,
            ids: &self.ids,
            generation: self.generation,
            live: &mut self.live,
            has_room,
            hungry: Hungry::default(),
            tx: Tx {
                store: &mut self.store,
                now,
                keeping: Keeping::from(&self.config),
                effects: Vec::new(),
            },
        };
        let value = work(&mut parts)?;
        parts.feed_hungry()?;
        Ok((value, parts.tx.effects))
    }

    fn drop_connections(&mut self) -> Vec<Effect> {
        let live = std::mem::take(&mut self.live);
        self.live.run = live.run;
        self.live.challenges = live.challenges;
        self.live.swept_at = live.swept_at;
        self.live.quarantined = live.quarantined;
        self.live.removing = live.removing;
        self.live.peers = live.peers;
        let closed = live.connections.into_keys().chain(live.leaving);
        // What the batch had changed of peers was told to nobody.
        self.judge_peers();
        let peers = self.peers().into_iter().map(Effect::Peer);
        closed
            .map(|connection| Effect::Close { connection })
            .chain(peers)
            .collect()
    }
}

fn unavailable(request: RequestId) -> Effect {
    Effect::Answer {
        request,
        answer: Box::new(Answer::Refused(Reason::Unavailable)),
        note: None,
    }
}

const fn request_of(event: &Event) -> Option<RequestId> {
    match event {
        Event::Mail { request, .. } | Event::Command { request, .. } | Event::See { request } => {
            Some(request.id)
        }
        Event::Handed { .. }
        | Event::Moving { .. }
        | Event::Closed { .. }
        | Event::LaneJoined { .. }
        | Event::Note { .. }
        | Event::Backing { .. }
        | Event::Tick => None,
    }
}

/// The request and the lane that it came on.
const fn lane_of(event: &Event) -> Option<(RequestId, Address)> {
    match event {
        Event::Mail { request, .. } | Event::Command { request, .. } => match request.lane {
            Some(node) => Some((request.id, node)),
            None => None,
        },
        _ => None,
    }
}

fn prepare(
    store: &mut impl Store,
    now: u64,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<([u8; 32], u64), StoreError> {
    let damaged = |key: &[u8]| StoreError::damaged(Table::Meta, key);
    let secret = match store.get(Table::Meta, SECRET_KEY)? {
        Some(bytes) => bytes.try_into().map_err(|_| damaged(SECRET_KEY))?,
        None => {
            let mut secret = [0; 32];
            rng.fill_bytes(&mut secret);
            store.put(Table::Meta, SECRET_KEY, &secret)?;
            secret
        }
    };
    // Its row is there from the first day: on a full disk the sweep can change one, not add one.
    if store.get(Table::Meta, FORGOTTEN_KEY)?.is_none() {
        store.put(Table::Meta, FORGOTTEN_KEY, &0_u64.to_be_bytes())?;
    }
    let generation = match store.get(Table::Meta, GENERATION_KEY)? {
        Some(bytes) => u64::from_be_bytes(bytes.try_into().map_err(|_| damaged(GENERATION_KEY))?),
        None => {
            let generation = u64::from(rng.next_u32()) | 1;
            store.put(Table::Meta, GENERATION_KEY, &generation.to_be_bytes())?;
            generation
        }
    };
    if store.get(Table::Meta, FORGOTTEN_KEY)?.is_none() {
        // The sweep, which makes room on a full disk, may then write it without needing any.
        store.put(Table::Meta, FORGOTTEN_KEY, &0_u64.to_be_bytes())?;
    }
    let mut tx = Tx::beside(store, now);
    for account in [money::income_account(), money::expense_account()] {
        if tx.account(&account)?.is_none() {
            let open = [Op::Open {
                account,
                limit: DebitLimit::None,
            }];
            tx.book(&open)
                .map_err(|error| StoreError::Failed(format!("{error:?}")))?;
        }
    }
    Ok((secret, generation))
}

/// A node in the middle of a transaction.
#[derive(Debug)]
pub(crate) struct Parts<'a, S> {
    pub(crate) keys: &'a NodeKeys,
    pub(crate) config: &'a NodeConfig,
    pub(crate) ids: &'a Ids,
    pub(crate) generation: u64,
    pub(crate) live: &'a mut Live,
    /// Whether the store has more than the reserve that collecting and expiring need.
    pub(crate) has_room: bool,
    pub(crate) hungry: Hungry,
    pub(crate) tx: Tx<'a, S>,
}

impl<S: Store> Parts<'_, S> {
    fn run(
        &mut self,
        events: Vec<Event>,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(), StoreError> {
        for event in events {
            let (request, lane) = (request_of(&event), lane_of(&event));
            let from = self.tx.effects.len();
            match self.handle(event, rng) {
                Ok(()) => {}
                Err(Stop::Refuse(reason)) => {
                    if let Some(request) = request {
                        self.tx.answer(request, Answer::Refused(reason));
                    }
                }
                Err(Stop::Store(error)) => return Err(error),
            }
            if let Some((request, node)) = lane {
                unheard(self.add_note(&node, request, from))?;
            }
        }
        Ok(())
    }

    fn handle(&mut self, event: Event, rng: &mut (impl RngCore + CryptoRng)) -> Result<(), Stop> {
        if !self.may_write(&event)? {
            return Err(Reason::Unavailable.into());
        }
        match event {
            Event::Mail {
                request,
                recipient,
                inbox,
                message,
            } => {
                if self.see(&request, true)? {
                    self.mail(&request, recipient, inbox, message, rng)?;
                }
            }
            Event::Command { request, command } => {
                if !self.see(&request, command.signer.is_some())? {
                    return Ok(());
                }
                if let Some(signer) = &command.signer {
                    self.see_nonce(signer)?;
                }
                self.command(&request, command, rng)?;
            }
            Event::See { request } => {
                if self.see(&request, false)? {
                    self.tx.effects.push(Effect::Fresh {
                        request: request.id,
                    });
                }
            }
            Event::Handed { connection, seq } => self.handed(connection, seq)?,
            Event::Moving { connection } => self.live.moves(connection, self.tx.now),
            Event::Closed { connection } => self.closed(connection)?,
            Event::LaneJoined {
                peer,
                channel,
                note,
            } => self.lane_joined(peer, *channel, &note)?,
            Event::Note { peer, note } => self.lane_note(peer, &note)?,
            Event::Backing {
                channel,
                units,
                until,
            } => self.backing(&channel, units, until)?,
            // Not part of a batch: it has transactions of its own.
            Event::Tick => {}
        }
        Ok(())
    }

    fn command(
        &mut self,
        request: &Request,
        command: layer_minus_message::VerifiedCommand,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(), Stop> {
        let signer = command.signer.map(|signer| signer.wallet);
        match (command.command, signer) {
            (Command::Card { wallet }, _) => self.card(request, &wallet),
            (Command::Register(registration), Some(wallet)) => {
                self.register(request, wallet, registration, command.card, rng)
            }
            (Command::Confirm { challenge, listen }, Some(wallet)) => {
                self.confirm(request, wallet, &challenge, listen)
            }
            (Command::Listen(listen), Some(wallet)) => self.listen(request, wallet, &listen),
            (
                Command::Ack {
                    consumer,
                    generation,
                    through,
                    seqs,
                },
                Some(wallet),
            ) => self.ack(request, wallet, consumer, generation, through, &seqs),
            (Command::Status, Some(wallet)) => self.status(request, wallet),
            (Command::Authorize(authorization), Some(wallet)) => {
                self.authorize(request, wallet, *authorization)
            }
            (Command::Revoke, Some(wallet)) => self.revoke(request, wallet),
            (Command::Statement { after }, Some(wallet)) => self.statement(request, wallet, after),
            (Command::Unregister, Some(wallet)) => self.unregister(request, wallet),
            (Command::Lane { record, held }, Some(wallet)) => {
                self.lane(request, wallet, record, held, rng)
            }
            (Command::Collect { held, stopped }, Some(wallet)) => {
                self.collect(request, wallet, held, stopped)
            }
            (_, None) => Err(Reason::BadSignature.into()),
            (_, Some(_)) => Err(Reason::Malformed {
                detail: "command is not for a node's writer".to_owned(),
            }
            .into()),
        }
    }

    /// Says that what came on a lane is paid for: it does not count as what strangers send.
    pub(crate) fn paid(&mut self, lane: Option<Address>) {
        self.tx
            .effects
            .extend(lane.map(|lane| Effect::Paid { lane }));
    }

    /// The generation of the numbers in a client's mailbox.
    pub(crate) const fn generation_of(&self, client: &ClientRow) -> u64 {
        self.generation ^ client.apart
    }

    pub(crate) fn is_me(&self, node: &Address) -> bool {
        *node == self.keys.wallet.address()
    }
}
