use serde::{Deserialize, Serialize};

use crate::{Consumer, Mailbox};

/// A range of sequence numbers, both ends included, from which packets were dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gap {
    /// First number.
    pub from: u64,
    /// Last number.
    pub through: u64,
}

impl Gap {
    /// The range of a single packet.
    #[must_use]
    pub const fn one(seq: u64) -> Self {
        Self {
            from: seq,
            through: seq,
        }
    }

    /// Whether the number lies within.
    #[must_use]
    pub const fn contains(&self, seq: u64) -> bool {
        self.from <= seq && seq <= self.through
    }
}

/// What a consumer has missed: packets that have left the mailbox and that it never
/// acknowledged. In order, apart from each other.
///
/// It is the same at every call until the consumer acknowledges past the gap
/// ([`Consumer::acknowledge_through`]) or the gap itself ([`Consumer::acknowledge_gap`]), so a
/// connection that fell while it was told is told again. Tell the gaps below a packet before
/// pushing it.
///
/// A packet that was handed to the consumer and dropped before it was acknowledged is among
/// them: the node cannot know. When more than [`DROPPED_MAX`](crate::DROPPED_MAX) ranges are
/// dropped out of order the nearest are told as one, with what lies between.
#[must_use]
pub fn gaps_for(consumer: &Consumer, mailbox: &Mailbox) -> Vec<Gap> {
    let first = Gap {
        from: 1,
        through: mailbox.first_seq.saturating_sub(1),
    };
    let mut gaps = Vec::new();
    for gone in std::iter::once(&first).chain(mailbox.dropped()) {
        let mut from = gone.from.max(consumer.cursor.saturating_add(1));
        for &seq in consumer.ahead() {
            if seq < from {
                continue;
            }
            if seq > gone.through {
                break;
            }
            if from < seq {
                gaps.push(Gap {
                    from,
                    through: seq - 1,
                });
            }
            from = seq.saturating_add(1);
        }
        if from <= gone.through {
            gaps.push(Gap {
                from,
                through: gone.through,
            });
        }
    }
    gaps
}

/// The oldest of [`gaps_for`].
#[must_use]
pub fn gap_for(consumer: &Consumer, mailbox: &Mailbox) -> Option<Gap> {
    gaps_for(consumer, mailbox).into_iter().next()
}

/// Adds a number to ranges that are in order and apart, and keeps them so and below `max`.
pub(crate) fn insert(ranges: &mut Vec<Gap>, seq: u64, max: usize) {
    let at = ranges.partition_point(|gap| gap.through < seq);
    if ranges.get(at).is_some_and(|gap| gap.contains(seq)) {
        return;
    }
    ranges.insert(at, Gap::one(seq));
    // Numbers end before `u64::MAX`, so the sums below exist.
    join_if(ranges, at, |left, right| {
        left.through.saturating_add(1) == right.from
    });
    if let Some(before) = at.checked_sub(1) {
        join_if(ranges, before, |left, right| {
            left.through.saturating_add(1) == right.from
        });
    }
    if ranges.len() > max {
        let nearest = (1..ranges.len())
            .min_by_key(|&right| match ranges.get(right - 1..=right) {
                Some([left, right]) => right.from.saturating_sub(left.through),
                _ => u64::MAX,
            })
            .unwrap_or(1);
        join_if(ranges, nearest - 1, |_, _| true);
    }
}

fn join_if(ranges: &mut Vec<Gap>, left: usize, when: impl Fn(&Gap, &Gap) -> bool) {
    if let Some([a, b]) = ranges.get(left..left.saturating_add(2))
        && when(a, b)
    {
        let joined = Gap {
            from: a.from,
            through: b.through,
        };
        ranges.splice(left..left + 2, [joined]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{ConsumerId, MailboxLimits, Mode};

    fn mailbox(packets: u64) -> Mailbox {
        let limits = MailboxLimits {
            bytes_max: 1_000,
            retention_secs: 60,
        };
        let mut mailbox = Mailbox::new(1, limits);
        for _ in 0..packets {
            mailbox.accept(1).unwrap();
        }
        mailbox
    }

    #[test]
    fn a_returning_consumer_is_told_until_it_acknowledges_past() {
        let mut mailbox = mailbox(5);
        let mut each = Consumer::new(ConsumerId::new([1; 16]), Mode::Each, &mailbox, 0);
        each.acknowledge_through(1, &mailbox).unwrap();
        for seq in 1..=3 {
            mailbox.drop_packet(seq, 1).unwrap();
        }
        let told = [Gap {
            from: 2,
            through: 3,
        }];
        assert_eq!(gaps_for(&each, &mailbox), told);
        assert_eq!(gaps_for(&each, &mailbox), told);
        each.acknowledge_through(3, &mailbox).unwrap();
        assert_eq!(gaps_for(&each, &mailbox), []);
    }

    #[test]
    fn what_was_acknowledged_is_no_gap() {
        let mut mailbox = mailbox(9);
        let mut share = Consumer::new(ConsumerId::new([1; 16]), Mode::Share, &mailbox, 0);
        share.acknowledge(&[2, 4, 5, 7], &mailbox).unwrap();
        for seq in 1..=8 {
            mailbox.drop_packet(seq, 1).unwrap();
        }
        let told = [Gap::one(1), Gap::one(3), Gap::one(6), Gap::one(8)];
        assert_eq!(gaps_for(&share, &mailbox), told);
        assert_eq!(gap_for(&share, &mailbox), Some(Gap::one(1)));
        for gap in told {
            share.acknowledge_gap(gap, &mailbox).unwrap();
        }
        assert_eq!((share.cursor, gaps_for(&share, &mailbox)), (8, vec![]));
    }

    #[test]
    fn a_consumer_is_not_told_of_what_left_before_it_came() {
        let mut mailbox = mailbox(5);
        mailbox.drop_packet(1, 1).unwrap();
        let late = Consumer::new(ConsumerId::new([1; 16]), Mode::Each, &mailbox, 0);
        assert_eq!(gaps_for(&late, &mailbox), []);
    }

    #[test]
    fn more_drops_from_between_than_are_listed_are_told_coarsely_but_told() {
        let mut mailbox = mailbox(600);
        let each = Consumer::new(ConsumerId::new([1; 16]), Mode::Each, &mailbox, 0);
        for seq in (2..=600).step_by(2) {
            mailbox.drop_packet(seq, 1).unwrap();
            assert!(mailbox.dropped().len() <= crate::DROPPED_MAX);
        }
        let gaps = gaps_for(&each, &mailbox);
        assert!(
            (2..=600)
                .step_by(2)
                .all(|seq| gaps.iter().any(|gap| gap.contains(seq)))
        );
        assert!(gaps.windows(2).all(|pair| pair[0].through < pair[1].from));
        let json = serde_json::to_string(&mailbox).unwrap();
        assert_eq!(serde_json::from_str::<Mailbox>(&json).unwrap(), mailbox);
    }

    proptest! {
        #[test]
        fn ranges_hold_exactly_what_was_put_in(seqs in prop::collection::vec(1_u64..200, 0..150)) {
            let mut ranges = Vec::new();
            for &seq in &seqs {
                insert(&mut ranges, seq, usize::MAX);
            }
            let held: BTreeSet<u64> = (1..200).filter(|s| ranges.iter().any(|g| g.contains(*s))).collect();
            prop_assert_eq!(held, seqs.into_iter().collect::<BTreeSet<_>>());
            prop_assert!(ranges.windows(2).all(|w| w[0].through + 1 < w[1].from));
        }

        #[test]
        fn bounded_ranges_lose_nothing(
            seqs in prop::collection::vec(1_u64..1000, 0..150),
            max in 1_usize..10,
        ) {
            let mut ranges = Vec::new();
            for &seq in &seqs {
                insert(&mut ranges, seq, max);
                prop_assert!(ranges.len() <= max);
            }
            prop_assert!(seqs.iter().all(|s| ranges.iter().any(|g| g.contains(*s))));
            prop_assert!(ranges.windows(2).all(|w| w[0].through + 1 < w[1].from));
        }
    }
}
