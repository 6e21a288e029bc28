//! Content of any size, cut into letters.

use std::ops::Range;

use bytes::Bytes;
use layer_minus_message::{
    Claims, FullCard, Letter, Part,
    letter::sha256,
    limits::{FILE_NAME_BYTES_MAX, LETTER_HEAD_BYTES_MAX, PARTS_MAX, PROTOCOL_VERSION},
    text,
};
use layer_minus_packet::Sizes;
use layer_minus_seal::LAYER_OVERHEAD_MAX;
use layer_minus_wallet::Address;
use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};

use crate::{error::SdkError, identity::Identity};

/// Media type of what people type.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// Media type of a file of which nothing else is known.
pub const BYTES: &str = "application/octet-stream";

/// Bytes of content that a letter in the network's largest packet holds, whatever its head.
#[must_use]
pub const fn part_bytes(sizes: &Sizes) -> u64 {
    let room = Sizes::innermost(sizes.largest());
    room.saturating_sub(LAYER_OVERHEAD_MAX + 4 + LETTER_HEAD_BYTES_MAX) as u64
}

/// What is sent, before it is cut: everything but the bytes. It can be stored, so that sending goes
/// on after a break with the same id and the same parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Random; people see each id once.
    #[serde(with = "text::hex_array")]
    pub id: [u8; 16],
    /// To whom.
    #[serde(with = "text::eip55")]
    pub to: Address,
    /// Unix seconds.
    #[serde(with = "text::decimal")]
    pub sent_at: u64,
    /// A media type.
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
    /// Size of the whole.
    #[serde(with = "text::decimal")]
    pub total_bytes: u64,
    /// SHA-256 of the whole.
    #[serde(with = "text::hex_array")]
    pub digest: [u8; 32],
    /// Size of every part but the last.
    #[serde(with = "text::decimal")]
    pub part_bytes: u64,
}

impl Plan {
    /// A plan for a text or other content that is at hand.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn of(
        to: Address,
        content_type: &str,
        content: &[u8],
        sizes: &Sizes,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, SdkError> {
        Self::new(
            to,
            content_type,
            content.len() as u64,
            sha256(content),
            sizes,
            now,
            rng,
        )
    }

    /// A plan for content of which size and SHA-256 are known.
    ///
    /// # Errors
    /// [`SdkError::TooManyParts`].
    pub fn new(
        to: Address,
        content_type: &str,
        total_bytes: u64,
        digest: [u8; 32],
        sizes: &Sizes,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, SdkError> {
        let part_bytes = part_bytes(sizes).max(1);
        let parts = total_bytes.div_ceil(part_bytes);
        if parts > u64::from(PARTS_MAX) {
            return Err(SdkError::TooManyParts {
                bytes: total_bytes,
                parts,
                max: PARTS_MAX,
            });
        }
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        Ok(Self {
            id,
            to,
            sent_at: now,
            content_type: content_type.to_owned(),
            name: None,
            in_reply_to: None,
            total_bytes,
            digest,
            part_bytes,
        })
    }

    /// Names the file that it is: without the folders that the name may have and without control
    /// characters, at most [`FILE_NAME_BYTES_MAX`] bytes. A name of nothing but these is left out.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let base: String = base.chars().filter(|c| !c.is_control()).collect();
        let base = &base[..base.floor_char_boundary(FILE_NAME_BYTES_MAX)];
        self.name = (!matches!(base, "" | "." | "..")).then(|| base.to_owned());
        self
    }

    /// Says which letter this one answers.
    #[must_use]
    pub const fn answering(mut self, id: [u8; 16]) -> Self {
        self.in_reply_to = Some(id);
        self
    }

    /// How many letters it takes: at least one, even for nothing.
    #[must_use]
    pub fn parts(&self) -> u32 {
        let parts = self.total_bytes.div_ceil(self.part_bytes.max(1)).max(1);
        u32::try_from(parts).unwrap_or(u32::MAX)
    }

    /// Which bytes of the whole a part holds.
    #[must_use]
    pub fn range(&self, index: u32) -> Range<u64> {
        let start = u64::from(index)
            .saturating_mul(self.part_bytes)
            .min(self.total_bytes);
        start..start.saturating_add(self.part_bytes).min(self.total_bytes)
    }

    /// The letter of one part, to be signed. `body` is what [`Plan::range`] says.
    ///
    /// # Errors
    /// [`SdkError::Part`] if there is no such part or its body has another length.
    pub fn letter(
        &self,
        from: &Identity,
        index: u32,
        body: Bytes,
        card: Option<FullCard>,
    ) -> Result<Letter, SdkError> {
        let range = self.range(index);
        if index >= self.parts() || body.len() as u64 != range.end - range.start {
            return Err(SdkError::Part { index });
        }
        let claims = Claims {
            version: PROTOCOL_VERSION,
            network: from.network.clone(),
            from: from.address(),
            to: self.to,
            id: self.id,
            sent_at: self.sent_at,
            content_type: self.content_type.clone(),
            name: self.name.clone(),
            in_reply_to: self.in_reply_to,
            part: Part {
                index,
                count: self.parts(),
                offset: range.start,
                total_bytes: self.total_bytes,
                digest: self.digest,
            },
            body_digest: sha256(&body),
        };
        Ok(Letter { claims, card, body })
    }
}
