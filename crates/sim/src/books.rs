//! The world's own record of what was done, made from what nodes were given and decided, never from
//! their ledgers. The oracles hold it against what the nodes stored.

use std::collections::{BTreeMap, BTreeSet};

use layer_minus_delivery::ConsumerId;
use layer_minus_message::AcceptanceBody;
use layer_minus_wallet::Address;

/// A registration of a wallet at a node: the same wallet may register again after it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Life {
    pub(crate) site: usize,
    pub(crate) person: usize,
    /// Counts from 1.
    pub(crate) number: u32,
}

/// How a packet left its mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Every consumer had it.
    Collected,
    /// Its time was over.
    Expired,
    /// Its client left.
    Unregistered,
}

/// A packet that a node accepted: its place in a mailbox.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) digest: [u8; 32],
    pub(crate) accepted_at: u64,
    pub(crate) kept_until: u64,
    pub(crate) left: Option<(Left, u64)>,
    /// Consumers that did not have it when it was dropped: they must be told.
    pub(crate) owed_gap: BTreeSet<ConsumerId>,
    /// It was dropped before anybody listened: whoever comes first must be told.
    pub(crate) owed_anyone: bool,
    /// Streams on which the node began to push it, by their names over all processes.
    pub(crate) pushes: BTreeMap<u64, Pushed>,
}

/// What is known of one push of a packet on one stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pushed {
    pub(crate) lane: Option<Address>,
    /// Its record went out: it may be charged.
    pub(crate) sent: bool,
    /// The node heard that it was handed over, or that it is safe: it must be charged.
    pub(crate) handed: bool,
}

/// A stream that a node has open, as far as it told.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) life: Life,
    pub(crate) consumer: ConsumerId,
    pub(crate) lane: Option<Address>,
    pub(crate) in_flight: Option<u64>,
}

/// What a client's account is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// Registrations so far; the current one if `registered`.
    pub(crate) lives: u32,
    pub(crate) registered: bool,
    pub(crate) authorized_until: u64,
    /// Passes of commands that were charged.
    pub(crate) commands: u64,
    /// How often it left while its authorization was good: free if its limit was used up.
    pub(crate) leavings: u64,
}

/// Of one node's one run of the process, and of all before.
#[derive(Debug, Default)]
pub(crate) struct SiteBooks {
    pub(crate) standings: BTreeMap<usize, Standing>,
    pub(crate) streams: BTreeMap<u64, Stream>,
    /// Streams that the last batch ended: its effects may still name them.
    pub(crate) ended: BTreeSet<u64>,
    /// The latest time that the node's clock showed: what was due then is forgotten.
    pub(crate) latest: u64,
    /// Lane of the first half of a registration.
    pub(crate) challenges: BTreeMap<usize, Option<Address>>,
    /// Passes of commands and of mail on its way in, by lane.
    pub(crate) lane_passes: BTreeMap<Address, u64>,
    /// Passes of clients who left, which may have been free.
    pub(crate) lane_leavings: BTreeMap<Address, u64>,
    /// Frames that had an effect.
    pub(crate) frames: BTreeSet<[u8; 32]>,
    /// Nonces of commands that were obeyed.
    pub(crate) nonces: BTreeSet<(Address, [u8; 16])>,
}

/// A letter as it was written: to whom, the digest of its body, and when it was signed.
pub(crate) type Said = (Address, [u8; 32], u64);

/// Sender and id of a letter.
pub(crate) type LetterKey = ([u8; 20], [u8; 16]);

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) sites: Vec<SiteBooks>,
    /// By registration and sequence number.
    pub(crate) stored: BTreeMap<(Life, u64), Stored>,
    /// Receipts by digest of the mail, newest last.
    pub(crate) receipts: BTreeMap<(Life, [u8; 32]), Vec<AcceptanceBody>>,
    /// Letters by sender and id.
    pub(crate) letters: BTreeMap<(Address, [u8; 16]), Said>,
    /// Mail that its reader may refuse for the time at which it was signed.
    pub(crate) unreadable: BTreeSet<[u8; 32]>,
    /// Letters by digest of the sealed mail: sender and id.
    pub(crate) mails: BTreeMap<[u8; 32], LetterKey>,
    /// Answer records by reply key and random, with their number: no two are sealed alike.
    pub(crate) sealed: BTreeSet<([u8; 32], [u8; 32], u32)>,
    /// What was counted, for the report.
    pub(crate) counts: Counts,
}

/// Figures of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Letters written.
    pub letters: u64,
    /// Packets accepted.
    pub accepted: u64,
    /// Retries that got the first acceptance again.
    pub retries: u64,
    /// Packets that a device stored.
    pub taken: u64,
    /// Letters that people saw.
    pub shown: u64,
    /// Letters refused by their reader, because a clock was far off when they were signed or accepted.
    pub unreadable: u64,
    /// Packets dropped at the end of retention.
    pub expired: u64,
    /// Crashes of nodes.
    pub node_crashes: u64,
    /// Crashes of clients.
    pub client_crashes: u64,
    /// Packets that crossed the network.
    pub packets: u64,
    /// Commits that were torn.
    pub torn: u64,
    /// Crashes of relays.
    pub relay_crashes: u64,
    /// Notes that nodes sent relays.
    pub notes: u64,
    /// Times that a relay stopped forwarding to a node.
    pub stopped: u64,
    /// Times that operators settled.
    pub settled: u64,
}

impl Counts {
    /// Adds what another run counted.
    pub const fn add(&mut self, other: &Self) {
        self.letters += other.letters;
        self.accepted += other.accepted;
        self.retries += other.retries;
        self.taken += other.taken;
        self.shown += other.shown;
        self.unreadable += other.unreadable;
        self.expired += other.expired;
        self.node_crashes += other.node_crashes;
        self.client_crashes += other.client_crashes;
        self.packets += other.packets;
        self.torn += other.torn;
        self.relay_crashes += other.relay_crashes;
        self.notes += other.notes;
        self.stopped += other.stopped;
        self.settled += other.settled;
    }
}

impl Books {
    pub(crate) fn life(&self, site: usize, person: usize) -> Option<Life> {
        let standing = self.sites.get(site)?.standings.get(&person)?;
        standing.registered.then_some(Life {
            site,
            person,
            number: standing.lives,
        })
    }

    /// A process ended: its streams and challenges with it.
    pub(crate) fn crashed(&mut self, site: usize) {
        if let Some(books) = self.sites.get_mut(site) {
            books.streams.clear();
            books.ended.clear();
            books.challenges.clear();
        }
    }

    /// A pass that was charged came on this lane.
    pub(crate) fn pass(&mut self, site: usize, lane: Option<Address>) {
        if let (Some(books), Some(lane)) = (self.sites.get_mut(site), lane) {
            *books.lane_passes.entry(lane).or_default() += 1;
        }
    }

    /// A command's pass was charged.
    pub(crate) fn command(&mut self, site: usize, person: usize, lane: Option<Address>) {
        if let Some(books) = self.sites.get_mut(site) {
            books.standings.entry(person).or_default().commands += 1;
        }
        self.pass(site, lane);
    }

    /// A client left: its pass was charged, unless its limit was used up.
    pub(crate) fn leaving(&mut self, site: usize, person: usize, lane: Option<Address>) {
        if let Some(books) = self.sites.get_mut(site) {
            books.standings.entry(person).or_default().leavings += 1;
            if let Some(lane) = lane {
                *books.lane_leavings.entry(lane).or_default() += 1;
            }
        }
    }

    /// What the node heard that makes a push certain.
    pub(crate) fn handed(&mut self, life: Life, seq: u64, stream: u64) {
        if let Some(stored) = self.stored.get_mut(&(life, seq))
            && stored.left.is_none()
            && let Some(push) = stored.pushes.get_mut(&stream)
        {
            push.handed = true;
        }
    }
}
