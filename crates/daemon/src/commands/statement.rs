//! `ledger statement`: what a client was charged, line by line. It reads one state of the store,
//! while the node runs.

use layer_minus_ledger::Sum;
use layer_minus_message::standing::Entry;
use layer_minus_node::admin;
use layer_minus_store_sqlite::SqliteStore;
use layer_minus_wallet::Address;
use serde::Serialize;

use crate::{amount, config::Config, error::DaemonError, out::Out, store};

#[derive(Serialize)]
struct Total {
    statement: bool,
    charges: u64,
    charged_pusd: Sum,
}

/// Where the rows go.
enum Sink {
    Lines(Out),
    Table(Box<csv::Writer<std::io::Stdout>>),
}

impl Sink {
    fn entry(&mut self, entry: &Entry) -> Result<(), DaemonError> {
        match self {
            Self::Lines(out) => out.line(|| say(entry), entry),
            Self::Table(table) => table
                .serialize(entry)
                .map_err(|error| DaemonError::Output(error.into())),
        }
    }
}

pub(crate) fn run(
    config: &Config,
    address: Address,
    csv: bool,
    out: Out,
) -> Result<(), DaemonError> {
    let store = store::open_read_only(config)?;
    store.pin().map_err(store::failed(config))?;
    let mut sink = if csv {
        Sink::Table(Box::new(csv::Writer::from_writer(std::io::stdout())))
    } else {
        Sink::Lines(out)
    };
    let (charges, charged_pusd) = print(config, &store, &address, &mut sink)?;
    let total = Total {
        statement: true,
        charges,
        charged_pusd,
    };
    match sink {
        Sink::Table(mut table) => table.flush().map_err(DaemonError::Output),
        Sink::Lines(out) => out.line(
            || {
                let sum = u64::try_from(charged_pusd.get()).unwrap_or(u64::MAX);
                format!(
                    "{charges} charges come to {}, as the account says",
                    amount::show(sum)
                )
            },
            &total,
        ),
    }
}

/// Prints page after page, and checks that they add up. Returns how many charges there are, and
/// their sum with what was carried.
fn print(
    config: &Config,
    store: &SqliteStore,
    address: &Address,
    sink: &mut Sink,
) -> Result<(u64, Sum), DaemonError> {
    let failed = store::failed(config);
    let (mut charges, mut sum) = (0_u64, Sum::ZERO);
    let mut after = 0;
    loop {
        let page = admin::statement(store, address, after).map_err(&failed)?;
        if after == 0 {
            sum = page.opening_pusd;
            sink.entry(&Entry::opening(page.opening_seq, page.opening_pusd))?;
        }
        for charge in &page.charges {
            sum = sum
                .checked_add(charge.amount_pusd.into())
                .ok_or_else(unsound)?;
            charges += 1;
            sink.entry(&charge.into())?;
        }
        let (end, balance) = page.check().map_err(|_| unsound())?;
        if balance != sum {
            return Err(unsound());
        }
        after = end;
        if !page.more {
            return Ok((charges, sum));
        }
    }
}

fn unsound() -> DaemonError {
    DaemonError::Failed(
        "the statement does not come to what was charged: run 'ledger verify'".to_owned(),
    )
}

fn say(entry: &Entry) -> String {
    let show = |sum: Sum| amount::show(u64::try_from(sum.get()).unwrap_or(u64::MAX));
    let at = entry.at.map_or_else(String::new, |at| at.to_string());
    let bytes = entry.bytes.map_or_else(String::new, |it| it.to_string());
    format!(
        "{at:>10}  {:<10}  {bytes:>9}  {:>18}  {:>18}",
        entry.kind,
        show(entry.amount_pusd),
        show(entry.balance_pusd),
    )
}
