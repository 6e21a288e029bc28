//! What a node answers, once or as a stream. Always sealed under the reply key of the request.
//!
//! A record's content is one byte of type, then JSON ([`Answer`]) or a [`PushedPacket`].

use alloy_primitives::{B256, keccak256};
use bytes::{BufMut, Bytes, BytesMut};
use layer_minus_wallet::{Address, Wallet};
use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    channel::Channel,
    command::Position,
    error::{MessageError, Reason},
    json,
    lane::LaneNote,
    limits::{ANSWER_BYTES_MAX, DOCUMENT_BYTES_MAX},
    signed::{Proof, Purpose, SignedDocument, Signer},
    standing::{Standing, Statement},
    text,
};

const TYPE_JSON: u8 = 0;
const TYPE_PACKET: u8 = 1;
/// Bytes before the packet in a pushed record: type, generation, sequence number, time.
pub const PUSH_HEAD_BYTES: usize = 1 + 8 + 8 + 8;

/// What an acceptance says; its JSON text is what the node signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptanceBody {
    /// Random, 16 bytes.
    #[serde(with = "text::hex_array")]
    pub receipt: [u8; 16],
    /// SHA-256 of the message that was accepted.
    #[serde(with = "text::hex_array")]
    pub digest: [u8; 32],
    /// Unix seconds when it became durable.
    #[serde(with = "text::decimal")]
    pub accepted_at: u64,
    /// Unix seconds until which it is kept if nobody collects it.
    #[serde(with = "text::decimal")]
    pub kept_until: u64,
}

/// A node's signed word that mail is durable. It does not say for whom, nor from whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// JSON of an [`AcceptanceBody`].
    pub document: String,
    /// By the node's wallet.
    pub proof: Proof,
}

impl Acceptance {
    /// Signs an acceptance.
    ///
    /// # Errors
    /// [`MessageError::Wallet`] if the signer fails, which a local key does not.
    pub fn sign(
        node: &Wallet,
        network: &str,
        body: &AcceptanceBody,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, MessageError> {
        let document = json::write("acceptance", body, DOCUMENT_BYTES_MAX)?;
        let proof = Proof::sign(
            Signer::Wallet(node),
            network,
            Purpose::Acceptance,
            Address::ZERO,
            document.as_bytes(),
            body.accepted_at,
            rng,
        )?;
        Ok(Self { document, proof })
    }

    /// Checks that `node` signed it, and returns what it says.
    ///
    /// # Errors
    /// [`MessageError::WrongSigner`], [`MessageError::Wallet`], [`MessageError::Malformed`].
    pub fn verify(
        &self,
        network: &str,
        node: Address,
        now: u64,
    ) -> Result<AcceptanceBody, MessageError> {
        if self.proof.wallet != node {
            return Err(MessageError::WrongSigner {
                found: self.proof.wallet,
                expected: node,
            });
        }
        let content = self.document.as_bytes();
        self.proof
            .verify(network, Purpose::Acceptance, Address::ZERO, content, now)?;
        json::read("acceptance", content, DOCUMENT_BYTES_MAX)
    }

    /// The keccak-256 of what was signed: a name for it that cannot be altered.
    #[must_use]
    pub fn digest(&self) -> B256 {
        keccak256(self.document.as_bytes())
    }
}

/// The secret of a lane: it authenticates what one node forwards to another.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct LaneKey(#[serde(with = "text::hex_array")] pub [u8; 32]);

impl std::fmt::Debug for LaneKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LaneKey([scrubbed])")
    }
}

/// An answer or a control record of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant)] // one at a time, on its way into or out of JSON
pub enum Answer {
    /// Mail is durable.
    Accepted(Acceptance),
    /// Not done, and why.
    Refused(Reason),
    /// Open this and bring the nonce back in `confirm`.
    Challenge {
        /// An OpenPGP message sealed to the encryption key of the card; its literal begins with the
        /// 32-byte nonce.
        #[serde(with = "text::base64_bytes")]
        sealed: Vec<u8>,
    },
    /// Registration is complete.
    Registered(Standing),
    /// Account and mailbox.
    Status(Standing),
    /// A card.
    Card {
        /// As its owner signed it.
        card: SignedDocument,
    },
    /// Node records; more follow after the last one's address if `more`.
    Directory {
        /// As their nodes signed them.
        records: Vec<SignedDocument>,
        /// Whether there are more.
        more: bool,
    },
    /// Who has the key, if known.
    Has {
        /// The holder's record.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record: Option<SignedDocument>,
    },
    /// The authorization counts.
    Authorized(Standing),
    /// The authorization counts no more.
    Revoked(Standing),
    /// A page of the statement.
    Statement(Statement),
    /// No longer a client.
    #[serde(deserialize_with = "text::nothing")]
    Unregistered,
    /// The numbers were taken.
    #[serde(deserialize_with = "text::nothing")]
    Acknowledged,
    /// A lane is open; its key authenticates what is forwarded.
    LaneOpen {
        /// The lane's number.
        #[serde(with = "text::hex_array")]
        lane: [u8; 16],
        /// Shared secret for message authentication.
        key: LaneKey,
        /// Unix seconds until which it may be used.
        #[serde(with = "text::decimal")]
        expires_at: u64,
        /// What the lane is paid on.
        channel: Channel,
        /// Where it stands.
        note: LaneNote,
    },
    /// Where the signer's lane stands.
    Lane(LaneNote),
    /// First record of a stream.
    Listening {
        /// The mailbox as the consumer finds it.
        standing: Standing,
        /// Where the consumer stands.
        position: Position,
    },
    /// Packets that were dropped before this consumer had them.
    Gap {
        /// First number dropped.
        #[serde(with = "text::decimal")]
        from: u64,
        /// Last number dropped.
        #[serde(with = "text::decimal")]
        through: u64,
    },
    /// Delivery pauses because the authorization does not cover it; nothing is dropped before
    /// retention ends.
    Paused(Reason),
    /// Nothing happened; the connection lives.
    Heartbeat {
        /// The node's time, unix seconds.
        #[serde(with = "text::decimal")]
        node_time: u64,
    },
}

/// A packet on its way to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedPacket {
    /// Where it stands in the mailbox.
    pub position: Position,
    /// Unix seconds of acceptance.
    pub accepted_at: u64,
    /// The message, sealed to the client.
    pub message: Bytes,
}

/// Content of one sealed record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// An answer or control record.
    Answer(Box<Answer>),
    /// A packet.
    Packet(PushedPacket),
}

impl Content {
    /// The bytes that are sealed: type 0 and JSON, or type 1, generation, sequence number, time
    /// (`u64` each, big-endian) and the packet.
    ///
    /// # Errors
    /// [`MessageError::TooLarge`] if the JSON is over [`ANSWER_BYTES_MAX`].
    pub fn to_bytes(&self) -> Result<Bytes, MessageError> {
        match self {
            Self::Answer(answer) => {
                let text = json::write("answer", answer, ANSWER_BYTES_MAX)?;
                let mut bytes = BytesMut::with_capacity(1 + text.len());
                bytes.put_u8(TYPE_JSON);
                bytes.put_slice(text.as_bytes());
                Ok(bytes.freeze())
            }
            Self::Packet(packet) => {
                let mut bytes = BytesMut::with_capacity(PUSH_HEAD_BYTES + packet.message.len());
                bytes.put_u8(TYPE_PACKET);
                bytes.put_u64(packet.position.generation);
                bytes.put_u64(packet.position.seq);
                bytes.put_u64(packet.accepted_at);
                bytes.put_slice(&packet.message);
                Ok(bytes.freeze())
            }
        }
    }

    /// Reads what was sealed.
    ///
    /// # Errors
    /// [`MessageError::Short`], [`MessageError::TooLarge`], [`MessageError::Malformed`], or
    /// [`MessageError::Rule`] for an unknown type.
    pub fn read(bytes: &Bytes) -> Result<Self, MessageError> {
        match bytes.first() {
            Some(&TYPE_JSON) => {
                json::read("answer", &bytes[1..], ANSWER_BYTES_MAX).map(Self::Answer)
            }
            Some(&TYPE_PACKET) if bytes.len() >= PUSH_HEAD_BYTES => {
                let number = |at: usize| {
                    let mut buffer = [0; 8];
                    buffer.copy_from_slice(&bytes[at..at + 8]);
                    u64::from_be_bytes(buffer)
                };
                Ok(Self::Packet(PushedPacket {
                    position: Position {
                        generation: number(1),
                        seq: number(9),
                    },
                    accepted_at: number(17),
                    message: bytes.slice(PUSH_HEAD_BYTES..),
                }))
            }
            Some(_) => Err(MessageError::Rule(
                "record is of an unknown type or too short",
            )),
            None => Err(MessageError::Short { have: 0, need: 1 }),
        }
    }
}

impl From<Answer> for Content {
    fn from(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}
