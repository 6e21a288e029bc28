//! What nodes owe each other for what they carry: the channel of a lane, vouchers on it, and the note
//! that comes with every answer on a lane.
//!
//! The node that opens a lane and forwards on it is the *creditor*, the node that it forwards to the
//! *debtor*. The debtor credits each pass that a client paid, and promises what it owes by cumulative
//! vouchers signed with its wallet.

use alloy_primitives::{B256, keccak256};
use layer_minus_wallet::{Address, Signature, Wallet};
use serde::{Deserialize, Serialize};

use crate::{
    Chain, Channel, NodeRecord,
    error::MessageError,
    json,
    limits::{LANE_NOTE_BYTES_MAX, LANE_WITHDRAW_DELAY_SECS},
    text,
};

const SALT_LABEL: &[u8] = b"layer-minus lane v1";

/// One side of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneParty {
    /// The node's wallet: its name.
    pub node: Address,
    /// The wallet that pays or is paid.
    pub cash: Address,
}

impl From<&NodeRecord> for LaneParty {
    fn from(record: &NodeRecord) -> Self {
        Self {
            node: record.body.node,
            cash: record.body.cash,
        }
    }
}

/// The channel on which `debtor` pays `creditor` for what it forwards: from cash wallet to cash wallet,
/// with the debtor's node wallet as the hand that signs. The same two nodes always have the same one.
#[must_use]
pub fn lane_channel(chain: Chain, debtor: LaneParty, creditor: LaneParty) -> Channel {
    let mut salt = SALT_LABEL.to_vec();
    salt.extend_from_slice(debtor.node.as_slice());
    salt.extend_from_slice(creditor.node.as_slice());
    Channel {
        chain,
        payer: debtor.cash,
        payer_authorizer: debtor.node,
        receiver: creditor.cash,
        receiver_authorizer: creditor.cash,
        withdraw_delay_secs: LANE_WITHDRAW_DELAY_SECS,
        salt: keccak256(salt).0,
    }
}

/// The debtor's promise: so much in all on that channel, whatever was promised or claimed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneVoucher {
    /// The channel's id.
    #[serde(with = "text::hex_array")]
    pub channel: [u8; 32],
    /// The total, in token units (10^6 p$).
    #[serde(with = "text::decimal")]
    pub units: u64,
    /// By the debtor's node wallet.
    pub signature: Signature,
}

impl LaneVoucher {
    /// Signs a promise.
    ///
    /// # Errors
    /// As [`Channel::sign`].
    pub fn sign(channel: &Channel, debtor: &Wallet, units: u64) -> Result<Self, MessageError> {
        Ok(Self {
            channel: channel.id()?.0,
            units,
            signature: channel.sign(debtor, units)?,
        })
    }

    /// Checks that it is a promise on `channel`.
    ///
    /// # Errors
    /// [`MessageError::Rule`] for another channel; as [`Channel::verify`].
    pub fn verify(&self, channel: &Channel) -> Result<(), MessageError> {
        if B256::from(self.channel) != channel.id()? {
            return Err(MessageError::Rule("voucher is for another channel"));
        }
        channel.verify(self.units, &self.signature)
    }
}

/// Where a lane stands, told by the debtor with every answer. Totals, so that one that is lost is made up
/// for by the next, and one that comes late changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneNote {
    /// Credited to the forwarder so far, picodollars.
    #[serde(with = "text::decimal")]
    pub credited_pusd: u64,
    /// The newest voucher, unless the creditor said that it holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher: Option<LaneVoucher>,
}

impl LaneNote {
    /// Its JSON.
    ///
    /// # Errors
    /// [`MessageError::TooLarge`] above [`LANE_NOTE_BYTES_MAX`], which no note is.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MessageError> {
        json::write("lane note", self, LANE_NOTE_BYTES_MAX).map(String::into_bytes)
    }

    /// Reads a note. Whether its voucher is good is for [`LaneVoucher::verify`].
    ///
    /// # Errors
    /// [`MessageError::TooLarge`], [`MessageError::Malformed`].
    pub fn read(bytes: &[u8]) -> Result<Self, MessageError> {
        json::read("lane note", bytes, LANE_NOTE_BYTES_MAX)
    }
}
