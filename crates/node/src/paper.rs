//! A client's authorization through its life: raised, lowered, replaced, taken up again, revoked. And
//! the prices that are fixed for it.
//!
//! The ledger's limit follows what the paper is worth (`purse`) before every charge, and never
//! below what is used.

use layer_minus_ledger::{DebitLimit, Op, Refusal, Sum};
use layer_minus_message::{Answer, Authorization, Reason};
use layer_minus_wallet::Address;

use crate::{
    config::BACKINGS_MAX,
    event::Request,
    former::Left,
    money,
    node::{BACKINGS_KEY, Parts},
    purse::Purse,
    rows::{BackingRow, ChannelRow, ClientRow, Due, PaperRow, TallyRow, Terms},
    store::{Store, StoreError, Table},
    tx::{BookError, Stop, Tx},
};

/// A change of papers that was found good and is not written yet.
#[derive(Debug)]
pub(crate) struct Switch {
    pub(crate) paper: PaperRow,
    /// Whether it is on another channel than the paper before it.
    moved: bool,
    /// The channel that is left, with what stays of it.
    left: Option<Left>,
    /// Taken from the grant by all channels that are left then.
    unsecured_pusd: Sum,
}

impl<S: Store> Parts<'_, S> {
    /// What clients can pay, as of now.
    pub(crate) fn purse(&self) -> Purse<'_, S> {
        let smallest = self.keys.sizes.iter().next().unwrap_or_default();
        Purse {
            store: &*self.tx.store,
            config: self.config,
            smallest_bytes: u32::try_from(smallest).unwrap_or(u32::MAX),
            now: self.tx.now,
        }
    }

    /// The terms of who registers or renews now. A promise is kept: prices that are fixed still are
    /// replaced only by such that are nowhere dearer.
    pub(crate) fn new_terms(&self, old: Option<&ClientRow>) -> Terms {
        let now = self.tx.now;
        let promised = old.map(|old| old.terms).filter(|terms| {
            now <= terms.fixed_until && !self.config.prices.is_nowhere_dearer_than(&terms.prices)
        });
        promised.unwrap_or(Terms {
            prices: self.config.prices,
            fixed_until: now.saturating_add(self.config.prices_fixed_secs),
        })
    }

    /// The operation that comes before whatever charges or reserves: the ledger's limit is what the
    /// paper is worth at this moment.
    pub(crate) fn limit_op(&self, client: &ClientRow) -> Result<Op, StoreError> {
        let ceiling = self.purse().ceiling(client)?;
        self.limit_to(&client.wallet, ceiling)
    }

    fn limit_to(&self, wallet: &Address, ceiling: u128) -> Result<Op, StoreError> {
        Ok(Op::SetLimit {
            account: money::client_account(wallet),
            limit: DebitLimit::UpTo(ceiling.max(self.purse().used(wallet)?)),
        })
    }

    /// Checks a paper that is to count from now on, and works out what it changes. Nothing is
    /// written.
    pub(crate) fn switch(
        &self,
        wallet: Address,
        old: Option<&PaperRow>,
        authorization: Authorization,
    ) -> Result<Switch, Stop> {
        let bad = |detail: &str| {
            Stop::Refuse(Reason::BadAuthorization {
                detail: detail.to_owned(),
            })
        };
        let channel = authorization
            .channel_id(wallet)
            .map_err(|error| bad(&error.to_string()))?
            .0;
        let account = money::client_account(&wallet);
        let charged = self.tx.account(&account)?.map_or(0, |it| it.debits_posted);
        let mut unsecured = self.tx.tally(&account)?.unsecured_pusd.get();
        let mut left = None;
        let mut moved = true;
        let paper = match old {
            Some(old) if old.channel == channel => {
                if old.revoked {
                    return Err(Reason::Revoked.into());
                }
                moved = false;
                PaperRow {
                    authorization,
                    ..old.clone()
                }
            }
            _ => {
                if let Some(old) = old {
                    let leaving = self.leave(wallet, old, (charged, unsecured))?;
                    unsecured = unsecured.saturating_add(leaving.row.unsecured_pusd.get());
                    left = Some(leaving);
                }
                let before: Option<ChannelRow> = self.tx.get(Table::Channels, &channel)?;
                if let Some(before) = &before {
                    if before.client != wallet {
                        return Err(bad("its channel is another client's"));
                    }
                    if before.revoked {
                        return Err(Reason::Revoked.into());
                    }
                    // Taken up again: what was charged on it counts on it.
                    unsecured = unsecured.saturating_sub(before.unsecured_pusd.get());
                } else {
                    self.check_former(&wallet, left.as_ref())?;
                }
                let on_it = before.map_or(0, |before| before.charged_pusd.get());
                PaperRow {
                    authorization,
                    channel,
                    base_pusd: Sum::new(charged.saturating_sub(on_it)),
                    revoked: false,
                }
            }
        };
        Ok(Switch {
            paper,
            moved,
            left,
            unsecured_pusd: Sum::new(unsecured),
        })
    }

    /// The ledger's limit under a paper that is taken on. Refused if it does not cover what is used, or is
    /// on another channel and not worth that: what is reserved is posted on the channel of that moment, and
    /// would leave one that is backed for one that is not.
    pub(crate) fn switch_op(&self, wallet: &Address, switch: &Switch) -> Result<Op, Stop> {
        let paper = &switch.paper;
        let base = paper.base_pusd.get();
        let used = self.purse().used(wallet)?;
        if base.saturating_add(paper.authorization.limit_pusd()) < used {
            let minimum = used.saturating_sub(base);
            let minimum_pusd = u64::try_from(minimum).unwrap_or(u64::MAX);
            return Err(Reason::AuthorizationTooSmall { minimum_pusd }.into());
        }
        let worth = self.purse().worth(wallet, paper, switch.unsecured_pusd)?;
        if switch.moved && worth.ceiling_pusd < used {
            return Err(worth.not_backed().into());
        }
        Ok(self.limit_to(wallet, worth.ceiling_pusd)?)
    }

    /// Writes what [`Self::switch`] worked out but for the client's own row.
    pub(crate) fn write_switch(
        &mut self,
        wallet: Address,
        switch: &Switch,
    ) -> Result<(), StoreError> {
        if let Some(left) = &switch.left {
            self.tx.write_left(left)?;
        }
        let paper = &switch.paper;
        self.tx.take_up(&wallet, &paper.channel)?;
        let row = ChannelRow {
            client: wallet,
            authorization: paper.authorization.clone(),
            charged_pusd: Sum::ZERO,
            unsecured_pusd: Sum::ZERO,
            revoked: false,
        };
        self.tx.put(Table::Channels, &paper.channel, &row)?;
        let account = money::client_account(&wallet);
        let tally = TallyRow {
            unsecured_pusd: switch.unsecured_pusd,
            ..self.tx.tally(&account)?
        };
        self.tx.put_tally(&account, &tally)
    }

    /// The client leaves, and with it its channel.
    pub(crate) fn leave_channel(&mut self, client: &ClientRow) -> Result<(), StoreError> {
        let account = money::client_account(&client.wallet);
        let charged = self.tx.account(&account)?.map_or(0, |it| it.debits_posted);
        let mut tally = self.tx.tally(&account)?;
        let unsecured = tally.unsecured_pusd.get();
        let left = self.leave(client.wallet, &client.paper, (charged, unsecured))?;
        let taken = left.row.unsecured_pusd.get();
        tally.unsecured_pusd = Sum::new(unsecured.saturating_add(taken));
        self.tx.put_tally(&account, &tally)?;
        self.tx.write_left(&left)
    }

    /// The client takes its paper back. It is charged for saying so if it can be.
    pub(crate) fn revoke(&mut self, request: &Request, wallet: Address) -> Result<(), Stop> {
        self.registered(&wallet)?;
        self.charge_if_it_can(request, &wallet)?;
        let mut client = self.registered(&wallet)?;
        client.paper.revoked = true;
        self.tx.put(Table::Clients, wallet.as_slice(), &client)?;
        let row = ChannelRow {
            client: wallet,
            authorization: client.paper.authorization.clone(),
            charged_pusd: Sum::ZERO,
            unsecured_pusd: Sum::ZERO,
            revoked: true,
        };
        self.tx.put(Table::Channels, &client.paper.channel, &row)?;
        let op = self.limit_op(&client)?;
        self.tx.book(&[op]).map_err(failed)?;
        for id in self.live.of_client(&wallet) {
            self.pause(id, Reason::Revoked);
        }
        let standing = self.standing(&wallet)?;
        self.tx.answer(request.id, Answer::Revoked(standing));
        Ok(())
    }

    /// An escrow was looked at: this is what it holds for a channel. Delivery that waited goes on.
    pub(crate) fn backing(
        &mut self,
        channel: &[u8; 32],
        units: u64,
        until: u64,
    ) -> Result<(), Stop> {
        self.tx.back(channel, units, until)?;
        if let Some(row) = self.tx.get::<ChannelRow>(Table::Channels, channel)? {
            self.feed_later(row.client);
        }
        Ok(())
    }

    /// Nobody looked at the escrow since: it is believed no longer.
    pub(crate) fn expire_backing(&mut self, channel: &[u8]) -> Result<(), StoreError> {
        let row: Option<BackingRow> = self.tx.get(Table::Backings, channel)?;
        if row.is_some_and(|row| row.until < self.tx.now) {
            self.tx.delete(Table::Backings, channel)?;
            let count: u64 = self.tx.get(Table::Meta, BACKINGS_KEY)?.unwrap_or(0);
            let count = count.saturating_sub(1);
            self.tx.put(Table::Meta, BACKINGS_KEY, &count)?;
        }
        Ok(())
    }
}

impl<S: Store> Tx<'_, S> {
    /// Writes what an escrow holds for a channel, and until when that is certain.
    pub(crate) fn back(&mut self, channel: &[u8; 32], units: u64, until: u64) -> Result<(), Stop> {
        match self.get::<BackingRow>(Table::Backings, channel)? {
            Some(known) => self.unschedule(known.until, Due::Backing, channel)?,
            None => {
                let count: u64 = self.get(Table::Meta, BACKINGS_KEY)?.unwrap_or(0);
                if count >= BACKINGS_MAX {
                    let limit = "backings_max".to_owned();
                    return Err(Reason::OverLimit { limit }.into());
                }
                self.put(Table::Meta, BACKINGS_KEY, &(count + 1))?;
            }
        }
        self.put(Table::Backings, channel, &BackingRow { units, until })?;
        self.schedule(until, Due::Backing, channel)?;
        Ok(self.cover_left(channel, units)?)
    }
}

/// A limit that is never set below what is used cannot be refused.
fn failed(error: BookError) -> Stop {
    Stop::Store(match error {
        BookError::Store(error) => error,
        BookError::Refused(refusal) => StoreError::Failed(refusal.to_string()),
    })
}

/// Whether the books refused because a limit is too low.
pub(crate) const fn is_over(error: &BookError) -> bool {
    matches!(error, BookError::Refused(Refusal::OverLimit { .. }))
}
