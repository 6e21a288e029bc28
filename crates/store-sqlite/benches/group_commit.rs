//! Group commit: the store beside bare SQLite.
//!
//! Both write the same bytes in the same run, with the same settings of the database and the same
//! shape of tables; the store has its row digests, its checks and its trait on top. At the end
//! the quotient of their medians is printed: above 1, the store takes longer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod bare;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use layer_minus_node::store::{Store, Table};
use layer_minus_store_sqlite::{Options, SqliteStore};
use rusqlite::{Connection, params};
use tempfile::TempDir;

/// What one transaction holds.
struct Group {
    name: &'static str,
    table: Table,
    rows: u64,
    value_bytes: usize,
}

const GROUPS: [Group; 6] = [
    Group {
        name: "1 x 200 B",
        table: Table::Packets,
        rows: 1,
        value_bytes: 200,
    },
    Group {
        name: "16 x 200 B",
        table: Table::Packets,
        rows: 16,
        value_bytes: 200,
    },
    Group {
        name: "128 x 200 B",
        table: Table::Packets,
        rows: 128,
        value_bytes: 200,
    },
    Group {
        name: "16 x 16 kB",
        table: Table::Bodies,
        rows: 16,
        value_bytes: 16_000,
    },
    Group {
        name: "1 x 1 MB",
        table: Table::Bodies,
        rows: 1,
        value_bytes: 1_000_000,
    },
    Group {
        name: "16 x 1 MB",
        table: Table::Bodies,
        rows: 16,
        value_bytes: 1_000_000,
    },
];

/// Rows kept in the table: older ones are deleted outside the measured time.
const KEPT_BYTES: u64 = 64 << 20;

/// 20 bytes like an address, of one of 64 clients, and a sequence number.
fn key(number: u64) -> [u8; 28] {
    let mut key = [0; 28];
    let client = (number % 64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .to_be_bytes();
    key[..8].copy_from_slice(&client);
    key[20..].copy_from_slice(&number.to_be_bytes());
    key
}

fn value(bytes: usize) -> Vec<u8> {
    (0..bytes as u64)
        .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect()
}

/// One of the two, with a row counter.
trait Side {
    fn commit(&mut self, group: &Group, first: u64, value: &[u8]);
    fn remove(&mut self, group: &Group, first: u64);
}

struct Ours(SqliteStore, #[allow(dead_code)] TempDir);

impl Ours {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        Self(SqliteStore::open(path, Options::default()).unwrap(), folder)
    }
}

impl Side for Ours {
    fn commit(&mut self, group: &Group, first: u64, value: &[u8]) {
        self.0.begin().unwrap();
        for number in first..first + group.rows {
            self.0.put(group.table, &key(number), value).unwrap();
        }
        self.0.commit().unwrap();
    }

    fn remove(&mut self, group: &Group, first: u64) {
        self.0.begin().unwrap();
        for number in first..first + group.rows {
            self.0.delete(group.table, &key(number)).unwrap();
        }
        self.0.commit().unwrap();
    }
}

struct Bare(Connection, #[allow(dead_code)] TempDir);

impl Bare {
    fn new() -> Self {
        let (connection, folder) = bare::open();
        Self(connection, folder)
    }
}

impl Side for Bare {
    fn commit(&mut self, group: &Group, first: u64, value: &[u8]) {
        self.0.execute_batch("BEGIN IMMEDIATE").unwrap();
        {
            let mut insert = self
                .0
                .prepare_cached("INSERT INTO t (key, value) VALUES (?1, ?2)")
                .unwrap();
            for number in first..first + group.rows {
                insert.execute(params![key(number), value]).unwrap();
            }
        }
        self.0.execute_batch("COMMIT").unwrap();
    }

    fn remove(&mut self, group: &Group, first: u64) {
        self.0.execute_batch("BEGIN IMMEDIATE").unwrap();
        {
            let mut delete = self
                .0
                .prepare_cached("DELETE FROM t WHERE key = ?1")
                .unwrap();
            for number in first..first + group.rows {
                delete.execute([key(number)]).unwrap();
            }
        }
        self.0.execute_batch("COMMIT").unwrap();
    }
}

/// Commits groups one after the other, and keeps the table at its size.
struct Run<'a> {
    side: &'a mut dyn Side,
    group: &'a Group,
    value: &'a [u8],
    next: u64,
}

impl Run<'_> {
    fn once(&mut self) -> Duration {
        let start = Instant::now();
        self.side.commit(self.group, self.next, self.value);
        let taken = start.elapsed();
        let kept = KEPT_BYTES / (self.group.value_bytes as u64) / self.group.rows * self.group.rows;
        if let Some(old) = self.next.checked_sub(kept) {
            self.side.remove(self.group, old);
        }
        self.next += self.group.rows;
        taken
    }
}

fn both(criterion: &mut Criterion) {
    let mut bench = criterion.benchmark_group("group_commit");
    bench
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500));
    for group in &GROUPS {
        let value = value(group.value_bytes);
        bench.throughput(Throughput::Bytes(group.rows * group.value_bytes as u64));
        let sides: [(&str, Box<dyn Side>); 2] = [
            ("store", Box::new(Ours::new())),
            ("bare", Box::new(Bare::new())),
        ];
        for (name, mut side) in sides {
            let mut run = Run {
                side: side.as_mut(),
                group,
                value: &value,
                next: 0,
            };
            bench.bench_function(BenchmarkId::new(name, group.name), |bencher| {
                bencher.iter_custom(|rounds| (0..rounds).map(|_| run.once()).sum());
            });
        }
    }
    bench.finish();
}

/// The two in turns, so that what else the machine does hits both.
fn ratios() {
    const ROUNDS: usize = 120;
    println!("group_commit: store / bare SQLite, medians of {ROUNDS} commits each in turns");
    for group in &GROUPS {
        let value = value(group.value_bytes);
        let (mut ours, mut bare) = (Ours::new(), Bare::new());
        let mut ours = Run {
            side: &mut ours,
            group,
            value: &value,
            next: 0,
        };
        let mut bare = Run {
            side: &mut bare,
            group,
            value: &value,
            next: 0,
        };
        let (mut of_ours, mut of_bare) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            of_ours.push(ours.once());
            of_bare.push(bare.once());
        }
        let median = |times: &mut Vec<Duration>| {
            times.sort();
            times[times.len() / 2].as_secs_f64()
        };
        let (ours, bare) = (median(&mut of_ours), median(&mut of_bare));
        println!(
            "{:>12}: {:8.3} ms / {:8.3} ms = {:.2}",
            group.name,
            ours * 1e3,
            bare * 1e3,
            ours / bare
        );
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    both(&mut criterion);
    criterion.final_summary();
    ratios();
}
