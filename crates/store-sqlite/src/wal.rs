//! Looking at the write-ahead log before SQLite does.
//!
//! SQLite takes a log up to its first frame that does not match its checksum, and what follows as
//! never written: right after a power loss, which can only tear what was not committed yet. A bit
//! that flipped, or a log that was cut, looks the same and undoes commits that were acknowledged.
//! Two things tell the difference: the index of the log (`-shm`), which survives a killed process
//! and says how many frames were committed; and without it, more than one commit behind the damage,
//! because each was on the disk before the next began.
//!
//! Formats: <https://www.sqlite.org/fileformat2.html#walformat>,
//! <https://www.sqlite.org/walformat.html>.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use layer_minus_node::store::StoreError;

use crate::error::from_io;
use crate::files::beside;

const LOG_HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const INDEX_HEADER_BYTES: usize = 48;
/// The last bit says in which order the checksums take the bytes of a word.
const LOG_MAGIC: u32 = 0x377f_0682;
const LOG_VERSION: u32 = 3_007_000;
const PAGE_BYTES_MAX: usize = 65_536;
/// Between two looks: a log that is being written may be seen half-way, one that is damaged stays so.
const SECOND_LOOK: Duration = Duration::from_millis(200);

/// Refuses a store whose log lost commits. To be called before the process opens the store.
///
/// It must not be called while this process has the store open: closing the index would take away
/// the locks that SQLite has on it.
///
/// # Errors
/// [`StoreError::Failed`] with what is lost and what to do; or when a file cannot be read.
pub fn check_log(path: impl AsRef<Path>) -> Result<(), StoreError> {
    check(path.as_ref(), SECOND_LOOK)
}

fn check(path: &Path, pause: Duration) -> Result<(), StoreError> {
    let Some(first) = look(path)? else {
        return Ok(());
    };
    std::thread::sleep(pause);
    match look(path)? {
        Some(second) if second == first => Err(StoreError::Failed(format!(
            "the log {} is damaged from frame {} on, and commits behind that are lost: restore from \
             a backup; to go on without them, let `sqlite3 {} 'PRAGMA wal_checkpoint(TRUNCATE)'` \
             forget them",
            beside(path, "-wal").display(),
            first + 1,
            path.display(),
        ))),
        _ => Ok(()),
    }
}

/// How many frames are good, if committed ones are lost behind them.
fn look(path: &Path) -> Result<Option<u64>, StoreError> {
    // The index first: frames that it names are in the log by then, whoever writes.
    let index = read_start(&beside(path, "-shm"), INDEX_HEADER_BYTES * 2)?;
    let index = index.as_deref().and_then(Index::read);
    let log = beside(path, "-wal");
    let file = match File::open(&log) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(from_io("cannot read", &log, &error)),
    };
    let scan = scan(BufReader::with_capacity(1 << 20, file))
        .map_err(|error| from_io("cannot read", &log, &error))?;
    Ok(scan.lost(index).then_some(scan.good))
}

fn read_start(path: &Path, bytes: usize) -> Result<Option<Vec<u8>>, StoreError> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(bytes as u64).read_to_end(&mut start));
    match read {
        Ok(_) => Ok(Some(start)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(from_io("cannot read", path, &error)),
    }
}

/// What the index says of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Index {
    /// Frames committed.
    frames: u64,
    salt: [u8; 8],
}

impl Index {
    /// None unless both copies are there, agree and match their checksum.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (first, second) = bytes.split_at_checked(INDEX_HEADER_BYTES)?;
        if first != second {
            return None;
        }
        let word = |at: usize| {
            let bytes = first.get(at..at + 4)?;
            Some(u32::from_ne_bytes(bytes.try_into().ok()?))
        };
        let sum = Checksum::default().over(first.get(..40)?, cfg!(target_endian = "big"));
        if word(0)? != LOG_VERSION || (word(40)?, word(44)?) != (sum.0, sum.1) {
            return None;
        }
        Some(Self {
            frames: u64::from(word(16)?),
            salt: first.get(32..40)?.try_into().ok()?,
        })
    }
}

/// What is in a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Scan {
    /// From the header, if that is good.
    salt: Option<[u8; 8]>,
    /// Frames before the first one that is not good.
    good: u64,
    /// Commits behind them, of the same log.
    commits_behind: u64,
}

impl Scan {
    fn lost(&self, index: Option<Index>) -> bool {
        let known = index.filter(|index| self.salt.is_none_or(|salt| salt == index.salt));
        known.is_some_and(|index| index.frames > self.good) || self.commits_behind > 1
    }
}

/// The checksum of logs: two sums over pairs of words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Checksum(u32, u32);

impl Checksum {
    fn over(self, bytes: &[u8], big_endian: bool) -> Self {
        let Self(mut a, mut b) = self;
        let (pairs, _) = bytes.as_chunks::<8>();
        for [p, q, r, s, t, u, v, w] in pairs.iter().copied() {
            let read = if big_endian {
                u32::from_be_bytes
            } else {
                u32::from_le_bytes
            };
            a = a.wrapping_add(read([p, q, r, s])).wrapping_add(b);
            b = b.wrapping_add(read([t, u, v, w])).wrapping_add(a);
        }
        Self(a, b)
    }
}

fn big(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    u32::from_be_bytes(word.unwrap_or_default())
}

/// Fills `buffer`; false if there is not so much left.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn scan(mut log: impl Read) -> io::Result<Scan> {
    let mut scan = Scan::default();
    let mut header = [0; LOG_HEADER_BYTES];
    if !fill(&mut log, &mut header)? {
        return Ok(scan);
    }
    let big_endian = big(&header, 0) & 1 == 1;
    let mut sum = Checksum::default().over(&header[..24], big_endian);
    let is_log = big(&header, 0) | 1 == LOG_MAGIC | 1 && big(&header, 4) == LOG_VERSION;
    let mut good = is_log && (big(&header, 24), big(&header, 28)) == (sum.0, sum.1);
    let mut salt: Option<[u8; 8]> = header[16..24].try_into().ok().filter(|_| good);
    scan.salt = salt;
    // Stores have one size of pages; what a damaged header says of it is not believed.
    let page = match big(&header, 8) as usize {
        page if good && (512..=PAGE_BYTES_MAX).contains(&page) => page,
        _ => crate::schema::PAGE_BYTES as usize,
    };
    let mut frame = vec![0; FRAME_HEADER_BYTES + page];
    while fill(&mut log, &mut frame)? {
        let own: [u8; 8] = frame[8..16].try_into().unwrap_or_default();
        // With a header that is lost, the first frame says which log this is.
        if *salt.get_or_insert(own) != own {
            // Left by an earlier log in the same file, or damaged itself.
            good = false;
            continue;
        }
        let next = sum
            .over(&frame[..8], big_endian)
            .over(&frame[FRAME_HEADER_BYTES..], big_endian);
        good &= (big(&frame, 16), big(&frame, 20)) == (next.0, next.1) && big(&frame, 0) != 0;
        if good {
            sum = next;
            scan.good += 1;
        } else if big(&frame, 4) != 0 {
            scan.commits_behind += 1;
        }
    }
    Ok(scan)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use layer_minus_node::store::{Store as _, Table};

    use super::*;
    use crate::{Options, SqliteStore};

    /// The files of a store of which the process was killed: copied while it is open.
    fn killed(folder: &Path, commits: u64) -> std::path::PathBuf {
        let (path, copy) = (folder.join("live.db"), folder.join("store.db"));
        let mut store = SqliteStore::open(&path, Options::default()).unwrap();
        for number in 0..commits {
            store.begin().unwrap();
            store
                .put(Table::Bodies, &number.to_be_bytes(), &[7; 20_000])
                .unwrap();
            store.commit().unwrap();
        }
        for suffix in ["", "-wal", "-shm"] {
            fs::copy(beside(&path, suffix), beside(&copy, suffix)).unwrap();
        }
        copy
    }

    fn change(path: &Path, suffix: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = beside(path, suffix);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
    }

    #[test]
    fn a_sound_log_is_one_whether_there_is_an_index_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = killed(folder.path(), 5);
        let scan = scan(File::open(beside(&path, "-wal")).unwrap()).unwrap();
        let index = Index::read(&fs::read(beside(&path, "-shm")).unwrap()[..96]).unwrap();
        assert!(scan.good > 10 && scan.commits_behind == 0, "{scan:?}");
        assert_eq!((scan.good, scan.salt), (index.frames, Some(index.salt)));
        check(&path, Duration::ZERO).unwrap();
        fs::remove_file(beside(&path, "-shm")).unwrap();
        check(&path, Duration::ZERO).unwrap();
        // Torn by a power loss: nothing that was committed is behind it.
        change(&path, "-wal", |log| log.truncate(log.len() - 100));
        check(&path, Duration::ZERO).unwrap();
        fs::remove_file(beside(&path, "-wal")).unwrap();
        check(&path, Duration::ZERO).unwrap();
    }

    #[test]
    fn every_flipped_bit_and_every_cut_behind_a_kill_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = killed(folder.path(), 4);
        let whole = fs::read(beside(&path, "-wal")).unwrap();
        for step in 0..60 {
            let at = step * (whole.len() - 1) / 59;
            let mut flipped = whole.clone();
            flipped[at] ^= 0x20;
            fs::write(beside(&path, "-wal"), &flipped).unwrap();
            assert!(check(&path, Duration::ZERO).is_err(), "flipped at {at}");
            fs::write(beside(&path, "-wal"), &whole[..at]).unwrap();
            assert!(check(&path, Duration::ZERO).is_err(), "cut at {at}");
        }
        fs::write(beside(&path, "-wal"), &whole).unwrap();
        check(&path, Duration::ZERO).unwrap();
        // An index that is damaged is no witness, and is made anew by SQLite.
        change(&path, "-shm", |index| index[17] ^= 1);
        check(&path, Duration::ZERO).unwrap();
        assert!(SqliteStore::open(&path, Options::default()).is_ok());
    }

    #[test]
    fn without_an_index_two_lost_commits_are_evidence() {
        let folder = tempfile::tempdir().unwrap();
        let path = killed(folder.path(), 4);
        fs::remove_file(beside(&path, "-shm")).unwrap();
        change(&path, "-wal", |log| log[LOG_HEADER_BYTES + 100] ^= 1);
        let error = check(&path, Duration::ZERO).unwrap_err().to_string();
        assert!(error.contains("from frame 1 on"), "{error}");
        change(&path, "-wal", |log| {
            log[LOG_HEADER_BYTES + 100] ^= 1;
            log[17] ^= 1;
        });
        assert!(
            check(&path, Duration::ZERO).is_err(),
            "a header that is lost"
        );
    }
}
