//! Stores that are wrong in one way: the suite must notice, or it proves nothing.

use super::*;
use crate::memory::MemoryStore;

/// A store that is wrong in one way: the suite must notice, or it proves nothing.
struct Faulty {
    inner: MemoryStore,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    ToIncluded,
    LimitIgnored,
    Descending,
    RollbackCommits,
    ErrorKeepsTransaction,
    TablesShared,
    DeleteForgotten,
    LargeValuesCut,
    EmptyIsMissing,
    CommitForgotten,
}

impl Faulty {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn table(&self, table: Table) -> Table {
        if self.is(Fault::TablesShared) {
            Table::Meta
        } else {
            table
        }
    }
}

impl Store for Faulty {
    fn begin(&mut self) -> Result<(), StoreError> {
        let before = self.inner.clone();
        let outcome = self.inner.begin();
        if outcome.is_err() && self.is(Fault::ErrorKeepsTransaction) {
            self.inner = before;
        }
        outcome
    }
    fn commit(&mut self) -> Result<(), StoreError> {
        if self.is(Fault::CommitForgotten) {
            let before = self.inner.crashed();
            let outcome = self.inner.commit();
            self.inner = before;
            return outcome;
        }
        self.inner.commit()
    }
    fn rollback(&mut self) -> Result<(), StoreError> {
        if self.is(Fault::RollbackCommits) && self.inner.commit().is_ok() {
            return Ok(());
        }
        self.inner.rollback()
    }
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let seen = self.inner.get(self.table(table), key)?;
        Ok(seen.filter(|value| !(self.is(Fault::EmptyIsMissing) && value.is_empty())))
    }
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let cut = if self.is(Fault::LargeValuesCut) {
            1_000_000
        } else {
            usize::MAX
        };
        self.inner
            .put(self.table(table), key, &value[..value.len().min(cut)])
    }
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        if self.is(Fault::DeleteForgotten) {
            return self.inner.put(self.table(table), key, b"");
        }
        self.inner.delete(self.table(table), key)
    }
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let to = if self.is(Fault::ToIncluded) && from < to {
            [to, &[0]].concat()
        } else {
            to.to_vec()
        };
        let limit = if self.is(Fault::LimitIgnored) {
            usize::MAX
        } else {
            limit
        };
        let mut rows = self.inner.scan(self.table(table), from, &to, limit)?;
        if self.is(Fault::Descending) {
            rows.reverse();
        }
        Ok(rows)
    }
}

#[test]
fn every_fault_is_found() {
    use Fault::*;
    let run = |fault| {
        run(move || Faulty {
            inner: MemoryStore::new(),
            fault,
        })
    };
    run(None).unwrap();
    for (fault, check) in [
        (ToIncluded, "ranges"),
        (LimitIgnored, "limits"),
        (Descending, "order"),
        (RollbackCommits, "rollback"),
        (ErrorKeepsTransaction, "misuse"),
        (TablesShared, "separate tables"),
        (DeleteForgotten, "separate tables"),
        (LargeValuesCut, "large values"),
        (EmptyIsMissing, "empty keys and values"),
        (CommitForgotten, "separate tables"),
    ] {
        let why = run(fault).expect_err("a fault went unnoticed");
        assert!(
            why.starts_with(check),
            "{fault:?} was found by another check: {why}"
        );
    }
}

#[test]
fn a_store_that_forgets_on_reopening_is_found() {
    let why = run_durable(MemoryStore::new, |_| MemoryStore::new()).unwrap_err();
    assert!(why.starts_with("reopening: committed"), "{why}");
    let why = run_durable(MemoryStore::new, |mut store: MemoryStore| {
        let _ = store.commit();
        store
    })
    .unwrap_err();
    assert!(why.starts_with("reopening: committed"), "{why}");
}

#[test]
fn a_store_that_does_not_fail_is_found() {
    let why = run_failing(MemoryStore::new, |_| (), |_| ()).unwrap_err();
    assert!(why.starts_with("failed commit: failed"), "{why}");
}
