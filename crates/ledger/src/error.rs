use thiserror::Error;

/// Why a value could not be read or computed.
///
/// What the books themselves refuse is a [`Refusal`](crate::Refusal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The result does not fit the integer that holds it.
    #[error("{what} is larger than the ledger can hold")]
    Overflow {
        /// What was computed.
        what: &'static str,
    },
    /// The text is not a decimal number in its only form: digits, no sign, no leading zero.
    #[error("not a decimal number of picodollars")]
    NotDecimal,
    /// The text is not 32 hexadecimal digits.
    #[error("not an id of 32 hexadecimal digits")]
    NotAnId,
    /// A stored row has another length than its kind.
    #[error("a row of {len} bytes, expected {expected}")]
    RowLength {
        /// The length found.
        len: usize,
        /// The length of this kind of row.
        expected: usize,
    },
    /// A stored row was written in a version that this code does not read.
    #[error("a row of version {version}, only {known} is known")]
    RowVersion {
        /// The version byte found.
        version: u8,
        /// The version this code writes.
        known: u8,
    },
    /// A stored row holds a tag without a meaning.
    #[error("unknown {what} tag {tag} in a row")]
    RowTag {
        /// The field the tag belongs to.
        what: &'static str,
        /// The tag found.
        tag: u8,
    },
    /// The fields of a transfer contradict each other.
    #[error("a transfer whose fields contradict each other: {reason}")]
    Contradiction {
        /// Which rule is broken.
        reason: &'static str,
    },
}
