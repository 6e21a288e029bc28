//! The books as they would be in the middle of a plan.

use std::collections::BTreeMap;

use crate::{Account, AccountId, Books, Changes, Outcome, Transfer, TransferId};

struct Row<T> {
    value: Option<T>,
    changed: bool,
}

/// Reads each row once, keeps what the plan wrote above it, and hands out the changes in the
/// order of ids, so that equal plans give equal changes.
pub(crate) struct Draft<'b, B: ?Sized> {
    books: &'b B,
    accounts: BTreeMap<AccountId, Row<Account>>,
    transfers: BTreeMap<TransferId, Row<Transfer>>,
}

impl<'b, B: Books + ?Sized> Draft<'b, B> {
    pub(crate) fn new(books: &'b B) -> Self {
        Self {
            books,
            accounts: BTreeMap::new(),
            transfers: BTreeMap::new(),
        }
    }

    pub(crate) fn account(&mut self, id: AccountId) -> Result<Option<Account>, B::Error> {
        if let Some(row) = self.accounts.get(&id) {
            return Ok(row.value);
        }
        let value = self.books.account(&id)?;
        self.accounts.insert(
            id,
            Row {
                value,
                changed: false,
            },
        );
        Ok(value)
    }

    pub(crate) fn transfer(&mut self, id: TransferId) -> Result<Option<Transfer>, B::Error> {
        if let Some(row) = self.transfers.get(&id) {
            return Ok(row.value);
        }
        let value = self.books.transfer(&id)?;
        self.transfers.insert(
            id,
            Row {
                value,
                changed: false,
            },
        );
        Ok(value)
    }

    pub(crate) fn put_account(&mut self, account: Account) {
        self.accounts.insert(
            account.id,
            Row {
                value: Some(account),
                changed: true,
            },
        );
    }

    pub(crate) fn put_transfer(&mut self, transfer: Transfer) {
        self.transfers.insert(
            transfer.id,
            Row {
                value: Some(transfer),
                changed: true,
            },
        );
    }

    pub(crate) fn into_changes(self, outcomes: Vec<Outcome>) -> Changes {
        Changes {
            accounts: changed(self.accounts.into_values()),
            transfers: changed(self.transfers.into_values()),
            outcomes,
        }
    }
}

fn changed<T>(rows: impl Iterator<Item = Row<T>>) -> Vec<T> {
    rows.filter(|row| row.changed)
        .filter_map(|row| row.value)
        .collect()
}
