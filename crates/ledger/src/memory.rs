use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::{
    Account, AccountId, Books, Changes, Op, Outcome, PlanError, Totals, Transfer, TransferId,
    Violation, plan, verify_journal,
};

/// Books in memory: for tests, for small programs, and to see what a store has to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryBooks {
    accounts: BTreeMap<AccountId, Account>,
    transfers: BTreeMap<TransferId, Transfer>,
}

impl MemoryBooks {
    /// Empty books.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes what was planned on these books as they still are.
    pub fn apply(&mut self, changes: &Changes) {
        self.accounts.extend(
            changes
                .accounts
                .iter()
                .map(|account| (account.id, *account)),
        );
        self.transfers.extend(
            changes
                .transfers
                .iter()
                .map(|transfer| (transfer.id, *transfer)),
        );
    }

    /// Plans and writes in one step.
    ///
    /// # Errors
    /// As [`plan`]; the books are then as before.
    pub fn run(&mut self, ops: &[Op], now: u64) -> Result<Vec<Outcome>, PlanError<Infallible>> {
        let changes = plan(self, ops, now)?;
        self.apply(&changes);
        Ok(changes.outcomes)
    }

    /// All accounts, in the order of their ids.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// The whole journal, in the order of ids.
    pub fn transfers(&self) -> impl Iterator<Item = &Transfer> {
        self.transfers.values()
    }

    /// Adds everything up anew, as [`verify_journal`].
    ///
    /// # Errors
    /// The first thing found that cannot be.
    pub fn check_invariants(&self) -> Result<Totals, Violation> {
        verify_journal(self.accounts().copied(), self.transfers().copied())
    }
}

impl Books for MemoryBooks {
    type Error = Infallible;

    fn account(&self, id: &AccountId) -> Result<Option<Account>, Infallible> {
        Ok(self.accounts.get(id).copied())
    }

    fn transfer(&self, id: &TransferId) -> Result<Option<Transfer>, Infallible> {
        Ok(self.transfers.get(id).copied())
    }
}
