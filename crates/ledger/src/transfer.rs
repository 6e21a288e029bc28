use serde::{Deserialize, Serialize};

use crate::{AccountId, Amount, LedgerError, TransferId};

/// One row of the journal: a movement of money, a reservation, or the end of one.
///
/// Only a reservation changes after it was written: its state follows its captures and its end.
/// As JSON the row is short: the two accounts are `dr` and `cr`, an absent `pending` is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Transfer {
    /// Its name, made by the originator.
    pub id: TransferId,
    /// The account that pays.
    #[serde(rename = "dr")]
    pub debit: AccountId,
    /// The account that is paid.
    #[serde(rename = "cr")]
    pub credit: AccountId,
    /// What was moved, reserved (the whole, also after captures) or released.
    pub amount: Amount,
    /// What became of it.
    pub state: TransferState,
    /// The reservation that this row captures from or releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<TransferId>,
    /// The caller's kind of payment. Captures and releases bear that of their reservation.
    pub code: u16,
    /// When it was written, Unix seconds.
    pub at: u64,
}

/// What a row of the journal is, and for a reservation how far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TransferState {
    /// A transfer that moved its amount outright.
    Posted,
    /// A reservation that still holds `amount - captured`.
    Pending {
        /// From this time on (Unix seconds) nothing can be captured.
        expires_at: u64,
        /// What was captured so far; less than the amount.
        captured: Amount,
    },
    /// A reservation that ended with a capture; what was not captured is free again.
    PostedFrom {
        /// As it was reserved.
        expires_at: u64,
        /// What was captured in all; at least 1, at most the amount.
        captured: Amount,
    },
    /// A reservation that was called off; what was captured before stays.
    Voided {
        /// As it was reserved.
        expires_at: u64,
        /// What was captured before.
        captured: Amount,
    },
    /// A reservation whose time ran out; what was captured before stays.
    Expired {
        /// As it was reserved.
        expires_at: u64,
        /// What was captured before.
        captured: Amount,
    },
    /// A capture: it moved its amount out of the reservation named by `pending`.
    Captured {
        /// It was asked for as "the rest", not as an amount.
        rest: bool,
        /// It was asked for as the last one.
        last: bool,
    },
    /// The record of calling off the reservation named by `pending`: it freed its amount and
    /// moved nothing.
    Released,
}

impl TransferState {
    /// When a reservation ends or would have ended; `None` for any other row.
    #[must_use]
    pub const fn expires_at(self) -> Option<u64> {
        match self {
            Self::Pending { expires_at, .. }
            | Self::PostedFrom { expires_at, .. }
            | Self::Voided { expires_at, .. }
            | Self::Expired { expires_at, .. } => Some(expires_at),
            Self::Posted | Self::Captured { .. } | Self::Released => None,
        }
    }

    /// What was captured from a reservation; `None` for any other row.
    #[must_use]
    pub const fn captured(self) -> Option<Amount> {
        match self {
            Self::Pending { captured, .. }
            | Self::PostedFrom { captured, .. }
            | Self::Voided { captured, .. }
            | Self::Expired { captured, .. } => Some(captured),
            Self::Posted | Self::Captured { .. } | Self::Released => None,
        }
    }
}

impl Transfer {
    /// What this row moved: its amount for a transfer or a capture, else nothing.
    ///
    /// Summed over the whole journal this is what the accounts have posted.
    #[must_use]
    pub const fn moved(&self) -> Amount {
        match self.state {
            TransferState::Posted | TransferState::Captured { .. } => self.amount,
            _ => Amount::ZERO,
        }
    }

    /// What this row still holds back: the uncaptured part of an open reservation, else nothing.
    #[must_use]
    pub const fn held(&self) -> Amount {
        match self.state {
            TransferState::Pending { captured, .. } => match self.amount.checked_sub(captured) {
                Some(held) => held,
                None => Amount::ZERO,
            },
            _ => Amount::ZERO,
        }
    }

    /// Checks what the fields owe each other.
    ///
    /// # Errors
    /// [`LedgerError::Contradiction`] for a row that no operation can have written.
    pub fn check(&self) -> Result<(), LedgerError> {
        let reason = if self.amount.is_zero() {
            "no amount"
        } else if self.debit == self.credit {
            "both sides are one account"
        } else {
            match (self.state, self.pending) {
                (TransferState::Captured { .. } | TransferState::Released, None) => {
                    "it ends a reservation and names none"
                }
                (
                    TransferState::Captured {
                        rest: true,
                        last: false,
                    },
                    _,
                ) => "it took the rest and was not the last",
                (TransferState::Captured { .. } | TransferState::Released, Some(_)) => {
                    return Ok(());
                }
                (_, Some(_)) => "it names a reservation and is no part of one",
                (TransferState::Posted, None) => return Ok(()),
                (TransferState::PostedFrom { captured, .. }, None) => {
                    if captured.is_zero() || captured > self.amount {
                        "captured nothing, or more than was reserved"
                    } else {
                        return Ok(());
                    }
                }
                (
                    TransferState::Pending { captured, .. }
                    | TransferState::Voided { captured, .. }
                    | TransferState::Expired { captured, .. },
                    None,
                ) => {
                    if captured >= self.amount {
                        "captured in full and not posted"
                    } else {
                        return Ok(());
                    }
                }
            }
        };
        Err(LedgerError::Contradiction { reason })
    }
}

/// A row as it was read, before its fields were held against each other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    id: TransferId,
    dr: AccountId,
    cr: AccountId,
    amount: Amount,
    state: TransferState,
    #[serde(default)]
    pending: Option<TransferId>,
    code: u16,
    at: u64,
}

impl TryFrom<Unchecked> for Transfer {
    type Error = LedgerError;

    fn try_from(row: Unchecked) -> Result<Self, LedgerError> {
        let transfer = Self {
            id: row.id,
            debit: row.dr,
            credit: row.cr,
            amount: row.amount,
            state: row.state,
            pending: row.pending,
            code: row.code,
            at: row.at,
        };
        transfer.check()?;
        Ok(transfer)
    }
}
