//! What a client asks of its account, and what a stranger may know of it.

use layer_minus_delivery::DailyQuota;
use layer_minus_ledger::{Amount, Op};
use layer_minus_message::{Answer, Authorization, Paused, Prices, Reason, Standing};
use layer_minus_wallet::Address;

use crate::{
    event::Request,
    mail::mailbox_refusal,
    money::{self, PassPrice, code},
    node::{CLIENTS_KEY, Parts},
    paper::is_over,
    purse,
    rows::ClientRow,
    store::{Store, StoreError, Table},
    tx::Stop,
};

/// Most packets that one transaction takes out for a client that unregisters; the rest with its next try.
const UNREGISTER_PACKETS_MAX: usize = 50_000;

/// The pass of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// What it is for: a registration has two, which may have the same mark.
    pub(crate) what: &'static str,
    pub(crate) lane: Option<Address>,
    pub(crate) size_bytes: u32,
    pub(crate) mark: [u8; 32],
}

impl Pass {
    pub(crate) fn of(request: &Request) -> Self {
        Self {
            what: "command",
            lane: request.lane,
            size_bytes: request.size_bytes,
            mark: request.marks.last().map_or([0; 32], |mark| mark.digest),
        }
    }
}

impl<S: Store> Parts<'_, S> {
    /// Charges a command's pass to the client who gave it and credits the lane it came on.
    pub(crate) fn charge_command(
        &mut self,
        request: &Request,
        wallet: &Address,
    ) -> Result<(), Stop> {
        let client = self.registered(wallet)?;
        if let Some(reason) = self.purse().stopped(&client) {
            return Err(reason.into());
        }
        let account = money::client_account(wallet);
        let mut free = self.tx.tally(&account)?.free;
        let prices = self.purse().prices(&client);
        let mut ops = vec![(self.limit_op(&client)?, 0)];
        let pass = Pass::of(request);
        let charged = self.pass_ops(wallet, &prices, &mut free, pass, &mut ops)?;
        match self.tx.charge(&ops) {
            Ok(()) => {}
            // Here it is the client who asks, and may know the figures.
            Err(error) if is_over(&error) => {
                return Err(self.purse().why_not(&client, charged.get().into())?.into());
            }
            Err(error) => return Err(error.into()),
        }
        self.paid(request.lane);
        self.count_pass(wallet, free, request.size_bytes)
    }

    /// Counts a pass that was charged, or was free, in the mailbox and in the day's allowance.
    fn count_pass(
        &mut self,
        wallet: &Address,
        free: DailyQuota,
        size_bytes: u32,
    ) -> Result<(), Stop> {
        self.tx.put_free(&money::client_account(wallet), free)?;
        let mut row = self.tx.mailbox(wallet)?;
        row.passed_bytes = row.passed_bytes.saturating_add(u64::from(size_bytes));
        Ok(self.tx.put_mailbox(wallet, &row)?)
    }

    /// Adds what a command's pass moves; returns what the client pays for it.
    pub(crate) fn pass_ops(
        &self,
        wallet: &Address,
        prices: &Prices,
        free: &mut DailyQuota,
        pass: Pass,
        ops: &mut Vec<(Op, u32)>,
    ) -> Result<Amount, StoreError> {
        let size = pass.size_bytes;
        let mut charged = purse::price(prices.in_price(size.into()))?;
        if purse::take_free(free, prices, self.tx.now, size, charged) {
            charged = Amount::ZERO;
        }
        let price = PassPrice::new(&self.config.prices, size, charged)?;
        // The mark is the sender's choice and is forgotten with its frame; the time is the node's.
        let now = self.tx.now.to_be_bytes();
        let content: [&[u8]; 4] = [wallet.as_slice(), pass.what.as_bytes(), &pass.mark, &now];
        if !charged.is_zero() {
            let op = Op::Transfer {
                id: self.ids.transfer("command", &content),
                debit: money::client_account(wallet),
                credit: money::income_account(),
                amount: charged,
                code: code::COMMAND,
            };
            ops.push((op, size));
        }
        let id = self.ids.transfer("command lane", &content);
        let lane = self.tx.lane_ops(pass.lane, id, price)?;
        ops.extend(lane.into_iter().map(|op| (op, size)));
        Ok(charged)
    }

    /// Charges a command that is carried out even for a client that cannot pay any more.
    pub(crate) fn charge_if_it_can(
        &mut self,
        request: &Request,
        wallet: &Address,
    ) -> Result<(), Stop> {
        match self.charge_command(request, wallet) {
            Err(Stop::Refuse(reason)) if reason.paused().is_some() => Ok(()),
            charged => charged,
        }
    }

    /// Answered also to a client that cannot pay for it: it tells no more than the refusal would.
    pub(crate) fn status(&mut self, request: &Request, wallet: Address) -> Result<(), Stop> {
        self.registered(&wallet)?;
        self.charge_if_it_can(request, &wallet)?;
        let standing = self.standing(&wallet)?;
        self.tx.answer(request.id, Answer::Status(standing));
        Ok(())
    }

    /// A page of the charges, this command's own among them.
    pub(crate) fn statement(
        &mut self,
        request: &Request,
        wallet: Address,
        after: u64,
    ) -> Result<(), Stop> {
        self.charge_command(request, &wallet)?;
        let page = self.tx.statement(&money::client_account(&wallet), after)?;
        self.tx.answer(request.id, Answer::Statement(page));
        Ok(())
    }

    pub(crate) fn standing(&self, wallet: &Address) -> Result<Standing, StoreError> {
        let Some(client) = self.tx.client(wallet)? else {
            return Ok(Standing::default());
        };
        let row = self.tx.mailbox(wallet)?;
        let id = money::client_account(wallet);
        let account = self.tx.account(&id)?;
        let prices = self.purse().prices(&client);
        let free = self.tx.tally(&id)?.free;
        let narrow = |sum: u128| u64::try_from(sum).unwrap_or(u64::MAX);
        let connections = self
            .live
            .by_client
            .get(wallet)
            .map_or(0, |ids| ids.len() as u64);
        Ok(Standing {
            limit_pusd: narrow(self.purse().ceiling(&client)?),
            charged_pusd: account
                .as_ref()
                .map_or(0, |account| narrow(account.debits_posted)),
            reserved_pusd: account
                .as_ref()
                .map_or(0, |account| narrow(account.debits_pending)),
            passed_bytes: row.passed_bytes,
            authorized_until: client.paper.authorization.expires_at,
            waiting_packets: row.mailbox.count,
            waiting_bytes: row.mailbox.bytes,
            mailbox_bytes_max: self.config.mailbox_bytes_max,
            connections,
            prices,
            prices_until: client.terms.fixed_until,
            free_bytes_left: free.left(self.tx.now, prices.free_bytes_per_day),
            paused: self.paused_now(&client)?,
        })
    }

    /// The state that a client is told of: of its account, or of a stream that waits for more than is
    /// left.
    fn paused_now(&self, client: &ClientRow) -> Result<Option<Paused>, StoreError> {
        if let Some(reason) = self.purse().paused(client)? {
            return Ok(reason.paused());
        }
        let streams = self.live.of_client(&client.wallet);
        Ok(streams
            .iter()
            .find_map(|id| self.live.connections.get(id)?.paused))
    }

    pub(crate) fn card(&mut self, request: &Request, wallet: &Address) -> Result<(), Stop> {
        let client = self.tx.client(wallet)?.ok_or(Reason::UnknownClient)?;
        self.tx
            .answer(request.id, Answer::Card { card: client.card });
        Ok(())
    }

    /// A new limit or a later expiry counts at once, and delivery that waited for it goes on.
    pub(crate) fn authorize(
        &mut self,
        request: &Request,
        wallet: Address,
        authorization: Authorization,
    ) -> Result<(), Stop> {
        let mut client = self.registered(&wallet)?;
        self.check_authorization(wallet, &authorization, None)?;
        let switch = self.switch(wallet, Some(&client.paper), authorization)?;
        let account = money::client_account(&wallet);
        let mut free = self.tx.tally(&account)?.free;
        let prices = self.purse().prices(&client);
        let mut ops = vec![(self.switch_op(&wallet, &switch)?, 0)];
        let pass = Pass::of(request);
        let charged = self.pass_ops(&wallet, &prices, &mut free, pass, &mut ops)?;
        match self.tx.charge(&ops) {
            Ok(()) => {}
            Err(error) if is_over(&error) => {
                let (available_pusd, needed_pusd) = (0, charged.get());
                return Err(Reason::Exhausted {
                    available_pusd,
                    needed_pusd,
                }
                .into());
            }
            Err(error) => return Err(error.into()),
        }
        self.paid(request.lane);
        self.write_switch(wallet, &switch)?;
        client.paper = switch.paper;
        self.tx.put(Table::Clients, wallet.as_slice(), &client)?;
        self.count_pass(&wallet, free, request.size_bytes)?;
        let standing = self.standing(&wallet)?;
        self.tx.answer(request.id, Answer::Authorized(standing));
        self.feed_later(wallet);
        Ok(())
    }

    /// The client leaves: what waits is dropped, what it used is charged, the rest is released. With more
    /// waiting than one transaction should take out it is told to try again, and goes on then.
    pub(crate) fn unregister(&mut self, request: &Request, wallet: Address) -> Result<(), Stop> {
        let client = self.registered(&wallet)?;
        // Leaving is free when nothing can be charged any more.
        self.charge_if_it_can(request, &wallet)?;
        for id in self.live.of_client(&wallet) {
            self.end_stream(id)?;
        }
        let mut row = self.tx.mailbox(&wallet)?;
        let packets = self.tx.packets_after(&wallet, 0, UNREGISTER_PACKETS_MAX)?;
        let may_be_more = packets.len() == UNREGISTER_PACKETS_MAX;
        for (seq, packet) in packets {
            self.take_out(&wallet, &mut row, seq, &packet, false)?;
            if may_be_more {
                // It may stay after all, and is told then what was dropped.
                let size = u64::from(packet.size_bytes);
                row.mailbox
                    .drop_packet(seq, size)
                    .map_err(mailbox_refusal)?;
            }
        }
        if may_be_more {
            self.advance_first(&wallet, &mut row)?;
            self.tx.put_mailbox(&wallet, &row)?;
            return Err(Reason::Unavailable.into());
        }
        // After what waited was charged: that was on this channel too.
        self.leave_channel(&client)?;
        for consumer in self.tx.consumers(&wallet)? {
            let key = crate::rows::consumer_key(&wallet, &consumer.id);
            self.tx.delete(Table::Consumers, &key)?;
        }
        if let Ok(key) = client.key.parse::<layer_minus_packet::Fingerprint>() {
            self.tx.delete(Table::Keys, &key.key_id().to_bytes())?;
        }
        let departed_key = crate::admin::DEPARTED_BYTES_KEY;
        let departed: u64 = self.tx.get(Table::Meta, departed_key)?.unwrap_or(0);
        let departed = departed.saturating_add(row.passed_bytes);
        self.tx.put(Table::Meta, departed_key, &departed)?;
        self.tx.delete(Table::Mailboxes, wallet.as_slice())?;
        self.tx.delete(Table::Clients, wallet.as_slice())?;
        let clients = self.clients()?.saturating_sub(1);
        self.tx.put(Table::Meta, CLIENTS_KEY, &clients)?;
        self.tx.answer(request.id, Answer::Unregistered);
        Ok(())
    }
}
