//! How a store is opened.

use std::time::Duration;

/// Bytes of log after which a commit moves the log into the database file.
pub(crate) const CHECKPOINT_BYTES: u64 = 16 << 20;
/// Bytes of log that are kept allocated once they were used: a nearly full disk can then still
/// take the deletions that make room.
pub(crate) const LOG_KEPT_BYTES: u64 = 32 << 20;
/// Room under [`Options::max_bytes`] that is left to what makes room: at least so much, bytes.
pub(crate) const RESERVE_BYTES_MIN: u64 = 4_000_000;
/// The same as a part of it: one in so many.
pub(crate) const RESERVE_PART: u64 = 100;
/// Prepared statements kept: five for every table and those of the transactions.
pub(crate) const STATEMENTS_KEPT: usize = 128;
/// How long a read-only handle waits for a lock.
pub(crate) const READ_ONLY_TIMEOUT: Duration = Duration::from_secs(5);
/// Memory for pages that a read-only handle keeps.
pub(crate) const READ_ONLY_CACHE_BYTES: u64 = 8 << 20;

/// How a store is opened. Start from `Options::default()` and set what differs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How long to wait for a transaction of another process. Default: 5 seconds.
    pub busy_timeout: Duration,
    /// Memory for pages of the database, in bytes. Default: 32 MiB.
    pub cache_bytes: u64,
    /// The size that the database file may reach, in bytes, or `None` for what the disk has.
    ///
    /// A store at this size says that it is full and still takes deletions; a disk that is full
    /// may not. The log beside the file is not counted: allow it 64 MiB. A file that is already
    /// larger stays so and grows no further.
    pub max_bytes: Option<u64>,
    /// Bytes of a file that is held back on the disk and removed when it is full, 0 for none; new mail
    /// is refused until it can be laid again. Default: 0.
    pub ballast_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            busy_timeout: Duration::from_secs(5),
            cache_bytes: 32 << 20,
            max_bytes: None,
            ballast_bytes: 0,
        }
    }
}
