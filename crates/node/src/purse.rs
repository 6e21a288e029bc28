//! What a client can pay at this moment, and at which prices. It only reads.
//!
//! ```text
//! charged on earlier channels (base)         charged and reserved on this one
//! |------------------------------------------|-----------------------------|......|
//! 0                                          base                          used   ceiling
//! ceiling = base + min(signed limit, backing); 0 when revoked or expired
//! ```

use layer_minus_delivery::DailyQuota;
use layer_minus_ledger::{AccountId, Amount, LedgerError, Sum};
use layer_minus_message::{Prices, Reason};
use layer_minus_wallet::Address;

use crate::{
    backing::{Backing, Deposited, Granted, Paper},
    config::NodeConfig,
    journal, money,
    rows::{self, ClientRow, PaperRow, TallyRow},
    store::{Store, StoreError, Table},
};

/// What mail costs its client: to take in, to push, to keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MailPrice {
    pub(crate) way_in: Amount,
    pub(crate) push: Amount,
    pub(crate) storage: Amount,
    pub(crate) free_push: bool,
    /// The day's allowance after both passes.
    pub(crate) free: DailyQuota,
}

impl MailPrice {
    fn total(&self) -> u128 {
        [self.way_in, self.push, self.storage]
            .into_iter()
            .map(|amount| u128::from(amount.get()))
            .sum()
    }
}

pub(crate) fn price(result: Result<Amount, LedgerError>) -> Result<Amount, StoreError> {
    result.map_err(|error| StoreError::Failed(error.to_string()))
}

/// Whether a pass is in the day's allowance, which is taken down then: all of it or nothing. What
/// costs nothing anyway takes none.
pub(crate) fn take_free(
    free: &mut DailyQuota,
    prices: &Prices,
    now: u64,
    bytes: u32,
    price: Amount,
) -> bool {
    !price.is_zero()
        && free
            .take(now, bytes.into(), prices.free_bytes_per_day)
            .is_ok()
}

/// What a paper is worth: also one that expired or was taken back, which can still be cashed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worth {
    /// Up to how much the account may be used in all, picodollars.
    pub(crate) ceiling_pusd: u128,
    /// What stands behind the paper, picodollars.
    pub(crate) backed_pusd: u128,
}

impl Worth {
    pub(crate) fn not_backed(self) -> Reason {
        Reason::NotBacked {
            granted_pusd: narrow(self.backed_pusd),
        }
    }
}

fn narrow(sum: u128) -> u64 {
    u64::try_from(sum).unwrap_or(u64::MAX)
}

/// A client's means, as a store has them now.
#[derive(Debug)]
pub(crate) struct Purse<'a, S> {
    pub(crate) store: &'a S,
    pub(crate) config: &'a NodeConfig,
    /// The smallest list size, bytes.
    pub(crate) smallest_bytes: u32,
    pub(crate) now: u64,
}

impl<S: Store> Purse<'_, S> {
    /// What a client is charged now.
    pub(crate) fn prices(&self, client: &ClientRow) -> Prices {
        if self.now <= client.terms.fixed_until {
            client.terms.prices
        } else {
            self.config.prices
        }
    }

    pub(crate) fn mail_price(
        &self,
        prices: &Prices,
        mut free: DailyQuota,
        size_bytes: u32,
        kept_until: u64,
    ) -> Result<MailPrice, StoreError> {
        let (now, bytes) = (self.now, u64::from(size_bytes));
        let mut way_in = price(prices.in_price(bytes))?;
        let mut push = price(prices.out_price(bytes))?;
        if take_free(&mut free, prices, now, size_bytes, way_in) {
            way_in = Amount::ZERO;
        }
        let free_push = take_free(&mut free, prices, now, size_bytes, push);
        if free_push {
            push = Amount::ZERO;
        }
        let held = money::byte_seconds(size_bytes, now, kept_until);
        Ok(MailPrice {
            way_in,
            push,
            storage: price(prices.storage_reserve_price(held))?,
            free_push,
            free,
        })
    }

    /// Why nothing may be charged to a client at all, if so.
    pub(crate) fn stopped(&self, client: &ClientRow) -> Option<Reason> {
        if client.paper.revoked {
            Some(Reason::Revoked)
        } else if client.paper.authorization.expires_at < self.now {
            Some(Reason::AuthorizationExpired)
        } else {
            None
        }
    }

    fn backed_pusd(
        &self,
        wallet: &Address,
        paper: &PaperRow,
        unsecured_pusd: Sum,
    ) -> Result<Sum, StoreError> {
        let store = self.store;
        let default_credit_pusd = self.config.default_credit_pusd;
        let granted = Granted {
            store,
            default_credit_pusd,
        };
        let asked = Paper {
            client: *wallet,
            channel: paper.channel,
            payer: paper.authorization.payer,
            unsecured_pusd,
        };
        (Deposited { store }, granted).backed_pusd(&asked, self.now)
    }

    /// Up to how much a client's account may be used in all, now.
    pub(crate) fn ceiling(&self, client: &ClientRow) -> Result<u128, StoreError> {
        if self.stopped(client).is_some() {
            return Ok(0);
        }
        let unsecured = self.unsecured_pusd(&client.wallet)?;
        let worth = self.worth(&client.wallet, &client.paper, unsecured)?;
        Ok(worth.ceiling_pusd)
    }

    pub(crate) fn worth(
        &self,
        wallet: &Address,
        paper: &PaperRow,
        unsecured_pusd: Sum,
    ) -> Result<Worth, StoreError> {
        let backed_pusd = self.backed_pusd(wallet, paper, unsecured_pusd)?.get();
        let limit = paper.authorization.limit_pusd().min(backed_pusd);
        Ok(Worth {
            ceiling_pusd: paper.base_pusd.get().saturating_add(limit),
            backed_pusd,
        })
    }

    pub(crate) fn used(&self, wallet: &Address) -> Result<u128, StoreError> {
        let account = crate::tx::account(self.store, &money::client_account(wallet))?;
        Ok(account.map_or(0, |account| account.used()))
    }

    /// What is left to a client.
    fn left(&self, client: &ClientRow) -> Result<u128, StoreError> {
        let used = self.used(&client.wallet)?;
        Ok(self.ceiling(client)?.saturating_sub(used))
    }

    /// Why a client cannot pay so much.
    pub(crate) fn why_not(
        &self,
        client: &ClientRow,
        needed_pusd: u128,
    ) -> Result<Reason, StoreError> {
        if let Some(reason) = self.stopped(client) {
            return Ok(reason);
        }
        let paper = &client.paper;
        let signed = paper
            .base_pusd
            .get()
            .saturating_add(paper.authorization.limit_pusd());
        let used = self.used(&client.wallet)?;
        if signed.saturating_sub(used) >= needed_pusd {
            let unsecured = self.unsecured_pusd(&client.wallet)?;
            let worth = self.worth(&client.wallet, paper, unsecured)?;
            return Ok(worth.not_backed());
        }
        Ok(Reason::Exhausted {
            available_pusd: narrow(self.left(client)?),
            needed_pusd: narrow(needed_pusd),
        })
    }

    /// Why new mail waits, if it does: not even a packet of the smallest size could be taken.
    pub(crate) fn paused(&self, client: &ClientRow) -> Result<Option<Reason>, StoreError> {
        if let Some(reason) = self.stopped(client) {
            return Ok(Some(reason));
        }
        let account = money::client_account(&client.wallet);
        let free = self.tally(&account)?.free;
        let kept_until = self.now.saturating_add(self.config.retention_secs);
        let needed = self
            .mail_price(&self.prices(client), free, self.smallest_bytes, kept_until)?
            .total();
        if needed <= self.left(client)? {
            return Ok(None);
        }
        self.why_not(client, needed).map(Some)
    }

    fn unsecured_pusd(&self, wallet: &Address) -> Result<Sum, StoreError> {
        Ok(self.tally(&money::client_account(wallet))?.unsecured_pusd)
    }

    fn tally(&self, account: &AccountId) -> Result<TallyRow, StoreError> {
        let key = journal::key(account, 0);
        match self.store.get(Table::Journal, &key)? {
            Some(bytes) => rows::from_json(Table::Journal, &key, &bytes),
            None => Ok(TallyRow::default()),
        }
    }
}
