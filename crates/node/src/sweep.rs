//! What time does: heartbeats, slow readers, retention, forgetting.

use layer_minus_delivery::Mode;
use layer_minus_ledger::{Op, TransferId};
use layer_minus_message::Answer;
use layer_minus_wallet::Address;

use crate::{
    config::{SWEEP_ROUNDS_MAX, SWEEP_ROWS_MAX},
    event::{ConnectionId, Effect},
    mail::mailbox_refusal,
    node::Parts,
    rows::{self, Due, KeyRow, PacketRow},
    store::{Store, Table},
    tx::Stop,
};

impl<S: Store> Parts<'_, S> {
    pub(crate) fn tick(&mut self) -> Result<(), Stop> {
        self.tend_streams()?;
        self.sweep_seen()?;
        self.sweep_due()?;
        let now = self.tx.now;
        if now.saturating_sub(self.live.swept_at) >= 60 {
            self.live.swept_at = now;
            self.live
                .challenges
                .retain(|challenge| challenge.expires_at >= now);
        }
        Ok(())
    }

    fn tend_streams(&mut self) -> Result<(), Stop> {
        let now = self.tx.now;
        let (heartbeat, slow) = (self.config.heartbeat_secs, self.config.slow_reader_secs);
        let mut beats: Vec<ConnectionId> = Vec::new();
        let mut stuck: Vec<ConnectionId> = Vec::new();
        for (id, connection) in &mut self.live.connections {
            match &connection.in_flight {
                Some(push) if now.saturating_sub(push.since) > slow => stuck.push(*id),
                Some(_) => {}
                None if now.saturating_sub(connection.last_record_at) >= heartbeat => {
                    connection.last_record_at = now;
                    beats.push(*id);
                }
                None => {}
            }
        }
        for connection in beats {
            let answer = Box::new(Answer::Heartbeat { node_time: now });
            self.tx.effects.push(Effect::Control { connection, answer });
        }
        for id in stuck {
            self.end_stream(id)?;
        }
        Ok(())
    }

    fn sweep_due(&mut self) -> Result<(), Stop> {
        let to = self.tx.now.to_be_bytes();
        let mut from: Vec<u8> = Vec::new();
        for _ in 0..SWEEP_ROUNDS_MAX {
            let rows = self
                .tx
                .store
                .scan(Table::Retention, &from, &to, SWEEP_ROWS_MAX)?;
            for (key, _) in &rows {
                if !self.live.quarantined.contains(key) {
                    self.live.sweeping = Some(key.clone());
                    self.tx.delete(Table::Retention, key)?;
                    self.carry_out(key)?;
                }
            }
            match rows.into_iter().next_back() {
                Some((last, _)) => from = last,
                None => break,
            }
            from.push(0);
        }
        self.live.sweeping = None;
        Ok(())
    }

    fn carry_out(&mut self, entry: &[u8]) -> Result<(), Stop> {
        let Some((due, subject)) = rows::read_due(entry) else {
            return Ok(());
        };
        match due {
            Due::Packet => self.expire_packet(subject),
            Due::Receipt => Ok(self.tx.delete(Table::Receipts, subject)?),
            Due::Reservation => self.expire_reservation(subject),
            Due::Key => self.expire_key(subject),
            Due::Lane => Ok(self.tx.delete(Table::Lanes, subject)?),
        }
    }

    /// Retention is over: the packet goes, its storage is charged in full, its push never was, and the
    /// consumers that never had it are told of a gap.
    fn expire_packet(&mut self, key: &[u8]) -> Result<(), Stop> {
        let Some((wallet, seq)) = rows::read_packet_key(key) else {
            return Ok(());
        };
        let packet: Option<PacketRow> = self.tx.get(Table::Packets, key)?;
        let Some(packet) = packet else { return Ok(()) };
        let mut row = self.tx.mailbox(&wallet)?;
        self.take_out(&wallet, &mut row, seq, &packet, false)?;
        let size = u64::from(packet.size_bytes);
        row.mailbox
            .drop_packet(seq, size)
            .map_err(mailbox_refusal)?;
        self.advance_first(&wallet, &mut row)?;
        self.tx.put_mailbox(&wallet, &row)?;
        self.tell_gap(&wallet, seq)
    }

    fn tell_gap(&mut self, wallet: &Address, seq: u64) -> Result<(), Stop> {
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
        Ok(())
    }

    fn expire_reservation(&mut self, key: &[u8]) -> Result<(), Stop> {
        match key.try_into() {
            Ok(id) => self.end_reservation(Op::Expire {
                pending: TransferId::new(id),
            }),
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
