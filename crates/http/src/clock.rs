//! The wall clock. Nothing below this crate reads it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time in seconds; zero before 1970.
#[must_use]
#[allow(clippy::disallowed_methods)]
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
