//! Room in the table, and the index that is kept with every entry that comes and goes.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use layer_minus_packet::KeyId;

use super::{Table, TableLimits};
use crate::{
    entry::{Entry, Source, worth},
    error::TableError,
};

impl Table {
    /// Makes room for one more entry of that worth, or says why there is none.
    pub(super) fn make_room(
        &mut self,
        source: Source,
        proved: bool,
        now: u64,
    ) -> Result<(), TableError> {
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

    pub(super) fn remove(&mut self, node: Address) {
        if let Some(entry) = self.nodes.remove(&node) {
            self.index(node, &entry.key_ids(), &[]);
        }
    }

    /// Notes that `node` names the keys of `after` and no longer the others of `before`. Where it
    /// stands among the holders of a key that it keeps, does not change.
    pub(super) fn index(&mut self, node: Address, before: &[KeyId], after: &[KeyId]) {
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
