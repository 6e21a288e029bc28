//! Copies of a store that is in use.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use layer_minus_node::store::{Store, StoreError, Table};
use layer_minus_store_sqlite::SqliteStore;

use crate::{all, noise, open, put};

#[test]
fn a_copy_has_what_was_committed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (
        folder.path().join("store.db"),
        folder.path().join("safe/copy.db"),
    );
    let mut store = open(&path);
    for table in Table::ALL {
        put(
            &mut store,
            table,
            &[(b"k", table.name().as_bytes()), (b"large", &[7; 300_000])],
        );
    }
    store.begin().unwrap();
    store.put(Table::Meta, b"uncommitted", b"").unwrap();
    let bytes = store.backup_to(&copy).unwrap();
    store.commit().unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().len(), bytes);

    let mut restored = open(&copy);
    assert!(restored.verify(|_| ()).unwrap().is_sound());
    assert_eq!(restored.get(Table::Meta, b"uncommitted"), Ok(None));
    for table in Table::ALL {
        assert_eq!(
            restored.get(table, b"k").unwrap().unwrap(),
            table.name().as_bytes()
        );
    }
    put(&mut restored, Table::Meta, &[(b"goes", b"on")]);
    assert_eq!(store.get(Table::Meta, b"goes"), Ok(None));
}

#[test]
fn a_copy_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"));
    let copy = folder.path().join("copy.db");
    fs::write(&copy, b"precious").unwrap();
    let error = store.backup_to(&copy).unwrap_err();
    assert!(
        error.to_string().contains("a backup does not overwrite it"),
        "{error}"
    );
    assert!(matches!(
        store.backup_to(store.path()),
        Err(StoreError::Failed(_))
    ));
    assert_eq!(fs::read(&copy).unwrap(), b"precious");
}

#[test]
fn a_copy_of_a_busy_store_is_one_moment_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut daemon = open(&path);
    for number in 0..30_u64 {
        put(
            &mut daemon,
            Table::Bodies,
            &[(&number.to_be_bytes(), &noise(number, 500_000))],
        );
    }
    let stop = AtomicBool::new(false);
    let (path, stop) = (&path, &stop);
    thread::scope(|scope| {
        let writer = scope.spawn(move || {
            let mut number = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                daemon.begin().unwrap();
                daemon
                    .put(Table::Accounts, b"number", &number.to_be_bytes())
                    .unwrap();
                daemon
                    .put(Table::Packets, &number.to_be_bytes(), &[1; 300])
                    .unwrap();
                daemon.commit().unwrap();
            }
            number
        });
        let mut copied = Vec::new();
        for round in 0..5 {
            let copy = folder.path().join(format!("copy{round}.db"));
            // As an operator's command does it, from outside the daemon.
            SqliteStore::open_read_only(path)
                .unwrap()
                .backup_to(&copy)
                .unwrap();
            let copy = open(&copy);
            let number = copy.get(Table::Accounts, b"number").unwrap();
            let number = number.map_or(0, |value| u64::from_be_bytes(value.try_into().unwrap()));
            assert_eq!(all(&copy, Table::Packets).len() as u64, number);
            assert!(copy.verify(|_| ()).unwrap().is_sound());
            copied.push(number);
        }
        stop.store(true, Ordering::Relaxed);
        assert!(copied.is_sorted() && copied[4] > 0, "{copied:?}");
        assert!(writer.join().unwrap() > 0);
    });
}
