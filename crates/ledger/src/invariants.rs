use std::collections::{BTreeMap, BTreeSet};

use crate::{Account, AccountId, Sum, Transfer, TransferId, TransferState, Violation};

/// What the books add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of accounts.
    pub accounts: u64,
    /// Number of rows in the journal.
    pub transfers: u64,
    /// Number of reservations that have not ended.
    pub reservations: u64,
    /// All that was moved: the debits of all accounts, and equally the credits.
    pub posted: Sum,
    /// All that is reserved.
    pub pending: Sum,
}

/// Checks books whose journal may have been shortened: that Σ debits = Σ credits, posted and
/// pending, that no account is over its limit and no id is there twice, and that what accounts
/// hold pending is what open reservations hold.
///
/// `transfers` must hold every open reservation; of the rest, whatever is kept. Memory grows
/// with the number of rows (about 50 bytes each). With the whole journal at hand
/// [`verify_journal`] checks more.
///
/// # Errors
/// The first [`Violation`] found.
pub fn verify<A, T>(accounts: A, transfers: T) -> Result<Totals, Violation>
where
    A: IntoIterator<Item = Account>,
    T: IntoIterator<Item = Transfer>,
{
    run(accounts, transfers).and_then(Invariants::finish)
}

/// Checks books with their whole journal: all that [`verify`] does, and that every posted total
/// is the sum of its transfers, every reservation's captures those there are.
///
/// # Errors
/// The first [`Violation`] found.
pub fn verify_journal<A, T>(accounts: A, transfers: T) -> Result<Totals, Violation>
where
    A: IntoIterator<Item = Account>,
    T: IntoIterator<Item = Transfer>,
{
    run(accounts, transfers).and_then(Invariants::finish_journal)
}

fn run<A, T>(accounts: A, transfers: T) -> Result<Invariants, Violation>
where
    A: IntoIterator<Item = Account>,
    T: IntoIterator<Item = Transfer>,
{
    let mut invariants = Invariants::new();
    for account in accounts {
        invariants.account(&account)?;
    }
    for transfer in transfers {
        invariants.transfer(&transfer)?;
    }
    Ok(invariants)
}

/// The four totals of an account, stated by its row or found in transfers.
#[derive(Debug, Clone, Copy, Default)]
struct Four {
    debits_pending: u128,
    debits_posted: u128,
    credits_pending: u128,
    credits_posted: u128,
}

#[derive(Debug, Clone, Copy)]
struct Reservation {
    debit: AccountId,
    credit: AccountId,
    stated: u128,
    found: u128,
    voided: bool,
}

/// Adds up rows as they are read from a store: all accounts first, then transfers in any order.
#[derive(Debug, Default)]
pub struct Invariants {
    totals: Totals,
    stated: BTreeMap<AccountId, Four>,
    found: BTreeMap<AccountId, Four>,
    ids: BTreeSet<TransferId>,
    reservations: BTreeMap<TransferId, Reservation>,
    /// Captures and releases: the reservation named, the row, what it took.
    parts: Vec<(TransferId, Transfer)>,
}

impl Invariants {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an account.
    ///
    /// # Errors
    /// When it is there twice or over its limit.
    pub fn account(&mut self, account: &Account) -> Result<(), Violation> {
        let four = Four {
            debits_pending: account.debits_pending,
            debits_posted: account.debits_posted,
            credits_pending: account.credits_pending,
            credits_posted: account.credits_posted,
        };
        if self.stated.insert(account.id, four).is_some() {
            return Err(Violation::AccountTwice {
                account: account.id,
            });
        }
        let used = account
            .debits_posted
            .checked_add(account.debits_pending)
            .ok_or(Violation::Overflow {
                what: "an account's debits",
            })?;
        if let Some(limit) = account.ceiling()
            && used > limit
        {
            return Err(Violation::OverLimit {
                account: account.id,
                used,
                limit,
            });
        }
        self.totals.accounts += 1;
        Ok(())
    }

    /// Takes a row of the journal.
    ///
    /// # Errors
    /// When it is there twice, names an account that was not read, or contradicts itself.
    pub fn transfer(&mut self, transfer: &Transfer) -> Result<(), Violation> {
        let id = transfer.id;
        transfer
            .check()
            .map_err(|error| Violation::BadTransfer { id, error })?;
        if !self.ids.insert(id) {
            return Err(Violation::TransferTwice { id });
        }
        for account in [transfer.debit, transfer.credit] {
            if !self.stated.contains_key(&account) {
                return Err(Violation::AccountMissing { id, account });
            }
        }
        let (moved, held) = (transfer.moved().get().into(), transfer.held().get().into());
        let debit = self.found.entry(transfer.debit).or_default();
        add(&mut debit.debits_posted, moved)?;
        add(&mut debit.debits_pending, held)?;
        let credit = self.found.entry(transfer.credit).or_default();
        add(&mut credit.credits_posted, moved)?;
        add(&mut credit.credits_pending, held)?;

        if let Some(captured) = transfer.state.captured() {
            let reservation = Reservation {
                debit: transfer.debit,
                credit: transfer.credit,
                stated: captured.get().into(),
                found: 0,
                voided: matches!(transfer.state, TransferState::Voided { .. }),
            };
            self.reservations.insert(id, reservation);
        }
        if let Some(pending) = transfer.pending {
            self.parts.push((pending, *transfer));
        }
        self.totals.transfers += 1;
        self.totals.reservations +=
            u64::from(matches!(transfer.state, TransferState::Pending { .. }));
        Ok(())
    }

    /// Ends a check as [`verify`] does.
    ///
    /// # Errors
    /// The first [`Violation`] found.
    pub fn finish(mut self) -> Result<Totals, Violation> {
        self.balance()?;
        self.compare(false)?;
        Ok(self.totals)
    }

    /// Ends a check as [`verify_journal`] does.
    ///
    /// # Errors
    /// The first [`Violation`] found.
    pub fn finish_journal(mut self) -> Result<Totals, Violation> {
        self.balance()?;
        self.compare(true)?;
        self.captures()?;
        Ok(self.totals)
    }

    fn balance(&mut self) -> Result<(), Violation> {
        let mut all = Four::default();
        for four in self.stated.values() {
            add(&mut all.debits_pending, four.debits_pending)?;
            add(&mut all.debits_posted, four.debits_posted)?;
            add(&mut all.credits_pending, four.credits_pending)?;
            add(&mut all.credits_posted, four.credits_posted)?;
        }
        for (what, debits, credits) in [
            ("posted", all.debits_posted, all.credits_posted),
            ("pending", all.debits_pending, all.credits_pending),
        ] {
            if debits != credits {
                let (debits, credits) = (debits.into(), credits.into());
                return Err(Violation::Unbalanced {
                    what,
                    debits,
                    credits,
                });
            }
        }
        self.totals.posted = all.debits_posted.into();
        self.totals.pending = all.debits_pending.into();
        Ok(())
    }

    fn compare(&self, whole: bool) -> Result<(), Violation> {
        for (account, stated) in &self.stated {
            let found = self.found.get(account).copied().unwrap_or_default();
            let pending = [
                (
                    "pending debits",
                    stated.debits_pending,
                    found.debits_pending,
                ),
                (
                    "pending credits",
                    stated.credits_pending,
                    found.credits_pending,
                ),
            ];
            let posted = [
                ("posted debits", stated.debits_posted, found.debits_posted),
                (
                    "posted credits",
                    stated.credits_posted,
                    found.credits_posted,
                ),
            ];
            let posted = if whole { &posted[..] } else { &[] };
            for &(what, stated, found) in pending.iter().chain(posted) {
                if stated != found {
                    return Err(Violation::TotalWrong {
                        account: *account,
                        what,
                        stated: stated.into(),
                        found: found.into(),
                    });
                }
            }
        }
        Ok(())
    }

    fn captures(&mut self) -> Result<(), Violation> {
        for (pending, part) in &self.parts {
            let wrong = Violation::ReservationWrong {
                id: part.id,
                pending: *pending,
            };
            let reservation = self.reservations.get_mut(pending).ok_or(wrong)?;
            let fits = reservation.debit == part.debit
                && reservation.credit == part.credit
                && (part.state != TransferState::Released || reservation.voided);
            if !fits {
                return Err(wrong);
            }
            add(&mut reservation.found, part.moved().get().into())?;
        }
        for (pending, reservation) in &self.reservations {
            if reservation.stated != reservation.found {
                return Err(Violation::CapturesWrong {
                    pending: *pending,
                    stated: reservation.stated.into(),
                    found: reservation.found.into(),
                });
            }
        }
        Ok(())
    }
}

fn add(total: &mut u128, more: u128) -> Result<(), Violation> {
    *total = total
        .checked_add(more)
        .ok_or(Violation::Overflow { what: "a total" })?;
    Ok(())
}
