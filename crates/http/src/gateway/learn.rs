//! Newer records that nodes bring themselves, when they open a lane: after a restore a node has
//! another key, and whoever has its old record cannot ask it for the new one.

use std::sync::{Arc, Mutex, PoisonError};

use layer_minus_message::{NodeRecord, SignedDocument};
use layer_minus_packet::Recipient;
use layer_minus_routing::{Inserted, Source};
use layer_minus_wallet::Address;
use tokio::sync::Notify;
use tracing::debug;

use super::{Gateway, NextHop};
use crate::{client::Reach, clock};

/// Records that wait for the runtime to keep them; of more the oldest are not kept.
const TOLD_MAX: usize = 64;

/// What was learned of the operator's nodes and is not on disk yet.
#[derive(Debug, Default)]
pub(super) struct Learned {
    records: Mutex<Vec<NodeRecord>>,
    news: Notify,
}

impl Learned {
    fn add(&self, record: NodeRecord) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() >= TOLD_MAX {
            records.remove(0);
        }
        records.push(record);
        self.news.notify_one();
    }

    async fn next(&self) -> Vec<NodeRecord> {
        self.news.notified().await;
        std::mem::take(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Gateway {
    /// Waits until nodes of the operator's told newer records, which route already: to be kept for
    /// the next start.
    pub async fn told_records(&self) -> Vec<NodeRecord> {
        self.learned.next().await
    }

    /// Lets a node know this one's newest record, by opening a lane to it. False if it did not hear.
    pub async fn introduce(&self, node: &NodeRecord) -> bool {
        let hop = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            NextHop::known(node, &table, self.reach_of_others())
        };
        self.lane_to(&hop, true).await.is_some()
    }

    /// Takes the record that came with a lane, if it is newer than the known one and its node opens
    /// what is sealed to its key. Asking for that is beside the request.
    pub(super) fn learn(self: &Arc<Self>, signed: SignedDocument) {
        let network = &self.identity().keys.network;
        let Ok(record) = NodeRecord::read(signed, network, clock::now()) else {
            return;
        };
        let Some(source) = self.source_if_older(&record) else {
            return;
        };
        if !self.gate.take_ask() {
            return;
        }
        let gateway = Arc::clone(self);
        tokio::spawn(async move { gateway.take_proved(&record, source).await });
    }

    /// Asks a node for its newest record, because it does not do what the known one says.
    pub(crate) async fn look_again(&self, node: &Address) {
        let known = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            let entry = table.entry(node);
            entry.map(|entry| (entry.record.clone(), entry.source))
        };
        if let Some((record, source)) = known {
            self.take_proved(&record, source).await;
        }
    }

    async fn take_proved(&self, record: &NodeRecord, source: Source) {
        let key = Recipient::from(record.certificate.encryption_key());
        let reach = match source {
            Source::Configured => Reach::Anywhere,
            _ => self.reach_of_others(),
        };
        match self.prove(record, &key, reach).await {
            Some((proved, url)) => self.take_told(proved, &url, source),
            None => debug!(node = %record.node(), "a told record was not proved"),
        }
    }

    /// Where the known record of that node came from, if it is an older one.
    fn source_if_older(&self, record: &NodeRecord) -> Option<Source> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let known = table.entry(&record.node())?;
        (known.record.body.sequence < record.body.sequence).then_some(known.source)
    }

    fn take_told(&self, record: NodeRecord, url: &str, source: Source) {
        let node = record.node();
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let inserted = table.insert(record.clone(), source, true, clock::now());
        if inserted.is_ok() {
            table.note_proved_at(&node, url);
        }
        drop(table);
        match inserted {
            Ok(Inserted::Same) => {}
            Ok(_) => {
                debug!(%node, "a node told its new record");
                if source == Source::Configured {
                    self.learned.add(record);
                }
            }
            Err(error) => debug!(%node, %error, "a told record was not taken"),
        }
    }
}
