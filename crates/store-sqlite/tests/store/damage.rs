//! Damaged files: every change is found, and no wrong byte is served.

use std::fs;
use std::path::Path;

use layer_minus_node::store::{Row, Store, StoreError, Table};
use layer_minus_store_sqlite::{Options, SqliteStore};
use rusqlite::Connection;

use crate::{END, all, noise, open, put};

const T: Table = Table::Clients;

type Content = Vec<(Table, Vec<Row>)>;

/// A closed store with rows of every size in every table.
fn sample(path: &Path) -> Content {
    let mut store = open(path);
    store.begin().unwrap();
    for (number, table) in Table::ALL.into_iter().enumerate() {
        for row in 0..20_u64 {
            let seed = number as u64 * 100 + row;
            let bytes = if row % 10 == 7 {
                30_000
            } else {
                row as usize * 7
            };
            store
                .put(table, &noise(seed, 20), &noise(seed + 1, bytes))
                .unwrap();
        }
    }
    store.commit().unwrap();
    // Some of the file is free, as in life.
    store.begin().unwrap();
    for (key, _) in all(&store, Table::Bodies).iter().step_by(3) {
        store.delete(Table::Bodies, key).unwrap();
    }
    store.commit().unwrap();
    Table::ALL
        .into_iter()
        .map(|table| (table, all(&store, table)))
        .collect()
}

/// What became of a changed file.
#[derive(Debug, PartialEq)]
enum Found {
    AtOpening,
    ByVerifying,
    /// Nothing that counts was changed.
    Harmless,
}

/// Opens and reads a changed file by every way there is.
fn examine(path: &Path, content: &Content) -> Found {
    let Ok(store) = SqliteStore::open(path, Options::default()) else {
        return Found::AtOpening;
    };
    let sound = store.verify(|_| ()).is_ok_and(|report| report.is_sound());
    for (table, rows) in content {
        for (key, value) in rows {
            match store.get(*table, key) {
                Ok(Some(served)) => assert!(served == *value, "wrong bytes in {table}"),
                Ok(None) => assert!(!sound, "a row of {table} is missing and nothing is said"),
                Err(_) => assert!(!sound, "a row of {table} is damaged and nothing is said"),
            }
        }
        match store.scan(*table, b"", END, usize::MAX) {
            Ok(served) => {
                assert!(
                    served.iter().all(|row| rows.contains(row)),
                    "wrong row in {table}"
                );
                assert!(
                    !sound || served == *rows,
                    "rows of {table} are missing, nothing is said"
                );
            }
            Err(_) => assert!(!sound, "{table} cannot be read and nothing is said"),
        }
    }
    if sound {
        Found::Harmless
    } else {
        Found::ByVerifying
    }
}

#[test]
fn flipped_bits_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (
        folder.path().join("store.db"),
        folder.path().join("copy.db"),
    );
    let content = sample(&path);
    let bytes = fs::read(&path).unwrap();
    let random = noise(11, 240 * 8);
    let mut found = [0; 3];
    for (number, random) in random.chunks_exact(8).enumerate() {
        let random = u64::from_le_bytes(random.try_into().unwrap()) as usize;
        // Anywhere; in the header of the file; in the header of a page.
        let at = match number % 4 {
            0 | 1 => random % bytes.len(),
            2 => random % 100,
            _ => random % bytes.len() / 8192 * 8192 + random / bytes.len() % 200,
        };
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (random >> 60 & 7);
        changed[at] ^= if number % 5 == 0 { 0xff } else { 0 };
        fs::write(&copy, &changed).unwrap();
        found[examine(&copy, &content) as usize] += 1;
    }
    assert!(found[0] > 20 && found[1] > 80, "{found:?}");
}

#[test]
fn lost_and_misplaced_pages_are_found() {
    const PAGE: usize = 8192;
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (
        folder.path().join("store.db"),
        folder.path().join("copy.db"),
    );
    let content = sample(&path);
    let bytes = fs::read(&path).unwrap();
    let pages = bytes.len() / PAGE;
    let mut found = [0; 3];
    for page in 0..pages {
        for sector in [true, false] {
            let mut changed = bytes.clone();
            let lost = if sector { 512 } else { PAGE };
            changed[page * PAGE..][..lost].fill(0);
            fs::write(&copy, &changed).unwrap();
            found[examine(&copy, &content) as usize] += 1;
        }
        let other = (page + 1) % pages;
        let mut changed = bytes.clone();
        changed.copy_within(page * PAGE..(page + 1) * PAGE, other * PAGE);
        fs::write(&copy, &changed).unwrap();
        found[examine(&copy, &content) as usize] += 1;
    }
    // The harmless ones hit free pages.
    assert!(found[0] + found[1] > found[2] * 3, "{found:?}");
}

#[test]
fn a_cut_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (
        folder.path().join("store.db"),
        folder.path().join("copy.db"),
    );
    let content = sample(&path);
    let bytes = fs::read(&path).unwrap();
    for length in [
        0,
        1,
        99,
        511,
        512,
        4096,
        8192,
        8193,
        bytes.len() / 2,
        bytes.len() - 8192,
    ] {
        fs::write(&copy, &bytes[..length]).unwrap();
        assert_eq!(examine(&copy, &content), Found::AtOpening, "{length} bytes");
        assert!(
            SqliteStore::open_read_only(&copy).is_err(),
            "{length} bytes"
        );
        assert_eq!(
            fs::read(&copy).unwrap(),
            &bytes[..length],
            "a refused file was changed"
        );
    }
    // Within the last page: its end may be unused.
    let within = [1, 1_000, 4_000, 8_000].map(|cut| {
        fs::write(&copy, &bytes[..bytes.len() - cut]).unwrap();
        examine(&copy, &content)
    });
    assert_ne!(within[3], Found::Harmless, "{within:?}");
}

/// Changes a value behind the store's back, by SQL, so that only the digest is wrong.
fn falsify(path: &Path, sql: &str) {
    assert_eq!(Connection::open(path).unwrap().execute(sql, []).unwrap(), 1);
}

#[test]
fn a_row_that_does_not_match_is_named_and_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = open(&path);
    put(&mut store, T, &[(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]);
    put(&mut store, Table::Seen, &[(b"x", b""), (b"y", b"")]);
    falsify(&path, "UPDATE clients SET value = x'33' WHERE key = x'62'");
    falsify(&path, "UPDATE seen SET key = x'7a' WHERE key = x'79'");

    let damaged = StoreError::Damaged {
        table: T,
        key: "62".to_owned(),
    };
    assert_eq!(store.get(T, b"b"), Err(damaged.clone()));
    assert_eq!(store.scan(T, b"", END, 9), Err(damaged.clone()));
    assert_eq!(store.get(T, b"a").unwrap().unwrap(), b"1");
    assert_eq!(store.scan(T, b"a", b"b", 9).unwrap().len(), 1);

    let mut calls = Vec::new();
    let report = store.verify(|progress| calls.push(progress)).unwrap();
    assert_eq!(report.rows, 5);
    assert_eq!(
        report.damaged,
        [(T, b"b".to_vec()), (Table::Seen, b"z".to_vec())]
    );
    assert_eq!((report.unlisted, report.structure.len()), (0, 0));
    assert_eq!(report.to_string(), "5 rows, 2 damaged, structure sound");
    assert!(!report.is_sound());
    assert_eq!(calls.len(), Table::ALL.len());
    assert!(calls.iter().all(|progress| progress.rows_total == 5));
    assert_eq!(calls.last().unwrap().rows, 5);

    // It ends the transaction that met it, and a new one may overwrite it.
    store.begin().unwrap();
    store.put(T, b"d", b"4").unwrap();
    assert_eq!(store.get(T, b"b"), Err(damaged));
    assert!(!store.in_transaction());
    assert_eq!(store.get(T, b"d"), Ok(None));
    put(&mut store, T, &[(b"b", b"healed")]);
    store.begin().unwrap();
    store.delete(Table::Seen, b"z").unwrap();
    store.commit().unwrap();
    assert!(store.verify(|_| ()).unwrap().is_sound());
}

#[test]
fn a_missing_row_is_found_by_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = open(&path);
    for number in 0..200_u8 {
        put(&mut store, T, &[(&[number], &[number; 100])]);
    }
    drop(store);
    // Without its index the row is still there, and no key leads to it.
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET rootpage =
                 (SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_grants_1')
             WHERE name = 'sqlite_autoindex_clients_1'",
        )
        .unwrap();
    drop(connection);
    let store = open(&path);
    assert_eq!(store.get(T, &[7]), Ok(None));
    let report = store.verify(|_| ()).unwrap();
    assert!(
        report.damaged.is_empty() && !report.structure.is_empty(),
        "{report:?}"
    );
}

#[test]
fn verify_reads_everything_in_steps() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(&folder.path().join("store.db"));
    store.begin().unwrap();
    for number in 0..1_000_u32 {
        store.put(Table::Seen, &number.to_be_bytes(), b"").unwrap();
        store
            .put(Table::Bodies, &number.to_be_bytes(), &[1; 50])
            .unwrap();
    }
    store.commit().unwrap();
    let mut seen = Vec::new();
    let report = store.verify(|progress| seen.push(progress.rows)).unwrap();
    assert!(report.is_sound());
    assert_eq!(report.rows, 2_000);
    assert!(seen.len() > 2_000 / 64 && seen.is_sorted());
}
