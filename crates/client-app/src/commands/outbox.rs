//! From the outbox to the node, the first time and again.

use serde_json::{Value, json};

use layer_minus_client_sdk::Identity;

use crate::{
    args::Via,
    commands::quote,
    context::Context,
    db::outbox::Outgoing,
    directory,
    error::AppError,
    out,
    people::{self, Recipient},
    progress::Progress,
    transmit,
};

/// Rounds through all relays for the message that was asked for.
const ROUNDS: usize = 3;
/// Rounds for messages that are taken up along the way: nobody should wait for them.
const ROUNDS_OF_OTHERS: usize = 1;

/// Sends a message that was put into the outbox just now, and says what became of it.
pub(crate) async fn send(
    ctx: &mut Context,
    identity: &Identity,
    outgoing: &Outgoing,
    to: &Recipient,
) -> Result<(), AppError> {
    let Some(_lock) = ctx.home.message_lock(&outgoing.id)? else {
        return Ok(()); // Another process was faster, and tells its own user.
    };
    let sent = finish(ctx, identity, outgoing, to, ROUNDS).await;
    if let Err(error) = &sent
        && stays(error)
    {
        let have = ctx.db.accepted_parts(&outgoing.id)?;
        ctx.out.note(&format!(
            "{have} of {} parts are at the node; the rest stays in the outbox: client send --resume",
            outgoing.parts
        ));
    }
    sent
}

async fn finish(
    ctx: &mut Context,
    identity: &Identity,
    outgoing: &Outgoing,
    to: &Recipient,
    rounds: usize,
) -> Result<(), AppError> {
    let mut outgoing = outgoing.clone();
    let mut sent = transmit(ctx, identity, &outgoing, to, rounds).await;
    // Not for messages that are taken up along the way: they would be searched for every time.
    if rounds > ROUNDS_OF_OTHERS
        && let Err(error) = &sent
        && error.is_unknown_client()
        && let Some(found) = found_elsewhere(ctx, &outgoing, to).await?
    {
        redirect(ctx, &mut outgoing, &found)?;
        sent = transmit(ctx, identity, &outgoing, &found, rounds).await;
    }
    match sent {
        Ok(()) => {
            ctx.home.forget_message(&outgoing.id);
            tell(ctx, &outgoing)
        }
        Err(error) if stays(&error) => Err(error),
        Err(error) => {
            give_up(ctx, &outgoing)?;
            Err(error)
        }
    }
}

/// Whether a message stays in the outbox after an error: it may get there later, or elsewhere.
fn stays(error: &AppError) -> bool {
    error.is_passing() || error.is_unknown_client()
}

async fn transmit(
    ctx: &mut Context,
    identity: &Identity,
    outgoing: &Outgoing,
    to: &Recipient,
    rounds: usize,
) -> Result<(), AppError> {
    let hops = outgoing.hops.len();
    let bytes_on_wire = quote::price(ctx, outgoing.bytes, Some(&to.node), hops)?.bytes_on_wire;
    let progress = Progress::new(ctx.out, outgoing.parts, bytes_on_wire);
    let mut sent = transmit::transmit(ctx, identity, outgoing, to, &progress, rounds).await;
    if let Err(error) = &sent {
        ctx.doubt(error, &to.node, &outgoing.hops);
        let via = Via {
            relay: outgoing.relay.clone(),
            hop: outgoing.hops.clone(),
        };
        if directory::has_news(ctx, &via).await {
            let node = ctx.directory.get(outgoing.node)?.clone();
            let to = Recipient { node, ..to.clone() };
            sent = transmit::transmit(ctx, identity, outgoing, &to, &progress, rounds).await;
        }
    }
    progress.finish();
    sent
}

/// The recipient's node does not know the recipient: looks once whether the person has another one,
/// or, for what can be sealed anew, another certificate.
async fn found_elsewhere(
    ctx: &mut Context,
    outgoing: &Outgoing,
    to: &Recipient,
) -> Result<Option<Recipient>, AppError> {
    let via = via_of(outgoing);
    let found = match people::search_anew(ctx, outgoing.recipient, &via).await {
        Ok(found) => found,
        // That the person was not found is no news; the refusal is.
        Err(error) => {
            tracing::debug!(%error, "not found elsewhere");
            return Ok(None);
        }
    };
    let moved = found.node.node() != outgoing.node;
    let rotated = found.card.encryption_key() != to.card.encryption_key();
    Ok((moved || (rotated && outgoing.source.is_some())).then_some(found))
}

fn redirect(ctx: &mut Context, outgoing: &mut Outgoing, to: &Recipient) -> Result<(), AppError> {
    let (whom, node) = (outgoing.recipient, to.node.node());
    ctx.out.note(&format!("{whom} is a client of {node} now"));
    ctx.db.redirect(&outgoing.id, node)?;
    outgoing.node = node;
    Ok(())
}

fn via_of(outgoing: &Outgoing) -> Via {
    Via {
        relay: outgoing.relay.clone(),
        hop: outgoing.hops.clone(),
    }
}

fn give_up(ctx: &mut Context, outgoing: &Outgoing) -> Result<(), AppError> {
    ctx.home.forget_message(&outgoing.id);
    ctx.db.give_up(&outgoing.id)
}

fn tell(ctx: &Context, outgoing: &Outgoing) -> Result<(), AppError> {
    let receipts = ctx.db.receipts(&outgoing.id)?;
    let bytes: u64 = receipts.iter().map(|receipt| receipt.size).sum();
    let accepted: Vec<Value> = receipts
        .iter()
        .filter_map(|part| {
            let body: Value = serde_json::from_str(&part.acceptance.document).ok()?;
            let plain = |name: &str| {
                let text = body.get(name).and_then(Value::as_str)?;
                Some(text.trim_start_matches("0x").to_owned())
            };
            Some(json!({
                "part": part.part,
                "receipt": plain("receipt"),
                "digest": plain("digest"),
                "accepted_at": plain("accepted_at"),
                "kept_until": plain("kept_until"),
                "size": part.size,
            }))
        })
        .collect();
    ctx.out.line(
        || {
            let packets = match receipts.len() {
                1 => "1 packet".to_owned(),
                count => format!("{count} packets"),
            };
            format!(
                "accepted by node {} for {}: {} in {packets}, {} on the wire",
                outgoing.node,
                outgoing.recipient,
                out::bytes(outgoing.bytes),
                out::bytes(bytes),
            )
        },
        &json!({
            "sent": true,
            "id": hex::encode(outgoing.id),
            "to": outgoing.recipient.to_string(),
            "node": outgoing.node.to_string(),
            "packets": receipts.len(),
            "bytes": bytes.to_string(),
            "content_bytes": outgoing.bytes.to_string(),
            "digest": hex::encode(outgoing.digest),
            "accepted": accepted,
        }),
    )
}

/// Takes up one message of the outbox again. False if another process is sending it.
async fn resume(
    ctx: &mut Context,
    identity: &Identity,
    outgoing: &Outgoing,
    rounds: usize,
) -> Result<bool, AppError> {
    let Some(_lock) = ctx.home.message_lock(&outgoing.id)? else {
        return Ok(false);
    };
    if let (Some(plan), Some(source)) = (&outgoing.plan, &outgoing.source)
        && let Err(error) = transmit::check_source(source, plan)
    {
        // Without the very same file the rest cannot be made.
        give_up(ctx, outgoing)?;
        return Err(error);
    }
    let whom = outgoing.recipient.to_string();
    let via = via_of(outgoing);
    let resolve = async |ctx: &mut Context| people::resolve(ctx, &whom, &via).await;
    let recipient = directory::with_news(ctx, &via, resolve).await?;
    let mut outgoing = outgoing.clone();
    if recipient.node.node() != outgoing.node {
        redirect(ctx, &mut outgoing, &recipient)?;
    }
    finish(ctx, identity, &outgoing, &recipient, rounds).await?;
    Ok(true)
}

/// `send --resume`: everything that is unfinished; the first error is told at the end. A relay or
/// hops that are named now take the place of those that were named then.
pub(crate) async fn resume_all(ctx: &mut Context, via: &Via) -> Result<(), AppError> {
    let identity = ctx.identity()?;
    let (mut tried, mut first) = (Vec::new(), None);
    while let Some(mut outgoing) = ctx.db.next_unfinished(&tried)? {
        tried.push(outgoing.id);
        outgoing.relay = via.relay.clone().or(outgoing.relay);
        if !via.hop.is_empty() {
            outgoing.hops.clone_from(&via.hop);
        }
        match resume(ctx, &identity, &outgoing, ROUNDS).await {
            Ok(true) => {}
            Ok(false) => {
                ctx.out.note(&format!(
                    "{} is being sent already",
                    hex::encode(outgoing.id)
                ));
            }
            Err(error) => {
                ctx.out
                    .note(&format!("{}: {error}", hex::encode(outgoing.id)));
                first = first.or(Some(error));
            }
        }
    }
    match first {
        Some(error) => Err(error),
        None if tried.is_empty() => ctx.out.line(
            || "nothing is left in the outbox".to_owned(),
            &json!({ "resumed": 0 }),
        ),
        None => Ok(()),
    }
}

/// After a message was sent: others that are left. What fails stays for another time.
pub(crate) async fn resume_others(ctx: &mut Context, identity: &Identity, just_sent: &[u8; 16]) {
    let mut tried = vec![*just_sent];
    while let Ok(Some(outgoing)) = ctx.db.next_unfinished(&tried) {
        tried.push(outgoing.id);
        if let Err(error) = resume(ctx, identity, &outgoing, ROUNDS_OF_OTHERS).await {
            ctx.out.note(&format!(
                "left in the outbox: {}: {error}",
                hex::encode(outgoing.id)
            ));
        }
    }
}
