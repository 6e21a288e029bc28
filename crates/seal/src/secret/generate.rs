//! Making a certificate.
//!
//! The signatures are assembled here rather than by the library's key builder, which dates them
//! by the wall clock.

use pgp::composed::{KeyType, SignedKeyDetails, SignedSecretKey, SignedSecretSubKey};
use pgp::crypto::aead::AeadAlgorithm;
use pgp::crypto::ecc_curve::ECCCurve;
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::errors::Result as LibraryResult;
use pgp::packet::{
    Features, KeyFlags, PacketTrait, PubKeyInner, PublicKey, PublicSubkey, SecretKey, SecretSubkey,
    Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData, UserId,
};
use pgp::types::{CompressionAlgorithm, KeyDetails, KeyVersion, Password, SecretParams, Timestamp};
use rand::{CryptoRng, RngCore};

use super::Version;
use crate::SealError;
use crate::guard::library;

pub(super) fn generate(
    rng: &mut (impl RngCore + CryptoRng),
    now: u64,
    version: Version,
    user_id: &str,
) -> Result<SignedSecretKey, SealError> {
    let created = u32::try_from(now)
        .map(Timestamp::from_secs)
        .map_err(|_| SealError::Time(now))?;
    library("generate a key", || {
        assemble(rng, created, version, user_id)
    })
}

fn assemble(
    rng: &mut (impl RngCore + CryptoRng),
    created: Timestamp,
    version: Version,
    user_id: &str,
) -> LibraryResult<SignedSecretKey> {
    let (key_version, signing, sealing) = match version {
        Version::V6 => (KeyVersion::V6, KeyType::Ed25519, KeyType::X25519),
        Version::V4 => (
            KeyVersion::V4,
            KeyType::Ed25519Legacy,
            KeyType::ECDH(ECCCurve::Curve25519Legacy),
        ),
    };
    let mut key_material = |kind: &KeyType| -> LibraryResult<(PubKeyInner, SecretParams)> {
        let (public, secret) = kind.generate(&mut *rng)?;
        let inner = PubKeyInner::new(key_version, kind.to_alg(), created, None, public)?;
        Ok((inner, secret))
    };
    let (inner, secret) = key_material(&signing)?;
    let primary = SecretKey::new(PublicKey::from_inner(inner)?, secret)?;
    let (inner, secret) = key_material(&sealing)?;
    let subkey = SecretSubkey::new(PublicSubkey::from_inner(inner)?, secret)?;

    let maker = Maker {
        primary: &primary,
        created,
    };
    let user_id = UserId::from_str(Default::default(), user_id)?;
    let (direct_signatures, user_sig) = match version {
        // A version 6 key speaks of itself in a direct key signature (RFC 9580 §10.1.1).
        Version::V6 => {
            let direct = maker.direct_key(&mut *rng)?;
            (
                vec![direct],
                maker.certify(&mut *rng, &user_id, Vec::new())?,
            )
        }
        Version::V4 => (
            Vec::new(),
            maker.certify(&mut *rng, &user_id, about_itself(version)?)?,
        ),
    };
    let binding = maker.bind(rng, &subkey)?;
    let users = vec![user_id.into_signed(user_sig)];
    let details = SignedKeyDetails::new(Vec::new(), direct_signatures, users, Vec::new());
    let subkeys = vec![SignedSecretSubKey::new(subkey, vec![binding])];
    Ok(SignedSecretKey::new(primary, details, Vec::new(), subkeys))
}

/// What a certificate says of its holder's software.
///
/// Without the preferences GnuPG would seal with 3DES and OpenPGP.js with OCB in JavaScript;
/// "uncompressed" keeps them from compressing, which we refuse to read.
fn about_itself(version: Version) -> LibraryResult<Vec<Subpacket>> {
    use SymmetricKeyAlgorithm::{AES128, AES192, AES256};
    let mut flags = KeyFlags::default();
    flags.set_certify(true);
    flags.set_sign(true);
    let mut features = Features::new();
    features.set_seipd_v1(true);
    let mut data = vec![
        SubpacketData::PreferredSymmetricAlgorithms([AES256, AES192, AES128].into_iter().collect()),
        SubpacketData::PreferredHashAlgorithms(
            [HashAlgorithm::Sha512, HashAlgorithm::Sha256]
                .into_iter()
                .collect(),
        ),
        SubpacketData::PreferredCompressionAlgorithms(
            [CompressionAlgorithm::Uncompressed].into_iter().collect(),
        ),
        SubpacketData::KeyFlags(flags),
    ];
    if version == Version::V6 {
        features.set_seipd_v2(true);
        data.push(SubpacketData::PreferredAeadAlgorithms(
            [(AES256, AeadAlgorithm::Gcm), (AES128, AeadAlgorithm::Gcm)]
                .into_iter()
                .collect(),
        ));
    }
    data.push(SubpacketData::Features(features));
    data.into_iter().map(Subpacket::regular).collect()
}

/// Makes the self-signatures of one primary key.
struct Maker<'a> {
    primary: &'a SecretKey,
    created: Timestamp,
}

impl Maker<'_> {
    fn direct_key(&self, rng: &mut (impl RngCore + CryptoRng)) -> LibraryResult<Signature> {
        let config = self.config(rng, SignatureType::Key, about_itself(Version::V6)?)?;
        config.sign_key(self.primary, &Password::empty(), self.primary.public_key())
    }

    fn certify(
        &self,
        rng: &mut (impl RngCore + CryptoRng),
        user_id: &UserId,
        mut more: Vec<Subpacket>,
    ) -> LibraryResult<Signature> {
        more.push(Subpacket::regular(SubpacketData::IsPrimary(true))?);
        self.config(rng, SignatureType::CertPositive, more)?
            .sign_certification(
                self.primary,
                self.primary.public_key(),
                &Password::empty(),
                user_id.tag(),
                user_id,
            )
    }

    fn bind(
        &self,
        rng: &mut (impl RngCore + CryptoRng),
        subkey: &SecretSubkey,
    ) -> LibraryResult<Signature> {
        let mut flags = KeyFlags::default();
        flags.set_encrypt_comms(true);
        flags.set_encrypt_storage(true);
        let flags = Subpacket::regular(SubpacketData::KeyFlags(flags))?;
        self.config(rng, SignatureType::SubkeyBinding, vec![flags])?
            .sign_subkey_binding(
                self.primary,
                self.primary.public_key(),
                &Password::empty(),
                subkey.public_key(),
            )
    }

    fn config(
        &self,
        rng: &mut (impl RngCore + CryptoRng),
        typ: SignatureType,
        more: Vec<Subpacket>,
    ) -> LibraryResult<SignatureConfig> {
        let mut config = SignatureConfig::from_key(rng, self.primary, typ)?;
        config.hashed_subpackets = vec![
            Subpacket::critical(SubpacketData::SignatureCreationTime(self.created))?,
            Subpacket::regular(SubpacketData::IssuerFingerprint(self.primary.fingerprint()))?,
        ];
        config.hashed_subpackets.extend(more);
        if self.primary.version() == KeyVersion::V4 {
            let issuer = SubpacketData::IssuerKeyId(self.primary.legacy_key_id());
            config.unhashed_subpackets = vec![Subpacket::regular(issuer)?];
        }
        Ok(config)
    }
}
