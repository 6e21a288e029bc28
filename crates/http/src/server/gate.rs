//! Room: how much is taken on at a time, and how much of what nobody pays for.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use crate::limits::Limits;

/// A place that is taken until it is dropped.
pub(crate) type Permit = OwnedSemaphorePermit;

/// How long a packet may wait for a place.
const WAIT: Duration = Duration::from_secs(5);

/// The places of a node.
#[derive(Debug)]
pub(crate) struct Gate {
    held: Arc<Semaphore>,
    openers: Arc<Semaphore>,
    forwards: Arc<Semaphore>,
    onwards: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    unpaid: Bucket,
    asks: Bucket,
    onward: Bucket,
}

impl Gate {
    /// `largest_bytes` is the size of the largest packet: one of them, in its largest form, always
    /// has room.
    pub(crate) fn new(limits: &Limits, largest_bytes: usize) -> Self {
        let places = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        let held_bytes = usize::try_from(limits.held_bytes_max).unwrap_or(usize::MAX);
        let hour = Duration::from_secs(3_600);
        let unpaid = u64::from(limits.unpaid_requests_per_second);
        let asks = u64::from(limits.asks_per_minute);
        Self {
            held: places(held_bytes.max(2 * largest_bytes)),
            openers: places(std::thread::available_parallelism().map_or(2, Into::into)),
            forwards: places(limits.forwards_max),
            onwards: places(limits.onward_in_flight_max),
            streams: places(limits.streams_max),
            unpaid: Bucket::new(unpaid, Duration::from_secs(1)),
            asks: Bucket::new(asks, Duration::from_secs(60)),
            onward: Bucket::new(limits.onward_bytes_per_hour, hour),
        }
    }

    /// Room for bytes of packets that are held whole.
    pub(crate) async fn hold(&self, bytes: usize) -> Option<Permit> {
        let bytes = u32::try_from(bytes).ok()?;
        timeout(WAIT, Arc::clone(&self.held).acquire_many_owned(bytes))
            .await
            .ok()?
            .ok()
    }

    /// A turn at opening a packet: as many at a time as there are cores.
    pub(crate) async fn opener(&self) -> Option<Permit> {
        Arc::clone(&self.openers).acquire_owned().await.ok()
    }

    /// A place for a packet that is cut through.
    pub(crate) fn forward(&self) -> Option<Permit> {
        Arc::clone(&self.forwards).try_acquire_owned().ok()
    }

    /// A place for a packet that was found in a layer and goes to a further node.
    pub(crate) fn onward(&self) -> Option<Permit> {
        Arc::clone(&self.onwards).try_acquire_owned().ok()
    }

    /// A place for a stream.
    pub(crate) fn stream(&self) -> Option<Permit> {
        Arc::clone(&self.streams).try_acquire_owned().ok()
    }

    /// Whether one more request that nobody pays for is opened.
    pub(crate) fn take_unpaid(&self) -> bool {
        self.unpaid.take(1)
    }

    /// Whether one more key is asked about.
    pub(crate) fn take_ask(&self) -> bool {
        self.asks.take(1)
    }

    /// Whether so many bytes may be sent on to a further node.
    pub(crate) fn take_onward(&self, bytes: u64) -> bool {
        self.onward.take(bytes)
    }
}

/// So much per period, refilled evenly.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_period: u64,
    period: Duration,
    level: Mutex<(f64, Instant)>,
}

impl Bucket {
    pub(crate) fn new(per_period: u64, period: Duration) -> Self {
        Self {
            per_period,
            period,
            level: Mutex::new((per_period as f64, Instant::now())),
        }
    }

    pub(crate) fn take(&self, amount: u64) -> bool {
        let mut level = self.filled();
        let enough = level.0 >= amount as f64;
        if enough {
            level.0 -= amount as f64;
        }
        enough
    }

    /// Puts back what was taken.
    pub(crate) fn give(&self, amount: u64) {
        let mut level = self.filled();
        level.0 = (level.0 + amount as f64).min(self.per_period as f64);
    }

    /// Whether nothing of it is in use.
    pub(crate) fn is_full(&self) -> bool {
        self.filled().0 >= self.per_period as f64
    }

    /// The level as it is now.
    fn filled(&self) -> MutexGuard<'_, (f64, Instant)> {
        let mut guard = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let (level, since) = *guard;
        let now = Instant::now();
        let full = self.per_period as f64;
        let gained = full * (now - since).as_secs_f64() / self.period.as_secs_f64();
        *guard = ((level + gained).min(full), now);
        guard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_is_empty_when_it_was_used_up_and_refills_with_time() {
        let bucket = Bucket::new(100, Duration::from_secs(10));
        assert!(bucket.take(60) && bucket.take(40));
        assert!(!bucket.take(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(bucket.take(10));
        assert!(!bucket.take(1));
        tokio::time::advance(Duration::from_secs(1_000)).await;
        assert!(!bucket.take(101), "never more than one period's worth");
        assert!(bucket.take(100));
    }

    #[tokio::test(start_paused = true)]
    async fn places_come_back() {
        let limits = Limits {
            held_bytes_max: 100,
            ..Limits::default()
        };
        let gate = Gate::new(&limits, 10);
        let place = gate.hold(60).await.unwrap();
        assert!(gate.hold(60).await.is_none());
        drop(place);
        assert!(gate.hold(60).await.is_some());
        // Less than one packet needs would never let one in.
        assert!(Gate::new(&limits, 1_000).hold(2_000).await.is_some());
    }
}
