//! What this node owes another: notes and vouchers that go out.

use layer_minus_ledger::Amount;
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
        let held = row.papers.last().map_or(0, |paper| paper.held_units);
        let voucher = row.voucher().filter(|voucher| voucher.units > held);
        Ok(LaneNote {
            credited_pusd: u64::try_from(credited).unwrap_or(u64::MAX),
            voucher,
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
        let more = u64::try_from(owed / u128::from(PUSD_PER_TOKEN_UNIT)).unwrap_or(u64::MAX);
        let Some(paper) = row.papers.last_mut().filter(|_| more > 0) else {
            return Ok(());
        };
        let units = paper
            .units
            .checked_add(more)
            .ok_or_else(|| StoreError::Failed("a promise does not fit 64 bits".to_owned()))?;
        let voucher = LaneVoucher::sign(&paper.channel, &self.keys.wallet, units)
            .map_err(|error| StoreError::Failed(format!("voucher cannot be signed: {error}")))?;
        paper.units = units;
        paper.signature = Some(voucher.signature);
        let amount = units_pusd(more)?;
        self.book_promise(node, &voucher, amount)?;
        Ok(self.tx.put(Table::Payables, node.as_slice(), row)?)
    }

    fn book_promise(
        &mut self,
        node: &Address,
        voucher: &LaneVoucher,
        amount: Amount,
    ) -> Result<(), Stop> {
        let content: [&[u8]; 2] = [&voucher.channel, &voucher.units.to_be_bytes()];
        let ops = self.tx.between(&Between {
            id: self.ids.transfer("voucher", &content),
            debit: money::lane_account(node),
            credit: money::promised_account(node),
            amount,
            code: code::VOUCHER,
        })?;
        Ok(self.tx.book(&ops)?)
    }

    /// Takes in what the creditor shows of this node's own promises: that it holds them, and, after this
    /// node lost its newest rows, that it made them. True if the row changed.
    pub(super) fn adopt(
        &mut self,
        node: &Address,
        row: &mut PeerRow,
        held: Option<LaneVoucher>,
    ) -> Result<bool, Stop> {
        let Some(held) = held else {
            return Ok(false);
        };
        let Some(paper) = row.papers.iter_mut().find(|paper| paper.id == held.channel) else {
            return Ok(false);
        };
        if held.units <= paper.units {
            let news = held.units > paper.held_units;
            paper.held_units = paper.held_units.max(held.units);
            return Ok(news);
        }
        if held.verify(&paper.channel).is_err() {
            return Err(Reason::BadSignature.into());
        }
        let more = units_pusd(held.units - paper.units)?;
        *paper = LanePaperRow {
            units: held.units,
            signature: Some(held.signature),
            held_units: held.units,
            ..paper.clone()
        };
        self.recover(node, &held, more)?;
        self.book_promise(node, &held, more)?;
        Ok(true)
    }

    /// What was promised was earned, though the rows that say so are lost.
    fn recover(&mut self, node: &Address, held: &LaneVoucher, more: Amount) -> Result<(), Stop> {
        let (_, owed) = self.owed(node)?;
        let owed = Amount::new(u64::try_from(owed).unwrap_or(u64::MAX));
        let Some(missing) = more.checked_sub(owed).filter(|missing| !missing.is_zero()) else {
            return Ok(());
        };
        let content: [&[u8]; 2] = [&held.channel, &held.units.to_be_bytes()];
        let ops = self.tx.between(&Between {
            id: self.ids.transfer("recovered", &content),
            debit: money::expense_account(),
            credit: money::lane_account(node),
            amount: missing,
            code: code::RECOVERED,
        })?;
        Ok(self.tx.book(&ops)?)
    }
}
