//! Messages to a person, made by us or by any OpenPGP program.

use std::borrow::Cow;

use bytes::Bytes;
use layer_minus_packet::{Fingerprint, admit_message, armor, read_plain_message};

use crate::certificate::within;
use crate::layer::decrypt;
use crate::{Keyring, SealError};

/// How much longer than its content an armored message may be: base64 with line ends adds less
/// than half, and header lines and text around it a few kilobytes.
const ARMOR_EXTRA_BYTES: usize = 16 * 1024;

/// What was inside a message, and whose key opened it.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedMessage {
    /// The data of the literal.
    pub body: Bytes,
    /// The file name that the sender gave, if any and in UTF-8; trust it with nothing.
    pub filename: Option<String>,
    /// The whole fingerprint of the encryption subkey that opened it.
    pub recipient: Fingerprint,
}

impl std::fmt::Debug for OpenedMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedMessage")
            .field("recipient", &self.recipient)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Opens a message of at most `limit_bytes` (binary), from our own client, GnuPG or OpenPGP.js.
///
/// Wider than [`open_layer`](crate::open_layer): ASCII armor, several recipients, partial
/// lengths. OpenPGP signatures inside are skipped: who wrote is told by the message itself.
/// Each PKESK that names a key of the ring is tried in turn.
///
/// # Errors
/// [`SealError::TooLarge`] above the limit, [`SealError::Armor`], and those of
/// [`open_layer`](crate::open_layer).
pub fn open_message(
    bytes: &[u8],
    keys: &Keyring,
    limit_bytes: usize,
) -> Result<OpenedMessage, SealError> {
    let binary = binary(bytes, limit_bytes)?;
    let layout = admit_message(&binary)?;
    let mut outcome = Err(SealError::NoKey);
    for pkesk in layout.pkesks() {
        let Some(key) = keys.find(&pkesk.recipient) else {
            continue;
        };
        outcome = decrypt(&binary, &layout, pkesk, key)
            .map(|plain| (plain, key.certificate().encryption_key()));
        if outcome.is_ok() {
            break;
        }
    }
    let (plain, recipient) = outcome?;
    let plain = Bytes::from(plain);
    let message = read_plain_message(&plain)?;
    let filename = Some(message.file_name())
        .filter(|name| !name.is_empty())
        .and_then(|name| std::str::from_utf8(name).ok())
        .map(str::to_owned);
    let body = match message.contiguous() {
        Some(data) => plain.slice_ref(data),
        None => {
            let mut body = Vec::with_capacity(message.len());
            message
                .segments()
                .for_each(|part| body.extend_from_slice(part));
            Bytes::from(body)
        }
    };
    Ok(OpenedMessage {
        body,
        filename,
        recipient,
    })
}

/// The binary form of a message that may be armored.
fn binary(bytes: &[u8], limit: usize) -> Result<Cow<'_, [u8]>, SealError> {
    if bytes.first().is_some_and(|octet| octet & 0x80 != 0) || !armor::is_armored(bytes) {
        within(bytes, limit)?;
        return Ok(Cow::Borrowed(bytes));
    }
    within(bytes, limit.saturating_mul(3) / 2 + ARMOR_EXTRA_BYTES)?;
    match armor::dearmor(bytes, limit) {
        Ok(binary) => Ok(Cow::Owned(binary)),
        Err(layer_minus_packet::ArmorError::TooLong { limit }) => Err(SealError::TooLarge {
            len: bytes.len(),
            limit,
        }),
        Err(_) => Err(SealError::Armor("not a whole armored message")),
    }
}
