use crate::{Account, AccountId, Amount, DebitLimit, Transfer, TransferId};

/// One thing to be done to the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Opens an account. Repeated with the limit that the account has now, it changes nothing.
    Open {
        /// The new account.
        account: AccountId,
        /// How much may be debited from it.
        limit: DebitLimit,
    },
    /// Gives an account another limit, not below what it has used.
    ///
    /// It carries no id: the last one wins. Who raises limits from signed papers must apply them
    /// in their order.
    SetLimit {
        /// The account.
        account: AccountId,
        /// The limit that replaces the present one.
        limit: DebitLimit,
    },
    /// Moves an amount at once.
    Transfer {
        /// The name of this transfer.
        id: TransferId,
        /// The account that pays.
        debit: AccountId,
        /// The account that is paid.
        credit: AccountId,
        /// How much.
        amount: Amount,
        /// The caller's kind of payment.
        code: u16,
    },
    /// Reserves an amount. It counts against the limit until it is posted, voided or expired.
    Pend {
        /// The name of this reservation.
        id: TransferId,
        /// The account that will pay.
        debit: AccountId,
        /// The account that will be paid.
        credit: AccountId,
        /// The most that can be captured.
        amount: Amount,
        /// The caller's kind of payment.
        code: u16,
        /// From this time on (Unix seconds) nothing can be captured.
        expires_at: u64,
    },
    /// Captures from a reservation. Several captures may follow each other until the amount is
    /// used up, or until the last, which frees what it leaves.
    Post {
        /// The name of this capture.
        id: TransferId,
        /// The reservation.
        pending: TransferId,
        /// How much; `None` captures the rest and is always the last.
        amount: Option<Amount>,
        /// Whether this is the last capture.
        last: bool,
    },
    /// Calls a reservation off and frees what was not captured.
    Void {
        /// The name of this release.
        id: TransferId,
        /// The reservation.
        pending: TransferId,
    },
    /// Ends a reservation whose time has run out and frees what was not captured.
    Expire {
        /// The reservation.
        pending: TransferId,
    },
}

/// What one operation of a plan does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is new.
    Applied {
        /// What it moves, reserves or frees; zero for opening an account or setting a limit.
        amount: Amount,
    },
    /// It was done before with the same content, and changes nothing now.
    Exists,
}

/// The rows that a plan writes. Written in one transaction, or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Accounts as they will be: each replaces the row of its id.
    pub accounts: Vec<Account>,
    /// Transfers as they will be: each is new or replaces the row of its id.
    pub transfers: Vec<Transfer>,
    /// One for each operation, in order.
    pub outcomes: Vec<Outcome>,
}

impl Changes {
    /// Whether there is nothing to write: every operation was done before.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.transfers.is_empty()
    }
}
