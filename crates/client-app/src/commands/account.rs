//! `client status`, `client authorize`, `client channel`, `client revoke`, `client unregister`.

use layer_minus_client_sdk::{Identity, Membership, SdkError, Terms, answer, money::format_usd};
use layer_minus_http::clock;
use layer_minus_message::{Authorization, NodeRecord, Paused, Reason, Standing};
use layer_minus_wallet::Address;
use rand::rngs::OsRng;
use serde_json::{Value, json};

use crate::{
    args::{Authorize, Via},
    context::Context,
    enroll,
    error::AppError,
    link, out, when,
};

pub(crate) async fn status(ctx: &mut Context, via: &Via) -> Result<(), AppError> {
    let identity = ctx.identity()?;
    let node = enroll::own_node(ctx, &identity, via).await?;
    let answered = link::ask(ctx, &node, via, |desk, rng| {
        desk.status(&identity, clock::now(), rng)
    })
    .await?;
    let (standing, relay) = enroll::standing_of(answered)?;
    tell(ctx, node.node(), &relay, &standing, "status")
}

fn tell(
    ctx: &Context,
    node: Address,
    relay: &str,
    standing: &Standing,
    what: &str,
) -> Result<(), AppError> {
    let unfinished = ctx.db.unfinished()?;
    let mut value = serde_json::to_value(standing).unwrap_or_default();
    if let Value::Object(map) = &mut value {
        map.insert("node".to_owned(), json!(node.to_string()));
        map.insert("relay".to_owned(), json!(relay));
        map.insert("outbox".to_owned(), json!(unfinished.to_string()));
        map.insert(what.to_owned(), json!(true));
    }
    ctx.out.line(
        || {
            let left = standing.left_pusd();
            let paused = standing.paused.map(|paused| format!("paused     {paused}: {}\n", help(paused)));
            let prices = &standing.prices;
            format!(
                "{}node       {node}\n\
                 limit      {}  (until {})\n\
                 charged    {}  for {}\n\
                 reserved   {}\n\
                 left       {}\n\
                 waiting    {} packets, {} of {}\n\
                 streams    {}\n\
                 prices     {} p$ a byte in, {} out, at least {} a packet, {} a kB and hour stored (fixed until {})\n\
                 free       {} more today\n\
                 outbox     {unfinished} unfinished",
                paused.unwrap_or_default(),
                format_usd(standing.limit_pusd.into()),
                when::utc(standing.authorized_until),
                format_usd(standing.charged_pusd.into()),
                out::bytes(standing.passed_bytes),
                format_usd(standing.reserved_pusd.into()),
                format_usd(left.into()),
                standing.waiting_packets,
                out::bytes(standing.waiting_bytes),
                out::bytes(standing.mailbox_bytes_max),
                standing.connections,
                prices.in_per_byte,
                prices.out_per_byte,
                prices.minimum_charge,
                prices.storage_per_kb_hour,
                when::utc(standing.prices_until),
                out::bytes(standing.free_bytes_left),
            )
        },
        &value,
    )
}

/// What a client does when its account is paused.
pub(crate) const fn help(paused: Paused) -> &'static str {
    match paused {
        Paused::Exhausted => "raise the limit: client authorize --limit USD",
        Paused::Expired => "sign a new authorization: client authorize --limit USD",
        Paused::Revoked => "authorize anew if you want mail: client authorize --limit USD",
        Paused::Unbacked => {
            "ask the node's operator for a grant, or deposit into the escrow ('client channel')"
        }
        _ => "ask the node's operator",
    }
}

pub(crate) async fn authorize(ctx: &mut Context, args: &Authorize) -> Result<(), AppError> {
    let _lock = ctx.home.lock()?;
    let mut identity = ctx.identity()?;
    let node = enroll::own_node(ctx, &identity, &args.via).await?;
    let mut terms = Terms {
        limit_units: enroll::units(args.limit)?,
        chain: args
            .on_chain
            .chain()
            .unwrap_or_else(|| identity.chain_at(node.node())),
        ..Terms::default()
    };
    let mut signed = sign(ctx, &identity, &node, &terms)?;
    let mut answered = ask(ctx, &identity, &node, args, &signed).await;
    let revoked = answered
        .as_ref()
        .is_err_and(|error| error.reason() == Some(&Reason::Revoked));
    if revoked {
        // Its channel takes no other.
        terms.new_channel = true;
        signed = sign(ctx, &identity, &node, &terms)?;
        answered = ask(ctx, &identity, &node, args, &signed).await;
    }
    let (standing, relay) = answered?;
    enroll::note_channel(ctx, &identity, &signed);
    identity.authorized(signed);
    ctx.save(&identity)?;
    tell(ctx, node.node(), &relay, &standing, "authorized")
}

fn sign(
    ctx: &Context,
    identity: &Identity,
    node: &NodeRecord,
    terms: &Terms,
) -> Result<Authorization, AppError> {
    let wallets = ctx.wallets()?;
    Ok(identity.authorization(&wallets.cash, node, terms, clock::now(), &mut OsRng)?)
}

async fn ask(
    ctx: &Context,
    identity: &Identity,
    node: &NodeRecord,
    args: &Authorize,
    authorization: &Authorization,
) -> Result<(Standing, String), AppError> {
    let answered = link::ask(ctx, node, &args.via, |desk, rng| {
        desk.authorize(identity, authorization.clone(), clock::now(), rng)
    })
    .await?;
    let (standing, relay) = enroll::standing_of(answered)?;
    Ok((standing, relay))
}

pub(crate) fn channel(ctx: &Context, all: bool) -> Result<(), AppError> {
    let identity = ctx.identity()?;
    let former = identity.former.iter().filter(|_| all);
    let mut channels = identity.membership.iter().chain(former).peekable();
    if channels.peek().is_none() {
        return Err(AppError::NotRegistered);
    }
    channels.try_for_each(|it| tell_channel(ctx, &identity, it))
}

fn tell_channel(
    ctx: &Context,
    identity: &Identity,
    membership: &Membership,
) -> Result<(), AppError> {
    let is_used = identity.membership.as_ref() == Some(membership);
    let paper = &membership.authorization;
    let channel = paper.channel(identity.address());
    let id = channel.id().map_err(SdkError::from)?;
    ctx.out.line(
        || {
            let place = match channel.chain.chain_id {
                0 => "no chain: the node trusts you with what it granted".to_owned(),
                chain_id => format!(
                    "chain {chain_id}, contract {}, token {}",
                    channel.chain.contract, channel.chain.token
                ),
            };
            format!(
                "channel    {id}{}\n\
                 settled    {place}\n\
                 payer      {}\n\
                 receiver   {}\n\
                 limit      {}  (until {})\n\
                 delay      {} hours between announcing a withdrawal and taking it",
                if is_used { "" } else { "  (left)" },
                channel.payer,
                channel.receiver,
                format_usd(paper.limit_pusd()),
                when::utc(paper.expires_at),
                channel.withdraw_delay_secs / 3_600,
            )
        },
        &json!({
            "channel_id": id,
            "node": membership.node.to_string(),
            "limit_units": paper.limit_units.to_string(),
            "authorized_until": paper.expires_at.to_string(),
            "in_use": is_used,
            "channel": channel,
        }),
    )
}

pub(crate) async fn revoke(ctx: &mut Context, via: &Via) -> Result<(), AppError> {
    let identity = ctx.identity()?;
    let node = enroll::own_node(ctx, &identity, via).await?;
    let answered = link::ask(ctx, &node, via, |desk, rng| {
        desk.revoke(&identity, clock::now(), rng)
    })
    .await?;
    let (standing, relay) = enroll::standing_of(answered)?;
    tell(ctx, node.node(), &relay, &standing, "revoked")
}

pub(crate) async fn unregister(ctx: &mut Context, via: &Via) -> Result<(), AppError> {
    let _lock = ctx.home.lock()?;
    let mut identity = ctx.identity()?;
    let node = enroll::own_node(ctx, &identity, via).await?;
    let answered = link::ask(ctx, &node, via, |desk, rng| {
        desk.unregister(&identity, clock::now(), rng)
    })
    .await?;
    answer::expect_unregistered(answered.content)?;
    identity.unregistered();
    ctx.save(&identity)?;
    ctx.out.line(
        || format!("no longer a client of {}", node.node()),
        &json!({ "unregistered": true, "node": node.node().to_string(), "relay": answered.relay }),
    )
}
