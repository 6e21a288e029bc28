use serde::{Deserialize, Serialize};
use thiserror::Error;

const DAY_SECS: u64 = 24 * 3600;

/// Bytes used on one UTC day: what strangers may send to a client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailyQuota {
    /// The day, counted from 1970-01-01.
    pub day: u64,
    /// Bytes used on it.
    pub used: u64,
}

/// The day's bytes are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("daily quota of {limit} bytes has {left} left, {wanted} wanted")]
pub struct QuotaExceeded {
    /// Bytes allowed a day.
    pub limit: u64,
    /// Bytes left today.
    pub left: u64,
    /// Bytes wanted.
    pub wanted: u64,
    /// When the next day begins, Unix seconds.
    pub resets_at: u64,
}

impl DailyQuota {
    /// Bytes left on the day of `now` (Unix seconds).
    #[must_use]
    pub const fn left(&self, now: u64, limit: u64) -> u64 {
        limit.saturating_sub(self.on(now).used)
    }

    /// Uses up bytes, all or none.
    ///
    /// # Errors
    /// [`QuotaExceeded`] when fewer are left; nothing changes then.
    pub const fn take(&mut self, now: u64, bytes: u64, limit: u64) -> Result<(), QuotaExceeded> {
        let mut today = self.on(now);
        let left = limit.saturating_sub(today.used);
        if bytes > left {
            let resets_at = today.day.saturating_add(1).saturating_mul(DAY_SECS);
            return Err(QuotaExceeded {
                limit,
                left,
                wanted: bytes,
                resets_at,
            });
        }
        today.used = today.used.saturating_add(bytes);
        *self = today;
        Ok(())
    }

    /// The quota of that day. A clock that goes back over midnight does not fill it again.
    const fn on(&self, now: u64) -> Self {
        let day = now / DAY_SECS;
        if day > self.day {
            Self { day, used: 0 }
        } else {
            *self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_bytes_and_the_next_has_them_again() {
        let mut quota = DailyQuota::default();
        let noon = 20_000 * DAY_SECS + DAY_SECS / 2;
        quota.take(noon, 60, 100).unwrap();
        quota.take(noon + 1, 40, 100).unwrap();
        let used_up = QuotaExceeded {
            limit: 100,
            left: 0,
            wanted: 1,
            resets_at: 20_001 * DAY_SECS,
        };
        assert_eq!(quota.take(noon + 2, 1, 100), Err(used_up));
        quota.take(noon + 2, 0, 100).unwrap();
        assert_eq!(quota.left(20_001 * DAY_SECS - 1, 100), 0);
        assert_eq!(quota.left(20_001 * DAY_SECS, 100), 100);
        quota.take(20_001 * DAY_SECS, 100, 100).unwrap();
    }

    #[test]
    fn refused_bytes_are_not_used() {
        let mut quota = DailyQuota { day: 5, used: 90 };
        let before = quota;
        assert!(quota.take(5 * DAY_SECS, 11, 100).is_err());
        assert!(quota.take(6 * DAY_SECS, 101, 100).is_err());
        assert_eq!(quota, before);
    }

    #[test]
    fn neither_a_clock_set_back_nor_a_lowered_limit_gives_more() {
        let mut quota = DailyQuota { day: 5, used: 100 };
        assert!(quota.take(4 * DAY_SECS, 1, 100).is_err());
        assert_eq!(quota.left(5 * DAY_SECS, 50), 0);
        assert!(quota.take(u64::MAX, u64::MAX, u64::MAX).is_ok());
    }
}
