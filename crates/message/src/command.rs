//! What a client or another node asks of a node.

use layer_minus_delivery::{ConsumerId, Mode};
use layer_minus_packet::Fingerprint;
use layer_minus_wallet::Address;
use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};

use crate::{
    authorization::Authorization,
    error::{MessageError, Reason},
    limits::COMMAND_BYTES_MAX,
    signed::{Proof, Purpose, SignedDocument, Signer},
    text,
};

/// Where a consumer stands: the store generation that gave the numbers, and the last one it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Changes when the node's store is restored from a backup.
    #[serde(with = "text::decimal")]
    pub generation: u64,
    /// Sequence number of the last packet that it has; 0 for none.
    #[serde(with = "text::decimal")]
    pub seq: u64,
}

/// Asks for the stream of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Which consumer of the mailbox this is: 32 hex digits, made by the client.
    #[serde(with = "text::display")]
    pub consumer: ConsumerId,
    /// Every consumer gets each packet, or its connections share them.
    #[serde(with = "text::display")]
    pub mode: Mode,
}

/// Terms under which a client registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The client's card: wallet, certificate, this node.
    pub card: SignedDocument,
    /// What the node may deduct.
    pub authorization: Authorization,
    /// A one-time code that brings a grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<String>,
    /// SHA-256 of the inbox capability.
    #[serde(with = "text::hex_array")]
    pub inbox_digest: [u8; 32],
    /// Bytes a day that mail without the capability may take.
    #[serde(with = "text::decimal")]
    pub strangers_bytes_per_day: u64,
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Command {
    /// Become a client, or renew card and terms. Answered by a challenge.
    Register(Box<Registration>),
    /// Brings back the nonce that the challenge sealed; may turn into the stream.
    Confirm {
        /// What was sealed.
        #[serde(with = "text::hex_array")]
        challenge: [u8; 32],
        /// If present, the answer continues as the stream.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        listen: Option<Listen>,
    },
    /// Open the stream.
    Listen(Listen),
    /// Packets are safe at the client.
    Ack {
        /// The consumer that has them.
        #[serde(with = "text::display")]
        consumer: ConsumerId,
        /// The store generation of the numbers.
        #[serde(with = "text::decimal")]
        generation: u64,
        /// Everything up to this number, for consumers in `each` mode.
        #[serde(default, with = "text::decimal_opt", skip_serializing_if = "Option::is_none")]
        through: Option<u64>,
        /// These single numbers.
        #[serde(default, with = "text::decimals", skip_serializing_if = "Vec::is_empty")]
        seqs: Vec<u64>,
    },
    /// Balance, mailbox, limits.
    Status,
    /// The card of a client of this node. Needs no signature.
    Card {
        /// Whose.
        wallet: Address,
    },
    /// The node records that this node knows; the first is its own. Needs no signature.
    Directory {
        /// Continue after this node's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Address>,
    },
    /// Which node holds this key? Needs no signature.
    WhoHas {
        /// 16 hex digits of a key ID or the whole fingerprint of an encryption key.
        key: String,
    },
    /// Replace the authorization by one with a higher limit or later expiry.
    Authorize(Box<Authorization>),
    /// Stop being a client; waiting mail is dropped.
    Unregister,
    /// Open a lane: the signer is a node that forwards to this one.
    Lane {
        /// The node's record.
        record: SignedDocument,
    },
}

impl Command {
    /// Whether it must be signed.
    #[must_use]
    pub const fn needs_signature(&self) -> bool {
        !matches!(self, Self::Card { .. } | Self::Directory { .. } | Self::WhoHas { .. })
    }
}

/// The body of a command frame: the command's exact JSON text and, where needed, its proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandEnvelope {
    /// JSON of a [`Command`].
    pub payload: String,
    /// Who says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

/// A command whose signature was checked, or which needs none.
#[derive(Clone, Debug)]
pub struct VerifiedCommand {
    /// What is asked.
    pub command: Command,
    /// Who asks, and with which nonce; none for unsigned commands.
    pub signer: Option<CommandSigner>,
}

/// The signer of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandSigner {
    /// The wallet in whose name it was signed.
    pub wallet: Address,
    /// To be remembered for the time window.
    pub nonce: [u8; 16],
    /// Unix seconds of signing.
    pub time: u64,
}

impl CommandEnvelope {
    /// An unsigned command.
    pub fn unsigned(command: &Command) -> Result<Self, MessageError> {
        let payload =
            serde_json::to_string(command).map_err(|e| MessageError::json("command", &e))?;
        Ok(Self { payload, proof: None })
    }

    /// Signs a command for the node `audience`.
    pub fn sign(
        signer: Signer<'_>,
        network: &str,
        audience: Address,
        command: &Command,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, MessageError> {
        let mut envelope = Self::unsigned(command)?;
        let content = envelope.payload.as_bytes();
        let proof = Proof::sign(signer, network, Purpose::Command, audience, content, now, rng)?;
        envelope.proof = Some(proof);
        Ok(envelope)
    }

    /// The bytes that become a frame's body.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MessageError> {
        let bytes = serde_json::to_vec(self).map_err(|e| MessageError::json("command", &e))?;
        if bytes.len() > COMMAND_BYTES_MAX {
            return Err(MessageError::TooLarge {
                what: "command",
                have: bytes.len(),
                max: COMMAND_BYTES_MAX,
            });
        }
        Ok(bytes)
    }

    /// Reads and checks a command that was sealed to `audience`. The reason is for the sender.
    pub fn read(
        body: &[u8],
        network: &str,
        audience: Address,
        now: u64,
    ) -> Result<VerifiedCommand, Reason> {
        let malformed = |error: &serde_json::Error| Reason::Malformed {
            detail: MessageError::json("command", error).to_string(),
        };
        if body.len() > COMMAND_BYTES_MAX {
            return Err(Reason::Malformed { detail: "command is too large".to_owned() });
        }
        let envelope: Self = serde_json::from_slice(body).map_err(|e| malformed(&e))?;
        let command: Command =
            serde_json::from_str(&envelope.payload).map_err(|e| malformed(&e))?;
        let Some(proof) = envelope.proof else {
            if command.needs_signature() {
                return Err(Reason::BadSignature);
            }
            return Ok(VerifiedCommand { command, signer: None });
        };
        if !proof.is_timely(now) {
            return Err(Reason::StaleTime { node_time: now });
        }
        let content = envelope.payload.as_bytes();
        proof
            .verify(network, Purpose::Command, audience, content, now)
            .map_err(|_| Reason::BadSignature)?;
        let signer = CommandSigner { wallet: proof.wallet, nonce: proof.nonce, time: proof.time };
        Ok(VerifiedCommand { command, signer: Some(signer) })
    }
}

/// Text form of the key that `who-has` asks for.
#[must_use]
pub fn key_text(key: &layer_minus_packet::Recipient) -> String {
    key.to_string()
}

/// Reads the key that `who-has` asks for: 16 hex digits or a whole fingerprint.
pub fn parse_key(text: &str) -> Result<layer_minus_packet::Recipient, MessageError> {
    const SHAPE: MessageError = MessageError::Rule("key is not 16, 40 or 64 hex digits");
    if text.len() == 16 {
        let key_id = text.parse().map_err(|_| SHAPE)?;
        return Ok(layer_minus_packet::Recipient::KeyId(key_id));
    }
    let fingerprint: Fingerprint = text.parse().map_err(|_| SHAPE)?;
    Ok(layer_minus_packet::Recipient::Fingerprint(fingerprint))
}
