//! `client quote`, and `client send --quote`.

use layer_minus_client_sdk::{Quote, money::format_usd, quote};
use layer_minus_message::{NodeRecord, Prices};
use layer_minus_packet::Sizes;
use serde_json::json;

use crate::{args, context::Context, error::AppError, files, out};

pub(crate) fn run(ctx: &Context, args: args::Quote) -> Result<(), AppError> {
    let bytes = match (&args.file, &args.text, args.bytes) {
        (Some(file), _, _) => files::measure(file)?.0,
        (None, Some(text), _) => text.len() as u64,
        (None, None, bytes) => bytes.unwrap_or(0),
    };
    let node = args.node.map(|node| ctx.directory.get(node)).transpose()?;
    tell(ctx, bytes, node, args.hops)
}

/// Prints the price of some bytes at a node.
pub(crate) fn tell(
    ctx: &Context,
    bytes: u64,
    node: Option<&NodeRecord>,
    hops: usize,
) -> Result<(), AppError> {
    let quote = price(ctx, bytes, node, hops)?;
    let node = node.map(|node| node.node().to_string());
    ctx.out.line(
        || {
            format!(
                "content     {}\n\
                 packets     {}, {} on the wire\n\
                 way in      {}\n\
                 push        {}\n\
                 storage     {} a day\n\
                 The recipient pays, at {}; sending is free.",
                out::bytes(quote.content_bytes),
                quote.packets,
                out::bytes(quote.bytes_on_wire),
                format_usd(quote.way_in_pusd),
                format_usd(quote.push_pusd),
                format_usd(quote.storage_per_day_pusd),
                node.as_deref().unwrap_or("the usual prices"),
            )
        },
        &json!({
            "node": node,
            "content_bytes": quote.content_bytes.to_string(),
            "packets": quote.packets,
            "bytes_on_wire": quote.bytes_on_wire.to_string(),
            "bytes_over_links": quote.bytes_over_links.to_string(),
            "way_in_pusd": quote.way_in_pusd.to_string(),
            "push_pusd": quote.push_pusd.to_string(),
            "online_pusd": quote.online_pusd().to_string(),
            "online_usd": format_usd(quote.online_pusd()),
            "storage_per_day_pusd": quote.storage_per_day_pusd.to_string(),
            "relays_pusd": quote.relays_pusd.to_string(),
        }),
    )
}

/// The price at a node, or at the whitepaper's prices.
pub(crate) fn price(
    ctx: &Context,
    bytes: u64,
    node: Option<&NodeRecord>,
    hops: usize,
) -> Result<Quote, AppError> {
    let (prices, sizes) = match node {
        Some(node) => {
            let network = layer_minus_client_sdk::Network::common(ctx.network_id(), [node])?;
            (node.body.prices, network.sizes)
        }
        None => (Prices::default(), Sizes::default()),
    };
    Ok(quote(bytes, &prices, &sizes, hops))
}
