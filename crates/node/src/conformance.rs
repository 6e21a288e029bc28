//! One suite of checks that every [`Store`] must pass.
//!
//! It is plain code, not a test, so that the crate of any store can run it:
//! [`run`] for every store, [`run_durable`] for one that can be closed and opened again,
//! [`run_failing`] for one that can be told to fail. Each returns the name of the first failed
//! check and what was seen.

mod durable;
mod random;
#[cfg(test)]
mod tests;

use std::fmt::Debug;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use self::durable::{durable, failing};
use self::random::random;
use crate::store::{Row, Store, StoreError, Table};

/// Seeds of the random sequences that one run tries.
pub const RANDOM_SEEDS: u64 = 8;
/// Operations in each random sequence.
pub const RANDOM_STEPS: usize = 400;
/// The size of the largest values that are tried, in bytes: a large packet's, and a little more.
pub const LARGE_VALUE_BYTES: usize = 1 << 20;

/// `Ok`, or what a check saw instead of what it wanted.
type Outcome = Result<(), String>;
/// A check of a new, empty store.
type Check<S> = (&'static str, fn(&mut S) -> Outcome);

/// Above every key that the suite uses.
const END: &[u8] = &[0xff; 40];
/// Keys in ascending order: empty, prefixes of each other, every sign bit.
const KEYS: [&[u8]; 10] = [
    b"",
    b"\0",
    b"\0\0",
    b"\0\x01",
    b"\x01",
    b"a",
    b"a\0",
    b"\x7f\xff",
    b"\x80",
    b"\xff\xff",
];

/// Runs every check, each on a store fresh from `make`.
///
/// # Errors
/// The name of the first check that failed, and why.
pub fn run<S: Store>(mut make: impl FnMut() -> S) -> Outcome {
    let checks: [Check<S>; 13] = [
        ("an empty store", empty_store),
        ("separate tables", separate_tables),
        ("order", order),
        ("ranges", ranges),
        ("limits", limits),
        ("empty keys and values", empty_keys_and_values),
        ("large values", large_values),
        ("overwriting", overwriting),
        ("deleting", deleting),
        ("visibility inside the transaction", visibility),
        ("rollback", rollback),
        ("misuse", misuse),
        ("paging through many rows", paging),
    ];
    for (name, check) in checks {
        check(&mut make()).map_err(|why| format!("{name}: {why}"))?;
    }
    for seed in 0..RANDOM_SEEDS {
        random(make(), seed, None)
            .map_err(|why| format!("random operations, seed {seed}: {why}"))?;
    }
    Ok(())
}

/// Runs [`run`], then what must hold across closing and opening: `reopen` closes the store, or
/// lets it crash, and opens what is left.
///
/// # Errors
/// The name of the first check that failed, and why.
pub fn run_durable<S: Store>(
    mut make: impl FnMut() -> S,
    mut reopen: impl FnMut(S) -> S,
) -> Outcome {
    run(&mut make)?;
    durable(make(), &mut reopen).map_err(|why| format!("reopening: {why}"))?;
    for seed in 0..RANDOM_SEEDS {
        random(make(), seed, Some(&mut reopen))
            .map_err(|why| format!("random operations and reopening, seed {seed}: {why}"))?;
    }
    Ok(())
}

/// Checks a transaction that fails: after `arm` the next one that adds two rows of
/// [`LARGE_VALUE_BYTES`] must fail, in a write or in the commit; after `disarm` the store must
/// work again.
///
/// # Errors
/// What was left of the failed transaction, or that nothing failed.
pub fn run_failing<S: Store>(
    mut make: impl FnMut() -> S,
    mut arm: impl FnMut(&mut S),
    mut disarm: impl FnMut(&mut S),
) -> Outcome {
    let store = &mut make();
    failing(store, &mut arm, &mut disarm).map_err(|why| format!("failed commit: {why}"))
}

fn fault(error: StoreError) -> String {
    format!("unexpected error: {error}")
}

fn same<T: PartialEq + Debug>(what: &str, seen: T, wanted: T) -> Outcome {
    if seen == wanted {
        Ok(())
    } else {
        Err(format!("{what}: saw {seen:?}, wanted {wanted:?}"))
    }
}

fn refused<T: Debug>(what: &str, seen: Result<T, StoreError>) -> Outcome {
    match seen {
        Err(StoreError::Misuse(_)) => Ok(()),
        other => Err(format!("{what}: saw {other:?}, wanted misuse")),
    }
}

/// Commits `rows` to `table` in one transaction.
fn fill<S: Store>(store: &mut S, table: Table, rows: &[(&[u8], &[u8])]) -> Outcome {
    store.begin().map_err(fault)?;
    for (key, value) in rows {
        store.put(table, key, value).map_err(fault)?;
    }
    store.commit().map_err(fault)
}

fn get<S: Store>(store: &S, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
    store.get(table, key).map_err(fault)
}

fn keys<S: Store>(
    store: &S,
    table: Table,
    from: &[u8],
    to: &[u8],
    limit: usize,
) -> Result<Vec<Vec<u8>>, String> {
    let rows = store.scan(table, from, to, limit).map_err(fault)?;
    Ok(rows.into_iter().map(|(key, _)| key).collect())
}

fn owned(keys: &[&[u8]]) -> Vec<Vec<u8>> {
    keys.iter().map(|key| key.to_vec()).collect()
}

fn empty_store<S: Store>(store: &mut S) -> Outcome {
    for table in Table::ALL {
        same("get", get(store, table, b"key")?, None)?;
        same("get of the empty key", get(store, table, b"")?, None)?;
        same("scan", keys(store, table, b"", END, usize::MAX)?, vec![])?;
    }
    store.begin().map_err(fault)?;
    store.commit().map_err(fault)
}

fn order<S: Store>(store: &mut S) -> Outcome {
    for table in Table::ALL {
        store.begin().map_err(fault)?;
        // Neither ascending nor descending.
        for index in [3, 9, 0, 5, 1, 8, 2, 7, 4, 6] {
            store
                .put(table, KEYS[index], &[index as u8])
                .map_err(fault)?;
        }
        store.commit().map_err(fault)?;
        let wanted: Vec<Row> = KEYS
            .iter()
            .enumerate()
            .map(|(index, key)| (key.to_vec(), vec![index as u8]))
            .collect();
        same(
            table.name(),
            store.scan(table, b"", END, usize::MAX).map_err(fault)?,
            wanted,
        )?;
    }
    Ok(())
}

fn ranges<S: Store>(store: &mut S) -> Outcome {
    for table in [Table::Packets, Table::Bodies] {
        fill(store, table, &KEYS.map(|key| (key, b"v".as_slice())))?;
        for (low, from) in KEYS.iter().enumerate() {
            for (high, to) in KEYS.iter().enumerate() {
                let wanted = if low < high {
                    owned(&KEYS[low..high])
                } else {
                    vec![]
                };
                same("range", keys(store, table, from, to, usize::MAX)?, wanted)?;
            }
        }
        let between = keys(store, table, b"a\0\0", b"\x80\0", usize::MAX)?;
        same("bounds between keys", between, owned(&KEYS[7..9]))?;
        same("a gap", keys(store, table, b"b", b"c", usize::MAX)?, vec![])?;
    }
    Ok(())
}

fn limits<S: Store>(store: &mut S) -> Outcome {
    for table in [Table::Retention, Table::Bodies] {
        fill(store, table, &KEYS.map(|key| (key, key)))?;
        for limit in 0..KEYS.len() + 2 {
            let wanted = owned(&KEYS[..limit.min(KEYS.len())]);
            same("first rows", keys(store, table, b"", END, limit)?, wanted)?;
        }
        same(
            "later rows",
            keys(store, table, b"a", END, 2)?,
            owned(&KEYS[5..7]),
        )?;
    }
    Ok(())
}

fn empty_keys_and_values<S: Store>(store: &mut S) -> Outcome {
    for table in [Table::Meta, Table::Bodies] {
        fill(store, table, &[(b"", b"of empty"), (b"k", b"")])?;
        same(
            "empty key",
            get(store, table, b"")?,
            Some(b"of empty".to_vec()),
        )?;
        same("empty value", get(store, table, b"k")?, Some(vec![]))?;
        same("scan", keys(store, table, b"", b"\0", 9)?, vec![vec![]])?;
        fill(store, table, &[(b"", b"")])?;
        same("both empty", get(store, table, b"")?, Some(vec![]))?;
        store.begin().map_err(fault)?;
        store.delete(table, b"").map_err(fault)?;
        store.commit().map_err(fault)?;
        same("deleted empty key", get(store, table, b"")?, None)?;
    }
    Ok(())
}

/// A value that differs at every few bytes and from seed to seed.
fn value(seed: u8, bytes: usize) -> Vec<u8> {
    let mut value = vec![seed; bytes];
    StdRng::seed_from_u64(u64::from(seed)).fill(value.as_mut_slice());
    value
}

fn large_values<S: Store>(store: &mut S) -> Outcome {
    let sizes = [1_000, 4_096, 65_537, 1_000_000, LARGE_VALUE_BYTES];
    for table in [Table::Bodies, Table::Meta] {
        store.begin().map_err(fault)?;
        for (seed, bytes) in sizes.into_iter().enumerate() {
            let seed = seed as u8;
            store
                .put(table, &[seed], &value(seed, bytes))
                .map_err(fault)?;
        }
        store.commit().map_err(fault)?;
        for (seed, bytes) in sizes.into_iter().enumerate() {
            let seed = seed as u8;
            let seen = get(store, table, &[seed])?;
            let wanted = Some(value(seed, bytes));
            same("a large value came back", seen == wanted, true)?;
        }
        let rows = store.scan(table, b"", END, usize::MAX).map_err(fault)?;
        let lengths: Vec<usize> = rows.iter().map(|(_, value)| value.len()).collect();
        same("lengths in a scan", lengths, sizes.to_vec())?;
    }
    Ok(())
}

fn overwriting<S: Store>(store: &mut S) -> Outcome {
    for table in [Table::Accounts, Table::Bodies] {
        for value in [
            b"first".as_slice(),
            b"a longer second",
            b"",
            b"3",
            &[7; 70_000],
            b"last",
        ] {
            fill(store, table, &[(b"k", value)])?;
            same(
                "value",
                get(store, table, b"k")? == Some(value.to_vec()),
                true,
            )?;
        }
        fill(store, table, &[(b"k", b"x"), (b"k", b"y")])?;
        same(
            "last of a transaction",
            get(store, table, b"k")?,
            Some(b"y".to_vec()),
        )?;
        same("rows", keys(store, table, b"", END, 9)?, owned(&[b"k"]))?;
    }
    Ok(())
}

fn deleting<S: Store>(store: &mut S) -> Outcome {
    for table in [Table::Receipts, Table::Bodies] {
        fill(store, table, &[(b"a", b"1"), (b"b", b"2"), (b"c", b"3")])?;
        store.begin().map_err(fault)?;
        store.delete(table, b"b").map_err(fault)?;
        store.delete(table, b"b").map_err(fault)?;
        store.delete(table, b"never there").map_err(fault)?;
        store.delete(table, b"c").map_err(fault)?;
        store.put(table, b"c", b"again").map_err(fault)?;
        store.put(table, b"d", b"4").map_err(fault)?;
        store.delete(table, b"d").map_err(fault)?;
        store.commit().map_err(fault)?;
        same("deleted", get(store, table, b"b")?, None)?;
        same(
            "deleted and put",
            get(store, table, b"c")?,
            Some(b"again".to_vec()),
        )?;
        same(
            "rows left",
            keys(store, table, b"", END, 9)?,
            owned(&[b"a", b"c"]),
        )?;
    }
    Ok(())
}

fn visibility<S: Store>(store: &mut S) -> Outcome {
    for table in [Table::Mailboxes, Table::Bodies] {
        fill(store, table, &[(b"a", b"1"), (b"b", b"2"), (b"c", b"3")])?;
        store.begin().map_err(fault)?;
        store.put(table, b"aa", b"new").map_err(fault)?;
        store.put(table, b"b", b"changed").map_err(fault)?;
        store.delete(table, b"c").map_err(fault)?;
        same("a put", get(store, table, b"aa")?, Some(b"new".to_vec()))?;
        same(
            "an overwrite",
            get(store, table, b"b")?,
            Some(b"changed".to_vec()),
        )?;
        same("a deletion", get(store, table, b"c")?, None)?;
        let wanted: Vec<Row> = [("a", "1"), ("aa", "new"), ("b", "changed")]
            .map(|(key, value)| (key.into(), value.into()))
            .to_vec();
        let seen = store.scan(table, b"", END, 9).map_err(fault)?;
        same("scan", seen, wanted.clone())?;
        same(
            "limited scan",
            keys(store, table, b"", END, 2)?,
            owned(&[b"a", b"aa"]),
        )?;
        store.commit().map_err(fault)?;
        same(
            "after the commit",
            store.scan(table, b"", END, 9).map_err(fault)?,
            wanted,
        )?;
    }
    Ok(())
}

fn rollback<S: Store>(store: &mut S) -> Outcome {
    for table in [Table::Transfers, Table::Bodies] {
        fill(store, table, &[(b"a", b"1"), (b"b", b"2")])?;
        store.begin().map_err(fault)?;
        store.put(table, b"a", b"changed").map_err(fault)?;
        store.put(table, b"c", b"3").map_err(fault)?;
        store.delete(table, b"b").map_err(fault)?;
        store.rollback().map_err(fault)?;
        let wanted: Vec<Row> = [("a", "1"), ("b", "2")]
            .map(|(key, value)| (key.into(), value.into()))
            .to_vec();
        same(
            "rows",
            store.scan(table, b"", END, 9).map_err(fault)?,
            wanted,
        )?;
        refused("a put after rollback", store.put(table, b"d", b""))?;
        fill(store, table, &[(b"d", b"4")])?;
        same(
            "the next transaction",
            get(store, table, b"d")?,
            Some(b"4".to_vec()),
        )?;
    }
    Ok(())
}

fn misuse<S: Store>(store: &mut S) -> Outcome {
    let table = Table::Grants;
    refused("a put outside a transaction", store.put(table, b"k", b"v"))?;
    refused("a delete outside a transaction", store.delete(table, b"k"))?;
    refused("a commit outside a transaction", store.commit())?;
    same("a rollback outside a transaction", store.rollback(), Ok(()))?;
    same("a refused put", get(store, table, b"k")?, None)?;
    fill(store, table, &[(b"k", b"v")])?;

    store.begin().map_err(fault)?;
    store.put(table, b"k", b"of the first").map_err(fault)?;
    refused("a second begin", store.begin())?;
    same(
        "what the error rolled back",
        get(store, table, b"k")?,
        Some(b"v".to_vec()),
    )?;
    refused("a put after the error", store.put(table, b"k2", b"v"))?;
    refused("a commit after the error", store.commit())?;
    same("a rollback after the error", store.rollback(), Ok(()))?;
    same(
        "after all of it",
        keys(store, table, b"", END, 9)?,
        owned(&[b"k"]),
    )
}

fn separate_tables<S: Store>(store: &mut S) -> Outcome {
    store.begin().map_err(fault)?;
    for table in Table::ALL {
        store
            .put(table, b"same key", table.name().as_bytes())
            .map_err(fault)?;
    }
    store.commit().map_err(fault)?;
    for table in Table::ALL {
        let seen = get(store, table, b"same key")?;
        same("value", seen, Some(table.name().as_bytes().to_vec()))?;
    }
    store.begin().map_err(fault)?;
    store.delete(Table::Seen, b"same key").map_err(fault)?;
    store.commit().map_err(fault)?;
    for table in Table::ALL {
        let rows = keys(store, table, b"", END, 9)?.len();
        same(
            "rows of a table",
            (table, rows),
            (table, usize::from(table != Table::Seen)),
        )?;
    }
    Ok(())
}

fn paging<S: Store>(store: &mut S) -> Outcome {
    const ROWS: u32 = 2_500;
    const PAGE: usize = 128;
    for table in [Table::SeenExpiry, Table::Bodies] {
        store.begin().map_err(fault)?;
        for number in 0..ROWS {
            // Spread over the table by an odd multiplier, so that rows do not arrive in order.
            let number = number.wrapping_mul(2_654_435_761);
            store
                .put(table, &number.to_be_bytes(), &[0x55; 100])
                .map_err(fault)?;
        }
        store.commit().map_err(fault)?;
        let (mut from, mut seen) = (Vec::new(), Vec::new());
        loop {
            let page = keys(store, table, &from, END, PAGE)?;
            let Some(last) = page.last() else { break };
            from = [last.as_slice(), &[0]].concat();
            seen.extend(page);
        }
        let mut wanted: Vec<Vec<u8>> = (0..ROWS)
            .map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes().to_vec())
            .collect();
        wanted.sort();
        same("every row once, in order", seen == wanted, true)?;
    }
    Ok(())
}
