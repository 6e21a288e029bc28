//! The thread itself.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use layer_minus_node::{
    Batch, ConnectionId, Effect, Event, Lane, Node, PeerState, RequestId, Store,
    config::BATCH_EVENTS_MAX,
};
use rand::rngs::OsRng;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error, info, warn};

use super::handle::{KnownLane, NodeHandle, Outcome, Shared, StreamItem, StreamQueue, Told};
use crate::clock;

/// How often the node is told that time passes.
const TICK: Duration = Duration::from_secs(1);
/// Records that wait for a stream's socket. The node pushes one packet at a time and says
/// something every few seconds; whoever lets more than this pile up does not read.
const STREAM_QUEUE_MAX: usize = 32;

/// What the thread runs: the node, or what stands for it in a test.
pub(crate) trait Brain: Send + 'static {
    /// Handles events; the effects are durable on return.
    fn batch(&mut self, events: Vec<Event>, now: u64) -> Batch;
    /// Leaves no transaction open after a panic.
    fn recover(&mut self);
    /// The lanes that others opened before.
    fn lanes(&self, now: u64) -> Vec<Lane>;
    /// The nodes that this one forwarded to before.
    fn peers(&self) -> Vec<PeerState>;
}

impl<S: Store + 'static> Brain for Node<S> {
    fn batch(&mut self, events: Vec<Event>, now: u64) -> Batch {
        self.handle_batch(events, now, &mut OsRng)
    }

    fn recover(&mut self) {
        if let Err(error) = self.store_mut().rollback() {
            error!(%error, "rollback after a panic failed");
        }
    }

    fn lanes(&self, now: u64) -> Vec<Lane> {
        Node::lanes(self, now).unwrap_or_else(|error| {
            error!(%error, "lanes cannot be read: forwarders will open new ones");
            Vec::new()
        })
    }

    fn peers(&self) -> Vec<PeerState> {
        Node::peers(self)
    }
}

/// Starts a thread that owns the node, gives it what is told to the handle in batches, lets it hear
/// the time every second, and carries out what it wants. The thread returns the node when it ends.
#[must_use]
pub fn spawn_node<S: Store + 'static>(node: Node<S>) -> (NodeHandle, JoinHandle<Node<S>>) {
    spawn_brain(node)
}

pub(crate) fn spawn_brain<B: Brain>(brain: B) -> (NodeHandle, JoinHandle<B>) {
    let (told, inbox) = channel();
    let shared = Arc::new(Shared::new());
    let worker = Worker {
        brain,
        told: told.clone(),
        shared: Arc::clone(&shared),
        waiting: HashMap::new(),
        streams: HashMap::new(),
    };
    let now = clock::now();
    worker
        .brain
        .lanes(now)
        .into_iter()
        .for_each(|lane| worker.know(lane, now));
    let peers = worker.brain.peers();
    peers.into_iter().for_each(|peer| worker.know_peer(peer));
    let handle = NodeHandle::new(told, shared);
    let thread = std::thread::spawn(move || worker.run(&inbox));
    (handle, thread)
}

struct Worker<B> {
    brain: B,
    told: Sender<Told>,
    shared: Arc<Shared>,
    waiting: HashMap<RequestId, oneshot::Sender<Outcome>>,
    streams: HashMap<ConnectionId, mpsc::Sender<StreamItem>>,
}

impl<B: Brain> Worker<B> {
    fn run(mut self, inbox: &Receiver<Told>) -> B {
        let mut next_tick = Instant::now() + TICK;
        let mut events = Vec::with_capacity(BATCH_EVENTS_MAX);
        loop {
            let first = inbox.recv_timeout(next_tick.saturating_duration_since(Instant::now()));
            let mut stop = matches!(first, Err(RecvTimeoutError::Disconnected));
            let more = std::iter::from_fn(|| inbox.try_recv().ok());
            // One place is left for the tick.
            for told in first.into_iter().chain(more).take(BATCH_EVENTS_MAX - 1) {
                stop |= self.take(told, &mut events);
                if stop {
                    break;
                }
            }
            if next_tick <= Instant::now() {
                events.push(Event::Tick);
                next_tick = Instant::now() + TICK;
            }
            if !events.is_empty() {
                self.handle(std::mem::take(&mut events));
            }
            if stop {
                return self.brain;
            }
        }
    }

    /// Takes what was told; true if it was the word to stop.
    fn take(&mut self, told: Told, events: &mut Vec<Event>) -> bool {
        match told {
            Told::Request {
                id, event, reply, ..
            } => {
                self.waiting.insert(id, reply);
                events.push(*event);
            }
            Told::Handed { connection, seq } => events.push(Event::Handed { connection, seq }),
            Told::Moving { connection } => events.push(Event::Moving { connection }),
            Told::Closed { connection } => {
                self.streams.remove(&connection);
                events.push(Event::Closed { connection });
            }
            Told::Note { peer } => {
                if let Some(note) = self.shared.take_note(&peer) {
                    events.push(Event::Note { peer, note });
                }
            }
            Told::Event(event) => events.push(*event),
            Told::Backing {
                channel,
                units,
                until,
            } => events.push(Event::Backing {
                channel,
                units,
                until,
            }),
            Told::Stop => return true,
        }
        false
    }

    fn handle(&mut self, events: Vec<Event>) {
        let now = clock::now();
        let count = events.len();
        let brain = &mut self.brain;
        // A panic here is a bug, and one request must not stop the node for everybody: its batch
        // is refused and the streams start anew.
        match catch_unwind(AssertUnwindSafe(|| brain.batch(events, now))) {
            Ok(batch) => {
                if let Some(error) = batch.error {
                    error!(%error, events = count, "store failed, batch refused");
                }
                batch
                    .effects
                    .into_iter()
                    .for_each(|effect| self.carry_out(effect, now));
            }
            Err(_) => {
                error!(events = count, "the node panicked, batch refused");
                self.brain.recover();
                self.streams.clear();
            }
        }
        // Whoever got no outcome is told that the node is busy, by the end of the channel.
        if !self.waiting.is_empty() {
            warn!(requests = self.waiting.len(), "requests without an outcome");
            self.waiting.clear();
        }
    }

    fn carry_out(&mut self, effect: Effect, now: u64) {
        match effect {
            Effect::Answer {
                request,
                answer,
                note,
            } => self.reply(request, Outcome::Answer(answer, note)),
            Effect::Garbage { request } => self.reply(request, Outcome::Garbage),
            Effect::Fresh { request } => self.reply(request, Outcome::Fresh),
            Effect::Stream {
                request,
                connection,
                first,
            } => {
                // A long absence may begin with many gaps.
                let (sender, items) = mpsc::channel(STREAM_QUEUE_MAX + first.len());
                let queue = StreamQueue::new(connection, items, self.told.clone());
                self.streams.insert(connection, sender);
                for answer in first {
                    self.stream(connection, StreamItem::Control(Box::new(answer)));
                }
                self.reply(request, Outcome::Stream(queue));
            }
            Effect::Control { connection, answer } => {
                self.stream(connection, StreamItem::Control(answer));
            }
            Effect::Push {
                connection,
                packet,
                size_bytes,
            } => {
                self.stream(connection, StreamItem::Push { packet, size_bytes });
            }
            Effect::Note { connection, note } => {
                self.stream(connection, StreamItem::Note(note));
            }
            Effect::Peer(peer) => self.know_peer(peer),
            Effect::VoucherRefused { peer, reason } => {
                warn!(next = %peer, reason, "a voucher was refused");
            }
            Effect::Close { connection } => {
                self.streams.remove(&connection);
            }
            Effect::Paid { lane } => self.shared.allowances.give_back(&lane),
            Effect::LaneOpened {
                lane,
                node,
                key,
                expires_at,
            } => {
                self.know(
                    Lane {
                        id: lane,
                        node,
                        key,
                        expires_at,
                    },
                    now,
                );
            }
            _ => error!("the node wants something that its runtime does not know"),
        }
    }

    fn reply(&mut self, request: RequestId, outcome: Outcome) {
        // If nobody waits any more the outcome is dropped, and with a stream the node hears of it.
        if let Some(reply) = self.waiting.remove(&request) {
            let _ = reply.send(outcome);
        }
    }

    /// Queues an item. A stream that is full or gone ends; the node hears it from the queue's end.
    fn stream(&mut self, connection: ConnectionId, item: StreamItem) {
        let Some(stream) = self.streams.get(&connection) else {
            return;
        };
        if let Err(refused) = stream.try_send(item) {
            if matches!(refused, mpsc::error::TrySendError::Full(_)) {
                debug!("a stream that is not read was ended");
            }
            self.streams.remove(&connection);
        }
    }

    fn know_peer(&self, peer: PeerState) {
        let peers = &self.shared.peers;
        let mut peers = peers.write().unwrap_or_else(PoisonError::into_inner);
        let served = peers.insert(peer.node, peer).is_none_or(|old| old.serves);
        if served && !peer.serves {
            warn!(next = %peer.node, "nothing is forwarded to it until it pays");
        } else if !served && peer.serves {
            info!(next = %peer.node, "it pays and is forwarded to again");
        }
    }

    fn know(&self, lane: Lane, now: u64) {
        let mut lanes = self
            .shared
            .lanes
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // One live lane for each node, as in its store.
        lanes.retain(|_, known| known.expires_at >= now && known.node != lane.node);
        let Lane {
            id,
            node,
            key,
            expires_at,
        } = lane;
        lanes.insert(
            id,
            KnownLane {
                node,
                key,
                expires_at,
            },
        );
    }
}
