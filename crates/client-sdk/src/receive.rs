//! Opening of what a node pushes.

use bytes::Bytes;
use layer_minus_message::{
    Card, FullCard, Letter, MessageError, PushedPacket, letter::sha256,
    limits::LETTER_HEAD_BYTES_MAX,
};
use layer_minus_packet::SIZE_MAX;
use layer_minus_seal::{Keyring, SealError, open_message};
use layer_minus_wallet::Address;

use crate::error::SdkError;

/// What was in a message.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Received {
    /// A letter with a checked signature, whole or one part.
    Letter(Box<Letter>),
    /// A message from another OpenPGP program. Nobody signed it for us: who wrote it is unknown.
    Foreign(Foreign),
}

/// A message that is no letter.
#[derive(Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Made from the sealed message, so that a repeated one is known.
    pub id: [u8; 16],
    /// The content.
    pub body: Bytes,
    /// The file name that the sender gave; trust it with nothing.
    pub name: Option<String>,
}

impl std::fmt::Debug for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Foreign")
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Opens a pushed message and checks who wrote it.
///
/// # Errors
/// [`SdkError::Seal`] when it cannot be opened (see [`hint`]), [`SdkError::Message`] when it is a
/// letter that cannot be believed. Either way it will never be any better: acknowledge it.
pub fn open(
    packet: &PushedPacket,
    keys: &Keyring,
    network: &str,
    recipient: Address,
) -> Result<Received, SdkError> {
    let opened = open_message(&packet.message, keys, SIZE_MAX)?;
    if !is_letter(&opened.body) {
        let mut id = [0; 16];
        id.copy_from_slice(&sha256(&packet.message)[..16]);
        return Ok(Received::Foreign(Foreign {
            id,
            body: opened.body,
            name: opened.filename,
        }));
    }
    let letter = Letter::read(&opened.body, network, recipient, packet.accepted_at)?;
    Ok(Received::Letter(Box::new(letter)))
}

/// Whether the content begins as a letter does: a length, and a JSON object of that length.
fn is_letter(body: &[u8]) -> bool {
    let Some((prefix, rest)) = body.split_first_chunk::<4>() else {
        return false;
    };
    let len = u32::from_be_bytes(*prefix) as usize;
    let Some(json) = rest.get(..len).filter(|_| len <= LETTER_HEAD_BYTES_MAX) else {
        return false;
    };
    json.first() == Some(&b'{') && json.last() == Some(&b'}')
}

/// The card that came with a letter, if it is good and its owner wrote the letter.
#[must_use]
pub fn card_of(letter: &Letter, network: &str, now: u64) -> Option<(Card, FullCard)> {
    let full = letter.card.as_ref()?;
    let card = Card::read(full.card.clone(), network, now).ok()?;
    (card.body.wallet == letter.claims.from).then(|| (card, full.clone()))
}

/// What a person can do about a message that did not open, if anything.
#[must_use]
pub const fn hint(error: &SdkError) -> Option<&'static str> {
    match error {
        SdkError::Seal(SealError::Compressed) => {
            Some("ask the sender to encrypt without compression: gpg --compress-algo none")
        }
        SdkError::Seal(SealError::NoKey) => {
            Some("it is sealed to a key that this device does not have: was the card rotated?")
        }
        SdkError::Message(MessageError::WrongAudience { .. }) => {
            Some("somebody passed on a letter that was written to somebody else")
        }
        _ => None,
    }
}
