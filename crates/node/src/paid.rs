//! What a push costs once it is known to have gone out, and what its lane earns.

use layer_minus_ledger::{Amount, Op, Refusal, TransferId};
use layer_minus_wallet::Address;

use crate::{
    money::PassPrice,
    node::Parts,
    purse::price,
    rows::PacketRow,
    store::Store,
    tx::{BookError, Stop},
};

impl<S: Store> Parts<'_, S> {
    /// Charges a push to its reservation and credits the lane that carried it.
    pub(crate) fn post_push(
        &mut self,
        pending: TransferId,
        client: &Address,
        packet: &PacketRow,
        lane: Option<Address>,
    ) -> Result<(), Stop> {
        let size = packet.size_bytes;
        let charged = price(packet.prices.out_price(size.into()))?;
        let pass = PassPrice::new(&self.config.prices, size, charged)?;
        let id = self.ids.transfer("pushed", &[pending.as_bytes()]);
        let post = Op::Post {
            id,
            pending,
            amount: None,
            last: true,
        };
        let lane_id = self.ids.transfer("pushed lane", &[pending.as_bytes()]);
        let mut ops = vec![(post, size)];
        let earned = self.tx.lane_ops(lane, lane_id, pass)?;
        ops.extend(earned.into_iter().map(|op| (op, size)));
        match self.tx.charge(&ops) {
            Ok(()) => Ok(()),
            Err(BookError::Refused(Refusal::PendingExpired { .. })) => {
                self.void(pending)?;
                self.charge_late_push(pending, client, (size, charged), lane)
            }
            Err(BookError::Refused(_)) => Ok(()),
            Err(BookError::Store(error)) => Err(error.into()),
        }
    }

    /// The clock was set while a push was under way, and its reservation has lapsed: it is charged all
    /// the same. Beyond the limit nobody pays for it, and it earns nothing.
    fn charge_late_push(
        &mut self,
        pending: TransferId,
        client: &Address,
        (size, charged): (u32, Amount),
        lane: Option<Address>,
    ) -> Result<(), Stop> {
        let Some(client) = self.tx.client(client)? else {
            return Ok(());
        };
        let Some(reserved) = self.tx.transfer(&pending)? else {
            return Ok(());
        };
        let charge = Op::Transfer {
            id: self.ids.transfer("pushed late", &[pending.as_bytes()]),
            debit: reserved.debit,
            credit: reserved.credit,
            amount: charged,
            code: reserved.code,
        };
        let lane_id = self.ids.transfer("pushed lane", &[pending.as_bytes()]);
        let pass = PassPrice::new(&self.config.prices, size, charged)?;
        let earned = self.tx.lane_ops(lane, lane_id, pass)?;
        // A new charge, so what backs the account now is what counts.
        let ops: Vec<(Op, u32)> = [(self.limit_op(&client)?, 0), (charge, size)]
            .into_iter()
            .chain(earned.into_iter().map(|op| (op, size)))
            .collect();
        match self.tx.charge(&ops) {
            Ok(()) | Err(BookError::Refused(_)) => Ok(()),
            Err(BookError::Store(error)) => Err(error.into()),
        }
    }
}
