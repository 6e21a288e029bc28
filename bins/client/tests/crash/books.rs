//! The node's books, read row by row from its store, and what they must agree with.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use layer_minus_ledger::{AccountId, Transfer};
use layer_minus_node::{
    Store as _, Table,
    money::{client_account, code},
};
use layer_minus_store_sqlite::SqliteStore;
use serde_json::Value;

use crate::{log::Log, member::Member};

/// Every packet here is of this size.
const PACKET_BYTES: u64 = 16_000;
/// What a pass costs, picodollars: 20 a byte.
const PASS_PUSD: u64 = 20 * PACKET_BYTES;
/// What storage costs, picodollars a kB and hour.
const STORAGE_PUSD: u128 = 14;
/// Rows read at a time.
const PAGE_ROWS: usize = 1_024;

/// What one client was charged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Charged {
    mails: u64,
    commands: u64,
    pushes: u64,
    pushes_again: u64,
    storage_pusd: u64,
    total_pusd: u64,
}

impl Charged {
    fn passes(&self) -> u64 {
        self.mails + self.commands + self.pushes + self.pushes_again
    }
}

/// The journal, summed by client.
#[derive(Debug, Default)]
pub(crate) struct Books(BTreeMap<AccountId, Charged>);

impl Books {
    pub(crate) fn read(path: &Path) -> Self {
        let store = SqliteStore::open_read_only(path).unwrap();
        store.pin().unwrap();
        let mut books = Self::default();
        let mut from = Vec::new();
        loop {
            let rows = store
                .scan(Table::Transfers, &from, &[0xff; 64], PAGE_ROWS)
                .unwrap();
            let Some((last, _)) = rows.last() else {
                return books;
            };
            from = [last.as_slice(), &[0]].concat();
            for (_, row) in &rows {
                books.add(&Transfer::from_bytes(row).unwrap());
            }
        }
    }

    fn add(&mut self, transfer: &Transfer) {
        let moved = transfer.moved().get();
        if moved == 0 {
            return;
        }
        let charged = self.0.entry(transfer.debit).or_default();
        charged.total_pusd += moved;
        let count = match transfer.code {
            code::MAIL_IN => &mut charged.mails,
            code::COMMAND => &mut charged.commands,
            code::PUSH => &mut charged.pushes,
            code::PUSH_AGAIN => &mut charged.pushes_again,
            code::STORAGE => {
                charged.storage_pusd += moved;
                return;
            }
            // The lane is paid by the node.
            _ => return,
        };
        *count += 1;
        assert_eq!(moved, PASS_PUSD, "{transfer:?}");
    }

    fn of(&self, member: &Member) -> Charged {
        let account = client_account(&member.address());
        self.0.get(&account).copied().unwrap_or_default()
    }
}

/// What storage of the letters that left costs at least and at most, picodollars.
fn storage(log: &Log) -> (u64, u64) {
    let (mut least, mut most) = (0_u128, 0_u128);
    for (id, taken) in &log.taken {
        let accepted_at = log.accepted[id];
        let held = |until: u64| u128::from(PACKET_BYTES) * u128::from(until - accepted_at);
        match taken.until {
            Some(until) => {
                least += held(taken.from.max(accepted_at));
                most += held(until.max(accepted_at));
            }
            // An acknowledgement is out: it may have left or not.
            None => most += held(layer_minus_http::clock::now()),
        }
    }
    let price =
        |byte_seconds: u128| u64::try_from(byte_seconds * STORAGE_PUSD / 3_600_000).unwrap();
    (price(least), price(most))
}

/// The whole comparison, at a moment at which nobody sends.
pub(crate) fn compare(books: &Books, status: &Value, members: &[Arc<Member>]) {
    let (mut passes, mut charged_pusd) = (0, 0);
    let (mut waiting_min, mut waiting_max) = (0, 0);
    for (index, member) in members.iter().enumerate() {
        let charged = books.of(member);
        let log = member.log();
        check_letters(index, &log);
        check_charges(index, &log, &charged);
        passes += charged.passes();
        charged_pusd += charged.total_pusd;
        // Of an acknowledgement without an answer it is not known whether it arrived.
        waiting_min += (log.accepted.len() - log.taken.len()) as u64;
        waiting_max += log.waiting() as u64;
    }
    assert_eq!(figure(status, "charged_pusd"), charged_pusd, "{status}");
    assert_eq!(
        figure(status, "passed_bytes"),
        passes * PACKET_BYTES,
        "{status}"
    );
    let waiting = figure(status, "waiting_packets");
    assert!((waiting_min..=waiting_max).contains(&waiting), "{status}");
    assert_eq!(
        figure(status, "waiting_bytes"),
        waiting * PACKET_BYTES,
        "{status}"
    );
    assert_eq!(status["ledger_balanced"], true, "{status}");
    let lanes = status["lanes"].as_array().unwrap();
    let credited: u64 = lanes.iter().map(|lane| figure(lane, "credited_pusd")).sum();
    assert!(credited <= passes * PASS_PUSD / 2, "{status}");
}

/// Every letter that was accepted was shown once, or waits.
fn check_letters(index: usize, log: &Log) {
    for (id, times) in &log.shown {
        assert_eq!(*times, 1, "client {index} saw a letter {times} times");
        assert!(log.sent.contains(id), "client {index} saw what nobody sent");
    }
    let gone = log.taken.iter().filter(|(_, taken)| taken.until.is_some());
    for (id, _) in gone {
        assert!(log.shown.contains_key(id), "client {index} lost a letter");
    }
    assert_eq!(log.sent.len(), log.accepted.len(), "client {index}");
}

fn check_charges(index: usize, log: &Log, charged: &Charged) {
    let letters = log.accepted.len() as u64;
    let taken = letters - log.waiting() as u64;
    let what = format!("client {index}: {charged:?}, {}", log.summary());
    // Exact: each letter came in once, however often it was tried.
    assert_eq!(charged.mails, letters, "{what}");
    // Two for the registration, one for every stream; of some it is not known.
    let commands = 2 + log.listens..=2 + log.listens + log.listens_unknown;
    assert!(commands.contains(&charged.commands), "{what}");
    // The first push of a letter is reserved once, and posted at the latest when it is taken.
    assert!(charged.pushes <= letters, "{what}");
    let pushes = charged.pushes + charged.pushes_again;
    assert!(pushes >= taken, "delivered and not charged: {what}");
    let most = log.pushes + log.pushes_lost_max;
    assert!(pushes <= most, "charged and not delivered: {what}");
    let (least, most) = storage(log);
    let paid = charged.storage_pusd;
    assert!((least..=most).contains(&paid), "{least} to {most}: {what}");
    assert_eq!(
        charged.total_pusd,
        charged.passes() * PASS_PUSD + paid,
        "{what}"
    );
}

fn figure(value: &Value, field: &str) -> u64 {
    let found = &value[field];
    found
        .as_u64()
        .or_else(|| found.as_str()?.parse().ok())
        .unwrap_or_else(|| panic!("no {field} in {value}"))
}
