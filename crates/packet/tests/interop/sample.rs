//! A message with what its maker knows of it, and the rule for missing tools.

use std::io::Write as _;

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

/// `tool`, or nothing after saying how to install it; a panic if it must be there.
pub(crate) fn required<T>(tool: Option<T>, install: &str) -> Option<T> {
    if tool.is_none() {
        let line = format!("skipped: a tool is missing; install it with: {install}");
        assert!(
            std::env::var_os("REQUIRE_INTEROP").is_none_or(|value| value != "1"),
            "{line}"
        );
        #[allow(
            clippy::explicit_write,
            reason = "the test harness swallows `eprintln!`"
        )]
        writeln!(std::io::stderr(), "{line}").unwrap();
    }
    tool
}
