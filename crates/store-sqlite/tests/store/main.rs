//! The store as a user meets it: whole files, several handles, crashes, damage, a full disk.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod backup;
mod conformance;
mod crash;
mod damage;
mod files;
mod full;
mod handles;
mod model;
mod space;
mod wiped;

use std::path::Path;

use layer_minus_node::store::{Row, Store, Table};
use layer_minus_store_sqlite::{Options, SqliteStore};

/// Above every key of these tests.
const END: &[u8] = &[0xff; 64];

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Options::default()).unwrap()
}

fn put(store: &mut SqliteStore, table: Table, rows: &[(&[u8], &[u8])]) {
    store.begin().unwrap();
    for (key, value) in rows {
        store.put(table, key, value).unwrap();
    }
    store.commit().unwrap();
}

fn all(store: &SqliteStore, table: Table) -> Vec<Row> {
    store.scan(table, b"", END, usize::MAX).unwrap()
}

/// Bytes that differ from seed to seed and do not compress to a pattern.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..bytes).map(next).collect()
}
