//! What is deleted is gone from the files.

use std::path::Path;

use layer_minus_node::store::{Store, Table};
use layer_minus_store_sqlite::SqliteStore;

use crate::{noise, open, put};

/// How often a piece of `body` is in a file of the store.
fn found(folder: &Path, body: &[u8]) -> usize {
    // In the middle of some page of the row.
    let piece = &body[500_000..500_064];
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .map(|bytes| bytes.windows(64).filter(|window| *window == piece).count())
        .sum()
}

#[test]
fn a_deleted_body_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = open(&path);
    let [gone, kept] = [1, 2].map(|seed| noise(seed, 1_000_000));
    put(&mut store, Table::Bodies, &[(b"a", &gone), (b"b", &kept)]);
    // Into the database file, as it goes in time.
    store.compact().unwrap();
    assert_eq!(found(folder.path(), &gone), 1);
    let delete = |store: &mut SqliteStore, key: &[u8]| {
        store.begin().unwrap();
        store.delete(Table::Bodies, key).unwrap();
        store.commit().unwrap();
    };
    delete(&mut store, b"a");
    store.tidy().unwrap();
    assert_eq!(found(folder.path(), &gone), 0);
    assert_eq!(found(folder.path(), &kept), 1);

    // Whoever reads is not waited for, and the next time does it.
    let reader = SqliteStore::open_read_only(&path).unwrap();
    reader.pin().unwrap();
    delete(&mut store, b"b");
    let before = std::time::Instant::now();
    store.tidy().unwrap();
    assert!(before.elapsed() < std::time::Duration::from_secs(2));
    drop(reader);
    // The last one to close the store wipes as well.
    drop(store);
    assert_eq!(found(folder.path(), &kept), 0);
}
