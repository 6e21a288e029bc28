//! What can go wrong, with the file to look into.

use std::{fmt, path::PathBuf};

/// Why devnet gave up.
#[derive(Debug)]
pub(crate) enum Error {
    /// A process failed, or said something that was not expected.
    Process {
        /// Which one and what.
        what: String,
        /// What it wrote.
        log: PathBuf,
    },
    /// Figures or sights differ from what they should be.
    Differs(String),
    /// Something of the system.
    System(String),
    /// Ctrl-C.
    Interrupted,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { what, log } => write!(f, "{what}; its log is {}", log.display()),
            Self::Differs(what) => write!(f, "differs: {what}"),
            Self::System(what) => f.write_str(what),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// What most functions here return.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Says what was tried when the system refused.
pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
    let what = what.into();
    move |error| Error::System(format!("{what}: {error}"))
}
