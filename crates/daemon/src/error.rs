//! What a command can fail with, and the exit code that tells a script which kind it was.

use std::{io, path::PathBuf};

/// Exit code of a command that failed.
pub(crate) const EXIT_FAILED: u8 = 1;
/// Exit code for wrong arguments, configuration or password.
pub(crate) const EXIT_USAGE: u8 = 2;

/// Why a command of `relay` or `recipient` did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// The arguments are not understood.
    #[error("{0}")]
    Arguments(String),
    /// The arguments do not fit together.
    #[error("{0}")]
    Usage(String),
    /// The configuration cannot be used.
    #[error("config {}: {reason}", .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, with key and line where known.
        reason: String,
    },
    /// There is no password, or it is wrong.
    #[error("password: {0}")]
    Password(String),
    /// A file could not be read or written.
    #[error("cannot {what} {}: {source}", .path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Something in the way that is not overwritten.
    #[error("{} exists and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// A wallet, keystore or address.
    #[error("{what}: {source}")]
    Wallet {
        /// What was read or made.
        what: String,
        /// Why not.
        source: layer_minus_wallet::WalletError,
    },
    /// The node's certificate.
    #[error("certificate: {0}")]
    Seal(#[from] layer_minus_seal::SealError),
    /// The node's record.
    #[error("node record: {0}")]
    Message(#[from] layer_minus_message::MessageError),
    /// The store.
    #[error("store {}: {source}", .path.display())]
    Store {
        /// The database file.
        path: PathBuf,
        /// Why not.
        source: layer_minus_node::StoreError,
    },
    /// The sockets.
    #[error("http: {0}")]
    Http(#[from] layer_minus_http::HttpError),
    /// Output could not be written.
    #[error("cannot write output: {0}")]
    Output(io::Error),
    /// Everything was looked at, and something is wrong with it.
    #[error("{0}")]
    Failed(String),
}

impl DaemonError {
    /// The exit code of the process.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Arguments(_) | Self::Usage(_) | Self::Config { .. } | Self::Password(_) => {
                EXIT_USAGE
            }
            _ => EXIT_FAILED,
        }
    }

    /// A word for programs.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Password(_) => "password",
            error if error.exit_code() == EXIT_USAGE => "usage",
            _ => "failure",
        }
    }

    /// What to do next, where that is not in the text already.
    pub(crate) const fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Arguments(_) => Some("--help says what can be given"),
            Self::Password(_) => Some(
                "give it with --password-file FILE, in LAYER_MINUS_PASSWORD, or as the service \
                 credential 'password'",
            ),
            _ => None,
        }
    }

    /// Whether nobody reads the output any more: then there is nobody to tell either.
    pub(crate) fn is_unread(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    pub(crate) fn wallet(
        what: impl Into<String>,
    ) -> impl FnOnce(layer_minus_wallet::WalletError) -> Self {
        let what = what.into();
        move |source| match source {
            layer_minus_wallet::WalletError::WrongPassword => {
                Self::Password(format!("wrong for {what}"))
            }
            source => Self::Wallet { what, source },
        }
    }
}
