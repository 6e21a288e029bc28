//! What time does to what is stored: retention, forgetting.

use layer_minus_delivery::Mode;
use layer_minus_ledger::{AccountId, Op, TransferId};
use layer_minus_message::Answer;
use layer_minus_wallet::Address;

use crate::{
    config::DROP_BYTES_MAX,
    event::Effect,
    mail::mailbox_refusal,
    node::Parts,
    rows::{self, Due, KeyRow, PacketRow},
    store::{Store, StoreError, Table},
    tx::{Stop, unheard},
};

impl<S: Store> Parts<'_, S> {
    /// Carries out up to `rows_max` entries that are due, from `from` on; returns where to go on, if
    /// there may be more.
    pub(crate) fn sweep_due(
        &mut self,
        from: &[u8],
        rows_max: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.live.sweeping = None;
        let to = self.tx.now.to_be_bytes();
        let rows = self.tx.store.scan(Table::Retention, from, &to, rows_max)?;
        let (mut last, mut dropped_bytes) = (None, 0_u64);
        for (key, _) in rows {
            if !self.live.quarantined.contains(&key) {
                self.live.sweeping = Some(key.clone());
                self.tx.delete(Table::Retention, &key)?;
                let bytes = unheard(self.carry_out(&key))?.unwrap_or(0);
                dropped_bytes = dropped_bytes.saturating_add(bytes);
            }
            last = Some(key);
            if dropped_bytes >= DROP_BYTES_MAX {
                break;
            }
        }
        self.live.sweeping = None;
        Ok(last.map(|mut key| {
            key.push(0);
            key
        }))
    }

    /// Returns the bytes of mail that were dropped.
    fn carry_out(&mut self, entry: &[u8]) -> Result<u64, Stop> {
        let Some((due, subject)) = rows::read_due(entry) else {
            return Ok(0);
        };
        match due {
            Due::Packet => return self.expire_packet(subject),
            Due::Receipt => self.tx.delete(Table::Receipts, subject)?,
            Due::Reservation => self.expire_reservation(subject)?,
            Due::Key => self.expire_key(subject)?,
            Due::Lane => self.tx.delete(Table::Lanes, subject)?,
            Due::Statement => {
                if let Ok(id) = subject.try_into() {
                    self.tx.sweep_statement(&AccountId::new(id))?;
                }
            }
            Due::Backing => self.expire_backing(subject)?,
        }
        Ok(0)
    }

    /// Retention is over: the packet goes, its storage is charged in full, its push never was, and the
    /// consumers that never had it are told of a gap.
    fn expire_packet(&mut self, key: &[u8]) -> Result<u64, Stop> {
        let Some((wallet, seq)) = rows::read_packet_key(key) else {
            return Ok(0);
        };
        let packet: Option<PacketRow> = self.tx.get(Table::Packets, key)?;
        let Some(packet) = packet else { return Ok(0) };
        if packet.kept_until >= self.tx.now {
            // The entry was another's, who left while that was on its way: numbers begin anew.
            return Ok(0);
        }
        if self.live.is_in_flight(&wallet, seq) {
            // It is on its way and will be paid for; a reader that is too slow loses its stream first.
            let again = self.tx.now.saturating_add(self.config.slow_reader_secs);
            self.tx.schedule(again, Due::Packet, key)?;
            return Ok(0);
        }
        let mut row = self.tx.mailbox(&wallet)?;
        self.take_out(&wallet, &mut row, seq, &packet, false)?;
        let size = u64::from(packet.size_bytes);
        row.mailbox
            .drop_packet(seq, size)
            .map_err(mailbox_refusal)?;
        self.advance_first(&wallet, &mut row)?;
        self.tx.put_mailbox(&wallet, &row)?;
        self.tell_gap(&wallet, seq);
        Ok(size)
    }

    fn tell_gap(&mut self, wallet: &Address, seq: u64) {
        for id in self.live.of_client(wallet) {
            let Some(connection) = self.live.connections.get(&id) else {
                continue;
            };
            // A stream that was handed the packet has it.
            if connection.mode == Mode::Each && connection.sent >= seq {
                continue;
            }
            let answer = Box::new(Answer::Gap {
                from: seq,
                through: seq,
            });
            self.tx.effects.push(Effect::Control {
                connection: id,
                answer,
            });
        }
    }

    fn expire_reservation(&mut self, key: &[u8]) -> Result<(), Stop> {
        match key.try_into() {
            Ok(id) => {
                let pending = TransferId::new(id);
                self.end_reservation(Op::Expire { pending }, 0)
            }
            Err(_) => Ok(()),
        }
    }

    fn expire_key(&mut self, key: &[u8]) -> Result<(), Stop> {
        let row: Option<KeyRow> = self.tx.get(Table::Keys, key)?;
        if row.is_some_and(|row| row.until.is_some_and(|until| until < self.tx.now)) {
            self.tx.delete(Table::Keys, key)?;
        }
        Ok(())
    }
}
