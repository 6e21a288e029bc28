//! The version 3 JSON shape, and its way into checked values and back.

use super::{
    Keystore,
    kdf::{DERIVED_BYTES, Derivation, Function, unsupported},
};
use crate::{address::parse_address, error::WalletError};
use serde::{Deserialize, Serialize};

/// The longest identifier that is kept; a UUID has 36 characters.
const MAX_ID_BYTES: usize = 64;

#[derive(Serialize, Deserialize)]
pub(super) struct RawKeystore {
    version: u64,
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(alias = "Crypto")]
    crypto: RawCrypto,
}

#[derive(Serialize, Deserialize)]
struct RawCrypto {
    cipher: String,
    cipherparams: RawCipherParams,
    ciphertext: String,
    kdf: String,
    kdfparams: RawKdfParams,
    mac: String,
}

#[derive(Serialize, Deserialize)]
struct RawCipherParams {
    iv: String,
}

/// Of both functions; which fields must be there depends on `kdf`.
#[derive(Serialize, Deserialize)]
struct RawKdfParams {
    dklen: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prf: Option<String>,
    salt: String,
}

const CIPHER: &str = "aes-128-ctr";
const SCRYPT: &str = "scrypt";
const PBKDF2: &str = "pbkdf2";
const PRF: &str = "hmac-sha256";

impl TryFrom<RawKeystore> for Keystore {
    type Error = WalletError;

    fn try_from(raw: RawKeystore) -> Result<Self, WalletError> {
        if raw.version != 3 {
            return Err(unsupported("version", &raw.version.to_string()));
        }
        if raw.id.len() > MAX_ID_BYTES {
            return Err(unsupported("id", &raw.id));
        }
        if raw.crypto.cipher != CIPHER {
            return Err(unsupported("crypto.cipher", &raw.crypto.cipher));
        }
        let ciphertext = bytes("crypto.ciphertext", &raw.crypto.ciphertext)?;
        if !(1..=32).contains(&ciphertext.len()) {
            return Err(WalletError::BadHex {
                what: "crypto.ciphertext",
                bytes: 32,
            });
        }
        Ok(Self {
            id: raw.id,
            address: raw
                .address
                .as_deref()
                .filter(|a| !a.is_empty())
                .map(address)
                .transpose()?,
            iv: array("crypto.cipherparams.iv", &raw.crypto.cipherparams.iv)?,
            ciphertext,
            derivation: derivation(&raw.crypto.kdf, &raw.crypto.kdfparams)?,
            mac: array("crypto.mac", &raw.crypto.mac)?,
        })
    }
}

impl From<Keystore> for RawKeystore {
    fn from(keystore: Keystore) -> Self {
        let Derivation { function, salt } = keystore.derivation;
        let blank = RawKdfParams {
            dklen: DERIVED_BYTES as u64,
            n: None,
            r: None,
            p: None,
            c: None,
            prf: None,
            salt: hex::encode(salt),
        };
        let (kdf, kdfparams) = match function {
            Function::Scrypt { log_n, r, p } => {
                let n = 1_u64.checked_shl(log_n.into());
                (
                    SCRYPT,
                    RawKdfParams {
                        n,
                        r: Some(r),
                        p: Some(p),
                        ..blank
                    },
                )
            }
            Function::Pbkdf2 { c } => (
                PBKDF2,
                RawKdfParams {
                    c: Some(c),
                    prf: Some(PRF.to_owned()),
                    ..blank
                },
            ),
        };
        Self {
            version: 3,
            id: keystore.id,
            address: keystore.address.map(hex::encode),
            crypto: RawCrypto {
                cipher: CIPHER.to_owned(),
                cipherparams: RawCipherParams {
                    iv: hex::encode(keystore.iv),
                },
                ciphertext: hex::encode(keystore.ciphertext),
                kdf: kdf.to_owned(),
                kdfparams,
                mac: hex::encode(keystore.mac),
            },
        }
    }
}

fn derivation(kdf: &str, params: &RawKdfParams) -> Result<Derivation, WalletError> {
    // A longer key would be cut to this anyway, for more work.
    if params.dklen != DERIVED_BYTES as u64 {
        return Err(unsupported(
            "crypto.kdfparams.dklen",
            &params.dklen.to_string(),
        ));
    }
    let missing = |field: &str| {
        WalletError::KeystoreJson(format!("kdf {kdf} needs the field kdfparams.{field}"))
    };
    let function = match kdf {
        SCRYPT => {
            let n = params.n.ok_or_else(|| missing("n"))?;
            if !n.is_power_of_two() {
                return Err(unsupported("crypto.kdfparams.n", &n.to_string()));
            }
            Function::Scrypt {
                log_n: n.trailing_zeros() as u8,
                r: params.r.ok_or_else(|| missing("r"))?,
                p: params.p.ok_or_else(|| missing("p"))?,
            }
        }
        PBKDF2 => {
            let prf = params.prf.as_deref().ok_or_else(|| missing("prf"))?;
            if prf != PRF {
                return Err(unsupported("crypto.kdfparams.prf", prf));
            }
            Function::Pbkdf2 {
                c: params.c.ok_or_else(|| missing("c"))?,
            }
        }
        other => return Err(unsupported("crypto.kdf", other)),
    };
    Derivation::checked(function, bytes("crypto.kdfparams.salt", &params.salt)?)
}

/// geth writes the address without `0x` and in lowercase, others differ.
fn address(text: &str) -> Result<alloy_primitives::Address, WalletError> {
    if text.starts_with("0x") {
        parse_address(text)
    } else {
        parse_address(&format!("0x{text}"))
    }
}

fn bytes(what: &'static str, text: &str) -> Result<Vec<u8>, WalletError> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    hex::decode(digits).map_err(|_| WalletError::BadHex {
        what,
        bytes: digits.len() / 2,
    })
}

fn array<const N: usize>(what: &'static str, text: &str) -> Result<[u8; N], WalletError> {
    bytes(what, text)?
        .try_into()
        .map_err(|_| WalletError::BadHex { what, bytes: N })
}
