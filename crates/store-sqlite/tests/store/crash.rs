//! What was committed survives the process: it is killed, and its log is torn.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use layer_minus_node::store::{Store, Table};
use layer_minus_store_sqlite::SqliteStore;

use crate::{all, noise, open};

/// Set for the process that is to be killed: where its store is.
const CHILD: &str = "STORE_CRASH_CHILD";
const KILLS: u64 = 20;
/// Bodies kept: older ones are deleted, so that kills also meet deletions and reused room.
const KEPT: u64 = 30;
const BODY_BYTES: usize = 200_000;

fn key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// One transaction over tables of both shapes.
fn commit(store: &mut SqliteStore, number: u64) {
    store.begin().unwrap();
    store.put(Table::Meta, b"newest", &key(number)).unwrap();
    store
        .put(Table::Bodies, &key(number), &noise(number, BODY_BYTES))
        .unwrap();
    store.put(Table::Seen, &key(number), b"").unwrap();
    if let Some(old) = number.checked_sub(KEPT) {
        store.delete(Table::Bodies, &key(old)).unwrap();
    }
    store.commit().unwrap();
}

fn newest(store: &SqliteStore) -> u64 {
    let value = store.get(Table::Meta, b"newest").unwrap();
    value.map_or(0, |value| u64::from_be_bytes(value.try_into().unwrap()))
}

/// The store holds exactly the transactions up to its newest, whole.
fn check(store: &SqliteStore) -> u64 {
    let newest = newest(store);
    let seen: Vec<_> = all(store, Table::Seen)
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(
        seen,
        (1..=newest)
            .map(|number| key(number).to_vec())
            .collect::<Vec<_>>()
    );
    let bodies = all(store, Table::Bodies);
    let kept = (newest.saturating_sub(KEPT) + 1)..=newest;
    assert_eq!(bodies.len(), kept.clone().count());
    for ((found, body), number) in bodies.into_iter().zip(kept) {
        assert_eq!(found, key(number));
        assert!(
            body == noise(number, BODY_BYTES),
            "body {number} is another"
        );
    }
    let report = store.verify(|_| ()).unwrap();
    assert!(report.is_sound(), "{report:?}");
    newest
}

/// Not a test of its own: the process that `killed_in_the_middle` kills.
#[test]
fn child() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let mut store = open(Path::new(&path));
    let mut number = newest(&store);
    loop {
        number += 1;
        commit(&mut store, number);
        let mut out = std::io::stdout().lock();
        writeln!(out, "\ncommitted {number}").unwrap();
        out.flush().unwrap();
    }
}

/// Kills it after `lines` commits or a little later; returns the last commit it told of.
fn kill_after(mut child: Child, lines: u64) -> u64 {
    let mut last = 0;
    let mut left = lines;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some(number) = line.strip_prefix("committed ") else {
            continue;
        };
        last = number.parse().unwrap();
        left = left.saturating_sub(1);
        if left == 0 {
            // The kill meets it at work on what comes next; what it still tells is read too.
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
    last
}

#[test]
fn killed_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut told = 0;
    for round in 0..KILLS {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::child", "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let last = kill_after(child, 1 + round * 7 % 40);
        assert!(last > told, "round {round}: nothing was committed");
        told = last;
        let kept = check(&open(&path));
        assert!(
            kept >= told,
            "round {round}: {told} was told, {kept} is the newest"
        );
    }
}

/// The log as a power loss could leave it: cut anywhere, or with a bad sector. What remains is
/// always whole transactions, up to some point.
#[test]
fn a_torn_log_leaves_whole_transactions() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (
        folder.path().join("store.db"),
        folder.path().join("copy.db"),
    );
    let mut store = open(&path);
    for number in 1..=20 {
        commit(&mut store, number);
    }
    let database = std::fs::read(&path).unwrap();
    let log = std::fs::read(folder.path().join("store.db-wal")).unwrap();
    let mut newest_of_cuts = std::collections::BTreeSet::new();
    for step in 0..40 {
        let mut torn = log.clone();
        let at = log.len() * step / 39;
        if step % 4 == 3 && at < log.len() {
            torn[at] ^= 0x10;
        } else {
            torn.truncate(at);
        }
        std::fs::write(&copy, &database).unwrap();
        std::fs::write(folder.path().join("copy.db-wal"), &torn).unwrap();
        let _ = std::fs::remove_file(folder.path().join("copy.db-shm"));
        newest_of_cuts.insert(check(&open(&copy)));
    }
    assert!(
        newest_of_cuts.contains(&0) && newest_of_cuts.contains(&20),
        "{newest_of_cuts:?}"
    );
    assert!(newest_of_cuts.len() > 10, "{newest_of_cuts:?}");
}
