//! How the rest of the program talks to the node's thread.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
        mpsc::Sender,
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use layer_minus_message::{Answer, LaneNote, PushedPacket};
use layer_minus_node::{ConnectionId, Event, LaneKey, PeerState, RequestId};
use layer_minus_wallet::Address;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::lane::allowance::Allowances;

/// Requests that wait for the node's thread; more wait at their sockets.
pub(crate) const REQUESTS_WAITING_MAX: usize = 1_024;

/// How often the node hears that a push moves.
const MOVING_EVERY: Duration = Duration::from_secs(1);

/// A lane that another node opened.
#[derive(Clone, Debug)]
pub(crate) struct KnownLane {
    pub(crate) node: Address,
    pub(crate) key: LaneKey,
    pub(crate) expires_at: u64,
}

/// What the thread and everybody else see.
#[derive(Debug)]
pub(crate) struct Shared {
    next_id: AtomicU64,
    room: Arc<Semaphore>,
    pub(crate) lanes: RwLock<HashMap<[u8; 16], KnownLane>>,
    /// What they may bring that nobody pays for.
    pub(crate) allowances: Allowances,
    /// Nodes that this one forwards to, as they pay.
    pub(crate) peers: RwLock<HashMap<Address, PeerState>>,
    /// Notes that the thread was told of and has not taken: one a node, the newest.
    notes: Mutex<HashMap<Address, LaneNote>>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            next_id: AtomicU64::new(1),
            room: Arc::new(Semaphore::new(REQUESTS_WAITING_MAX)),
            lanes: RwLock::default(),
            allowances: Allowances::default(),
            peers: RwLock::default(),
            notes: Mutex::default(),
        }
    }
}

impl Shared {
    /// Keeps a note for the thread; whether none of that node waited already.
    fn keep_note(&self, peer: Address, note: LaneNote) -> bool {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = notes.get_mut(&peer) else {
            notes.insert(peer, note);
            return true;
        };
        // Both are totals: the larger one says all that the other said.
        waiting.credited_pusd = waiting.credited_pusd.max(note.credited_pusd);
        let units = |note: &LaneNote| note.voucher.map(|voucher| voucher.units);
        if units(&note) > units(waiting) {
            waiting.voucher = note.voucher;
        }
        false
    }

    pub(crate) fn take_note(&self, peer: &Address) -> Option<LaneNote> {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.remove(peer)
    }
}

/// What the thread is told.
#[derive(Debug)]
pub(crate) enum Told {
    /// A request and who waits for it. The permit bounds how many there are.
    Request {
        id: RequestId,
        event: Box<Event>,
        reply: oneshot::Sender<Outcome>,
        _room: OwnedSemaphorePermit,
    },
    /// The last byte of a push was handed over: one per stream at a time.
    Handed { connection: ConnectionId, seq: u64 },
    /// Some of a push was handed over: once a second per stream.
    Moving { connection: ConnectionId },
    /// A stream ended: once per stream.
    Closed { connection: ConnectionId },
    /// A note waits: at most once per node.
    Note { peer: Address },
    /// A lane was opened at another node: once per lane.
    Event(Box<Event>),
    /// Somebody looked at an escrow.
    Backing {
        channel: [u8; 32],
        units: u64,
        until: u64,
    },
    /// End the thread.
    Stop,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The answer, to be sealed, and where the lane stands that the request came on.
    Answer(Box<Answer>, Option<LaneNote>),
    /// Nothing in it was of use.
    Garbage,
    /// Not seen before: go on.
    Fresh,
    /// It became a stream.
    Stream(StreamQueue),
}

/// What goes out on a stream.
#[derive(Debug)]
pub(crate) enum StreamItem {
    /// An answer or control record.
    Control(Box<Answer>),
    /// Where the lane stands that the stream runs on.
    Note(LaneNote),
    /// A packet.
    Push {
        packet: PushedPacket,
        size_bytes: u32,
    },
}

/// The near end of a stream. When it is dropped the node hears that the stream is closed.
#[derive(Debug)]
pub(crate) struct StreamQueue {
    connection: ConnectionId,
    items: mpsc::Receiver<StreamItem>,
    told: Sender<Told>,
    moved_at: Option<Instant>,
}

impl StreamQueue {
    pub(crate) fn new(
        connection: ConnectionId,
        items: mpsc::Receiver<StreamItem>,
        told: Sender<Told>,
    ) -> Self {
        Self {
            connection,
            items,
            told,
            moved_at: None,
        }
    }

    /// The next item; none when the node ended the stream.
    pub(crate) fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        self.items.poll_recv(cx)
    }

    /// Some of the packet was handed over. Told no more often than the node looks.
    pub(crate) fn moving(&mut self) {
        if self
            .moved_at
            .is_none_or(|moved_at| moved_at.elapsed() >= MOVING_EVERY)
        {
            self.moved_at = Some(Instant::now());
            let _ = self.told.send(Told::Moving {
                connection: self.connection,
            });
        }
    }

    /// The last byte of this packet was handed over.
    pub(crate) fn handed(&self, seq: u64) {
        // Fails only when the thread has ended, and then nobody counts.
        let _ = self.told.send(Told::Handed {
            connection: self.connection,
            seq,
        });
    }
}

impl Drop for StreamQueue {
    fn drop(&mut self) {
        let _ = self.told.send(Told::Closed {
            connection: self.connection,
        });
    }
}

/// Talks to the node's thread. Cheap to clone; the thread ends when the last one is dropped, or at
/// [`NodeHandle::stop`].
#[derive(Clone, Debug)]
pub struct NodeHandle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    told: Sender<Told>,
    shared: Arc<Shared>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Streams hold senders too, so the channel alone would not tell the thread.
        let _ = self.told.send(Told::Stop);
    }
}

impl NodeHandle {
    pub(crate) fn new(told: Sender<Told>, shared: Arc<Shared>) -> Self {
        Self(Arc::new(Inner { told, shared }))
    }

    /// Ends the thread once it has handled what it was told before. Whoever waits still is told that
    /// the node is busy.
    pub fn stop(&self) {
        let _ = self.0.told.send(Told::Stop);
    }

    /// Tells the node what an escrow holds for a channel, token units, and until when (unix seconds)
    /// that is certain: see [`Event::Backing`]. Whoever tells it paces itself: nothing waits for it.
    pub fn backing(&self, channel: [u8; 32], units: u64, until: u64) {
        let _ = self.0.told.send(Told::Backing {
            channel,
            units,
            until,
        });
    }

    /// Lets the node handle the event that `make` gives that id, and waits until what came of it is
    /// durable. None when the node's thread has ended or gave no outcome.
    pub(crate) async fn ask(&self, make: impl FnOnce(RequestId) -> Event) -> Option<Outcome> {
        let room = Arc::clone(&self.0.shared.room).acquire_owned().await.ok()?;
        let id = RequestId(self.0.shared.next_id.fetch_add(1, Ordering::Relaxed));
        let (reply, outcome) = oneshot::channel();
        self.0
            .told
            .send(Told::Request {
                id,
                event: Box::new(make(id)),
                reply,
                _room: room,
            })
            .ok()?;
        outcome.await.ok()
    }

    /// Whether one more packet of that node's lane is opened. It does not count if it is paid for.
    pub(crate) fn take_on_lane(&self, node: Address, per_second: u32) -> bool {
        self.0.shared.allowances.take(node, per_second)
    }

    /// What another node said about the lane to it.
    pub(crate) fn note(&self, peer: Address, note: LaneNote) {
        if self.0.shared.keep_note(peer, note) {
            let _ = self.0.told.send(Told::Note { peer });
        }
    }

    /// What nobody waits for.
    pub(crate) fn tell(&self, event: Event) {
        let _ = self.0.told.send(Told::Event(Box::new(event)));
    }

    /// How a node that this one forwards to pays; none if nothing is known of it.
    pub(crate) fn peer(&self, node: &Address) -> Option<PeerState> {
        let peers = &self.0.shared.peers;
        let peers = peers.read().unwrap_or_else(PoisonError::into_inner);
        peers.get(node).copied()
    }

    /// Nodes that owe more than they should.
    pub(crate) fn to_collect_from(&self) -> Vec<PeerState> {
        let peers = &self.0.shared.peers;
        let peers = peers.read().unwrap_or_else(PoisonError::into_inner);
        let owing = peers.values().filter(|peer| peer.collect || !peer.serves);
        owing.copied().collect()
    }

    /// The lane with that number, if it is still good.
    pub(crate) fn lane(&self, id: &[u8; 16], now: u64) -> Option<KnownLane> {
        let lanes = self
            .0
            .shared
            .lanes
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        lanes.get(id).filter(|lane| lane.expires_at >= now).cloned()
    }
}
