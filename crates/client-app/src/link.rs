//! Posting packets to relays, and trying another one when that fails.

use layer_minus_client_sdk::{AnswerReader, Desk, Outgoing, SdkError, answer};
use layer_minus_http::{HttpClient, HttpError, RecordStream, Reply};
use layer_minus_message::{Content, NodeRecord};
use layer_minus_wallet::{Address, parse_address};
use rand::{rngs::OsRng, seq::SliceRandom as _};

use crate::{args::Via, context::Context, error::AppError};

/// How many relays are tried before giving up.
const RELAYS_TRIED_MAX: usize = 3;

/// Where packets are posted.
#[derive(Clone, Debug)]
pub(crate) struct Relay {
    /// Its address if it is known, else its URL.
    pub(crate) name: String,
    pub(crate) url: String,
    /// Its record, if it is in the directory.
    pub(crate) record: Option<NodeRecord>,
}

impl Relay {
    fn of(record: &NodeRecord) -> Option<Self> {
        Some(Self {
            name: record.node().to_string(),
            url: record.body.urls.first()?.clone(),
            record: Some(record.clone()),
        })
    }
}

/// The relays to try for a packet to `target`, in order.
///
/// A relay sees our IP address, so without `--relay` it is never the target itself: that one is not
/// to know both. Nor our own node, which knows our wallet, whatever happens to the others. The one
/// named in `doubted` is tried after all others.
pub(crate) fn relays(
    ctx: &Context,
    via: &Via,
    target: Address,
    doubted: Option<&str>,
) -> Result<Vec<Relay>, AppError> {
    if let Some(named) = via.relay.as_deref().or(ctx.config.relay.as_deref()) {
        return Ok(vec![named_relay(ctx, named)?]);
    }
    let own = ctx.own_node();
    // A hop would see us and what is next.
    let known = |node: &&NodeRecord| {
        let address = node.node();
        address != target && Some(address) != own && !via.hop.contains(&address)
    };
    let mut relays: Vec<Relay> = shuffled(ctx.directory.iter().filter(known));
    if relays.is_empty() {
        relays = shuffled(ctx.directory.expired().filter(known));
    }
    keep_best(&mut relays, doubted);
    if relays.is_empty() {
        return Err(AppError::NoWay(
            "no relay is known but the node itself or your own, which would learn your IP address"
                .to_owned(),
        ));
    }
    Ok(relays)
}

/// In random order, but nodes that take no clients first: relaying is all they do.
fn shuffled<'a>(nodes: impl Iterator<Item = &'a NodeRecord>) -> Vec<Relay> {
    let mut nodes: Vec<&NodeRecord> = nodes.collect();
    nodes.shuffle(&mut OsRng);
    nodes.sort_by_key(|node| node.body.takes_clients);
    nodes.into_iter().filter_map(Relay::of).collect()
}

/// Leaves as many as are tried, the doubted one after all others.
fn keep_best(relays: &mut Vec<Relay>, doubted: Option<&str>) {
    relays.sort_by_key(|relay| Some(relay.name.as_str()) == doubted);
    relays.truncate(RELAYS_TRIED_MAX);
}

fn named_relay(ctx: &Context, named: &str) -> Result<Relay, AppError> {
    if named.starts_with("http://") || named.starts_with("https://") {
        let record = ctx.directory.by_url(named).cloned();
        let name = record
            .as_ref()
            .map_or_else(|| named.to_owned(), |r| r.node().to_string());
        return Ok(Relay {
            name,
            url: named.to_owned(),
            record,
        });
    }
    let address = parse_address(named).map_err(|error| {
        AppError::Usage(format!("a relay is named by its address or a URL: {error}"))
    })?;
    let record = ctx
        .directory
        .get_any(address)
        .ok_or(AppError::UnknownNode(address))?;
    Relay::of(record).ok_or_else(|| AppError::NoWay(format!("relay {address} has no URL")))
}

/// An answer, and who brought it.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) content: Content,
    pub(crate) relay: String,
}

/// Posts one packet and reads its answer of one record.
pub(crate) async fn exchange(
    http: &HttpClient,
    relay: &Relay,
    outgoing: Outgoing,
    sent: Option<&(dyn Fn(u64) + Send + Sync)>,
) -> Result<Content, AppError> {
    match post(http, relay, &outgoing, sent).await? {
        Reply::Once(record) => Ok(outgoing.pending.answer(&record)?),
        Reply::Stream(mut stream) => {
            let record = next(&mut stream, relay).await?;
            Ok(outgoing.pending.answer(&record)?)
        }
    }
}

/// Posts a packet of which the answer is a stream. A refusal comes as an answer of one record.
async fn post_stream(
    http: &HttpClient,
    relay: &Relay,
    outgoing: Outgoing,
) -> Result<Listening, AppError> {
    match post(http, relay, &outgoing, None).await? {
        Reply::Stream(stream) => Ok(Listening {
            stream,
            reader: outgoing.pending.reader(),
        }),
        Reply::Once(record) => {
            answer::answer_of(outgoing.pending.answer(&record)?)?;
            Err(SdkError::Unexpected {
                expected: "a stream",
                found: "one answer",
            }
            .into())
        }
    }
}

/// An open stream and what opens its records.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) stream: RecordStream,
    pub(crate) reader: AnswerReader,
}

impl Listening {
    /// The next record; an error when the stream ends.
    pub(crate) async fn next(&mut self, relay: &Relay) -> Result<Content, AppError> {
        let record = next(&mut self.stream, relay).await?;
        Ok(self.reader.read(&record)?)
    }
}

async fn next(stream: &mut RecordStream, relay: &Relay) -> Result<bytes::Bytes, AppError> {
    match stream.next().await {
        Some(Ok(record)) => Ok(record),
        Some(Err(error)) => Err(AppError::Http {
            relay: relay.name.clone(),
            error,
        }),
        None => Err(AppError::NoWay(format!(
            "{}: the connection ended",
            relay.name
        ))),
    }
}

async fn post(
    http: &HttpClient,
    relay: &Relay,
    outgoing: &Outgoing,
    sent: Option<&(dyn Fn(u64) + Send + Sync)>,
) -> Result<Reply, AppError> {
    http.post(&relay.url, outgoing.packet.clone(), sent)
        .await
        .map_err(|error: HttpError| AppError::Http {
            relay: relay.name.clone(),
            error,
        })
}

/// Asks the node at the end of a way. Every attempt has a packet of its own, because layers are
/// never used twice.
pub(crate) async fn ask(
    ctx: &Context,
    node: &NodeRecord,
    via: &Via,
    make: impl Fn(&Desk<'_>, &mut OsRng) -> Result<Outgoing, SdkError>,
) -> Result<Answered, AppError> {
    let mut last = None;
    for relay in relays(ctx, via, node.node(), None)? {
        let asked = match packet(ctx, node, via, &relay, &make) {
            Ok(outgoing) => exchange(&ctx.http, &relay, outgoing, None).await,
            Err(error) => Err(error),
        };
        match asked {
            Ok(content) => {
                return Ok(Answered {
                    content,
                    relay: relay.name,
                });
            }
            Err(error) => {
                ctx.doubt(&error, node, &via.hop);
                last = Some(passing(&relay, error)?);
            }
        }
    }
    Err(last.unwrap_or_else(nobody))
}

/// The same where the answer is a stream, through the relay `doubted` last.
pub(crate) async fn open_stream(
    ctx: &Context,
    node: &NodeRecord,
    via: &Via,
    doubted: Option<&str>,
    make: impl Fn(&Desk<'_>, &mut OsRng) -> Result<Outgoing, SdkError>,
) -> Result<(Relay, Listening), AppError> {
    let mut last = None;
    for relay in relays(ctx, via, node.node(), doubted)? {
        let opened = match packet(ctx, node, via, &relay, &make) {
            Ok(outgoing) => post_stream(&ctx.http, &relay, outgoing).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok(stream) => return Ok((relay, stream)),
            Err(error) => {
                ctx.doubt(&error, node, &via.hop);
                last = Some(passing(&relay, error)?);
            }
        }
    }
    Err(last.unwrap_or_else(nobody))
}

/// A packet for one attempt through one relay.
fn packet(
    ctx: &Context,
    node: &NodeRecord,
    via: &Via,
    relay: &Relay,
    make: &impl Fn(&Desk<'_>, &mut OsRng) -> Result<Outgoing, SdkError>,
) -> Result<Outgoing, AppError> {
    let (network, route) = ctx.way(node, &via.hop, relay.record.as_ref())?;
    Ok(make(&Desk::new(&network, &route), &mut OsRng)?)
}

/// An error after which another relay is tried; any other is the end.
fn passing(relay: &Relay, error: AppError) -> Result<AppError, AppError> {
    // A node on the way has spoken: another relay would bring us to the same one.
    if error.reason().is_some() {
        return Err(error);
    }
    // Other relays may take other packet sizes.
    let sizes = matches!(error, AppError::Sdk(SdkError::NoCommonSize));
    if !error.is_passing() && !sizes {
        return Err(error);
    }
    tracing::debug!(relay = relay.name, %error, "relay failed");
    Ok(error)
}

fn nobody() -> AppError {
    AppError::NoWay("no relay could be tried".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubted_relay_is_tried_only_where_others_are_too_few() {
        for (known, wanted) in [
            (&["a"][..], &["a"][..]),
            (&["a", "b"], &["b", "a"]),
            (&["a", "b", "c", "d"], &["b", "c", "d"]),
        ] {
            let relay = |name: &&str| Relay {
                name: (*name).to_owned(),
                url: String::new(),
                record: None,
            };
            let mut relays: Vec<Relay> = known.iter().map(relay).collect();
            keep_best(&mut relays, Some("a"));
            let names: Vec<&str> = relays.iter().map(|relay| relay.name.as_str()).collect();
            assert_eq!(names, wanted);
        }
    }
}
