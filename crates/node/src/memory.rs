//! A store in memory, for tests, simulators and nodes that may forget everything.
//!
//! It keeps the whole contract of [`Store`] but durability: what a power loss would leave is
//! [`MemoryStore::crashed`], a copy without the open transaction. Values are shared between
//! copies, so a simulator may take one at every step. The knobs that make it fail
//! ([`MemoryStore::fail_next_commit`], [`MemoryStore::set_capacity`], [`MemoryStore::damage`]) are
//! for tests; nothing but a caller ever turns them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use crate::store::{Row, Store, StoreError, Table};

/// A committed value and whether a test declared it damaged.
#[derive(Clone)]
struct Kept {
    value: Arc<[u8]>,
    damaged: bool,
}

/// What a transaction does to the rows of one table: a value, or `None` for a deletion.
type Changes = BTreeMap<Vec<u8>, Option<Arc<[u8]>>>;

#[derive(Clone, Default)]
struct Transaction {
    changes: BTreeMap<Table, Changes>,
    /// What the store would hold after the commit.
    used_bytes: u64,
}

/// A [`Store`] that lives as long as its process.
#[derive(Clone, Default)]
pub struct MemoryStore {
    committed: BTreeMap<Table, BTreeMap<Vec<u8>, Kept>>,
    used_bytes: u64,
    open: Option<Transaction>,
    /// A read failed inside the transaction: it is over, though a read cannot take it down.
    over: Cell<bool>,
    commits: u64,
    capacity_bytes: Option<u64>,
    reserve_bytes: u64,
    next_commit_fails: Option<StoreError>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What a power loss now would leave: every commit and nothing of the open transaction.
    ///
    /// Knobs are not carried over. A plain `clone` keeps the open transaction and the knobs.
    #[must_use]
    pub fn crashed(&self) -> Self {
        Self {
            committed: self.committed.clone(),
            used_bytes: self.used_bytes,
            commits: self.commits,
            ..Self::default()
        }
    }

    /// Commits that succeeded, for tests of group commit.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// Bytes of all committed keys and values.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// Committed rows of `table`.
    #[must_use]
    pub fn rows(&self, table: Table) -> usize {
        self.committed.get(&table).map_or(0, BTreeMap::len)
    }

    /// Test knob: the next `commit` of a transaction fails with `error` and leaves nothing.
    pub fn fail_next_commit(&mut self, error: StoreError) {
        self.next_commit_fails = Some(error);
    }

    /// Test knob: a `put` that would bring keys and values over `bytes` fails with
    /// [`StoreError::Full`]; `None` lifts the limit.
    pub fn set_capacity(&mut self, bytes: Option<u64>) {
        self.capacity_bytes = bytes;
    }

    /// Test knob: [`Store::has_room`] says no when less than this is left of the capacity.
    pub fn set_reserve(&mut self, bytes: u64) {
        self.reserve_bytes = bytes;
    }

    /// Test knob: reads that meet this committed row fail with [`StoreError::Damaged`] until it is
    /// overwritten or deleted. False when there is no such row.
    pub fn damage(&mut self, table: Table, key: &[u8]) -> bool {
        let row = self
            .committed
            .get_mut(&table)
            .and_then(|rows| rows.get_mut(key));
        row.map(|kept| kept.damaged = true).is_some()
    }

    /// The transaction that reads see.
    fn current(&self) -> Option<&Transaction> {
        self.open.as_ref().filter(|_| !self.over.get())
    }

    /// The transaction that writes go to.
    fn writable(&mut self) -> Result<&mut Transaction, StoreError> {
        self.settle();
        self.open
            .as_mut()
            .ok_or(StoreError::Misuse("no transaction is open"))
    }

    /// Carries out the end that a failed read could only note.
    fn settle(&mut self) {
        if self.over.replace(false) {
            self.open = None;
        }
    }

    fn serve(&self, table: Table, key: &[u8], kept: &Kept) -> Result<Vec<u8>, StoreError> {
        if kept.damaged {
            self.over.set(self.open.is_some());
            return Err(StoreError::damaged(table, key));
        }
        Ok(kept.value.to_vec())
    }

    /// Bytes of the row that the open transaction sees under `key`.
    fn row_bytes(&self, table: Table, key: &[u8]) -> u64 {
        let changed = self
            .current()
            .and_then(|t| t.changes.get(&table))
            .and_then(|c| c.get(key));
        let value_bytes = match changed {
            Some(change) => change.as_ref().map(|value| value.len()),
            None => self
                .committed
                .get(&table)
                .and_then(|rows| rows.get(key))
                .map(|kept| kept.value.len()),
        };
        value_bytes.map_or(0, |bytes| size_bytes(key.len(), bytes))
    }

    fn change(
        &mut self,
        table: Table,
        key: &[u8],
        value: Option<Arc<[u8]>>,
    ) -> Result<(), StoreError> {
        self.settle();
        let before = self.row_bytes(table, key);
        let after = value
            .as_ref()
            .map_or(0, |value| size_bytes(key.len(), value.len()));
        let capacity = self.capacity_bytes;
        let transaction = self.writable()?;
        let used = transaction
            .used_bytes
            .saturating_sub(before)
            .saturating_add(after);
        if let Some(capacity) = capacity.filter(|&capacity| after > before && used > capacity) {
            self.open = None;
            return Err(StoreError::Full(format!(
                "{used} bytes wanted, {capacity} allowed"
            )));
        }
        transaction.used_bytes = used;
        transaction
            .changes
            .entry(table)
            .or_default()
            .insert(key.to_vec(), value);
        Ok(())
    }
}

fn size_bytes(key: usize, value: usize) -> u64 {
    (key as u64).saturating_add(value as u64)
}

impl Store for MemoryStore {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.settle();
        if self.open.take().is_some() {
            return Err(StoreError::Misuse("a transaction was already open"));
        }
        let used_bytes = self.used_bytes;
        self.open = Some(Transaction {
            used_bytes,
            ..Transaction::default()
        });
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.settle();
        let Some(transaction) = self.open.take() else {
            return Err(StoreError::Misuse("no transaction is open"));
        };
        if let Some(error) = self.next_commit_fails.take() {
            return Err(error);
        }
        for (table, changes) in transaction.changes {
            let rows = self.committed.entry(table).or_default();
            for (key, change) in changes {
                match change {
                    Some(value) => rows.insert(
                        key,
                        Kept {
                            value,
                            damaged: false,
                        },
                    ),
                    None => rows.remove(&key),
                };
            }
        }
        self.used_bytes = transaction.used_bytes;
        self.commits += 1;
        Ok(())
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        self.over.set(false);
        self.open = None;
        Ok(())
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(change) = self
            .current()
            .and_then(|t| t.changes.get(&table))
            .and_then(|c| c.get(key))
        {
            return Ok(change.as_ref().map(|value| value.to_vec()));
        }
        let kept = self.committed.get(&table).and_then(|rows| rows.get(key));
        kept.map(|kept| self.serve(table, key, kept)).transpose()
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.change(table, key, Some(value.into()))
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.change(table, key, None)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut found = Vec::new();
        if from >= to {
            return Ok(found);
        }
        let range = (Bound::Included(from), Bound::Excluded(to));
        let mut kept = self
            .committed
            .get(&table)
            .into_iter()
            .flat_map(|rows| rows.range::<[u8], _>(range))
            .peekable();
        let mut changed = self
            .current()
            .and_then(|t| t.changes.get(&table))
            .into_iter()
            .flat_map(|changes| changes.range::<[u8], _>(range))
            .peekable();
        while found.len() < limit {
            // A change comes before, or instead of, the committed row that it hides.
            let change_first = match (kept.peek(), changed.peek()) {
                (None, None) => break,
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some((key, _)), Some((changed_key, _))) => changed_key <= key,
            };
            if change_first {
                let Some((key, change)) = changed.next() else {
                    break;
                };
                kept.next_if(|(hidden, _)| *hidden == key);
                if let Some(value) = change {
                    found.push((key.clone(), value.to_vec()));
                }
            } else {
                let Some((key, row)) = kept.next() else { break };
                found.push((key.clone(), self.serve(table, key, row)?));
            }
        }
        Ok(found)
    }

    fn has_room(&self) -> Result<bool, StoreError> {
        let used = self.current().map_or(self.used_bytes, |t| t.used_bytes);
        let left = self.capacity_bytes.map(|all| all.saturating_sub(used));
        Ok(left.is_none_or(|left| left >= self.reserve_bytes))
    }
}

impl fmt::Debug for MemoryStore {
    /// Counts only: the rows hold secrets and people's mail.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field(
                "rows",
                &self.committed.values().map(BTreeMap::len).sum::<usize>(),
            )
            .field("used_bytes", &self.used_bytes)
            .field("in_transaction", &self.current().is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance;

    const T: Table = Table::Clients;

    fn with_row(key: &[u8], value: &[u8]) -> MemoryStore {
        let mut store = MemoryStore::new();
        store.begin().unwrap();
        store.put(T, key, value).unwrap();
        store.commit().unwrap();
        store
    }

    #[test]
    fn conforms() {
        conformance::run(MemoryStore::new).unwrap();
        conformance::run_durable(MemoryStore::new, |store| store.crashed()).unwrap();
    }

    #[test]
    fn conforms_when_commits_fail_or_the_disk_is_full() {
        let error = StoreError::Failed("told to".to_owned());
        let arm = |store: &mut MemoryStore| store.fail_next_commit(error.clone());
        conformance::run_failing(MemoryStore::new, arm, |_| ()).unwrap();
        let fill = |store: &mut MemoryStore| store.set_capacity(Some(store.used_bytes()));
        conformance::run_failing(MemoryStore::new, fill, |store| store.set_capacity(None)).unwrap();
    }

    #[test]
    fn a_crash_loses_the_open_transaction_and_a_clone_keeps_it() {
        let mut store = with_row(b"a", b"1");
        store.begin().unwrap();
        store.put(T, b"b", b"2").unwrap();
        let (crashed, copy) = (store.crashed(), store.clone());
        store.commit().unwrap();
        assert_eq!(crashed.get(T, b"b").unwrap(), None);
        assert_eq!(crashed.rows(T), 1);
        assert_eq!(copy.get(T, b"b").unwrap().unwrap(), b"2");
        assert_eq!(store.commits(), 2);
    }

    #[test]
    fn bytes_are_counted_through_overwrites_and_deletions() {
        let mut store = with_row(b"abc", b"12345");
        assert_eq!(store.used_bytes(), 8);
        store.begin().unwrap();
        store.put(T, b"abc", b"1").unwrap();
        store.put(T, b"d", b"").unwrap();
        store.delete(T, b"none").unwrap();
        store.commit().unwrap();
        assert_eq!(store.used_bytes(), 5);
        store.begin().unwrap();
        store.delete(T, b"abc").unwrap();
        store.delete(T, b"abc").unwrap();
        store.commit().unwrap();
        assert_eq!(store.used_bytes(), 1);
    }

    #[test]
    fn a_full_store_says_so_and_still_lets_rows_go() {
        let mut store = with_row(b"a", b"123");
        store.set_capacity(Some(4));
        store.begin().unwrap();
        let full = store.put(T, b"b", b"").unwrap_err();
        assert_eq!(
            full,
            StoreError::Full("5 bytes wanted, 4 allowed".to_owned())
        );
        store.begin().unwrap();
        store.delete(T, b"a").unwrap();
        store.put(T, b"b", b"456").unwrap();
        store.commit().unwrap();
        assert_eq!(store.used_bytes(), 4);
    }

    #[test]
    fn a_damaged_row_is_not_served_and_ends_the_transaction() {
        let mut store = with_row(b"a", b"1");
        assert!(store.damage(T, b"a"));
        assert!(!store.damage(T, b"b"));
        let damaged = StoreError::Damaged {
            table: T,
            key: "61".to_owned(),
        };
        assert_eq!(store.get(T, b"a").unwrap_err(), damaged);
        store.begin().unwrap();
        store.put(T, b"b", b"2").unwrap();
        assert_eq!(store.scan(T, b"", b"z", 9).unwrap_err(), damaged);
        assert_eq!(store.get(T, b"b").unwrap(), None);
        assert!(matches!(store.commit(), Err(StoreError::Misuse(_))));
        store.begin().unwrap();
        store.put(T, b"a", b"healed").unwrap();
        store.commit().unwrap();
        assert_eq!(store.get(T, b"a").unwrap().unwrap(), b"healed");
        assert_eq!(store.get(T, b"b").unwrap(), None);
    }
}
