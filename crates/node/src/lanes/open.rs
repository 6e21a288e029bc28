//! Another node opens a lane, or asks for what it is owed.

use layer_minus_message::{
    Answer, Channel, LaneParty, LaneVoucher, NodeRecord, Reason, SignedDocument, lane_channel,
};
use layer_minus_wallet::Address;
use rand::{CryptoRng, RngCore};

use crate::{
    config::{LANE_CHANNELS_MAX, LANE_SECS},
    event::{Effect, LaneKey, Request},
    node::{LANE_PREFIX, Parts},
    rows::{Due, LanePaperRow, LaneRow, PeerRow},
    store::{Store, Table},
    tx::Stop,
};

impl<S: Store> Parts<'_, S> {
    /// Another node opens a lane: from now on what it forwards is known to come from it.
    pub(crate) fn lane(
        &mut self,
        request: &Request,
        wallet: Address,
        record: SignedDocument,
        held: Option<LaneVoucher>,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(), Stop> {
        let record = NodeRecord::read(record, &self.keys.network, self.tx.now)
            .map_err(|error| malformed(error.to_string()))?;
        if record.node() != wallet {
            return Err(Reason::BadSignature.into());
        }
        let channel = lane_channel(self.config.lanes.chain, self.party(), (&record).into());
        let mut row = self.payable(&wallet)?.unwrap_or_default();
        let changed = take_channel(&mut row, channel)?;
        let adopted = self.adopt(&wallet, &mut row, held)?;
        if changed || adopted {
            self.tx.put(Table::Payables, wallet.as_slice(), &row)?;
        }
        let (lane, key, expires_at) = self.new_lane(wallet, rng)?;
        let note = self.note(&wallet)?;
        self.tx.answer(
            request.id,
            Answer::LaneOpen {
                lane,
                key,
                expires_at,
                channel,
                note,
            },
        );
        Ok(())
    }

    /// A creditor wants a promise of all that is owed. It is one signature for any amount.
    pub(crate) fn collect(
        &mut self,
        request: &Request,
        wallet: Address,
        held: Option<LaneVoucher>,
        stopped: bool,
    ) -> Result<(), Stop> {
        let Some(mut row) = self.payable(&wallet)? else {
            return Err(malformed("no lane was opened by this node".to_owned()));
        };
        let adopted = self.adopt(&wallet, &mut row, held)?;
        if adopted || row.stopped != stopped {
            row.stopped = stopped;
            self.tx.put(Table::Payables, wallet.as_slice(), &row)?;
        }
        self.promise_all(&wallet, &mut row)?;
        let note = self.note(&wallet)?;
        self.tx.answer(request.id, Answer::Lane(note));
        Ok(())
    }

    pub(crate) fn party(&self) -> LaneParty {
        LaneParty {
            node: self.keys.wallet.address(),
            cash: self.keys.cash,
        }
    }

    fn new_lane(
        &mut self,
        wallet: Address,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<([u8; 16], LaneKey, u64), Stop> {
        let mut lane = [0; 16];
        let mut key = [0; 32];
        rng.fill_bytes(&mut lane);
        rng.fill_bytes(&mut key);
        let expires_at = self.tx.now.saturating_add(LANE_SECS);
        // One live lane for each node; and who ever earned on one is never forgotten.
        let name = [LANE_PREFIX, wallet.as_slice()].concat();
        if let Some(old) = self.tx.store.get(Table::Meta, &name)? {
            if let Some(row) = self.tx.get::<LaneRow>(Table::Lanes, &old)? {
                self.tx.unschedule(row.expires_at, Due::Lane, &old)?;
            }
            self.tx.delete(Table::Lanes, &old)?;
        }
        self.tx.put_bytes(Table::Meta, &name, &lane)?;
        let row = LaneRow {
            node: wallet,
            key,
            expires_at,
        };
        self.tx.put(Table::Lanes, &lane, &row)?;
        self.tx.schedule(expires_at, Due::Lane, &lane)?;
        let key = LaneKey(key);
        self.tx.effects.push(Effect::LaneOpened {
            lane,
            node: wallet,
            key: key.clone(),
            expires_at,
        });
        Ok((lane, key, expires_at))
    }
}

fn malformed(detail: String) -> Stop {
    Stop::Refuse(Reason::Malformed { detail })
}

/// Makes `channel` the newest of a row; whether it was not.
pub(super) fn take_channel(row: &mut PeerRow, channel: Channel) -> Result<bool, Stop> {
    let id = channel
        .id()
        .map_err(|error| malformed(error.to_string()))?
        .0;
    if row.papers.last().is_some_and(|newest| newest.id == id) {
        return Ok(false);
    }
    if let Some(at) = row.papers.iter().position(|paper| paper.id == id) {
        let paper = row.papers.remove(at);
        row.papers.push(paper);
        return Ok(true);
    }
    if row.papers.len() >= LANE_CHANNELS_MAX {
        // A total is never forgotten, paid or not: what was promised before would be promised again on top.
        let unused = |paper: &LanePaperRow| paper.units == 0;
        let Some(at) = row.papers.iter().position(unused) else {
            let limit = "lane_channels_max".to_owned();
            return Err(Reason::OverLimit { limit }.into());
        };
        row.papers.remove(at);
    }
    row.papers.push(LanePaperRow {
        channel,
        id,
        units: 0,
        signature: None,
        held_units: 0,
        settled_units: 0,
    });
    Ok(true)
}
