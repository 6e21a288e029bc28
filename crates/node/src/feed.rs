//! What goes out on streams next: decided once all of a batch is handled.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use layer_minus_delivery::{Leases, Mode, next_to_push};
use layer_minus_message::{Position, PushedPacket};
use layer_minus_wallet::Address;

use crate::{
    config::{NEXT_STEPS_MAX, SHARE_WINDOW},
    event::{ConnectionId, Effect},
    live::Connection,
    node::Parts,
    rows::{self, PacketRow},
    store::{Store, StoreError, Table},
    tx::{Stop, unheard},
};

/// What a transaction leaves to be fed at its end.
#[derive(Debug, Default)]
pub(crate) struct Hungry {
    clients: BTreeSet<Address>,
    /// Packets that came in it, by client and number.
    fresh: BTreeMap<(Address, u64), Bytes>,
}

impl<S: Store> Parts<'_, S> {
    /// A client's streams are fed once all of the batch is handled: an acknowledgement in it is of what
    /// went out earlier, and would else pay for a push that has not begun.
    pub(crate) fn feed_later(&mut self, wallet: Address) {
        self.hungry.clients.insert(wallet);
    }

    /// The same for a packet that has just come, so that it need not be read back.
    pub(crate) fn feed_fresh(&mut self, wallet: Address, seq: u64, message: Bytes) {
        self.hungry.fresh.insert((wallet, seq), message);
        self.feed_later(wallet);
    }

    /// The last thing in a transaction.
    pub(crate) fn feed_hungry(&mut self) -> Result<(), StoreError> {
        while let Some(client) = self.hungry.clients.pop_first() {
            unheard(self.feed_client(&client))?;
        }
        Ok(())
    }

    /// Feeds every idle stream of a client.
    fn feed_client(&mut self, wallet: &Address) -> Result<(), Stop> {
        let mut streams = self.live.of_client(wallet);
        // Of those that share, the one with the least unacknowledged work is fed first.
        streams.sort_by_key(|id| self.live.held_by(*id));
        for id in streams {
            self.feed(id)?;
        }
        Ok(())
    }

    /// Hands the next packet to a stream, if it is idle and there is one.
    fn feed(&mut self, id: ConnectionId) -> Result<(), Stop> {
        let Some(connection) = self.live.connections.get(&id) else {
            return Ok(());
        };
        if connection.in_flight.is_some() || self.live.held_by(id) >= SHARE_WINDOW {
            return Ok(());
        }
        let connection = connection.clone();
        let Some((seq, row)) = self.next_for(&connection)? else {
            return Ok(());
        };
        let Some(in_flight) = self.reserve_push(id, &connection, seq, &row)? else {
            return Ok(());
        };
        let message = match self.hungry.fresh.get(&(connection.client, seq)) {
            Some(message) => message.clone(),
            None => self.body(&connection.client, seq)?,
        };
        if connection.mode == Mode::Share {
            let key = (connection.client, connection.consumer);
            let leases = self.live.leases.entry(key).or_default();
            if leases.lease(seq, id.0).is_err() {
                return Ok(());
            }
        }
        let moved = in_flight.first && row.lane != connection.lane;
        if !row.begun || moved {
            let begun = PacketRow {
                begun: true,
                lane: if in_flight.first {
                    connection.lane
                } else {
                    row.lane
                },
                ..row.clone()
            };
            let key = rows::packet_key(&connection.client, seq);
            self.tx.put(Table::Packets, &key, &begun)?;
        }
        let now = self.tx.now;
        if let Some(connection) = self.live.connections.get_mut(&id) {
            connection.in_flight = Some(in_flight);
            connection.sent = connection.sent.max(seq);
            connection.paused = None;
            connection.last_record_at = now;
        }
        let position = Position {
            generation: connection.generation,
            seq,
        };
        let packet = PushedPacket {
            position,
            accepted_at: row.accepted_at,
            message,
        };
        let push = Effect::Push {
            connection: id,
            packet,
            size_bytes: row.size_bytes,
        };
        self.tx.effects.push(push);
        Ok(())
    }

    fn body(&self, client: &Address, seq: u64) -> Result<Bytes, StoreError> {
        let key = rows::packet_key(client, seq);
        let bytes = self.tx.store.get(Table::Bodies, &key)?;
        bytes
            .map(Bytes::from)
            .ok_or_else(|| StoreError::damaged(Table::Bodies, key))
    }

    fn next_for(&self, connection: &Connection) -> Result<Option<(u64, PacketRow)>, StoreError> {
        let client = &connection.client;
        let Some(consumer) = self.tx.consumer(client, &connection.consumer)? else {
            return Ok(None);
        };
        let mailbox = self.tx.mailbox(client)?.mailbox;
        let none = Leases::new();
        let leases = self
            .live
            .leases
            .get(&(*client, connection.consumer))
            .unwrap_or(&none);
        let mut after = if connection.mode == Mode::Each {
            connection.sent
        } else {
            0
        };
        for _ in 0..NEXT_STEPS_MAX {
            let Some(seq) = next_to_push(&consumer, leases, after, &mailbox) else {
                return Ok(None);
            };
            let Some((stored, row)) = self.tx.packets_after(client, seq - 1, 1)?.pop() else {
                return Ok(None);
            };
            if stored == seq {
                return Ok(Some((seq, row)));
            }
            // What lies between left the mailbox; the rules are asked again for what is there.
            after = stored - 1;
        }
        Ok(None)
    }
}
