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
