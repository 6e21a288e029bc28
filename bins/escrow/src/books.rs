//! What the books of a node hold on one chain, page by page: whoever makes very many channels makes it
//! slower, and stops nothing.

use layer_minus_message::{Chain, channel::PUSD_PER_TOKEN_UNIT};
use layer_minus_node::{
    StoreError,
    admin::{self, Channel, LaneBook, Paper, Side},
};
use layer_minus_settlement::Claim;
use layer_minus_store_sqlite::SqliteStore;
use layer_minus_wallet::Address;

/// Channels of clients that are read at a time.
const PAGE_ROWS: usize = 256;
/// How long after the end of an authorization mail may still be delivered that was reserved for before:
/// no node keeps mail longer. Seconds.
const DELIVERED_LATER_SECS: u64 = 30 * 86_400;

/// A paper on this chain, and how the account on it stands.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) paper: Paper,
    /// Of the channel.
    pub(crate) id: [u8; 32],
    pub(crate) claim: Claim,
    /// The last second of a client's authorization, unless the client took it back.
    good_until: Option<u64>,
}

impl Entry {
    fn of_client(channel: &Channel) -> Self {
        Self {
            paper: Paper::Client,
            id: channel.id,
            claim: channel.claim(),
            good_until: (!channel.revoked).then_some(channel.authorization.expires_at),
        }
    }

    fn of_lane(book: LaneBook) -> impl Iterator<Item = Self> {
        let whose = Paper::Lane(book.node, book.side);
        book.papers.into_iter().filter_map(move |paper| {
            Some(Self {
                paper: whose,
                id: paper.id,
                claim: paper.claim()?,
                good_until: None,
            })
        })
    }

    /// Earned in all, whole token units.
    pub(crate) fn owed_units(&self) -> u128 {
        self.claim.owed_pusd / u128::from(PUSD_PER_TOKEN_UNIT)
    }

    /// Whether something is earned that is not marked as settled.
    pub(crate) fn is_due(&self) -> bool {
        self.owed_units() > self.claim.settled_units
    }

    /// Whether this node is the one who pays.
    pub(crate) const fn is_owed(&self) -> bool {
        matches!(self.paper, Paper::Lane(_, Side::Owed))
    }

    /// Whether `caller` can claim it.
    pub(crate) fn is_for(&self, caller: Address) -> bool {
        let channel = &self.claim.channel;
        !self.is_owed() && (caller == channel.receiver || caller == channel.receiver_authorizer)
    }

    /// Whether the node may still count on a deposit for it.
    pub(crate) fn is_in_use(&self, now: u64) -> bool {
        self.good_until
            .is_some_and(|until| until.saturating_add(DELIVERED_LATER_SECS) >= now)
    }
}

/// Goes through all papers on a chain.
#[derive(Debug)]
pub(crate) struct Walk {
    chain: Chain,
    at: At,
}

#[derive(Clone, Copy, Debug)]
enum At {
    /// Channels of clients, those after this one.
    Clients(Option<[u8; 32]>),
    Lanes,
    End,
}

impl Walk {
    pub(crate) const fn new(chain: Chain) -> Self {
        Self {
            chain,
            at: At::Clients(None),
        }
    }

    /// The next page, or what went wrong with it; none at the end.
    pub(crate) fn next(&mut self, store: &SqliteStore) -> Option<Result<Vec<Entry>, StoreError>> {
        let page = match self.at {
            At::Clients(after) => {
                self.at = At::Lanes;
                admin::channels(store, after, PAGE_ROWS).map(|page| {
                    if page.len() == PAGE_ROWS {
                        self.at = At::Clients(page.last().map(|channel| channel.id));
                    }
                    page.iter().map(Entry::of_client).collect()
                })
            }
            At::Lanes => {
                self.at = At::End;
                admin::lane_books(store)
                    .map(|books| books.into_iter().flat_map(Entry::of_lane).collect())
            }
            At::End => return None,
        };
        Some(page.map(|mut page: Vec<Entry>| {
            page.retain(|entry| entry.claim.channel.chain == self.chain);
            page
        }))
    }
}
