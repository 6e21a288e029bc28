//! `client nodes`: the directory.

use layer_minus_client_sdk::{money::format_usd, quote};
use layer_minus_ledger::Amount;
use layer_minus_message::NodeRecord;
use layer_minus_packet::Sizes;
use layer_minus_wallet::Address;
use serde_json::json;

use crate::{args::NodesAction, context::Context, directory, error::AppError, when};

/// For prices per megabyte.
const BYTES_PER_MB: u128 = 1_000_000;

pub(crate) async fn run(ctx: &mut Context, action: Option<NodesAction>) -> Result<(), AppError> {
    match action.unwrap_or(NodesAction::List) {
        NodesAction::List => list(ctx),
        NodesAction::Import { source } => import(ctx, &source).await,
        NodesAction::Refresh(via) => {
            let news = directory::refresh(ctx, &via).await?;
            let known = ctx.directory.len();
            ctx.out.line(
                || format!("{news} new records; {known} nodes known"),
                &json!({ "refreshed": true, "new": news, "known": known }),
            )
        }
    }
}

fn list(ctx: &Context) -> Result<(), AppError> {
    if ctx.directory.len() == 0 {
        ctx.out
            .note("no nodes; add some with 'client nodes import FILE|URL'");
    }
    let mut nodes: Vec<&NodeRecord> = ctx.directory.iter().collect();
    nodes.sort_by_key(|node| rank(node));
    nodes.into_iter().try_for_each(|node| tell(ctx, node))
}

/// As one chooses: those that take clients first, by the price of a packet that comes in and is
/// pushed, by the smallest authorization, by what a day of storage costs. Relays follow by what they
/// ask for.
fn rank(node: &NodeRecord) -> (bool, u128, u64, u128, Address) {
    let body = &node.body;
    // By the largest usual packet, whatever sizes a node takes.
    let cost = quote(BYTES_PER_MB as u64, &body.prices, &Sizes::default(), 0);
    let asked = if body.takes_clients {
        cost.online_pusd()
    } else {
        body.prices.relay_per_byte.get().into()
    };
    (
        !body.takes_clients,
        asked,
        body.minimum_authorization,
        cost.storage_per_day_pusd,
        node.node(),
    )
}

fn tell(ctx: &Context, node: &NodeRecord) -> Result<(), AppError> {
    let body = &node.body;
    ctx.out.line(
        || {
            let kind = if body.takes_clients {
                "recipient"
            } else {
                "relay"
            };
            let per_mb = |price: Amount| format_usd(u128::from(price.get()) * BYTES_PER_MB);
            let prices = &body.prices;
            format!(
                "{kind:<9} {}  {}  {}/MB in, {}/MB out, {}/MB relayed, authorize at least {}  until {}",
                node.node(),
                body.urls.join(" "),
                per_mb(prices.in_per_byte),
                per_mb(prices.out_per_byte),
                per_mb(prices.relay_per_byte),
                format_usd(body.minimum_authorization.into()),
                when::utc(body.valid_until),
            )
        },
        &json!({
            "node": node.node().to_string(),
            "takes_clients": body.takes_clients,
            "urls": body.urls,
            "sizes": body.sizes,
            "prices": body.prices,
            "prices_until": body.prices_until.to_string(),
            "minimum_authorization_pusd": body.minimum_authorization.to_string(),
            "retention_secs": body.retention_secs.to_string(),
            "key": node.certificate.encryption_key().to_string(),
            "valid_until": body.valid_until.to_string(),
        }),
    )
}

async fn import(ctx: &mut Context, source: &str) -> Result<(), AppError> {
    let lines = directory::import(ctx, source).await?;
    if lines.is_empty() {
        return Err(AppError::Usage(format!("{source} holds no node records")));
    }
    let mut refused = 0;
    for line in &lines {
        let (what, why) = match &line.result {
            Ok(true) => ("accepted", None),
            Ok(false) => ("known", None),
            Err(why) => ("refused", Some(why.as_str())),
        };
        refused += usize::from(why.is_some());
        ctx.out.line(
            || {
                format!(
                    "{what:<9} {}{}",
                    line.name,
                    why.map(|w| format!(": {w}")).unwrap_or_default()
                )
            },
            &json!({ "entry": line.name, "result": what, "why": why }),
        )?;
    }
    if refused == lines.len() {
        return Err(AppError::Usage("no record was accepted".to_owned()));
    }
    Ok(())
}
