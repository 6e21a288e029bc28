//! Which part of a message is sent next, and when: a full mailbox is emptied while we wait.

use std::{collections::VecDeque, time::Duration};

use layer_minus_client_sdk::Backoff;
use rand::RngCore;
use tokio::time::Instant;

/// How long parts are tried again while the node accepts none.
const NO_PROGRESS_MAX: Duration = Duration::from_secs(30);
/// Longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The parts that are left.
#[derive(Debug)]
pub(crate) struct Queue {
    next: u32,
    parts: u32,
    /// Refused for want of room, in order.
    again: VecDeque<u32>,
    /// Nothing is sent before.
    until: Option<Instant>,
    progress_at: Instant,
    backoff: Backoff,
}

impl Queue {
    pub(crate) fn new(parts: u32, now: Instant) -> Self {
        Self {
            next: 0,
            parts,
            again: VecDeque::new(),
            until: None,
            progress_at: now,
            backoff: Backoff::new(),
        }
    }

    /// The part to send now, if one is due.
    pub(crate) fn next(&mut self, now: Instant) -> Option<u32> {
        if self.until.is_some_and(|until| now < until) {
            return None;
        }
        self.until = None;
        if let Some(part) = self.again.pop_front() {
            return Some(part);
        }
        (self.next < self.parts).then(|| {
            self.next += 1;
            self.next - 1
        })
    }

    /// Until when there is nothing to send; none if there is nothing left.
    pub(crate) const fn pause(&self) -> Option<Instant> {
        self.until
    }

    /// The node has a part.
    pub(crate) const fn accepted(&mut self, now: Instant) {
        self.progress_at = now;
        self.backoff.succeeded();
    }

    /// A part found no room. False if nothing was accepted for so long that it is time to give up.
    pub(crate) fn refused(&mut self, part: u32, now: Instant, rng: &mut impl RngCore) -> bool {
        if now.duration_since(self.progress_at) > NO_PROGRESS_MAX {
            return false;
        }
        self.again.push_back(part);
        // Parts that were on the way together are refused together.
        if self.until.is_none_or(|until| until <= now) {
            let pause = Duration::from_millis(self.backoff.failed(rng));
            self.until = Some(now + pause.min(PAUSE_MAX));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::mock::StepRng;

    use super::*;

    #[test]
    fn what_found_no_room_goes_first_after_a_pause() {
        let mut rng = StepRng::new(1, 7);
        let start = Instant::now();
        let mut queue = Queue::new(3, start);
        assert_eq!((queue.next(start), queue.next(start)), (Some(0), Some(1)));
        assert!(queue.refused(0, start, &mut rng) && queue.refused(1, start, &mut rng));
        let until = queue.pause().unwrap();
        assert!(until > start && until <= start + PAUSE_MAX);
        assert_eq!(queue.next(start), None);
        let left: Vec<u32> = std::iter::from_fn(|| queue.next(until)).collect();
        assert_eq!((left, queue.pause()), (vec![0, 1, 2], None));
    }

    #[test]
    fn it_gives_up_when_nothing_is_accepted_any_more() {
        let mut rng = StepRng::new(1, 7);
        let start = Instant::now();
        let mut queue = Queue::new(2, start);
        queue.next(start);
        let late = start + NO_PROGRESS_MAX;
        assert!(queue.refused(0, late, &mut rng));
        queue.accepted(late);
        let later = late + NO_PROGRESS_MAX;
        assert!(queue.refused(0, later, &mut rng));
        assert!(!queue.refused(0, later + Duration::from_millis(1), &mut rng));
    }
}
