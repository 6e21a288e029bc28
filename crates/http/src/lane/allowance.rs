//! How much of what nobody pays for each lane may bring: a node that is known is not trusted with more
//! than a stranger, and what its clients pay for does not count.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use layer_minus_wallet::Address;

use crate::server::gate::Bucket;

/// Nodes whose use is counted; those that used nothing lately are forgotten first.
const NODES_MAX: usize = 8_192;
const SECOND: Duration = Duration::from_secs(1);

/// What the lanes to this node have left.
#[derive(Debug, Default)]
pub(crate) struct Allowances(Mutex<HashMap<Address, Bucket>>);

impl Allowances {
    /// Takes one packet from what `node` may bring, which is `per_second`; false if that is used up.
    pub(crate) fn take(&self, node: Address, per_second: u32) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= NODES_MAX && !buckets.contains_key(&node) {
            buckets.retain(|_, bucket| !bucket.is_full());
            if buckets.len() >= NODES_MAX {
                return false;
            }
        }
        buckets
            .entry(node)
            .or_insert_with(|| Bucket::new(u64::from(per_second), SECOND))
            .take(1)
    }

    /// Gives one packet back, because a client paid for it.
    pub(crate) fn give_back(&self, node: &Address) {
        let buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get(node) {
            bucket.give(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_lane_brings_so_much_that_nobody_pays_for() {
        let allowances = Allowances::default();
        let (one, other) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let taken = (0..100).filter(|_| allowances.take(one, 10)).count();
        assert_eq!(taken, 10);
        assert!(allowances.take(other, 10), "each has its own");
        // What is paid for comes back at once.
        for _ in 0..100 {
            allowances.give_back(&one);
            assert!(allowances.take(one, 10));
        }
        assert!(!allowances.take(one, 10));
        tokio::time::advance(SECOND).await;
        allowances.give_back(&one);
        let taken = (0..100).filter(|_| allowances.take(one, 10)).count();
        assert_eq!(taken, 10, "never more than a second's worth");
    }
}
