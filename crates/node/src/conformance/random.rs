//! Random sequences of operations against a model.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{END, Outcome, RANDOM_STEPS, fault, get, refused, same, value};
use crate::store::{Row, Store, Table};

/// The rows of every table, as a store should hold them.
type Model = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// Random operations, each compared with a map; with `reopen`, the store is now and then closed.
pub(super) fn random<S: Store>(
    mut store: S,
    seed: u64,
    mut reopen: Option<&mut dyn FnMut(S) -> S>,
) -> Outcome {
    let rng = &mut StdRng::seed_from_u64(seed);
    let mut committed = Model::new();
    let mut open: Option<Model> = None;
    for step in 0..RANDOM_STEPS {
        let table = [Table::Clients, Table::Packets, Table::Bodies][rng.gen_range(0..3)];
        let (key, other) = (random_key(rng), random_key(rng));
        let view = open.as_ref().unwrap_or(&committed);
        let outcome = match rng.gen_range(0..100) {
            0..8 if open.is_none() => {
                open = Some(committed.clone());
                store.begin().map_err(fault)
            }
            0..8 if rng.gen_ratio(1, 20) => {
                open = None;
                refused("begin", store.begin())
            }
            8..13 => match open.take() {
                Some(model) => {
                    committed = model;
                    store.commit().map_err(fault)
                }
                None => refused("commit", store.commit()),
            },
            13..15 => {
                open = None;
                store.rollback().map_err(fault)
            }
            15 => match &mut reopen {
                Some(reopen) => {
                    open = None;
                    store = reopen(store);
                    Ok(())
                }
                None => Ok(()),
            },
            16..50 => {
                let bytes = if rng.gen_ratio(1, 10) { 20_000 } else { 60 };
                let value = value(rng.r#gen(), rng.gen_range(0..bytes));
                match &mut open {
                    Some(model) => {
                        let put = store.put(table, &key, &value).map_err(fault);
                        model.insert((table, key), value);
                        put
                    }
                    None => refused("put", store.put(table, &key, &value)),
                }
            }
            50..65 => match &mut open {
                Some(model) => {
                    let deleted = store.delete(table, &key).map_err(fault);
                    model.remove(&(table, key));
                    deleted
                }
                None => refused("delete", store.delete(table, &key)),
            },
            65..85 => {
                let wanted = view.get(&(table, key.clone())).cloned();
                get(&store, table, &key).and_then(|seen| same("get", seen, wanted))
            }
            _ => {
                let limit = rng.gen_range(0..12);
                let wanted = model_scan(view, table, &key, &other, limit);
                let seen = store.scan(table, &key, &other, limit).map_err(fault);
                seen.and_then(|seen| same("scan", seen, wanted))
            }
        };
        outcome.map_err(|why| format!("step {step}: {why}"))?;
    }
    let view = open.as_ref().unwrap_or(&committed);
    for table in Table::ALL {
        let wanted = model_scan(view, table, b"", END, usize::MAX);
        let seen = store.scan(table, b"", END, usize::MAX).map_err(fault)?;
        same("everything in the end", seen == wanted, true)?;
    }
    Ok(())
}

/// Short keys of few letters, so that sequences meet them again.
fn random_key(rng: &mut StdRng) -> Vec<u8> {
    (0..rng.gen_range(0..4))
        .map(|_| [0, 1, 0x80, 0xff][rng.gen_range(0..4)])
        .collect()
}

fn model_scan(model: &Model, table: Table, from: &[u8], to: &[u8], limit: usize) -> Vec<Row> {
    model
        .iter()
        .filter(|((of, key), _)| *of == table && from <= key.as_slice() && key.as_slice() < to)
        .take(limit)
        .map(|((_, key), value)| (key.clone(), value.clone()))
        .collect()
}
