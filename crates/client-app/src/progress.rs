//! The bar on a terminal while something large is sent.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::out::Out;

/// How often the bar is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// How far a message is: finished parts count whole, those on the way as far as they have come.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    parts: AtomicU64,
    done: AtomicU64,
    on_the_way: Mutex<Vec<Arc<AtomicU64>>>,
}

impl Progress {
    /// A bar for so many parts; none is drawn unless a person watches and there is something to see.
    pub(crate) fn new(out: Out, parts: u32, bytes_on_wire: u64) -> Self {
        let bar = if out.watched() && parts > 1 {
            ProgressBar::new(bytes_on_wire)
        } else {
            ProgressBar::hidden()
        };
        let shape = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(shape) {
            bar.set_style(style);
        }
        let shared = Arc::new(Shared {
            parts: u64::from(parts.max(1)).into(),
            ..Shared::default()
        });
        let progress = Self { bar, shared };
        if !progress.bar.is_hidden() {
            progress.clone().draw();
        }
        progress
    }

    /// Draws until the last handle but the drawer's is gone.
    fn draw(self) {
        tokio::spawn(async move {
            while Arc::strong_count(&self.shared) > 1 && !self.bar.is_finished() {
                self.bar.set_position(self.position());
                tokio::time::sleep(DRAW_EVERY).await;
            }
        });
    }

    /// A counter for one part on the way: bytes of it that were handed over.
    pub(crate) fn counter(&self) -> Arc<AtomicU64> {
        let counter = Arc::new(AtomicU64::new(0));
        let mut list = self
            .shared
            .on_the_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        list.retain(|other| Arc::strong_count(other) > 1);
        list.push(Arc::clone(&counter));
        counter
    }

    /// One part is accepted.
    pub(crate) fn part_done(&self) {
        self.shared.done.fetch_add(1, Ordering::Relaxed);
        self.bar.set_position(self.position());
    }

    fn position(&self) -> u64 {
        let total = self.bar.length().unwrap_or(0);
        let (parts, done) = (
            self.shared.parts.load(Ordering::Relaxed),
            self.shared.done.load(Ordering::Relaxed),
        );
        let whole = total / parts * done;
        let list = self
            .shared
            .on_the_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let moving: u64 = list
            .iter()
            .filter(|counter| Arc::strong_count(counter) > 1)
            .map(|counter| counter.load(Ordering::Relaxed))
            .sum();
        if done >= parts {
            total
        } else {
            whole.saturating_add(moving).min(total)
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finished_parts_and_those_on_the_way_are_counted() {
        let progress = Progress::new(Out::new(true), 4, 4_000);
        progress.bar.set_length(4_000);
        let counter = progress.counter();
        counter.store(300, Ordering::Relaxed);
        progress.part_done();
        assert_eq!(progress.position(), 1_300);
        drop(counter);
        assert_eq!(progress.position(), 1_000);
        (0..3).for_each(|_| progress.part_done());
        assert_eq!(progress.position(), 4_000);
    }
}
