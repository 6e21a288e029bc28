//! Secret certificates: what opens, and the ring of them that a party holds.

mod generate;

use std::sync::Arc;

use bytes::Bytes;
use layer_minus_packet::{Fingerprint, Recipient};
use pgp::composed::{ArmorOptions, Deserializable, SignedSecretKey};
use pgp::packet::SecretSubkey;
use pgp::ser::Serialize;
use pgp::types::{PublicParams, SecretParams};
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::certificate::framing::{self, Transferable};
use crate::certificate::verify::fingerprint;
use crate::certificate::{CERTIFICATE_BYTES_MAX, dearmor, within};
use crate::guard::library;
use crate::{Certificate, SealError};

/// Which OpenPGP version a new certificate is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Version {
    /// RFC 9580: Ed25519 primary, X25519 subkey, reads SEIPD version 2 with AES-256-GCM.
    #[default]
    V6,
    /// RFC 4880 with the elliptic curves of GnuPG 2.2: Ed25519Legacy primary, Curve25519Legacy
    /// subkey, reads SEIPD version 1 only.
    V4,
}

/// A certificate with its secret keys, unlocked. Cheap to clone; prints no secret.
///
/// Secret key material is erased when the last clone is dropped, as far as the OpenPGP library
/// holds it; what that library copies while it computes is its own.
#[derive(Clone)]
pub struct SecretCertificate(Arc<Inner>);

struct Inner {
    key: SignedSecretKey,
    /// Which of the secret subkeys belongs to the certificate's encryption subkey.
    subkey: usize,
    certificate: Certificate,
    bytes: Zeroizing<Vec<u8>>,
}

impl SecretCertificate {
    /// Makes a new one; all its dates are `now`, seconds since 1970.
    ///
    /// # Errors
    /// [`SealError::Time`] if OpenPGP cannot express `now`.
    pub fn generate(
        rng: &mut (impl RngCore + CryptoRng),
        now: u64,
        version: Version,
        user_id: &str,
    ) -> Result<Self, SealError> {
        Self::from_parsed(generate::generate(rng, now, version, user_id)?)
    }

    /// Reads a binary transferable secret key (RFC 9580 §10.2) that is not locked.
    ///
    /// # Errors
    /// As [`Certificate::from_bytes`], and [`SealError::SecretKey`] if it is locked, has no
    /// secret part for the encryption subkey, or is of a kind that we do not open with.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        within(bytes, CERTIFICATE_BYTES_MAX)?;
        framing::check(bytes, Transferable::Secret)?;
        Self::from_parsed(library("read a secret key", || {
            SignedSecretKey::from_bytes(bytes)
        })?)
    }

    /// Reads an ASCII-armored transferable secret key that is not locked.
    ///
    /// # Errors
    /// As [`SecretCertificate::from_bytes`], and [`SealError::Armor`].
    pub fn from_armored(text: &[u8]) -> Result<Self, SealError> {
        Self::from_bytes(&dearmor(text, Transferable::Secret)?)
    }

    fn from_parsed(key: SignedSecretKey) -> Result<Self, SealError> {
        let secret = library("write a secret key", || key.to_bytes()).map(Zeroizing::new)?;
        let public = library("take the public part", || Ok(key.to_public_key()))?;
        let bytes = library("write a certificate", || public.to_bytes())?;
        let certificate = Certificate::from_parsed(&public, Bytes::from(bytes))?;
        let subkey = key
            .secret_subkeys
            .iter()
            .position(|subkey| fingerprint(&subkey.key) == Ok(certificate.encryption_key()))
            .ok_or(SealError::SecretKey(
                "the encryption subkey has no secret part",
            ))?;
        check_opens(&key.secret_subkeys[subkey].key)?;
        Ok(Self(Arc::new(Inner {
            key,
            subkey,
            certificate,
            bytes: secret,
        })))
    }

    /// The public part.
    pub fn certificate(&self) -> Certificate {
        self.0.certificate.clone()
    }

    /// The transferable secret key, binary and unlocked: keep it where secrets are kept.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.0.bytes.clone()
    }

    /// The transferable secret key as ASCII armor, for export to GnuPG or OpenPGP.js.
    ///
    /// # Errors
    /// [`SealError::Library`] if it cannot be written.
    pub fn to_armored_secret(&self) -> Result<Zeroizing<String>, SealError> {
        library("write a secret key", || {
            self.0.key.to_armored_string(ArmorOptions::default())
        })
        .map(Zeroizing::new)
    }

    pub(crate) fn secret_subkey(&self) -> &SecretSubkey {
        &self.0.key.secret_subkeys[self.0.subkey].key
    }
}

/// Refuses a subkey that is locked, or whose decryption is not made for secret-dependent input.
fn check_opens(subkey: &SecretSubkey) -> Result<(), SealError> {
    if !matches!(subkey.secret_params(), SecretParams::Plain(_)) {
        return Err(SealError::SecretKey("it is locked with a password"));
    }
    match pgp::types::KeyDetails::public_params(subkey) {
        PublicParams::X25519(_) | PublicParams::X448(_) | PublicParams::ECDH(_) => Ok(()),
        // RSA decryption in pure Rust leaks its timing (RUSTSEC-2023-0071).
        _ => Err(SealError::SecretKey("only X25519, X448 and ECDH keys open")),
    }
}

impl std::fmt::Debug for SecretCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SecretCertificate")
            .field(&self.0.certificate.encryption_key())
            .field(&format_args!("[scrubbed]"))
            .finish()
    }
}

/// The secret certificates that a party opens with: current, next, superseded.
#[derive(Clone, Default)]
pub struct Keyring(Vec<SecretCertificate>);

impl Keyring {
    /// An empty ring.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key; one with the same encryption subkey is replaced and returned.
    pub fn insert(&mut self, key: SecretCertificate) -> Option<SecretCertificate> {
        let before = self.remove(&key.certificate().encryption_key());
        self.0.push(key);
        before
    }

    /// Takes the key with that encryption subkey out, which destroys it unless it is kept.
    pub fn remove(&mut self, encryption_key: &Fingerprint) -> Option<SecretCertificate> {
        let at = self
            .0
            .iter()
            .position(|key| key.0.certificate.encryption_key() == *encryption_key)?;
        Some(self.0.remove(at))
    }

    /// The key that a PKESK names, by its encryption subkey; for a wildcard none.
    ///
    /// A 64-bit key ID is a hint: it may name another key than its holder's.
    pub fn find(&self, recipient: &Recipient) -> Option<&SecretCertificate> {
        self.0
            .iter()
            .find(|key| recipient.matches(&key.0.certificate.encryption_key()))
    }

    /// All keys, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &SecretCertificate> {
        self.0.iter()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<SecretCertificate> for Keyring {
    fn from_iter<I: IntoIterator<Item = SecretCertificate>>(keys: I) -> Self {
        let mut ring = Self::new();
        for key in keys {
            ring.insert(key);
        }
        ring
    }
}

impl From<SecretCertificate> for Keyring {
    fn from(key: SecretCertificate) -> Self {
        Self(vec![key])
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}
