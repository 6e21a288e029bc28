//! Answers, one-shot or streamed, sealed under the reply key of the request's layer.
//!
//! ```text
//! first record on the wire   random (32) ‖ ciphertext ‖ tag (16)
//! every later record                       ciphertext ‖ tag (16)
//! plaintext                  content length (u32, big-endian) ‖ content ‖ zero fill
//! key                        HKDF-SHA256(salt = random, ikm = reply key,
//!                                        info = "layer-minus answer v1"), 32 bytes
//! cipher, nonce              AES-256-GCM, record number from 0 (96 bit, big-endian)
//! ```
//!
//! A reply key is fresh per request and the random is the answering node's own, so that no two
//! answers ever share a key even when a request was replayed. Records are opened in order; one
//! that was dropped, repeated or moved does not open.

use rand::{CryptoRng, RngCore};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::SealError;

/// What the first record adds to its content: random 32, length 4, tag 16 bytes.
pub const RECORD_FIRST_OVERHEAD: usize = PREAMBLE + RECORD_OVERHEAD;
/// What every later record adds to its content: length 4, tag 16 bytes.
pub const RECORD_OVERHEAD: usize = LENGTH + TAG;
/// The most records one reply key may seal; the nonce would allow more.
pub const RECORDS_MAX: u64 = 1 << 32;

const INFO: &[u8] = b"layer-minus answer v1";
const PREAMBLE: usize = 32;
const LENGTH: usize = 4;
const TAG: usize = 16;

/// The "temporary session password" that a layer's frame carries and its answer is sealed under.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ReplyKey([u8; 32]);

impl ReplyKey {
    /// A fresh key.
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        Self(key)
    }

    /// The key that a frame carried.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be put into a frame.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn derive(&self, random: &[u8; PREAMBLE]) -> Result<LessSafeKey, SealError> {
        const STEP: &str = "derive a record key";
        let mut okm = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, random)
            .extract(&self.0)
            .expand(&[INFO], hkdf::HKDF_SHA256)
            .and_then(|okm_source| okm_source.fill(okm.as_mut()))
            .and_then(|()| UnboundKey::new(&AES_256_GCM, okm.as_ref()))
            .map(LessSafeKey::new)
            .map_err(|_| SealError::Library(STEP))
    }
}

impl std::fmt::Debug for ReplyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReplyKey([scrubbed])")
    }
}

/// Seals the records of one answer, in order.
pub struct RecordSealer {
    /// Deriving cannot fail for the lengths used here; if it did, `seal` would say so.
    key: Result<LessSafeKey, SealError>,
    random: [u8; PREAMBLE],
    next: u64,
}

impl RecordSealer {
    /// Begins an answer with a random of its own.
    pub fn new(reply_key: &ReplyKey, rng: &mut (impl RngCore + CryptoRng)) -> Self {
        let mut random = [0; PREAMBLE];
        rng.fill_bytes(&mut random);
        Self {
            key: reply_key.derive(&random),
            random,
            next: 0,
        }
    }

    /// Seals the next record; with `pad_to` it is exactly so many bytes on the wire.
    ///
    /// # Errors
    /// [`SealError::SizeUnreachable`] if `pad_to` is less than the content and its framing,
    /// [`SealError::RecordsExhausted`] after [`RECORDS_MAX`] records.
    pub fn seal(&mut self, content: &[u8], pad_to: Option<usize>) -> Result<Vec<u8>, SealError> {
        let preamble: &[u8] = if self.next == 0 { &self.random } else { &[] };
        let len = u32::try_from(content.len()).map_err(|_| SealError::TooLarge {
            len: content.len(),
            limit: u32::MAX as usize,
        })?;
        let needed = preamble.len() + RECORD_OVERHEAD + content.len();
        let size = pad_to.unwrap_or(needed);
        if size < needed {
            return Err(SealError::SizeUnreachable { size, needed });
        }
        let nonce = nonce(self.next)?;
        let mut out = Vec::with_capacity(size);
        out.extend_from_slice(preamble);
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(content);
        out.resize(size - TAG, 0);
        let tag = self
            .key
            .as_ref()
            .map_err(SealError::clone)?
            .seal_in_place_separate_tag(nonce, Aad::empty(), &mut out[preamble.len()..])
            .map_err(|_| SealError::Library("seal a record"))?;
        out.extend_from_slice(tag.as_ref());
        self.next += 1;
        Ok(out)
    }
}

impl std::fmt::Debug for RecordSealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordSealer")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// Opens the records of one answer, in the order in which they were sealed.
pub struct RecordOpener {
    reply_key: ReplyKey,
    key: Option<LessSafeKey>,
    next: u64,
}

impl RecordOpener {
    /// Begins to read the answer to the request that carried `reply_key`.
    pub fn new(reply_key: &ReplyKey) -> Self {
        Self {
            reply_key: reply_key.clone(),
            key: None,
            next: 0,
        }
    }

    /// Opens the next record and returns its content.
    ///
    /// A record that does not open leaves the opener where it was.
    ///
    /// # Errors
    /// [`SealError::Record`] if it is too short or its inside is malformed,
    /// [`SealError::NotAuthentic`] if it is not the next record of this answer.
    pub fn open(&mut self, record: &[u8]) -> Result<Vec<u8>, SealError> {
        let nonce = nonce(self.next)?;
        let (fresh, sealed) = match self.key {
            Some(_) => (None, record),
            None => {
                let (random, sealed) = record
                    .split_first_chunk::<PREAMBLE>()
                    .ok_or(SealError::Record("shorter than its random"))?;
                (Some(self.reply_key.derive(random)?), sealed)
            }
        };
        let key = fresh
            .as_ref()
            .or(self.key.as_ref())
            .ok_or(SealError::Record("no key was derived"))?;
        if sealed.len() < RECORD_OVERHEAD {
            return Err(SealError::Record("shorter than its length and tag"));
        }
        let mut buffer = sealed.to_vec();
        let plain_len = key
            .open_in_place(nonce, Aad::empty(), &mut buffer)
            .map_err(|_| SealError::NotAuthentic)?
            .len();
        buffer.truncate(plain_len);
        let content_len = content_len(&buffer)?;
        buffer.copy_within(LENGTH..LENGTH + content_len, 0);
        buffer.truncate(content_len);
        self.next += 1;
        if fresh.is_some() {
            self.key = fresh;
        }
        Ok(buffer)
    }
}

impl std::fmt::Debug for RecordOpener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordOpener")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// The stated length of a plaintext's content, checked against what is there.
fn content_len(plain: &[u8]) -> Result<usize, SealError> {
    let (stated, rest) = plain
        .split_first_chunk::<LENGTH>()
        .ok_or(SealError::Record("no room for its length"))?;
    let len = u32::from_be_bytes(*stated) as usize;
    let fill = rest
        .get(len..)
        .ok_or(SealError::Record("states more content than it holds"))?;
    // One content has one encoding, so that nobody hides a second one in the fill.
    // Folded rather than searched: a loop without an early end is several times as fast.
    if fill.iter().fold(0, |seen, octet| seen | octet) != 0 {
        return Err(SealError::Record("its fill is not zero"));
    }
    Ok(len)
}

fn nonce(number: u64) -> Result<Nonce, SealError> {
    if number >= RECORDS_MAX {
        return Err(SealError::RecordsExhausted);
    }
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&number.to_be_bytes());
    Ok(Nonce::assume_unique_for_key(nonce))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    fn pair(seed: u64) -> (RecordSealer, RecordOpener) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let key = ReplyKey::generate(&mut rng);
        (RecordSealer::new(&key, &mut rng), RecordOpener::new(&key))
    }

    #[test]
    fn overheads_are_what_the_constants_say() {
        let (mut sealer, _) = pair(1);
        assert_eq!(sealer.seal(b"", None).unwrap().len(), 52);
        assert_eq!(sealer.seal(b"", None).unwrap().len(), 20);
        assert_eq!((RECORD_FIRST_OVERHEAD, RECORD_OVERHEAD), (52, 20));
    }

    #[test]
    fn a_stream_opens_in_order_and_only_in_order() {
        let (mut sealer, mut opener) = pair(2);
        let records: Vec<Vec<u8>> = (0..4u8)
            .map(|i| sealer.seal(&[i; 9], Some(1_000)).unwrap())
            .collect();
        assert!(records.iter().all(|record| record.len() == 1_000));
        assert_eq!(opener.open(&records[0]).unwrap(), [0; 9]);
        assert_eq!(opener.open(&records[0]), Err(SealError::NotAuthentic));
        assert_eq!(opener.open(&records[2]), Err(SealError::NotAuthentic));
        for (i, record) in records.iter().enumerate().skip(1) {
            assert_eq!(opener.open(record).unwrap(), [i as u8; 9]);
        }
    }

    #[test]
    fn a_wrong_first_record_does_not_spoil_the_right_one() {
        let (mut sealer, mut opener) = pair(3);
        let (mut other, _) = pair(4);
        let wrong = other.seal(b"other", None).unwrap();
        let right = sealer.seal(b"right", None).unwrap();
        assert_eq!(opener.open(&wrong), Err(SealError::NotAuthentic));
        assert_eq!(opener.open(&right).unwrap(), b"right");
    }

    #[test]
    fn two_answers_to_one_request_share_nothing() {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let key = ReplyKey::generate(&mut rng);
        let mut seal = || RecordSealer::new(&key, &mut rng).seal(b"x", None).unwrap();
        let (one, two) = (seal(), seal());
        assert_ne!(one[..32], two[..32]);
        assert_ne!(one[32..], two[32..]);
    }

    #[test]
    fn impossible_sizes_and_short_records_are_refused() {
        let (mut sealer, mut opener) = pair(6);
        assert_eq!(
            sealer.seal(b"12345", Some(56)),
            Err(SealError::SizeUnreachable {
                size: 56,
                needed: 57
            })
        );
        assert_eq!(sealer.seal(b"12345", Some(57)).unwrap().len(), 57);
        for len in 0..RECORD_FIRST_OVERHEAD {
            assert!(matches!(
                opener.open(&vec![0; len]),
                Err(SealError::Record(_))
            ));
        }
        assert_eq!(
            opener.open(&[0; RECORD_FIRST_OVERHEAD]),
            Err(SealError::NotAuthentic)
        );
    }

    #[test]
    fn a_lying_length_and_a_dirty_fill_are_refused() {
        assert_eq!(content_len(&[0, 0, 0, 2, 7, 7, 0]), Ok(2));
        assert!(content_len(&[0, 0, 0, 4, 7, 7, 0]).is_err());
        assert!(content_len(&[0xff; 8]).is_err());
        assert!(content_len(&[0, 0, 0, 1, 7, 7, 0]).is_err());
        assert!(content_len(&[0, 0, 0]).is_err());
    }

    #[test]
    fn the_counter_ends_before_it_could_repeat() {
        let (mut sealer, mut opener) = pair(7);
        sealer.next = RECORDS_MAX;
        opener.next = RECORDS_MAX;
        assert_eq!(sealer.seal(b"", None), Err(SealError::RecordsExhausted));
        assert_eq!(opener.open(&[0; 64]), Err(SealError::RecordsExhausted));
    }

    #[test]
    fn nothing_prints_a_key() {
        let (sealer, opener) = pair(8);
        let key = ReplyKey::from_bytes([0xab; 32]);
        assert_eq!(format!("{key:?}"), "ReplyKey([scrubbed])");
        assert_eq!(format!("{sealer:?}"), "RecordSealer { next: 0, .. }");
        assert_eq!(format!("{opener:?}"), "RecordOpener { next: 0, .. }");
    }

    proptest! {
        #[test]
        fn whatever_was_sealed_opens(contents in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..300), 0usize..200), 1..6), seed: u64) {
            let (mut sealer, mut opener) = pair(seed);
            for (i, (content, fill)) in contents.iter().enumerate() {
                let overhead = if i == 0 { RECORD_FIRST_OVERHEAD } else { RECORD_OVERHEAD };
                let size = overhead + content.len() + fill;
                let record = sealer.seal(content, Some(size)).unwrap();
                prop_assert_eq!(record.len(), size);
                prop_assert_eq!(&opener.open(&record).unwrap(), content);
            }
        }

        #[test]
        fn a_changed_bit_is_noticed(content in proptest::collection::vec(any::<u8>(), 0..64),
            bit in 0usize..416, seed: u64) {
            let (mut sealer, mut opener) = pair(seed);
            let mut record = sealer.seal(&content, None).unwrap();
            record[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(opener.open(&record), Err(SealError::NotAuthentic));
        }

        #[test]
        fn garbage_never_panics(record in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (_, mut opener) = pair(9);
            prop_assert!(opener.open(&record).is_err());
        }
    }
}
