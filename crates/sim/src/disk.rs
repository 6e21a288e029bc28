//! A disk that outlives its process, and the store on it that loses what was not synced.
//!
//! ```text
//! image    what the last checkpoint left
//! log      length (u32) ‖ digest (8) ‖ changes, one record for each commit
//!          |---------- synced ----------|--- gone or torn when the power goes ---|
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use layer_minus_node::{Store, StoreError, Table, memory::MemoryStore, store::Row};
use sha2::{Digest as _, Sha256};

use crate::{chance::Chance, plant::Plant};

/// Commits between two checkpoints.
const CHECKPOINT_COMMITS: u32 = 32;
/// Length and digest.
const HEAD_BYTES: usize = 12;

/// What becomes of the next commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The power goes before anything of it is written.
    Lost,
    /// The power goes when so many thousandths of it are written.
    Torn(u32),
}

/// When a commit's record reaches the platter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    /// Before the commit returns, as the contract of [`Store`] wants it.
    AtCommit,
    /// With the next commit: the planted bug of acknowledging too early.
    Later,
}

/// What survives a process.
#[derive(Debug)]
pub(crate) struct Disk {
    image: MemoryStore,
    log: Vec<u8>,
    synced: usize,
    sync: Sync,
    fate: Option<Fate>,
    commits: u32,
    off: bool,
    /// Records that were found torn and dropped.
    pub(crate) torn: u32,
}

/// A handle to a disk.
pub(crate) type Drive = Arc<Mutex<Disk>>;

pub(crate) fn drive(sync: Sync) -> Drive {
    Arc::new(Mutex::new(Disk {
        image: MemoryStore::new(),
        log: Vec::new(),
        synced: 0,
        sync,
        fate: None,
        commits: 0,
        off: false,
        torn: 0,
    }))
}

pub(crate) fn lock(drive: &Drive) -> MutexGuard<'_, Disk> {
    drive.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    /// Decides what becomes of the next commit.
    pub(crate) fn arm(&mut self, fate: Fate) {
        self.fate = Some(fate);
    }

    pub(crate) fn disarm(&mut self) {
        self.fate = None;
    }

    /// Whether the power went in the middle of a commit.
    pub(crate) const fn is_off(&self) -> bool {
        self.off
    }

    /// What was not synced is lost, but for a beginning of it that may be there.
    pub(crate) fn power_loss(&mut self, chance: &mut Chance) {
        let unsynced = self.log.len() - self.synced;
        if unsynced > 0 && self.sync == Sync::AtCommit {
            // Only a torn record is unsynced here; what of it is there was decided when it was torn.
            return;
        }
        let kept = chance.index(unsynced.max(1));
        self.log.truncate(self.synced + kept);
    }

    /// Whether the power goes during this commit; then a part of its record may be on the disk.
    fn cut(&mut self, changes: &[u8]) -> bool {
        let Some(fate) = self.fate.take() else {
            return false;
        };
        if let Fate::Torn(permille) = fate {
            let record = record(changes);
            let part = record.len() * (permille as usize).min(999) / 1_000;
            self.log.extend_from_slice(&record[..part]);
        }
        self.off = true;
        true
    }

    fn append(&mut self, changes: &[u8]) -> Result<(), StoreError> {
        if self.sync == Sync::Later {
            self.synced = self.log.len();
        }
        self.log.extend_from_slice(&record(changes));
        if self.sync == Sync::AtCommit {
            self.synced = self.log.len();
            self.commits += 1;
        }
        if self.commits >= CHECKPOINT_COMMITS {
            // From the log, not from memory, where rows may be damaged.
            self.image = self.replay()?.0;
            self.commits = 0;
            self.log.clear();
            self.synced = 0;
        }
        Ok(())
    }

    /// The image with all whole records of the log applied to it, and where they end.
    fn replay(&self) -> Result<(MemoryStore, usize), StoreError> {
        let mut store = self.image.crashed();
        let mut at = 0;
        while let Some((changes, next)) = read_record(&self.log, at) {
            store.begin()?;
            apply(&mut store, changes)?;
            store.commit()?;
            at = next;
        }
        Ok((store, at))
    }

    /// The power is back: what the log says is applied to the image, up to the first record that is
    /// not whole.
    fn recover(&mut self) -> Result<MemoryStore, StoreError> {
        self.off = false;
        self.fate = None;
        let (store, at) = self.replay()?;
        if at < self.log.len() {
            self.torn += 1;
            self.log.truncate(at);
        }
        self.synced = at;
        Ok(store)
    }
}

fn off() -> StoreError {
    StoreError::Failed("the power went".to_owned())
}

fn digest(changes: &[u8]) -> [u8; 8] {
    let mut short = [0; 8];
    short.copy_from_slice(&Sha256::digest(changes)[..8]);
    short
}

fn record(changes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(changes.len()).unwrap_or(u32::MAX);
    let mut record = Vec::with_capacity(HEAD_BYTES + changes.len());
    record.extend_from_slice(&len.to_be_bytes());
    record.extend_from_slice(&digest(changes));
    record.extend_from_slice(changes);
    record
}

fn read_record(log: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let (len, rest) = log.get(at..)?.split_first_chunk::<4>()?;
    let (found, rest) = rest.split_first_chunk::<8>()?;
    let len = u32::from_be_bytes(*len) as usize;
    let changes = rest.get(..len)?;
    (digest(changes) == *found).then_some((changes, at + HEAD_BYTES + len))
}

/// One change: table, whether it is a deletion, key and value with their lengths.
fn write_change(out: &mut Vec<u8>, table: Table, key: &[u8], value: Option<&[u8]>) {
    let code = Table::ALL.iter().position(|known| *known == table);
    out.push(
        code.and_then(|code| u8::try_from(code).ok())
            .unwrap_or(u8::MAX),
    );
    out.push(u8::from(value.is_some()));
    for part in [key, value.unwrap_or_default()] {
        let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(part);
    }
}

fn apply(store: &mut MemoryStore, mut changes: &[u8]) -> Result<(), StoreError> {
    let bad = || StoreError::Failed("a record of the log cannot be read".to_owned());
    while let Some((&[code, has_value], rest)) = changes.split_first_chunk::<2>() {
        let table = *Table::ALL.get(usize::from(code)).ok_or_else(bad)?;
        let (key, rest) = part(rest).ok_or_else(bad)?;
        let (value, rest) = part(rest).ok_or_else(bad)?;
        if has_value == 1 {
            store.put(table, key, value)?;
        } else {
            store.delete(table, key)?;
        }
        changes = rest;
    }
    if changes.is_empty() {
        Ok(())
    } else {
        Err(bad())
    }
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*len) as usize)
}

/// A store on a disk of this world.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    live: MemoryStore,
    /// The planted bug, if any.
    plant: Plant,
    changes: Vec<u8>,
    drive: Drive,
}

impl FaultyStore {
    /// Opens what the disk holds.
    pub(crate) fn open(drive: &Drive, plant: Plant) -> Result<Self, StoreError> {
        let live = lock(drive).recover()?;
        Ok(Self {
            live,
            plant,
            changes: Vec::new(),
            drive: Arc::clone(drive),
        })
    }

    /// The memory store, for its knobs.
    pub(crate) const fn memory(&mut self) -> &mut MemoryStore {
        &mut self.live
    }

    fn power(&self) -> Result<(), StoreError> {
        if lock(&self.drive).is_off() {
            return Err(off());
        }
        Ok(())
    }
}

impl Store for FaultyStore {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.power()?;
        self.changes.clear();
        self.live.begin()
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.power()?;
        if lock(&self.drive).cut(&self.changes) {
            self.live.rollback()?;
            return Err(off());
        }
        self.live.commit()?;
        lock(&self.drive).append(&self.changes)
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        self.changes.clear();
        self.live.rollback()
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if table == Table::Receipts && self.plant.forgets_receipts() {
            return Ok(None);
        }
        self.live.get(table, key)
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.live.put(table, key, value)?;
        write_change(&mut self.changes, table, key, Some(value));
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.live.delete(table, key)?;
        write_change(&mut self.changes, table, key, None);
        Ok(())
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.live.scan(table, from, to, limit)
    }

    fn has_room(&self) -> Result<bool, StoreError> {
        self.live.has_room()
    }
}

#[cfg(test)]
mod tests {
    use layer_minus_node::conformance;

    use super::*;

    #[test]
    fn conforms() {
        let new = || FaultyStore::open(&drive(Sync::AtCommit), Plant::None).unwrap();
        conformance::run(new).unwrap();
        let reopen = |store: FaultyStore| FaultyStore::open(&store.drive, Plant::None).unwrap();
        conformance::run_durable(new, reopen).unwrap();
        let error = StoreError::Failed("told to".to_owned());
        let arm = |store: &mut FaultyStore| store.memory().fail_next_commit(error.clone());
        conformance::run_failing(new, arm, |_| ()).unwrap();
    }

    fn put(store: &mut FaultyStore, key: &[u8]) -> Result<(), StoreError> {
        store.begin()?;
        store.put(Table::Meta, key, b"value")?;
        store.commit()
    }

    fn left(drive: &Drive) -> usize {
        lock(drive).power_loss(&mut Chance::new(1));
        FaultyStore::open(drive, Plant::None)
            .unwrap()
            .live
            .rows(Table::Meta)
    }

    #[test]
    fn a_commit_that_was_cut_off_is_found_torn_and_dropped() {
        for permille in [0, 1, 400, 999] {
            let drive = drive(Sync::AtCommit);
            let mut store = FaultyStore::open(&drive, Plant::None).unwrap();
            put(&mut store, b"a").unwrap();
            lock(&drive).arm(Fate::Torn(permille));
            assert!(put(&mut store, b"b").is_err());
            assert!(put(&mut store, b"c").is_err(), "the power is off");
            assert_eq!(left(&drive), 1);
        }
    }

    #[test]
    fn many_commits_come_back_over_checkpoints() {
        let drive = drive(Sync::AtCommit);
        let mut store = FaultyStore::open(&drive, Plant::None).unwrap();
        for number in 0_u8..100 {
            put(&mut store, &[number]).unwrap();
        }
        lock(&drive).arm(Fate::Lost);
        assert!(put(&mut store, b"lost").is_err());
        assert_eq!(left(&drive), 100);
    }

    #[test]
    fn a_lazy_disk_loses_the_last_commit() {
        let drive = drive(Sync::Later);
        let mut store = FaultyStore::open(&drive, Plant::None).unwrap();
        put(&mut store, b"a").unwrap();
        put(&mut store, b"b").unwrap();
        assert_eq!(left(&drive), 1);
    }
}
