//! Packets for a further node that were found inside a layer: sealed to it anew, so that the next
//! link carries a listed size and bytes that nobody saw before. Its answer comes back the same way.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;
use layer_minus_delivery::records::{Record, RecordKind};
use layer_minus_message::{Answer, Reason};
use layer_minus_node::{LaneKey, ReplyChain, intake};
use layer_minus_packet::Recipient;
use layer_minus_seal::{RecordOpener, SealError};
use rand::rngs::OsRng;
use std::sync::Arc;
use tracing::{debug, warn};

use super::{
    Gateway, NextHop, Sender, Way,
    hop::Sent,
    mine::{Pass, answer_once},
};
use crate::{
    HttpError,
    answer::{Next, Records, Upstream, records_stream},
    client::body::OutBody,
    clock,
    lane::note,
    limits::FORWARDS_MAX,
    server::plain::Answered,
};

impl Gateway {
    pub(super) async fn onward(
        self: &Arc<Self>,
        recipient: Recipient,
        packet: Bytes,
        pass: Pass,
        chain: ReplyChain,
        sender: Sender,
    ) -> Result<Answered, StatusCode> {
        let size_bytes = pass.size_bytes;
        if let Some(answer) = self.see(pass).await? {
            return answer_once(answer, None, chain, &sender);
        }
        let refuse = |reason, chain| answer_once(Answer::Refused(reason), None, chain, &sender);
        let Some(hop) = self.onward_hop(recipient, size_bytes).await else {
            return refuse(Reason::NoRoute, chain);
        };
        if !self.pays(&hop) {
            let limit = "unpaid forwarding to the next node".to_owned();
            return refuse(Reason::OverLimit { limit }, chain);
        }
        // Its own kind of place: a next node that is slow must not keep out what is for this one.
        let Some(place) = self.gate.onward() else {
            let limit = "packets sent on at a time".to_owned();
            return refuse(Reason::OverLimit { limit }, chain);
        };
        if !self.gate.take_onward(u64::from(size_bytes)) {
            let limit = "bytes sent on per hour".to_owned();
            return refuse(Reason::OverLimit { limit }, chain);
        }
        let network = &self.identity().keys.network;
        let now = clock::now();
        let wrapped = intake::wrap_onward(
            packet,
            &hop.certificate,
            size_bytes,
            network,
            now,
            &mut OsRng,
        );
        let Ok((wrapped, reply_key)) = wrapped else {
            return refuse(Reason::NoRoute, chain);
        };
        let sent = self
            .send(&hop, &wrapped, FORWARDS_MAX, || {
                OutBody::whole(wrapped.clone())
            })
            .await;
        let sent = match sent {
            Ok(sent) if sent.response.status() == StatusCode::OK => sent,
            outcome => {
                let kind = outcome.as_ref().map_or_else(HttpError::kind, |_| "refused");
                debug!(next = %hop.node, size_bytes, kind, "not sent on");
                return refuse(Reason::NextHopDown, chain);
            }
        };
        debug!(next = %hop.node, size_bytes, "sent on");
        drop((wrapped, place));
        let reseal = Reseal {
            opener: RecordOpener::new(&reply_key),
            chain,
        };
        self.bring_back(sent, reseal, sender).await
    }

    async fn onward_hop(
        self: &Arc<Self>,
        recipient: Recipient,
        size_bytes: u32,
    ) -> Option<NextHop> {
        let mut way = self.way(&recipient);
        if matches!(way, Way::Ask) {
            self.ask(recipient).await;
            way = self.way(&recipient);
        }
        match way {
            Way::Forward(hop) if hop.takes(size_bytes as usize) => Some(hop),
            _ => None,
        }
    }

    async fn bring_back(
        &self,
        sent: Sent,
        mut reseal: Reseal,
        sender: Sender,
    ) -> Result<Answered, StatusCode> {
        if sent.is_once() {
            let record = self.read_once(sent).await.ok();
            let sealed = record.and_then(|record| reseal.turn(&record).ok());
            return match sealed {
                Some(sealed) => Ok(sender.form.once(sealed, None)),
                None => answer_once(
                    Answer::Refused(Reason::NextHopDown),
                    None,
                    reseal.chain,
                    &sender,
                ),
            };
        }
        let Sent { response, notes } = sent;
        let Some(place) = self.gate.stream() else {
            let refused = Answer::Refused(Reason::Unavailable);
            return answer_once(refused, None, reseal.chain, &sender);
        };
        let timeout = self.client.options().stream_timeout;
        let upstream = Upstream::new(response.into_body(), notes, timeout);
        let lane = sender.form.lane().map(|lane| lane.key.clone());
        let records = OnwardRecords {
            upstream,
            reseal,
            lane,
        };
        Ok(records_stream(records, sender.form, sender.stop, place))
    }
}

/// Opens the next hop's records and seals them under the layers that were opened here.
struct Reseal {
    opener: RecordOpener,
    chain: ReplyChain,
}

impl Reseal {
    /// The record keeps its size: what sealing adds is what opening took away. Only where several
    /// layers were opened here can it be too small, and then the next size is taken.
    fn turn(&mut self, record: &[u8]) -> Result<Bytes, SealError> {
        let content = self.opener.open(record)?;
        let size_bytes = u32::try_from(record.len()).ok();
        let sealed = match self.chain.seal(&content, size_bytes, &mut OsRng) {
            Err(SealError::SizeUnreachable { .. }) => self.chain.seal(&content, None, &mut OsRng),
            sealed => sealed,
        };
        sealed.map(Bytes::from)
    }
}

struct OnwardRecords {
    upstream: Upstream,
    reseal: Reseal,
    /// Of the reader, if it is a node.
    lane: Option<LaneKey>,
}

impl Records for OnwardRecords {
    fn poll_record(&mut self, cx: &mut Context<'_>) -> Poll<Option<Record>> {
        let record = loop {
            match ready!(self.upstream.poll_next(cx)) {
                Some(Ok(Next::Data(record))) => break record,
                Some(Ok(Next::Note)) => {
                    let blank = self.lane.as_ref().and_then(|key| note::seal(None, key));
                    if let Some(payload) = blank {
                        let kind = RecordKind::Voucher;
                        return Poll::Ready(Some(Record { kind, payload }));
                    }
                }
                Some(Err(_)) | None => return Poll::Ready(None),
            }
        };
        let sealed = self.reseal.turn(&record);
        if sealed.is_err() {
            warn!("a record of the next hop does not open, the stream ends");
        }
        let kind = RecordKind::Data;
        Poll::Ready(sealed.ok().map(|payload| Record { kind, payload }))
    }
}
