//! Unknown keys: who has it? The question goes to few peers, once, while the head of the packet is
//! held back; whoever is named has to prove that he can open what is sealed to the key.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use layer_minus_message::{
    Answer, Command, CommandEnvelope, NodeRecord, SignedDocument, command::key_text,
};
use layer_minus_packet::Recipient;
use layer_minus_routing::Source;
use tokio::{sync::watch, time::timeout};
use tracing::debug;

use super::{Gateway, NextHop};
use crate::{
    client::{Reach, parse_url},
    clock,
};

/// A node that proved possession of a key.
struct Found {
    record: NodeRecord,
    /// The URL of the record where it did.
    url: String,
    source: Source,
}

/// The questions that are out, so that a flood of packets for one key asks once.
#[derive(Debug)]
pub(super) struct Asks {
    max: usize,
    out: Mutex<HashMap<Recipient, watch::Receiver<()>>>,
}

impl Asks {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            out: Mutex::default(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Recipient, watch::Receiver<()>>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// Asks, or waits for the answer to the same question. What was learned is in the table.
    pub(super) async fn ask(self: &Arc<Self>, recipient: Recipient) {
        let mut done = {
            let mut out = self.asks.lock();
            match out.get(&recipient) {
                Some(done) => done.clone(),
                None if out.len() >= self.asks.max || !self.gate.take_ask() => return,
                None => {
                    let (asking, done) = watch::channel(());
                    out.insert(recipient, done.clone());
                    let gateway = Arc::clone(self);
                    // Not part of the request: others wait for it too when that one is gone.
                    tokio::spawn(async move {
                        gateway.ask_peers(recipient).await;
                        gateway.asks.lock().remove(&recipient);
                        drop(asking);
                    });
                    done
                }
            }
        };
        // Ends with an error, when the question is settled and its sender dropped.
        let _ = done.changed().await;
    }

    async fn ask_peers(&self, recipient: Recipient) {
        let found = timeout(self.limits.ask_timeout, self.search(&recipient))
            .await
            .ok()
            .flatten();
        let now = clock::now();
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let Some(Found {
            record,
            url,
            source,
        }) = found
        else {
            debug!("nobody has the key");
            table.note_unknown(recipient, now);
            return;
        };
        let node = record.node();
        match table.insert(record, source, true, now) {
            Ok(_) => {
                debug!(%node, "a node was found");
                table.note_proved_at(&node, &url);
            }
            Err(error) => {
                debug!(%node, %error, "a node was found and not taken");
                table.note_unknown(recipient, now);
            }
        }
    }

    /// The first proved answer.
    async fn search(&self, recipient: &Recipient) -> Option<Found> {
        let peers: Vec<NextHop> = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            table
                .peers()
                .into_iter()
                .take(self.limits.ask_peers_max)
                .map(|record| NextHop::known(record, &table, self.reach_of_others()))
                .collect()
        };
        let mut answers: FuturesUnordered<_> = peers
            .iter()
            .map(|peer| self.ask_one(peer, recipient))
            .collect();
        while let Some(answer) = answers.next().await {
            if answer.is_some() {
                return answer;
            }
        }
        None
    }

    async fn ask_one(&self, peer: &NextHop, recipient: &Recipient) -> Option<Found> {
        let question = Command::WhoHas {
            key: key_text(recipient),
        };
        let question = CommandEnvelope::unsigned(&question).ok()?;
        let told = match self.query(peer, &question).await {
            Ok(Answer::Has { record }) => record?,
            Ok(_) => return None,
            Err(error) => {
                debug!(peer = %peer.node, kind = error.kind(), "a peer did not answer");
                return None;
            }
        };
        let record = self.read_record(told, recipient)?;
        let (record, url) = self
            .prove(&record, recipient, self.reach_of_others())
            .await?;
        Some(Found {
            record,
            url,
            source: Source::Peer(peer.node),
        })
    }

    /// A record that is what it should be, and of the key that was asked for.
    fn read_record(&self, signed: SignedDocument, recipient: &Recipient) -> Option<NodeRecord> {
        let identity = self.identity();
        let record = NodeRecord::read(signed, &identity.keys.network, clock::now()).ok()?;
        // Who still tells our own record with a key that we have no more would send us to ourselves.
        let other = record.node() != identity.keys.wallet.address();
        (other && recipient.matches(&record.certificate.encryption_key())).then_some(record)
    }

    /// Asks the node itself, sealed to the key in question: only who can open that can answer. Its
    /// own record is the newest, and is believed if it names the URL that answered: the others it
    /// may only wish packets to go to.
    pub(super) async fn prove(
        &self,
        told: &NodeRecord,
        recipient: &Recipient,
        reach: Reach,
    ) -> Option<(NodeRecord, String)> {
        let question = CommandEnvelope::unsigned(&Command::Directory { after: None }).ok()?;
        let hop = NextHop::new(told, reach);
        match self.query_at(&hop, &question).await {
            Ok((Answer::Directory { records, .. }, used)) => {
                let own = self.read_record(records.into_iter().next()?, recipient)?;
                if own.node() != told.node() {
                    return None;
                }
                let names_it = |url: &&String| parse_url(url).is_ok_and(|url| url == used);
                let url = own.body.urls.iter().find(names_it)?.clone();
                Some((own, url))
            }
            Ok(_) => None,
            Err(error) => {
                debug!(node = %told.node(), kind = error.kind(), "possession was not proved");
                None
            }
        }
    }
}
