//! A message with what its maker knows of it.

/// One message in binary.
pub(crate) struct Sample {
    /// Who made it and what is special about it.
    pub(crate) name: String,
    pub(crate) octets: Vec<u8>,
    /// Whom the maker addressed, in order: hexadecimal, or "wildcard".
    pub(crate) recipients: Vec<String>,
    /// Whether it is encrypted to a password as well.
    pub(crate) has_password: bool,
    /// The packets inside, where the test can open it.
    pub(crate) inside: Option<Inside>,
}

/// What is found after decryption.
pub(crate) enum Inside {
    Compressed(Vec<u8>),
    Content {
        plaintext: Vec<u8>,
        content: Vec<u8>,
        signatures: usize,
    },
}
