//! What keeps a claim from being settled.

use alloy_primitives::B256;
use layer_minus_message::Chain;
use layer_minus_wallet::{Address, WalletError};

/// Why a claim or a mark was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettlementError {
    /// The withdraw delay is none that a contract takes.
    #[error("withdraw delay of {secs} s is not between 15 minutes and 30 days")]
    WithdrawDelay {
        /// The delay of the channel, seconds.
        secs: u64,
    },
    /// The voucher is not signed by who may sign for the channel.
    #[error("voucher is signed by {found}, not by {expected}")]
    WrongSigner {
        /// Who signed.
        found: Address,
        /// Who should have.
        expected: Address,
    },
    /// The signature is no signature.
    #[error("voucher's signature: {0}")]
    Signature(#[from] WalletError),
    /// More is owed than the voucher allows to be claimed: the books are wrong, or an older voucher
    /// was taken for the newest.
    #[error("{owed_units} token units are owed and the voucher allows {limit_units}")]
    OverLimit {
        /// What is owed, floored to token units.
        owed_units: u128,
        /// What the voucher allows.
        limit_units: u128,
    },
    /// More was settled than is owed.
    #[error("{settled_units} token units were settled and {owed_units} are owed")]
    SettledBeyond {
        /// What was settled.
        settled_units: u128,
        /// What is owed, floored to token units.
        owed_units: u128,
    },
    /// Nothing more than was settled already: less than a token unit, or nothing at all.
    #[error("nothing is due")]
    NothingDue,
    /// The channel names no chain, or another chain, contract or token than is settled here.
    #[error(
        "channel is for token {} at contract {} on chain {}, which is settled elsewhere",
        .0.token, .0.contract, .0.chain_id
    )]
    Elsewhere(Chain),
    /// Somebody else is owed this.
    #[error("only {receiver} can claim this")]
    NotReceiver {
        /// Who is owed.
        receiver: Address,
    },
    /// A mark for a channel of which there is no claim.
    #[error("no claim on channel {0}")]
    UnknownChannel(B256),
    /// Two claims on one channel: only the newest voucher counts.
    #[error("channel {0} occurs twice")]
    Twice(B256),
    /// A mark below what was settled before.
    #[error("{marked_units} token units are marked and {settled_units} were settled before")]
    Backwards {
        /// The total of the mark.
        marked_units: u128,
        /// The total before.
        settled_units: u128,
    },
    /// The operator's words about a claim are too long.
    #[error("note has {bytes} bytes, at most {max} are kept")]
    Note {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
}
