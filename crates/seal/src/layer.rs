//! One layer: sealed to one recipient, of an exact size; opened by its holder.

use bytes::Bytes;
use layer_minus_packet::{
    Fingerprint, LAYER_RESERVE, Layout, Pkesk, SIZE_MAX, admit_layer, read_literal,
};
use rand::{CryptoRng, RngCore};

use crate::bulk::{self, Params, V1_OVERHEAD, V2_HEAD};
use crate::certificate::verify::Suite;
use crate::{Certificate, Keyring, SealError, SecretCertificate, session};

/// The most bytes that sealing adds around a body, whatever algorithms the certificate asks for.
///
/// About 200 with X25519, 640 with RSA of 4,096 bits, 1,290 with ML-KEM-768+X25519, which is to
/// come. The rest of [`LAYER_RESERVE`], 648 bytes, is room for the header of the frame inside:
/// a header that long and an inner packet of [`layer_capacity`] bytes always fit together.
pub const LAYER_OVERHEAD_MAX: usize = 1_400;

/// Packet type ID and a length of five octets, always, so that no size is out of reach.
pub(crate) const HEADER: usize = 6;
/// Format, no file name, date 0 (RFC 9580 §5.9).
const LITERAL_FIELDS: usize = 6;
pub(crate) const LITERAL_OVERHEAD: usize = HEADER + LITERAL_FIELDS;
const TAG_LITERAL: u8 = 0xCB;
pub(crate) const TAG_SEIPD: u8 = 0xD2;

/// The size of the packet inside a layer of `size` bytes; also a body that fits whatever the
/// recipient's algorithms.
///
/// The same for every layer, so that nothing tells the number of hops. A longer body fits as
/// [`LAYER_OVERHEAD_MAX`] says.
#[must_use]
pub const fn layer_capacity(size: usize) -> usize {
    size.saturating_sub(LAYER_RESERVE)
}

/// Seals the concatenated parts of a body to a certificate's encryption subkey.
///
/// The packet is exactly `size` bytes: one PKESK, one SEIPD of fixed length, inside one binary
/// literal that holds the parts and zeros to the end. Where the body ends is for the body itself
/// to tell. Holders of [SEIPD version 2](Certificate::reads_seipd_v2) get that, with AES-256-GCM
/// unless they ask for something else; others version 1 with AES.
///
/// # Errors
/// [`SealError::SizeUnreachable`] if the body and its framing are longer than `size`,
/// [`SealError::TooLarge`] above [`SIZE_MAX`](layer_minus_packet::SIZE_MAX),
/// [`SealError::Library`] or [`SealError::Panicked`] if the OpenPGP library fails on the
/// certificate's key.
pub fn seal_layer(
    rng: &mut (impl RngCore + CryptoRng),
    to: &Certificate,
    body: &[&[u8]],
    size: usize,
) -> Result<Bytes, SealError> {
    if size > SIZE_MAX {
        return Err(SealError::TooLarge {
            len: size,
            limit: SIZE_MAX,
        });
    }
    match to.suite() {
        Suite::V1(sym) => {
            let key = session::draw(rng, sym);
            let mut out = with_pkesk(session::seal(rng, to, &key)?, size);
            let overhead = out.len() + HEADER + 1 + V1_OVERHEAD;
            let plain_len = size.saturating_sub(overhead);
            push_header(&mut out, TAG_SEIPD, size)?;
            out.push(1);
            let start = out.len();
            push_literal(&mut out, body, plain_len, size)?;
            bulk::seal_v1(rng, sym, &key, &mut out, start)?;
            exactly(out, size)
        }
        Suite::V2(sym, aead) => {
            let key = session::draw(rng, sym);
            let mut out = with_pkesk(session::seal(rng, to, &key)?, size);
            let overhead = out.len() + HEADER + V2_HEAD;
            let (chunk_octet, plain_len) = size
                .checked_sub(overhead)
                .and_then(bulk::fit)
                .unwrap_or_default();
            push_header(&mut out, TAG_SEIPD, size)?;
            let mut salt = [0; 32];
            rng.fill_bytes(&mut salt);
            let params = Params {
                sym,
                aead,
                chunk_octet,
                salt,
            };
            out.extend_from_slice(&params.head());
            let start = out.len();
            push_literal(&mut out, body, plain_len, size)?;
            bulk::seal_v2(&params, &key, &mut out, start)?;
            exactly(out, size)
        }
    }
}

fn with_pkesk(pkesk: Vec<u8>, size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(size.max(pkesk.len()));
    out.extend_from_slice(&pkesk);
    out
}

/// Appends the header of the packet that fills `out` up to `end`.
pub(crate) fn push_header(out: &mut Vec<u8>, tag: u8, end: usize) -> Result<(), SealError> {
    let needed = out.len() + HEADER;
    let len = end
        .checked_sub(needed)
        .and_then(|len| u32::try_from(len).ok())
        .ok_or(SealError::SizeUnreachable { size: end, needed })?;
    out.extend_from_slice(&[tag, 0xFF]);
    out.extend_from_slice(&len.to_be_bytes());
    Ok(())
}

/// Appends a literal of `plain_len` bytes in all; `size` is only for the error.
pub(crate) fn push_literal(
    out: &mut Vec<u8>,
    body: &[&[u8]],
    plain_len: usize,
    size: usize,
) -> Result<(), SealError> {
    let needed = LITERAL_OVERHEAD + body.iter().map(|part| part.len()).sum::<usize>();
    if needed > plain_len {
        // What the framing outside of the literal took has to come on top.
        return Err(SealError::SizeUnreachable {
            size,
            needed: size - plain_len + needed,
        });
    }
    let end = out.len() + plain_len;
    push_header(out, TAG_LITERAL, end)?;
    out.extend_from_slice(&[b'b', 0, 0, 0, 0, 0]);
    for part in body {
        out.extend_from_slice(part);
    }
    out.resize(end, 0);
    Ok(())
}

/// The finished packet; the arithmetic above is checked once more where it matters.
fn exactly(out: Vec<u8>, size: usize) -> Result<Bytes, SealError> {
    match out.len() == size {
        true => Ok(Bytes::from(out)),
        false => Err(SealError::SizeUnreachable {
            size,
            needed: out.len(),
        }),
    }
}

/// What was inside a layer, and whose key opened it.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The data of the literal, zero fill included.
    pub body: Bytes,
    /// The whole fingerprint of the encryption subkey that opened it: after opening this counts,
    /// not what the PKESK named.
    pub recipient: Fingerprint,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("recipient", &self.recipient)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Opens one layer.
///
/// First [`admit_layer`]: whatever is not one PKESK and one SEIPD of fixed lengths with the
/// algorithms that we know is refused before any cryptography. Cost is bounded by the length of
/// `packet`: one PKESK decryption, one pass over the bytes.
///
/// # Errors
/// [`SealError::NotAdmitted`] if the shape is another, [`SealError::NoKey`] if the ring has no
/// key for it (a wildcard has none), [`SealError::NotAuthentic`] if it was changed,
/// [`SealError::Compressed`] if compressed data is inside.
pub fn open_layer(packet: &[u8], keys: &Keyring) -> Result<Opened, SealError> {
    let layout = admit_layer(packet)?;
    let key = keys.find(&layout.recipient()).ok_or(SealError::NoKey)?;
    let plain = decrypt(packet, &layout, layout.first(), key)?;
    let range = read_literal(&plain)?.range;
    let recipient = key.certificate().encryption_key();
    Ok(Opened {
        body: Bytes::from(plain).slice(range),
        recipient,
    })
}

/// Decrypts an admitted message by one of its PKESKs.
pub(crate) fn decrypt(
    input: &[u8],
    layout: &Layout,
    pkesk: &Pkesk,
    key: &SecretCertificate,
) -> Result<Vec<u8>, SealError> {
    let session = session::open(input, pkesk, key)?;
    let mut segments = layout.encrypted(input);
    let first = segments.next().unwrap_or_default();
    let joined: Vec<u8>;
    let encrypted = match segments.next() {
        None => first,
        Some(second) => {
            let mut whole = Vec::with_capacity(layout.seipd_body().len());
            whole.extend_from_slice(first);
            whole.extend_from_slice(second);
            segments.for_each(|part| whole.extend_from_slice(part));
            joined = whole;
            &joined
        }
    };
    bulk::open(layout.version(), session.sym, &session.key, encrypted)
}
