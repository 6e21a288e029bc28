//! What this node owes another: notes and vouchers that go out.

use layer_minus_ledger::{Amount, Op};
use layer_minus_message::{LaneNote, LaneVoucher, Reason, channel::PUSD_PER_TOKEN_UNIT};
use layer_minus_wallet::Address;

use super::{Between, units_pusd};
use crate::{
    event::{ConnectionId, Effect, RequestId},
    money::{self, code},
    node::Parts,
    rows::{LanePaperRow, PeerRow},
    store::{Store, StoreError, Table},
    tx::Stop,
};

/// More was promised than there is money.
const TOO_LARGE: Stop = Stop::Refuse(Reason::Unavailable);

impl<S: Store> Parts<'_, S> {
    pub(super) fn payable(&self, node: &Address) -> Result<Option<PeerRow>, StoreError> {
        self.tx.get(Table::Payables, node.as_slice())
    }

    /// Where the lane of a node stands, with a new voucher if enough is owed.
    pub(super) fn note(&mut self, node: &Address) -> Result<LaneNote, Stop> {
        let mut row = self.payable(node)?.unwrap_or_default();
        let (credited, owed) = self.owed(node)?;
        if owed >= u128::from(self.config.lanes.pay_at_pusd) {
            self.promise_all(node, &mut row)?;
        }
        // The newest promise that is not held; one on a former channel may have been lost too.
        let is_lost = |paper: &&LanePaperRow| paper.units > paper.held_units;
        let voucher = row.papers.iter().rev().find(is_lost);
        Ok(LaneNote {
            credited_pusd: u64::try_from(credited).unwrap_or(u64::MAX),
            voucher: voucher.and_then(LanePaperRow::voucher),
        })
    }

    /// Adds the note to the answer of a request that came on a lane.
    pub(crate) fn add_note(
        &mut self,
        node: &Address,
        id: RequestId,
        from: usize,
    ) -> Result<(), Stop> {
        let is_answer = |effect: &Effect| matches!(effect, Effect::Answer { request, .. } | Effect::Stream { request, .. } if *request == id);
        let at = self.tx.effects.iter().skip(from).position(is_answer);
        let Some(at) = at.map(|at| at + from) else {
            return Ok(());
        };
        let new_note = self.note(node)?;
        match self.tx.effects.get_mut(at) {
            Some(Effect::Answer { note, .. }) => *note = Some(new_note),
            Some(Effect::Stream { connection, .. }) => {
                let connection = *connection;
                self.tx.effects.push(Effect::Note {
                    connection,
                    note: new_note,
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// Tells the node whose lane a stream runs on that a push was credited.
    pub(crate) fn note_stream(
        &mut self,
        connection: ConnectionId,
        lane: Option<Address>,
    ) -> Result<(), Stop> {
        if let Some(node) = lane {
            let note = self.note(&node)?;
            self.tx.effects.push(Effect::Note { connection, note });
        }
        Ok(())
    }

    /// Credited to a node in all, and the part that is not promised yet.
    fn owed(&self, node: &Address) -> Result<(u128, u128), StoreError> {
        let account = self.tx.account(&money::lane_account(node))?;
        Ok(account.map_or((0, 0), |account| {
            let promised = account.debits_posted;
            let credited = account.credits_posted;
            (credited, credited.saturating_sub(promised))
        }))
    }

    /// Promises what is owed, in whole token units; the rest is carried.
    pub(super) fn promise_all(&mut self, node: &Address, row: &mut PeerRow) -> Result<(), Stop> {
        let (_, owed) = self.owed(node)?;
        let owed = u64::try_from(owed).unwrap_or(u64::MAX);
        let Some(paper) = row.papers.last_mut() else {
            return Ok(());
        };
        let more = (owed / PUSD_PER_TOKEN_UNIT).min(u64::MAX - paper.units);
        if more == 0 {
            return Ok(());
        }
        let units = paper.units + more;
        let voucher = LaneVoucher::sign(&paper.channel, &self.keys.wallet, units)
            .map_err(|error| StoreError::Failed(format!("voucher cannot be signed: {error}")))?;
        paper.units = units;
        paper.signature = Some(voucher.signature);
        let amount = units_pusd(more).ok_or(TOO_LARGE)?;
        let ops = self.promise(node, &voucher, amount)?;
        self.tx.book(&ops)?;
        Ok(self.tx.put(Table::Payables, node.as_slice(), row)?)
    }

    fn promise(
        &self,
        node: &Address,
        voucher: &LaneVoucher,
        amount: Amount,
    ) -> Result<Vec<Op>, StoreError> {
        let content: [&[u8]; 2] = [&voucher.channel, &voucher.units.to_be_bytes()];
        self.tx.between(&Between {
            id: self.ids.transfer("voucher", &content),
            debit: money::lane_account(node),
            credit: money::promised_account(node),
            amount,
            code: code::VOUCHER,
        })
    }

    /// Takes in what the creditor shows of this node's own promises: that it holds them, or, after it lost its
    /// newest rows, that it does not; and, after this node lost its own, that it made them. True if the row
    /// changed.
    pub(super) fn adopt(
        &mut self,
        node: &Address,
        row: &mut PeerRow,
        held: Option<LaneVoucher>,
    ) -> Result<bool, Stop> {
        let Some(held) = held else {
            // A voucher that is sent once too often changes nothing.
            let newest = row.papers.last_mut();
            return Ok(newest.is_some_and(|paper| std::mem::take(&mut paper.held_units) != 0));
        };
        let Some(paper) = row.papers.iter_mut().find(|paper| paper.id == held.channel) else {
            return Ok(false);
        };
        if held.units <= paper.units {
            let before = std::mem::replace(&mut paper.held_units, held.units);
            return Ok(before != held.units);
        }
        if held.verify(&paper.channel).is_err() {
            return Err(Reason::BadSignature.into());
        }
        let more = units_pusd(held.units - paper.units).ok_or(TOO_LARGE)?;
        *paper = LanePaperRow {
            units: held.units,
            signature: Some(held.signature),
            held_units: held.units,
            ..paper.clone()
        };
        // Both or none: what was earned and not promised would be promised on another channel.
        let mut ops = self.recovery(node, &held, more)?;
        ops.extend(self.promise(node, &held, more)?);
        self.tx.book(&ops)?;
        Ok(true)
    }

    /// What was promised was earned, though the rows that say so are lost.
    fn recovery(
        &self,
        node: &Address,
        held: &LaneVoucher,
        more: Amount,
    ) -> Result<Vec<Op>, StoreError> {
        let (_, owed) = self.owed(node)?;
        let owed = Amount::new(u64::try_from(owed).unwrap_or(u64::MAX));
        let Some(missing) = more.checked_sub(owed).filter(|missing| !missing.is_zero()) else {
            return Ok(Vec::new());
        };
        let content: [&[u8]; 2] = [&held.channel, &held.units.to_be_bytes()];
        self.tx.between(&Between {
            id: self.ids.transfer("recovered", &content),
            debit: money::expense_account(),
            credit: money::lane_account(node),
            amount: missing,
            code: code::RECOVERED,
        })
    }
}
