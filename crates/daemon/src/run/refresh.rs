//! Records of other nodes expire. Those that the operator imported are asked for anew, at the node
//! itself, when half of their time is over, so that a network goes on without anybody handing out
//! files again. What a node told by itself, because its key is a new one, is kept too.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use layer_minus_http::{Gateway, HttpClient, Reply, clock};
use layer_minus_message::{Answer, Command, CommandEnvelope, Content, Frame, Kind, NodeRecord};
use layer_minus_node::NodeKeys;
use layer_minus_routing::{Inserted, Source};
use layer_minus_seal::{RecordOpener, ReplyKey, seal_layer};
use rand::rngs::OsRng;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{config::Config, directory, record};

/// How long the question may live, seconds.
const QUESTION_SECS: u64 = 600;
/// For one node to answer: others wait meanwhile.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Asks, for as long as the node runs.
pub(super) struct Refresh {
    pub(super) config: Config,
    pub(super) keys: Arc<NodeKeys>,
    pub(super) gateway: Arc<Gateway>,
    pub(super) client: HttpClient,
    pub(super) stop: CancellationToken,
}

impl Refresh {
    pub(super) async fn run(self) {
        let pause = Duration::from_secs(self.config.directory.refresh_secs.get());
        let mut interval = tokio::time::interval(pause);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                told = self.gateway.told_records() => {
                    self.keep(told);
                    continue;
                }
                () = self.stop.cancelled() => return,
            }
            let due = self.due();
            tokio::select! {
                () = self.refresh(due) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// The records of the operator's nodes that are over half of their time.
    fn due(&self) -> Vec<NodeRecord> {
        let now = clock::now();
        let is_due = |record: &NodeRecord| record::renewal(record) <= now;
        directory::configured(&self.gateway, is_due)
    }

    async fn refresh(&self, due: Vec<NodeRecord>) {
        let mut renewed = Vec::new();
        for old in due {
            let node = old.node();
            let asked = tokio::time::timeout(ANSWER_TIMEOUT, self.ask(&old)).await;
            match asked.unwrap_or_else(|_| Err("did not answer in time".to_owned())) {
                Ok(record) => renewed.extend(self.take(record)),
                Err(reason) => debug!(%node, %reason, "record not refreshed"),
            }
        }
        if !renewed.is_empty() {
            self.keep(renewed);
        }
    }

    /// So that they are known after the next start too.
    fn keep(&self, renewed: Vec<NodeRecord>) {
        info!(nodes = renewed.len(), "records refreshed");
        if let Err(error) = directory::keep_records(&self.config, renewed, clock::now()) {
            warn!(%error, "refreshed records not kept");
        }
    }

    /// Asks a node for its own record: the first that it tells. The others are of no use here: a key
    /// routes only after its holder proved it, and that is asked for when a packet comes.
    async fn ask(&self, old: &NodeRecord) -> Result<NodeRecord, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let command = CommandEnvelope::unsigned(&Command::Directory { after: None })
            .and_then(|command| command.to_bytes())
            .map_err(|error| text(&error))?;
        let reply_key = ReplyKey::generate(&mut OsRng);
        let now = clock::now();
        let frame = Frame {
            kind: Kind::Command,
            reply_key,
            expires_at: now.saturating_add(QUESTION_SECS),
            inbox: None,
            body: Bytes::from(command),
        };
        let head = frame.head(&self.keys.network);
        let sizes = old.body.sizes.iter().map(|size| *size as usize);
        let size = sizes.clone().find(|size| self.keys.sizes.contains(*size));
        let size = size.or(sizes.min()).ok_or("takes no packets")?;
        let packet = seal_layer(&mut OsRng, &old.certificate, &[&head, &frame.body], size)
            .map_err(|error| text(&error))?;
        let mut last = "has no URL".to_owned();
        for url in &old.body.urls {
            match self.client.post(url, packet.clone(), None).await {
                Ok(Reply::Once(record)) => return self.read(old, &frame.reply_key, &record),
                Ok(Reply::Stream(_)) => return Err("answered by a stream".to_owned()),
                Err(error) if error.is_connect() => last = error.kind().to_owned(),
                Err(error) => return Err(error.kind().to_owned()),
            }
        }
        Err(last)
    }

    fn read(&self, old: &NodeRecord, key: &ReplyKey, sealed: &[u8]) -> Result<NodeRecord, String> {
        // Who could open the question has the key of the old record.
        let content = RecordOpener::new(key)
            .open(sealed)
            .map_err(|error| error.to_string())?;
        let content = Content::read(&Bytes::from(content)).map_err(|error| error.to_string())?;
        let Content::Answer(answer) = content else {
            return Err("answered by mail".to_owned());
        };
        let Answer::Directory { records, .. } = *answer else {
            return Err("answered something else".to_owned());
        };
        let own = records.into_iter().next().ok_or("told no record")?;
        let own = NodeRecord::read(own, &self.keys.network, clock::now())
            .map_err(|error| error.to_string())?;
        if own.node() != old.node() {
            return Err(format!("told the record of {}", own.node()));
        }
        Ok(own)
    }

    /// Puts it into the table; nothing if it was known.
    fn take(&self, record: NodeRecord) -> Option<NodeRecord> {
        let node = record.node();
        // A certificate that is new with this record was not the one that answered.
        let mut table = self
            .gateway
            .table()
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match table.insert(record.clone(), Source::Configured, false, clock::now()) {
            Ok(Inserted::Same) => None,
            Ok(_) => Some(record),
            Err(error) => {
                debug!(%node, %error, "refreshed record not taken");
                None
            }
        }
    }
}
