//! The suite that every store passes.

use layer_minus_node::conformance;
use layer_minus_store_sqlite::SqliteStore;

use crate::open;

#[test]
fn conforms() {
    let folder = tempfile::tempdir().unwrap();
    let mut number = 0;
    let make = || {
        number += 1;
        open(&folder.path().join(format!("{number}.db")))
    };
    let reopen = |store: SqliteStore| {
        let path = store.path().to_owned();
        drop(store);
        open(&path)
    };
    conformance::run_durable(make, reopen).unwrap();
}

#[test]
fn conforms_when_it_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let make = || open(&folder.path().join("store.db"));
    let arm = |store: &mut SqliteStore| store.set_max_bytes(Some(0)).unwrap();
    let disarm = |store: &mut SqliteStore| store.set_max_bytes(None).unwrap();
    conformance::run_failing(make, arm, disarm).unwrap();
}
