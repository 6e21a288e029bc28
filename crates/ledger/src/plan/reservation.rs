//! Captures and ends of reservations.

use super::{Planner, Step, Stop};
use crate::repeat::Wanted;
use crate::{Amount, Books, Outcome, Refusal, Transfer, TransferId, TransferState};

/// A reservation that has not ended.
struct Open {
    row: Transfer,
    expires_at: u64,
    captured: Amount,
    left: Amount,
}

/// How a reservation ends without a capture.
#[derive(Clone, Copy)]
enum End {
    Void(TransferId),
    Expire,
}

impl<B: Books + ?Sized> Planner<'_, B> {
    pub(super) fn post(
        &mut self,
        id: TransferId,
        pending: TransferId,
        amount: Option<Amount>,
        last: bool,
    ) -> Step<B> {
        // Taking the rest leaves nothing to take: it is the last, said or unsaid.
        let last = last || amount.is_none();
        if self.done_before(
            id,
            Wanted::Capture {
                pending,
                amount,
                last,
            },
        )? {
            return Ok(Outcome::Exists);
        }
        if amount == Some(Amount::ZERO) {
            return Err(Refusal::ZeroAmount { id }.into());
        }
        let open = self.open_reservation(pending)?;
        if self.now >= open.expires_at {
            return Err(Refusal::PendingExpired {
                pending,
                expires_at: open.expires_at,
            }
            .into());
        }
        let left = open.left;
        let taken = amount.unwrap_or(left);
        let (Some(remains), Some(captured)) =
            (left.checked_sub(taken), open.captured.checked_add(taken))
        else {
            return Err(Refusal::ExceedsPending {
                pending,
                left,
                wanted: taken,
            }
            .into());
        };
        let ends = last || remains.is_zero();
        let expires_at = open.expires_at;
        let mut reservation = open.row;
        reservation.state = if ends {
            TransferState::PostedFrom {
                expires_at,
                captured,
            }
        } else {
            TransferState::Pending {
                expires_at,
                captured,
            }
        };
        self.settle(&reservation, if ends { left } else { taken }, taken)?;
        self.draft.put_transfer(reservation);
        self.draft.put_transfer(Transfer {
            id,
            amount: taken,
            state: TransferState::Captured {
                rest: amount.is_none(),
                last,
            },
            pending: Some(pending),
            at: self.now,
            ..reservation
        });
        Ok(Outcome::Applied { amount: taken })
    }

    pub(super) fn void(&mut self, id: TransferId, pending: TransferId) -> Step<B> {
        if self.done_before(id, Wanted::Release { pending })? {
            return Ok(Outcome::Exists);
        }
        let open = self.open_reservation(pending)?;
        if self.now >= open.expires_at {
            return Err(Refusal::PendingExpired {
                pending,
                expires_at: open.expires_at,
            }
            .into());
        }
        self.end(open, End::Void(id))
    }

    pub(super) fn expire(&mut self, pending: TransferId) -> Step<B> {
        let open = match self.open_reservation(pending) {
            // It has no id of its own: that it is done is all there is to know it by.
            Err(Stop::Refused(Refusal::PendingExpired { .. })) => return Ok(Outcome::Exists),
            other => other?,
        };
        if self.now < open.expires_at {
            let (expires_at, now) = (open.expires_at, self.now);
            return Err(Refusal::NotYetExpired {
                pending,
                expires_at,
                now,
            }
            .into());
        }
        self.end(open, End::Expire)
    }

    fn end(&mut self, open: Open, end: End) -> Step<B> {
        let Open {
            mut row,
            expires_at,
            captured,
            left,
        } = open;
        row.state = match end {
            End::Void(_) => TransferState::Voided {
                expires_at,
                captured,
            },
            End::Expire => TransferState::Expired {
                expires_at,
                captured,
            },
        };
        self.settle(&row, left, Amount::ZERO)?;
        self.draft.put_transfer(row);
        if let End::Void(id) = end {
            self.draft.put_transfer(Transfer {
                id,
                amount: left,
                state: TransferState::Released,
                pending: Some(row.id),
                at: self.now,
                ..row
            });
        }
        Ok(Outcome::Applied { amount: left })
    }

    /// Takes `released` out of what both accounts hold pending and posts `posted` of it.
    fn settle(&mut self, reservation: &Transfer, released: Amount, posted: Amount) -> Step<B, ()> {
        let (released, posted) = (u128::from(released.get()), u128::from(posted.get()));
        let mut payer = self.account(reservation.debit)?;
        let mut payee = self.account(reservation.credit)?;
        let broken = |account| Stop::Inconsistent {
            account,
            pending: reservation.id,
        };
        payer.debits_pending = payer
            .debits_pending
            .checked_sub(released)
            .ok_or_else(|| broken(payer.id))?;
        payee.credits_pending = payee
            .credits_pending
            .checked_sub(released)
            .ok_or_else(|| broken(payee.id))?;
        payer.debits_posted = payer
            .debits_posted
            .checked_add(posted)
            .ok_or(Refusal::Overflow { account: payer.id })?;
        payee.credits_posted = payee
            .credits_posted
            .checked_add(posted)
            .ok_or(Refusal::Overflow { account: payee.id })?;
        self.draft.put_account(payer);
        self.draft.put_account(payee);
        Ok(())
    }

    fn open_reservation(&mut self, pending: TransferId) -> Step<B, Open> {
        let found = self.draft.transfer(pending).map_err(Stop::Books)?;
        let row = found.ok_or(Refusal::PendingNotFound { pending })?;
        match row.state {
            TransferState::Pending {
                expires_at,
                captured,
            } => Ok(Open {
                row,
                expires_at,
                captured,
                left: row.held(),
            }),
            TransferState::PostedFrom { .. } => {
                Err(Refusal::PendingAlreadyPosted { pending }.into())
            }
            TransferState::Voided { .. } => Err(Refusal::PendingAlreadyVoided { pending }.into()),
            TransferState::Expired { expires_at, .. } => Err(Refusal::PendingExpired {
                pending,
                expires_at,
            }
            .into()),
            TransferState::Posted | TransferState::Captured { .. } | TransferState::Released => {
                Err(Refusal::NotAReservation { pending }.into())
            }
        }
    }
}
