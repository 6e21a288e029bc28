//! AES-GCM in chunks (RFC 9580 §5.13.2), by `ring`, in place.

use layer_minus_packet::CHUNK_OCTET_MAX;
use pgp::composed::RawSessionKey;
use pgp::crypto::aead::AeadAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, Tag, UnboundKey};
use ring::hkdf;
use zeroize::Zeroizing;

use crate::SealError;
use crate::bulk::{Params, TAG, chunk_len};

/// What of the nonce is derived; the rest is the chunk's number.
const IV: usize = NONCE_LEN - 8;

/// AES-GCM for one SEIPD.
pub(crate) struct Gcm {
    key: LessSafeKey,
    iv: [u8; IV],
    info: [u8; 5],
    chunk: usize,
}

impl Gcm {
    /// Derives the message key and nonce prefix; `None` if the mode is not one of `ring`'s.
    pub(crate) fn new(
        params: &Params,
        session_key: &RawSessionKey,
    ) -> Result<Option<Self>, SealError> {
        let algorithm = match (params.sym, params.aead) {
            (SymmetricKeyAlgorithm::AES128, AeadAlgorithm::Gcm) => &AES_128_GCM,
            (SymmetricKeyAlgorithm::AES256, AeadAlgorithm::Gcm) => &AES_256_GCM,
            _ => return Ok(None),
        };
        const STEP: SealError = SealError::Library("derive a message key");
        let info = params.info();
        let mut okm = Zeroizing::new(vec![0; algorithm.key_len() + IV]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, &params.salt)
            .extract(session_key.as_ref())
            .expand(&[&info], OutputLen(okm.len()))
            .and_then(|source| source.fill(&mut okm))
            .map_err(|_| STEP)?;
        let (message_key, iv) = okm.split_at(algorithm.key_len());
        let iv = iv.try_into().map_err(|_| STEP)?;
        let key = UnboundKey::new(algorithm, message_key).map_err(|_| STEP)?;
        let chunk = chunk_len(params.chunk_octet.min(CHUNK_OCTET_MAX));
        Ok(Some(Self {
            key: LessSafeKey::new(key),
            iv,
            info,
            chunk,
        }))
    }

    fn nonce(&self, number: u64) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[..IV].copy_from_slice(&self.iv);
        nonce[IV..].copy_from_slice(&number.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }

    /// What the final tag binds: the parameters and how much was encrypted.
    fn final_aad(&self, plain_len: usize) -> Aad<[u8; 13]> {
        let mut aad = [0; 13];
        aad[..5].copy_from_slice(&self.info);
        aad[5..].copy_from_slice(&(plain_len as u64).to_be_bytes());
        Aad::from(aad)
    }

    pub(crate) fn seal(&self, buffer: &mut Vec<u8>, start: usize) -> Result<(), SealError> {
        let failed = |_| SealError::Library("encrypt");
        let plain_len = buffer.len() - start;
        let count = plain_len.div_ceil(self.chunk);
        buffer.resize(buffer.len() + (count + 1) * TAG, 0);
        let sealed = &mut buffer[start..];
        // From the last chunk to the first, so that each has moved before another takes its place.
        for number in (0..count).rev() {
            let from = number * self.chunk;
            let len = self.chunk.min(plain_len - from);
            let to = from + number * TAG;
            sealed.copy_within(from..from + len, to);
            let (chunk, after) = sealed[to..].split_at_mut(len);
            let tag = self
                .key
                .seal_in_place_separate_tag(self.nonce(number as u64), Aad::from(self.info), chunk)
                .map_err(failed)?;
            after[..TAG].copy_from_slice(tag.as_ref());
        }
        let tag = self
            .key
            .seal_in_place_separate_tag(
                self.nonce(count as u64),
                self.final_aad(plain_len),
                &mut [],
            )
            .map_err(failed)?;
        let at = sealed.len() - TAG;
        sealed[at..].copy_from_slice(tag.as_ref());
        Ok(())
    }

    pub(crate) fn open(&self, encrypted: &[u8]) -> Result<Vec<u8>, SealError> {
        let failed = |_| SealError::NotAuthentic;
        let (chunks, final_tag) = encrypted
            .split_last_chunk::<TAG>()
            .ok_or(SealError::NotAuthentic)?;
        let mut plain = Vec::with_capacity(chunks.len());
        let mut count = 0;
        for chunk in chunks.chunks(self.chunk + TAG) {
            let (sealed, tag) = chunk
                .split_last_chunk::<TAG>()
                .ok_or(SealError::NotAuthentic)?;
            let start = plain.len();
            plain.extend_from_slice(sealed);
            self.key
                .open_in_place_separate_tag(
                    self.nonce(count),
                    Aad::from(self.info),
                    Tag::from(*tag),
                    &mut plain[start..],
                    0..,
                )
                .map_err(failed)?;
            count += 1;
        }
        self.key
            .open_in_place_separate_tag(
                self.nonce(count),
                self.final_aad(plain.len()),
                Tag::from(*final_tag),
                &mut [],
                0..,
            )
            .map_err(failed)?;
        Ok(plain)
    }
}

/// How many octets to derive, as `ring` wants to be told.
struct OutputLen(usize);

impl hkdf::KeyType for OutputLen {
    fn len(&self) -> usize {
        self.0
    }
}
