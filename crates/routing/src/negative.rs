//! The negative cache: what nobody knew a moment ago is not asked for again at once.

use std::collections::BTreeMap;

use layer_minus_packet::{Fingerprint, Recipient};

/// How long an unknown key is remembered as unknown, seconds.
pub const UNKNOWN_SECS: u64 = 30;

/// Unknown recipients and the second from which they may be asked for again.
#[derive(Clone, Debug)]
pub(crate) struct Negative {
    limit: usize,
    until: BTreeMap<Recipient, u64>,
}

impl Negative {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            until: BTreeMap::new(),
        }
    }

    /// Remembers; when there is no room, what would be forgotten first goes at once.
    pub(crate) fn note(&mut self, recipient: Recipient, now: u64) {
        if self.limit == 0 {
            return;
        }
        if !self.until.contains_key(&recipient) && self.until.len() >= self.limit {
            let first = self
                .until
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(key, _)| *key);
            if let Some(first) = first {
                self.until.remove(&first);
            }
        }
        self.until
            .insert(recipient, now.saturating_add(UNKNOWN_SECS));
    }

    pub(crate) fn holds(&self, recipient: &Recipient, now: u64) -> bool {
        self.until.get(recipient).is_some_and(|until| now < *until)
    }

    /// The key is known now, by its ID and by its fingerprint.
    pub(crate) fn forget(&mut self, key: &Fingerprint) {
        self.until.remove(&Recipient::Fingerprint(*key));
        self.until.remove(&Recipient::KeyId(key.key_id()));
    }

    pub(crate) fn remove_expired(&mut self, now: u64) {
        self.until.retain(|_, until| now < *until);
    }

    pub(crate) fn len(&self) -> usize {
        self.until.len()
    }
}

#[cfg(test)]
mod tests {
    use layer_minus_packet::KeyId;

    use super::*;

    fn key(number: u8) -> Recipient {
        Recipient::KeyId(KeyId::from_bytes([number; 8]))
    }

    #[test]
    fn forgets_after_its_time_and_is_bounded() {
        let mut cache = Negative::new(2);
        cache.note(key(1), 100);
        cache.note(key(2), 101);
        cache.note(key(2), 102);
        assert!(cache.holds(&key(1), 100 + UNKNOWN_SECS - 1));
        assert!(!cache.holds(&key(1), 100 + UNKNOWN_SECS));
        cache.note(key(3), 103);
        assert_eq!(cache.len(), 2);
        assert!(
            !cache.holds(&key(1), 103),
            "the one that was to go first went"
        );
        assert!(cache.holds(&key(2), 103) && cache.holds(&key(3), 103));
        cache.remove_expired(102 + UNKNOWN_SECS);
        assert_eq!(cache.len(), 1);
        let mut none = Negative::new(0);
        none.note(key(1), 0);
        assert_eq!(none.len(), 0);
    }

    #[test]
    fn a_key_that_became_known_is_forgotten_under_both_names() {
        let mut cache = Negative::new(8);
        let fingerprint = Fingerprint::V6([7; 32]);
        for recipient in [fingerprint.into(), fingerprint.key_id().into(), key(9)] {
            cache.note(recipient, 0);
        }
        cache.forget(&fingerprint);
        assert_eq!(cache.len(), 1);
        assert!(cache.holds(&key(9), 0));
    }
}
