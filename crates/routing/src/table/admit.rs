//! Which records may enter the table.

use std::cmp::Ordering;

use alloy_primitives::Address;
use layer_minus_message::NodeRecord;
use layer_minus_packet::{Fingerprint, Recipient};

use super::Table;
use crate::error::TableError;

impl Table {
    pub(super) fn check_record(&self, record: &NodeRecord, now: u64) -> Result<(), TableError> {
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
    pub(super) fn order(&self, record: &NodeRecord) -> Result<Option<Ordering>, TableError> {
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
    pub(super) fn check_claim(
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
}
