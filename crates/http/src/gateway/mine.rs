//! Packets for this node: opened, handled, answered.

use std::{
    sync::{Arc, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::StatusCode;
use layer_minus_delivery::records::{Record, RecordKind};
use layer_minus_message::{
    Answer, Command, CommandSigner, Content, LaneNote, Reason, VerifiedCommand,
};
use layer_minus_node::{
    Event, LaneKey, Mark, Opened, ReplyChain, Request, RequestId, Task, intake,
};
use layer_minus_packet::SealedPacket;
use layer_minus_wallet::Address;
use rand::rngs::OsRng;
use tracing::{debug, warn};

use super::{Gateway, Sender};
use crate::{
    answer::{Records, records_stream},
    clock, lane,
    node::{Outcome, StreamItem, StreamQueue},
    server::{held::collect, plain::Answered, receive::Arriving},
};

/// What the node hears of a packet besides what it asks for.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    lane: Option<Address>,
    marks: Vec<Mark>,
    pub(super) size_bytes: u32,
}

impl Pass {
    fn request(self, id: RequestId) -> Request {
        Request {
            id,
            lane: self.lane,
            marks: self.marks,
            size_bytes: self.size_bytes,
        }
    }
}

impl Gateway {
    pub(super) async fn serve_mine(
        self: &Arc<Self>,
        arriving: Arriving,
        sender: Sender,
    ) -> Result<Answered, StatusCode> {
        let Opened {
            chain,
            marks,
            size_bytes,
            task,
        } = self.open(arriving, &sender).await?;
        let pass = Pass {
            lane: sender.lane,
            marks,
            size_bytes,
        };
        match task {
            Task::Mail {
                recipient,
                inbox,
                message,
            } => {
                let mail = |id| Event::Mail {
                    request: pass.request(id),
                    recipient,
                    inbox,
                    message,
                };
                let outcome = self.node.ask(mail).await;
                self.finish(outcome, chain, sender)
            }
            Task::Command(command) => self.command(command, pass, chain, sender).await,
            Task::Onward { recipient, packet } => {
                self.onward(recipient, packet, pass, chain, sender).await
            }
            Task::Refuse(reason) => {
                let answer = match self.see(pass).await? {
                    Some(unseen) => unseen,
                    None => Answer::Refused(reason),
                };
                answer_once(answer, None, chain, &sender)
            }
        }
    }

    /// Reads the packet whole and opens what is for this node. That costs the more of the two
    /// cores, so it runs beside the sockets.
    async fn open(&self, arriving: Arriving, sender: &Sender) -> Result<Opened, StatusCode> {
        let Arriving {
            upload,
            size_bytes,
            held,
            ..
        } = arriving;
        let (packet, room) = match upload.take_whole() {
            Some(packet) => (packet, held),
            None => collect(&upload, size_bytes, &self.gate).await?,
        };
        // After the body: heads alone use nothing up.
        let per_second = self.limits.unpaid_requests_per_second;
        let taken = match sender.lane {
            Some(node) => self.node.take_on_lane(node, per_second),
            None => self.gate.take_unpaid(),
        };
        if !taken {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        let turn = self.gate.opener().await;
        let keys = Arc::clone(&self.identity().keys);
        let opening = tokio::task::spawn_blocking(move || {
            let _places = (room, turn);
            let packet = SealedPacket::admit(packet, &keys.sizes).map_err(|_| "not admitted")?;
            intake::open(&packet, &keys, clock::now()).map_err(|_| "garbage")
        });
        match opening.await {
            Ok(Ok(opened)) => Ok(opened),
            Ok(Err(why)) => {
                debug!(why, "packet is of no use");
                Err(StatusCode::BAD_REQUEST)
            }
            // A bug in opening must not look like anything to whoever found it.
            Err(_) => Err(StatusCode::BAD_REQUEST),
        }
    }

    async fn command(
        self: &Arc<Self>,
        command: VerifiedCommand,
        pass: Pass,
        chain: ReplyChain,
        sender: Sender,
    ) -> Result<Answered, StatusCode> {
        debug!(
            command = command.command.name(),
            size_bytes = pass.size_bytes,
            "command"
        );
        let told = match &command.command {
            Command::Directory { after } => Some(self.tell_directory(*after)),
            Command::WhoHas { key } => Some(self.tell_who_has(key)),
            // A lane is opened for nodes that this one knows: anybody can sign a record.
            Command::Lane { .. } if !self.knows(command.signer.as_ref()) => {
                let limit = "lanes are for nodes in the directory".to_owned();
                Some(Answer::Refused(Reason::OverLimit { limit }))
            }
            _ => None,
        };
        if let Some(told) = told {
            let answer = self.see(pass).await?.unwrap_or(told);
            return answer_once(answer, None, chain, &sender);
        }
        let told_record = match &command.command {
            Command::Lane { record, .. } => Some(record.clone()),
            _ => None,
        };
        let outcome = self
            .node
            .ask(|id| Event::Command {
                request: pass.request(id),
                command,
            })
            .await;
        let lane_is_open = matches!(
            &outcome,
            Some(Outcome::Answer(answer, _)) if matches!(**answer, Answer::LaneOpen { .. })
        );
        if let Some(record) = told_record.filter(|_| lane_is_open) {
            self.learn(record);
        }
        self.finish(outcome, chain, sender)
    }

    /// Whether packets would be forwarded to the signer: what peers merely told of him is his own word.
    fn knows(&self, signer: Option<&CommandSigner>) -> bool {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let entry = signer.and_then(|signer| table.entry(&signer.wallet));
        entry.is_some_and(|entry| entry.routes && entry.record.body.valid_until >= clock::now())
    }

    /// Whether nothing like it was seen: an error if it was, an answer if the node could not say.
    pub(super) async fn see(&self, pass: Pass) -> Result<Option<Answer>, StatusCode> {
        match self
            .node
            .ask(|id| Event::See {
                request: pass.request(id),
            })
            .await
        {
            Some(Outcome::Fresh) => Ok(None),
            Some(Outcome::Answer(answer, _)) => Ok(Some(*answer)),
            Some(Outcome::Garbage) => Err(StatusCode::BAD_REQUEST),
            Some(Outcome::Stream(_)) | None => Ok(Some(Answer::Refused(Reason::Unavailable))),
        }
    }

    fn finish(
        &self,
        outcome: Option<Outcome>,
        chain: ReplyChain,
        sender: Sender,
    ) -> Result<Answered, StatusCode> {
        match outcome {
            Some(Outcome::Answer(answer, note)) => answer_once(*answer, note, chain, &sender),
            Some(Outcome::Garbage | Outcome::Fresh) => Err(StatusCode::BAD_REQUEST),
            None => answer_once(Answer::Refused(Reason::Unavailable), None, chain, &sender),
            Some(Outcome::Stream(queue)) => {
                let Some(place) = self.gate.stream() else {
                    let refused = Answer::Refused(Reason::Unavailable);
                    return answer_once(refused, None, chain, &sender);
                };
                let lane = sender.form.lane().map(|lane| lane.key.clone());
                let records = NodeRecords {
                    queue,
                    chain,
                    lane,
                    pushed: None,
                };
                Ok(records_stream(records, sender.form, sender.stop, place))
            }
        }
    }
}

/// Seals an answer and gives it in the form that its reader reads.
pub(super) fn answer_once(
    answer: Answer,
    note: Option<LaneNote>,
    mut chain: ReplyChain,
    sender: &Sender,
) -> Result<Answered, StatusCode> {
    let sealed = Content::from(answer)
        .to_bytes()
        .ok()
        .and_then(|content| chain.seal(&content, None, &mut OsRng).ok());
    match sealed {
        Some(record) => Ok(sender.form.once(Bytes::from(record), note.as_ref())),
        None => {
            warn!("an answer could not be sealed");
            Err(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// The records that the node sends on a stream.
struct NodeRecords {
    queue: StreamQueue,
    chain: ReplyChain,
    /// Of the lane that the stream runs on.
    lane: Option<LaneKey>,
    /// The packet in the last record, until it is handed over.
    pushed: Option<u64>,
}

impl NodeRecords {
    fn seal(&mut self, item: StreamItem) -> Option<Record> {
        let (content, size_bytes) = match item {
            StreamItem::Note(note) => {
                let payload = lane::note::seal(Some(&note), self.lane.as_ref()?)?;
                let kind = RecordKind::Voucher;
                return Some(Record { kind, payload });
            }
            StreamItem::Control(answer) => (Content::Answer(answer), None),
            StreamItem::Push { packet, size_bytes } => {
                self.pushed = Some(packet.position.seq);
                (Content::Packet(packet), Some(size_bytes))
            }
        };
        let content = content.to_bytes().ok()?;
        let sealed = self.chain.seal(&content, size_bytes, &mut OsRng).ok()?;
        let (kind, payload) = (RecordKind::Data, Bytes::from(sealed));
        Some(Record { kind, payload })
    }
}

impl Records for NodeRecords {
    fn poll_record(&mut self, cx: &mut Context<'_>) -> Poll<Option<Record>> {
        let Some(item) = ready!(self.queue.poll_item(cx)) else {
            return Poll::Ready(None);
        };
        let record = self.seal(item);
        if record.is_none() {
            warn!("a record could not be sealed, the stream ends");
        }
        Poll::Ready(record)
    }

    fn handed(&mut self) {
        if let Some(seq) = self.pushed.take() {
            self.queue.handed(seq);
        }
    }

    fn moving(&mut self) {
        if self.pushed.is_some() {
            self.queue.moving();
        }
    }
}
