//! What a parsed transferable key proves: which self-signatures hold and what they say.

use layer_minus_packet::Fingerprint;
use pgp::composed::{SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::aead::AeadAlgorithm;
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{PublicSubkey, Signature, SignatureType, SignatureVersionSpecific};
use pgp::types::{EcdhPublicParams, EcdsaPublicParams, KeyDetails, KeyVersion, PublicParams, Tag};

use crate::SealError;

/// What the verified self-signatures of a certificate say.
pub(crate) struct Findings {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) created_at: u64,
    pub(crate) expires_at: Option<u64>,
    pub(crate) user_id: Option<String>,
    pub(crate) subkey: PublicSubkey,
    pub(crate) encryption_key: Fingerprint,
    pub(crate) suite: Suite,
}

/// How to encrypt to a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suite {
    /// Version 3 PKESK and version 1 SEIPD.
    V1(SymmetricKeyAlgorithm),
    /// Version 6 PKESK and version 2 SEIPD.
    V2(SymmetricKeyAlgorithm, AeadAlgorithm),
}

/// Verifies the self-signatures and chooses the encryption subkey.
///
/// Signatures that do not hold, of others, or with a hash that can be collided say nothing.
pub(crate) fn inspect(key: &SignedPublicKey) -> Result<Findings, SealError> {
    let primary = &key.primary_key;
    if !is_cheap(primary.public_params()) {
        return Err(SealError::Certificate(
            "a primary key of an algorithm that is not taken",
        ));
    }
    let fingerprint = fingerprint(primary)?;
    let direct = |typ| {
        move |sig: &&Signature| {
            sig.typ() == Some(typ) && is_sound(sig) && sig.verify_key(primary).is_ok()
        }
    };
    let details = &key.details;
    if details
        .revocation_signatures
        .iter()
        .any(|sig| direct(SignatureType::KeyRevocation)(&sig))
    {
        return Err(SealError::Certificate("revoked"));
    }
    let direct_key = newest(
        details
            .direct_signatures
            .iter()
            .filter(direct(SignatureType::Key)),
    );
    let user = primary_user(key);

    // RFC 9580 §10.1.1 and §5.2.3.10: a version 6 key speaks of itself in its direct key
    // signature, a version 4 key in the certification of its primary User ID.
    let about_itself = match primary.version() {
        KeyVersion::V6 => direct_key,
        _ => user.map(|(sig, _)| sig).or(direct_key),
    };
    let about_itself = about_itself.ok_or(SealError::Certificate(
        "no valid self-signature over the primary key",
    ))?;

    let (subkey, binding) =
        encryption_subkey(key).ok_or(SealError::Certificate("no usable encryption subkey"))?;
    let expires_at = [
        expiry(primary.created_at().as_secs(), about_itself),
        expiry(subkey.key.created_at().as_secs(), binding),
    ];
    Ok(Findings {
        fingerprint,
        created_at: primary.created_at().as_secs().into(),
        expires_at: expires_at.into_iter().flatten().min(),
        user_id: user.map(|(_, id)| id.to_owned()),
        encryption_key: self::fingerprint(&subkey.key)?,
        subkey: subkey.key.clone(),
        suite: suite(primary.version(), about_itself),
    })
}

/// The fingerprint of a key in our own type.
pub(crate) fn fingerprint(key: &impl KeyDetails) -> Result<Fingerprint, SealError> {
    match key.fingerprint() {
        pgp::types::Fingerprint::V4(bytes) => Ok(Fingerprint::V4(bytes)),
        pgp::types::Fingerprint::V6(bytes) => Ok(Fingerprint::V6(bytes)),
        _ => Err(SealError::Certificate("a key version other than 4 and 6")),
    }
}

/// The newest certification of the primary User ID, or else of the newest one, and its text.
fn primary_user(key: &SignedPublicKey) -> Option<(&Signature, &str)> {
    key.details
        .users
        .iter()
        .filter_map(|user| {
            let holds = |sig: &&Signature| {
                is_sound(sig)
                    && sig
                        .verify_certification(&key.primary_key, Tag::UserId, &user.id)
                        .is_ok()
            };
            let newest = newest(user.signatures.iter().filter(holds))?;
            let revoked = newest.typ() == Some(SignatureType::CertRevocation);
            (!revoked).then_some((newest, user.id.as_str()?))
        })
        .max_by_key(|(sig, _)| (sig.is_primary(), sig.created()))
}

/// The newest subkey that is bound, not revoked, for encryption, and of an algorithm we use.
fn encryption_subkey(key: &SignedPublicKey) -> Option<(&SignedPublicSubKey, &Signature)> {
    key.public_subkeys
        .iter()
        .filter(|subkey| is_for_sealing(subkey.key.public_params()))
        .filter_map(|subkey| {
            let holds = |sig: &&Signature| {
                is_sound(sig)
                    && sig
                        .verify_subkey_binding(&key.primary_key, &subkey.key)
                        .is_ok()
            };
            // Once: each costs a verification.
            let sound: Vec<&Signature> = subkey.signatures.iter().filter(holds).collect();
            if sound
                .iter()
                .any(|sig| sig.typ() == Some(SignatureType::SubkeyRevocation))
            {
                return None;
            }
            let binding = newest(sound.into_iter())?;
            let flags = binding.key_flags();
            (flags.encrypt_comms() || flags.encrypt_storage()).then_some((subkey, binding))
        })
        .max_by_key(|(subkey, binding)| (subkey.key.created_at(), binding.created()))
}

/// Whether a signature of a key of this kind is verified in well under a millisecond: anybody can have
/// a certificate with many of them verified, before anything is paid. Ed448, P-521 and DSA take ten
/// times that, and nobody's program makes them unless it is told to.
fn is_cheap(key: &PublicParams) -> bool {
    match key {
        PublicParams::Ed25519(_) | PublicParams::EdDSALegacy(_) | PublicParams::RSA(_) => true,
        PublicParams::ECDSA(curve) => !matches!(
            curve,
            EcdsaPublicParams::P521 { .. } | EcdsaPublicParams::Unsupported { .. }
        ),
        _ => false,
    }
}

/// Whether the OpenPGP library can encrypt to a key of this kind.
fn is_for_sealing(key: &PublicParams) -> bool {
    use EcdhPublicParams::{Curve25519Legacy, P256, P384, P521};
    match key {
        PublicParams::X25519(_) | PublicParams::X448(_) | PublicParams::RSA(_) => true,
        PublicParams::ECDH(curve) => {
            matches!(
                curve,
                Curve25519Legacy { .. } | P256 { .. } | P384 { .. } | P521 { .. }
            )
        }
        _ => false,
    }
}

/// The newest of some signatures; of two in the same second, a revocation.
fn newest<'a>(signatures: impl Iterator<Item = &'a Signature>) -> Option<&'a Signature> {
    signatures.max_by_key(|sig| {
        (
            sig.created(),
            sig.typ() == Some(SignatureType::CertRevocation),
        )
    })
}

/// Whether a signature is of a form whose verification means something. (That it has no unknown
/// critical subpacket is part of the library's verification.)
fn is_sound(sig: &Signature) -> bool {
    use HashAlgorithm::{Sha3_256, Sha3_512, Sha224, Sha256, Sha384, Sha512};
    let Some(config) = sig.config() else {
        return false;
    };
    let hash = config.hash_alg;
    let salted = match &config.version_specific {
        SignatureVersionSpecific::V4 => true,
        SignatureVersionSpecific::V6 { salt } => hash.salt_len() == Some(salt.len()),
        _ => return false,
    };
    salted
        && sig.created().is_some()
        && matches!(
            hash,
            Sha224 | Sha256 | Sha384 | Sha512 | Sha3_256 | Sha3_512
        )
}

/// When the key or the signature about it expires, whichever is earlier; seconds since 1970.
fn expiry(key_created: u32, sig: &Signature) -> Option<u64> {
    let after = |from: u32, span: Option<pgp::types::Duration>| {
        let span = span?.as_secs();
        (span != 0).then_some(u64::from(from) + u64::from(span))
    };
    let sig_created = sig.created()?.as_secs();
    [
        after(key_created, sig.key_expiration_time()),
        after(sig_created, sig.signature_expiration_time()),
    ]
    .into_iter()
    .flatten()
    .min()
}

/// The algorithms that the certificate's holder asks for, the fastest of ours first.
fn suite(version: KeyVersion, sig: &Signature) -> Suite {
    use SymmetricKeyAlgorithm::{AES128, AES256};
    let seipd_v2 = sig.features().is_some_and(pgp::packet::Features::seipd_v2);
    if seipd_v2 || version == KeyVersion::V6 {
        let listed = |suite| sig.preferred_aead_algs().contains(&suite);
        // AES-128 with OCB is what every reader of version 2 has (RFC 9580 §5.2.3.15).
        let (sym, aead) = [
            (AES256, AeadAlgorithm::Gcm),
            (AES128, AeadAlgorithm::Gcm),
            (AES256, AeadAlgorithm::Ocb),
        ]
        .into_iter()
        .find(|suite| listed(*suite))
        .unwrap_or((AES128, AeadAlgorithm::Ocb));
        return Suite::V2(sym, aead);
    }
    let listed = sig.preferred_symmetric_algs().contains(&AES256);
    Suite::V1(if listed { AES256 } else { AES128 })
}
