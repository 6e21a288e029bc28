//! A recipient whose store was damaged: it says so, and serves nothing wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use world::{Node, World, shown, texts};

const SEED: u64 = 7;
const PAGE_BYTES: usize = 8_192;
/// The parts of a store, and how often each is damaged.
const CASES: [(&str, usize); 4] = [("", 8), ("-wal", 4), ("-shm", 2), ("cut", 4)];

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

/// The three files of a store.
struct Files([Option<Vec<u8>>; 3]);

const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

impl Files {
    fn read(path: &Path) -> Self {
        Self(SUFFIXES.map(|suffix| fs::read(beside(path, suffix)).ok()))
    }

    fn write(&self, path: &Path) {
        for (suffix, bytes) in SUFFIXES.iter().zip(&self.0) {
            let path = beside(path, suffix);
            match bytes {
                Some(bytes) => fs::write(path, bytes).unwrap(),
                None => drop(fs::remove_file(path)),
            }
        }
    }
}

/// Changes one file; says what was done.
fn damage(path: &Path, part: &str, rng: &mut StdRng) -> String {
    let suffix = match part {
        "cut" => SUFFIXES[rng.gen_range(0..2)],
        suffix => suffix,
    };
    let file = beside(path, suffix);
    let mut bytes = fs::read(&file).unwrap();
    let at = match rng.gen_range(0..3) {
        // The header of the file, of a page, or anywhere.
        0 => rng.gen_range(0..100),
        1 => rng.gen_range(0..bytes.len() / PAGE_BYTES) * PAGE_BYTES + rng.gen_range(0..100),
        _ => rng.gen_range(0..bytes.len()),
    };
    if part == "cut" {
        bytes.truncate(at);
    } else {
        bytes[at] ^= 1 << rng.gen_range(0..8);
    }
    fs::write(&file, &bytes).unwrap();
    format!("'{suffix}' {part} at {at} of {}", bytes.len())
}

/// Whether a command says that something is wrong. Anything but a panic is an answer.
fn complains(node: &Node, words: &[&str]) -> bool {
    let ended = node.run(words);
    let code = ended.code;
    assert!(matches!(code, Some(0 | 1)), "{words:?}: {}", ended.story);
    code == Some(1)
}

#[test]
fn damage_is_reported_and_never_served() {
    let mut world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    let sent: Vec<String> = (0..6).map(|number| format!("letter {number}")).collect();
    for (number, text) in sent.iter().enumerate() {
        if number == 3 {
            // Half of them in the file, half in the log.
            let store = rusqlite::Connection::open(world.b.store()).unwrap();
            let mode = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
            store
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], mode)
                .unwrap();
        }
        peter.send("bobo", text);
    }
    world.b.kill_9();
    let path = world.b.store();
    let whole = Files::read(&path);
    assert!(whole.0.iter().all(Option::is_some), "killed with its log");
    assert!(!complains(&world.b, &["ledger", "verify"]));
    let home = bobo.file("home/client.db");
    let client = Files::read(&home);

    let mut rng = StdRng::seed_from_u64(SEED);
    let mut found = 0;
    for (part, times) in CASES {
        for _ in 0..times {
            whole.write(&path);
            client.write(&home);
            let what = damage(&path, part, &mut rng);
            let checked = complains(&world.b, &["check"]);
            let verified = complains(&world.b, &["ledger", "verify"]);
            if checked {
                assert!(verified, "{what}: `check` complains, `verify` does not");
            }
            let served = world.b.try_start().then(|| {
                let lines = bobo.via(&["listen", "--count", "6", "--for", "3"]).lines;
                world.b.kill_9();
                texts(&shown(&lines))
            });
            if let Some(served) = &served {
                let known: BTreeSet<&String> = sent.iter().collect();
                assert!(served.iter().all(|text| known.contains(text)), "{what}");
                let once: BTreeSet<&String> = served.iter().collect();
                assert_eq!(once.len(), served.len(), "{what}: twice");
            }
            let all = served.is_some_and(|served| served == sent);
            assert!(verified || all, "{what}: lost, and nothing is said");
            found += usize::from(verified);
        }
    }
    assert!(found > 6, "{found} of all were found");
}
