//! Durable entries of the ledger beside bare SQLite, and what a charge costs without a disk.
//!
//! An entry is one debit or one credit: a transfer has two. Groups of 128 entries are booked as the
//! node books them, one plan for each charge with its check of the limit, all in one transaction.
//! Bare SQLite writes the same bytes in three ways, in the same run and in turns. The quotients of the
//! medians are printed in entries: 1 is as fast as SQLite, and the run fails if one is below 0.6.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic
)]

mod bare;

use std::time::{Duration, Instant};

use criterion::Criterion;
use layer_minus_ledger::{
    Account, AccountId, Amount, Books, Changes, DebitLimit, MemoryBooks, Op, Transfer, TransferId,
    plan,
};
use layer_minus_node::{
    memory::MemoryStore,
    store::{Store, StoreError, Table},
};
use layer_minus_store_sqlite::{Options, SqliteStore};
use rusqlite::{Connection, params};
use tempfile::TempDir;

/// Entries of a group: two for each charge.
const ENTRIES: u64 = 128;
/// Groups on each side.
const ROUNDS: usize = 400;
/// What `--test` runs, to see that it works.
const ROUNDS_TEST: usize = 5;
/// Clients that are charged in turns.
const CLIENTS: u64 = 1_000;
const RATIO_MIN: f64 = 0.6;

fn id(number: u64) -> [u8; 16] {
    // Spread like the keyed digests that ids are.
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    id
}

fn client(number: u64) -> AccountId {
    AccountId::new(id(u64::MAX - number % CLIENTS))
}

const INCOME: AccountId = AccountId::new([7; 16]);

/// A check of the limit and a charge.
fn charge(number: u64) -> [Op; 2] {
    let account = client(number);
    [
        Op::SetLimit {
            account,
            limit: DebitLimit::UpTo(1 << 60),
        },
        Op::Transfer {
            id: TransferId::new(id(number)),
            debit: account,
            credit: INCOME,
            amount: Amount::new(320_000),
            code: 1,
        },
    ]
}

fn opened() -> Vec<Op> {
    let open = |account, limit| Op::Open { account, limit };
    let limit = DebitLimit::UpTo(1 << 60);
    let mut ops: Vec<Op> = (0..CLIENTS).map(|n| open(client(n), limit)).collect();
    ops.push(open(INCOME, DebitLimit::None));
    ops
}

/// The ledger's rows in a store, as the node has them.
struct Shelf<'a, S>(&'a S);

impl<S: Store> Books for Shelf<'_, S> {
    type Error = StoreError;

    fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        let row = self.0.get(Table::Accounts, id.as_bytes())?;
        Ok(row.map(|row| Account::from_bytes(&row).unwrap()))
    }

    fn transfer(&self, id: &TransferId) -> Result<Option<Transfer>, StoreError> {
        let row = self.0.get(Table::Transfers, id.as_bytes())?;
        Ok(row.map(|row| Transfer::from_bytes(&row).unwrap()))
    }
}

fn book<S: Store>(store: &mut S, ops: &[Op]) -> Changes {
    let changes = plan(&Shelf(store), ops, 1_800_000_000).unwrap();
    for account in &changes.accounts {
        let (key, row) = (account.id, account.to_bytes());
        store.put(Table::Accounts, key.as_bytes(), &row).unwrap();
    }
    for transfer in &changes.transfers {
        let (key, row) = (transfer.id, transfer.to_bytes());
        store.put(Table::Transfers, key.as_bytes(), &row).unwrap();
    }
    changes
}

struct Ours(SqliteStore, u64, #[allow(dead_code)] TempDir);

impl Ours {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let mut store = SqliteStore::open(path, Options::default()).unwrap();
        store.begin().unwrap();
        book(&mut store, &opened());
        store.commit().unwrap();
        Self(store, 0, folder)
    }

    /// A group; returns the rows that it wrote: keys, and sizes in bytes.
    fn commit(&mut self) -> Vec<([u8; 16], usize)> {
        let mut rows = Vec::new();
        self.0.begin().unwrap();
        for _ in 0..ENTRIES / 2 {
            let changes = book(&mut self.0, &charge(self.1));
            let accounts = changes.accounts.iter();
            rows.extend(accounts.map(|row| (*row.id.as_bytes(), row.to_bytes().len())));
            let transfers = changes.transfers.iter();
            rows.extend(transfers.map(|row| (*row.id.as_bytes(), row.to_bytes().len())));
            self.1 += 1;
        }
        self.0.commit().unwrap();
        rows
    }
}

/// What bare SQLite is given of a group.
#[derive(Clone, Copy, Debug)]
enum Peer {
    /// One row for each entry, all new, the bytes shared out among them.
    Entries,
    /// As many rows of the same sizes, all new.
    Rows,
    /// The very same rows: an account's row takes the place of its last.
    SameRows,
}

impl Peer {
    const ALL: [Self; 3] = [Self::Entries, Self::Rows, Self::SameRows];

    const fn name(self) -> &'static str {
        match self {
            Self::Entries => "a row for each entry",
            Self::Rows => "as many new rows",
            Self::SameRows => "the very same rows",
        }
    }
}

/// A connection, the last number that was a key, the times, and the folder.
struct Bare(Connection, u64, Vec<Duration>, #[allow(dead_code)] TempDir);

impl Bare {
    fn new() -> Self {
        let (connection, folder) = bare::open();
        Self(connection, 0, Vec::new(), folder)
    }

    fn commit(&mut self, peer: Peer, rows: &[([u8; 16], usize)]) {
        let value = [0x5a_u8; 4_096];
        let bytes: usize = rows.iter().map(|(_, size)| size).sum();
        let of_entry = bytes / ENTRIES as usize;
        let mut fresh = || {
            self.1 += 1;
            id(self.1)
        };
        let rows: Vec<([u8; 16], usize)> = match peer {
            Peer::Entries => (0..ENTRIES).map(|_| (fresh(), of_entry)).collect(),
            Peer::Rows => rows.iter().map(|(_, size)| (fresh(), *size)).collect(),
            Peer::SameRows => rows.to_vec(),
        };
        let start = Instant::now();
        self.0.execute_batch("BEGIN IMMEDIATE").unwrap();
        {
            let mut insert = self
                .0
                .prepare_cached(
                    "INSERT INTO t (key, value) VALUES (?1, ?2)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                )
                .unwrap();
            for (key, size) in &rows {
                insert.execute(params![key, &value[..*size]]).unwrap();
            }
        }
        self.0.execute_batch("COMMIT").unwrap();
        self.2.push(start.elapsed());
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// All in turns, so that what else the machine does hits each. Returns the worst quotient.
fn durable(rounds: usize) -> f64 {
    let mut ours = Ours::new();
    let mut bare = Peer::ALL.map(|peer| (peer, Bare::new()));
    let mut of_ours = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        let rows = ours.commit();
        of_ours.push(start.elapsed());
        for (peer, bare) in &mut bare {
            bare.commit(*peer, &rows);
        }
    }
    let ours = median(of_ours);
    let per_second = |secs: f64| ENTRIES as f64 / secs;
    println!(
        "ledger_entries: groups of {ENTRIES} entries, medians of {rounds} in turns: {:.3} ms ({:.0} entries/s)",
        ours * 1e3,
        per_second(ours),
    );
    let ratios = bare.map(|(peer, bare)| {
        let bare = median(bare.2);
        println!(
            "  bare SQLite, {}: {:.3} ms ({:.0} entries/s); the ledger does {:.2} of that",
            peer.name(),
            bare * 1e3,
            per_second(bare),
            bare / ours
        );
        bare / ours
    });
    ratios.into_iter().fold(f64::INFINITY, f64::min)
}

fn without_disk(criterion: &mut Criterion) {
    let mut books = MemoryBooks::new();
    books.run(&opened(), 0).unwrap();
    let mut number = 0;
    criterion.bench_function("check_and_charge/ledger", |bencher| {
        bencher.iter(|| {
            number += 1;
            books.run(&charge(number), 1_800_000_000).unwrap()
        });
    });
    let mut store = MemoryStore::new();
    store.begin().unwrap();
    book(&mut store, &opened());
    criterion.bench_function("check_and_charge/memory_store", |bencher| {
        bencher.iter(|| {
            number += 1;
            book(&mut store, &charge(number))
        });
    });
}

fn main() {
    let test = std::env::args().any(|word| word == "--test");
    let mut criterion = Criterion::default().configure_from_args();
    without_disk(&mut criterion);
    criterion.final_summary();
    let ratio = durable(if test { ROUNDS_TEST } else { ROUNDS });
    // A debug build, or a run of a few rounds, measures nothing.
    assert!(
        test || ratio >= RATIO_MIN,
        "the ledger is below {RATIO_MIN} of bare SQLite"
    );
}
