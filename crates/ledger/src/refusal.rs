use thiserror::Error;

use crate::{AccountId, Amount, TransferId};

/// Why the books refuse an operation. One for each reason; money is in picodollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No such account: open it first.
    #[error("account {account} not found")]
    AccountNotFound {
        /// The account asked for.
        account: AccountId,
    },
    /// The account is open with another limit: set the limit instead.
    #[error("account {account} exists with a different limit")]
    AccountExistsWithDifferentLimit {
        /// The account.
        account: AccountId,
    },
    /// More is used already than the new limit allows.
    #[error("limit {limit} of account {account} would be below its use of {used}")]
    LimitBelowUse {
        /// The account.
        account: AccountId,
        /// The limit asked for.
        limit: u128,
        /// Debits posted and pending.
        used: u128,
    },
    /// The id names a row of another kind (transfer, reservation, capture, release).
    #[error("transfer {id} exists with a different kind")]
    ExistsWithDifferentKind {
        /// The id in question.
        id: TransferId,
    },
    /// The id names a transfer from another account.
    #[error("transfer {id} exists with a different debit account")]
    ExistsWithDifferentDebit {
        /// The id in question.
        id: TransferId,
    },
    /// The id names a transfer to another account.
    #[error("transfer {id} exists with a different credit account")]
    ExistsWithDifferentCredit {
        /// The id in question.
        id: TransferId,
    },
    /// The id names a transfer of another amount.
    #[error("transfer {id} exists with a different amount")]
    ExistsWithDifferentAmount {
        /// The id in question.
        id: TransferId,
    },
    /// The id names a transfer with another code.
    #[error("transfer {id} exists with a different code")]
    ExistsWithDifferentCode {
        /// The id in question.
        id: TransferId,
    },
    /// The id names a reservation with another end.
    #[error("transfer {id} exists with a different expiry")]
    ExistsWithDifferentExpiry {
        /// The id in question.
        id: TransferId,
    },
    /// The id names a capture or release of another reservation.
    #[error("transfer {id} exists with a different reservation")]
    ExistsWithDifferentPending {
        /// The id in question.
        id: TransferId,
    },
    /// The id names a capture that was the last where this is not, or the reverse.
    #[error("transfer {id} exists and differs in being the last capture")]
    ExistsWithDifferentLast {
        /// The id in question.
        id: TransferId,
    },
    /// Nothing is to be moved.
    #[error("transfer {id} has no amount")]
    ZeroAmount {
        /// The transfer.
        id: TransferId,
    },
    /// An account cannot pay itself.
    #[error("transfer {id} has account {account} on both sides")]
    SameAccount {
        /// The transfer.
        id: TransferId,
        /// The account.
        account: AccountId,
    },
    /// The debit would exceed what the account may spend.
    #[error("account {account} is limited to {limit}, needs {needed}")]
    OverLimit {
        /// The account.
        account: AccountId,
        /// Its limit.
        limit: u128,
        /// What its debits, posted and pending, would come to.
        needed: u128,
    },
    /// A total of the account would not fit.
    #[error("a total of account {account} would overflow")]
    Overflow {
        /// The account.
        account: AccountId,
    },
    /// The reservation would be over before it began.
    #[error("reservation {id} would expire at {expires_at}, it is {now}")]
    ExpiryPassed {
        /// The reservation.
        id: TransferId,
        /// The end asked for.
        expires_at: u64,
        /// The present.
        now: u64,
    },
    /// No such reservation.
    #[error("reservation {pending} not found")]
    PendingNotFound {
        /// The reservation asked for.
        pending: TransferId,
    },
    /// The id names a row that is not a reservation.
    #[error("{pending} is not a reservation")]
    NotAReservation {
        /// The row asked for.
        pending: TransferId,
    },
    /// The reservation has ended with its last capture.
    #[error("reservation {pending} is already posted")]
    PendingAlreadyPosted {
        /// The reservation.
        pending: TransferId,
    },
    /// The reservation was called off.
    #[error("reservation {pending} is already voided")]
    PendingAlreadyVoided {
        /// The reservation.
        pending: TransferId,
    },
    /// The reservation's time has run out, whether or not its end was recorded.
    #[error("reservation {pending} expired at {expires_at}")]
    PendingExpired {
        /// The reservation.
        pending: TransferId,
        /// Its end.
        expires_at: u64,
    },
    /// More is to be captured than is left.
    #[error("reservation {pending} has {left} left, not {wanted}")]
    ExceedsPending {
        /// The reservation.
        pending: TransferId,
        /// What is left of it.
        left: Amount,
        /// What was asked for.
        wanted: Amount,
    },
    /// The reservation's time has not run out.
    #[error("reservation {pending} expires at {expires_at}, it is {now}")]
    NotYetExpired {
        /// The reservation.
        pending: TransferId,
        /// Its end.
        expires_at: u64,
        /// The present.
        now: u64,
    },
}

/// Why there is no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlanError<E> {
    /// The books refuse an operation, and with it all the others.
    #[error("operation {op} refused: {refusal}")]
    Refused {
        /// Its place in the list, from 0.
        op: usize,
        /// The reason.
        refusal: Refusal,
    },
    /// The books could not be read.
    #[error("the books could not be read")]
    Books(#[source] E),
    /// The rows contradict each other: stop, and verify the books.
    #[error(
        "the books are inconsistent: {account} holds less than what reservation {pending} reserved"
    )]
    Inconsistent {
        /// An account whose pending total is too small.
        account: AccountId,
        /// The reservation.
        pending: TransferId,
    },
}

impl<E> PlanError<E> {
    /// The reason, if the books refused.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            Self::Books(_) | Self::Inconsistent { .. } => None,
        }
    }
}
