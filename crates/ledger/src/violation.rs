use thiserror::Error;

use crate::{AccountId, LedgerError, Sum, TransferId};

/// Something that cannot be in sound books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Violation {
    /// Two rows bear the id of one account.
    #[error("account {account} is there twice")]
    AccountTwice {
        /// The account.
        account: AccountId,
    },
    /// Two rows bear the id of one transfer.
    #[error("transfer {id} is there twice")]
    TransferTwice {
        /// The transfer.
        id: TransferId,
    },
    /// An account has spent or reserved more than it may.
    #[error("account {account} has used {used} of {limit}")]
    OverLimit {
        /// The account.
        account: AccountId,
        /// Debits posted and pending.
        used: u128,
        /// Its limit.
        limit: u128,
    },
    /// The debits of all accounts are not their credits.
    #[error("{what} debits are {debits}, credits {credits}")]
    Unbalanced {
        /// `posted` or `pending`.
        what: &'static str,
        /// Σ debits.
        debits: Sum,
        /// Σ credits.
        credits: Sum,
    },
    /// A transfer names an account that is not there.
    #[error("transfer {id} names account {account}, which is not there")]
    AccountMissing {
        /// The transfer.
        id: TransferId,
        /// The account.
        account: AccountId,
    },
    /// An account's total is not the sum of its transfers.
    #[error("account {account} states {what} of {stated}, its transfers come to {found}")]
    TotalWrong {
        /// The account.
        account: AccountId,
        /// Which of the four totals.
        what: &'static str,
        /// What the account's row says.
        stated: Sum,
        /// What the transfers come to.
        found: Sum,
    },
    /// A reservation states other captures than there are.
    #[error("reservation {pending} states captures of {stated}, there are {found}")]
    CapturesWrong {
        /// The reservation.
        pending: TransferId,
        /// What the reservation's row says.
        stated: Sum,
        /// What its captures come to.
        found: Sum,
    },
    /// A capture or release does not fit the reservation that it names, or that is not there.
    #[error("transfer {id} does not fit reservation {pending}")]
    ReservationWrong {
        /// The capture or release.
        id: TransferId,
        /// The reservation named.
        pending: TransferId,
    },
    /// A row that no operation can have written.
    #[error("transfer {id}: {error}")]
    BadTransfer {
        /// The transfer.
        id: TransferId,
        /// What is wrong with it.
        error: LedgerError,
    },
    /// A total of the whole books does not fit.
    #[error("{what} overflows")]
    Overflow {
        /// Which total.
        what: &'static str,
    },
}
