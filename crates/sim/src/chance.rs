//! The one source of chance of a run, and how it is asked.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Everything random in a run comes from here, in the order of the run.
#[derive(Debug)]
pub(crate) struct Chance {
    pub(crate) rng: ChaCha8Rng,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { rng }
    }

    /// True in so many of 1,000 cases.
    pub(crate) fn permille(&mut self, cases: u32) -> bool {
        self.rng.next_u32() % 1_000 < cases
    }

    /// Between both, both included.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.rng.next_u64() % (most.saturating_sub(least) + 1)
    }

    /// An index below `len`, or 0.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        let most = len.saturating_sub(1) as u64;
        usize::try_from(self.between(0, most)).unwrap_or_default()
    }
}
