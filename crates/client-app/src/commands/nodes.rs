//! `client nodes`: the directory.

use layer_minus_client_sdk::money::format_usd;
use layer_minus_message::NodeRecord;
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
    ctx.directory.iter().try_for_each(|node| tell(ctx, node))
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
            let per_mb = u128::from(body.prices.recipient_per_byte) * BYTES_PER_MB;
            format!(
                "{kind:<9} {}  {}  {}/MB  until {}",
                node.node(),
                body.urls.join(" "),
                format_usd(per_mb),
                when::utc(body.valid_until),
            )
        },
        &json!({
            "node": node.node().to_string(),
            "takes_clients": body.takes_clients,
            "urls": body.urls,
            "sizes": body.sizes,
            "prices": body.prices,
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
