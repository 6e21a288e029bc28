//! Durable entries of the ledger beside bare SQLite, and what a charge costs without a disk.
//!
//! An entry is one debit or one credit: a transfer has two. Groups of 128 entries are booked as the
//! node books them, one plan for each charge with its check of the limit, all in one transaction.
//! Bare SQLite inserts as many rows of the same bytes, in the same run and in turns. The quotient of the
//! medians is printed in entries: 1 is as fast as SQLite, and the run fails below 0.6.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic
)]

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

    /// A group; returns how many rows of which sizes it wrote.
    fn commit(&mut self) -> Vec<usize> {
        let mut sizes = Vec::new();
        self.0.begin().unwrap();
        for _ in 0..ENTRIES / 2 {
            let changes = book(&mut self.0, &charge(self.1));
            sizes.extend(changes.accounts.iter().map(|row| row.to_bytes().len()));
            sizes.extend(changes.transfers.iter().map(|row| row.to_bytes().len()));
            self.1 += 1;
        }
        self.0.commit().unwrap();
        sizes
    }
}

struct Bare(Connection, u64, #[allow(dead_code)] TempDir);

impl Bare {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("bare.db")).unwrap();
        connection
            .execute_batch(
                "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL;
                 PRAGMA cache_size = -32768; PRAGMA secure_delete = FAST;
                 CREATE TABLE t (id INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB)",
            )
            .unwrap();
        for pragma in [
            "journal_mode = WAL",
            "synchronous = FULL",
            "wal_autocheckpoint = 2048",
        ] {
            let mut statement = connection.prepare(&format!("PRAGMA {pragma}")).unwrap();
            let _ = statement.query([]).unwrap().next().unwrap();
        }
        Self(connection, 0, folder)
    }

    fn commit(&mut self, sizes: &[usize]) {
        let value = [0x5a_u8; 256];
        self.0.execute_batch("BEGIN IMMEDIATE").unwrap();
        {
            let mut insert = self
                .0
                .prepare_cached("INSERT INTO t (key, value) VALUES (?1, ?2)")
                .unwrap();
            for size in sizes {
                insert
                    .execute(params![id(self.1), &value[..*size]])
                    .unwrap();
                self.1 += 1;
            }
        }
        self.0.execute_batch("COMMIT").unwrap();
    }
}

/// Both in turns, so that what else the machine does hits both.
fn durable(rounds: usize) -> f64 {
    let (mut ours, mut bare) = (Ours::new(), Bare::new());
    let (mut of_ours, mut of_bare) = (Vec::new(), Vec::new());
    let mut rows = 0;
    for _ in 0..rounds {
        let start = Instant::now();
        let sizes = ours.commit();
        of_ours.push(start.elapsed());
        let start = Instant::now();
        bare.commit(&sizes);
        of_bare.push(start.elapsed());
        rows = sizes.len();
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_secs_f64()
    };
    let (ours, bare) = (median(&mut of_ours), median(&mut of_bare));
    let per_second = |secs: f64| ENTRIES as f64 / secs;
    println!(
        "ledger_entries: groups of {ENTRIES} entries ({rows} rows), medians of {rounds} in turns: \
         {:.3} ms ({:.0} entries/s) / bare SQLite {:.3} ms ({:.0}) = {:.2}",
        ours * 1e3,
        per_second(ours),
        bare * 1e3,
        per_second(bare),
        bare / ours
    );
    bare / ours
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
