//! Acknowledgements, and what becomes of a packet that nobody needs any more.

use layer_minus_delivery::{ConsumerId, DeliveryError, Gap, Mode, floor, taken_by_all};
use layer_minus_ledger::Op;
use layer_minus_message::{Answer, Reason};
use layer_minus_wallet::Address;

use crate::{
    config::{DROP_BYTES_MAX, REMOVE_MAX},
    event::Request,
    mail::mailbox_refusal,
    money,
    node::Parts,
    rows::{self, Due, MailboxRow, PacketRow},
    store::{Store, StoreError, Table},
    tx::Stop,
};

impl<S: Store> Parts<'_, S> {
    /// Free of charge, so that nobody hesitates.
    pub(crate) fn ack(
        &mut self,
        request: &Request,
        wallet: Address,
        consumer: ConsumerId,
        generation: u64,
        through: Option<u64>,
        seqs: &[u64],
    ) -> Result<(), Stop> {
        let client = self.registered(&wallet)?;
        let malformed = |detail: &str| {
            Stop::Refuse(Reason::Malformed {
                detail: detail.to_owned(),
            })
        };
        if generation != self.generation_of(&client) {
            return Err(malformed(
                "numbers are of another generation of the mailbox",
            ));
        }
        let Some(mut state) = self.tx.consumer(&wallet, &consumer)? else {
            return Err(malformed("no such consumer"));
        };
        let row = self.tx.mailbox(&wallet)?;
        let before = state.clone();
        let refuse = |error: DeliveryError| malformed(&error.to_string());
        if !seqs.is_empty() {
            state.acknowledge(seqs, &row.mailbox).map_err(refuse)?;
        }
        match (through, state.mode) {
            (None, _) => {}
            (Some(through), Mode::Each) => {
                state
                    .acknowledge_through(through, &row.mailbox)
                    .map_err(refuse)?;
            }
            // A shared consumer acknowledges packets one by one; this way only what was dropped.
            (Some(through), Mode::Share) => {
                let gap = Gap {
                    from: state.cursor.saturating_add(1),
                    through,
                };
                state.acknowledge_gap(gap, &row.mailbox).map_err(refuse)?;
            }
        }
        // Free, because what it acknowledges was paid for; what is no news acknowledges nothing.
        if state != before {
            self.paid(request.lane);
        }
        state.seen(self.tx.now);
        self.tx.put_consumer(&wallet, &state)?;
        if let Some(leases) = self.live.leases.get_mut(&(wallet, consumer)) {
            leases.release_done(&state);
        }
        self.hand_acknowledged(&wallet, &state)?;
        // Charging a push counts its bytes.
        let mut row = self.tx.mailbox(&wallet)?;
        self.remove_collected(&wallet, &mut row)?;
        self.tx.put_mailbox(&wallet, &row)?;
        self.tx.answer(request.id, Answer::Acknowledged);
        self.feed_later(wallet);
        Ok(())
    }

    /// Removes what every consumer has, as much as one transaction should; the next tick goes on.
    fn remove_collected(&mut self, wallet: &Address, row: &mut MailboxRow) -> Result<(), Stop> {
        let consumers = self.tx.consumers(wallet)?;
        let through = floor(&consumers, self.tx.now);
        let first = row.mailbox.first_seq.saturating_sub(1);
        let packets = self.tx.packets_after(wallet, first, REMOVE_MAX)?;
        let may_be_more = packets.len() == REMOVE_MAX;
        let mut removed_bytes = 0_u64;
        for (seq, packet) in packets {
            if removed_bytes >= DROP_BYTES_MAX {
                break;
            }
            // Beyond the common cursor a packet may still be done, one by one, at every consumer.
            if seq <= through || taken_by_all(&consumers, seq) {
                self.take_out(wallet, row, seq, &packet, true)?;
                let size = u64::from(packet.size_bytes);
                row.mailbox.remove(seq, size).map_err(mailbox_refusal)?;
                removed_bytes = removed_bytes.saturating_add(size);
            }
        }
        if removed_bytes >= DROP_BYTES_MAX || (may_be_more && removed_bytes > 0) {
            self.live.go_on_removing(*wallet);
        }
        self.advance_first(wallet, row)
    }

    /// Removes more of what every consumer has.
    pub(crate) fn remove_rest(&mut self, wallet: &Address) -> Result<(), Stop> {
        if self.tx.client(wallet)?.is_none() {
            return Ok(());
        }
        let mut row = self.tx.mailbox(wallet)?;
        self.remove_collected(wallet, &mut row)?;
        Ok(self.tx.put_mailbox(wallet, &row)?)
    }

    /// Says where the mailbox begins now, as its rows show.
    pub(crate) fn advance_first(&self, wallet: &Address, row: &mut MailboxRow) -> Result<(), Stop> {
        let before = row.mailbox.first_seq.saturating_sub(1);
        let first = self
            .tx
            .packets_after(wallet, before, 1)?
            .first()
            .map(|(seq, _)| *seq);
        row.mailbox
            .advance_first(first.unwrap_or(row.mailbox.next_seq));
        Ok(())
    }

    /// Removes a packet's rows and charges its storage. The caller counts it out of `row`.
    pub(crate) fn take_out(
        &mut self,
        wallet: &Address,
        row: &mut MailboxRow,
        seq: u64,
        packet: &PacketRow,
        acknowledged: bool,
    ) -> Result<(), Stop> {
        // First what makes room, then what takes some: a full store must let mail go.
        let key = rows::packet_key(wallet, seq);
        self.tx.delete(Table::Packets, &key)?;
        self.tx.delete(Table::Bodies, &key)?;
        self.tx.unschedule(packet.kept_until, Due::Packet, &key)?;
        self.charge_storage(row, packet)?;
        if acknowledged && packet.begun && packet.pushes == 0 {
            // It was received on a stream that fell before the socket said so.
            self.post_push(packet.push, wallet, packet, packet.lane)?;
            let size = u64::from(packet.size_bytes);
            row.passed_bytes = row.passed_bytes.saturating_add(size);
        } else {
            self.void(packet.push)?;
        }
        Ok(())
    }

    fn charge_storage(&mut self, row: &mut MailboxRow, packet: &PacketRow) -> Result<(), Stop> {
        let until = self.tx.now.min(packet.kept_until);
        let held = money::byte_seconds(packet.size_bytes, packet.accepted_at, until);
        let (amount, meter) = row
            .storage
            .charge(held, packet.prices.storage_per_kb_hour)
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        row.storage = meter;
        let pending = packet.storage;
        if amount.is_zero() {
            return self.void(pending);
        }
        let id = self.ids.transfer("stored", &[pending.as_bytes()]);
        let post = Op::Post {
            id,
            pending,
            amount: Some(amount),
            last: true,
        };
        self.end_reservation(post, packet.size_bytes)
    }
}
