use std::collections::BTreeMap;

use crate::{AHEAD_MAX, Consumer, DeliveryError, Mailbox, Mode};

/// Which connection of a `share` consumer has which packet. In memory: when the node restarts
/// every connection has dropped, and every lease with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leases {
    holders: BTreeMap<u64, u64>,
}

impl Leases {
    /// Nothing leased.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            holders: BTreeMap::new(),
        }
    }

    /// Gives a packet to a connection; again to the same one changes nothing.
    ///
    /// # Errors
    /// [`DeliveryError::Leased`] when another connection has it;
    /// [`DeliveryError::TooManyLeases`] when [`AHEAD_MAX`] are out.
    pub fn lease(&mut self, seq: u64, connection: u64) -> Result<(), DeliveryError> {
        match self.holder(seq) {
            Some(holder) if holder == connection => Ok(()),
            Some(holder) => Err(DeliveryError::Leased {
                seq,
                connection: holder,
            }),
            None if self.holders.len() >= AHEAD_MAX => {
                Err(DeliveryError::TooManyLeases { max: AHEAD_MAX })
            }
            None => {
                self.holders.insert(seq, connection);
                Ok(())
            }
        }
    }

    /// Who has the packet.
    #[must_use]
    pub fn holder(&self, seq: u64) -> Option<u64> {
        self.holders.get(&seq).copied()
    }

    /// Ends a lease, after an acknowledgement or because the packet was dropped.
    pub fn release(&mut self, seq: u64) -> Option<u64> {
        self.holders.remove(&seq)
    }

    /// Takes back all that a connection has, oldest first: it dropped.
    pub fn release_connection(&mut self, connection: u64) -> Vec<u64> {
        let mut released = Vec::new();
        self.holders.retain(|seq, holder| {
            let keep = *holder != connection;
            if !keep {
                released.push(*seq);
            }
            keep
        });
        released
    }

    /// Ends the leases of all that the consumer has acknowledged.
    pub fn release_done(&mut self, consumer: &Consumer) {
        self.holders.retain(|seq, _| !consumer.is_done(*seq));
    }

    /// Number of packets that a connection has.
    #[must_use]
    pub fn held_by(&self, connection: u64) -> usize {
        self.holders
            .values()
            .filter(|holder| **holder == connection)
            .count()
    }

    /// Number of packets leased.
    #[must_use]
    pub fn len(&self) -> usize {
        self.holders.len()
    }

    /// Whether nothing is leased.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }
}

/// The number of the next packet for a connection, above `after`.
///
/// It is a candidate: the caller looks whether the row is there, and if not asks again with the
/// candidate (or one less than the next row there is) as `after`.
///
/// - `each`: pass the highest number handed to this connection, so that what is not yet
///   acknowledged is not handed to it again; 0 when it has just connected.
/// - `share`: pass 0. What is acknowledged or leased is passed over, and what another connection
///   gave back comes first. Lease what is pushed. `None` also while [`AHEAD_MAX`] packets are out
///   or acknowledged beyond one that is not: every acknowledgement that comes will find room.
#[must_use]
pub fn next_to_push(
    consumer: &Consumer,
    leases: &Leases,
    after: u64,
    mailbox: &Mailbox,
) -> Option<u64> {
    let gone = mailbox.first_seq.saturating_sub(1);
    let mut seq = after.max(consumer.cursor).max(gone).checked_add(1)?;
    if consumer.mode == Mode::Share {
        if consumer.ahead().len() + leases.len() >= AHEAD_MAX {
            return None;
        }
        // Bounded by what is leased or acknowledged ahead, so by AHEAD_MAX steps.
        while leases.holder(seq).is_some() || consumer.is_done(seq) {
            seq = seq.checked_add(1)?;
        }
    }
    (seq < mailbox.next_seq).then_some(seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConsumerId, MailboxLimits};

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

    fn consumer(mode: Mode, mailbox: &Mailbox) -> Consumer {
        Consumer::new(ConsumerId::new([1; 16]), mode, mailbox, 0)
    }

    #[test]
    fn a_packet_is_with_one_connection_and_taken_back_when_that_drops() {
        let mailbox = mailbox(4);
        let share = consumer(Mode::Share, &mailbox);
        let mut leases = Leases::new();
        for connection in [10, 20, 10] {
            let seq = next_to_push(&share, &leases, 0, &mailbox).unwrap();
            leases.lease(seq, connection).unwrap();
        }
        assert_eq!((leases.held_by(10), leases.held_by(20)), (2, 1));
        assert_eq!(
            leases.lease(2, 10),
            Err(DeliveryError::Leased {
                seq: 2,
                connection: 20
            })
        );
        leases.lease(2, 20).unwrap();
        assert_eq!(leases.release_connection(10), [1, 3]);
        assert!(leases.release_connection(10).is_empty());
        assert_eq!(next_to_push(&share, &leases, 0, &mailbox), Some(1));
        assert_eq!(next_to_push(&share, &leases, 1, &mailbox), Some(3));
    }

    #[test]
    fn acknowledged_packets_are_neither_leased_nor_pushed_again() {
        let mailbox = mailbox(3);
        let mut share = consumer(Mode::Share, &mailbox);
        let mut leases = Leases::new();
        leases.lease(1, 10).unwrap();
        leases.lease(2, 10).unwrap();
        share.acknowledge(&[2], &mailbox).unwrap();
        leases.release_done(&share);
        assert_eq!(
            (leases.holder(1), leases.holder(2), leases.len()),
            (Some(10), None, 1)
        );
        assert_eq!(next_to_push(&share, &leases, 0, &mailbox), Some(3));
        assert_eq!(leases.release(1), Some(10));
        assert!(leases.is_empty());
    }

    #[test]
    fn share_stops_before_an_acknowledgement_would_not_fit() {
        let max = AHEAD_MAX as u64;
        let mailbox = mailbox(max + 100);
        let mut share = consumer(Mode::Share, &mailbox);
        let mut leases = Leases::new();
        leases.lease(1, 10).unwrap();
        let mut acknowledged = 0;
        while let Some(seq) = next_to_push(&share, &leases, 0, &mailbox) {
            leases.lease(seq, 20).unwrap();
            share.acknowledge(&[seq], &mailbox).unwrap();
            leases.release_done(&share);
            acknowledged += 1;
        }
        assert_eq!(acknowledged, AHEAD_MAX - 1);
        share.acknowledge(&[1], &mailbox).unwrap();
        leases.release_done(&share);
        assert_eq!(next_to_push(&share, &leases, 0, &mailbox), Some(max + 1));
    }

    #[test]
    fn leases_are_bounded() {
        let mut leases = Leases::new();
        for seq in 1..=AHEAD_MAX as u64 {
            leases.lease(seq, 1).unwrap();
        }
        assert_eq!(
            leases.lease(AHEAD_MAX as u64 + 1, 1),
            Err(DeliveryError::TooManyLeases { max: AHEAD_MAX })
        );
        leases.lease(1, 1).unwrap();
    }

    #[test]
    fn each_goes_on_after_what_its_connection_has() {
        let mut mailbox = mailbox(5);
        let mut each = consumer(Mode::Each, &mailbox);
        let none = Leases::new();
        assert_eq!(next_to_push(&each, &none, 0, &mailbox), Some(1));
        assert_eq!(next_to_push(&each, &none, 3, &mailbox), Some(4));
        assert_eq!(next_to_push(&each, &none, 5, &mailbox), None);
        assert_eq!(next_to_push(&each, &none, u64::MAX, &mailbox), None);
        each.acknowledge_through(2, &mailbox).unwrap();
        assert_eq!(next_to_push(&each, &none, 0, &mailbox), Some(3));
        mailbox.advance_first(5);
        assert_eq!(next_to_push(&each, &none, 0, &mailbox), Some(5));
    }
}
