//! What nodes owe each other: looked at, and marked as settled. All of it works while the node runs.

use layer_minus_http::clock;
use layer_minus_node::admin::{self, LaneBook, SettleError, Side};
use layer_minus_wallet::Address;
use serde::Serialize;

use crate::{amount, cli::SettleLane, config::Config, error::DaemonError, out::Out, store};

/// One line for each node and direction.
pub(crate) fn list(config: &Config, out: Out) -> Result<(), DaemonError> {
    let store = store::open_read_only(config)?;
    store.pin().map_err(store::failed(config))?;
    let books = admin::lane_books(&store).map_err(store::failed(config))?;
    for book in &books {
        out.line(|| describe(book), book)?;
    }
    Ok(())
}

pub(crate) fn describe(book: &LaneBook) -> String {
    let node = book.node;
    let open = book.promised_pusd.saturating_sub(book.settled_pusd);
    let (promised, settled) = (
        amount::show(book.promised_pusd),
        amount::show(book.settled_pusd),
    );
    let open = amount::show(open);
    match book.side {
        Side::Owed => format!(
            "owed to {node}: credited {}, promised {promised}, settled {settled}, open {open}{}",
            amount::show(book.credited_pusd),
            if book.stopped {
                "; IT FORWARDS NOTHING until more is promised or settled"
            } else {
                ""
            }
        ),
        Side::Due => {
            format!("due from {node}: promised {promised}, settled {settled}, open {open}")
        }
    }
}

#[derive(Serialize)]
struct Settled {
    node: String,
    side: Side,
    channel: String,
    /// In all, token units.
    settled_units: String,
    /// Now, token units.
    added_units: String,
}

/// Marks what was paid or cashed.
pub(crate) fn settle(config: &Config, wish: &SettleLane, out: Out) -> Result<(), DaemonError> {
    let mut store = store::open(config)?;
    let books = admin::lane_books(&store).map_err(store::failed(config))?;
    let side = if wish.due { Side::Due } else { Side::Owed };
    let book = books
        .into_iter()
        .find(|book| book.node == wish.node && book.side == side)
        .ok_or_else(|| nothing(wish.node))?;
    let mut any = false;
    for paper in book.papers {
        if wish.channel.is_some_and(|channel| channel != paper.id) || paper.units == 0 {
            continue;
        }
        any = true;
        let units = wish.units.unwrap_or(paper.units);
        let now = clock::now();
        let added = admin::settle_lane(&mut store, wish.node, side, &paper.id, units, now)
            .map_err(|error| match error {
                SettleError::Store(error) => store::failed(config)(error),
                other => DaemonError::Failed(other.to_string()),
            })?;
        let settled = Settled {
            node: wish.node.to_string(),
            side,
            channel: format!("0x{}", hex::encode(paper.id)),
            settled_units: units.max(paper.settled_units).to_string(),
            added_units: added.to_string(),
        };
        out.line(
            || {
                format!(
                    "{}: {} units settled in all, {added} of them now",
                    settled.channel, settled.settled_units
                )
            },
            &settled,
        )?;
    }
    if any { Ok(()) } else { Err(nothing(wish.node)) }
}

fn nothing(node: Address) -> DaemonError {
    DaemonError::Failed(format!("nothing is promised on such a lane with {node}"))
}
