//! What nodes owe each other. It works while the node runs.

use layer_minus_node::admin::{self, LaneBook, Side};

use crate::{amount, config::Config, error::DaemonError, out::Out, store};

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
