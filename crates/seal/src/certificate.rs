//! OpenPGP certificates: read with bounds, verified, reduced to what sealing needs.

pub(crate) mod framing;
pub(crate) mod verify;

use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use layer_minus_packet::{Fingerprint, KeyId};
use pgp::armor::{BlockType, Dearmor, DearmorOptions};
use pgp::composed::{Deserializable, SignedPublicKey};
use pgp::packet::PublicSubkey;

use self::framing::Transferable;
use self::verify::{Findings, Suite};
use crate::SealError;
use crate::guard::{guard, library};

/// The longest certificate, binary, in bytes.
pub const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;
/// The longest armored certificate, in bytes: base64 adds a third, line ends and headers more.
pub const CERTIFICATE_ARMOR_BYTES_MAX: usize = 2 * CERTIFICATE_BYTES_MAX;
/// The most packets of a certificate.
pub const CERTIFICATE_PACKETS_MAX: usize = 64;
/// The most signatures of a certificate: each may cost a verification.
pub const CERTIFICATE_SIGNATURES_MAX: usize = 16;

/// A verified OpenPGP certificate with exactly one encryption subkey chosen.
///
/// Its existence means: the self-signatures over the primary key and over the binding of the
/// chosen subkey hold, neither is revoked, and the subkey is for encryption. It does not mean
/// that the holder can open what is sealed to it: an encryption subkey can be bound under
/// anybody's certificate, so possession has to be proved (RFC 9580 §10.1.5 has no back
/// signature for encryption subkeys). Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    bytes: Bytes,
    findings: Findings,
}

impl Certificate {
    /// Reads a binary certificate (RFC 9580 §10.1) of version 4 or 6.
    ///
    /// Of several encryption subkeys the newest valid one is chosen. Time is not looked at: see
    /// [`Certificate::expires_at`].
    ///
    /// # Errors
    /// [`SealError::TooLarge`] above [`CERTIFICATE_BYTES_MAX`], [`SealError::Certificate`] with
    /// what is wrong, [`SealError::Library`] and [`SealError::Panicked`] when the OpenPGP
    /// library cannot read it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        within(bytes, CERTIFICATE_BYTES_MAX)?;
        framing::check(bytes, Transferable::Public)?;
        let key = library("read a certificate", || SignedPublicKey::from_bytes(bytes))?;
        Self::from_parsed(&key, Bytes::copy_from_slice(bytes))
    }

    /// Reads an ASCII-armored certificate (RFC 9580 §6).
    ///
    /// # Errors
    /// As [`Certificate::from_bytes`], and [`SealError::Armor`].
    pub fn from_armored(text: &[u8]) -> Result<Self, SealError> {
        Self::from_bytes(&dearmor(text, Transferable::Public)?)
    }

    /// Verifies a parsed key whose serialization is `bytes`.
    pub(crate) fn from_parsed(key: &SignedPublicKey, bytes: Bytes) -> Result<Self, SealError> {
        let findings = guard("verify a certificate", || verify::inspect(key))??;
        Ok(Self(Arc::new(Inner { bytes, findings })))
    }

    /// The certificate exactly as it was read.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.bytes.to_vec()
    }

    /// The certificate exactly as it was read, without a copy.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The fingerprint of the primary key: which certificate this is.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.findings.fingerprint
    }

    /// The fingerprint of the encryption subkey: what a PKESK names and what routes.
    pub fn encryption_key(&self) -> Fingerprint {
        self.0.findings.encryption_key
    }

    /// The key ID of the encryption subkey, as a version 3 PKESK names it.
    pub fn encryption_key_id(&self) -> KeyId {
        self.0.findings.encryption_key.key_id()
    }

    /// The primary User ID, if there is a certified one in UTF-8.
    pub fn user_id(&self) -> Option<String> {
        self.0.findings.user_id.clone()
    }

    /// When the primary key was made, seconds since 1970.
    pub fn created_at(&self) -> u64 {
        self.0.findings.created_at
    }

    /// When the certificate or its encryption subkey expires, if ever, seconds since 1970.
    pub fn expires_at(&self) -> Option<u64> {
        self.0.findings.expires_at
    }

    /// Whether its holder reads version 2 SEIPD, in which case that is what he gets.
    pub fn reads_seipd_v2(&self) -> bool {
        matches!(self.suite(), Suite::V2(..))
    }

    pub(crate) fn suite(&self) -> Suite {
        self.0.findings.suite
    }

    pub(crate) fn subkey(&self) -> &PublicSubkey {
        &self.0.findings.subkey
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.bytes == other.0.bytes
    }
}

impl Eq for Certificate {}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("fingerprint", &self.fingerprint())
            .field("encryption_key", &self.encryption_key())
            .finish_non_exhaustive()
    }
}

pub(crate) fn within(bytes: &[u8], limit: usize) -> Result<(), SealError> {
    match bytes.len() {
        len if len > limit => Err(SealError::TooLarge { len, limit }),
        _ => Ok(()),
    }
}

/// Decodes the armor of a transferable key.
pub(crate) fn dearmor(
    text: &[u8],
    kind: Transferable,
) -> Result<zeroize::Zeroizing<Vec<u8>>, SealError> {
    within(text, CERTIFICATE_ARMOR_BYTES_MAX)?;
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    let block = guard("decode armor", || {
        let options = DearmorOptions::new().set_limit(CERTIFICATE_ARMOR_BYTES_MAX);
        let mut reader = Dearmor::with_options(text, options);
        reader.read_to_end(&mut bytes).map(|_| reader.typ)
    })?
    .map_err(|_| SealError::Armor("not base64 between its header and footer"))?;
    let expected = match kind {
        Transferable::Public => BlockType::PublicKey,
        Transferable::Secret => BlockType::PrivateKey,
    };
    match block == Some(expected) {
        true => Ok(bytes),
        false => Err(SealError::Armor("another kind of block is expected")),
    }
}
