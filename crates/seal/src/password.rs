//! One file encrypted with a password: the client's backup.
//!
//! An OpenPGP message that other programs open too: SKESK version 6 with Argon2id (RFC 9580
//! §5.3.2, §3.7.1.4), then SEIPD version 2 with AES-256-GCM around one binary literal.

use layer_minus_packet::{CHUNK_OCTET_MAX, SeipdVersion, read_literal};
use pgp::composed::{PlainSessionKey, decrypt_session_key_with_password};
use pgp::crypto::aead::AeadAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{PacketHeader, PacketTrait, SymKeyEncryptedSessionKey};
use pgp::types::{PacketLength, Password, StringToKey, Tag};
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::bulk::{self, Params, V2_HEAD};
use crate::certificate::within;
use crate::guard::{guard, library};
use crate::layer::{HEADER, LITERAL_OVERHEAD, TAG_SEIPD, push_header, push_literal};
use crate::{SealError, session};

/// Passes over the memory: the second recommendation of RFC 9106 §4.
const ARGON2_PASSES: u8 = 3;
const ARGON2_LANES: u8 = 4;
/// Memory as an exponent of two, in KiB: 64 MiB.
const ARGON2_MEMORY: u8 = 16;

/// The most passes that a file may ask a reader for.
pub const ARGON2_PASSES_MAX: u8 = 8;
/// The most lanes that a file may ask a reader for.
pub const ARGON2_LANES_MAX: u8 = 8;
/// The most memory that a file may ask a reader for, as an exponent of two, in KiB: 256 MiB.
pub const ARGON2_MEMORY_MAX: u8 = 18;
/// The most bytes that encryption adds.
pub const PASSWORD_OVERHEAD_MAX: usize = 512;

/// The longest SKESK packet that is read; ours takes 83 bytes.
const SKESK_BODY_MAX: usize = 191;
/// Chunks of 1 MiB.
const CHUNK_OCTET: u8 = CHUNK_OCTET_MAX;

/// Encrypts `bytes` with a password.
///
/// Takes 64 MiB and, on a 2020s desktop, a tenth of a second.
///
/// # Errors
/// [`SealError::Library`] or [`SealError::Panicked`] if the OpenPGP library fails,
/// [`SealError::SizeUnreachable`] above 4 GiB.
pub fn encrypt(
    rng: &mut (impl RngCore + CryptoRng),
    password: &str,
    bytes: &[u8],
) -> Result<Vec<u8>, SealError> {
    let (sym, aead) = (SymmetricKeyAlgorithm::AES256, AeadAlgorithm::Gcm);
    let key = session::draw(rng, sym);
    let mut out = library("encrypt a session key with a password", || {
        let s2k = StringToKey::new_argon2(&mut *rng, ARGON2_PASSES, ARGON2_LANES, ARGON2_MEMORY);
        let password = Password::from(password);
        let skesk =
            SymKeyEncryptedSessionKey::encrypt_v6(&mut *rng, &password, &key, s2k, sym, aead)?;
        let mut packet = Vec::with_capacity(bytes.len() + PASSWORD_OVERHEAD_MAX);
        skesk.to_writer_with_header(&mut packet)?;
        Ok(packet)
    })?;
    let plain_len = LITERAL_OVERHEAD + bytes.len();
    let end = out.len() + HEADER + V2_HEAD + bulk::sealed_len(CHUNK_OCTET, plain_len);
    push_header(&mut out, TAG_SEIPD, end)?;
    let mut salt = [0; 32];
    rng.fill_bytes(&mut salt);
    let params = Params {
        sym,
        aead,
        chunk_octet: CHUNK_OCTET,
        salt,
    };
    out.extend_from_slice(&params.head());
    let start = out.len();
    push_literal(&mut out, &[bytes], plain_len, end)?;
    bulk::seal_v2(&params, &key, &mut out, start)?;
    Ok(out)
}

/// Decrypts what [`encrypt`] made, of at most `limit_bytes` content.
///
/// # Errors
/// [`SealError::WrongPassword`]; [`SealError::NotAuthentic`] if the password is right and the
/// content was changed; [`SealError::PasswordFile`] if it is something else or asks for more
/// memory or passes than [`ARGON2_MEMORY_MAX`], [`ARGON2_PASSES_MAX`], [`ARGON2_LANES_MAX`].
pub fn decrypt(
    password: &str,
    bytes: &[u8],
    limit_bytes: usize,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let tags = limit_bytes
        .div_ceil(bulk::chunk_len(CHUNK_OCTET))
        .saturating_mul(16);
    within(
        bytes,
        limit_bytes
            .saturating_add(tags)
            .saturating_add(PASSWORD_OVERHEAD_MAX),
    )?;
    let (skesk_header, skesk_body, rest) = split(bytes, Tag::SymKeyEncryptedSessionKey)?;
    let (_, seipd, rest) = split(rest, Tag::SymEncryptedProtectedData)?;
    if !rest.is_empty() {
        return Err(SealError::PasswordFile("something follows its end"));
    }
    let (version, encrypted) = seipd_version(seipd)?;

    if skesk_body.len() > SKESK_BODY_MAX {
        return Err(SealError::PasswordFile("its first packet is too long"));
    }
    let skesk = library("read a password packet", || {
        SymKeyEncryptedSessionKey::try_from_reader(skesk_header, skesk_body)
    })?;
    check_cost(&skesk)?;
    let session = guard("decrypt a session key with a password", || {
        decrypt_session_key_with_password(&skesk, &Password::from(password))
    })?;
    let Ok(PlainSessionKey::V6 { ref key }) = session else {
        return Err(SealError::WrongPassword);
    };
    let mut plain = Zeroizing::new(bulk::open(&version, None, key, encrypted)?);
    let range = read_literal(&plain)?.range;
    within(&plain[range.clone()], limit_bytes)?;
    plain.truncate(range.end);
    plain.drain(..range.start);
    Ok(plain)
}

/// Splits off a packet of that kind and of fixed length: header, body, the rest.
fn split(bytes: &[u8], tag: Tag) -> Result<(PacketHeader, &[u8], &[u8]), SealError> {
    const OTHER: SealError = SealError::PasswordFile("another shape");
    let mut rest = bytes;
    let header = guard("read a packet header", || {
        PacketHeader::try_from_reader(&mut rest)
    })?
    .map_err(|_| OTHER)?;
    match header.packet_length() {
        PacketLength::Fixed(len) if header.tag() == tag => {
            let (body, rest) = rest.split_at_checked(len as usize).ok_or(OTHER)?;
            Ok((header, body, rest))
        }
        _ => Err(OTHER),
    }
}

/// The parameters of our one form of encrypted data, and what is encrypted.
fn seipd_version(body: &[u8]) -> Result<(SeipdVersion, &[u8]), SealError> {
    match body.split_first_chunk::<V2_HEAD>() {
        Some(([2, 9, 3, chunk, salt @ ..], encrypted)) if *chunk <= CHUNK_OCTET_MAX => Ok((
            SeipdVersion::V2 {
                sym: 9,
                aead: 3,
                chunk: *chunk,
                salt: *salt,
            },
            encrypted,
        )),
        _ => Err(SealError::PasswordFile("not AES-256-GCM in version 2")),
    }
}

/// Bounds what deriving the key may cost, before it is derived.
fn check_cost(skesk: &SymKeyEncryptedSessionKey) -> Result<(), SealError> {
    let SymKeyEncryptedSessionKey::V6 {
        s2k: StringToKey::Argon2 { t, p, m_enc, .. },
        ..
    } = skesk
    else {
        return Err(SealError::PasswordFile("not version 6 with Argon2"));
    };
    let bounded = (1..=ARGON2_PASSES_MAX).contains(t)
        && (1..=ARGON2_LANES_MAX).contains(p)
        && *m_enc <= ARGON2_MEMORY_MAX;
    match bounded {
        true => Ok(()),
        false => Err(SealError::PasswordFile(
            "its password costs more than is allowed",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use pgp::composed::Message;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    const CONTENT: &[u8] = b"everything that a client has";
    /// One file for all tests: each encryption takes 64 MiB and its time.
    static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        encrypt(&mut ChaCha20Rng::seed_from_u64(1), "correct horse", CONTENT).unwrap()
    });

    #[test]
    fn the_right_password_opens_and_a_wrong_one_is_told() {
        assert_eq!(
            decrypt("correct horse", &FILE, 100).unwrap().as_slice(),
            CONTENT
        );
        assert_eq!(
            decrypt("battery staple", &FILE, 100),
            Err(SealError::WrongPassword)
        );
        assert_eq!(decrypt("", &FILE, 100), Err(SealError::WrongPassword));
    }

    #[test]
    fn a_changed_content_is_not_a_wrong_password() {
        let mut changed = FILE.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(
            decrypt("correct horse", &changed, 100),
            Err(SealError::NotAuthentic)
        );
    }

    #[test]
    fn the_overhead_is_bounded_and_the_limit_kept() {
        assert!(FILE.len() <= CONTENT.len() + PASSWORD_OVERHEAD_MAX);
        let limit = CONTENT.len() - 1;
        assert_eq!(
            decrypt("correct horse", &FILE, limit),
            Err(SealError::TooLarge {
                len: CONTENT.len(),
                limit
            })
        );
        assert!(matches!(
            decrypt("x", &[0; 5_000], 100),
            Err(SealError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_file_longer_than_a_chunk_opens() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let content = vec![7; 2_500_000];
        let file = encrypt(&mut rng, "p", &content).unwrap();
        assert_eq!(
            decrypt("p", &file, content.len()).unwrap().as_slice(),
            content
        );
    }

    #[test]
    fn costly_files_are_refused_before_the_password_is_tried() {
        // SKESK body: 6, length, cipher, mode, length of S2K, 4, salt (16), t, p, m.
        let header = 2;
        assert_eq!(&FILE[header + 22..header + 25], [3, 4, 16]);
        for (at, value) in [(22, 9), (22, 0), (23, 9), (23, 0), (24, 19), (24, 31)] {
            let mut costly = FILE.clone();
            costly[header + at] = value;
            assert_eq!(
                decrypt("correct horse", &costly, 100),
                Err(SealError::PasswordFile(
                    "its password costs more than is allowed"
                ))
            );
        }
    }

    #[test]
    fn other_files_are_refused_and_truncated_ones_never_panic() {
        assert!(matches!(
            decrypt("p", b"", 100),
            Err(SealError::PasswordFile(_))
        ));
        assert!(matches!(
            decrypt("p", b"-----BEGIN", 100),
            Err(SealError::PasswordFile(_))
        ));
        for len in 0..FILE.len() {
            assert!(decrypt("correct horse", &FILE[..len], 100).is_err());
        }
        let longer = [FILE.as_slice(), &[0xCA, 0]].concat();
        assert!(matches!(
            decrypt("p", &longer, 100),
            Err(SealError::PasswordFile(_))
        ));
    }

    #[test]
    fn the_openpgp_library_opens_it_too() {
        let message = Message::from_bytes(FILE.as_slice()).unwrap();
        let mut opened = message
            .decrypt_with_password(&Password::from("correct horse"))
            .unwrap();
        assert_eq!(opened.as_data_vec().unwrap(), CONTENT);
    }

    proptest! {
        #[test]
        fn garbage_is_no_password_file(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(decrypt("correct horse", &bytes, 1_000).is_err());
        }

        #[test]
        fn a_file_that_is_cut_is_refused(cut in any::<proptest::sample::Index>()) {
            let cut = cut.index(FILE.len());
            prop_assert!(decrypt("correct horse", &FILE[..cut], 100).is_err());
        }
    }

    proptest! {
        // Each takes the memory and the time of a guess.
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn what_is_encrypted_opens_and_a_changed_bit_is_noticed(
            content in proptest::collection::vec(any::<u8>(), 0..2_000),
            at in any::<proptest::sample::Index>(),
            bit in 0_u8..8,
            seed: u64,
        ) {
            let mut file = encrypt(&mut ChaCha20Rng::seed_from_u64(seed), "pass", &content).unwrap();
            prop_assert!(file.len() <= content.len() + PASSWORD_OVERHEAD_MAX);
            let opened = decrypt("pass", &file, content.len()).unwrap();
            prop_assert_eq!(&opened[..], &content[..]);
            let at = at.index(file.len());
            file[at] ^= 1 << bit;
            prop_assert!(decrypt("pass", &file, content.len()).is_err());
        }
    }
}
