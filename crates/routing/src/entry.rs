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
    /// The URL of its record at which it did, if that was noted.
    pub proved_at: Option<&'a str>,
    /// Whether packets are forwarded to it.
    pub routes: bool,
}

/// A key that an earlier record named, and that routed by it.
#[derive(Clone, Copy, Debug)]
struct Superseded {
    key: Fingerprint,
    /// Last second of that record, unix time.
    until: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) record: NodeRecord,
    pub(crate) source: Source,
    /// Whether the holder of the record's key proved that it opens with it.
    proved: bool,
    /// Where it did.
    proved_at: Option<String>,
    /// Whether the record's time is over, as far as anybody looked.
    over: bool,
    /// Newest first.
    superseded: Vec<Superseded>,
}

impl Entry {
    /// A node that was not known before.
    pub(crate) fn new(record: NodeRecord, source: Source, proved: bool) -> Self {
        Self {
            record,
            source,
            proved,
            proved_at: None,
            over: false,
            superseded: Vec::new(),
        }
    }

    /// A newer record: its key comes first, and those that routed before keep their time.
    pub(crate) fn renew(&mut self, record: NodeRecord, proved: bool, now: u64) {
        let old = Superseded {
            key: self.key(),
            until: self.record.body.valid_until,
        };
        let routed = self.is_trusted();
        self.record = record;
        // A record that no longer names the URL takes it back.
        self.proved_at
            .take_if(|url| !self.record.body.urls.contains(url));
        self.over = false;
        if old.key == self.key() {
            self.proved |= proved;
        } else {
            self.proved = proved;
            if routed {
                self.superseded.insert(0, old);
            }
        }
        let current = self.key();
        self.superseded
            .retain(|old| old.key != current && now <= old.until);
        self.superseded.truncate(SUPERSEDED_KEYS_MAX);
    }

    /// Forgets keys that route no longer; all of them if the record is over.
    pub(crate) fn remove_expired(&mut self, now: u64) {
        if self.record.body.valid_until < now {
            self.over = true;
            self.superseded.clear();
        }
        self.superseded.retain(|old| now <= old.until);
    }

    /// The key of the record was proved.
    pub(crate) fn prove(&mut self) {
        self.proved = true;
    }

    /// It was proved at that URL, if the record names it.
    pub(crate) fn prove_at(&mut self, url: &str) {
        if self.record.body.urls.iter().any(|named| named == url) {
            self.proved_at = Some(url.to_owned());
        }
    }

    /// The encryption key of the record.
    pub(crate) fn key(&self) -> Fingerprint {
        self.record.certificate.encryption_key()
    }

    pub(crate) fn is_configured(&self) -> bool {
        self.source == Source::Configured
    }

    /// Whether the key of the record may route: its holder proved it, or the operator says so.
    fn is_trusted(&self) -> bool {
        self.proved || self.is_configured()
    }

    /// Whether the record's time was over when somebody last looked.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Whether packets are sent there by the key of the record, if that has not expired.
    pub(crate) fn is_routable(&self) -> bool {
        self.is_trusted() && !self.over
    }

    /// Whether one of the keys leads there, if that has not expired.
    pub(crate) fn leads(&self, recipient: &Recipient) -> bool {
        (self.is_routable() && recipient.matches(&self.key()))
            || self
                .superseded
                .iter()
                .any(|old| recipient.matches(&old.key))
    }

    /// Whether a packet for `recipient` goes there at `now`.
    pub(crate) fn routes(&self, recipient: &Recipient, now: u64) -> bool {
        let by_current = self.is_routable() && recipient.matches(&self.key());
        let by_old = |old: &Superseded| now <= old.until && recipient.matches(&old.key);
        now <= self.record.body.valid_until && (by_current || self.superseded.iter().any(by_old))
    }

    /// The names under which it is looked up.
    pub(crate) fn key_ids(&self) -> Vec<KeyId> {
        let current = (!self.over).then(|| self.key());
        let old = self.superseded.iter().map(|old| old.key);
        current
            .into_iter()
            .chain(old)
            .map(|key| key.key_id())
            .collect()
    }

    /// Configured over proved over merely told: what is worth more pushes out what is worth less.
    pub(crate) fn worth(&self) -> Worth {
        worth(self.source, self.proved)
    }

    pub(crate) fn view(&self) -> EntryView<'_> {
        EntryView {
            record: &self.record,
            source: self.source,
            proved: self.proved,
            proved_at: self.proved_at.as_deref(),
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
