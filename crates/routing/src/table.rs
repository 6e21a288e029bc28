//! The table of nodes.

mod admit;
mod look;
mod room;
#[cfg(test)]
mod tests;

use std::{
    cmp::Ordering,
    collections::{BTreeMap, btree_map},
};

use alloy_primitives::Address;
use layer_minus_message::NodeRecord;
use layer_minus_packet::{Fingerprint, KeyId, Recipient};
use layer_minus_seal::Certificate;

use crate::{
    entry::{Entry, Source},
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
            let (after, over, stays) = (entry.key_ids(), entry.is_over(), entry.is_configured());
            self.index(node, &before, &after);
            if over && !stays {
                self.nodes.remove(&node);
            }
        }
        self.unaddressed
            .retain(|_, certificate| is_live(certificate, now));
        self.unknown.remove_expired(now);
    }

    /// Remembers at which URL of its record a node proved its key: packets go there first, because
    /// the others are only what it says.
    pub fn note_proved_at(&mut self, node: &Address, url: &str) {
        if let Some(entry) = self.nodes.get_mut(node) {
            entry.prove_at(url);
        }
    }

    /// Remembers for [`UNKNOWN_SECS`](crate::UNKNOWN_SECS) that nobody has that key.
    pub fn note_unknown(&mut self, recipient: Recipient, now: u64) {
        self.unknown.note(recipient, now);
    }
}

fn is_live(certificate: &Certificate, now: u64) -> bool {
    certificate.expires_at().is_none_or(|until| now < until)
}
