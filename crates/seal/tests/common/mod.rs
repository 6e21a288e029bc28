//! Parties, and what the plain OpenPGP library makes for and of them.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use layer_minus_seal::{Certificate, SealError, SecretCertificate, Version};
use pgp::composed::{Deserializable, RawSessionKey, SignedPublicKey, SignedSecretKey};
use pgp::crypto::aead::{AeadAlgorithm, ChunkSize};
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{PacketTrait, PublicKeyEncryptedSessionKey, SymEncryptedProtectedData};
use pgp::ser::Serialize;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;

pub const NOW: u64 = 1_795_000_000;
pub const ADDRESS: &str = "0x52908400098527886E0F7030069857D2E4169EE7";
pub const SIZES: [usize; 2] = [16_000, 1_000_000];
pub const VERSIONS: [Version; 2] = [Version::V6, Version::V4];

pub fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(7)
}

pub fn party(version: Version) -> SecretCertificate {
    SecretCertificate::generate(&mut rng(), NOW, version, ADDRESS).unwrap()
}

pub fn random(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    rng().fill_bytes(&mut bytes);
    bytes
}

/// The secret key as the OpenPGP library reads it.
pub fn plain_key(secret: &SecretCertificate) -> SignedSecretKey {
    SignedSecretKey::from_bytes(&secret.to_bytes()[..]).unwrap()
}

/// What we make of a certificate of the OpenPGP library.
pub fn certificate(key: &SignedPublicKey) -> Result<Certificate, SealError> {
    Certificate::from_bytes(&key.to_bytes().unwrap())
}

/// What we make of a secret key of the OpenPGP library.
pub fn secret(key: &SignedSecretKey) -> Result<SecretCertificate, SealError> {
    SecretCertificate::from_bytes(&key.to_bytes().unwrap())
}

/// Any plaintext at all, encrypted to a version 6 party in the shape that is admitted.
pub fn wrapped(to: &SecretCertificate, plaintext: &[u8]) -> Vec<u8> {
    let mut rng = rng();
    let session_key = RawSessionKey::from(random(32));
    let subkey = &plain_key(to).to_public_key().public_subkeys[0];
    let pkesk =
        PublicKeyEncryptedSessionKey::from_session_key_v6(&mut rng, &session_key, subkey).unwrap();
    let seipd = SymEncryptedProtectedData::encrypt_seipdv2(
        &mut rng,
        SymmetricKeyAlgorithm::AES256,
        AeadAlgorithm::Gcm,
        ChunkSize::C1MiB,
        session_key.as_ref(),
        plaintext,
    )
    .unwrap();
    let mut message = Vec::new();
    pkesk.to_writer_with_header(&mut message).unwrap();
    seipd.to_writer_with_header(&mut message).unwrap();
    message
}

/// A packet in the current format with a length of five octets.
pub fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[0xC0 | tag, 0xFF], &len[..], body].concat()
}

/// A binary literal packet.
pub fn literal(data: &[u8]) -> Vec<u8> {
    packet(11, &[b"b\x00\x00\x00\x00\x00", data].concat())
}

/// Why a certificate or secret key was refused.
pub fn refusal<T: std::fmt::Debug>(result: Result<T, SealError>) -> &'static str {
    match result {
        Err(SealError::Certificate(why) | SealError::SecretKey(why)) => why,
        other => panic!("{other:?}"),
    }
}
