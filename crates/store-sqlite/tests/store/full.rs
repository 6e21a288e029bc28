//! No room: nothing of the transaction is kept, and the store goes on.

use std::path::Path;
use std::process::Command;

use layer_minus_node::store::{Store, StoreError, Table};
use layer_minus_store_sqlite::{Options, SqliteStore};

use crate::{all, noise, open, put};

const T: Table = Table::Bodies;
const BODY_BYTES: usize = 100_000;

/// Commits bodies until one fails; returns how many were committed, and the error.
fn fill(store: &mut SqliteStore) -> (u64, StoreError) {
    for number in 0..10_000_u64 {
        let mut commit = || {
            store.begin()?;
            store.put(Table::Seen, &number.to_be_bytes(), b"")?;
            store.put(T, &number.to_be_bytes(), &noise(number, BODY_BYTES))?;
            store.commit()
        };
        if let Err(error) = commit() {
            return (number, error);
        }
    }
    panic!("the disk was not full after 1 GB");
}

/// Exactly `count` transactions are there, whole.
fn check(store: &SqliteStore, count: u64) {
    assert!(!store.in_transaction());
    let bodies = all(store, T);
    assert_eq!(
        (bodies.len() as u64, all(store, Table::Seen).len() as u64),
        (count, count)
    );
    for ((_, body), number) in bodies.into_iter().zip(0..) {
        assert!(
            body == noise(number, BODY_BYTES),
            "body {number} is another"
        );
    }
}

#[test]
fn at_its_limit_it_says_so_and_takes_deletions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut options = Options::default();
    options.max_bytes = Some(3_000_000);
    let mut store = SqliteStore::open(&path, options).unwrap();
    let (count, error) = fill(&mut store);
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    assert!(
        (20..30).contains(&count),
        "{count} bodies of 100 kB in 3 MB"
    );
    check(&store, count);
    assert_eq!(
        store.commit(),
        Err(StoreError::Misuse("no transaction is open"))
    );

    store.begin().unwrap();
    store.delete(T, &0_u64.to_be_bytes()).unwrap();
    store.delete(T, &1_u64.to_be_bytes()).unwrap();
    store.commit().unwrap();
    put(&mut store, T, &[(b"\xff", &noise(1, BODY_BYTES))]);
    assert!(store.verify(|_| ()).unwrap().is_sound());

    store.set_max_bytes(None).unwrap();
    put(&mut store, T, &[(b"\xfe", &noise(1, 1_000_000))]);
    store.backup_to(folder.path().join("copy.db")).unwrap();
    assert!(folder.path().join("copy.db").metadata().unwrap().len() > 3_000_000);
}

/// Set for the process that may not write long files: where its store is.
const CHILD: &str = "STORE_FULL_CHILD";

/// Not a test of its own: what `when_the_system_refuses_to_write` runs.
#[test]
fn child() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let mut store = open(Path::new(&path));
    let (count, error) = fill(&mut store);
    assert!(count > 10, "{count}");
    println!("\nrefused {error:?}");
    check(&store, count);
    assert_eq!(store.rollback(), Ok(()));
    drop(store);
    let store = open(Path::new(&path));
    check(&store, count);
    println!("\ncommitted {count}");
}

/// A limit of the system on the length of files fails the writes themselves, wherever SQLite is.
#[test]
#[cfg(unix)]
fn when_the_system_refuses_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    // In units of 512 bytes or of 1 KiB, as the shell likes: 4 or 8 MB.
    let script = "trap '' XFSZ; ulimit -f 8000; exec \"$0\" full::child --exact --nocapture";
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, &path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("committed "))
        .unwrap();
    // Without the limit everything is there and goes on.
    let mut store = open(&path);
    check(&store, count.parse().unwrap());
    assert!(store.verify(|_| ()).unwrap().is_sound());
    put(&mut store, T, &[(b"\xff", &noise(1, 10_000_000))]);
}
