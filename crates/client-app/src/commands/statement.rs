//! `client status --statement`: every charge, and that they come to what was charged.

use layer_minus_client_sdk::{StatementBook, answer, money::format_usd};
use layer_minus_http::clock;
use layer_minus_ledger::Sum;
use layer_minus_message::standing::Entry;
use serde_json::json;

use crate::{args, context::Context, enroll, error::AppError, link, out, when};

/// Most pages that are asked for: each is charged.
const PAGES_MAX: usize = 10_000;

pub(crate) async fn run(ctx: &mut Context, args: &args::Status) -> Result<(), AppError> {
    let identity = ctx.identity()?;
    let node = enroll::own_node(ctx, &identity, &args.via).await?;
    let mut book = StatementBook::new();
    let mut relay = String::new();
    let mut whole = false;
    for _ in 0..PAGES_MAX {
        let after = book.after();
        let answered = link::ask(ctx, &node, &args.via, |desk, rng| {
            desk.statement(&identity, after, clock::now(), rng)
        })
        .await?;
        relay = answered.relay;
        whole = book.take(answer::expect_statement(answered.content)?)?;
        if whole {
            break;
        }
    }
    if !whole {
        return Err(AppError::Nothing(format!(
            "the statement has more than {PAGES_MAX} pages"
        )));
    }
    let entries = entries(&book, args.since.unwrap_or(0));
    check(&entries, book.charged_pusd)?;
    if args.csv {
        return ctx.out.raw(&table(&entries)?);
    }
    for entry in &entries {
        ctx.out.line(|| say(entry), entry)?;
    }
    let charges = entries.len() - 1;
    ctx.out.line(
        || {
            format!(
                "{charges} charges come to {}, as the account says",
                format_usd(book.charged_pusd.get())
            )
        },
        &json!({
            "statement": true,
            "charges": charges,
            "charged_pusd": book.charged_pusd,
            "node": node.node().to_string(),
            "relay": relay,
        }),
    )
}

/// What was charged since a time, after the balance of what was charged before.
fn entries(book: &StatementBook, since: u64) -> Vec<Entry> {
    let skipped = book.charges.iter().take_while(|charge| charge.at < since);
    let before = skipped.clone().last();
    let opening = before.map_or_else(
        || {
            let first = book.charges.first();
            let seq = first.map_or(book.after(), |first| first.seq.saturating_sub(1));
            Entry::opening(seq, book.opening_pusd)
        },
        |before| Entry::opening(before.seq, before.balance_pusd),
    );
    let rest = book.charges.iter().skip(skipped.count());
    std::iter::once(opening)
        .chain(rest.map(Entry::from))
        .collect()
}

/// That the rows that are shown come to what was charged, to the picodollar.
fn check(entries: &[Entry], charged: Sum) -> Result<(), AppError> {
    let sum = entries
        .iter()
        .try_fold(Sum::ZERO, |sum, entry| sum.checked_add(entry.amount_pusd));
    if sum == Some(charged)
        && entries
            .last()
            .is_some_and(|last| last.balance_pusd == charged)
    {
        return Ok(());
    }
    Err(AppError::Home(
        "the statement does not come to what was charged".to_owned(),
    ))
}

fn table(entries: &[Entry]) -> Result<String, AppError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = entries
        .iter()
        .try_for_each(|entry| writer.serialize(entry))
        .map_err(std::io::Error::from);
    let bytes = written.and_then(|()| writer.into_inner().map_err(csv::IntoInnerError::into_error));
    let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned());
    text.map_err(AppError::Output)
}

fn say(entry: &Entry) -> String {
    let time = entry.at.map_or_else(|| " ".repeat(20), when::utc);
    let bytes = entry
        .bytes
        .map_or_else(String::new, |bytes| out::bytes(bytes.into()));
    format!(
        "{time}  {:<10}  {bytes:>10}  {:>20}  {:>20}",
        entry.kind,
        format_usd(entry.amount_pusd.get()),
        format_usd(entry.balance_pusd.get()),
    )
}

#[cfg(test)]
mod tests {
    use layer_minus_ledger::Amount;
    use layer_minus_message::{Charge, ChargeKind, Statement};

    use super::*;

    fn book() -> StatementBook {
        let charge = |seq, at, amount, balance| Charge {
            seq,
            at,
            kind: ChargeKind::MailIn,
            bytes: 16_000,
            amount_pusd: Amount::new(amount),
            balance_pusd: Sum::new(balance),
        };
        let mut book = StatementBook::new();
        let page = Statement {
            opening_seq: 2,
            opening_pusd: Sum::new(100),
            charges: vec![charge(3, 50, 20, 120), charge(4, 60, 1, 121)],
            more: false,
            charged_pusd: Sum::new(121),
        };
        assert!(book.take(page).unwrap());
        book
    }

    #[test]
    fn the_rows_come_to_what_was_charged_wherever_they_begin() {
        let book = book();
        for (since, rows, opening) in [(0, 3, 100), (50, 3, 100), (51, 2, 120), (61, 1, 121)] {
            let entries = entries(&book, since);
            check(&entries, book.charged_pusd).unwrap();
            assert_eq!(
                (entries.len(), entries[0].amount_pusd),
                (rows, Sum::new(opening))
            );
        }
        let mut wrong = entries(&book, 0);
        wrong[1].amount_pusd = Sum::new(21);
        assert!(check(&wrong, book.charged_pusd).is_err());
        assert!(check(&entries(&book, 0), Sum::new(122)).is_err());
    }

    #[test]
    fn the_table_has_a_line_for_each_row() {
        assert_eq!(
            table(&entries(&book(), 0)).unwrap(),
            "seq,at,kind,bytes,amount_pusd,balance_pusd\n\
             2,,opening,,100,100\n\
             3,50,mail-in,16000,20,120\n\
             4,60,mail-in,16000,1,121"
        );
    }
}
