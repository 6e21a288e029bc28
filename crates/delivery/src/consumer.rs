use serde::{Deserialize, Serialize};

use crate::{ConsumerId, DeliveryError, Gap, Mailbox, Mode};

/// Most packets that a `share` consumer can have acknowledged beyond one that it has not, and
/// most that it can have out at once: 4096 packets are 32 kB in its row.
pub const AHEAD_MAX: usize = 4096;

/// Seconds after which a consumer that was not seen holds nothing back: 60 days.
pub const CONSUMER_IDLE_MAX: u64 = 60 * 24 * 3600;

/// How far one consumer has come in its mailbox: a small row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Consumer {
    /// Its name.
    pub id: ConsumerId,
    /// How its connections divide what comes.
    pub mode: Mode,
    /// All packets up to this number are acknowledged.
    pub cursor: u64,
    /// Acknowledged beyond the cursor: in order, at most [`AHEAD_MAX`]. For `each` only gaps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ahead: Vec<u64>,
    /// When it was last connected or acknowledged, Unix seconds.
    pub last_seen: u64,
}

impl Consumer {
    /// A consumer that starts with the oldest packet still there.
    ///
    /// Packets newer than that one which all others took before it came, and which were deleted
    /// from between, are a gap to it like any other.
    #[must_use]
    pub const fn new(id: ConsumerId, mode: Mode, mailbox: &Mailbox, now: u64) -> Self {
        let cursor = mailbox.first_seq.saturating_sub(1);
        Self {
            id,
            mode,
            cursor,
            ahead: Vec::new(),
            last_seen: now,
        }
    }

    /// Acknowledged beyond the cursor, in order.
    #[must_use]
    pub fn ahead(&self) -> &[u64] {
        &self.ahead
    }

    /// Notes that it is there. A clock that went back changes nothing.
    pub fn seen(&mut self, now: u64) {
        self.last_seen = self.last_seen.max(now);
    }

    /// Whether it was not seen for [`CONSUMER_IDLE_MAX`].
    #[must_use]
    pub const fn is_idle(&self, now: u64) -> bool {
        now.saturating_sub(self.last_seen) > CONSUMER_IDLE_MAX
    }

    /// Whether this packet is acknowledged.
    #[must_use]
    pub fn is_done(&self, seq: u64) -> bool {
        seq <= self.cursor || self.ahead.binary_search(&seq).is_ok()
    }

    /// Acknowledges everything up to a packet (mode `each`). Says whether that was news.
    ///
    /// # Errors
    /// [`DeliveryError::NeverStored`] for a number not yet given out, which would lose mail to
    /// come; [`DeliveryError::WrongMode`] for a `share` consumer, whose other connections may
    /// still be at it.
    pub fn acknowledge_through(
        &mut self,
        seq: u64,
        mailbox: &Mailbox,
    ) -> Result<bool, DeliveryError> {
        if self.mode != Mode::Each {
            let what = "everything up to a packet";
            return Err(DeliveryError::WrongMode {
                mode: self.mode,
                what,
            });
        }
        mailbox.check_stored_once(seq)?;
        let news = seq > self.cursor;
        if news {
            self.cursor = seq;
            // Gaps acknowledged ahead may lie below now, or go on from here.
            self.take(std::iter::empty())?;
        }
        Ok(news)
    }

    /// Acknowledges packets one by one (mode `share`), all or none. Says whether any was news.
    ///
    /// # Errors
    /// [`DeliveryError::NeverStored`] for a number not yet given out;
    /// [`DeliveryError::TooFarAhead`] for more than [`AHEAD_MAX`] numbers, or when that many
    /// would lie beyond a packet that is not acknowledged; [`DeliveryError::WrongMode`] for an
    /// `each` consumer.
    pub fn acknowledge(&mut self, seqs: &[u64], mailbox: &Mailbox) -> Result<bool, DeliveryError> {
        if self.mode != Mode::Share {
            let what = "single packets";
            return Err(DeliveryError::WrongMode {
                mode: self.mode,
                what,
            });
        }
        if seqs.len() > AHEAD_MAX {
            return Err(DeliveryError::TooFarAhead { max: AHEAD_MAX });
        }
        for &seq in seqs {
            mailbox.check_stored_once(seq)?;
        }
        let news = seqs.iter().any(|seq| !self.is_done(*seq));
        if news {
            self.take(seqs.iter().copied())?;
        }
        Ok(news)
    }

    /// Acknowledges having been told of a gap (either mode).
    ///
    /// # Errors
    /// [`DeliveryError::NotAGap`] when something of the range may still be stored;
    /// [`DeliveryError::TooFarAhead`] when too much of it lies beyond a packet that is not
    /// acknowledged: acknowledge that first.
    pub fn acknowledge_gap(&mut self, gap: Gap, mailbox: &Mailbox) -> Result<(), DeliveryError> {
        let Gap { from, through } = gap;
        let below = through < mailbox.first_seq;
        let is_gap = from >= 1
            && from <= through
            && (below
                || mailbox
                    .dropped()
                    .iter()
                    .any(|g| g.contains(from) && g.contains(through)));
        if !is_gap {
            return Err(DeliveryError::NotAGap { from, through });
        }
        if from <= self.cursor.saturating_add(1) {
            // However wide, it only moves the cursor.
            self.cursor = self.cursor.max(through);
            return self.take(std::iter::empty());
        }
        if through - from >= AHEAD_MAX as u64 {
            return Err(DeliveryError::TooFarAhead { max: AHEAD_MAX });
        }
        self.take(from..=through)
    }

    /// Adds numbers beyond the cursor and moves the cursor over what is then without a break.
    fn take(&mut self, seqs: impl Iterator<Item = u64>) -> Result<(), DeliveryError> {
        let mut ahead = self.ahead.clone();
        ahead.extend(seqs);
        ahead.sort_unstable();
        ahead.dedup();
        let mut cursor = self.cursor;
        let mut reached = 0;
        for &seq in &ahead {
            if seq > cursor.saturating_add(1) {
                break;
            }
            cursor = cursor.max(seq);
            reached += 1;
        }
        ahead.drain(..reached);
        if ahead.len() > AHEAD_MAX {
            return Err(DeliveryError::TooFarAhead { max: AHEAD_MAX });
        }
        self.cursor = cursor;
        self.ahead = ahead;
        Ok(())
    }
}

/// A consumer as it was read, before its numbers were held against each other.
#[derive(Deserialize)]
struct Unchecked {
    id: ConsumerId,
    mode: Mode,
    cursor: u64,
    #[serde(default)]
    ahead: Vec<u64>,
    last_seen: u64,
}

impl TryFrom<Unchecked> for Consumer {
    type Error = DeliveryError;

    fn try_from(row: Unchecked) -> Result<Self, DeliveryError> {
        let mut below = row.cursor.saturating_add(1);
        let in_order = row.ahead.iter().all(|&seq| {
            let fits = seq > below;
            below = seq;
            fits
        });
        if !in_order || row.ahead.len() > AHEAD_MAX {
            return Err(DeliveryError::BadConsumer);
        }
        Ok(Self {
            id: row.id,
            mode: row.mode,
            cursor: row.cursor,
            ahead: row.ahead,
            last_seen: row.last_seen,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MailboxLimits;

    const ID: ConsumerId = ConsumerId::new([7; 16]);

    fn mailbox(packets: u64) -> Mailbox {
        let limits = MailboxLimits {
            bytes_max: 100_000,
            retention_secs: 60,
        };
        let mut mailbox = Mailbox::new(1, limits);
        for _ in 0..packets {
            mailbox.accept(1).unwrap();
        }
        mailbox
    }

    #[test]
    fn the_future_cannot_be_acknowledged() {
        let mailbox = mailbox(3);
        let mut each = Consumer::new(ID, Mode::Each, &mailbox, 0);
        let mut share = Consumer::new(ID, Mode::Share, &mailbox, 0);
        for seq in [4, u64::MAX] {
            let never = DeliveryError::NeverStored { seq, newest: 3 };
            assert_eq!(each.acknowledge_through(seq, &mailbox), Err(never.clone()));
            assert_eq!(share.acknowledge(&[1, seq], &mailbox), Err(never));
        }
        assert_eq!((each.cursor, share.cursor, share.ahead()), (0, 0, &[][..]));
    }

    #[test]
    fn each_is_cumulative_and_never_goes_back() {
        let mailbox = mailbox(3);
        let mut each = Consumer::new(ID, Mode::Each, &mailbox, 0);
        assert_eq!(each.acknowledge_through(2, &mailbox), Ok(true));
        assert_eq!(each.acknowledge_through(2, &mailbox), Ok(false));
        assert_eq!(each.acknowledge_through(1, &mailbox), Ok(false));
        assert_eq!(each.cursor, 2);
        assert!(each.is_done(2) && !each.is_done(3));
        let wrong = each.acknowledge(&[3], &mailbox);
        assert!(matches!(
            wrong,
            Err(DeliveryError::WrongMode {
                mode: Mode::Each,
                ..
            })
        ));
    }

    #[test]
    fn share_moves_its_cursor_when_a_hole_closes() {
        let mailbox = mailbox(6);
        let mut share = Consumer::new(ID, Mode::Share, &mailbox, 0);
        assert_eq!(share.acknowledge(&[5, 3, 2, 3], &mailbox), Ok(true));
        assert_eq!((share.cursor, share.ahead()), (0, &[2, 3, 5][..]));
        assert_eq!(share.acknowledge(&[3], &mailbox), Ok(false));
        assert_eq!(share.acknowledge(&[1], &mailbox), Ok(true));
        assert_eq!((share.cursor, share.ahead()), (3, &[5][..]));
        assert_eq!(share.acknowledge(&[4, 1, 0], &mailbox), Ok(true));
        assert_eq!((share.cursor, share.ahead()), (5, &[][..]));
        let wrong = share.acknowledge_through(6, &mailbox);
        assert!(matches!(
            wrong,
            Err(DeliveryError::WrongMode {
                mode: Mode::Share,
                ..
            })
        ));
    }

    #[test]
    fn acknowledgements_ahead_are_bounded_all_or_none() {
        let max = AHEAD_MAX as u64;
        let mailbox = mailbox(max + 10);
        let mut share = Consumer::new(ID, Mode::Share, &mailbox, 0);
        let full: Vec<u64> = (2..max + 2).collect();
        share.acknowledge(&full, &mailbox).unwrap();
        assert_eq!(share.ahead().len(), AHEAD_MAX);
        let before = share.clone();
        let too_far = DeliveryError::TooFarAhead { max: AHEAD_MAX };
        assert_eq!(
            share.acknowledge(&[max + 3], &mailbox),
            Err(too_far.clone())
        );
        let long = vec![1; AHEAD_MAX + 1];
        assert_eq!(share.acknowledge(&long, &mailbox), Err(too_far));
        assert_eq!(share, before);
        share.acknowledge(&[1], &mailbox).unwrap();
        assert_eq!((share.cursor, share.ahead()), (max + 1, &[][..]));
    }

    #[test]
    fn only_a_gap_is_acknowledged_as_one() {
        let mut mailbox = mailbox(9);
        let mut share = Consumer::new(ID, Mode::Share, &mailbox, 0);
        mailbox.drop_packet(4, 1).unwrap();
        mailbox.drop_packet(5, 1).unwrap();
        for (from, through) in [
            (0, 0),
            (1, 1),
            (3, 4),
            (4, 6),
            (5, 4),
            (10, 10),
            (1, u64::MAX),
        ] {
            let not = DeliveryError::NotAGap { from, through };
            assert_eq!(
                share.acknowledge_gap(Gap { from, through }, &mailbox),
                Err(not)
            );
        }
        share
            .acknowledge_gap(
                Gap {
                    from: 4,
                    through: 5,
                },
                &mailbox,
            )
            .unwrap();
        assert_eq!((share.cursor, share.ahead()), (0, &[4, 5][..]));
        share.acknowledge(&[1, 2, 3], &mailbox).unwrap();
        assert_eq!((share.cursor, share.ahead()), (5, &[][..]));
    }

    #[test]
    fn a_gap_of_any_width_at_the_cursor_takes_no_room() {
        let mut mailbox = mailbox(20_000);
        let mut share = Consumer::new(ID, Mode::Share, &mailbox, 0);
        for seq in 1..=15_000 {
            mailbox.drop_packet(seq, 1).unwrap();
        }
        share.acknowledge(&[15_001], &mailbox).unwrap();
        share
            .acknowledge_gap(
                Gap {
                    from: 1,
                    through: 15_000,
                },
                &mailbox,
            )
            .unwrap();
        assert_eq!((share.cursor, share.ahead()), (15_001, &[][..]));

        // A gap told long ago, acknowledged late: the cursor never goes back.
        share
            .acknowledge_gap(
                Gap {
                    from: 3,
                    through: 7,
                },
                &mailbox,
            )
            .unwrap();
        assert_eq!((share.cursor, share.ahead()), (15_001, &[][..]));

        let mut other = Consumer::new(ID, Mode::Share, &mailbox, 0);
        other.cursor = 0;
        let wide = Gap {
            from: 2,
            through: 15_000,
        };
        let too_far = DeliveryError::TooFarAhead { max: AHEAD_MAX };
        assert_eq!(other.acknowledge_gap(wide, &mailbox), Err(too_far));
    }

    #[test]
    fn a_gap_acknowledged_ahead_is_passed_by_a_cursor() {
        for (through, cursor) in [(1, 1), (2, 4), (3, 4), (4, 4), (5, 5)] {
            let mut mailbox = mailbox(5);
            mailbox.drop_packet(3, 1).unwrap();
            mailbox.drop_packet(4, 1).unwrap();
            let mut each = Consumer::new(ID, Mode::Each, &mailbox, 0);
            each.acknowledge_gap(
                Gap {
                    from: 3,
                    through: 4,
                },
                &mailbox,
            )
            .unwrap();
            assert_eq!((each.cursor, each.ahead()), (0, &[3, 4][..]));
            each.acknowledge_through(through, &mailbox).unwrap();
            assert_eq!(each.cursor, cursor);
            let json = serde_json::to_string(&each).unwrap();
            assert_eq!(serde_json::from_str::<Consumer>(&json).unwrap(), each);
        }
    }

    #[test]
    fn json_comes_back_and_contradictions_do_not() {
        let mailbox = mailbox(9);
        let mut share = Consumer::new(ID, Mode::Share, &mailbox, 42);
        share.acknowledge(&[1, 4, 6], &mailbox).unwrap();
        let json = serde_json::to_string(&share).unwrap();
        assert_eq!(
            json,
            r#"{"id":"07070707070707070707070707070707","mode":"share","cursor":1,"ahead":[4,6],"last_seen":42}"#
        );
        assert_eq!(serde_json::from_str::<Consumer>(&json).unwrap(), share);
        for bad in ["[6,4]", "[4,4]", "[2,4]", "[0]"] {
            let other = json.replace("[4,6]", bad);
            assert!(serde_json::from_str::<Consumer>(&other).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<ConsumerId>(r#""07""#).is_err());
    }
}
