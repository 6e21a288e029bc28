//! That statements come to what was charged.

use layer_minus_ledger::{AccountId, Sum};

use super::{Check, Flaw, Found, Stop};
use crate::{
    journal::{self, Line},
    money,
    rows::{self, ClientRow, TallyRow},
    store::{Store, StoreError, Table},
    walk::{PAGE_ROWS, each},
};

/// A statement that is being read.
struct Reading {
    account: AccountId,
    next: u64,
    end: u64,
    balance: Sum,
}

impl<S: Store> Check<'_, S> {
    pub(super) fn statements(&mut self) -> Found {
        let store = self.store;
        each::<_, Stop>(store, Table::Clients, PAGE_ROWS, |key, value| {
            let client: ClientRow = rows::from_json(Table::Clients, key, value)?;
            self.payers.insert(money::client_account(&client.wallet));
            Ok(())
        })?;
        let mut open: Option<Reading> = None;
        each::<_, Stop>(store, Table::Journal, PAGE_ROWS, |key, value| {
            let (account, seq) =
                journal::read_key(key).ok_or_else(|| StoreError::damaged(Table::Journal, key))?;
            if seq == 0 {
                if let Some(done) = open.take() {
                    self.finish(&done)?;
                }
                let tally: TallyRow = rows::from_json(Table::Journal, key, value)?;
                open = Some(Reading {
                    account,
                    next: tally.first_seq,
                    end: tally.next_seq,
                    balance: tally.opening_pusd,
                });
                return Ok(());
            }
            let wrong = Flaw::Statement { account, seq };
            let line =
                Line::from_bytes(value).ok_or_else(|| StoreError::damaged(Table::Journal, key))?;
            let Some(reading) = open.as_mut().filter(|open| open.account == account) else {
                return Err(wrong.into());
            };
            let sum = reading.balance.checked_add(line.amount.into());
            let fits = seq == reading.next
                && sum == Some(line.balance)
                && journal::kind_of(line.code).is_some();
            if !fits {
                return Err(wrong.into());
            }
            reading.next += 1;
            reading.balance = line.balance;
            Ok(())
        })?;
        if let Some(done) = open {
            self.finish(&done)?;
        }
        // Who has none comes to nothing.
        let none = self.payers.iter().map(|account| Reading {
            account: *account,
            next: 1,
            end: 1,
            balance: Sum::ZERO,
        });
        none.collect::<Vec<_>>()
            .iter()
            .try_for_each(|reading| self.finish(reading))
    }

    fn finish(&mut self, reading: &Reading) -> Found {
        let (account, seq) = (reading.account, reading.next);
        if reading.next != reading.end {
            return Err(Flaw::Statement { account, seq }.into());
        }
        self.payers.remove(&account);
        let charged = Sum::new(self.charged.get(&account).copied().unwrap_or_default());
        if reading.balance == charged {
            return Ok(());
        }
        Err(Flaw::StatementSum {
            account,
            stated: reading.balance,
            charged,
        }
        .into())
    }
}
