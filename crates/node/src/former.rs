//! Channels that a client has left: how many there may be on which something is still to be cashed.
//!
//! Each is looked at on its chain again and again, so a client could make its node look at very many, for
//! a pass each.

use layer_minus_ledger::Sum;
use layer_minus_message::{Reason, authorization::PUSD_PER_TOKEN_UNIT};
use layer_minus_wallet::Address;

use crate::{
    backing::deposit_pusd,
    config::FORMER_CHANNELS_MAX,
    money,
    node::Parts,
    rows::{ChannelRow, PaperRow},
    store::{Store, StoreError, Table},
    tx::{Stop, Tx},
};

const UNIT_PUSD: u128 = PUSD_PER_TOKEN_UNIT as u128;

/// A channel that is left, with what stays of it.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) channel: [u8; 32],
    pub(crate) row: ChannelRow,
    /// It is forgotten else.
    kept: bool,
}

impl<S: Store> Parts<'_, S> {
    /// What stays of a channel that is left when the account was charged so much, and channels left before
    /// took `unsecured` of the grant.
    ///
    /// Less than a unit can never be cashed. If the grant pays for it the channel is forgotten; if nothing
    /// did it has to stay, or two small deposits could be used in turns without end.
    pub(crate) fn leave(
        &self,
        client: Address,
        paper: &PaperRow,
        (charged, unsecured): (u128, u128),
    ) -> Result<Left, StoreError> {
        let on_it = charged.saturating_sub(paper.base_pusd.get());
        let granted = u128::from(self.granted(&client)?);
        let small = on_it < UNIT_PUSD && unsecured.saturating_add(on_it) <= granted;
        let kept = paper.revoked || !(on_it == 0 || small);
        let deposit = if kept {
            deposit_pusd(&*self.tx.store, &paper.channel, self.tx.now)?.get()
        } else {
            0
        };
        let row = ChannelRow {
            client,
            authorization: paper.authorization.clone(),
            charged_pusd: Sum::new(on_it),
            unsecured_pusd: Sum::new(on_it.saturating_sub(deposit)),
            revoked: paper.revoked,
        };
        let channel = paper.channel;
        Ok(Left { channel, row, kept })
    }

    /// Whether a client may have a further channel when it leaves this one.
    pub(crate) fn check_former(&self, client: &Address, left: Option<&Left>) -> Result<(), Stop> {
        let mut open = 0;
        for channel in self.tx.former(client)? {
            if let Some(row) = self.tx.get(Table::Channels, &channel)? {
                open += usize::from(self.tx.is_open(&channel, &row)?);
            }
        }
        if let Some(left) = left.filter(|left| left.kept) {
            open += usize::from(self.tx.is_open(&left.channel, &left.row)?);
        }
        if open <= FORMER_CHANNELS_MAX {
            return Ok(());
        }
        let limit = "channels_per_client_max".to_owned();
        Err(Reason::OverLimit { limit }.into())
    }
}

impl<S: Store> Tx<'_, S> {
    /// The channels that a client has left and that were to be cashed when it left the last one.
    fn former(&self, client: &Address) -> Result<Vec<[u8; 32]>, StoreError> {
        let key = former_key(client);
        let bytes = self.store.get(Table::Meta, &key)?.unwrap_or_default();
        let ids = bytes.chunks(32).map(TryInto::try_into);
        ids.collect::<Result<_, _>>()
            .map_err(|_| StoreError::damaged(Table::Meta, key))
    }

    fn put_former(&mut self, client: &Address, channels: &[[u8; 32]]) -> Result<(), StoreError> {
        let key = former_key(client);
        if channels.is_empty() {
            return self.delete(Table::Meta, &key);
        }
        self.put_bytes(Table::Meta, &key, &channels.concat())
    }

    /// Whether something is to be cashed on a channel that was left. One on which there is less than a unit
    /// counts as long as its paper could be brought again.
    fn is_open(&self, channel: &[u8; 32], row: &ChannelRow) -> Result<bool, StoreError> {
        let units = row.charged_pusd.get() / UNIT_PUSD;
        if units == 0 {
            return Ok(row.authorization.expires_at >= self.now);
        }
        let cashed = self.account(&money::cashed_account(channel))?;
        let cashed = cashed.map_or(0, |account| account.credits_posted);
        Ok(units > cashed / UNIT_PUSD)
    }

    /// Writes what stays of a channel, or forgets it; and forgets others whose time is over.
    pub(crate) fn write_left(&mut self, left: &Left) -> Result<(), StoreError> {
        let client = left.row.client;
        let mut open = Vec::new();
        for channel in self.former(&client)? {
            let Some(row) = self.get::<ChannelRow>(Table::Channels, &channel)? else {
                continue;
            };
            if channel == left.channel {
                continue;
            }
            if self.is_open(&channel, &row)? {
                open.push(channel);
            } else if row.charged_pusd.get() < UNIT_PUSD {
                self.delete(Table::Channels, &channel)?;
            }
        }
        if left.kept {
            self.put(Table::Channels, &left.channel, &left.row)?;
            open.push(left.channel);
        } else {
            self.delete(Table::Channels, &left.channel)?;
        }
        self.put_former(&client, &open)
    }

    /// An escrow was looked at for a channel. If that was left, what it took of the grant is what the escrow
    /// does not cover: less than was thought if nobody knew of the deposit then, more if the deposit has gone
    /// since. That nobody knows is no news, and changes nothing.
    pub(crate) fn cover_left(&mut self, channel: &[u8; 32], units: u64) -> Result<(), StoreError> {
        let Some(row) = self.get::<ChannelRow>(Table::Channels, channel)? else {
            return Ok(());
        };
        let client = self.client(&row.client)?;
        if client.is_some_and(|client| client.paper.channel == *channel) {
            return Ok(());
        }
        let deposit = u128::from(units) * UNIT_PUSD;
        let uncovered = row.charged_pusd.get().saturating_sub(deposit);
        let before = row.unsecured_pusd.get();
        if uncovered == before {
            return Ok(());
        }
        let account = money::client_account(&row.client);
        let mut tally = self.tally(&account)?;
        let others = tally.unsecured_pusd.get().saturating_sub(before);
        tally.unsecured_pusd = Sum::new(others.saturating_add(uncovered));
        self.put_tally(&account, &tally)?;
        let unsecured_pusd = Sum::new(uncovered);
        let row = ChannelRow {
            unsecured_pusd,
            ..row
        };
        self.put(Table::Channels, channel, &row)
    }

    /// A channel that was left is in use again.
    pub(crate) fn take_up(
        &mut self,
        client: &Address,
        channel: &[u8; 32],
    ) -> Result<(), StoreError> {
        let mut former = self.former(client)?;
        let before = former.len();
        former.retain(|other| other != channel);
        if former.len() == before {
            return Ok(());
        }
        self.put_former(client, &former)
    }
}

fn former_key(client: &Address) -> Vec<u8> {
    [b"former:", client.as_slice()].concat()
}
