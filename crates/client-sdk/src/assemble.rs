//! Parts of larger contents: which ones are here, which are missing, and joining them.
//!
//! The assembler keeps count and never holds the bytes: a shell stores each part when it is told
//! to, and feeds all of them to a [`Join`] when the last one came. What it knows can be stored at
//! any time, so that a transfer goes on after a break.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use layer_minus_message::{Letter, text};
use serde::{Deserialize, Serialize};

use crate::error::SdkError;

/// Seconds after which an unfinished transfer may be forgotten: 30 days without a new part.
pub const UNFINISHED_SECS_MAX: u64 = 30 * 86_400;
/// What a part counts at least, bytes, so that many empty ones are not free.
const PART_BYTES_FLOOR: u64 = 1_024;

/// How much may be unfinished. A transfer counts with the size that it announces, so that one that
/// would not fit is refused with its first part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Bytes of all unfinished transfers of one sender.
    pub sender_bytes_max: u64,
    /// Unfinished transfers of one sender.
    pub sender_transfers_max: usize,
    /// Unfinished transfers of all senders.
    pub transfers_max: usize,
}

impl Caps {
    /// For somebody who is not among the contacts: 64 MB.
    pub const STRANGER: Self = Self {
        sender_bytes_max: 64_000_000,
        sender_transfers_max: 8,
        transfers_max: 1_024,
    };
    /// For a contact: 1 TB, which is to say the disk.
    pub const CONTACT: Self = Self {
        sender_bytes_max: 1_000_000_000_000,
        sender_transfers_max: 64,
        transfers_max: 4_096,
    };
}

/// A content of which parts are here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Who sends it.
    #[serde(with = "text::eip55")]
    pub from: Address,
    /// Its id.
    #[serde(with = "text::hex_array")]
    pub id: [u8; 16],
    /// When it was sent, unix seconds.
    #[serde(with = "text::decimal")]
    pub sent_at: u64,
    /// Its media type.
    pub content_type: String,
    /// The file name that the sender gave; trust it with nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The letter that it answers.
    #[serde(
        default,
        with = "text::hex_array_opt",
        skip_serializing_if = "Option::is_none"
    )]
    pub in_reply_to: Option<[u8; 16]>,
    /// How many parts there are.
    pub count: u32,
    /// Size of the whole, bytes.
    #[serde(with = "text::decimal")]
    pub total_bytes: u64,
    /// SHA-256 of the whole.
    #[serde(with = "text::hex_array")]
    pub digest: [u8; 32],
    /// Bytes of the parts that are here.
    #[serde(with = "text::decimal")]
    pub held_bytes: u64,
    /// When the last part came, unix seconds.
    #[serde(with = "text::decimal")]
    pub touched_at: u64,
    /// The parts that are here, as ranges: first to last. In order, never touching.
    held: BTreeMap<u32, u32>,
}

impl Transfer {
    fn begin(letter: &Letter, now: u64) -> Self {
        let claims = &letter.claims;
        Self {
            from: claims.from,
            id: claims.id,
            sent_at: claims.sent_at,
            content_type: claims.content_type.clone(),
            name: claims.name.clone(),
            in_reply_to: claims.in_reply_to,
            count: claims.part.count,
            total_bytes: claims.part.total_bytes,
            digest: claims.part.digest,
            held_bytes: 0,
            touched_at: now,
            held: BTreeMap::new(),
        }
    }

    /// How many parts are here.
    #[must_use]
    pub fn have(&self) -> u32 {
        self.held.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Whether a part is here.
    #[must_use]
    pub fn has(&self, index: u32) -> bool {
        self.held
            .range(..=index)
            .next_back()
            .is_some_and(|(_, last)| *last >= index)
    }

    /// Whether all parts are here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.held
            .first_key_value()
            .is_some_and(|(first, last)| *first == 0 && last + 1 == self.count)
    }

    fn agrees(&self, letter: &Letter) -> bool {
        let part = &letter.claims.part;
        part.count == self.count
            && part.total_bytes == self.total_bytes
            && part.digest == self.digest
            && letter.claims.content_type == self.content_type
            && letter.claims.name == self.name
    }

    fn insert(&mut self, index: u32) {
        let (mut first, mut last) = (index, index);
        if let Some((&begin, &end)) = self.held.range(..index).next_back()
            && end + 1 == index
        {
            first = begin;
        }
        if let Some(end) = index
            .checked_add(1)
            .and_then(|next| self.held.remove(&next))
        {
            last = end;
        }
        self.held.insert(first, last);
    }

    fn weight(&self) -> u64 {
        self.total_bytes
            .max(u64::from(self.count).saturating_mul(PART_BYTES_FLOOR))
    }
}

/// Why a letter was not taken. It never will be: acknowledge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unwanted {
    /// It says something else about the whole than its earlier parts.
    #[error("part contradicts earlier parts of the same content")]
    Contradiction,
    /// The whole is not what its size and digest say.
    #[error("content is not what its sender signed")]
    Broken,
    /// The sender has more unfinished than it may.
    #[error("sender would have {needed} unfinished bytes, {max} are allowed")]
    TooMuch {
        /// What there would be.
        needed: u64,
        /// What there may be.
        max: u64,
    },
    /// Too many unfinished transfers.
    #[error("{max} unfinished transfers are as many as allowed")]
    TooMany {
        /// What there may be.
        max: usize,
    },
}

/// What to do with a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is the whole content.
    Whole,
    /// Store its body as that part; more are missing.
    Part {
        /// How many are here now.
        have: u32,
        /// How many there are.
        count: u32,
    },
    /// Store its body as that part; all are here. Join them.
    Complete(Box<Transfer>),
    /// It is here already.
    Duplicate,
    /// Not taken.
    Refused(Unwanted),
}

/// The transfers that are not finished.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Transfer>", into = "Vec<Transfer>")]
pub struct Assembler {
    transfers: BTreeMap<(Address, [u8; 16]), Transfer>,
}

impl From<Vec<Transfer>> for Assembler {
    fn from(transfers: Vec<Transfer>) -> Self {
        let keyed = transfers
            .into_iter()
            .map(|transfer| ((transfer.from, transfer.id), transfer));
        Self {
            transfers: keyed.collect(),
        }
    }
}

impl From<Assembler> for Vec<Transfer> {
    fn from(assembler: Assembler) -> Self {
        assembler.transfers.into_values().collect()
    }
}

impl Assembler {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The transfers that are not finished.
    pub fn transfers(&self) -> impl Iterator<Item = &Transfer> {
        self.transfers.values()
    }

    /// One of them.
    #[must_use]
    pub fn transfer(&self, from: Address, id: [u8; 16]) -> Option<&Transfer> {
        self.transfers.get(&(from, id))
    }

    /// Takes a checked letter, and says what to do with it.
    pub fn take(&mut self, letter: &Letter, caps: &Caps, now: u64) -> Outcome {
        let part = &letter.claims.part;
        if part.count == 1 {
            let whole = part.total_bytes == letter.body.len() as u64
                && part.digest == letter.claims.body_digest;
            return if whole {
                Outcome::Whole
            } else {
                Outcome::Refused(Unwanted::Broken)
            };
        }
        let key = (letter.claims.from, letter.claims.id);
        if !self.transfers.contains_key(&key) {
            let transfer = Transfer::begin(letter, now);
            if let Err(unwanted) = self.check_caps(&transfer, caps) {
                return Outcome::Refused(unwanted);
            }
            self.transfers.insert(key, transfer);
        }
        let Some(transfer) = self.transfers.get_mut(&key) else {
            return Outcome::Refused(Unwanted::Contradiction);
        };
        if !transfer.agrees(letter) {
            return Outcome::Refused(Unwanted::Contradiction);
        }
        if transfer.has(part.index) {
            return Outcome::Duplicate;
        }
        let held_bytes = transfer.held_bytes.saturating_add(letter.body.len() as u64);
        if held_bytes > transfer.total_bytes {
            return Outcome::Refused(Unwanted::Broken);
        }
        transfer.held_bytes = held_bytes;
        transfer.touched_at = now;
        transfer.insert(part.index);
        if !transfer.is_complete() {
            return Outcome::Part {
                have: transfer.have(),
                count: transfer.count,
            };
        }
        match self.transfers.remove(&key) {
            Some(whole) if whole.held_bytes == whole.total_bytes => {
                Outcome::Complete(Box::new(whole))
            }
            _ => Outcome::Refused(Unwanted::Broken),
        }
    }

    fn check_caps(&self, transfer: &Transfer, caps: &Caps) -> Result<(), Unwanted> {
        if self.transfers.len() >= caps.transfers_max {
            return Err(Unwanted::TooMany {
                max: caps.transfers_max,
            });
        }
        let of_sender = self
            .transfers
            .range((transfer.from, [0; 16])..=(transfer.from, [0xff; 16]))
            .map(|(_, other)| other);
        let (count, bytes) = of_sender.fold((0_usize, 0_u64), |(n, bytes), t| {
            (n + 1, bytes.saturating_add(t.weight()))
        });
        if count >= caps.sender_transfers_max {
            return Err(Unwanted::TooMany {
                max: caps.sender_transfers_max,
            });
        }
        let needed = bytes.saturating_add(transfer.weight());
        if needed > caps.sender_bytes_max {
            return Err(Unwanted::TooMuch {
                needed,
                max: caps.sender_bytes_max,
            });
        }
        Ok(())
    }

    /// Takes out the transfers to which nothing came for [`UNFINISHED_SECS_MAX`]; their parts can be
    /// deleted.
    pub fn expire(&mut self, now: u64) -> Vec<Transfer> {
        let stale = |t: &Transfer| now.saturating_sub(t.touched_at) > UNFINISHED_SECS_MAX;
        let (gone, kept) = std::mem::take(&mut self.transfers)
            .into_iter()
            .partition(|(_, transfer)| stale(transfer));
        self.transfers = kept;
        gone.into_values().collect()
    }
}

/// Checks the parts of a complete transfer while they are joined, in order of their index.
pub struct Join {
    hash: ring::digest::Context,
    count: u32,
    parts: u32,
    total_bytes: u64,
    bytes: u64,
    digest: [u8; 32],
}

impl std::fmt::Debug for Join {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Join")
            .field("parts", &self.parts)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Join {
    /// Begins to join.
    #[must_use]
    pub fn new(transfer: &Transfer) -> Self {
        Self {
            hash: ring::digest::Context::new(&ring::digest::SHA256),
            count: transfer.count,
            parts: 0,
            total_bytes: transfer.total_bytes,
            bytes: 0,
            digest: transfer.digest,
        }
    }

    /// The next part.
    pub fn push(&mut self, body: &[u8]) {
        self.hash.update(body);
        self.parts = self.parts.saturating_add(1);
        self.bytes = self.bytes.saturating_add(body.len() as u64);
    }

    /// Says whether the parts were the whole that was signed.
    ///
    /// # Errors
    /// [`SdkError::Broken`].
    pub fn finish(self) -> Result<(), SdkError> {
        if self.parts != self.count || self.bytes != self.total_bytes {
            return Err(SdkError::Broken("its size"));
        }
        if self.hash.finish().as_ref() != self.digest {
            return Err(SdkError::Broken("its digest"));
        }
        Ok(())
    }
}
