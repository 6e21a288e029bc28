//! When the log is emptied: it still holds what was deleted from the database file.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Time between two attempts: each costs two syncs of the disk.
const EMPTIED_EVERY: Duration = Duration::from_secs(10);

/// What a handle knows of its log.
#[derive(Debug)]
pub(crate) struct Log {
    /// How long the handle waits for others, when it does.
    pub(crate) busy_timeout: Duration,
    holds_deleted: Cell<bool>,
    tried: Cell<Option<Instant>>,
}

impl Log {
    pub(crate) const fn new(busy_timeout: Duration) -> Self {
        Self {
            busy_timeout,
            holds_deleted: Cell::new(false),
            tried: Cell::new(None),
        }
    }

    /// Something was deleted whose bytes may be in the log.
    pub(crate) fn holds_deleted(&self) {
        self.holds_deleted.set(true);
    }

    /// Whether it is time to empty it; if so, that counts as tried.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let rested = |tried: Instant| now.duration_since(tried) >= EMPTIED_EVERY;
        let due = self.holds_deleted.get() && self.tried.get().is_none_or(rested);
        if due {
            self.tried.set(Some(now));
        }
        due
    }

    pub(crate) fn was_emptied(&self) {
        self.holds_deleted.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_after_a_deletion_and_not_too_often() {
        let log = Log::new(Duration::ZERO);
        let start = Instant::now();
        assert!(!log.is_due(start));
        log.holds_deleted();
        assert!(log.is_due(start));
        // Somebody was reading: it was not emptied.
        assert!(!log.is_due(start) && log.is_due(start + EMPTIED_EVERY));
        log.was_emptied();
        assert!(!log.is_due(start + 3 * EMPTIED_EVERY));
    }
}
