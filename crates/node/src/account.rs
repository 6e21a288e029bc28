//! What a client asks of its account, and what a stranger may know of it.

use layer_minus_ledger::{DebitLimit, Op};
use layer_minus_message::{Answer, Authorization, Reason, Standing};
use layer_minus_wallet::Address;

use crate::{
    event::Request,
    money::{self, code},
    node::{CLIENTS_KEY, Parts},
    store::{Store, StoreError, Table},
    tx::{BookError, Stop},
};

/// Most packets that leave with a client that unregisters.
const UNREGISTER_PACKETS_MAX: usize = 50_000;

impl<S: Store> Parts<'_, S> {
    /// Charges a command's pass to the client who gave it and credits the lane it came on.
    pub(crate) fn charge_command(
        &mut self,
        request: &Request,
        wallet: &Address,
    ) -> Result<(), Stop> {
        let client = self.registered(wallet)?;
        if client.authorization.expires_at < self.tx.now {
            return Err(Reason::AuthorizationExpired.into());
        }
        let mark = request.marks.last().map_or([0; 32], |mark| mark.digest);
        let ops = self.command_ops(wallet, request.lane, request.size_bytes, &mark)?;
        if let Err(stop) = self.tx.book_or(&ops, Reason::RecipientCannotPay) {
            return Err(match stop {
                // Here it is the client who asks, and may know the figures.
                Stop::Refuse(Reason::RecipientCannotPay) => {
                    self.exhausted(wallet, request.size_bytes)?.into()
                }
                other => other,
            });
        }
        self.paid(request.lane);
        let mut row = self.tx.mailbox(wallet)?;
        row.passed_bytes = row
            .passed_bytes
            .saturating_add(u64::from(request.size_bytes));
        Ok(self.tx.put_mailbox(wallet, &row)?)
    }

    fn exhausted(&self, wallet: &Address, size_bytes: u32) -> Result<Reason, StoreError> {
        let price = money::pass_price(&self.config.prices, size_bytes)?;
        Ok(Reason::Exhausted {
            available_pusd: crate::push::left(&self.standing(wallet)?),
            needed_pusd: price.client.get(),
        })
    }

    pub(crate) fn command_ops(
        &self,
        wallet: &Address,
        lane: Option<Address>,
        size_bytes: u32,
        mark: &[u8; 32],
    ) -> Result<Vec<Op>, StoreError> {
        let price = money::pass_price(&self.config.prices, size_bytes)?;
        // The mark is the sender's choice and is forgotten with its frame; the time is the node's.
        let now = self.tx.now.to_be_bytes();
        let content: [&[u8]; 3] = [wallet.as_slice(), mark, &now];
        let mut ops = Vec::with_capacity(3);
        if !price.client.is_zero() {
            ops.push(Op::Transfer {
                id: self.ids.transfer("command", &content),
                debit: money::client_account(wallet),
                credit: money::income_account(),
                amount: price.client,
                code: code::COMMAND,
            });
        }
        let id = self.ids.transfer("command lane", &content);
        ops.extend(self.tx.lane_ops(lane, id, price)?);
        Ok(ops)
    }

    pub(crate) fn status(&mut self, request: &Request, wallet: Address) -> Result<(), Stop> {
        self.registered(&wallet)?;
        self.charge_command(request, &wallet)?;
        let standing = self.standing(&wallet)?;
        self.tx.answer(request.id, Answer::Status(standing));
        Ok(())
    }

    pub(crate) fn standing(&self, wallet: &Address) -> Result<Standing, StoreError> {
        let Some(client) = self.tx.client(wallet)? else {
            return Ok(Standing::default());
        };
        let row = self.tx.mailbox(wallet)?;
        let account = self.tx.account(&money::client_account(wallet))?;
        let narrow = |sum: u128| u64::try_from(sum).unwrap_or(u64::MAX);
        let connections = self
            .live
            .by_client
            .get(wallet)
            .map_or(0, |ids| ids.len() as u64);
        Ok(Standing {
            limit_pusd: narrow(client.authorization.limit_pusd()),
            charged_pusd: account
                .as_ref()
                .map_or(0, |account| narrow(account.debits_posted)),
            reserved_pusd: account
                .as_ref()
                .map_or(0, |account| narrow(account.debits_pending)),
            passed_bytes: row.passed_bytes,
            authorized_until: client.authorization.expires_at,
            waiting_packets: row.mailbox.count,
            waiting_bytes: row.mailbox.bytes,
            mailbox_bytes_max: self.config.mailbox_bytes_max,
            connections,
        })
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
        let account = money::client_account(&wallet);
        let limit = DebitLimit::UpTo(authorization.limit_pusd());
        let mark = request.marks.last().map_or([0; 32], |mark| mark.digest);
        let mut ops = vec![Op::SetLimit { account, limit }];
        ops.extend(self.command_ops(&wallet, request.lane, request.size_bytes, &mark)?);
        match self.tx.book(&ops) {
            Ok(()) => {}
            Err(BookError::Refused(layer_minus_ledger::Refusal::LimitBelowUse {
                used, ..
            })) => {
                let minimum_pusd = u64::try_from(used).unwrap_or(u64::MAX);
                return Err(Reason::AuthorizationTooSmall { minimum_pusd }.into());
            }
            Err(BookError::Refused(_)) => {
                let needed_pusd = money::pass_price(&self.config.prices, request.size_bytes)?
                    .client
                    .get();
                return Err(Reason::Exhausted {
                    available_pusd: 0,
                    needed_pusd,
                }
                .into());
            }
            Err(BookError::Store(error)) => return Err(error.into()),
        }
        self.paid(request.lane);
        client.authorization = authorization;
        self.tx.put(Table::Clients, wallet.as_slice(), &client)?;
        let mut row = self.tx.mailbox(&wallet)?;
        row.passed_bytes = row
            .passed_bytes
            .saturating_add(u64::from(request.size_bytes));
        self.tx.put_mailbox(&wallet, &row)?;
        let standing = self.standing(&wallet)?;
        self.tx.answer(request.id, Answer::Authorized(standing));
        self.feed_later(wallet);
        Ok(())
    }

    /// The client leaves: what waits is dropped, what it used is charged, the rest is released.
    pub(crate) fn unregister(&mut self, request: &Request, wallet: Address) -> Result<(), Stop> {
        let client = self.registered(&wallet)?;
        // Leaving is free when nothing may be charged any more, or nothing is left to be charged.
        if client.authorization.expires_at >= self.tx.now {
            match self.charge_command(request, &wallet) {
                Ok(()) | Err(Stop::Refuse(Reason::Exhausted { .. })) => {}
                Err(stop) => return Err(stop),
            }
        }
        for id in self.live.of_client(&wallet) {
            self.end_stream(id)?;
        }
        let mut row = self.tx.mailbox(&wallet)?;
        for (seq, packet) in self.tx.packets_after(&wallet, 0, UNREGISTER_PACKETS_MAX)? {
            self.take_out(&wallet, &mut row, seq, &packet, false)?;
        }
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
