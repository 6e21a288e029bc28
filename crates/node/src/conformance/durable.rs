//! What must hold across closing, crashing and failing.

use super::{END, LARGE_VALUE_BYTES, Outcome, fault, fill, get, refused, same, value};
use crate::store::{Row, Store, Table};

/// What a store holds after it was closed and opened again.
pub(super) fn durable<S: Store>(mut store: S, reopen: &mut impl FnMut(S) -> S) -> Outcome {
    let large = value(1, LARGE_VALUE_BYTES);
    for table in Table::ALL {
        fill(
            &mut store,
            table,
            &[(b"kept", table.name().as_bytes()), (b"goes", b"")],
        )?;
    }
    fill(&mut store, Table::Bodies, &[(b"large", &large)])?;
    store.begin().map_err(fault)?;
    for table in Table::ALL {
        store.delete(table, b"goes").map_err(fault)?;
    }
    store.commit().map_err(fault)?;
    store.begin().map_err(fault)?;
    for table in Table::ALL {
        store.put(table, b"kept", b"uncommitted").map_err(fault)?;
        store.put(table, b"new", &large[..5_000]).map_err(fault)?;
    }
    let mut store = reopen(store);
    for table in Table::ALL {
        same(
            "committed",
            get(&store, table, b"kept")?,
            Some(table.name().as_bytes().to_vec()),
        )?;
        same("deleted", get(&store, table, b"goes")?, None)?;
        same("uncommitted", get(&store, table, b"new")?, None)?;
    }
    let seen = get(&store, Table::Bodies, b"large")?;
    same("large value kept", seen.as_ref() == Some(&large), true)?;
    refused("a put after reopening", store.put(Table::Meta, b"k", b"v"))?;
    fill(&mut store, Table::Meta, &[(b"k", b"v")])?;
    let store = reopen(store);
    let store = reopen(store);
    same(
        "reopened twice",
        get(&store, Table::Meta, b"k")?,
        Some(b"v".to_vec()),
    )
}

/// What a failed transaction leaves.
pub(super) fn failing<S: Store>(
    store: &mut S,
    arm: &mut impl FnMut(&mut S),
    disarm: &mut impl FnMut(&mut S),
) -> Outcome {
    let table = Table::Bodies;
    let large = value(2, LARGE_VALUE_BYTES);
    fill(store, table, &[(b"a", b"1"), (b"b", b"2")])?;
    arm(store);
    let outcome = (|| {
        store.begin()?;
        store.delete(table, b"a")?;
        store.put(table, b"b", b"changed")?;
        store.put(Table::Meta, b"c", &large)?;
        store.put(table, b"c", &large)?;
        store.commit()
    })();
    same("failed", outcome.is_err(), true)?;
    let wanted: Vec<Row> = [("a", "1"), ("b", "2")]
        .map(|(key, value)| (key.into(), value.into()))
        .to_vec();
    same(
        "left",
        store.scan(table, b"", END, 9).map_err(fault)?,
        wanted.clone(),
    )?;
    same(
        "left in another table",
        get(store, Table::Meta, b"c")?,
        None,
    )?;
    refused("a put after the failure", store.put(table, b"d", b""))?;
    refused("a commit after the failure", store.commit())?;
    same("a rollback after the failure", store.rollback(), Ok(()))?;
    disarm(store);
    same(
        "left in the end",
        store.scan(table, b"", END, 9).map_err(fault)?,
        wanted,
    )?;
    fill(store, table, &[(b"c", &large)])?;
    same(
        "works again",
        get(store, table, b"c")?.as_ref() == Some(&large),
        true,
    )
}
