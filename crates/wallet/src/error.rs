//! What can go wrong with a wallet.

use alloy_primitives::Address;

/// Why a key, signature, phrase, delegation or keystore was refused.
///
/// No variant ever carries secret material: a phrase's faulty word is named by its position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalletError {
    /// The secret is not 32 bytes, zero, or not below the order of the curve.
    #[error("secret key is not a number of 32 bytes between 1 and the order of secp256k1")]
    BadSecret,
    /// Text that should be hex is not, or has the wrong length.
    #[error("{what} is not {bytes} bytes of hex")]
    BadHex {
        /// What was being read.
        what: &'static str,
        /// How many bytes it should have.
        bytes: usize,
    },
    /// The text is not `0x` and 40 hex digits.
    #[error("address {given:?} is not 0x and 40 hex digits")]
    BadAddress {
        /// The first characters of what was given.
        given: String,
    },
    /// Upper and lower case of the address contradict its EIP-55 checksum: probably a typo.
    #[error("address {given} has a wrong checksum, expected {expected}")]
    AddressChecksum {
        /// As it was given.
        given: String,
        /// The same digits with their right checksum.
        expected: String,
    },
    /// The signature is malformed or not in its one canonical form.
    #[error("signature refused: {0}")]
    BadSignature(&'static str),
    /// No public key could be recovered from the signature.
    #[error("no signer can be recovered from the signature")]
    NoSigner,
    /// The signature is somebody else's.
    #[error("signed by {found}, expected {expected}")]
    WrongSigner {
        /// Who should have signed.
        expected: Address,
        /// Who did.
        found: Address,
    },
    /// A signer outside of this crate (hardware, remote) failed.
    #[error("signer failed: {0}")]
    Signer(String),
    /// A phrase has 12, 15, 18, 21 or 24 words.
    #[error("phrase has {0} words, expected 12, 15, 18, 21 or 24")]
    PhraseLength(usize),
    /// A word is not in the English list of BIP-39. Counted from 1.
    #[error("word {0} of the phrase is not in the english list")]
    PhraseWord(usize),
    /// All words exist but do not belong together: one is wrong or two are exchanged.
    #[error("phrase has a wrong checksum, a word is mistyped or misplaced")]
    PhraseChecksum,
    /// The phrase or passphrase is longer than [`MAX_PHRASE_BYTES`](crate::MAX_PHRASE_BYTES).
    #[error("phrase or passphrase of {given} bytes is over the limit of {limit}")]
    PhraseTooLong {
        /// Its length in bytes.
        given: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The path has no key at this index (BIP-32: at or above 2³¹, or the one in 2¹²⁷).
    #[error("no wallet at index {0} of the phrase")]
    PhraseIndex(u32),
    /// Not a canonical list of known scopes.
    #[error("scope {0:?} is not one of request / message / request,message")]
    BadScope(String),
    /// The delegation lives not at all or too long.
    #[error("delegation from {valid_from} to {expires_at} must last 1 to {limit} seconds")]
    Lifetime {
        /// Start, unix seconds.
        valid_from: u64,
        /// End, unix seconds.
        expires_at: u64,
        /// The longest lifetime in seconds.
        limit: u64,
    },
    /// The delegation starts later than now, by more than clocks may differ.
    #[error("delegation is valid from {valid_from}, it is {now}")]
    NotYetValid {
        /// Start, unix seconds.
        valid_from: u64,
        /// Now, unix seconds.
        now: u64,
    },
    /// The delegation is over.
    #[error("delegation expired at {expires_at}, it is {now}")]
    Expired {
        /// End, unix seconds.
        expires_at: u64,
        /// Now, unix seconds.
        now: u64,
    },
    /// The delegation does not cover what is being done.
    #[error("delegation is for {granted}, not for {needed}")]
    OutOfScope {
        /// What the delegation allows.
        granted: crate::Scope,
        /// What was needed.
        needed: crate::Scope,
    },
    /// The delegation names another device than the key at hand.
    #[error("delegation is for device {expected}, the key is {found}")]
    WrongDevice {
        /// The device that the delegation names.
        expected: Address,
        /// The address of the key.
        found: Address,
    },
    /// The keystore is not JSON of the version 3 shape.
    #[error("keystore is malformed: {0}")]
    KeystoreJson(String),
    /// The keystore uses something that we do not know.
    #[error("keystore field {field} has the unsupported value {given:?}")]
    KeystoreUnsupported {
        /// The JSON field.
        field: &'static str,
        /// The first characters of its value.
        given: String,
    },
    /// The keystore asks for more memory or work than we give to a file.
    #[error("keystore field {field} asks for {given}, over the limit of {limit}")]
    KeystoreLimit {
        /// The JSON field, or what it amounts to.
        field: &'static str,
        /// What it asks for.
        given: u64,
        /// Our limit.
        limit: u64,
    },
    /// The password does not open this keystore (or the file was altered: the two look alike).
    #[error("wrong password for this keystore")]
    WrongPassword,
    /// The keystore states another address than its key has.
    #[error("keystore states {stated} but holds {found}")]
    KeystoreAddress {
        /// In the file.
        stated: Address,
        /// Of the key inside.
        found: Address,
    },
}

/// The longest piece of somebody else's text that an error repeats.
const EXCERPT_CHARS: usize = 48;

/// The beginning of `text`, so that an error stays short whatever was given.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT_CHARS).collect()
}
