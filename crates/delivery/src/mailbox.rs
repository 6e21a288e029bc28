use serde::{Deserialize, Serialize};

use crate::gap::{self, Gap};
use crate::{Cursor, DeliveryError};

/// The most dropped ranges that a mailbox remembers out of order.
///
/// Retention drops the oldest first, which takes no memory. Only what falls out from between
/// (a damaged row, a shorter retention) is listed.
pub const DROPPED_MAX: usize = 64;

/// What a client may leave lying at its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxLimits {
    /// Most bytes stored at once.
    pub bytes_max: u64,
    /// Seconds after which a packet is dropped, taken or not.
    pub retention_secs: u64,
}

/// The counters of one client's mailbox: one small row, whatever waits in it.
///
/// Packets bear sequence numbers from 1, never reused. The packets themselves are the caller's.
///
/// All below `first_seq` is gone. A consumer that did not acknowledge some of that has missed it:
/// this is how a returning consumer is told of a gap without any list of losses. It holds because
/// packets leave in one of two ways: [`remove`](Self::remove), once all have them, or
/// [`drop_packet`](Self::drop_packet), which remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Mailbox {
    /// The number that the next packet gets; the first is 1.
    pub next_seq: u64,
    /// No packet with a smaller number is stored.
    pub first_seq: u64,
    /// Packets stored.
    pub count: u64,
    /// Bytes stored.
    pub bytes: u64,
    /// The generation of the store: another one after a restore, when numbers may repeat.
    pub generation: u64,
    /// What the client may leave lying.
    pub limits: MailboxLimits,
    /// Dropped above `first_seq`: in order, apart, at most [`DROPPED_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dropped: Vec<Gap>,
}

impl Mailbox {
    /// An empty mailbox.
    #[must_use]
    pub const fn new(generation: u64, limits: MailboxLimits) -> Self {
        Self {
            next_seq: 1,
            first_seq: 1,
            count: 0,
            bytes: 0,
            generation,
            limits,
            dropped: Vec::new(),
        }
    }

    /// The newest number given out; 0 before the first.
    #[must_use]
    pub const fn newest(&self) -> u64 {
        self.next_seq.saturating_sub(1)
    }

    /// Takes in a packet and gives it its number.
    ///
    /// # Errors
    /// [`DeliveryError::Full`] when its bytes do not fit beside those that wait.
    pub fn accept(&mut self, bytes: u64) -> Result<u64, DeliveryError> {
        let full = DeliveryError::Full {
            bytes: self.bytes,
            bytes_max: self.limits.bytes_max,
            wanted: bytes,
        };
        let total = self
            .bytes
            .checked_add(bytes)
            .filter(|total| *total <= self.limits.bytes_max);
        let total = total.ok_or(full)?;
        // The last number is never given out, so that `seq + 1` always exists.
        let next = self
            .next_seq
            .checked_add(1)
            .ok_or(DeliveryError::OutOfNumbers)?;
        let seq = self.next_seq;
        self.next_seq = next;
        self.count = self.count.saturating_add(1);
        self.bytes = total;
        Ok(seq)
    }

    /// Removes a packet that every consumer has: at or below the [`floor`](crate::floor) (then
    /// call [`advance_first`](Self::advance_first) with `floor + 1`), or
    /// [`taken_by_all`](crate::taken_by_all).
    ///
    /// # Errors
    /// When it cannot be in the mailbox; nothing changes then.
    pub fn remove(&mut self, seq: u64, bytes: u64) -> Result<(), DeliveryError> {
        if seq < self.first_seq || seq >= self.next_seq {
            return Err(DeliveryError::NotStored { seq });
        }
        let miscounted = DeliveryError::Miscounted {
            count: self.count,
            bytes: self.bytes,
            removed: bytes,
        };
        let (Some(count), Some(rest)) = (self.count.checked_sub(1), self.bytes.checked_sub(bytes))
        else {
            return Err(miscounted);
        };
        self.count = count;
        self.bytes = rest;
        if count == 0 {
            self.advance_first(self.next_seq);
        } else if seq == self.first_seq {
            self.advance_first(seq.saturating_add(1));
        }
        Ok(())
    }

    /// Removes a packet that not every consumer has, because its time has run out or its row is
    /// damaged, and remembers it: see [`gaps_for`](crate::gaps_for).
    ///
    /// # Errors
    /// As [`remove`](Self::remove).
    pub fn drop_packet(&mut self, seq: u64, bytes: u64) -> Result<(), DeliveryError> {
        self.remove(seq, bytes)?;
        if seq >= self.first_seq {
            gap::insert(&mut self.dropped, seq, DROPPED_MAX);
        }
        Ok(())
    }

    /// Says that nothing below `seq` is stored, as a caller finds by looking at its rows. A
    /// smaller number than known already, or one beyond the newest, changes nothing more.
    ///
    /// Worth saying after packets left out of order: consumers that never had them are told
    /// sooner, and skip them faster.
    pub fn advance_first(&mut self, seq: u64) {
        self.first_seq = self.first_seq.max(seq.min(self.next_seq));
        // What was listed and now touches the beginning needs no list.
        let mut absorbed = 0;
        for gap in &self.dropped {
            if gap.from > self.first_seq {
                break;
            }
            self.first_seq = self.first_seq.max(gap.through.saturating_add(1));
            absorbed += 1;
        }
        self.dropped.drain(..absorbed);
    }

    /// Ranges above `first_seq` from which packets were dropped, in order.
    #[must_use]
    pub fn dropped(&self) -> &[Gap] {
        &self.dropped
    }

    /// Whether this packet is known to have left: below `first_seq`, or dropped.
    #[must_use]
    pub fn is_gone(&self, seq: u64) -> bool {
        seq < self.first_seq || self.dropped.iter().any(|gap| gap.contains(seq))
    }

    /// A place in this mailbox, to be named outside of it.
    #[must_use]
    pub const fn cursor(&self, seq: u64) -> Cursor {
        Cursor {
            generation: self.generation,
            seq,
        }
    }

    /// What a cursor from outside means here.
    ///
    /// # Errors
    /// [`DeliveryError::OtherGeneration`] for one from before a restore, and
    /// [`DeliveryError::NeverStored`] for one beyond the newest packet.
    pub fn resolve(&self, cursor: Cursor) -> Result<u64, DeliveryError> {
        if cursor.generation != self.generation {
            return Err(DeliveryError::OtherGeneration {
                got: cursor.generation,
                current: self.generation,
            });
        }
        self.check_stored_once(cursor.seq)?;
        Ok(cursor.seq)
    }

    /// That this number was given out: nobody may acknowledge the future.
    pub(crate) fn check_stored_once(&self, seq: u64) -> Result<(), DeliveryError> {
        if seq < self.next_seq {
            Ok(())
        } else {
            Err(DeliveryError::NeverStored {
                seq,
                newest: self.newest(),
            })
        }
    }
}

/// A mailbox as it was read, before its numbers were held against each other.
#[derive(Deserialize)]
struct Unchecked {
    next_seq: u64,
    first_seq: u64,
    count: u64,
    bytes: u64,
    generation: u64,
    limits: MailboxLimits,
    #[serde(default)]
    dropped: Vec<Gap>,
}

impl TryFrom<Unchecked> for Mailbox {
    type Error = DeliveryError;

    fn try_from(row: Unchecked) -> Result<Self, DeliveryError> {
        let numbers = 1 <= row.first_seq
            && row.first_seq <= row.next_seq
            && row.count <= row.next_seq - row.first_seq
            && row.dropped.len() <= DROPPED_MAX;
        let mut below = row.first_seq;
        let apart = row.dropped.iter().all(|gap| {
            let fits = below < gap.from && gap.from <= gap.through && gap.through < row.next_seq;
            below = gap.through.saturating_add(1);
            fits
        });
        if !numbers || !apart {
            return Err(DeliveryError::BadMailbox);
        }
        Ok(Self {
            next_seq: row.next_seq,
            first_seq: row.first_seq,
            count: row.count,
            bytes: row.bytes,
            generation: row.generation,
            limits: row.limits,
            dropped: row.dropped,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: MailboxLimits = MailboxLimits {
        bytes_max: 100,
        retention_secs: 3600,
    };

    fn with(packets: u64) -> Mailbox {
        let mut mailbox = Mailbox::new(1, LIMITS);
        for seq in 1..=packets {
            assert_eq!(mailbox.accept(10), Ok(seq));
        }
        mailbox
    }

    #[test]
    fn a_full_mailbox_refuses_and_stays_as_it_was() {
        let mut mailbox = with(10);
        let before = mailbox.clone();
        let full = DeliveryError::Full {
            bytes: 100,
            bytes_max: 100,
            wanted: 1,
        };
        assert_eq!(mailbox.accept(1), Err(full));
        assert!(mailbox.accept(u64::MAX).is_err());
        assert_eq!(mailbox, before);
        mailbox.remove(1, 10).unwrap();
        assert_eq!(mailbox.accept(10), Ok(11));
    }

    #[test]
    fn numbers_are_never_reused() {
        let mut mailbox = with(3);
        for seq in 1..=3 {
            mailbox.remove(seq, 10).unwrap();
        }
        assert_eq!((mailbox.count, mailbox.bytes, mailbox.first_seq), (0, 0, 4));
        assert_eq!(mailbox.accept(10), Ok(4));
    }

    #[test]
    fn the_last_number_is_refused_not_wrapped() {
        let mut mailbox = Mailbox::new(1, LIMITS);
        mailbox.next_seq = u64::MAX - 1;
        mailbox.first_seq = u64::MAX - 1;
        assert_eq!(mailbox.accept(1), Ok(u64::MAX - 1));
        assert_eq!(mailbox.accept(1), Err(DeliveryError::OutOfNumbers));
        assert_eq!((mailbox.count, mailbox.bytes), (1, 1));
        mailbox.remove(u64::MAX - 1, 1).unwrap();
        assert_eq!(mailbox.first_seq, u64::MAX);
    }

    #[test]
    fn what_is_not_there_cannot_be_removed() {
        let mut mailbox = with(3);
        mailbox.remove(1, 10).unwrap();
        let before = mailbox.clone();
        for seq in [0, 1, 4, u64::MAX] {
            assert_eq!(
                mailbox.remove(seq, 10),
                Err(DeliveryError::NotStored { seq })
            );
            assert_eq!(
                mailbox.drop_packet(seq, 10),
                Err(DeliveryError::NotStored { seq })
            );
        }
        assert!(matches!(
            mailbox.remove(2, 21),
            Err(DeliveryError::Miscounted { .. })
        ));
        assert_eq!(mailbox, before);
    }

    #[test]
    fn drops_in_order_need_no_list() {
        let mut mailbox = with(4);
        mailbox.drop_packet(1, 10).unwrap();
        mailbox.drop_packet(2, 10).unwrap();
        assert_eq!((mailbox.first_seq, mailbox.dropped()), (3, &[][..]));
        assert!(mailbox.is_gone(2) && !mailbox.is_gone(3));
    }

    #[test]
    fn drops_out_of_order_are_listed_until_the_beginning_reaches_them() {
        let mut mailbox = with(8);
        mailbox.drop_packet(3, 10).unwrap();
        mailbox.drop_packet(5, 10).unwrap();
        assert_eq!(mailbox.dropped(), [Gap::one(3), Gap::one(5)]);
        mailbox.drop_packet(4, 10).unwrap();
        assert_eq!(
            mailbox.dropped(),
            [Gap {
                from: 3,
                through: 5
            }]
        );
        mailbox.remove(1, 10).unwrap();
        assert_eq!(mailbox.first_seq, 2);
        mailbox.remove(2, 10).unwrap();
        assert_eq!((mailbox.first_seq, mailbox.dropped()), (6, &[][..]));
        mailbox.advance_first(7);
        assert_eq!(mailbox.first_seq, 7);
        mailbox.advance_first(2);
        assert_eq!(mailbox.first_seq, 7, "the beginning never goes back");
        mailbox.advance_first(u64::MAX);
        assert_eq!(
            mailbox.first_seq, mailbox.next_seq,
            "and never beyond the end"
        );
    }

    #[test]
    fn cursors_of_another_life_are_refused() {
        let mailbox = with(3);
        assert_eq!(mailbox.resolve(mailbox.cursor(3)), Ok(3));
        assert_eq!(mailbox.resolve(mailbox.cursor(0)), Ok(0));
        assert_eq!(
            mailbox.resolve(Cursor {
                generation: 2,
                seq: 3
            }),
            Err(DeliveryError::OtherGeneration { got: 2, current: 1 })
        );
        assert_eq!(
            mailbox.resolve(mailbox.cursor(4)),
            Err(DeliveryError::NeverStored { seq: 4, newest: 3 })
        );
    }

    #[test]
    fn json_comes_back_and_contradictions_do_not() {
        let mut mailbox = with(8);
        mailbox.drop_packet(3, 10).unwrap();
        let json = serde_json::to_string(&mailbox).unwrap();
        assert_eq!(serde_json::from_str::<Mailbox>(&json).unwrap(), mailbox);
        for (good, bad) in [
            (r#""first_seq":1"#, r#""first_seq":0"#),
            (r#""first_seq":1"#, r#""first_seq":10"#),
            (r#""first_seq":1"#, r#""first_seq":3"#),
            (r#""count":7"#, r#""count":9"#),
            (r#""through":3"#, r#""through":2"#),
            (r#""through":3"#, r#""through":9"#),
        ] {
            let other = json.replace(good, bad);
            assert_ne!(other, json, "{good} is in the text");
            assert!(serde_json::from_str::<Mailbox>(&other).is_err(), "{bad}");
        }
    }
}
