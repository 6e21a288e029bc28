use crate::Consumer;

/// Up to where every consumer has everything: what is at or below can be deleted.
///
/// After deleting call [`Mailbox::advance_first`](crate::Mailbox::advance_first) with `floor + 1`: a consumer that was not seen
/// for [`CONSUMER_IDLE_MAX`](crate::CONSUMER_IDLE_MAX) holds nothing back, and this is what it is told a gap by when it
/// returns. Without any other consumer the floor is 0: nobody has taken anything.
#[must_use]
pub fn floor<'c>(consumers: impl IntoIterator<Item = &'c Consumer>, now: u64) -> u64 {
    let active = consumers
        .into_iter()
        .filter(|consumer| !consumer.is_idle(now));
    active.map(|consumer| consumer.cursor).min().unwrap_or(0)
}

/// Whether every consumer, also an idle one, has this packet, so that it can be deleted although
/// it lies above the [`floor`]. `false` without consumers.
///
/// Idle ones count because a packet deleted from between leaves no trace to tell them by.
#[must_use]
pub fn taken_by_all<'c>(consumers: impl IntoIterator<Item = &'c Consumer>, seq: u64) -> bool {
    let mut consumers = consumers.into_iter().peekable();
    consumers.peek().is_some() && consumers.all(|consumer| consumer.is_done(seq))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CONSUMER_IDLE_MAX, ConsumerId, Mailbox, MailboxLimits, Mode};

    const ID: ConsumerId = ConsumerId::new([7; 16]);

    #[test]
    fn an_idle_consumer_holds_nothing_back() {
        let limits = MailboxLimits {
            bytes_max: 100,
            retention_secs: 60,
        };
        let mut mailbox = Mailbox::new(1, limits);
        for _ in 0..5 {
            mailbox.accept(1).unwrap();
        }
        let mut phone = Consumer::new(ID, Mode::Each, &mailbox, 0);
        let lost = Consumer::new(ID, Mode::Each, &mailbox, 0);
        phone.acknowledge_through(4, &mailbox).unwrap();
        phone.seen(CONSUMER_IDLE_MAX + 1);
        assert_eq!(floor([&phone, &lost], CONSUMER_IDLE_MAX), 0);
        assert_eq!(floor([&phone, &lost], CONSUMER_IDLE_MAX + 1), 4);
        assert_eq!(
            floor([&lost], CONSUMER_IDLE_MAX + 1),
            0,
            "nobody has anything"
        );
        assert_eq!(floor([], 0), 0);
        assert!(!taken_by_all([&phone, &lost], 4), "it would leave no trace");
        assert!(taken_by_all([&phone], 4) && !taken_by_all([&phone], 5));
        assert!(!taken_by_all([], 1));
        phone.seen(3);
        assert_eq!(phone.last_seen, CONSUMER_IDLE_MAX + 1);
    }
}
