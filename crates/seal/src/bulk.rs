//! The encrypted data of a SEIPD packet (RFC 9580 §5.13).
//!
//! AES-GCM with 128 and 256 bits goes through `ring`, in place, several times as fast as the
//! OpenPGP library; every other admitted combination through the library, whole buffers in one
//! call.

use std::io::Read;

use layer_minus_packet::{CHUNK_OCTET_MAX, SeipdVersion};
use pgp::composed::RawSessionKey;
use pgp::crypto::aead::{AeadAlgorithm, ChunkSize};
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{StreamDecryptor, SymEncryptedProtectedData};
use pgp::types::Seipdv1ReadMode;
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::SealError;
use crate::gcm::Gcm;
use crate::guard::{guard, library};

/// Version, cipher, AEAD mode, chunk size octet, salt: what stands before version 2 ciphertext.
pub(crate) const V2_HEAD: usize = 4 + SALT;
/// Prefix of one block and its two repeated octets before, modification detection code behind
/// the plaintext of version 1.
pub(crate) const V1_OVERHEAD: usize = 16 + 2 + 22;

const SALT: usize = 32;
/// The length of an authentication tag.
pub(crate) const TAG: usize = 16;
/// The packet type ID of SEIPD in the current format, as key derivation and tags bind it.
const SEIPD_OCTET: u8 = 0xD2;

/// The parameters of a version 2 SEIPD.
pub(crate) struct Params {
    pub(crate) sym: SymmetricKeyAlgorithm,
    pub(crate) aead: AeadAlgorithm,
    pub(crate) chunk_octet: u8,
    pub(crate) salt: [u8; SALT],
}

impl Params {
    /// The five octets that the key derivation and every tag bind (RFC 9580 §5.13.2).
    pub(crate) fn info(&self) -> [u8; 5] {
        [
            SEIPD_OCTET,
            2,
            self.sym.into(),
            self.aead.into(),
            self.chunk_octet,
        ]
    }

    /// What stands before the ciphertext.
    pub(crate) fn head(&self) -> [u8; V2_HEAD] {
        let mut head = [0; V2_HEAD];
        head[..4].copy_from_slice(&self.info()[1..]);
        head[4..].copy_from_slice(&self.salt);
        head
    }
}

/// The chunk size octet and the length of a plaintext whose ciphertext is exactly so long.
///
/// One chunk of 1 MiB where that is enough. Above, 16 lengths in 1 MiB cannot be had: between
/// a full last chunk and one more of one octet; smaller chunks have their gaps elsewhere.
pub(crate) fn fit(sealed_len: usize) -> Option<(u8, usize)> {
    (0..=CHUNK_OCTET_MAX).rev().find_map(|octet| {
        let chunks_len = sealed_len.checked_sub(TAG)?;
        let chunk = chunk_len(octet);
        let count = chunks_len.div_ceil(chunk + TAG);
        let last = chunks_len.checked_sub(count.checked_sub(1)? * (chunk + TAG))?;
        (last > TAG).then(|| (octet, chunks_len - count * TAG))
    })
}

/// How long the ciphertext of a plaintext is, tags included.
pub(crate) fn sealed_len(chunk_octet: u8, plain_len: usize) -> usize {
    plain_len + (plain_len.div_ceil(chunk_len(chunk_octet)) + 1) * TAG
}

/// The length of a chunk in bytes.
pub(crate) fn chunk_len(octet: u8) -> usize {
    1 << (octet + 6)
}

/// Encrypts `buffer[start..]` where it stands and appends what the tags add.
pub(crate) fn seal_v2(
    params: &Params,
    key: &RawSessionKey,
    buffer: &mut Vec<u8>,
    start: usize,
) -> Result<(), SealError> {
    match Gcm::new(params, key)? {
        Some(gcm) => gcm.seal(buffer, start),
        None => library("encrypt", || {
            let chunk = ChunkSize::try_from(params.chunk_octet).map_err(std::io::Error::other)?;
            let plain = Zeroizing::new(buffer.split_off(start));
            SymEncryptedProtectedData::encrypt_seipdv2_stream(
                params.sym,
                params.aead,
                chunk,
                key.as_ref(),
                params.salt,
                &plain[..],
            )?
            .read_to_end(buffer)?;
            Ok(())
        }),
    }
}

/// Encrypts `buffer[start..]` with version 1's CFB and modification detection code.
pub(crate) fn seal_v1(
    rng: &mut (impl RngCore + CryptoRng),
    sym: SymmetricKeyAlgorithm,
    key: &RawSessionKey,
    buffer: &mut Vec<u8>,
    start: usize,
) -> Result<(), SealError> {
    let sealed = library("encrypt", || {
        sym.encrypt_protected(rng, key.as_ref(), &buffer[start..])
    })?;
    buffer.truncate(start);
    buffer.extend_from_slice(&sealed);
    Ok(())
}

/// Decrypts the encrypted data of an admitted SEIPD; `sym` is what a version 3 PKESK told.
pub(crate) fn open(
    version: &SeipdVersion,
    sym: Option<SymmetricKeyAlgorithm>,
    key: &RawSessionKey,
    encrypted: &[u8],
) -> Result<Vec<u8>, SealError> {
    match (version, sym) {
        (SeipdVersion::V1, Some(sym)) => {
            check_aes(sym, key)?;
            read_all(encrypted, || {
                let mode = Seipdv1ReadMode::CheckFirst {
                    max_message_size: encrypted.len(),
                };
                StreamDecryptor::v1(sym, mode, key.as_ref(), encrypted)
            })
        }
        (
            &SeipdVersion::V2 {
                sym,
                aead,
                chunk,
                salt,
            },
            None,
        ) => {
            let params = Params {
                sym: sym.into(),
                aead: aead.into(),
                chunk_octet: chunk,
                salt,
            };
            check_aes(params.sym, key)?;
            match Gcm::new(&params, key)? {
                Some(gcm) => gcm.open(encrypted),
                None => {
                    let chunk = ChunkSize::try_from(chunk)
                        .map_err(|_| SealError::Algorithm("chunk size"))?;
                    read_all(encrypted, || {
                        let Params {
                            sym,
                            aead,
                            ref salt,
                            ..
                        } = params;
                        StreamDecryptor::v2(sym, aead, chunk, salt, key.as_ref(), encrypted)
                    })
                }
            }
        }
        _ => Err(SealError::NotAuthentic),
    }
}

/// Refuses what is not AES: GnuPG falls back to 3DES when a certificate states no preference.
fn check_aes(sym: SymmetricKeyAlgorithm, key: &RawSessionKey) -> Result<(), SealError> {
    use SymmetricKeyAlgorithm::{AES128, AES192, AES256};
    match sym {
        AES128 | AES192 | AES256 if key.len() == sym.key_size() => Ok(()),
        AES128 | AES192 | AES256 => Err(SealError::NotAuthentic),
        _ => Err(SealError::Algorithm("only AES is")),
    }
}

fn read_all<'a>(
    encrypted: &'a [u8],
    decryptor: impl FnOnce() -> pgp::errors::Result<StreamDecryptor<&'a [u8]>>,
) -> Result<Vec<u8>, SealError> {
    guard("decrypt", || {
        let mut plain = Vec::with_capacity(encrypted.len());
        decryptor()
            .ok()
            .and_then(|mut reader| reader.read_to_end(&mut plain).ok())
            .map(|_| plain)
            .ok_or(SealError::NotAuthentic)
    })?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_packet_of_every_listed_size_is_one_chunk() {
        for size in [16_000, 1_000_000, 1 << 20] {
            assert_eq!(fit(size), Some((14, size - 2 * TAG)));
        }
    }

    #[test]
    fn the_gap_above_a_full_chunk_is_bridged_by_smaller_chunks() {
        let full = sealed_len(14, 1 << 20);
        assert_eq!(fit(full), Some((14, 1 << 20)));
        for len in full + 1..=full + TAG {
            let (octet, plain) = fit(len).unwrap();
            assert!(octet < 14, "{len}");
            assert_eq!(sealed_len(octet, plain), len);
        }
        assert_eq!(fit(full + TAG + 1), Some((14, (1 << 20) + 1)));
    }

    #[test]
    fn too_short_for_one_octet_fits_nothing() {
        for len in 0..=2 * TAG {
            assert_eq!(fit(len), None);
        }
        assert_eq!(fit(2 * TAG + 1), Some((14, 1)));
    }

    proptest! {
        #[test]
        fn every_length_is_reached_exactly(len in 2 * TAG + 1..17_000_000usize) {
            let (octet, plain) = fit(len).unwrap();
            prop_assert_eq!(sealed_len(octet, plain), len);
        }

        #[test]
        fn chunks_of_any_size_open_and_a_changed_bit_does_not(
            plain in proptest::collection::vec(any::<u8>(), 1..2_000),
            chunk_octet in 0u8..6, sym in 7u8..10, aead in 1u8..4, at: usize,
        ) {
            let params = Params {
                sym: sym.into(), aead: aead.into(), chunk_octet, salt: [5; 32],
            };
            let key = RawSessionKey::from(vec![9; params.sym.key_size()]);
            let mut sealed = vec![0xEE; 3];
            sealed.extend_from_slice(&plain);
            seal_v2(&params, &key, &mut sealed, 3).unwrap();
            prop_assert_eq!(sealed.len(), 3 + sealed_len(chunk_octet, plain.len()));
            let version = SeipdVersion::V2 { sym, aead, chunk: chunk_octet, salt: [5; 32] };
            prop_assert_eq!(&open(&version, None, &key, &sealed[3..]).unwrap(), &plain);
            let at = 3 + at % (sealed.len() - 3);
            sealed[at] ^= 0x10;
            prop_assert_eq!(
                open(&version, None, &key, &sealed[3..]),
                Err(SealError::NotAuthentic)
            );
        }
    }
}
