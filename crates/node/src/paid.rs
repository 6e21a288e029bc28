//! What a push costs once it is known to have gone out, and what its lane earns.

use layer_minus_ledger::{Op, Refusal, TransferId};
use layer_minus_wallet::Address;

use crate::{
    money::{self, PassPrice},
    node::Parts,
    rows::PacketRow,
    store::Store,
    tx::{BookError, Stop},
};

impl<S: Store> Parts<'_, S> {
    /// Charges a push to its reservation and credits the lane that carried it.
    pub(crate) fn post_push(
        &mut self,
        pending: TransferId,
        packet: &PacketRow,
        lane: Option<Address>,
    ) -> Result<(), Stop> {
        let price = money::pass_price(&packet.prices, packet.size_bytes)?;
        let id = self.ids.transfer("pushed", &[pending.as_bytes()]);
        let post = Op::Post {
            id,
            pending,
            amount: None,
            last: true,
        };
        let lane_id = self.ids.transfer("pushed lane", &[pending.as_bytes()]);
        let mut ops = vec![post];
        ops.extend(self.tx.lane_ops(lane, lane_id, price)?);
        match self.tx.book(&ops) {
            Ok(()) => Ok(()),
            Err(BookError::Refused(Refusal::PendingExpired { .. })) => {
                self.void(pending)?;
                self.charge_late_push(pending, price, lane)
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
        price: PassPrice,
        lane: Option<Address>,
    ) -> Result<(), Stop> {
        let Some(reserved) = self.tx.transfer(&pending)? else {
            return Ok(());
        };
        let charge = Op::Transfer {
            id: self.ids.transfer("pushed late", &[pending.as_bytes()]),
            debit: reserved.debit,
            credit: reserved.credit,
            amount: price.client,
            code: reserved.code,
        };
        let lane_id = self.ids.transfer("pushed lane", &[pending.as_bytes()]);
        let mut ops = vec![charge];
        ops.extend(self.tx.lane_ops(lane, lane_id, price)?);
        match self.tx.book(&ops) {
            Ok(()) | Err(BookError::Refused(_)) => Ok(()),
            Err(BookError::Store(error)) => Err(error.into()),
        }
    }
}
