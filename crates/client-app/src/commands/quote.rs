//! `client quote`, and `client send --quote`.

use layer_minus_client_sdk::{Quote, money::format_usd, quote, quote_least, quote_packets};
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
    let (prices, sizes) = terms(ctx, node)?;
    let most = quote(bytes, &prices, &sizes, args.hops);
    // A letter's head is not known yet: near the end of a small packet it decides which one it takes.
    let least = quote_least(bytes, &prices, &sizes, args.hops);
    tell(ctx, most, least.bytes_on_wire, node)
}

/// What a message that was planned takes: `full` packets of the largest size and one of `last` bytes.
pub(crate) fn tell_planned(
    ctx: &Context,
    bytes: u64,
    (full, last): (u64, usize),
    node: &NodeRecord,
    hops: usize,
) -> Result<(), AppError> {
    let (prices, sizes) = terms(ctx, Some(node))?;
    let quote = quote_packets(bytes, full, Some(last), &prices, &sizes, hops);
    tell(ctx, quote, quote.bytes_on_wire, Some(node))
}

/// Prints a price at a node. The same content may take fewer bytes, down to `least_bytes`.
fn tell(
    ctx: &Context,
    quote: Quote,
    least_bytes: u64,
    node: Option<&NodeRecord>,
) -> Result<(), AppError> {
    let node = node.map(|node| node.node().to_string());
    ctx.out.line(
        || {
            format!(
                "content     {}\n\
                 packets     {}, {}{} on the wire\n\
                 way in      {}\n\
                 push        {}\n\
                 storage     {} a day\n\
                 The recipient pays, at {}; sending is free.{}",
                out::bytes(quote.content_bytes),
                quote.packets,
                if least_bytes == quote.bytes_on_wire {
                    String::new()
                } else {
                    format!("{} to ", out::bytes(least_bytes))
                },
                out::bytes(quote.bytes_on_wire),
                format_usd(quote.way_in_pusd),
                format_usd(quote.push_pusd),
                format_usd(quote.storage_per_day_pusd),
                node.as_deref().unwrap_or("the usual prices"),
                free(quote.free_bytes_per_day),
            )
        },
        &json!({
            "node": node,
            "content_bytes": quote.content_bytes.to_string(),
            "packets": quote.packets,
            "bytes_on_wire": quote.bytes_on_wire.to_string(),
            "bytes_on_wire_least": least_bytes.to_string(),
            "bytes_over_links": quote.bytes_over_links.to_string(),
            "way_in_pusd": quote.way_in_pusd.to_string(),
            "push_pusd": quote.push_pusd.to_string(),
            "online_pusd": quote.online_pusd().to_string(),
            "online_usd": format_usd(quote.online_pusd()),
            "storage_per_day_pusd": quote.storage_per_day_pusd.to_string(),
            "relays_pusd": quote.relays_pusd.to_string(),
            "free_bytes_per_day": quote.free_bytes_per_day.to_string(),
        }),
    )
}

fn free(bytes_per_day: u64) -> String {
    match bytes_per_day {
        0 => String::new(),
        bytes => format!(
            "\nUp to {} a day pass free, not taken off here.",
            out::bytes(bytes)
        ),
    }
}

/// The price at a node, or at the whitepaper's prices.
pub(crate) fn price(
    ctx: &Context,
    bytes: u64,
    node: Option<&NodeRecord>,
    hops: usize,
) -> Result<Quote, AppError> {
    let (prices, sizes) = terms(ctx, node)?;
    Ok(quote(bytes, &prices, &sizes, hops))
}

fn terms(ctx: &Context, node: Option<&NodeRecord>) -> Result<(Prices, Sizes), AppError> {
    Ok(match node {
        Some(node) => {
            let network = layer_minus_client_sdk::Network::common(ctx.network_id(), [node])?;
            (node.body.prices, network.sizes)
        }
        None => (Prices::default(), Sizes::default()),
    })
}
