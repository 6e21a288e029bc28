//! Telling a retry from a clash of ids.

use crate::{AccountId, Amount, Refusal, Transfer, TransferId, TransferState};

/// What an operation would write under its id.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    Payment {
        debit: AccountId,
        credit: AccountId,
        amount: Amount,
        code: u16,
        /// Given for a reservation.
        expires_at: Option<u64>,
    },
    Capture {
        pending: TransferId,
        amount: Option<Amount>,
        last: bool,
    },
    Release {
        pending: TransferId,
    },
}

/// That the row under an id is what the operation would have written then.
///
/// The time it is asked at and all that happened to a reservation since are no part of the content.
pub(crate) fn check(existing: &Transfer, wanted: Wanted) -> Result<(), Refusal> {
    let id = existing.id;
    match (wanted, existing.state) {
        (
            Wanted::Payment {
                debit,
                credit,
                amount,
                code,
                expires_at,
            },
            state,
        ) => {
            let is_payment = !matches!(
                state,
                TransferState::Captured { .. } | TransferState::Released
            );
            if !is_payment || state.expires_at().is_some() != expires_at.is_some() {
                Err(Refusal::ExistsWithDifferentKind { id })
            } else if existing.debit != debit {
                Err(Refusal::ExistsWithDifferentDebit { id })
            } else if existing.credit != credit {
                Err(Refusal::ExistsWithDifferentCredit { id })
            } else if existing.amount != amount {
                Err(Refusal::ExistsWithDifferentAmount { id })
            } else if existing.code != code {
                Err(Refusal::ExistsWithDifferentCode { id })
            } else if state.expires_at() != expires_at {
                Err(Refusal::ExistsWithDifferentExpiry { id })
            } else {
                Ok(())
            }
        }
        (
            Wanted::Capture {
                pending,
                amount,
                last,
            },
            TransferState::Captured { rest, last: was },
        ) => {
            let same_amount = match amount {
                None => rest,
                Some(amount) => !rest && amount == existing.amount,
            };
            if existing.pending != Some(pending) {
                Err(Refusal::ExistsWithDifferentPending { id })
            } else if !same_amount {
                Err(Refusal::ExistsWithDifferentAmount { id })
            } else if last != was {
                Err(Refusal::ExistsWithDifferentLast { id })
            } else {
                Ok(())
            }
        }
        (Wanted::Release { pending }, TransferState::Released) => {
            if existing.pending == Some(pending) {
                Ok(())
            } else {
                Err(Refusal::ExistsWithDifferentPending { id })
            }
        }
        (Wanted::Capture { .. } | Wanted::Release { .. }, _) => {
            Err(Refusal::ExistsWithDifferentKind { id })
        }
    }
}
