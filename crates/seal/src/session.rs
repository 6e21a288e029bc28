//! Session keys: made for one packet, carried to one recipient in a PKESK (RFC 9580 §5.1).

use layer_minus_packet::Pkesk;
use pgp::composed::{PlainSessionKey, RawSessionKey};
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{PacketHeader, PacketTrait, PublicKeyEncryptedSessionKey};
use pgp::types::{DecryptionKey, EskType, Password};
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::certificate::verify::Suite;
use crate::guard::{guard, library};
use crate::{Certificate, SealError, SecretCertificate};

/// A session key as a PKESK carried it.
pub(crate) struct Session {
    pub(crate) key: RawSessionKey,
    /// The cipher, which only a version 3 PKESK tells.
    pub(crate) sym: Option<SymmetricKeyAlgorithm>,
}

/// Draws a session key for a cipher.
pub(crate) fn draw(
    rng: &mut (impl RngCore + CryptoRng),
    sym: SymmetricKeyAlgorithm,
) -> RawSessionKey {
    let mut key = Zeroizing::new(vec![0; sym.key_size()]);
    rng.fill_bytes(&mut key);
    RawSessionKey::from(key)
}

/// Encrypts a session key to a certificate: a whole PKESK packet, header included.
pub(crate) fn seal(
    rng: &mut (impl RngCore + CryptoRng),
    to: &Certificate,
    key: &RawSessionKey,
) -> Result<Vec<u8>, SealError> {
    library("encrypt a session key", || {
        let pkesk = match to.suite() {
            Suite::V1(sym) => {
                PublicKeyEncryptedSessionKey::from_session_key_v3(rng, key, sym, to.subkey())
            }
            Suite::V2(..) => {
                PublicKeyEncryptedSessionKey::from_session_key_v6(rng, key, to.subkey())
            }
        }?;
        let mut packet = Vec::with_capacity(pkesk.write_len_with_header());
        pkesk.to_writer_with_header(&mut packet)?;
        Ok(packet)
    })
}

/// Decrypts the session key of an admitted PKESK out of the `input` that was admitted.
pub(crate) fn open(
    input: &[u8],
    pkesk: &Pkesk,
    key: &SecretCertificate,
) -> Result<Session, SealError> {
    let mut packet = input.get(pkesk.packet.clone()).unwrap_or_default();
    let opened = guard("decrypt a session key", || {
        let header = PacketHeader::try_from_reader(&mut packet)?;
        let parsed = PublicKeyEncryptedSessionKey::try_from_reader(header, packet)?;
        let version = if pkesk.version == 3 {
            EskType::V3_4
        } else {
            EskType::V6
        };
        key.secret_subkey()
            .decrypt(&Password::empty(), parsed.values()?, version)?
    })?;
    // Why it failed is nobody's business: the reasons would tell about the padding.
    match opened.map_err(|_| SealError::NotAuthentic)? {
        PlainSessionKey::V3_4 { ref key, sym_alg } => Ok(Session {
            key: key.clone(),
            sym: Some(sym_alg),
        }),
        PlainSessionKey::V6 { ref key } => Ok(Session {
            key: key.clone(),
            sym: None,
        }),
        _ => Err(SealError::NotAuthentic),
    }
}
