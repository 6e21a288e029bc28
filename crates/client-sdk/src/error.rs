//! What can go wrong for a client.

use layer_minus_message::{MessageError, Reason};
use layer_minus_seal::SealError;
use layer_minus_wallet::{Address, WalletError};

/// Why something could not be sent, read or believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SdkError {
    /// A message of the protocol is not acceptable.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A seal could not be made or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A wallet, delegation or signature is not acceptable.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The node refused, and says why.
    #[error("refused by the node: {0}")]
    Refused(Reason),
    /// A node on the way refused to pass it on, and says why. It can say nothing else.
    #[error("refused on the way, by hop {hop}: {reason}")]
    RefusedOnTheWay {
        /// Which one, from 1.
        hop: usize,
        /// What it says.
        reason: Reason,
    },
    /// A node on the way answered in the name of the last one.
    #[error("hop {hop} answered instead of the node behind it")]
    Impostor {
        /// Which one, from 1.
        hop: usize,
    },
    /// The node answered something else than what was asked.
    #[error("expected {expected} as an answer, got {found}")]
    Unexpected {
        /// What was asked for.
        expected: &'static str,
        /// What came.
        found: &'static str,
    },
    /// The acceptance is for another message.
    #[error("acceptance names another message than the one that was sent")]
    WrongAcceptance,
    /// The answer names somebody else than was asked for.
    #[error("asked for {asked}, the answer is about {found}")]
    WrongSubject {
        /// Who was asked for.
        asked: Address,
        /// Who the answer is about.
        found: Address,
    },
    /// More hops than there may be layers.
    #[error("{have} hops, at most {max} allowed")]
    TooManyHops {
        /// How many were named.
        have: usize,
        /// How many there may be.
        max: usize,
    },
    /// A route without a node, or with the same one twice.
    #[error("route is not usable: {0}")]
    Route(&'static str),
    /// Nodes of one route list no packet size in common.
    #[error("nodes on the way have no packet size in common")]
    NoCommonSize,
    /// Too large for the largest packet.
    #[error("{what} has {have} bytes, at most {max} fit into the largest packet")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        have: u64,
        /// What fits.
        max: u64,
    },
    /// A content would be cut into more parts than allowed.
    #[error("{bytes} bytes would need {parts} parts, at most {max} allowed")]
    TooManyParts {
        /// Size of the content.
        bytes: u64,
        /// Parts that it needs.
        parts: u64,
        /// Most parts of one content.
        max: u32,
    },
    /// A body of another length than the plan says, or a part that does not exist.
    #[error("part {index} does not fit the plan of the content")]
    Part {
        /// Which part.
        index: u32,
    },
    /// The joined content is not the one that was signed.
    #[error("joined content is not what was signed: {0}")]
    Broken(&'static str),
    /// A stored identity does not parse. The text never quotes it.
    #[error("stored identity is not readable: {0}")]
    Identity(&'static str),
    /// The challenge of a node is not one.
    #[error("challenge of the node is not one: {0}")]
    Challenge(&'static str),
    /// The certificate cannot be replaced now.
    #[error("certificate is not replaced: {0}")]
    Rotation(&'static str),
    /// The mail is not an OpenPGP message that its recipient could be found by.
    #[error("not a usable OpenPGP message: {0}")]
    Mail(&'static str),
    /// An amount of money is not one.
    #[error("'{0}' is not an amount in US dollars, such as 0.50")]
    Amount(String),
}

impl SdkError {
    /// What a node said, if it was a node that said no.
    #[must_use]
    pub const fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Refused(reason) | Self::RefusedOnTheWay { reason, .. } => Some(reason),
            _ => None,
        }
    }
}
