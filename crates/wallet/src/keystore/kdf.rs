//! From a password to a key, within bounds.

use crate::error::{WalletError, excerpt};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The most memory that scrypt may take (128 n r): 512 MiB. The usual parameters take 256.
pub const MAX_SCRYPT_MEMORY_BYTES: u64 = 512 << 20;

/// The most that scrypt may write in all (128 n r p), which is what its time goes by: 1 GiB, four
/// times the usual parameters.
pub const MAX_SCRYPT_WORK_BYTES: u64 = 1 << 30;

/// The most rounds of PBKDF2: some seconds. Usual are 262,144.
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
                let row = 128 * u64::from(r);
                // Its table has n rows and its working block p. With the work bounded too, they
                // cannot both be large.
                let memory = row.saturating_mul(n.max(p.into()));
                bound("scrypt memory", memory, MAX_SCRYPT_MEMORY_BYTES)?;
                let work = row.saturating_mul(n).saturating_mul(p.into());
                bound("scrypt work", work, MAX_SCRYPT_WORK_BYTES)?;
                scrypt_params(log_n, r, p)?;
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
    scrypt::Params::new(log_n, r, p)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(log_n: u8, r: u32, p: u32) -> Result<(), WalletError> {
        Derivation::new(Kdf::Scrypt { log_n, r, p }, vec![0; 32]).map(|_| ())
    }

    fn field(result: Result<(), WalletError>) -> &'static str {
        match result.unwrap_err() {
            WalletError::KeystoreLimit { field, .. }
            | WalletError::KeystoreUnsupported { field, .. } => field,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_usual_parameters_are_within_the_limits() {
        assert!(Derivation::new(Kdf::default(), vec![0; 32]).is_ok());
        assert_eq!(Kdf::default(), Kdf::Standard);
        // geth's light ones; those of old Python programs; the most memory.
        for (log_n, r, p) in [(12, 8, 6), (18, 1, 8), (19, 8, 1), (19, 8, 2), (1, 1, 1)] {
            assert_eq!(check(log_n, r, p), Ok(()), "2^{log_n} {r} {p}");
        }
    }

    #[test]
    fn memory_and_work_are_bounded() {
        for (log_n, r, p) in [
            (20, 8, 1),
            (1, 8, 1 << 20),
            (63, 1, 1),
            (255, 1, 1),
            (22, 2, 1),
        ] {
            assert_eq!(
                field(check(log_n, r, p)),
                "scrypt memory",
                "2^{log_n} {r} {p}"
            );
        }
        for (log_n, r, p) in [(19, 8, 3), (10, 8, 1025), (2, 1 << 20, 3)] {
            assert_eq!(
                field(check(log_n, r, p)),
                "scrypt work",
                "2^{log_n} {r} {p}"
            );
        }
        assert_eq!(field(check(18, u32::MAX, u32::MAX)), "scrypt memory");
        assert_eq!(field(check(255, u32::MAX, u32::MAX)), "scrypt memory");
        let pbkdf2 = |c, salt| Derivation::new(Kdf::Pbkdf2 { c }, vec![0; salt]).map(|_| ());
        assert_eq!(pbkdf2(MAX_PBKDF2_ROUNDS, MAX_SALT_BYTES), Ok(()));
        assert_eq!(field(pbkdf2(MAX_PBKDF2_ROUNDS + 1, 32)), "kdfparams.c");
        assert_eq!(field(pbkdf2(1, MAX_SALT_BYTES + 1)), "kdfparams.salt");
    }

    #[test]
    fn parameters_that_mean_nothing_are_refused() {
        assert_eq!(field(check(18, 0, 1)), "kdfparams");
        assert_eq!(field(check(18, 8, 0)), "kdfparams");
        assert_eq!(field(check(0, 8, 1)), "kdfparams.n");
        assert_eq!(
            field(Derivation::new(Kdf::Pbkdf2 { c: 0 }, vec![]).map(|_| ())),
            "kdfparams.c"
        );
    }

    /// RFC 7914, section 11 (PBKDF2) and section 12 (scrypt), the first 32 bytes of each.
    #[test]
    fn derives_what_the_rfc_says() {
        let derive = |kdf, password: &[u8], salt: &[u8]| {
            let derivation = Derivation::new(kdf, salt.to_vec()).unwrap();
            hex::encode(derivation.derive(password).unwrap().as_slice())
        };
        assert_eq!(
            derive(Kdf::Pbkdf2 { c: 80_000 }, b"Password", b"NaCl"),
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
        );
        assert_eq!(
            derive(
                Kdf::Scrypt {
                    log_n: 4,
                    r: 1,
                    p: 1
                },
                b"",
                b""
            ),
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
        );
        assert_eq!(
            derive(
                Kdf::Scrypt {
                    log_n: 10,
                    r: 8,
                    p: 16
                },
                b"password",
                b"NaCl"
            ),
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
        );
    }
}
