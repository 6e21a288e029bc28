//! Every paper on which something was earned: clients' authorizations and vouchers on lanes.

use layer_minus_settlement::Claim;
use layer_minus_wallet::Address;

use super::{LanePaper, SettleError, Side, channels, lane_books, settle_channel, settle_lane};
use crate::{
    store::{Store, StoreError},
    walk::PAGE_ROWS,
};

/// Most channels that are looked at.
const CLAIMS_MAX: usize = 1_000_000;

/// Whose paper a claim is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paper {
    /// A client's authorization: it owes this node.
    Client,
    /// Vouchers on the lane with another node.
    Lane(Address, Side),
}

impl Paper {
    /// What it is in words, for the claim's note. A client's wallet is not in them: who is handed an export
    /// need not learn which cash wallet belongs to whom.
    fn note(self) -> String {
        match self {
            Self::Client => "client".to_owned(),
            Self::Lane(node, Side::Due) => format!("lane, due from {node}"),
            Self::Lane(node, Side::Owed) => format!("lane, owed to {node}"),
        }
    }
}

/// What is owed by and to whom, with the newest paper of each channel.
///
/// # Errors
/// When the store cannot be read, or holds more than 1,000,000 channels of clients.
pub fn claims<S: Store>(store: &S) -> Result<Vec<(Paper, Claim)>, StoreError> {
    let mut claims = Vec::new();
    let mut after = None;
    loop {
        let page = channels(store, after, PAGE_ROWS)?;
        after = page.last().map(|channel| channel.id);
        let full = page.len() == PAGE_ROWS;
        for channel in page {
            claims.push((Paper::Client, channel.claim()));
        }
        if claims.len() > CLAIMS_MAX {
            return Err(StoreError::Failed(format!(
                "more than {CLAIMS_MAX} channels"
            )));
        }
        if !full {
            break;
        }
    }
    for book in lane_books(store)? {
        let whose = Paper::Lane(book.node, book.side);
        let papers = book.papers.into_iter().filter_map(LanePaper::claim);
        claims.extend(papers.map(|claim| (whose, claim)));
    }
    for (paper, claim) in &mut claims {
        claim.note = paper.note();
    }
    Ok(claims)
}

/// Marks `units` in all of a paper's channel as paid or cashed; token units. Less than is marked already
/// changes nothing. Returns what was added, token units.
///
/// # Errors
/// [`SettleError`]: nothing was changed.
pub fn settle<S: Store>(
    store: &mut S,
    paper: Paper,
    channel: &[u8; 32],
    units: u64,
    now: u64,
) -> Result<u64, SettleError> {
    match paper {
        Paper::Client => settle_channel(store, channel, units, now),
        Paper::Lane(node, side) => settle_lane(store, node, side, channel, units, now),
    }
}
