mod reservation;

use crate::draft::Draft;
use crate::repeat::{self, Wanted};
use crate::{
    Account, AccountId, Amount, Books, Changes, DebitLimit, Op, Outcome, PlanError, Refusal,
    Transfer, TransferId, TransferState,
};

/// Works out what a list of operations does to the books, without touching them.
///
/// All of the operations or none: the first refusal ends the plan. Each operation sees the effect
/// of those before it. One that was done before, with the same id and the same content, changes
/// nothing ([`Outcome::Exists`]); with other content it is refused. A repetition is recognised
/// before anything else is checked, so it stays harmless when an account has since run dry or a
/// reservation has ended.
///
/// `now` is the present in Unix seconds. It is the `at` of new rows, and a reservation takes
/// captures while `now < expires_at`.
///
/// # Errors
/// [`PlanError::Refused`] with the place and reason of the first refusal; [`PlanError::Books`]
/// when the books cannot be read; [`PlanError::Inconsistent`] when their rows contradict each
/// other.
pub fn plan<B>(books: &B, ops: &[Op], now: u64) -> Result<Changes, PlanError<B::Error>>
where
    B: Books + ?Sized,
{
    let mut planner = Planner {
        draft: Draft::new(books),
        now,
    };
    let mut outcomes = Vec::with_capacity(ops.len());
    for (op, wanted) in ops.iter().enumerate() {
        let outcome = planner.step(wanted).map_err(|stop| match stop {
            Stop::Refused(refusal) => PlanError::Refused { op, refusal },
            Stop::Books(error) => PlanError::Books(error),
            Stop::Inconsistent { account, pending } => PlanError::Inconsistent { account, pending },
        })?;
        outcomes.push(outcome);
    }
    Ok(planner.draft.into_changes(outcomes))
}

enum Stop<E> {
    Refused(Refusal),
    Books(E),
    Inconsistent {
        account: AccountId,
        pending: TransferId,
    },
}

impl<E> From<Refusal> for Stop<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

type Step<B, T = Outcome> = Result<T, Stop<<B as Books>::Error>>;

/// What a transfer and a reservation have in common.
#[derive(Clone, Copy)]
struct Payment {
    id: TransferId,
    debit: AccountId,
    credit: AccountId,
    amount: Amount,
    code: u16,
}

struct Planner<'b, B: ?Sized> {
    draft: Draft<'b, B>,
    now: u64,
}

impl<B: Books + ?Sized> Planner<'_, B> {
    fn step(&mut self, op: &Op) -> Step<B> {
        match *op {
            Op::Open { account, limit } => self.open(account, limit),
            Op::SetLimit { account, limit } => self.set_limit(account, limit),
            Op::Transfer {
                id,
                debit,
                credit,
                amount,
                code,
            } => self.pay(
                Payment {
                    id,
                    debit,
                    credit,
                    amount,
                    code,
                },
                None,
            ),
            Op::Pend {
                id,
                debit,
                credit,
                amount,
                code,
                expires_at,
            } => self.pay(
                Payment {
                    id,
                    debit,
                    credit,
                    amount,
                    code,
                },
                Some(expires_at),
            ),
            Op::Post {
                id,
                pending,
                amount,
                last,
            } => self.post(id, pending, amount, last),
            Op::Void { id, pending } => self.void(id, pending),
            Op::Expire { pending } => self.expire(pending),
        }
    }

    fn open(&mut self, id: AccountId, limit: DebitLimit) -> Step<B> {
        if let Some(account) = self.draft.account(id).map_err(Stop::Books)? {
            return if account.limit == limit {
                Ok(Outcome::Exists)
            } else {
                Err(Refusal::AccountExistsWithDifferentLimit { account: id }.into())
            };
        }
        self.draft.put_account(Account::open(id, limit));
        Ok(Outcome::Applied {
            amount: Amount::ZERO,
        })
    }

    fn set_limit(&mut self, id: AccountId, limit: DebitLimit) -> Step<B> {
        let mut account = self.account(id)?;
        if account.limit == limit {
            return Ok(Outcome::Exists);
        }
        if let Some(wanted) = limit.ceiling(account.credits_posted)
            && account.used() > wanted
        {
            return Err(Refusal::LimitBelowUse {
                account: id,
                limit: wanted,
                used: account.used(),
            }
            .into());
        }
        account.limit = limit;
        self.draft.put_account(account);
        Ok(Outcome::Applied {
            amount: Amount::ZERO,
        })
    }

    /// Moves an amount, or reserves it when there is an end.
    fn pay(&mut self, payment: Payment, expires_at: Option<u64>) -> Step<B> {
        let Payment {
            id,
            debit,
            credit,
            amount,
            code,
        } = payment;
        let wanted = Wanted::Payment {
            debit,
            credit,
            amount,
            code,
            expires_at,
        };
        if self.done_before(id, wanted)? {
            return Ok(Outcome::Exists);
        }
        if amount.is_zero() {
            return Err(Refusal::ZeroAmount { id }.into());
        }
        if debit == credit {
            return Err(Refusal::SameAccount { id, account: debit }.into());
        }
        if let Some(expires_at) = expires_at
            && expires_at <= self.now
        {
            return Err(Refusal::ExpiryPassed {
                id,
                expires_at,
                now: self.now,
            }
            .into());
        }
        let mut payer = self.account(debit)?;
        let mut payee = self.account(credit)?;
        check_room(&payer, &payee, amount)?;
        // From here on nothing can be refused: both sums of posted and pending fit.

        let size = u128::from(amount.get());
        let state = match expires_at {
            None => {
                payer.debits_posted += size;
                payee.credits_posted += size;
                TransferState::Posted
            }
            Some(expires_at) => {
                payer.debits_pending += size;
                payee.credits_pending += size;
                TransferState::Pending {
                    expires_at,
                    captured: Amount::ZERO,
                }
            }
        };
        self.draft.put_account(payer);
        self.draft.put_account(payee);
        self.draft.put_transfer(Transfer {
            id,
            debit,
            credit,
            amount,
            state,
            pending: None,
            code,
            at: self.now,
        });
        Ok(Outcome::Applied { amount })
    }

    fn account(&mut self, id: AccountId) -> Step<B, Account> {
        let found = self.draft.account(id).map_err(Stop::Books)?;
        found.ok_or_else(|| Refusal::AccountNotFound { account: id }.into())
    }

    fn done_before(&mut self, id: TransferId, wanted: Wanted) -> Step<B, bool> {
        match self.draft.transfer(id).map_err(Stop::Books)? {
            None => Ok(false),
            Some(existing) => {
                repeat::check(&existing, wanted)?;
                Ok(true)
            }
        }
    }
}

/// That both accounts can hold the amount beside all that they have posted and pending, and that
/// the payer may spend it. Checked here for captures as well: they only move what was let in.
fn check_room(payer: &Account, payee: &Account, amount: Amount) -> Result<(), Refusal> {
    let size = u128::from(amount.get());
    let needed = payer
        .debits_posted
        .checked_add(payer.debits_pending)
        .and_then(|used| used.checked_add(size))
        .ok_or(Refusal::Overflow { account: payer.id })?;
    payee
        .credits_posted
        .checked_add(payee.credits_pending)
        .and_then(|used| used.checked_add(size))
        .ok_or(Refusal::Overflow { account: payee.id })?;
    match payer.ceiling() {
        Some(limit) if needed > limit => Err(Refusal::OverLimit {
            account: payer.id,
            limit,
            needed,
        }),
        _ => Ok(()),
    }
}
