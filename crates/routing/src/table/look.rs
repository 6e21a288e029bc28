//! What the table tells.

use alloy_primitives::Address;
use layer_minus_message::NodeRecord;
use layer_minus_packet::Recipient;
use layer_minus_seal::Certificate;

use super::{Table, is_live};
use crate::entry::{Entry, EntryView};

impl Table {
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

    /// What is known of a node other than this one.
    #[must_use]
    pub fn entry(&self, node: &Address) -> Option<EntryView<'_>> {
        self.nodes.get(node).map(Entry::view)
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
    pub(super) fn candidates(&self, recipient: &Recipient) -> impl Iterator<Item = &Entry> {
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
}
