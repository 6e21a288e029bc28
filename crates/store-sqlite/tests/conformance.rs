//! The suite that every store passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use layer_minus_node::conformance;
use layer_minus_store_sqlite::{Options, SqliteStore};

#[test]
fn conforms() {
    let folder = tempfile::tempdir().unwrap();
    let mut number = 0;
    let make = || {
        number += 1;
        SqliteStore::open(folder.path().join(format!("{number}.db")), Options::default()).unwrap()
    };
    let reopen = |store: SqliteStore| {
        let path = store.path().to_owned();
        drop(store);
        SqliteStore::open(path, Options::default()).unwrap()
    };
    conformance::run_durable(make, reopen).unwrap();
}
