//! Room that deletions leave.

use layer_minus_node::store::{Store, StoreError, Table};
use layer_minus_store_sqlite::{Options, SqliteStore};

use crate::{all, noise, open, put};

const T: Table = Table::Bodies;

#[test]
fn freed_room_is_used_again_and_given_back_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = open(&path);
    let write = |store: &mut SqliteStore| {
        for number in 0..40_u64 {
            put(
                store,
                T,
                &[(&number.to_be_bytes(), &noise(number, 500_000))],
            );
        }
    };
    write(&mut store);
    let file = || std::fs::metadata(&path).unwrap().len();
    store.begin().unwrap();
    for number in 0..38_u64 {
        store.delete(T, &number.to_be_bytes()).unwrap();
    }
    assert!(matches!(store.compact(), Err(StoreError::Misuse(_))));
    store.commit().unwrap();
    let free = store.free_bytes().unwrap();
    assert!((18_900_000..20_000_000).contains(&free), "{free}");

    write(&mut store);
    assert!(store.free_bytes().unwrap() < 1_000_000);
    assert!(file() < 22_000_000, "{}", file());

    store.begin().unwrap();
    for number in 0..38_u64 {
        store.delete(T, &number.to_be_bytes()).unwrap();
    }
    store.commit().unwrap();
    let before = store.size_bytes().unwrap();
    let given = store.compact().unwrap();
    assert!(given > 18_900_000, "{given}");
    assert_eq!(store.size_bytes().unwrap(), before - given);
    assert_eq!(store.free_bytes(), Ok(0));
    assert!(file() < 1_500_000, "{}", file());
    let rows = all(&store, T);
    assert_eq!(rows.len(), 2);
    assert!(rows[0].1 == noise(38, 500_000) && rows[1].1 == noise(39, 500_000));
    assert!(store.verify(|_| ()).unwrap().is_sound());
    // What remains is the database itself.
    assert!(store.compact().unwrap() < 100_000);
}

#[test]
fn the_log_does_not_grow_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = open(&path);
    for number in 0..100_u64 {
        put(
            &mut store,
            T,
            &[(&(number % 4).to_be_bytes(), &noise(number, 1_000_000))],
        );
    }
    let log = std::fs::metadata(folder.path().join("store.db-wal"))
        .unwrap()
        .len();
    assert!(log < 32 << 20, "{log}");
    assert!(store.size_bytes().unwrap() < 45 << 20);
}

#[test]
fn below_the_reserve_there_is_no_room_for_more_and_still_some_for_less() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    drop(open(&path));
    let mut options = Options::default();
    options.max_bytes = Some(20_000_000);
    options.ballast_bytes = 100_000;
    let mut store = SqliteStore::open(&path, options).unwrap();
    let mut number = 0_u64;
    while store.has_room().unwrap() {
        put(
            &mut store,
            T,
            &[(&number.to_be_bytes(), &noise(number, 1_000_000))],
        );
        number += 1;
    }
    assert!((15..=16).contains(&number), "{number} of 1 MB in 20 - 4 MB");
    // The reserve is there, until it is used up as well; a limit is no reason to give up the ballast.
    let full = loop {
        store.begin().unwrap();
        if let Err(error) = store.put(T, &number.to_be_bytes(), &noise(number, 1_000_000)) {
            break error;
        }
        store.commit().unwrap();
        number += 1;
    };
    assert!(matches!(full, StoreError::Full(_)), "{full:?}");
    assert!((18..=19).contains(&number), "{number}");
    assert!(folder.path().join("store.db-ballast").exists());

    store.begin().unwrap();
    for number in 0..5_u64 {
        store.delete(T, &number.to_be_bytes()).unwrap();
    }
    assert!(store.has_room().unwrap());
    store.commit().unwrap();
    assert!(store.has_room().unwrap());
}
