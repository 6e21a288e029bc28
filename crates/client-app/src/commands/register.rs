//! `client register`.

use layer_minus_client_sdk::money::format_usd;
use layer_minus_delivery::Mode;
use layer_minus_message::NodeRecord;
use serde_json::{Value, json};

use crate::{
    args,
    context::Context,
    directory,
    enroll::{self, Enrolled, Wish},
    error::AppError,
    listen::{self, Opened},
};

pub(crate) async fn run(ctx: &mut Context, args: args::Register) -> Result<(), AppError> {
    ctx.password()?;
    let at_node = async |ctx: &mut Context| {
        let node = directory::node(ctx, args.node, &args.via).await?;
        if !node.body.takes_clients {
            return Err(AppError::Usage(format!(
                "{} is a relay and takes no clients: choose a recipient ('client nodes')",
                args.node
            )));
        }
        register(ctx, &node, &args).await
    };
    let (enrolled, stream) = directory::with_news(ctx, &args.via, at_node).await?;
    tell(ctx, &args.node.to_string(), &enrolled)?;
    let Some(stream) = stream else { return Ok(()) };
    let listen = args::Listen {
        via: args.via,
        ..args::Listen::default()
    };
    listen::run(ctx, listen, Some(stream)).await
}

async fn register(
    ctx: &mut Context,
    node: &NodeRecord,
    args: &args::Register,
) -> Result<(Enrolled, Option<Opened>), AppError> {
    let _lock = ctx.home.lock()?;
    let mut identity = ctx.identity()?;
    if let Some(other) = identity.node().filter(|other| *other != args.node) {
        ctx.out.note(&format!(
            "moving from {other}; collect what waits there and 'client unregister' first, or it is \
             lost"
        ));
    }
    let wish = Wish {
        limit_pusd: args.limit,
        invite: args.invite.clone(),
        strangers_bytes_per_day: args.strangers_bytes_per_day,
        listen: args.listen.then_some(Mode::Each),
        chain: args.on_chain.chain(),
        new_channel: false,
    };
    let mut enrolled = enroll::enroll(ctx, &mut identity, node, wish, &args.via).await?;
    if !enrolled
        .standing
        .prices
        .is_nowhere_dearer_than(&node.body.prices)
    {
        ctx.out.note(
            "the node's prices are not those of its record any more: look at 'client status', and at \
             'client unregister' if they are not for you",
        );
    }
    let opened = enrolled.stream.take().map(|(relay, stream)| {
        let node = node.clone();
        Opened {
            relay,
            node,
            stream,
        }
    });
    Ok((enrolled, opened))
}

fn tell(ctx: &Context, node: &str, enrolled: &Enrolled) -> Result<(), AppError> {
    let standing = &enrolled.standing;
    let mut value = serde_json::to_value(standing).unwrap_or_default();
    if let Value::Object(map) = &mut value {
        map.insert("registered".to_owned(), json!(true));
        map.insert("node".to_owned(), json!(node));
        map.insert("relay".to_owned(), json!(enrolled.relay));
    }
    ctx.out.line(
        || {
            format!(
                "registered at {node} through {}\nlimit {}, charged so far {}\n\
                 next: client card --short (to be written to), client listen",
                enrolled.relay,
                format_usd(standing.limit_pusd.into()),
                format_usd(standing.charged_pusd.into()),
            )
        },
        &value,
    )
}
