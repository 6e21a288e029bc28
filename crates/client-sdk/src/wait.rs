//! How long to wait before trying again.

use rand::RngCore;

/// Shortest pause, milliseconds.
const FIRST_MS: u64 = 500;
/// Longest pause, milliseconds.
pub const PAUSE_MS_MAX: u64 = 60_000;

/// Pauses that double, with chance in them so that many clients of a restarted node do not come
/// back at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// No failure yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { failures: 0 }
    }

    /// It worked.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// It failed: pause so many milliseconds, between half and all of the current step.
    pub fn failed(&mut self, rng: &mut impl RngCore) -> u64 {
        let step = FIRST_MS
            .saturating_mul(1 << self.failures.min(16))
            .min(PAUSE_MS_MAX);
        self.failures = self.failures.saturating_add(1);
        step / 2 + rng.next_u64() % (step / 2 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn pauses_double_up_to_a_minute_and_start_anew() {
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
        let mut backoff = Backoff::new();
        let mut step = FIRST_MS;
        for _ in 0..100 {
            let pause = backoff.failed(&mut rng);
            assert!((step / 2..=step).contains(&pause), "{pause} of {step}");
            step = (step * 2).min(PAUSE_MS_MAX);
        }
        backoff.succeeded();
        assert!(backoff.failed(&mut rng) <= FIRST_MS);
    }
}
