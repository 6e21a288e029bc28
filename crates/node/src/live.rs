//! What a node knows only while it runs: streams, leases, challenges. A restart forgets it and loses
//! nothing: clients come back and resume.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use layer_minus_delivery::{ConsumerId, Leases, Mode};
use layer_minus_ledger::TransferId;
use layer_minus_message::{Card, LaneVoucher, Paused, Registration};
use layer_minus_wallet::Address;

use crate::{challenges::Challenges, event::ConnectionId};

/// A packet that is being pushed.
#[derive(Clone, Debug)]
pub(crate) struct InFlight {
    pub(crate) seq: u64,
    /// What pays for this push; none if pushes are free.
    pub(crate) reservation: Option<TransferId>,
    /// Whether it is the packet's own first reservation, which outlives the stream.
    pub(crate) first: bool,
    /// When it began, or when some of it went out last.
    pub(crate) since: u64,
}

/// An open stream.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) client: Address,
    pub(crate) consumer: ConsumerId,
    /// Of the numbers in its mailbox.
    pub(crate) generation: u64,
    pub(crate) mode: Mode,
    /// The node whose lane carries it.
    pub(crate) lane: Option<Address>,
    /// Highest number handed to it.
    pub(crate) sent: u64,
    pub(crate) in_flight: Option<InFlight>,
    /// Delivery waits for money, and why.
    pub(crate) paused: Option<Paused>,
    pub(crate) last_record_at: u64,
}

/// A registration whose proof of possession is awaited.
#[derive(Debug)]
pub(crate) struct Challenge {
    pub(crate) nonce: [u8; 32],
    pub(crate) registration: Box<Registration>,
    /// The registration's card, as it was checked when it came.
    pub(crate) card: Box<Card>,
    pub(crate) lane: Option<Address>,
    pub(crate) size_bytes: u32,
    pub(crate) mark: [u8; 32],
    pub(crate) expires_at: u64,
}

/// What is known of a node that this one forwards to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LivePeer {
    /// What it says that it credited; it says so again with every answer.
    pub(crate) credited_pusd: u64,
    /// Nothing is forwarded to it.
    pub(crate) stopped: bool,
    /// It is asked for a promise.
    pub(crate) collect: bool,
    /// Its newest promise.
    pub(crate) held: Option<LaneVoucher>,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// Random, of this run of the node: streams of different runs have the same numbers.
    pub(crate) run: [u8; 16],
    pub(crate) connections: BTreeMap<ConnectionId, Connection>,
    pub(crate) by_client: HashMap<Address, BTreeSet<ConnectionId>>,
    pub(crate) challenges: Challenges<Challenge>,
    /// Packets of shared consumers that a connection holds and has not acknowledged.
    pub(crate) leases: HashMap<(Address, ConsumerId), Leases>,
    /// Streams that the transaction under way ended: if it fails, nobody else remembers them.
    pub(crate) leaving: Vec<ConnectionId>,
    /// Nodes that this one opened a lane at.
    pub(crate) peers: HashMap<Address, LivePeer>,
    pub(crate) swept_at: u64,
    /// Clients of whose collected mail some is still there.
    pub(crate) removing: BTreeSet<Address>,
    /// The retention entry that the sweep is at.
    pub(crate) sweeping: Option<Vec<u8>>,
    /// Retention entries whose rows are damaged: passed over until the store is repaired.
    pub(crate) quarantined: BTreeSet<Vec<u8>>,
}

/// Most clients whose collected mail is removed by the tick; of others the next acknowledgement does it.
const REMOVING_MAX: usize = 4_096;
/// Most retention entries that are passed over.
const QUARANTINED_MAX: usize = 128;

impl Live {
    pub(crate) fn insert(&mut self, id: ConnectionId, connection: Connection) {
        self.by_client
            .entry(connection.client)
            .or_default()
            .insert(id);
        self.connections.insert(id, connection);
    }

    /// Forgets a stream and takes back what was leased to it.
    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.connections.remove(&id)?;
        self.leaving.push(id);
        if let Some(ids) = self.by_client.get_mut(&connection.client) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_client.remove(&connection.client);
            }
        }
        let key = (connection.client, connection.consumer);
        if let Some(leases) = self.leases.get_mut(&key) {
            leases.release_connection(id.0);
            if leases.is_empty() {
                self.leases.remove(&key);
            }
        }
        Some(connection)
    }

    /// Some of what a stream is pushing went out.
    pub(crate) fn moves(&mut self, id: ConnectionId, now: u64) {
        if let Some(connection) = self.connections.get_mut(&id)
            && let Some(in_flight) = &mut connection.in_flight
        {
            in_flight.since = now;
        }
    }

    pub(crate) fn of_client(&self, client: &Address) -> Vec<ConnectionId> {
        self.by_client
            .get(client)
            .map(|ids| ids.iter().copied().collect())
            .unwrap_or_default()
    }

    /// How many packets are leased to a stream. None if its consumer does not share.
    pub(crate) fn held_by(&self, id: ConnectionId) -> usize {
        let Some(connection) = self.connections.get(&id) else {
            return 0;
        };
        let key = (connection.client, connection.consumer);
        self.leases
            .get(&key)
            .map_or(0, |leases| leases.held_by(id.0))
    }

    /// Remembers that more of what a client has collected is to be removed.
    pub(crate) fn go_on_removing(&mut self, client: Address) {
        if self.removing.len() < REMOVING_MAX {
            self.removing.insert(client);
        }
    }

    /// Remembers that the entry which the sweep was at cannot be swept; false if it cannot be passed
    /// over.
    pub(crate) fn quarantine(&mut self) -> bool {
        match self.sweeping.take() {
            Some(entry) if self.quarantined.len() < QUARANTINED_MAX => {
                self.quarantined.insert(entry)
            }
            _ => false,
        }
    }

    /// Whether a stream is pushing a packet now.
    pub(crate) fn is_in_flight(&self, client: &Address, seq: u64) -> bool {
        self.pushes_of(client, seq).next().is_some()
    }

    /// Whether a stream is using the first reservation of a packet now.
    pub(crate) fn first_push_in_use(&self, client: &Address, seq: u64) -> bool {
        self.pushes_of(client, seq).any(|in_flight| in_flight.first)
    }

    /// The pushes of a packet that are under way.
    fn pushes_of(&self, client: &Address, seq: u64) -> impl Iterator<Item = &InFlight> {
        let streams = self.by_client.get(client).into_iter().flatten();
        let connections = streams.filter_map(|id| self.connections.get(id));
        let pushes = connections.filter_map(|connection| connection.in_flight.as_ref());
        pushes.filter(move |in_flight| in_flight.seq == seq)
    }
}
