use serde::{Deserialize, Serialize};

use crate::AccountId;
use crate::text::decimal;

/// How much an account may be debited in its lifetime.
///
/// What counts is what went out and what is reserved to go out. A fixed total is the shape of an
/// authorization, signed once and used up; a limit on the balance that of a prepaid account, or of a
/// peer with a line of credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DebitLimit {
    /// Without a limit.
    None,
    /// `debits_posted + debits_pending` never exceeds this many picodollars.
    UpTo(#[serde(with = "decimal")] u128),
    /// `debits_posted + debits_pending` never exceeds `credits_posted` by more than this many
    /// picodollars: 0 for what was paid in before, more for a line of credit.
    Overdraft(#[serde(with = "decimal")] u128),
}

impl DebitLimit {
    /// What the debits of an account may come to that was credited `credits_posted`; `None` without
    /// a limit.
    #[must_use]
    pub const fn ceiling(self, credits_posted: u128) -> Option<u128> {
        match self {
            Self::None => None,
            Self::UpTo(limit) => Some(limit),
            Self::Overdraft(more) => Some(credits_posted.saturating_add(more)),
        }
    }
}

/// An account: four running totals in picodollars and a limit.
///
/// Totals only grow, but for the pending ones, which fall when a reservation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its name.
    pub id: AccountId,
    /// Reserved to go out.
    #[serde(with = "decimal")]
    pub debits_pending: u128,
    /// Went out.
    #[serde(with = "decimal")]
    pub debits_posted: u128,
    /// Reserved to come in.
    #[serde(with = "decimal")]
    pub credits_pending: u128,
    /// Came in.
    #[serde(with = "decimal")]
    pub credits_posted: u128,
    /// How much may go out.
    pub limit: DebitLimit,
}

impl Account {
    /// An account in which nothing has happened.
    #[must_use]
    pub const fn open(id: AccountId, limit: DebitLimit) -> Self {
        Self {
            id,
            debits_pending: 0,
            debits_posted: 0,
            credits_pending: 0,
            credits_posted: 0,
            limit,
        }
    }

    /// What counts against the limit: debits posted and pending.
    #[must_use]
    pub const fn used(&self) -> u128 {
        self.debits_posted.saturating_add(self.debits_pending)
    }

    /// What its debits may come to as it stands; `None` without a limit.
    #[must_use]
    pub const fn ceiling(&self) -> Option<u128> {
        self.limit.ceiling(self.credits_posted)
    }

    /// What may still be debited; `None` without a limit.
    #[must_use]
    pub const fn remaining(&self) -> Option<u128> {
        match self.ceiling() {
            None => None,
            Some(ceiling) => Some(ceiling.saturating_sub(self.used())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_counts_reservations() {
        let mut account = Account::open(AccountId::new([1; 16]), DebitLimit::UpTo(100));
        account.debits_posted = 30;
        account.debits_pending = 50;
        assert_eq!(account.used(), 80);
        assert_eq!(account.remaining(), Some(20));
        account.limit = DebitLimit::None;
        assert_eq!(account.remaining(), None);
    }

    #[test]
    fn an_overdraft_grows_with_what_comes_in() {
        let mut account = Account::open(AccountId::new([1; 16]), DebitLimit::Overdraft(5));
        account.debits_posted = 3;
        assert_eq!(account.remaining(), Some(2));
        account.credits_posted = 10;
        // What is only promised to come in cannot be spent.
        account.credits_pending = 1_000;
        assert_eq!(
            (account.ceiling(), account.remaining()),
            (Some(15), Some(12))
        );
        account.credits_posted = u128::MAX;
        assert_eq!(account.ceiling(), Some(u128::MAX));
    }

    #[test]
    fn json_keeps_every_digit() {
        let mut account = Account::open(AccountId::new([0xab; 16]), DebitLimit::UpTo(u128::MAX));
        account.credits_posted = u128::MAX;
        let json = serde_json::to_string(&account).unwrap();
        assert!(json.contains(r#""limit":{"up_to":"340282366920938463463374607431768211455"}"#));
        assert_eq!(serde_json::from_str::<Account>(&json).unwrap(), account);
        for limit in [DebitLimit::None, DebitLimit::Overdraft(7)] {
            account.limit = limit;
            let json = serde_json::to_string(&account).unwrap();
            assert_eq!(serde_json::from_str::<Account>(&json).unwrap(), account);
        }
    }
}
