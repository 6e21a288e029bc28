//! `client status`, `client authorize`, `client unregister`.

use layer_minus_client_sdk::{Terms, answer, money::format_usd};
use layer_minus_http::clock;
use layer_minus_message::Standing;
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
            let left = standing
                .limit_pusd
                .saturating_sub(standing.charged_pusd)
                .saturating_sub(standing.reserved_pusd);
            format!(
                "node       {node}\n\
                 limit      {}  (until {})\n\
                 charged    {}  for {}\n\
                 reserved   {}\n\
                 left       {}\n\
                 waiting    {} packets, {} of {}\n\
                 streams    {}\n\
                 outbox     {unfinished} unfinished",
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
            )
        },
        &value,
    )
}

pub(crate) async fn authorize(ctx: &mut Context, args: &Authorize) -> Result<(), AppError> {
    let _lock = ctx.home.lock()?;
    let mut identity = ctx.identity()?;
    let node = enroll::own_node(ctx, &identity, &args.via).await?;
    let terms = Terms {
        limit_units: enroll::units(args.limit)?,
        ..Terms::default()
    };
    let wallets = ctx.wallets()?;
    let authorization =
        identity.authorization(&wallets.cash, &node, &terms, clock::now(), &mut OsRng)?;
    drop(wallets);
    let answered = link::ask(ctx, &node, &args.via, |desk, rng| {
        desk.authorize(&identity, authorization.clone(), clock::now(), rng)
    })
    .await?;
    let (standing, relay) = enroll::standing_of(answered)?;
    if let Some(membership) = &mut identity.membership {
        membership.authorization = authorization;
    }
    ctx.save(&identity)?;
    tell(ctx, node.node(), &relay, &standing, "authorized")
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
