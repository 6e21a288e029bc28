//! From a password to a key, within bounds.

use crate::error::{WalletError, excerpt};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The most memory that scrypt may take: 512 MiB. The usual parameters take 256.
pub const MAX_SCRYPT_MEMORY_BYTES: u64 = 512 << 20;

/// The most that scrypt may write in all, which is what its time goes by: 2 GiB (some 4 s).
pub const MAX_SCRYPT_WORK_BYTES: u64 = 2 << 30;

/// The most rounds of PBKDF2 (some 5 s).
pub const MAX_PBKDF2_ROUNDS: u32 = 10_000_000;

/// The longest salt; 32 is usual.
pub(super) const MAX_SALT_BYTES: usize = 128;

/// `dklen` may only be this: 16 bytes to encrypt and 16 for the MAC.
pub(super) const DERIVED_BYTES: usize = 32;

/// How a password becomes a key: how long an attacker needs per guess.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kdf {
    /// scrypt with n = 2¹⁸, r = 8, p = 1: 256 MiB and about a second. What geth writes.
    #[default]
    Standard,
    /// scrypt with n = 2¹⁵, r = 8, p = 1: 32 MiB and about a tenth of a second. For tests, the
    /// local network, and machines without memory.
    Light,
    /// scrypt with parameters of one's own; `n` is 2 to the power of `log_n`.
    Scrypt {
        /// Binary logarithm of `n`.
        log_n: u8,
        /// Block size.
        r: u32,
        /// Parallelism.
        p: u32,
    },
    /// PBKDF2-HMAC-SHA-256 with `c` rounds: for machines that cannot spare memory.
    Pbkdf2 {
        /// Rounds.
        c: u32,
    },
}

/// A checked KDF with its salt. Deriving takes no more than the limits above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Derivation {
    pub(super) function: Function,
    pub(super) salt: Vec<u8>,
}

/// As the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Scrypt { log_n: u8, r: u32, p: u32 },
    Pbkdf2 { c: u32 },
}

impl Derivation {
    pub(super) fn new(kdf: Kdf, salt: Vec<u8>) -> Result<Self, WalletError> {
        let function = match kdf {
            Kdf::Standard => Function::Scrypt {
                log_n: 18,
                r: 8,
                p: 1,
            },
            Kdf::Light => Function::Scrypt {
                log_n: 15,
                r: 8,
                p: 1,
            },
            Kdf::Scrypt { log_n, r, p } => Function::Scrypt { log_n, r, p },
            Kdf::Pbkdf2 { c } => Function::Pbkdf2 { c },
        };
        Self::checked(function, salt)
    }

    /// Refuses whatever would take too much memory or time.
    pub(super) fn checked(function: Function, salt: Vec<u8>) -> Result<Self, WalletError> {
        bound("kdfparams.salt", salt.len() as u64, MAX_SALT_BYTES as u64)?;
        match function {
            Function::Scrypt { log_n, r, p } => {
                let n = 1_u64.checked_shl(log_n.into()).unwrap_or(u64::MAX);
                let (r_bytes, p) = (128 * u64::from(r), u64::from(p));
                let memory = r_bytes.saturating_mul(n.saturating_add(p));
                bound("scrypt memory", memory, MAX_SCRYPT_MEMORY_BYTES)?;
                let work = r_bytes.saturating_mul(n).saturating_mul(p);
                bound("scrypt work", work, MAX_SCRYPT_WORK_BYTES)?;
                scrypt_params(log_n, r, u32::try_from(p).unwrap_or(u32::MAX))?;
            }
            Function::Pbkdf2 { c } => {
                if c == 0 {
                    return Err(unsupported("kdfparams.c", "0"));
                }
                bound("kdfparams.c", c.into(), MAX_PBKDF2_ROUNDS.into())?;
            }
        }
        Ok(Self { function, salt })
    }

    pub(super) fn derive(
        &self,
        password: &[u8],
    ) -> Result<Zeroizing<[u8; DERIVED_BYTES]>, WalletError> {
        let mut key = Zeroizing::new([0; DERIVED_BYTES]);
        match self.function {
            Function::Scrypt { log_n, r, p } => {
                let params = scrypt_params(log_n, r, p)?;
                scrypt::scrypt(password, &self.salt, &params, key.as_mut_slice())
                    .map_err(|_| unsupported("kdfparams.dklen", "32"))?;
            }
            Function::Pbkdf2 { c } => {
                pbkdf2::pbkdf2_hmac::<Sha256>(password, &self.salt, c, key.as_mut_slice());
            }
        }
        Ok(key)
    }
}

fn scrypt_params(log_n: u8, r: u32, p: u32) -> Result<scrypt::Params, WalletError> {
    // n = 1 would be no scrypt (RFC 7914 wants more), and the crate lets it pass.
    if log_n == 0 {
        return Err(unsupported("kdfparams.n", "1"));
    }
    scrypt::Params::new(log_n, r, p, DERIVED_BYTES)
        .map_err(|_| unsupported("kdfparams", &format!("n=2^{log_n} r={r} p={p}")))
}

fn bound(field: &'static str, given: u64, limit: u64) -> Result<(), WalletError> {
    if given > limit {
        return Err(WalletError::KeystoreLimit {
            field,
            given,
            limit,
        });
    }
    Ok(())
}

pub(super) fn unsupported(field: &'static str, given: &str) -> WalletError {
    WalletError::KeystoreUnsupported {
        field,
        given: excerpt(given),
    }
}
