//! Letters: what people write to each other, inside a message that only the recipient opens.
//!
//! The literal holds: head length (`u32`, big-endian), JSON head, body, zero fill. The head's `claims`
//! are the exact text that is signed, and include the recipient and the digest of the body.

use bytes::{BufMut, Bytes, BytesMut};
use layer_minus_wallet::Address;
use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};

use crate::{
    card::{FullCard, check_network},
    error::MessageError,
    frame::{split_head, take_body},
    json,
    limits::{
        CLOCK_WINDOW_SECS, CONTENT_TYPE_BYTES_MAX, FILE_NAME_BYTES_MAX, LETTER_HEAD_BYTES_MAX,
        OUTBOX_SECS_MAX, PARTS_MAX, PROTOCOL_VERSION,
    },
    signed::{Proof, Purpose, Signer},
    text,
};

/// Which piece of a larger content this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// From 0.
    pub index: u32,
    /// How many there are.
    pub count: u32,
    /// Where this one begins in the whole, bytes.
    #[serde(with = "text::decimal")]
    pub offset: u64,
    /// Size of the whole, bytes.
    #[serde(with = "text::decimal")]
    pub total_bytes: u64,
    /// SHA-256 of the whole.
    #[serde(with = "text::hex_array")]
    pub digest: [u8; 32],
}

/// What a letter is, and what the sender signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Protocol version.
    pub version: u16,
    /// The network it is for.
    pub network: String,
    /// The sender's wallet.
    #[serde(with = "text::eip55")]
    pub from: Address,
    /// The recipient's wallet.
    #[serde(with = "text::eip55")]
    pub to: Address,
    /// Random; every part of one content has the same. People see each id once.
    #[serde(with = "text::hex_array")]
    pub id: [u8; 16],
    /// Unix seconds.
    #[serde(with = "text::decimal")]
    pub sent_at: u64,
    /// A media type. `text/plain` is shown; `application/vnd.layer-minus.*` is the protocol's own.
    pub content_type: String,
    /// A file name without folders, if it is a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The letter that this one answers.
    #[serde(
        default,
        with = "text::hex_array_opt",
        skip_serializing_if = "Option::is_none"
    )]
    pub in_reply_to: Option<[u8; 16]>,
    /// Which piece this is.
    pub part: Part,
    /// SHA-256 of this piece.
    #[serde(with = "text::hex_array")]
    pub body_digest: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    claims: String,
    proof: Proof,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    card: Option<FullCard>,
    body_bytes: u32,
}

/// A checked letter, or one about to be sealed.
#[derive(Clone)]
pub struct Letter {
    /// What it is.
    pub claims: Claims,
    /// The sender's card, so that a stranger can be answered.
    pub card: Option<FullCard>,
    /// This piece.
    pub body: Bytes,
}

impl std::fmt::Debug for Letter {
    /// Without what was written.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Letter")
            .field("claims", &self.claims)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// SHA-256, as letters and acceptances name content.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    digest
}

impl Letter {
    /// Signs the letter and writes the bytes before the body; the body and zero fill follow.
    ///
    /// # Errors
    /// If a reader would refuse it: part, name, content type, length of the head.
    pub fn sign(
        &self,
        signer: Signer<'_>,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Bytes, MessageError> {
        check_claims(&self.claims, self.body.len())?;
        let claims = json::write("letter", &self.claims, LETTER_HEAD_BYTES_MAX)?;
        let proof = Proof::sign(
            signer,
            &self.claims.network,
            Purpose::Letter,
            self.claims.to,
            claims.as_bytes(),
            now,
            rng,
        )?;
        let head = Head {
            claims,
            proof,
            card: self.card.clone(),
            body_bytes: u32::try_from(self.body.len()).unwrap_or(u32::MAX),
        };
        let json = json::write("letter head", &head, LETTER_HEAD_BYTES_MAX)?;
        let mut bytes = BytesMut::with_capacity(4 + json.len());
        bytes.put_u32(u32::try_from(json.len()).unwrap_or(u32::MAX));
        bytes.put_slice(json.as_bytes());
        Ok(bytes.freeze())
    }

    /// Reads and checks the literal of an opened message that was sealed to `recipient`.
    ///
    /// The signature may be older than any window: letters wait in mailboxes. Replays are told by
    /// `id` and part. `accepted_at` is when the recipient's node took it, unix seconds: the time of
    /// signing is the signer's to choose. So a delegation must have been valid at that time, and at
    /// `accepted_at` have expired [`OUTBOX_SECS_MAX`] ago at most; and nothing comes from the future.
    ///
    /// # Errors
    /// [`MessageError`] of nearly every kind; nothing of a letter that is refused is to be shown.
    pub fn read(
        literal: &Bytes,
        network: &str,
        recipient: Address,
        accepted_at: u64,
    ) -> Result<Self, MessageError> {
        let (json, rest) = split_head(literal, "letter head", LETTER_HEAD_BYTES_MAX)?;
        let head: Head = json::read("letter head", &json, LETTER_HEAD_BYTES_MAX)?;
        let claims: Claims = json::read("letter", head.claims.as_bytes(), LETTER_HEAD_BYTES_MAX)?;
        if claims.version != PROTOCOL_VERSION {
            return Err(MessageError::WrongVersion(claims.version));
        }
        check_network(&claims.network, network)?;
        if claims.to != recipient {
            return Err(MessageError::WrongAudience {
                found: claims.to,
                expected: recipient,
            });
        }
        if claims.from != head.proof.wallet {
            return Err(MessageError::WrongSigner {
                found: head.proof.wallet,
                expected: claims.from,
            });
        }
        let signed_at = head.proof.time;
        head.proof.verify(
            network,
            Purpose::Letter,
            recipient,
            head.claims.as_bytes(),
            signed_at,
        )?;
        check_times(&claims, &head.proof, accepted_at)?;
        let body = take_body(&rest, head.body_bytes)?;
        if sha256(&body) != claims.body_digest {
            return Err(MessageError::WrongDigest("letter's body"));
        }
        check_claims(&claims, body.len())?;
        Ok(Self {
            claims,
            card: head.card,
            body,
        })
    }
}

fn check_times(claims: &Claims, proof: &Proof, accepted_at: u64) -> Result<(), MessageError> {
    if proof.time > accepted_at.saturating_add(CLOCK_WINDOW_SECS) {
        return Err(MessageError::Rule("letter was signed after it was sent"));
    }
    if claims.sent_at > proof.time.saturating_add(CLOCK_WINDOW_SECS) {
        return Err(MessageError::Rule("letter is dated after it was signed"));
    }
    if let Some(device) = &proof.device
        && device.expires_at <= accepted_at.saturating_sub(OUTBOX_SECS_MAX)
    {
        return Err(MessageError::Rule(
            "device that signed the letter had no delegation any more",
        ));
    }
    Ok(())
}

fn check_claims(claims: &Claims, body_bytes: usize) -> Result<(), MessageError> {
    let part = &claims.part;
    let end = part.offset.checked_add(body_bytes as u64);
    let inside = end.is_some_and(|end| end <= part.total_bytes);
    if part.count == 0 || part.count > PARTS_MAX || part.index >= part.count || !inside {
        return Err(MessageError::Rule("part lies outside the whole"));
    }
    if !claims.name.as_deref().is_none_or(is_file_name) {
        return Err(MessageError::Rule(
            "name is not a plain file name of 1 to 255 bytes",
        ));
    }
    let media = claims.content_type.as_bytes();
    let printable = media.iter().all(|byte| matches!(byte, b' '..=b'~'));
    if media.is_empty() || media.len() > CONTENT_TYPE_BYTES_MAX || !printable {
        return Err(MessageError::Rule(
            "content type is not 1 to 127 printable characters",
        ));
    }
    Ok(())
}

/// Whether a name is safe to make a file of: a stranger chose it.
fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name.len() <= FILE_NAME_BYTES_MAX
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control)
}
