//! The table of nodes.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, btree_map},
};

use alloy_primitives::Address;
use layer_minus_message::NodeRecord;
use layer_minus_packet::{Fingerprint, KeyId, Recipient};
use layer_minus_seal::Certificate;

use crate::{
    entry::{Entry, EntryView, Source, worth},
    error::TableError,
    negative::Negative,
};

/// How much the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableLimits {
    /// Most nodes.
    pub nodes_max: usize,
    /// Most nodes that one peer may have told.
    pub per_peer_max: usize,
    /// Most certificates without address.
    pub unaddressed_max: usize,
    /// Most unknown keys remembered as unknown.
    pub unknown_max: usize,
}

impl Default for TableLimits {
    fn default() -> Self {
        Self {
            nodes_max: 4_096,
            per_peer_max: 512,
            unaddressed_max: 4_096,
            unknown_max: 4_096,
        }
    }
}

/// What became of a record that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// A node that was not known.
    New,
    /// It replaced an older record of the node.
    Newer,
    /// It was known already. What is new about where it came from or its proof was noted.
    Same,
}

#[derive(Clone, Debug)]
struct Own {
    keys: Vec<Fingerprint>,
    record: NodeRecord,
}

/// The nodes that are known: bounded, and expiring as their records say.
#[derive(Clone, Debug)]
pub struct Table {
    network: String,
    limits: TableLimits,
    own: Option<Own>,
    nodes: BTreeMap<Address, Entry>,
    /// Which nodes name a key with that ID; the first to do so comes first, and so keeps its
    /// packets when a second one proves possession of the same key.
    holders: BTreeMap<KeyId, Vec<Address>>,
    unaddressed: BTreeMap<KeyId, Certificate>,
    unknown: Negative,
}

impl Table {
    /// An empty table for one network.
    #[must_use]
    pub fn new(limits: TableLimits, network: impl Into<String>) -> Self {
        Self {
            network: network.into(),
            limits,
            own: None,
            nodes: BTreeMap::new(),
            holders: BTreeMap::new(),
            unaddressed: BTreeMap::new(),
            unknown: Negative::new(limits.unknown_max),
        }
    }

    /// Says who this node is: its encryption keys (current, next and superseded ones that it
    /// still opens) and its record.
    pub fn set_own(&mut self, keys: Vec<Fingerprint>, own_record: NodeRecord) {
        self.remove(own_record.node());
        for key in &keys {
            self.unknown.forget(key);
        }
        self.own = Some(Own {
            keys,
            record: own_record,
        });
    }

    /// Takes a checked record. `proved` says that its holder opened a nonce sealed to its key.
    ///
    /// A record of this node itself is [`Inserted::Same`] and not stored: peers tell it back.
    ///
    /// # Errors
    /// [`TableError`]; the table is as before.
    pub fn insert(
        &mut self,
        record: NodeRecord,
        source: Source,
        proved: bool,
        now: u64,
    ) -> Result<Inserted, TableError> {
        let node = record.node();
        self.check_record(&record, now)?;
        if self
            .own
            .as_ref()
            .is_some_and(|own| own.record.node() == node)
        {
            return Ok(Inserted::Same);
        }
        let order = self.order(&record)?;
        let key = record.certificate.encryption_key();
        self.check_claim(node, key, proved, now)?;
        if order.is_none() {
            self.make_room(source, proved, now)?;
        }
        if proved || source == Source::Configured {
            self.unknown.forget(&key);
        }
        let before = self
            .nodes
            .get(&node)
            .map(Entry::key_ids)
            .unwrap_or_default();
        let entry = match self.nodes.entry(node) {
            btree_map::Entry::Vacant(place) => place.insert(Entry::new(record, source, proved)),
            btree_map::Entry::Occupied(place) => {
                let entry = place.into_mut();
                if order == Some(Ordering::Greater) {
                    entry.renew(record, proved, now);
                } else if proved {
                    entry.prove();
                }
                if source == Source::Configured {
                    entry.source = source;
                }
                entry
            }
        };
        let after = entry.key_ids();
        self.index(node, &before, &after);
        Ok(match order {
            None => Inserted::New,
            Some(Ordering::Greater) => Inserted::Newer,
            Some(_) => Inserted::Same,
        })
    }

    /// Takes a certificate whose node's address nobody told: packets for it are refused by name.
    ///
    /// # Errors
    /// [`TableError::Expired`], [`TableError::UnaddressedFull`].
    pub fn insert_unaddressed(
        &mut self,
        certificate: Certificate,
        now: u64,
    ) -> Result<Inserted, TableError> {
        let key = certificate.encryption_key_id();
        if let Some(until) = certificate.expires_at().filter(|until| *until <= now) {
            return Err(TableError::Expired {
                what: format!("certificate of {key}"),
                until,
                now,
            });
        }
        if self.unaddressed.contains_key(&key) {
            return Ok(Inserted::Same);
        }
        if self.unaddressed.len() >= self.limits.unaddressed_max {
            let limit = self.limits.unaddressed_max;
            return Err(TableError::UnaddressedFull { key, limit });
        }
        self.unaddressed.insert(key, certificate);
        Ok(Inserted::New)
    }

    /// Drops what is over. A configured node stays known without routing, so that its next
    /// record finds it configured.
    pub fn remove_expired(&mut self, now: u64) {
        let nodes: Vec<Address> = self.nodes.keys().copied().collect();
        for node in nodes {
            let Some(entry) = self.nodes.get_mut(&node) else {
                continue;
            };
            let before = entry.key_ids();
            entry.remove_expired(now);
            let (after, stays) = (entry.key_ids(), entry.is_configured());
            self.index(node, &before, &after);
            if after.is_empty() && !stays {
                self.nodes.remove(&node);
            }
        }
        self.unaddressed
            .retain(|_, certificate| is_live(certificate, now));
        self.unknown.remove_expired(now);
    }

    /// Remembers for [`UNKNOWN_SECS`](crate::UNKNOWN_SECS) that nobody has that key.
    pub fn note_unknown(&mut self, recipient: Recipient, now: u64) {
        self.unknown.note(recipient, now);
    }

    /// This node's own record, once [`Table::set_own`] told it.
    #[must_use]
    pub fn own(&self) -> Option<&NodeRecord> {
        self.own.as_ref().map(|own| &own.record)
    }

    /// The record of a node, whether it routes or not.
    #[must_use]
    pub fn record(&self, node: &Address) -> Option<&NodeRecord> {
        self.own()
            .filter(|record| record.node() == *node)
            .or_else(|| self.nodes.get(node).map(|entry| &entry.record))
    }

    /// What may be told to others: the own record, then those that route, by address. With
    /// `after`, those that follow that address; the own address stands before all others.
    ///
    /// Call [`Table::remove_expired`] before, as there is no clock here.
    #[must_use]
    pub fn records(&self, after: Option<Address>, limit: usize) -> Vec<&NodeRecord> {
        let own = self.own();
        let after_own = own
            .map(NodeRecord::node)
            .filter(|own| after.is_none_or(|a| a == *own));
        let first = own.filter(|_| after.is_none());
        let rest = self.nodes.iter().filter(|(node, entry)| {
            let follows = after_own.is_some() || after.is_none_or(|after| **node > after);
            follows && entry.is_routable()
        });
        first
            .into_iter()
            .chain(rest.map(|(_, entry)| &entry.record))
            .take(limit)
            .collect()
    }

    /// The record of whoever has that key: this node's own, or one that routes.
    ///
    /// Call [`Table::remove_expired`] before, as there is no clock here; [`decide`](crate::decide)
    /// looks at the time itself.
    #[must_use]
    pub fn find(&self, recipient: &Recipient) -> Option<&NodeRecord> {
        if self.is_mine(recipient) {
            return self.own();
        }
        self.candidates(recipient)
            .find(|entry| entry.leads(recipient))
            .map(|entry| &entry.record)
    }

    /// The nodes to ask who has a key: those that route, configured ones first.
    #[must_use]
    pub fn peers(&self) -> Vec<&NodeRecord> {
        let (configured, proved): (Vec<&Entry>, Vec<&Entry>) = self
            .nodes
            .values()
            .filter(|entry| entry.is_routable())
            .partition(|entry| entry.is_configured());
        configured
            .into_iter()
            .chain(proved)
            .map(|entry| &entry.record)
            .collect()
    }

    /// Everything that is known of other nodes, by address, for an operator's listing.
    pub fn entries(&self) -> impl Iterator<Item = EntryView<'_>> {
        self.nodes.values().map(Entry::view)
    }

    /// The certificates without address, by key ID.
    pub fn unaddressed(&self) -> impl Iterator<Item = &Certificate> {
        self.unaddressed.values()
    }

    /// How many other nodes are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no other node is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many certificates without address are known.
    #[must_use]
    pub fn unaddressed_len(&self) -> usize {
        self.unaddressed.len()
    }

    /// How many keys are remembered as unknown.
    #[must_use]
    pub fn unknown_len(&self) -> usize {
        self.unknown.len()
    }

    /// Whether the recipient is one of this node's keys.
    pub(crate) fn is_mine(&self, recipient: &Recipient) -> bool {
        self.own
            .as_ref()
            .is_some_and(|own| own.keys.iter().any(|key| recipient.matches(key)))
    }

    /// The node that a packet for `recipient` is forwarded to at `now`.
    pub(crate) fn route(&self, recipient: &Recipient, now: u64) -> Option<&NodeRecord> {
        self.candidates(recipient)
            .find(|entry| entry.routes(recipient, now))
            .map(|entry| &entry.record)
    }

    pub(crate) fn is_unaddressed(&self, recipient: &Recipient, now: u64) -> bool {
        recipient
            .key_id()
            .and_then(|id| self.unaddressed.get(&id))
            .is_some_and(|certificate| {
                recipient.matches(&certificate.encryption_key()) && is_live(certificate, now)
            })
    }

    pub(crate) fn is_recently_unknown(&self, recipient: &Recipient, now: u64) -> bool {
        self.unknown.holds(recipient, now)
    }

    /// Entries that name a key with the recipient's ID, configured ones first.
    fn candidates(&self, recipient: &Recipient) -> impl Iterator<Item = &Entry> {
        let holders = recipient.key_id().and_then(|id| self.holders.get(&id));
        let entries = move |configured: bool| {
            holders
                .into_iter()
                .flatten()
                .filter_map(|node| self.nodes.get(node))
                .filter(move |entry| entry.is_configured() == configured)
        };
        entries(true).chain(entries(false))
    }

    fn check_record(&self, record: &NodeRecord, now: u64) -> Result<(), TableError> {
        let body = &record.body;
        if body.network != self.network {
            return Err(TableError::WrongNetwork {
                node: body.node,
                found: body.network.clone(),
                expected: self.network.clone(),
            });
        }
        if body.valid_until < now {
            let what = format!("record of {}", body.node);
            return Err(TableError::Expired {
                what,
                until: body.valid_until,
                now,
            });
        }
        Ok(())
    }

    /// How the record stands to the known one of its node; none if the node is new.
    fn order(&self, record: &NodeRecord) -> Result<Option<Ordering>, TableError> {
        let Some(known) = self.nodes.get(&record.node()).map(|entry| &entry.record) else {
            return Ok(None);
        };
        let (node, found) = (record.node(), record.body.sequence);
        match found.cmp(&known.body.sequence) {
            Ordering::Less => Err(TableError::Older {
                node,
                found,
                known: known.body.sequence,
            }),
            Ordering::Equal if record.signed.document != known.signed.document => {
                Err(TableError::Contradiction {
                    node,
                    sequence: found,
                })
            }
            order => Ok(Some(order)),
        }
    }

    /// Whether `node` may have the key: nobody else has it, or it proved that it has it too.
    fn check_claim(
        &self,
        node: Address,
        key: Fingerprint,
        proved: bool,
        now: u64,
    ) -> Result<(), TableError> {
        // By key ID, the shorter name: whoever gets that, gets the packets of the other.
        let name = Recipient::KeyId(key.key_id());
        let known = self.nodes.get(&node);
        let proved = proved || known.is_some_and(|entry| entry.leads(&key.into()));
        let mine = self
            .own
            .as_ref()
            .filter(|_| self.is_mine(&name))
            .map(|own| own.record.node());
        let other = self
            .candidates(&name)
            .filter(|entry| !proved && entry.record.node() != node)
            .find(|entry| entry.routes(&name, now))
            .map(|entry| entry.record.node());
        match mine.or(other) {
            Some(holder) => Err(TableError::KeyClaimed { node, key, holder }),
            None => Ok(()),
        }
    }

    /// Makes room for one more entry of that worth, or says why there is none.
    fn make_room(&mut self, source: Source, proved: bool, now: u64) -> Result<(), TableError> {
        let newcomer = worth(source, proved);
        let TableLimits {
            nodes_max,
            per_peer_max,
            ..
        } = self.limits;
        let told = |entry: &Entry| entry.source == source;
        let share_is_full = |nodes: &BTreeMap<Address, Entry>| {
            source != Source::Configured
                && nodes.values().filter(|entry| told(entry)).count() >= per_peer_max
        };
        if self.nodes.len() >= nodes_max || share_is_full(&self.nodes) {
            self.remove_expired(now);
        }
        if let Source::Peer(peer) = source
            && share_is_full(&self.nodes)
        {
            let victim = self.least(|entry| told(entry) && entry.worth() < newcomer);
            self.remove(victim.ok_or(TableError::PeerShare {
                peer,
                limit: per_peer_max,
            })?);
        }
        if self.nodes.len() >= nodes_max {
            let victim = self.least(|entry| entry.worth() < newcomer);
            self.remove(victim.ok_or(TableError::Full { limit: nodes_max })?);
        }
        Ok(())
    }

    /// Of the entries that `may` go: the one worth least, and of those the one that expires first.
    fn least(&self, may: impl Fn(&Entry) -> bool) -> Option<Address> {
        self.nodes
            .iter()
            .filter(|(_, entry)| may(entry))
            .min_by_key(|(node, entry)| (entry.worth(), entry.record.body.valid_until, **node))
            .map(|(node, _)| *node)
    }

    fn remove(&mut self, node: Address) {
        if let Some(entry) = self.nodes.remove(&node) {
            self.index(node, &entry.key_ids(), &[]);
        }
    }

    /// Notes that `node` names the keys of `after` and no longer the others of `before`. Where it
    /// stands among the holders of a key that it keeps, does not change.
    fn index(&mut self, node: Address, before: &[KeyId], after: &[KeyId]) {
        for id in before.iter().filter(|id| !after.contains(id)) {
            if let Some(holders) = self.holders.get_mut(id) {
                holders.retain(|holder| *holder != node);
                if holders.is_empty() {
                    self.holders.remove(id);
                }
            }
        }
        for id in after {
            let holders = self.holders.entry(*id).or_default();
            if !holders.contains(&node) {
                holders.push(node);
            }
        }
    }
}

fn is_live(certificate: &Certificate, now: u64) -> bool {
    certificate.expires_at().is_none_or(|until| now < until)
}
