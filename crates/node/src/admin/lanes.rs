//! The books of lanes: what is owed to whom and by whom, and marking it as settled.

use layer_minus_message::{Channel, channel::PUSD_PER_TOKEN_UNIT, text};
use layer_minus_settlement::Claim;
use layer_minus_wallet::{Address, Signature};
use serde::{Deserialize, Serialize};

use super::narrow;
use crate::{
    lanes::Promised,
    money,
    rows::{self, LanePaperRow, PeerRow},
    store::{Store, StoreError, Table},
    tx::account,
    walk::{PAGE_ROWS, each},
};

/// Which way the money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// This node pays.
    Owed,
    /// This node is paid.
    Due,
}

impl Side {
    pub(super) const fn table(self) -> Table {
        match self {
            Self::Owed => Table::Payables,
            Self::Due => Table::Receivables,
        }
    }
}

/// Where this node stands with another. Picodollars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LaneBook {
    /// The other node.
    #[serde(with = "text::eip55")]
    pub node: Address,
    /// Which way the money goes.
    pub side: Side,
    /// Credited for passes that were paid; of another node's word only the promised part is kept.
    #[serde(with = "text::decimal")]
    pub credited_pusd: u64,
    /// Promised by vouchers.
    #[serde(with = "text::decimal")]
    pub promised_pusd: u64,
    /// Promised, and the creditor said that it holds the voucher.
    #[serde(with = "text::decimal")]
    pub held_pusd: u64,
    /// Paid or cashed.
    #[serde(with = "text::decimal")]
    pub settled_pusd: u64,
    /// The creditor forwards nothing until more is promised or settled.
    pub stopped: bool,
    /// Channel by channel.
    pub papers: Vec<LanePaper>,
}

/// The newest promise on one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LanePaper {
    /// The channel.
    pub channel: Channel,
    /// Its id.
    #[serde(with = "text::hex_array")]
    pub id: [u8; 32],
    /// Promised in all, token units.
    #[serde(with = "text::decimal")]
    pub units: u64,
    /// By the channel's authorizer, over the units; none while nothing is promised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// Paid or cashed of them.
    #[serde(with = "text::decimal")]
    pub settled_units: u64,
}

impl LanePaper {
    /// What is promised on it, as a claim without a note; none while nothing is.
    #[must_use]
    pub fn claim(self) -> Option<Claim> {
        Some(Claim {
            channel: self.channel,
            limit_units: self.units.into(),
            signature: self.signature?,
            owed_pusd: u128::from(self.units) * u128::from(PUSD_PER_TOKEN_UNIT),
            settled_units: self.settled_units.into(),
            note: String::new(),
        })
    }
}

/// The books with every node that forwarded here or was forwarded to.
pub fn lane_books<S: Store>(store: &S) -> Result<Vec<LaneBook>, StoreError> {
    let mut books = Vec::new();
    for side in [Side::Owed, Side::Due] {
        each::<_, StoreError>(store, side.table(), PAGE_ROWS, |key, value| {
            let node =
                Address::try_from(key).map_err(|_| StoreError::damaged(side.table(), key))?;
            let row: PeerRow = rows::from_json(side.table(), key, value)?;
            books.push(book(store, node, side, row)?);
            Ok(())
        })?;
    }
    Ok(books)
}

fn book<S: Store>(
    store: &S,
    node: Address,
    side: Side,
    row: PeerRow,
) -> Result<LaneBook, StoreError> {
    let promised = match side {
        Side::Owed => Promised::to(store, &node)?,
        Side::Due => Promised::by(store, &node)?,
    };
    let promised_pusd = narrow(promised.total);
    let (credited_pusd, held_pusd) = match side {
        Side::Owed => {
            let lane = account(store, &money::lane_account(&node))?;
            let unheld =
                |paper: &LanePaperRow| u128::from(paper.units.saturating_sub(paper.held_units));
            let unheld: u128 = row.papers.iter().map(unheld).sum();
            let unheld = unheld.saturating_mul(u128::from(PUSD_PER_TOKEN_UNIT));
            let held = promised.total.saturating_sub(unheld);
            (
                lane.map_or(0, |lane| narrow(lane.credits_posted)),
                narrow(held),
            )
        }
        Side::Due => (promised_pusd, promised_pusd),
    };
    Ok(LaneBook {
        node,
        side,
        credited_pusd,
        promised_pusd,
        held_pusd,
        settled_pusd: narrow(promised.settled),
        stopped: row.stopped,
        papers: row.papers.into_iter().map(paper).collect(),
    })
}

fn paper(row: LanePaperRow) -> LanePaper {
    LanePaper {
        channel: row.channel,
        id: row.id,
        units: row.units,
        signature: row.signature,
        settled_units: row.settled_units,
    }
}
