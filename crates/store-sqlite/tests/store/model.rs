//! Sequences of operations, the same on SQLite and in memory.

use layer_minus_node::memory::MemoryStore;
use layer_minus_node::store::{Store, Table};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{END, open};

#[derive(Clone, Debug)]
enum Op {
    Begin,
    Commit,
    Rollback,
    Put(Table, Vec<u8>, Vec<u8>),
    Delete(Table, Vec<u8>),
    Get(Table, Vec<u8>),
    Scan(Table, Vec<u8>, Vec<u8>, usize),
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    // One table of each shape.
    let table = || prop_oneof![Just(Table::Seen), Just(Table::Bodies)];
    let key = || {
        vec(
            prop_oneof![Just(0_u8), Just(1), Just(0x7f), Just(0x80), Just(0xff)],
            0..4,
        )
    };
    let value = prop_oneof![
        8 => vec(any::<u8>(), 0..50),
        1 => (any::<u8>(), 2_000..60_000_usize).prop_map(|(byte, bytes)| vec![byte; bytes]),
    ];
    prop_oneof![
        3 => Just(Op::Begin),
        2 => Just(Op::Commit),
        1 => Just(Op::Rollback),
        8 => (table(), key(), value).prop_map(|(table, key, value)| Op::Put(table, key, value)),
        4 => (table(), key()).prop_map(|(table, key)| Op::Delete(table, key)),
        4 => (table(), key()).prop_map(|(table, key)| Op::Get(table, key)),
        4 => (table(), key(), key(), 0..9_usize)
            .prop_map(|(table, from, to, limit)| Op::Scan(table, from, to, limit)),
        1 => Just(Op::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_does_what_memory_does(ops in vec(op(), 1..80)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let (mut sqlite, mut memory) = (open(&path), MemoryStore::new());
        for op in ops {
            match op {
                Op::Begin => prop_assert_eq!(sqlite.begin(), memory.begin()),
                Op::Commit => prop_assert_eq!(sqlite.commit(), memory.commit()),
                Op::Rollback => prop_assert_eq!(sqlite.rollback(), memory.rollback()),
                Op::Put(table, key, value) => prop_assert_eq!(
                    sqlite.put(table, &key, &value),
                    memory.put(table, &key, &value)
                ),
                Op::Delete(table, key) => {
                    prop_assert_eq!(sqlite.delete(table, &key), memory.delete(table, &key));
                }
                Op::Get(table, key) => {
                    prop_assert_eq!(sqlite.get(table, &key), memory.get(table, &key));
                }
                Op::Scan(table, from, to, limit) => prop_assert_eq!(
                    sqlite.scan(table, &from, &to, limit),
                    memory.scan(table, &from, &to, limit)
                ),
                Op::Reopen => {
                    drop(sqlite);
                    sqlite = open(&path);
                    memory = memory.crashed();
                }
            }
        }
        for table in Table::ALL {
            prop_assert_eq!(
                sqlite.scan(table, b"", END, usize::MAX),
                memory.scan(table, b"", END, usize::MAX)
            );
        }
        let report = sqlite.verify(|_| ()).unwrap();
        prop_assert!(report.is_sound(), "{:?}", report);
    }
}
