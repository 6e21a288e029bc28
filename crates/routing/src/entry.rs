//! One node in the table, and the keys that route to it.

use alloy_primitives::Address;
use layer_minus_message::NodeRecord;
use layer_minus_packet::{Fingerprint, KeyId, Recipient};

/// Most superseded keys of one node that keep routing.
pub const SUPERSEDED_KEYS_MAX: usize = 4;

/// Where a record came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The operator put it there: it routes without proof and is never pushed out.
    Configured,
    /// A peer told it, and it counts towards that peer's share.
    Peer(Address),
}

/// What the table knows of a node, for listings.
#[derive(Clone, Copy, Debug)]
pub struct EntryView<'a> {
    /// The node's record.
    pub record: &'a NodeRecord,
    /// Who told it first, or that it was configured.
    pub source: Source,
    /// Whether the holder of the record's key proved that it can open with it.
    pub proved: bool,
    /// Whether packets are forwarded to it.
    pub routes: bool,
}

/// A key by which a node is found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) fingerprint: Fingerprint,
    /// Last second in which it routes, unix time.
    pub(crate) until: u64,
    pub(crate) proved: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) record: NodeRecord,
    pub(crate) source: Source,
    /// That of the record first, then its next one if any, then superseded ones, newest first.
    pub(crate) keys: Vec<Key>,
}

impl Entry {
    /// A node that was not known before.
    pub(crate) fn new(record: NodeRecord, source: Source, proved: bool) -> Self {
        let keys = keys_of(&record, proved);
        Self {
            record,
            source,
            keys,
        }
    }

    /// A newer record: its keys come first, and those it had keep routing for their time.
    pub(crate) fn renew(&mut self, record: NodeRecord, proved: bool, now: u64) {
        let mut keys = keys_of(&record, proved);
        let current = keys.len();
        for old in self.keys.drain(..) {
            match keys
                .iter_mut()
                .find(|key| key.fingerprint == old.fingerprint)
            {
                Some(key) => key.proved |= old.proved,
                None if old.until >= now => keys.push(old),
                None => {}
            }
        }
        keys.truncate(current + SUPERSEDED_KEYS_MAX);
        self.keys = keys;
        self.record = record;
    }

    /// Forgets keys that route no longer; all of them if the record is over.
    pub(crate) fn remove_expired(&mut self, now: u64) {
        if self.record.body.valid_until < now {
            self.keys.clear();
        }
        self.keys.retain(|key| now <= key.until);
    }

    /// The key of the record was proved.
    pub(crate) fn prove(&mut self) {
        let current = self.record.certificate.encryption_key();
        for key in self
            .keys
            .iter_mut()
            .filter(|key| key.fingerprint == current)
        {
            key.proved = true;
        }
    }

    /// Whether the key of the record was proved.
    pub(crate) fn is_proved(&self) -> bool {
        let current = self.record.certificate.encryption_key();
        self.keys
            .iter()
            .any(|key| key.fingerprint == current && key.proved)
    }

    pub(crate) fn is_configured(&self) -> bool {
        self.source == Source::Configured
    }

    /// Whether packets are sent there by the key of the record, if that has not expired.
    pub(crate) fn is_routable(&self) -> bool {
        self.leads(&Recipient::Fingerprint(
            self.record.certificate.encryption_key(),
        ))
    }

    /// Whether one of the keys leads there, at whatever time.
    pub(crate) fn leads(&self, recipient: &Recipient) -> bool {
        self.trusted(recipient).next().is_some()
    }

    /// Whether a packet for `recipient` goes there at `now`.
    pub(crate) fn routes(&self, recipient: &Recipient, now: u64) -> bool {
        now <= self.record.body.valid_until && self.trusted(recipient).any(|key| now <= key.until)
    }

    /// The keys that the recipient may mean, and that are known to be in the node's hand.
    fn trusted(&self, recipient: &Recipient) -> impl Iterator<Item = &Key> {
        let configured = self.is_configured();
        self.keys
            .iter()
            .filter(move |key| recipient.matches(&key.fingerprint) && (key.proved || configured))
    }

    /// The names under which it is looked up.
    pub(crate) fn key_ids(&self) -> Vec<KeyId> {
        self.keys
            .iter()
            .map(|key| key.fingerprint.key_id())
            .collect()
    }

    /// Configured over proved over merely told: what is worth more pushes out what is worth less.
    pub(crate) fn worth(&self) -> Worth {
        worth(self.source, self.is_proved())
    }

    pub(crate) fn view(&self) -> EntryView<'_> {
        EntryView {
            record: &self.record,
            source: self.source,
            proved: self.is_proved(),
            routes: self.is_routable(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Worth {
    Told,
    Proved,
    Configured,
}

pub(crate) fn worth(source: Source, proved: bool) -> Worth {
    match (source, proved) {
        (Source::Configured, _) => Worth::Configured,
        (Source::Peer(_), true) => Worth::Proved,
        (Source::Peer(_), false) => Worth::Told,
    }
}

/// The record's own key, and the announced next one: nobody has proved that one yet.
fn keys_of(record: &NodeRecord, proved: bool) -> Vec<Key> {
    let until = record.body.valid_until;
    let current = record.certificate.encryption_key();
    let next = record
        .next_certificate
        .as_ref()
        .map(|certificate| certificate.encryption_key());
    let mut keys = vec![Key {
        fingerprint: current,
        until,
        proved,
    }];
    keys.extend(next.filter(|next| *next != current).map(|fingerprint| Key {
        fingerprint,
        until,
        proved: false,
    }));
    keys
}
