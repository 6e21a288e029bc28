//! What a client or another node asks of a node.

use layer_minus_delivery::{ConsumerId, Mode};
use layer_minus_packet::Fingerprint;
use layer_minus_wallet::Address;
use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};

use crate::{
    authorization::Authorization,
    card::Card,
    error::{MessageError, Reason},
    json,
    lane::LaneVoucher,
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
    pub mode: Mode,
}

/// Terms under which a client registers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
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

impl Registration {
    /// Checks the card: that it is `wallet`'s, of its certificate, and names the node `audience`.
    ///
    /// That may cost the verification of many OpenPGP signatures, for whoever asks, so it is done
    /// where a node opens packets and never where it writes.
    ///
    /// # Errors
    /// The [`Reason`] to tell the sender.
    pub fn check_card(
        &self,
        wallet: Address,
        network: &str,
        audience: Address,
        now: u64,
    ) -> Result<Card, Reason> {
        let card = Card::read(self.card.clone(), network, now).map_err(|error| match error {
            MessageError::WrongSigner { .. } => Reason::BadSignature,
            MessageError::WrongNetwork { .. } => Reason::WrongNetwork,
            other => Reason::Malformed {
                detail: other.to_string(),
            },
        })?;
        if card.body.wallet != wallet {
            return Err(Reason::BadSignature);
        }
        if card.body.node != audience {
            return Err(Reason::WrongAudience);
        }
        Ok(card)
    }
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration")
            .field("card", &self.card)
            .field("authorization", &self.authorization)
            .field(
                "invite",
                &self.invite.as_ref().map(|_| format_args!("[scrubbed]")),
            )
            .finish_non_exhaustive()
    }
}

/// A command. `Debug` shows its name only: others hold invite codes, challenges, openings.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
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
        #[serde(
            default,
            with = "text::decimal_opt",
            skip_serializing_if = "Option::is_none"
        )]
        through: Option<u64>,
        /// These single numbers.
        #[serde(
            default,
            with = "text::decimals",
            skip_serializing_if = "Vec::is_empty"
        )]
        seqs: Vec<u64>,
    },
    /// Balance, mailbox, limits.
    #[serde(deserialize_with = "text::nothing")]
    Status,
    /// The card of a client of this node. Needs no signature.
    Card {
        /// Whose.
        #[serde(with = "text::eip55")]
        wallet: Address,
    },
    /// The node records that this node knows; the first is its own. Needs no signature.
    Directory {
        /// Continue after this node's address.
        #[serde(
            default,
            with = "text::eip55_opt",
            skip_serializing_if = "Option::is_none"
        )]
        after: Option<Address>,
    },
    /// Which node holds this key? Needs no signature.
    WhoHas {
        /// 16 hex digits of a key ID or the whole fingerprint of an encryption key.
        key: String,
    },
    /// Replace the authorization by one with a higher limit or later expiry.
    Authorize(Box<Authorization>),
    /// Take the authorization back: from now on nothing is deducted beyond what is reserved or
    /// charged. Its channel takes no other.
    #[serde(deserialize_with = "text::nothing")]
    Revoke,
    /// The charges, a page at a time.
    Statement {
        /// Continue after this number; 0 for the beginning.
        #[serde(with = "text::decimal")]
        after: u64,
    },
    /// Stop being a client; waiting mail is dropped.
    #[serde(deserialize_with = "text::nothing")]
    Unregister,
    /// Open a lane: the signer is a node that forwards to this one.
    Lane {
        /// The node's record.
        record: SignedDocument,
        /// The newest voucher of this node that the signer holds. A node that lost what it had promised
        /// learns it from its own signature.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<LaneVoucher>,
    },
    /// Promise what is owed on the signer's lane.
    Collect {
        /// The newest voucher that the signer holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<LaneVoucher>,
        /// Whether the signer forwards nothing until more is promised or settled.
        stopped: bool,
    },
}

impl Command {
    /// Whether it must be signed.
    #[must_use]
    pub const fn needs_signature(&self) -> bool {
        !matches!(
            self,
            Self::Card { .. } | Self::Directory { .. } | Self::WhoHas { .. }
        )
    }

    /// The name by which JSON calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Register(_) => "register",
            Self::Confirm { .. } => "confirm",
            Self::Listen(_) => "listen",
            Self::Ack { .. } => "ack",
            Self::Status => "status",
            Self::Card { .. } => "card",
            Self::Directory { .. } => "directory",
            Self::WhoHas { .. } => "who-has",
            Self::Authorize(_) => "authorize",
            Self::Revoke => "revoke",
            Self::Statement { .. } => "statement",
            Self::Unregister => "unregister",
            Self::Lane { .. } => "lane",
            Self::Collect { .. } => "collect",
        }
    }
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Command({})", self.name())
    }
}

/// The body of a command frame: the command's exact JSON text and, where needed, its proof.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandEnvelope {
    /// JSON of a [`Command`].
    pub payload: String,
    /// Who says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

impl std::fmt::Debug for CommandEnvelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommandEnvelope")
            .field("payload", &format_args!("[scrubbed]"))
            .field("proof", &self.proof)
            .finish()
    }
}

/// A command whose signature was checked, or which needs none.
#[derive(Clone, Debug)]
pub struct VerifiedCommand {
    /// What is asked.
    pub command: Command,
    /// Who asks, and with which nonce; none for unsigned commands.
    pub signer: Option<CommandSigner>,
    /// The card of a registration, checked.
    pub card: Option<Box<Card>>,
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
    ///
    /// # Errors
    /// [`MessageError::TooLarge`] above [`COMMAND_BYTES_MAX`].
    pub fn unsigned(command: &Command) -> Result<Self, MessageError> {
        let payload = json::write("command", command, COMMAND_BYTES_MAX)?;
        Ok(Self {
            payload,
            proof: None,
        })
    }

    /// Signs a command for the node `audience`.
    ///
    /// # Errors
    /// [`MessageError::TooLarge`] above [`COMMAND_BYTES_MAX`].
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
        let proof = Proof::sign(
            signer,
            network,
            Purpose::Command,
            audience,
            content,
            now,
            rng,
        )?;
        envelope.proof = Some(proof);
        Ok(envelope)
    }

    /// The bytes that become a frame's body.
    ///
    /// # Errors
    /// [`MessageError::TooLarge`] above [`COMMAND_BYTES_MAX`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, MessageError> {
        json::write("command", self, COMMAND_BYTES_MAX).map(String::into_bytes)
    }

    /// Reads and checks a command that was sealed to `audience`, and the card of a registration. Whether its nonce was seen before
    /// is the caller's to know.
    ///
    /// # Errors
    /// The [`Reason`] to tell the sender: malformed, stale, for somebody else, not signed by whom
    /// it names, or by a device that may not.
    pub fn read(
        body: &[u8],
        network: &str,
        audience: Address,
        now: u64,
    ) -> Result<VerifiedCommand, Reason> {
        let reason = |error: MessageError| error.reason(now);
        let envelope: Self = json::read("command", body, COMMAND_BYTES_MAX).map_err(reason)?;
        let content = envelope.payload.as_bytes();
        let command: Command = json::read("command", content, COMMAND_BYTES_MAX).map_err(reason)?;
        let Some(proof) = envelope.proof else {
            if command.needs_signature() {
                return Err(Reason::BadSignature);
            }
            return Ok(VerifiedCommand {
                command,
                signer: None,
                card: None,
            });
        };
        if !proof.is_timely(now) {
            return Err(Reason::StaleTime { node_time: now });
        }
        proof
            .verify(network, Purpose::Command, audience, content, now)
            .map_err(reason)?;
        let signer = CommandSigner {
            wallet: proof.wallet,
            nonce: proof.nonce,
            time: proof.time,
        };
        let card = match &command {
            Command::Register(registration) => {
                let card = registration.check_card(proof.wallet, network, audience, now)?;
                Some(Box::new(card))
            }
            _ => None,
        };
        Ok(VerifiedCommand {
            command,
            signer: Some(signer),
            card,
        })
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
