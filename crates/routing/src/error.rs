//! Why the table did not take a record.

use alloy_primitives::Address;
use layer_minus_packet::{Fingerprint, KeyId};

/// Why a record or certificate was not taken into the table. What the table had, it keeps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The record is another network's.
    #[error("record of {node} is for network '{found}', this is '{expected}'")]
    WrongNetwork {
        /// Whose record it is.
        node: Address,
        /// The network that it names.
        found: String,
        /// The network of the table.
        expected: String,
    },
    /// The record or certificate is not valid any more.
    #[error("{what} expired at {until}, it is {now}")]
    Expired {
        /// A node's address or a key ID.
        what: String,
        /// Last second of validity, unix time.
        until: u64,
        /// The time it is.
        now: u64,
    },
    /// A newer record of the node is known.
    #[error("record {found} of {node} is older than the known {known}")]
    Older {
        /// Whose record it is.
        node: Address,
        /// Sequence number of the refused record.
        found: u64,
        /// Sequence number of the known one.
        known: u64,
    },
    /// The node signed two different records with one sequence number.
    #[error("{node} signed two different records with number {sequence}")]
    Contradiction {
        /// Whose records they are.
        node: Address,
        /// Their sequence number.
        sequence: u64,
    },
    /// The key routes to another node already, and possession of it was not proved.
    #[error("encryption key {key} of {node} is {holder}'s, and possession was not proved")]
    KeyClaimed {
        /// Who claims it.
        node: Address,
        /// What is claimed.
        key: Fingerprint,
        /// The node that it routes to.
        holder: Address,
    },
    /// The peer told as many nodes as it may.
    #[error("peer {peer} told more than its share of {limit} nodes")]
    PeerShare {
        /// Which peer.
        peer: Address,
        /// How many nodes it may tell.
        limit: usize,
    },
    /// The table is full of entries that are worth no less.
    #[error("table of nodes is full at {limit}")]
    Full {
        /// How many nodes it holds.
        limit: usize,
    },
    /// There are as many certificates without address as there may be.
    #[error("no room for the certificate of {key}: {limit} without address are known")]
    UnaddressedFull {
        /// The key that found no room.
        key: KeyId,
        /// How many there may be.
        limit: usize,
    },
}
