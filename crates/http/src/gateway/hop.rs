//! Other nodes: where they are, and how a packet gets there.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, Uri, header};
use hyper::body::Incoming;
use layer_minus_message::{
    Answer, Command, CommandEnvelope, Content, Frame, Kind, NodeRecord, Signer,
};
use layer_minus_routing::{Source, Table};
use layer_minus_seal::{Certificate, RecordOpener, ReplyKey, seal_layer};
use layer_minus_wallet::Address;
use rand::rngs::OsRng;

use super::Gateway;
use crate::{
    HttpError,
    answer::{Unframed, is_sealed_length, shown_proof, unframe},
    client::{
        Reach,
        body::{OutBody, Progress},
        is_event_stream, is_octets, parse_url, post_request,
    },
    clock,
    lane::{Token, note::NoteSink},
    limits::FORWARDS_MAX,
};

/// How long a frame that a node makes for another may live, seconds. A node whose clock was ahead refuses
/// frames that live shorter than it was, until they would have expired: as long as clients' frames live, so
/// that lanes work when its clients do.
const FRAME_SECS: u64 = 3_600;

/// What is needed of another node's record to send it something.
#[derive(Clone, Debug)]
pub(crate) struct NextHop {
    pub(crate) node: Address,
    /// Who pays for what it is forwarded.
    pub(crate) cash: Address,
    pub(crate) certificate: Certificate,
    urls: Arc<[Uri]>,
    sizes: Arc<[u32]>,
    reach: Reach,
}

impl NextHop {
    /// A node of which only its record is known.
    pub(crate) fn new(record: &NodeRecord, reach: Reach) -> Self {
        Self::build(record, None, reach)
    }

    /// A node in the table. What the operator configured is reached wherever it is; what peers told
    /// as far as `others` goes, and first where it proved its key.
    pub(crate) fn known(record: &NodeRecord, table: &Table, others: Reach) -> Self {
        match table.entry(&record.node()) {
            Some(entry) if entry.source == Source::Configured => {
                Self::build(record, None, Reach::Anywhere)
            }
            Some(entry) => Self::build(record, entry.proved_at, others),
            None => Self::build(record, None, others),
        }
    }

    fn build(record: &NodeRecord, first: Option<&str>, reach: Reach) -> Self {
        let body = &record.body;
        let rest = body.urls.iter().map(String::as_str);
        let rest = rest.filter(|url| Some(*url) != first);
        Self {
            node: body.node,
            cash: body.cash,
            certificate: record.certificate.clone(),
            urls: first
                .into_iter()
                .chain(rest)
                .filter_map(|url| parse_url(url).ok())
                .collect(),
            sizes: body.sizes.as_slice().into(),
            reach,
        }
    }

    /// Whether it takes packets of that size.
    pub(crate) fn takes(&self, size_bytes: usize) -> bool {
        self.sizes.iter().any(|&size| size as usize == size_bytes)
    }
}

/// What a next hop answered.
pub(crate) struct Sent {
    pub(crate) response: Response<Incoming>,
    /// It knows the lane and answers in records; takes what it says about the lane.
    pub(crate) notes: Option<NoteSink>,
}

impl Sent {
    /// Whether the answer is one record and not a stream.
    pub(crate) fn is_once(&self) -> bool {
        match self.notes {
            Some(_) => self.response.headers().contains_key(header::CONTENT_LENGTH),
            None => !is_event_stream(&self.response),
        }
    }
}

/// Why another node did not answer a question.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("not sealed: {0}")]
    Seal(#[from] layer_minus_seal::SealError),
    #[error("not understood: {0}")]
    Message(#[from] layer_minus_message::MessageError),
    #[error("a stream where one answer was expected")]
    Stream,
}

impl QueryError {
    /// A word for logs.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Http(error) => error.kind(),
            Self::Seal(_) => "sealing",
            Self::Message(_) | Self::Stream => "not understood",
        }
    }
}

impl Gateway {
    /// Posts a packet that begins with `first` to a node, at the first of its URLs where somebody
    /// is, on a lane if it opens one. Whoever is there may pass it on `forwards_left` times. `body` gives the packet anew for every URL; nothing of it was
    /// read when there was no connection.
    pub(crate) async fn send(
        &self,
        hop: &NextHop,
        first: &[u8],
        forwards_left: u8,
        body: impl Fn() -> (OutBody, Arc<Progress>),
    ) -> Result<Sent, HttpError> {
        // Only where the packet came in is a lane opened for it: a packet that goes on and on must
        // not hold up lanes that wait for each other.
        let may_open = forwards_left + 1 >= FORWARDS_MAX;
        let lane = Box::pin(self.lane_to(hop, may_open)).await;
        let token = lane
            .as_ref()
            .map(|lane| Token::new(lane.id, &lane.key, first));
        let header = token.and_then(Token::to_header);
        let (response, _) = self.post(hop, header, forwards_left, body).await?;
        let notes = match (lane, token) {
            (Some(lane), Some(token)) if response.status() == StatusCode::OK => {
                let proved = token.is_proved(&lane.key, shown_proof(&response));
                if !proved {
                    self.lanes.forget(&hop.node, &lane.id);
                }
                proved.then(|| NoteSink {
                    node: self.node.clone(),
                    peer: hop.node,
                    key: lane.key,
                })
            }
            _ => None,
        };
        Ok(Sent { response, notes })
    }

    /// The answer, and the URL that gave it.
    async fn post(
        &self,
        hop: &NextHop,
        authorization: Option<HeaderValue>,
        forwards_left: u8,
        body: impl Fn() -> (OutBody, Arc<Progress>),
    ) -> Result<(Response<Incoming>, Uri), HttpError> {
        let mut last = HttpError::Config("the node's record has no usable URL");
        for url in hop.urls.iter() {
            let (body, progress) = body();
            let mut request = post_request(url.clone(), body);
            let headers = request.headers_mut();
            headers.insert(
                header::MAX_FORWARDS,
                HeaderValue::from(u16::from(forwards_left)),
            );
            if let Some(authorization) = &authorization {
                headers.insert(header::AUTHORIZATION, authorization.clone());
            }
            let exchange = self.client.exchange(hop.reach, request, &progress, None);
            match exchange.await {
                Err(error) if error.is_connect() => last = error,
                outcome => return outcome.map(|response| (response, url.clone())),
            }
        }
        Err(last)
    }

    /// Reads an answer of one record, and takes the note that came with it. Whatever else a next hop
    /// says, of itself or of a server that it only pretended to be, is not carried to whoever asked.
    pub(crate) async fn read_once(&self, sent: Sent) -> Result<Bytes, HttpError> {
        let Sent { response, notes } = sent;
        if !is_octets(&response) {
            return Err(HttpError::Malformed("not a sealed answer"));
        }
        let read = self.client.read_once(response).await?;
        let Unframed { record, note } = match &notes {
            Some(_) => unframe(&read)?,
            None => Unframed {
                record: read,
                note: None,
            },
        };
        if !is_sealed_length(record.len()) {
            return Err(HttpError::Malformed("not as long as a sealed answer"));
        }
        if let (Some(notes), Some(note)) = (notes, note) {
            notes.take(&note);
        }
        Ok(record)
    }

    /// Gives another node a command in the name of this one.
    pub(crate) async fn tell(
        &self,
        hop: &NextHop,
        command: &Command,
    ) -> Result<Answer, QueryError> {
        let identity = self.identity();
        let keys = &identity.keys;
        let signer = Signer::Wallet(&keys.wallet);
        let (network, now) = (&keys.network, clock::now());
        let signed = CommandEnvelope::sign(signer, network, hop.node, command, now, &mut OsRng)?;
        self.query(hop, &signed).await
    }

    /// Asks another node something and opens its answer, which only the holder of its key can
    /// have made.
    pub(crate) async fn query(
        &self,
        hop: &NextHop,
        command: &CommandEnvelope,
    ) -> Result<Answer, QueryError> {
        self.query_at(hop, command).await.map(|(answer, _)| answer)
    }

    /// The same, with the URL that answered.
    pub(crate) async fn query_at(
        &self,
        hop: &NextHop,
        command: &CommandEnvelope,
    ) -> Result<(Answer, Uri), QueryError> {
        let identity = self.identity();
        let keys = &identity.keys;
        let reply_key = ReplyKey::generate(&mut OsRng);
        let frame = Frame {
            kind: Kind::Command,
            reply_key,
            expires_at: clock::now().saturating_add(FRAME_SECS),
            inbox: None,
            body: Bytes::from(command.to_bytes()?),
        };
        let head = frame.head(&keys.network);
        let size = keys
            .sizes
            .iter()
            .find(|&size| hop.takes(size))
            .unwrap_or(keys.sizes.largest());
        let packet = seal_layer(&mut OsRng, &hop.certificate, &[&head, &frame.body], size)?;
        let (response, url) = self
            .post(hop, None, FORWARDS_MAX, || OutBody::whole(packet.clone()))
            .await?;
        if response.status() != StatusCode::OK {
            return Err(HttpError::Status {
                status: response.status(),
            }
            .into());
        }
        if is_event_stream(&response) {
            return Err(QueryError::Stream);
        }
        let record = self.client.read_once(response).await?;
        let content = RecordOpener::new(&frame.reply_key).open(&record)?;
        match Content::read(&Bytes::from(content))? {
            Content::Answer(answer) => Ok((*answer, url)),
            Content::Packet(_) => Err(QueryError::Stream),
        }
    }
}
