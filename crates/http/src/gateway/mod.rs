//! What a node does with a request: one packet, one verdict.

mod ask;
mod forward;
mod hop;
mod learn;
mod mine;
mod onward;
mod tell;

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use http::{HeaderMap, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use layer_minus_message::NodeRecord;
use layer_minus_node::NodeKeys;
use layer_minus_packet::Recipient;
use layer_minus_routing::{Refusal, Table, Verdict, decide};
use layer_minus_wallet::Address;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

pub(crate) use self::hop::NextHop;
use self::{ask::Asks, learn::Learned};
use crate::{
    HttpClient, Limits, NodeHandle,
    answer::{Form, LaneForm},
    client::Reach,
    clock,
    lane::{Token, collect::Asked, outgoing::Lanes},
    limits::FORWARDS_MAX,
    server::{
        gate::Gate,
        plain::{Answered, page},
        receive::{Arriving, receive},
    },
    upload::drain,
};

/// Who this node is at the moment.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) keys: Arc<NodeKeys>,
    pub(crate) record: NodeRecord,
}

/// Carries out the one rule that moves every packet.
#[derive(Debug)]
pub struct Gateway {
    identity: RwLock<Arc<Identity>>,
    table: Arc<RwLock<Table>>,
    pub(crate) node: NodeHandle,
    client: HttpClient,
    pub(crate) limits: Limits,
    gate: Gate,
    pub(crate) lanes: Lanes,
    /// When nodes were asked for what they owe.
    pub(crate) asked: Asked,
    asks: Asks,
    learned: Learned,
    counts: Counts,
}

/// What a node did since it started. Sums, nothing about anybody.
#[derive(Debug, Default)]
struct Counts {
    forwarded: AtomicU64,
    opened: AtomicU64,
    refused: AtomicU64,
    told: AtomicU64,
}

/// What to do with a packet, without the table's lock.
#[derive(Debug)]
pub(crate) enum Way {
    Mine,
    Forward(NextHop),
    Ask,
    Refuse(Refusal),
}

/// Who sent a packet, as far as it matters: a node on its lane, or somebody.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) lane: Option<Address>,
    pub(crate) form: Form,
    /// How often the packet may still be passed on.
    pub(crate) forwards_left: u8,
    /// Ends streams when the node stops.
    pub(crate) stop: CancellationToken,
}

impl Gateway {
    /// Puts the parts together. The table learns who this node is from `keys` and `record`.
    #[must_use]
    pub fn new(
        keys: Arc<NodeKeys>,
        record: NodeRecord,
        table: Arc<RwLock<Table>>,
        node: NodeHandle,
        client: HttpClient,
        limits: Limits,
    ) -> Self {
        let largest_bytes = keys.sizes.largest();
        let identity = RwLock::new(Arc::new(Identity { keys, record }));
        let gate = Gate::new(&limits, largest_bytes);
        let asks = Asks::new(limits.asks_max);
        let (lanes, learned, counts) = (Lanes::default(), Learned::default(), Counts::default());
        let gateway = Self {
            identity,
            table,
            node,
            client,
            limits,
            gate,
            lanes,
            asked: Asked::default(),
            asks,
            learned,
            counts,
        };
        gateway.tell_table();
        gateway
    }

    /// Takes new keys, or a renewed record: from now on they are what is opened with and shown.
    pub fn set_identity(&self, keys: Arc<NodeKeys>, record: NodeRecord) {
        *self
            .identity
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(Identity { keys, record });
        self.tell_table();
    }

    /// The table of nodes, which the operator's directory is read into.
    #[must_use]
    pub fn table(&self) -> &Arc<RwLock<Table>> {
        &self.table
    }

    fn tell_table(&self) {
        let identity = self.identity();
        let keys = identity.keys.keyring.iter();
        let keys = keys.map(|key| key.certificate().encryption_key()).collect();
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.set_own(keys, identity.record.clone());
    }

    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Removes what has expired, and says in the log what was done.
    pub(crate) fn keep_house(self: &Arc<Self>) {
        self.collect_all();
        self.table
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove_expired(clock::now());
        self.lanes.remove_expired(clock::now());
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        let forwarded = take(&self.counts.forwarded);
        let opened = take(&self.counts.opened);
        let refused = take(&self.counts.refused);
        let told = take(&self.counts.told);
        if forwarded + opened + refused + told > 0 {
            info!(
                forwarded,
                opened, refused, told, "packets since the last line"
            );
        }
    }

    /// Answers a request.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        path: &str,
        stop: CancellationToken,
    ) -> Answered {
        let started = Instant::now();
        let outcome = self.try_answer(request, path, stop).await;
        let (verdict, response) = match outcome {
            Ok(answered) => answered,
            Err(status) => ("refuse", page(status)),
        };
        if verdict == "refuse" {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
        }
        let status = response.status().as_u16();
        debug!(
            verdict,
            status,
            ms = started.elapsed().as_millis() as u64,
            "request"
        );
        response
    }

    async fn try_answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        path: &str,
        stop: CancellationToken,
    ) -> Result<(&'static str, Answered), StatusCode> {
        let misplaced = match (request.uri().path() == path, request.method()) {
            (false, _) => Some(StatusCode::NOT_FOUND),
            (true, &Method::POST) => None,
            (true, _) => Some(StatusCode::METHOD_NOT_ALLOWED),
        };
        if let Some(status) = misplaced {
            drain(request.into_body()).await;
            return Err(status);
        }
        let token = request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(Token::from_header);
        let forwards_left = forwards_left(request.headers());
        let sizes = self.identity().keys.sizes;
        let arriving = Box::pin(receive(request, &sizes, &self.limits, &self.gate)).await?;
        let (lane, form) = self.lane_of(token, &arriving);
        let sender = Sender {
            lane,
            form,
            forwards_left,
            stop,
        };
        let mut way = self.way(&arriving.recipient);
        if matches!(way, Way::Ask) && forwards_left > 0 {
            Box::pin(self.ask(arriving.recipient)).await;
            way = self.way(&arriving.recipient);
        }
        let upload = arriving.upload.clone();
        let outcome = match way {
            Way::Mine => {
                self.counts.opened.fetch_add(1, Ordering::Relaxed);
                // Boxed, so that a packet pays for its own way only.
                Box::pin(self.serve_mine(arriving, sender))
                    .await
                    .map(|answer| ("mine", answer))
            }
            Way::Forward(hop) => {
                self.counts.forwarded.fetch_add(1, Ordering::Relaxed);
                let answer = Box::pin(self.forward(&hop, arriving, sender)).await;
                answer.map(|answer| ("forward", answer))
            }
            Way::Ask => Err(StatusCode::NOT_FOUND),
            Way::Refuse(refusal) => {
                debug!(%refusal, "no way");
                Err(StatusCode::NOT_FOUND)
            }
        };
        if outcome.is_err() {
            upload.drain().await;
        }
        outcome
    }

    /// Who forwarded the packet, if it proved it. A lane that is not known is no lane.
    fn lane_of(&self, token: Option<Token>, arriving: &Arriving) -> (Option<Address>, Form) {
        let known = token.and_then(|token| {
            let lane = self.node.lane(&token.lane, clock::now())?;
            let proof = token.proof(&lane.key)?;
            token
                .verify(&lane.key, &arriving.first)
                .then_some((lane.node, lane.key, proof))
        });
        match known {
            Some((node, key, proof)) => (Some(node), Form::Lane(LaneForm { proof, key })),
            None => (None, Form::Client),
        }
    }

    /// How far connections go to those of whom only peers told.
    pub(crate) fn reach_of_others(&self) -> Reach {
        match self.client.options().allow_private {
            true => Reach::Anywhere,
            false => Reach::Public,
        }
    }

    /// Where a node is, if its record is known.
    pub(crate) fn hop_to(&self, node: &Address) -> Option<NextHop> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let record = table.record(node)?;
        Some(NextHop::known(record, &table, self.reach_of_others()))
    }

    pub(crate) fn way(&self, recipient: &Recipient) -> Way {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        match decide(recipient, &table, clock::now()) {
            Verdict::Mine => Way::Mine,
            Verdict::Forward(record) => {
                Way::Forward(NextHop::known(record, &table, self.reach_of_others()))
            }
            Verdict::Ask => Way::Ask,
            Verdict::Refuse(refusal) => Way::Refuse(refusal),
        }
    }
}

/// What `max-forwards` allows; a client sends none.
fn forwards_left(headers: &HeaderMap) -> u8 {
    let Some(left) = headers.get(header::MAX_FORWARDS) else {
        return FORWARDS_MAX;
    };
    let left = left.to_str().ok().and_then(|left| left.parse::<u8>().ok());
    left.unwrap_or(0).min(FORWARDS_MAX)
}
