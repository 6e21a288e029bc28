//! Streams: opening and ending them, and paying for what they push.

use std::collections::BTreeSet;

use layer_minus_delivery::{Consumer, ConsumerId, Mode, gaps_for};
use layer_minus_ledger::{Amount, Op, TransferId};
use layer_minus_message::{Answer, Listen, Position, Reason};
use layer_minus_wallet::Address;

use crate::{
    config::CONSUMERS_MAX,
    event::{ConnectionId, Effect, Request},
    live::{Connection, InFlight},
    money::{self, code},
    node::Parts,
    purse::{price, take_free},
    rows::{self, Due, PacketRow},
    store::{Store, StoreError, Table},
    tx::{BookError, Stop},
};

/// How long a reservation for a further push may stay open, seconds.
const PUSH_AGAIN_SECS: u64 = 3_600;

impl<S: Store> Parts<'_, S> {
    pub(crate) fn listen(
        &mut self,
        request: &Request,
        wallet: Address,
        listen: &Listen,
    ) -> Result<(), Stop> {
        self.registered(&wallet)?;
        self.room_for_stream(&wallet)?;
        self.check_consumer(&wallet, listen)?;
        self.charge_command(request, &wallet)?;
        self.open_stream(request, wallet, listen, Vec::new())
    }

    pub(crate) fn room_for_stream(&self, wallet: &Address) -> Result<(), Stop> {
        let mine = self.live.by_client.get(wallet).map_or(0, BTreeSet::len);
        let limit = if self.live.connections.len() >= self.config.connections_max {
            "connections_max"
        } else if mine >= self.config.connections_per_client_max {
            "connections_per_client_max"
        } else {
            return Ok(());
        };
        Err(Reason::OverLimit {
            limit: limit.to_owned(),
        }
        .into())
    }

    /// Turns the request into a stream. What it costs was charged before.
    pub(crate) fn open_stream(
        &mut self,
        request: &Request,
        wallet: Address,
        listen: &Listen,
        mut first: Vec<Answer>,
    ) -> Result<(), Stop> {
        let now = self.tx.now;
        let mut consumer = self.consumer_or_new(&wallet, listen)?;
        consumer.seen(now);
        self.tx.put_consumer(&wallet, &consumer)?;
        if listen.mode == Mode::Each {
            self.replace_streams(&wallet, &listen.consumer)?;
        }
        let generation = self.generation_of(&self.registered(&wallet)?);
        let position = Position {
            generation,
            seq: consumer.cursor,
        };
        first.push(Answer::Listening {
            standing: self.standing(&wallet)?,
            position,
        });
        let row = self.tx.mailbox(&wallet)?;
        for gap in gaps_for(&consumer, &row.mailbox) {
            first.push(Answer::Gap {
                from: gap.from,
                through: gap.through,
            });
        }
        let connection = ConnectionId(request.id.0);
        let stream = Effect::Stream {
            request: request.id,
            connection,
            first,
        };
        self.tx.effects.push(stream);
        let state = Connection {
            client: wallet,
            consumer: listen.consumer,
            generation,
            mode: listen.mode,
            lane: request.lane,
            sent: consumer.cursor,
            in_flight: None,
            paused: None,
            last_record_at: now,
        };
        self.live.insert(connection, state);
        self.feed_later(wallet);
        Ok(())
    }

    /// Whether a listener may have its consumer, before anything is charged.
    pub(crate) fn check_consumer(&self, wallet: &Address, listen: &Listen) -> Result<(), Stop> {
        if let Some(consumer) = self.tx.consumer(wallet, &listen.consumer)? {
            if consumer.mode != listen.mode {
                let detail = "consumer exists in the other mode".to_owned();
                return Err(Reason::Malformed { detail }.into());
            }
            return Ok(());
        }
        let consumers = self.tx.consumers(wallet)?;
        let active = consumers
            .iter()
            .filter(|consumer| !consumer.is_idle(self.tx.now));
        if active.count() >= CONSUMERS_MAX {
            let limit = "consumers_max".to_owned();
            return Err(Reason::OverLimit { limit }.into());
        }
        Ok(())
    }

    fn consumer_or_new(&mut self, wallet: &Address, listen: &Listen) -> Result<Consumer, Stop> {
        if let Some(consumer) = self.tx.consumer(wallet, &listen.consumer)? {
            return Ok(consumer);
        }
        let others = self.tx.consumers(wallet)?;
        if others.len() >= CONSUMERS_MAX {
            let now = self.tx.now;
            for idle in others.iter().filter(|other| other.is_idle(now)) {
                let key = rows::consumer_key(wallet, &idle.id);
                self.tx.delete(Table::Consumers, &key)?;
            }
        }
        let row = self.tx.mailbox(wallet)?;
        let mut consumer = Consumer::new(listen.consumer, listen.mode, &row.mailbox, self.tx.now);
        if others.is_empty() {
            // The first one is told of everything that was dropped before anybody listened; a later
            // one begins with what still waits.
            consumer.cursor = 0;
        }
        Ok(consumer)
    }

    /// A device that comes back replaces its old stream, which may not have noticed yet.
    fn replace_streams(&mut self, wallet: &Address, consumer: &ConsumerId) -> Result<(), Stop> {
        for id in self.live.of_client(wallet) {
            let same = self
                .live
                .connections
                .get(&id)
                .is_some_and(|c| c.consumer == *consumer);
            if same {
                self.end_stream(id)?;
            }
        }
        Ok(())
    }

    pub(crate) fn end_stream(&mut self, id: ConnectionId) -> Result<(), Stop> {
        self.tx.effects.push(Effect::Close { connection: id });
        self.closed(id)
    }

    /// The stream is gone: what it held goes to others, what was reserved for it is released.
    pub(crate) fn closed(&mut self, id: ConnectionId) -> Result<(), Stop> {
        let Some(connection) = self.live.remove(id) else {
            return Ok(());
        };
        if let Some(in_flight) = connection.in_flight
            && let (Some(pending), false) = (in_flight.reservation, in_flight.first)
        {
            self.void(pending)?;
        }
        if connection.mode == Mode::Share {
            self.feed_later(connection.client);
        }
        Ok(())
    }

    pub(crate) fn void(&mut self, pending: TransferId) -> Result<(), Stop> {
        let id = self.ids.transfer("void", &[pending.as_bytes()]);
        self.end_reservation(Op::Void { id, pending }, 0)
    }

    /// Books an operation that ends a reservation for a packet of that list size; that it ended already
    /// is no error.
    pub(crate) fn end_reservation(&mut self, op: Op, size_bytes: u32) -> Result<(), Stop> {
        use layer_minus_ledger::Refusal as R;
        match self.tx.charge(&[(op, size_bytes)]) {
            Ok(()) => Ok(()),
            Err(BookError::Refused(
                R::PendingNotFound { .. }
                | R::PendingAlreadyPosted { .. }
                | R::PendingAlreadyVoided { .. },
            )) => Ok(()),
            // The node was down for longer than any reservation lasts: what was held is released.
            Err(BookError::Refused(R::PendingExpired { pending, .. })) => {
                match self.tx.book(&[Op::Expire { pending }]) {
                    Err(BookError::Store(error)) => Err(error.into()),
                    Ok(()) | Err(BookError::Refused(_)) => Ok(()),
                }
            }
            Err(BookError::Refused(other)) => Err(StoreError::Failed(other.to_string()).into()),
            Err(BookError::Store(error)) => Err(error.into()),
        }
    }

    /// Makes sure that the push is paid for. The first push of a packet was reserved when it came;
    /// a further one is reserved now, and if that cannot be, the stream pauses.
    pub(crate) fn reserve_push(
        &mut self,
        id: ConnectionId,
        connection: &Connection,
        seq: u64,
        row: &PacketRow,
    ) -> Result<Option<InFlight>, Stop> {
        let since = self.tx.now;
        let in_flight = |reservation, first| InFlight {
            seq,
            reservation,
            first,
            since,
        };
        let price = price(row.prices.out_price(row.size_bytes.into()))?;
        if price.is_zero() {
            return Ok(Some(in_flight(None, false)));
        }
        if row.pushes == 0 && !self.live.first_push_in_use(&connection.client, seq) {
            let reservation = (!row.free_push).then_some(row.push);
            if reservation.is_some() && !self.is_still_backed(id, &connection.client, price)? {
                return Ok(None);
            }
            return Ok(Some(in_flight(reservation, true)));
        }
        let client = self.registered(&connection.client)?;
        if let Some(reason) = self.purse().stopped(&client) {
            self.pause(id, reason);
            return Ok(None);
        }
        let account = money::client_account(&connection.client);
        let mut free = self.tx.tally(&account)?.free;
        let prices = self.purse().prices(&client);
        if take_free(&mut free, &prices, since, row.size_bytes, price) {
            self.tx.put_free(&account, free)?;
            return Ok(Some(in_flight(None, false)));
        }
        let (stream, time) = (id.0.to_be_bytes(), since.to_be_bytes());
        let content: [&[u8]; 4] = [row.push.as_bytes(), &self.live.run, &stream, &time];
        let reservation = self.ids.transfer("push again", &content);
        let expires_at = since.saturating_add(PUSH_AGAIN_SECS);
        let pend = Op::Pend {
            id: reservation,
            debit: account,
            credit: money::income_account(),
            amount: price,
            code: code::PUSH_AGAIN,
            expires_at,
        };
        let limit = self.limit_op(&client)?;
        match self.tx.book(&[limit, pend]) {
            Ok(()) => {}
            Err(BookError::Refused(_)) => {
                let reason = self.purse().why_not(&client, price.get().into())?;
                self.pause(id, reason);
                return Ok(None);
            }
            Err(BookError::Store(error)) => return Err(error.into()),
        }
        self.tx
            .schedule(expires_at, Due::Reservation, reservation.as_bytes())?;
        Ok(Some(in_flight(Some(reservation), false)))
    }

    /// Whether a push that was reserved can still be cashed once it is posted; if not, the stream pauses.
    /// What backed the reservation may be gone by now. Paper that expired or was taken back can still be
    /// cashed for what was posted on it, so that alone stops nothing.
    fn is_still_backed(
        &mut self,
        id: ConnectionId,
        wallet: &Address,
        price: Amount,
    ) -> Result<bool, Stop> {
        let client = self.registered(wallet)?;
        let account = money::client_account(wallet);
        let posted = self.tx.account(&account)?.map_or(0, |it| it.debits_posted);
        let needed = posted
            .saturating_add(self.under_way_pusd(wallet)?)
            .saturating_add(price.get().into());
        let unsecured = self.tx.tally(&account)?.unsecured_pusd;
        let worth = self.purse().worth(wallet, &client.paper, unsecured)?;
        if needed <= worth.ceiling_pusd {
            return Ok(true);
        }
        self.pause(id, worth.not_backed());
        Ok(false)
    }

    /// What the pushes under way to a client come to, picodollars: none of it is posted yet.
    fn under_way_pusd(&self, wallet: &Address) -> Result<u128, StoreError> {
        let mut sum = 0_u128;
        for id in self.live.of_client(wallet) {
            let connection = self.live.connections.get(&id);
            let push = connection.and_then(|connection| connection.in_flight.as_ref());
            if let Some(pending) = push.and_then(|push| push.reservation)
                && let Some(reserved) = self.tx.transfer(&pending)?
            {
                sum = sum.saturating_add(reserved.held().get().into());
            }
        }
        Ok(sum)
    }

    /// Tells a stream that delivery waits, once for each reason.
    pub(crate) fn pause(&mut self, id: ConnectionId, reason: Reason) {
        let Some(connection) = self.live.connections.get_mut(&id) else {
            return;
        };
        let paused = reason.paused();
        if connection.paused == paused {
            return;
        }
        connection.paused = paused;
        let answer = Box::new(Answer::Paused(reason));
        self.tx.effects.push(Effect::Control {
            connection: id,
            answer,
        });
    }

    /// What a stream is pushing and its consumer has acknowledged was handed over, whatever the socket
    /// says later.
    pub(crate) fn hand_acknowledged(
        &mut self,
        wallet: &Address,
        consumer: &Consumer,
    ) -> Result<(), Stop> {
        for id in self.live.of_client(wallet) {
            let Some(connection) = self.live.connections.get_mut(&id) else {
                continue;
            };
            if connection.consumer != consumer.id {
                continue;
            }
            let done = connection
                .in_flight
                .take_if(|in_flight| consumer.is_done(in_flight.seq));
            if let Some(in_flight) = done {
                let connection = connection.clone();
                self.charge_push(&connection, &in_flight)?;
                self.note_stream(id, connection.lane)?;
            }
        }
        Ok(())
    }

    /// The last byte of a push went out: it is charged, the lane is credited, the next may go.
    pub(crate) fn handed(&mut self, id: ConnectionId, seq: u64) -> Result<(), Stop> {
        let Some(connection) = self.live.connections.get_mut(&id) else {
            return Ok(());
        };
        let Some(in_flight) = connection
            .in_flight
            .take_if(|in_flight| in_flight.seq == seq)
        else {
            return Ok(());
        };
        connection.last_record_at = self.tx.now;
        let connection = connection.clone();
        self.charge_push(&connection, &in_flight)?;
        self.note_stream(id, connection.lane)?;
        self.feed_later(connection.client);
        Ok(())
    }

    fn charge_push(&mut self, connection: &Connection, in_flight: &InFlight) -> Result<(), Stop> {
        let client = &connection.client;
        let key = rows::packet_key(client, in_flight.seq);
        let packet: Option<PacketRow> = self.tx.get(Table::Packets, &key)?;
        // Acknowledged, or dropped, before the socket said that it went out.
        let Some(mut packet) = packet else {
            return Ok(());
        };
        if let Some(pending) = in_flight.reservation {
            self.post_push(pending, client, &packet, connection.lane)?;
        }
        packet.pushes = packet.pushes.saturating_add(1);
        self.tx.put(Table::Packets, &key, &packet)?;
        let mut row = self.tx.mailbox(client)?;
        row.passed_bytes = row
            .passed_bytes
            .saturating_add(u64::from(packet.size_bytes));
        Ok(self.tx.put_mailbox(client, &row)?)
    }
}
