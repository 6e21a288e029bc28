//! What other nodes owe this one: notes and vouchers that come in, and who is forwarded to.

use layer_minus_ledger::Amount;
use layer_minus_message::{Channel, LaneNote, LaneParty, LaneVoucher, lane_channel};
use layer_minus_wallet::Address;

use super::{Between, Promised, open::take_channel, units_pusd};
use crate::{
    config::{LaneConfig, PEERS_MAX, STOPPED_PEERS_PER_TICK},
    event::{Effect, PeerState},
    live::LivePeer,
    money::{self, code},
    node::{Node, Parts},
    rows::{self, PeerRow},
    store::{Store, StoreError, Table},
    tx::Stop,
};

impl<S: Store> Parts<'_, S> {
    /// This node opened a lane at another, which said on which channel it pays.
    pub(crate) fn lane_joined(
        &mut self,
        peer: LaneParty,
        channel: Channel,
        note: &LaneNote,
    ) -> Result<(), Stop> {
        // Anything else would be paper that pays somebody else, or that somebody else signs.
        if channel != lane_channel(channel.chain, peer, self.party()) {
            let reason = "the channel is not between the two nodes".to_owned();
            self.refuse_voucher(peer.node, reason);
            return Ok(());
        }
        let mut row = self.receivable(&peer.node)?.unwrap_or_default();
        if take_channel(&mut row, channel)? {
            self.tx
                .put(Table::Receivables, peer.node.as_slice(), &row)?;
        }
        let live = self.live.peers.entry(peer.node).or_default();
        // A node that was restored says less than before, and is believed here.
        live.credited_pusd = note.credited_pusd;
        self.lane_note(peer.node, note)
    }

    /// What another node says about the lane to it. Late or repeated, it changes nothing.
    pub(crate) fn lane_note(&mut self, peer: Address, note: &LaneNote) -> Result<(), Stop> {
        let Some(mut row) = self.receivable(&peer)? else {
            return Ok(());
        };
        let live = self.live.peers.entry(peer).or_default();
        live.credited_pusd = live.credited_pusd.max(note.credited_pusd);
        if let Some(voucher) = &note.voucher {
            self.take_voucher(peer, &mut row, voucher)?;
        }
        self.tell_peer(peer, &row)
    }

    /// Looks again at nodes that are not forwarded to: the operator may have settled or granted.
    pub(crate) fn look_at_stopped(&mut self) -> Result<(), Stop> {
        let stopped = self.live.peers.iter().filter(|(_, live)| live.stopped);
        let stopped: Vec<Address> = stopped
            .map(|(peer, _)| *peer)
            .take(STOPPED_PEERS_PER_TICK)
            .collect();
        for peer in stopped {
            let row = self.receivable(&peer)?.unwrap_or_default();
            self.tell_peer(peer, &row)?;
        }
        Ok(())
    }

    fn receivable(&self, peer: &Address) -> Result<Option<PeerRow>, StoreError> {
        receivable(self.tx.store, peer)
    }

    fn take_voucher(
        &mut self,
        peer: Address,
        row: &mut PeerRow,
        voucher: &LaneVoucher,
    ) -> Result<(), Stop> {
        let paper = row
            .papers
            .iter_mut()
            .find(|paper| paper.id == voucher.channel);
        let Some(paper) = paper.filter(|paper| voucher.units > paper.units) else {
            return Ok(());
        };
        let Some(amount) = units_pusd(voucher.units - paper.units) else {
            let reason = "more is promised than there is money".to_owned();
            self.refuse_voucher(peer, reason);
            return Ok(());
        };
        if let Err(error) = voucher.verify(&paper.channel) {
            self.refuse_voucher(peer, error.to_string());
            return Ok(());
        }
        paper.units = voucher.units;
        paper.signature = Some(voucher.signature);
        self.book_promised(&peer, voucher, amount)?;
        Ok(self.tx.put(Table::Receivables, peer.as_slice(), row)?)
    }

    fn refuse_voucher(&mut self, peer: Address, reason: String) {
        let refused = Effect::VoucherRefused { peer, reason };
        self.tx.effects.push(refused);
    }

    fn book_promised(
        &mut self,
        peer: &Address,
        voucher: &LaneVoucher,
        amount: Amount,
    ) -> Result<(), Stop> {
        let content: [&[u8]; 2] = [&voucher.channel, &voucher.units.to_be_bytes()];
        let ops = self.tx.between(&Between {
            id: self.ids.transfer("voucher taken", &content),
            debit: money::owed_account(peer),
            credit: money::forwarding_account(),
            amount,
            code: code::VOUCHER_TAKEN,
        })?;
        Ok(self.tx.book(&ops)?)
    }

    /// Tells the runtime whether to forward to a node, if that has changed.
    fn tell_peer(&mut self, peer: Address, row: &PeerRow) -> Result<(), Stop> {
        let live = self.live.peers.entry(peer).or_default();
        let (lanes, credited) = (&self.config.lanes, Some(live.credited_pusd));
        let now = judged(self.tx.store, lanes, &peer, row, credited)?;
        if std::mem::replace(live, now) != now {
            self.tx.effects.push(Effect::Peer(now.state(peer)));
        }
        Ok(())
    }
}

fn receivable(store: &impl Store, peer: &Address) -> Result<Option<PeerRow>, StoreError> {
    let key = peer.as_slice();
    let bytes = store.get(Table::Receivables, key)?;
    bytes
        .map(|bytes| rows::from_json(Table::Receivables, key, &bytes))
        .transpose()
}

fn granted(store: &impl Store, peer: &Address) -> Result<u64, StoreError> {
    match store.get(Table::Grants, peer.as_slice())? {
        Some(bytes) => rows::from_json(Table::Grants, peer.as_slice(), &bytes),
        None => Ok(0),
    }
}

/// The two thresholds: where a promise is asked for, and where serving ends.
fn judge(
    lanes: &LaneConfig,
    credited_pusd: u64,
    promised: Promised,
    granted_pusd: u64,
    held: Option<LaneVoucher>,
) -> LivePeer {
    let unpromised = u128::from(credited_pusd).saturating_sub(promised.total);
    let credit = u128::from(lanes.credit_pusd) + u128::from(granted_pusd);
    LivePeer {
        credited_pusd,
        stopped: unpromised > u128::from(lanes.unpromised_max_pusd) || promised.open() > credit,
        collect: unpromised >= u128::from(lanes.pay_at_pusd),
        held,
    }
}

/// A node as the store and its own word make it; without its word, what it promised was credited.
fn judged(
    store: &impl Store,
    lanes: &LaneConfig,
    peer: &Address,
    row: &PeerRow,
    credited_pusd: Option<u64>,
) -> Result<LivePeer, StoreError> {
    let promised = Promised::by(store, peer)?;
    let granted = granted(store, peer)?;
    let credited =
        credited_pusd.unwrap_or_else(|| u64::try_from(promised.total).unwrap_or(u64::MAX));
    Ok(judge(lanes, credited, promised, granted, row.voucher()))
}

impl<S: Store> Node<S> {
    /// Reads what is known of the nodes that this one forwards to. What they credited and did not
    /// promise they say again with their next answer.
    pub(crate) fn load_peers(&mut self) -> Result<(), StoreError> {
        let rows = self
            .store
            .scan(Table::Receivables, &[], &[0xff; 21], PEERS_MAX)?;
        for (key, value) in rows {
            let row: PeerRow = rows::from_json(Table::Receivables, &key, &value)?;
            if let Ok(peer) = Address::try_from(key.as_slice()) {
                let live = judged(&self.store, &self.config.lanes, &peer, &row, None)?;
                self.live.peers.insert(peer, live);
            }
        }
        Ok(())
    }

    /// Judges all of them anew by what is stored. One that cannot be read stays as it was.
    pub(crate) fn judge_peers(&mut self) {
        let (store, lanes) = (&self.store, &self.config.lanes);
        for (peer, live) in &mut self.live.peers {
            let now = receivable(store, peer).and_then(|row| {
                let row = row.unwrap_or_default();
                judged(store, lanes, peer, &row, Some(live.credited_pusd))
            });
            if let Ok(now) = now {
                *live = now;
            }
        }
    }

    /// The nodes that this one opened a lane at, and whether they are forwarded to.
    pub fn peers(&self) -> Vec<PeerState> {
        let peers = self.live.peers.iter();
        peers.map(|(peer, live)| live.state(*peer)).collect()
    }
}

impl LivePeer {
    const fn state(self, node: Address) -> PeerState {
        PeerState {
            node,
            serves: !self.stopped,
            collect: self.collect,
            held: self.held,
        }
    }
}
