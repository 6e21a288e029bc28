//! Several handles on one store, as a daemon and an operator's command have them.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use layer_minus_node::store::{Store, StoreError, Table};
use layer_minus_store_sqlite::{Options, SqliteStore};

use crate::{all, open, put};

const T: Table = Table::Grants;

#[test]
fn each_sees_what_the_other_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let (mut daemon, mut command) = (open(&path), open(&path));
    put(&mut command, T, &[(b"a", b"100")]);
    assert_eq!(daemon.get(T, b"a").unwrap().unwrap(), b"100");
    daemon.begin().unwrap();
    daemon.put(T, b"b", b"200").unwrap();
    assert_eq!(command.get(T, b"b"), Ok(None));
    daemon.commit().unwrap();
    assert_eq!(command.get(T, b"b").unwrap().unwrap(), b"200");
}

#[test]
fn the_second_writer_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut daemon = open(&path);
    daemon.begin().unwrap();
    daemon.put(T, b"a", b"1").unwrap();
    let (began, wait) = mpsc::channel();
    let command = thread::spawn(move || {
        // Opening does not wait for the writer; beginning does.
        let mut command = open(&path);
        began.send(()).unwrap();
        command.begin().unwrap();
        let seen = command.get(T, b"a").unwrap();
        command.put(T, b"b", b"2").unwrap();
        command.commit().unwrap();
        seen
    });
    wait.recv().unwrap();
    thread::sleep(Duration::from_millis(150));
    daemon.commit().unwrap();
    assert_eq!(command.join().unwrap().unwrap(), b"1");
    assert_eq!(all(&daemon, T).len(), 2);
}

#[test]
fn it_waits_no_longer_than_it_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut daemon = open(&path);
    let mut options = Options::default();
    options.busy_timeout = Duration::from_millis(100);
    let mut command = SqliteStore::open(&path, options).unwrap();
    daemon.begin().unwrap();
    let start = Instant::now();
    let error = command.begin().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("another process keeps the store locked"),
        "{error}"
    );
    assert!(
        (50..4_500).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );
    assert!(!command.in_transaction());
    daemon.rollback().unwrap();
    put(&mut command, T, &[(b"a", b"1")]);
}

#[test]
fn nothing_is_lost_between_writers() {
    const EACH: u64 = 150;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    drop(open(&path));
    let number = |store: &SqliteStore| {
        let value = store.get(T, b"sum").unwrap();
        value.map_or(0, |value| u64::from_be_bytes(value.try_into().unwrap()))
    };
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut options = Options::default();
                options.busy_timeout = Duration::from_secs(60);
                let mut store = SqliteStore::open(&path, options).unwrap();
                for _ in 0..EACH {
                    store.begin().unwrap();
                    let next = number(&store) + 1;
                    store.put(T, b"sum", &next.to_be_bytes()).unwrap();
                    store.commit().unwrap();
                }
            });
        }
    });
    assert_eq!(number(&open(&path)), 3 * EACH);
}

#[test]
fn a_reader_reads_beside_the_writer_and_does_not_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut daemon = open(&path);
    put(&mut daemon, T, &[(b"a", b"1")]);
    let mut reader = SqliteStore::open_read_only(&path).unwrap();
    daemon.begin().unwrap();
    daemon.put(T, b"a", b"2").unwrap();
    assert_eq!(reader.get(T, b"a").unwrap().unwrap(), b"1");
    daemon.commit().unwrap();
    assert_eq!(reader.get(T, b"a").unwrap().unwrap(), b"2");
    let refused = StoreError::Misuse("the store is open for reading only");
    assert_eq!(reader.begin(), Err(refused.clone()));
    assert_eq!(reader.compact(), Err(refused));
    assert!(matches!(
        reader.put(T, b"a", b"3"),
        Err(StoreError::Misuse(_))
    ));
    assert!(reader.verify(|_| ()).unwrap().is_sound());
    drop(daemon);
    assert_eq!(reader.get(T, b"a").unwrap().unwrap(), b"2");
    drop(reader);
    let idle = SqliteStore::open_read_only(&path).unwrap();
    assert_eq!(idle.get(T, b"a").unwrap().unwrap(), b"2");
}

#[test]
fn a_pinned_reader_sees_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut daemon = open(&path);
    put(&mut daemon, T, &[(b"a", b"1")]);
    assert!(matches!(daemon.pin(), Err(StoreError::Misuse(_))));
    let mut reader = SqliteStore::open_read_only(&path).unwrap();
    reader.pin().unwrap();
    put(&mut daemon, T, &[(b"a", b"2")]);
    assert!(matches!(reader.pin(), Err(StoreError::Misuse(_))));
    assert_eq!(reader.get(T, b"a").unwrap().unwrap(), b"1");
    assert!(reader.verify(|_| ()).unwrap().is_sound());
    assert!(matches!(reader.commit(), Err(StoreError::Misuse(_))));
    assert_eq!(reader.get(T, b"a").unwrap().unwrap(), b"1");
    assert!(matches!(
        reader.put(T, b"a", b"3"),
        Err(StoreError::Misuse(_))
    ));
    assert_eq!(reader.get(T, b"a").unwrap().unwrap(), b"2");
}

#[test]
fn a_handle_moves_between_threads() {
    let folder = tempfile::tempdir().unwrap();
    let mut store: Box<dyn Store> = Box::new(open(&folder.path().join("store.db")));
    store.begin().unwrap();
    let mut store = thread::spawn(move || {
        store.put(T, b"a", b"1").unwrap();
        store
    })
    .join()
    .unwrap();
    store.commit().unwrap();
    assert_eq!(store.get(T, b"a").unwrap().unwrap(), b"1");
}
