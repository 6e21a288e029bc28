//! A certificate under which somebody else's encryption subkey is bound. Nothing in OpenPGP keeps
//! anybody from making one. Tests of other crates use this file too.

use layer_minus_seal::{Certificate, SecretCertificate, Version};
use pgp::{
    composed::{Deserializable as _, SignedPublicKey, SignedPublicSubKey, SignedSecretKey},
    packet::{KeyFlags, SignatureConfig, SignatureType, Subpacket, SubpacketData},
    ser::Serialize as _,
    types::{KeyDetails as _, Password, Timestamp},
};
use rand::{CryptoRng, RngCore};

/// A certificate in the thief's name with the victim's encryption subkey.
pub(crate) fn steal(
    rng: &mut (impl RngCore + CryptoRng),
    thief: &str,
    victim: &Certificate,
    now: u64,
) -> Certificate {
    let thief = SecretCertificate::generate(rng, now, Version::V6, thief).unwrap();
    let thief = SignedSecretKey::from_bytes(&thief.to_bytes()[..]).unwrap();
    let victim = SignedPublicKey::from_bytes(&victim.to_bytes()[..]).unwrap();
    let subkey = victim.public_subkeys[0].key.clone();
    let primary = &thief.primary_key;

    let mut flags = KeyFlags::default();
    flags.set_encrypt_comms(true);
    let created = Timestamp::from_secs(u32::try_from(now).unwrap());
    let mut config =
        SignatureConfig::from_key(&mut *rng, primary, SignatureType::SubkeyBinding).unwrap();
    config.hashed_subpackets = [
        SubpacketData::SignatureCreationTime(created),
        SubpacketData::IssuerFingerprint(primary.fingerprint()),
        SubpacketData::KeyFlags(flags),
    ]
    .into_iter()
    .map(|data| Subpacket::regular(data).unwrap())
    .collect();
    let binding = config
        .sign_subkey_binding(primary, primary.public_key(), &Password::empty(), &subkey)
        .unwrap();

    let mut stolen = thief.to_public_key();
    stolen.public_subkeys = vec![SignedPublicSubKey::new(subkey, vec![binding])];
    Certificate::from_bytes(&stolen.to_bytes().unwrap()).unwrap()
}
