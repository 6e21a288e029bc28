//! What can be wrong with what somebody said.

use layer_minus_wallet::{Address, WalletError};
use serde::{Deserialize, Serialize};

use crate::text;

/// Why a message of the protocol was not understood or not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// A length field points outside the bytes.
    #[error("frame is cut short: {have} bytes, {need} needed")]
    Short {
        /// Bytes there are.
        have: usize,
        /// Bytes needed.
        need: usize,
    },
    /// A part is larger than its limit.
    #[error("{what} has {have} bytes, at most {max} allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        have: usize,
        /// The limit.
        max: usize,
    },
    /// The JSON is not what it should be. The text names the place, never the content.
    #[error("malformed {what}: {detail}")]
    Malformed {
        /// What was read.
        what: &'static str,
        /// Line, column and what was expected.
        detail: String,
    },
    /// Another network's, or another version's.
    #[error("for network '{found}', this is '{expected}'")]
    WrongNetwork {
        /// The network named in the message.
        found: String,
        /// The network of the reader.
        expected: String,
    },
    /// A version of the protocol that this program does not speak.
    #[error("protocol version {0} is not spoken here")]
    WrongVersion(u16),
    /// Bytes after the body that are not zero.
    #[error("fill after the body is not zero")]
    Fill,
    /// Signed by somebody else than it says.
    #[error("signed by {found}, not by {expected}")]
    WrongSigner {
        /// The address recovered from the signature.
        found: Address,
        /// The address that should have signed.
        expected: Address,
    },
    /// Signed for somebody else.
    #[error("signed for {found}, this is {expected}")]
    WrongAudience {
        /// The address that it was signed for.
        found: Address,
        /// The reader's.
        expected: Address,
    },
    /// The body or document is not the one that was signed.
    #[error("digest of the {0} does not match what was signed")]
    WrongDigest(&'static str),
    /// Outside its time of validity.
    #[error("{what} is valid from {from} to {until}, it is {now}")]
    OutsideValidity {
        /// What is not valid.
        what: &'static str,
        /// First second of validity, unix time.
        from: u64,
        /// Last second of validity, unix time.
        until: u64,
        /// The reader's time.
        now: u64,
    },
    /// A rule about the content is broken.
    #[error("{0}")]
    Rule(&'static str),
    /// The certificate in it is not usable.
    #[error("certificate: {0}")]
    Certificate(#[from] layer_minus_seal::SealError),
    /// Wallet, delegation or signature is not acceptable.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl MessageError {
    pub(crate) fn json(what: &'static str, error: &serde_json::Error) -> Self {
        let category = match error.classify() {
            serde_json::error::Category::Io => "not readable",
            serde_json::error::Category::Syntax => "not JSON",
            serde_json::error::Category::Data => {
                "a field is missing, unknown, double or of the wrong type"
            }
            serde_json::error::Category::Eof => "ends early",
        };
        Self::Malformed {
            what,
            detail: format!(
                "{category} (line {}, column {})",
                error.line(),
                error.column()
            ),
        }
    }

    /// What the sender is told about it; `now` is the node's time.
    #[must_use]
    pub fn reason(&self, now: u64) -> Reason {
        match self {
            Self::WrongNetwork { .. } => Reason::WrongNetwork,
            Self::WrongAudience { .. } => Reason::WrongAudience,
            Self::OutsideValidity { .. } => Reason::StaleTime { node_time: now },
            Self::WrongSigner { .. } => Reason::BadSignature,
            Self::Wallet(error) => match error {
                WalletError::Lifetime { .. }
                | WalletError::NotYetValid { .. }
                | WalletError::Expired { .. }
                | WalletError::OutOfScope { .. }
                | WalletError::BadScope(_) => Reason::BadDelegation {
                    detail: error.to_string(),
                },
                _ => Reason::BadSignature,
            },
            _ => Reason::Malformed {
                detail: self.to_string(),
            },
        }
    }
}

/// Why a node refused, told to the sender inside the sealed answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Reason {
    /// The signature is not by the wallet or a device it delegated to.
    #[error("signature is not by the wallet that is named, or its device")]
    #[serde(deserialize_with = "text::nothing")]
    BadSignature,
    /// The device may not sign this in the wallet's name, or not any more.
    #[error("delegation of the device is not valid: {detail}")]
    BadDelegation {
        /// What is wrong with it.
        detail: String,
    },
    /// Meant for another node.
    #[error("signed for another node")]
    #[serde(deserialize_with = "text::nothing")]
    WrongAudience,
    /// Meant for another network.
    #[error("signed for another network")]
    #[serde(deserialize_with = "text::nothing")]
    WrongNetwork,
    /// The clock of the sender is off by more than the window.
    #[error("time is off: the node's clock says {node_time}")]
    StaleTime {
        /// The node's time, unix seconds.
        #[serde(with = "text::decimal")]
        node_time: u64,
    },
    /// The nonce was used before.
    #[error("nonce was used before")]
    #[serde(deserialize_with = "text::nothing")]
    ReplayedNonce,
    /// The authorization does not parse, is not signed by its payer or names somebody else.
    #[error("authorization is not valid: {detail}")]
    BadAuthorization {
        /// What is wrong with it.
        detail: String,
    },
    /// The authorization's time is over.
    #[error("authorization has expired")]
    #[serde(deserialize_with = "text::nothing")]
    AuthorizationExpired,
    /// The client took the authorization back. Sign one on a new channel.
    #[error("authorization was revoked")]
    #[serde(deserialize_with = "text::nothing")]
    Revoked,
    /// The authorized limit is under the node's minimum.
    #[error("authorization is too small: at least {minimum_pusd} p$ needed")]
    AuthorizationTooSmall {
        /// The node's minimum in picodollars.
        #[serde(with = "text::decimal")]
        minimum_pusd: u64,
    },
    /// The authorized limit is over what backs it.
    #[error("authorization is not backed: {granted_pusd} p$ stand behind it")]
    NotBacked {
        /// What the node granted and an escrow holds, in picodollars.
        #[serde(with = "text::decimal")]
        granted_pusd: u64,
    },
    /// The invite code is unknown or was used.
    #[error("invite code is unknown or was used")]
    #[serde(deserialize_with = "text::nothing")]
    BadInvite,
    /// What was authorized is used up.
    #[error("authorization is used up: {available_pusd} p$ left, {needed_pusd} p$ needed")]
    Exhausted {
        /// What is left, in picodollars.
        #[serde(with = "text::decimal")]
        available_pusd: u64,
        /// What this needs, in picodollars.
        #[serde(with = "text::decimal")]
        needed_pusd: u64,
    },
    /// The recipient cannot pay for it now. Told to senders, without figures.
    #[error("recipient's authorization does not cover it")]
    #[serde(deserialize_with = "text::nothing")]
    RecipientCannotPay,
    /// No client of this node has that key or address.
    #[error("no such client here")]
    #[serde(deserialize_with = "text::nothing")]
    UnknownClient,
    /// The sender is not a client of this node.
    #[error("not registered here")]
    #[serde(deserialize_with = "text::nothing")]
    NotRegistered,
    /// The mailbox has no room.
    #[error("mailbox is full")]
    #[serde(deserialize_with = "text::nothing")]
    MailboxFull,
    /// Mail without an inbox capability is over today's quota.
    #[error("quota for mail without an inbox capability is used up for today")]
    #[serde(deserialize_with = "text::nothing")]
    StrangersQuota,
    /// The challenge was not answered, or wrongly, or too late.
    #[error("possession of the encryption key was not proved")]
    #[serde(deserialize_with = "text::nothing")]
    PossessionNotProved,
    /// Somebody else proved possession of that key and holds it.
    #[error("encryption key belongs to another client")]
    #[serde(deserialize_with = "text::nothing")]
    KeyTaken,
    /// No way to the next node is known.
    #[error("no route to the next node")]
    #[serde(deserialize_with = "text::nothing")]
    NoRoute,
    /// The next node did not answer.
    #[error("next node did not answer")]
    #[serde(deserialize_with = "text::nothing")]
    NextHopDown,
    /// The node cannot take it now; try later.
    #[error("node is busy or out of space")]
    #[serde(deserialize_with = "text::nothing")]
    Unavailable,
    /// Over a limit of the node.
    #[error("over the node's limit: {limit}")]
    OverLimit {
        /// The limit's name.
        limit: String,
    },
    /// Not understood.
    #[error("not understood: {detail}")]
    Malformed {
        /// What was not understood.
        detail: String,
    },
}
