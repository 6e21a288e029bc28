//! Names of keys: key IDs, fingerprints, and what a PKESK says of its recipient.

use std::{fmt, str::FromStr};

/// A 64-bit key ID (RFC 9580 §5.5.4): a routing hint, never authentication.
///
/// Prints as 16 lowercase hexadecimal digits and parses from 16 digits of either case.
///
/// ```
/// use layer_minus_packet::KeyId;
/// let id: KeyId = "0123456789abcdef".parse()?;
/// assert_eq!(id.to_bytes()[0], 0x01);
/// assert_eq!(id.to_string(), "0123456789abcdef");
/// # Ok::<(), layer_minus_packet::IdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 8]);

impl KeyId {
    /// From the 8 octets as they stand in a version 3 PKESK.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The 8 octets as they stand in a version 3 PKESK.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0
    }
}

/// A whole key fingerprint (RFC 9580 §5.5.4).
///
/// Prints as 40 (version 4) or 64 (version 6) lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fingerprint {
    /// Of a version 4 key: 20 octets.
    V4([u8; 20]),
    /// Of a version 6 key: 32 octets.
    V6([u8; 32]),
}

impl Fingerprint {
    /// The key ID: the last 8 octets of a version 4, the first 8 of a version 6 fingerprint.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        KeyId(match *self {
            Self::V4([.., a, b, c, d, e, f, g, h]) => [a, b, c, d, e, f, g, h],
            Self::V6([a, b, c, d, e, f, g, h, ..]) => [a, b, c, d, e, f, g, h],
        })
    }

    /// The octets of the fingerprint: 20 or 32.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }

    /// The version of the key: 4 or 6.
    #[must_use]
    pub const fn version(&self) -> u8 {
        match self {
            Self::V4(_) => 4,
            Self::V6(_) => 6,
        }
    }
}

/// Whom a PKESK says it is for (RFC 9580 §5.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recipient {
    /// A version 3 PKESK names a key ID.
    KeyId(KeyId),
    /// A version 6 PKESK names a whole fingerprint.
    Fingerprint(Fingerprint),
    /// Anonymous: whoever can open it.
    Wildcard,
}

impl Recipient {
    /// The key ID to look up; `None` for a wildcard.
    #[must_use]
    pub const fn key_id(&self) -> Option<KeyId> {
        match self {
            Self::KeyId(id) => Some(*id),
            Self::Fingerprint(fingerprint) => Some(fingerprint.key_id()),
            Self::Wildcard => None,
        }
    }

    /// Whether this names the key with that fingerprint, by as much as the PKESK tells.
    ///
    /// A wildcard names nobody, so it matches nothing.
    #[must_use]
    pub fn matches(&self, fingerprint: &Fingerprint) -> bool {
        match self {
            Self::KeyId(id) => *id == fingerprint.key_id(),
            Self::Fingerprint(named) => named == fingerprint,
            Self::Wildcard => false,
        }
    }

    /// Whether this is the anonymous recipient.
    #[must_use]
    pub const fn is_wildcard(&self) -> bool {
        matches!(self, Self::Wildcard)
    }
}

impl From<KeyId> for Recipient {
    fn from(id: KeyId) -> Self {
        Self::KeyId(id)
    }
}

impl From<Fingerprint> for Recipient {
    fn from(fingerprint: Fingerprint) -> Self {
        Self::Fingerprint(fingerprint)
    }
}

/// Why a text is not a key ID or fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The number of digits is that of no key ID or fingerprint.
    #[error("{length} characters where {expected} hexadecimal digits are expected")]
    Length {
        /// How many octets the text has.
        length: usize,
        /// What would be right.
        expected: &'static str,
    },
    /// A character is no hexadecimal digit.
    #[error("character at index {index} is not a hexadecimal digit")]
    Digit {
        /// Which octet of the text.
        index: usize,
    },
}

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], IdError> {
    let mut bytes = [0; N];
    for (index, (pair, byte)) in text.as_bytes().chunks(2).zip(&mut bytes).enumerate() {
        for (low, digit) in pair.iter().enumerate() {
            let value = char::from(*digit)
                .to_digit(16)
                .and_then(|value| u8::try_from(value).ok())
                .ok_or(IdError::Digit {
                    index: 2 * index + low,
                })?;
            *byte = *byte << 4 | value;
        }
    }
    Ok(bytes)
}

impl FromStr for KeyId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.len() {
            16 => parse_hex(text).map(Self),
            length => Err(IdError::Length {
                length,
                expected: "16",
            }),
        }
    }
}

impl FromStr for Fingerprint {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.len() {
            40 => parse_hex(text).map(Self::V4),
            64 => parse_hex(text).map(Self::V6),
            length => Err(IdError::Length {
                length,
                expected: "40 or 64",
            }),
        }
    }
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(self.as_bytes(), f)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint(v{} {self})", self.version())
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyId(id) => id.fmt(f),
            Self::Fingerprint(fingerprint) => fingerprint.fmt(f),
            Self::Wildcard => f.write_str("wildcard"),
        }
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyId(id) => id.fmt(f),
            Self::Fingerprint(fingerprint) => write!(f, "{fingerprint:?}"),
            Self::Wildcard => f.write_str("Wildcard"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_id_of_a_fingerprint_is_its_tail_in_v4_and_its_head_in_v6() {
        let v4: Fingerprint = "000102030405060708090a0b0c0d0e0f10111213".parse().unwrap();
        assert_eq!(v4.key_id().to_string(), "0c0d0e0f10111213");
        // The sample key of RFC 9580 §A.3: its primary key's fingerprint and key ID.
        let v6: Fingerprint = "cb186c4f0609a697e4d52dfa6c722b0c1f1e27c18a56708f6525ec27bad9acc9"
            .parse()
            .unwrap();
        assert_eq!(v6.key_id().to_string(), "cb186c4f0609a697");
    }

    #[test]
    fn text_of_wrong_length_or_digits_is_refused() {
        assert_eq!(
            "0123".parse::<KeyId>(),
            Err(IdError::Length {
                length: 4,
                expected: "16"
            })
        );
        assert_eq!(
            "0123456789abcdeg".parse::<KeyId>(),
            Err(IdError::Digit { index: 15 })
        );
        assert_eq!(
            "+123456789abcdef".parse::<KeyId>(),
            Err(IdError::Digit { index: 0 })
        );
        assert!("00".repeat(21).parse::<Fingerprint>().is_err());
        assert_eq!(
            "0123456789ABCDEF".parse::<KeyId>().unwrap().to_string(),
            "0123456789abcdef"
        );
    }

    #[test]
    fn a_wildcard_names_nobody() {
        let fingerprint = Fingerprint::V4([7; 20]);
        assert!(!Recipient::Wildcard.matches(&fingerprint));
        assert!(Recipient::KeyId(KeyId([7; 8])).matches(&fingerprint));
        assert!(Recipient::Fingerprint(fingerprint).matches(&fingerprint));
        assert!(!Recipient::Fingerprint(Fingerprint::V6([7; 32])).matches(&fingerprint));
    }
}
