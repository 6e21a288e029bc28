//! What can be wrong with bytes: while reading a head, and while admitting a whole packet.

/// Why the framing of a packet sequence could not be read.
///
/// Offsets count octets from the start of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The input is a prefix that ends too early; nothing in it is wrong so far.
    #[error("input ends early: at least {needed} octets are needed")]
    Truncated {
        /// The least length of input with which the reader gets further than now.
        needed: usize,
    },
    /// Bit 7 of a packet's first octet is clear, so no packet starts here (RFC 9580 §4.2).
    #[error("no OpenPGP packet starts at offset {offset}: first octet is {octet:#04x}")]
    NotOpenPgp {
        /// Where a packet should start.
        offset: usize,
        /// What stands there.
        octet: u8,
    },
    /// A packet whose length must be known up front has a partial one (RFC 9580 §4.2.1.4).
    #[error("packet with tag {tag} at offset {offset} has a partial length")]
    PartialLength {
        /// Where the packet starts.
        offset: usize,
        /// Its packet type ID.
        tag: u8,
    },
    /// A packet of the legacy format with indeterminate length (RFC 9580 §4.2.2).
    #[error("packet with tag {tag} at offset {offset} has an indeterminate length")]
    IndeterminateLength {
        /// Where the packet starts.
        offset: usize,
        /// Its packet type ID.
        tag: u8,
    },
    /// A packet states a length above the limit for its type.
    #[error(
        "packet with tag {tag} at offset {offset} states {length} octets, more than the {limit} allowed"
    )]
    BodyTooLong {
        /// Where the packet starts.
        offset: usize,
        /// Its packet type ID.
        tag: u8,
        /// The stated length of its body.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A packet's body ends before its fixed fields do.
    #[error("packet with tag {tag} at offset {offset} is too short: {length} octets")]
    BodyTooShort {
        /// Where the packet starts.
        offset: usize,
        /// Its packet type ID.
        tag: u8,
        /// The length of its body.
        length: usize,
    },
    /// A PKESK of a version other than 3 and 6 (RFC 9580 §5.1).
    #[error("PKESK at offset {offset} has unknown version {version}")]
    PkeskVersion {
        /// Where the packet starts.
        offset: usize,
        /// Its version octet.
        version: u8,
    },
    /// A version 6 PKESK names a key of a version other than 4 and 6 (RFC 9580 §5.1.2).
    #[error("PKESK at offset {offset} names a key of unknown version {version}")]
    KeyVersion {
        /// Where the packet starts.
        offset: usize,
        /// The key version octet.
        version: u8,
    },
    /// The length octet before a version 6 PKESK's fingerprint does not fit the key version.
    #[error("PKESK at offset {offset} gives {length} octets to a version {version} fingerprint")]
    FingerprintLength {
        /// Where the packet starts.
        offset: usize,
        /// The key version octet.
        version: u8,
        /// The length octet, which counts the key version and the fingerprint.
        length: u8,
    },
    /// More packets of one kind before the encrypted data than the reader follows.
    #[error("more than {limit} packets with tag {tag}, counted at offset {offset}")]
    TooManyPackets {
        /// Where the first packet too many starts.
        offset: usize,
        /// Its packet type ID.
        tag: u8,
        /// The limit.
        limit: usize,
    },
    /// The packets before the encrypted data reach beyond [`HEAD_MAX`](crate::HEAD_MAX).
    #[error("head reaches to offset {end}, beyond the {limit} octets allowed")]
    HeadTooLong {
        /// The offset at which the packet that passes the limit would end.
        end: usize,
        /// The limit.
        limit: usize,
    },
    /// A packet that has no business at this place.
    #[error("packet with tag {tag} at offset {offset} is not expected there")]
    UnexpectedPacket {
        /// Where the packet starts.
        offset: usize,
        /// Its packet type ID.
        tag: u8,
    },
    /// No packet of the head names a recipient.
    #[error("no recipient before the packet with tag {tag} at offset {offset}")]
    NoRecipient {
        /// Where the first packet behind the head starts.
        offset: usize,
        /// Its packet type ID.
        tag: u8,
    },
    /// The stated lengths do not fit the address space of this machine.
    #[error("stated lengths overflow at offset {offset}")]
    Overflow {
        /// Where the packet starts.
        offset: usize,
    },
}

impl ReadError {
    /// Whether more input may cure it.
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        matches!(self, Self::Truncated { .. })
    }
}

/// Why a whole packet or message was not admitted to opening.
///
/// Offsets count octets from the start of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The framing itself is broken or incomplete.
    #[error(transparent)]
    Framing(#[from] ReadError),
    /// The total size is not one that the network uses.
    #[error("{size} octets is not a packet size of this network")]
    Size {
        /// The total size.
        size: usize,
    },
    /// Something follows what should be the end.
    #[error("{count} octets follow the end at offset {offset}")]
    TrailingOctets {
        /// Where the end should be.
        offset: usize,
        /// How many octets follow.
        count: usize,
    },
    /// More PKESKs than [`MESSAGE_PKESKS_MAX`](crate::MESSAGE_PKESKS_MAX).
    #[error("more than {limit} PKESKs")]
    TooManyPkesks {
        /// The limit.
        limit: usize,
    },
    /// A public-key algorithm that we do not open.
    #[error("PKESK at offset {offset} uses public-key algorithm {algorithm}")]
    PublicKeyAlgorithm {
        /// Where the PKESK starts.
        offset: usize,
        /// The algorithm octet.
        algorithm: u8,
    },
    /// The fields behind the algorithm octet are not what the algorithm has.
    #[error("PKESK at offset {offset} has malformed fields for public-key algorithm {algorithm}")]
    PkeskFields {
        /// Where the PKESK starts.
        offset: usize,
        /// The algorithm octet.
        algorithm: u8,
    },
    /// PKESK v3 belongs to SEIPD v1 and PKESK v6 to SEIPD v2 (RFC 9580 §10.3.2.1).
    #[error("PKESK v{pkesk} in front of SEIPD v{seipd}")]
    VersionMismatch {
        /// The version of the PKESK.
        pkesk: u8,
        /// The version of the SEIPD.
        seipd: u8,
    },
    /// A SEIPD of a version other than 1 and 2.
    #[error("SEIPD has unknown version {version}")]
    SeipdVersion {
        /// The version octet.
        version: u8,
    },
    /// A SEIPD too short to hold anything.
    #[error("SEIPD v{version} is too short: {length} octets")]
    SeipdTooShort {
        /// The version octet.
        version: u8,
        /// The length of its body in octets.
        length: usize,
    },
    /// A cipher other than AES-128, AES-192 and AES-256.
    #[error("SEIPD uses symmetric algorithm {value}")]
    SymmetricAlgorithm {
        /// The symmetric algorithm octet.
        value: u8,
    },
    /// An AEAD mode other than EAX, OCB and GCM.
    #[error("SEIPD uses AEAD algorithm {value}")]
    AeadAlgorithm {
        /// The AEAD algorithm octet.
        value: u8,
    },
    /// Chunks so large that the opener would have to reserve too much memory.
    #[error("SEIPD has chunk size octet {value}, more than the {limit} allowed")]
    ChunkSize {
        /// The chunk size octet `c`: chunks are `2^(c + 6)` octets.
        value: u8,
        /// The limit.
        limit: u8,
    },
    /// A partial body length below [`PARTIAL_MIN`](crate::PARTIAL_MIN).
    #[error("partial length of {length} octets at offset {offset}")]
    PartialTooShort {
        /// Where the length octet stands.
        offset: usize,
        /// The length in octets.
        length: usize,
    },
    /// More partial body lengths than [`PARTIALS_MAX`](crate::PARTIALS_MAX).
    #[error("more than {limit} partial lengths")]
    TooManyPartials {
        /// The limit.
        limit: usize,
    },
    /// The content is compressed: ask the sender to switch compression off.
    #[error("content at offset {offset} is compressed")]
    Compressed {
        /// Where the compressed data packet starts.
        offset: usize,
    },
    /// More signatures around one literal than [`SIGNATURES_MAX`](crate::SIGNATURES_MAX).
    #[error("more than {limit} signatures")]
    TooManySignatures {
        /// The limit.
        limit: usize,
    },
    /// The one-pass signatures announced and the signatures found differ in number.
    #[error("{announced} signatures announced, {found} found")]
    SignatureCount {
        /// How many one-pass signature packets precede the literal.
        announced: usize,
        /// How many signature packets follow it.
        found: usize,
    },
}

impl Refused {
    /// Whether more input may cure it.
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        matches!(self, Self::Framing(error) if error.is_truncated())
    }
}
