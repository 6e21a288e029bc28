//! Sending what is in the outbox: part by part, several at a time, again and again until the node
//! has accepted all.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use layer_minus_client_sdk::{Identity, Network, Plan, Receipt, Route, SealedMail, answer};
use layer_minus_http::clock;
use layer_minus_message::{FullCard, NodeRecord};
use layer_minus_packet::Sizes;
use rand::rngs::OsRng;
use tokio::time::{Instant, sleep_until};

use crate::{
    args::Via,
    context::Context,
    db::outbox::{Outgoing, PartState},
    error::AppError,
    link::{self, Relay},
    people::Recipient,
    progress::Progress,
    queue::Queue,
};

/// How many parts are on the way at a time. Each is a connection of its own.
const PARTS_AT_ONCE: usize = 4;

/// Seals one part of a content to its recipient.
pub(crate) fn seal_part(
    identity: &Identity,
    plan: &Plan,
    index: u32,
    body: Bytes,
    card: Option<FullCard>,
    to: &Recipient,
    sizes: &Sizes,
) -> Result<SealedMail, AppError> {
    let now = clock::now();
    let letter = plan.letter(identity, index, body, card)?;
    Ok(SealedMail::seal(
        &letter, identity, &to.card, sizes, now, &mut OsRng,
    )?)
}

/// Our card, which goes along to people who do not have it yet, so that they can answer.
#[derive(Debug)]
pub(crate) struct OurCard {
    full: Option<FullCard>,
    version: u64,
}

impl OurCard {
    /// The card that our node accepted, as long as it is good.
    pub(crate) fn of(identity: &Identity) -> Self {
        match identity.card(clock::now()) {
            Ok(Some(card)) => Self {
                full: identity.full_card(),
                version: card.body.version,
            },
            _ => Self {
                full: None,
                version: 0,
            },
        }
    }

    /// What goes along with a part: the first one carries it.
    pub(crate) fn for_part(&self, index: u32, to: &Recipient) -> Option<FullCard> {
        self.full
            .clone()
            .filter(|_| index == 0 && to.our_card < self.version)
    }
}

/// Reads one part of a file.
fn read_part(source: &Path, plan: &Plan, index: u32) -> Result<Bytes, AppError> {
    let failed = |error| AppError::file("read", source, error);
    let range = plan.range(index);
    let mut file = File::open(source).map_err(failed)?;
    file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
    let mut body = vec![0; usize::try_from(range.end - range.start).unwrap_or(0)];
    file.read_exact(&mut body).map_err(failed)?;
    Ok(Bytes::from(body))
}

/// Checks that a file is still the one that was announced.
pub(crate) fn check_source(source: &Path, plan: &Plan) -> Result<(), AppError> {
    let (bytes, digest) = crate::files::measure(source)?;
    if (bytes, digest) == (plan.total_bytes, plan.digest) {
        return Ok(());
    }
    Err(AppError::Usage(format!(
        "{} has changed since it was announced: send it anew",
        source.display()
    )))
}

/// What one transmission needs.
struct Job<'a> {
    node: &'a NodeRecord,
    to: &'a Recipient,
    network: Network,
    route: Route,
    relays: Vec<Relay>,
    ours: OurCard,
    /// How often a part is tried, with all relays each time.
    rounds: usize,
}

/// Sends all parts of a message that the node does not have yet.
pub(crate) async fn transmit(
    ctx: &mut Context,
    identity: &Identity,
    outgoing: &Outgoing,
    to: &Recipient,
    progress: &Progress,
    rounds: usize,
) -> Result<(), AppError> {
    let via = Via {
        relay: outgoing.relay.clone(),
        hop: outgoing.hops.clone(),
    };
    let relays = link::relays(ctx, &via, to.node.node(), None)?;
    let (network, route) = ctx.way(&to.node, &via.hop, None)?;
    let job = Job {
        node: &to.node,
        to,
        network,
        route,
        relays,
        ours: OurCard::of(identity),
        rounds,
    };
    run(ctx, identity, outgoing, &job, progress).await?;
    ctx.db.sent(&outgoing.id)?;
    if outgoing.plan.is_some() {
        ctx.db.has_our_card(outgoing.recipient, job.ours.version)?;
    }
    Ok(())
}

async fn run(
    ctx: &mut Context,
    identity: &Identity,
    outgoing: &Outgoing,
    job: &Job<'_>,
    progress: &Progress,
) -> Result<(), AppError> {
    let mut queue = Queue::new(outgoing.parts, Instant::now());
    // Whoever sends one packet, or takes it up along the way, is told at once.
    let waits = outgoing.parts > 1 && job.rounds > 1;
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < PARTS_AT_ONCE
            && let Some(part) = queue.next(Instant::now())
        {
            let Some(mail) = prepare(ctx, identity, outgoing, job, part)? else {
                progress.part_done();
                continue;
            };
            let counter = progress.counter();
            let (http, network_id) = (ctx.http.clone(), ctx.network_id().to_owned());
            running.push(async move {
                let sent = deliver(&http, &network_id, job, &mail, &counter).await;
                (part, sent)
            });
        }
        let Some((part, sent)) = running.next().await else {
            match queue.pause() {
                Some(until) => sleep_until(until).await,
                None => return Ok(()),
            }
            continue;
        };
        let now = Instant::now();
        match sent {
            Ok(receipt) => {
                ctx.db.part_accepted(&outgoing.id, part, &receipt)?;
                queue.accepted(now);
                progress.part_done();
            }
            // The person may be collecting at this moment.
            Err(error) if waits && error.is_for_room() && queue.refused(part, now, &mut OsRng) => {}
            // What others have brought in by then stays; they are not waited for.
            Err(error) => return Err(error),
        }
    }
}

/// The sealed part, from the outbox or made now; none if the node has it.
fn prepare(
    ctx: &mut Context,
    identity: &Identity,
    outgoing: &Outgoing,
    job: &Job<'_>,
    part: u32,
) -> Result<Option<SealedMail>, AppError> {
    match ctx.db.part_state(&outgoing.id, part)? {
        PartState::Accepted => return Ok(None),
        PartState::Sealed(mail) => return Ok(Some(mail)),
        PartState::Missing => {}
    }
    let (Some(plan), Some(source)) = (&outgoing.plan, &outgoing.source) else {
        return Err(AppError::Home(format!(
            "part {part} of a message is missing in the outbox"
        )));
    };
    let body = read_part(source, plan, part)?;
    let card = job.ours.for_part(part, job.to);
    let mail = seal_part(identity, plan, part, body, card, job.to, &job.network.sizes)?;
    ctx.db.queue_part(&outgoing.id, part, &mail)?;
    // Another process may have sealed it meanwhile; the outbox decides which one is sent.
    match ctx.db.part_state(&outgoing.id, part)? {
        PartState::Sealed(mail) => Ok(Some(mail)),
        PartState::Accepted => Ok(None),
        PartState::Missing => Ok(Some(mail)),
    }
}

/// Sends one part until the node has accepted it: with every relay, in fresh layers each time.
async fn deliver(
    http: &layer_minus_http::HttpClient,
    network_id: &str,
    job: &Job<'_>,
    mail: &SealedMail,
    counter: &Arc<AtomicU64>,
) -> Result<Receipt, AppError> {
    let mut last = AppError::NoWay("no relay could be tried".to_owned());
    let mut backoff = layer_minus_client_sdk::Backoff::new();
    for round in 0..job.rounds {
        if round > 0 {
            let pause = backoff.failed(&mut OsRng);
            tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        }
        let mut unknown = true;
        for relay in &job.relays {
            let now = clock::now();
            let packet = mail.packet(&job.network, &job.route, job.to.inbox, now, &mut OsRng)?;
            counter.store(0, Ordering::Relaxed);
            let tell = |bytes| counter.store(bytes, Ordering::Relaxed);
            let content = match link::exchange(http, relay, packet, Some(&tell)).await {
                Ok(content) => content,
                Err(error) if error.is_passing() => {
                    unknown &= error.is_of_unknown_key();
                    last = error;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let node = job.node.node();
            match answer::expect_acceptance(content, network_id, node, &mail.digest, now) {
                Ok(receipt) => return Ok(receipt),
                Err(error) => {
                    let error = AppError::from(error);
                    // Said by the recipient's node itself: others lead to the same one.
                    if error.reason().is_some() {
                        return Err(error);
                    }
                    unknown = false;
                    last = error;
                }
            }
        }
        // The same again would be of no use: the directory has to be asked.
        if unknown {
            break;
        }
    }
    Err(last)
}
