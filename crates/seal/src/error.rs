use layer_minus_packet::Refused;
use thiserror::Error;

/// Why something could not be sealed or opened.
///
/// No variant carries key material or plaintext, and the failures that an attacker could tell
/// apart to learn about either (padding, prefix, tag) are one: [`SealError::NotAuthentic`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// None of the keys at hand is the recipient's.
    #[error("no key for this recipient")]
    NoKey,
    /// The bytes are not of the one shape that we open; the reader says where they differ.
    #[error("not admitted to opening: {0}")]
    NotAdmitted(#[source] Refused),
    /// The ciphertext was changed, or the session key is not its key.
    #[error("not authentic: the bytes were changed, or the key is another one")]
    NotAuthentic,
    /// The content is compressed, which a small packet can use to fill the memory.
    #[error("compressed content is refused: encrypt without compression (gpg -z 0)")]
    Compressed,
    /// An input is longer than its limit; both in bytes.
    #[error("too large: {len} bytes, at most {limit}")]
    TooLarge {
        /// What was offered.
        len: usize,
        /// What is allowed.
        limit: usize,
    },
    /// A size was asked for that cannot be reached; both in bytes.
    #[error("size {size} cannot be reached, at least {needed} bytes are needed")]
    SizeUnreachable {
        /// What was asked for.
        size: usize,
        /// What the content and its framing take.
        needed: usize,
    },
    /// A certificate that we do not accept.
    #[error("certificate refused: {0}")]
    Certificate(&'static str),
    /// A secret key that we do not accept.
    #[error("secret key refused: {0}")]
    SecretKey(&'static str),
    /// A known shape with an algorithm that we do not use.
    #[error("algorithm not accepted: {0}")]
    Algorithm(&'static str),
    /// Armor that cannot be decoded.
    #[error("armor cannot be decoded: {0}")]
    Armor(&'static str),
    /// A record of an answer that is shorter than its framing or states a wrong length.
    #[error("malformed record: {0}")]
    Record(&'static str),
    /// One reply key sealed as many records as it may.
    #[error("the reply key has sealed all the records that it may")]
    RecordsExhausted,
    /// The password does not open this file.
    #[error("wrong password")]
    WrongPassword,
    /// A file that is not one of ours encrypted with a password.
    #[error("not a password-encrypted file: {0}")]
    PasswordFile(&'static str),
    /// A moment outside of what OpenPGP can express (seconds since 1970 in 32 bits).
    #[error("time {0} is outside of OpenPGP's range")]
    Time(u64),
    /// The OpenPGP library refused a step; its own message is withheld, it may quote its input.
    #[error("the OpenPGP library refused to {0}")]
    Library(&'static str),
    /// The OpenPGP library panicked; caught, and its message withheld.
    #[error("the OpenPGP library panicked while it was to {0}")]
    Panicked(&'static str),
}

impl From<Refused> for SealError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Compressed { .. } => Self::Compressed,
            refused => Self::NotAdmitted(refused),
        }
    }
}
