//! What can go wrong, the exit code that says so, and what to do next.

use std::path::PathBuf;

use layer_minus_client_sdk::SdkError;
use layer_minus_http::HttpError;
use layer_minus_message::{MessageError, Reason};
use layer_minus_seal::SealError;
use layer_minus_wallet::{Address, WalletError};

/// Something failed.
pub(crate) const EXIT_FAILURE: u8 = 1;
/// The command line or a setting makes no sense, or the password is missing or wrong.
pub(crate) const EXIT_USAGE: u8 = 2;
/// A node refused.
pub(crate) const EXIT_REFUSED: u8 = 3;
/// Nobody could be reached.
pub(crate) const EXIT_UNREACHABLE: u8 = 4;
/// Nothing came in time.
pub(crate) const EXIT_NOTHING: u8 = 5;
/// Interrupted, as shells count it: 128 + SIGINT.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppError {
    /// The command line is not understood.
    #[error("{0}")]
    Arguments(String),
    /// The command line or a setting makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A file or folder cannot be used.
    #[error("cannot {what} {}: {error}", path.display())]
    File {
        /// What was tried: `read`, `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The home folder is not what it should be.
    #[error("{0}")]
    Home(String),
    /// No password, or the wrong one.
    #[error("{0}")]
    Password(String),
    /// The database.
    #[error("database client.db: {0}")]
    Database(#[from] rusqlite::Error),
    /// What the protocol says.
    #[error(transparent)]
    Sdk(#[from] SdkError),
    /// What the network says.
    #[error("{relay}: {error}")]
    Http {
        /// Whom we asked.
        relay: String,
        /// What happened.
        error: HttpError,
    },
    /// Nobody that could be asked.
    #[error("{0}")]
    NoWay(String),
    /// Nothing came in time.
    #[error("{0}")]
    Nothing(String),
    /// Who was named is not known.
    #[error("{0}")]
    Unknown(String),
    /// The node is not in the directory.
    #[error("node {0} is not in the directory")]
    UnknownNode(Address),
    /// Not registered anywhere.
    #[error("not registered at a node")]
    NotRegistered,
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// Output cannot be written.
    #[error("cannot write output: {0}")]
    Output(std::io::Error),
}

impl From<MessageError> for AppError {
    fn from(error: MessageError) -> Self {
        Self::Sdk(error.into())
    }
}

impl From<SealError> for AppError {
    fn from(error: SealError) -> Self {
        Self::Sdk(error.into())
    }
}

impl From<WalletError> for AppError {
    fn from(error: WalletError) -> Self {
        Self::Sdk(error.into())
    }
}

impl AppError {
    pub(crate) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
        error: std::io::Error,
    ) -> Self {
        Self::File {
            what,
            path: path.into(),
            error,
        }
    }

    /// What a node said, if it was a node that said no.
    pub(crate) fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Sdk(error) => error.reason(),
            _ => None,
        }
    }

    /// Whether trying another way or another time may help.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Http { .. } | Self::NoWay(_) | Self::Nothing(_) => true,
            Self::Sdk(error) => match error.reason() {
                Some(reason) => is_passing(reason),
                // Not the node's words: something on the way spoiled the answer.
                None => matches!(
                    error,
                    SdkError::Seal(_) | SdkError::Impostor { .. } | SdkError::Unexpected { .. }
                ),
            },
            _ => false,
        }
    }

    /// Whether nobody reads the output any more: then there is nobody to tell either.
    pub(crate) fn is_unread(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// Whether a node does not know the person: who moved may be found elsewhere.
    pub(crate) fn is_unknown_client(&self) -> bool {
        matches!(self.reason(), Some(Reason::UnknownClient))
    }

    /// Whether it is room that was wanting, which collecting makes.
    pub(crate) fn is_for_room(&self) -> bool {
        matches!(
            self.reason(),
            Some(Reason::MailboxFull | Reason::Unavailable)
        )
    }

    /// Whether a packet was sealed to a key that nobody could open or route: that of a node that was
    /// restored from a backup, perhaps.
    pub(crate) fn is_of_unknown_key(&self) -> bool {
        match self {
            Self::Http { error, .. } => matches!(error.status(), Some(400 | 404)),
            Self::Sdk(SdkError::RefusedOnTheWay { reason, .. }) => {
                matches!(reason, Reason::NextHopDown | Reason::NoRoute)
            }
            _ => false,
        }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Arguments(_) | Self::Usage(_) | Self::Password(_) => EXIT_USAGE,
            Self::Http {
                error: HttpError::Url(_) | HttpError::Config(_),
                ..
            } => EXIT_USAGE,
            Self::Http { error, .. } if error.is_timeout() => EXIT_NOTHING,
            Self::Http { .. } | Self::NoWay(_) => EXIT_UNREACHABLE,
            Self::Nothing(_) => EXIT_NOTHING,
            Self::Interrupted => EXIT_INTERRUPTED,
            Self::Sdk(error) if error.reason().is_some() => EXIT_REFUSED,
            _ => EXIT_FAILURE,
        }
    }

    /// A word for programs.
    pub(crate) fn kind(&self) -> &'static str {
        match self.exit_code() {
            _ if matches!(self, Self::Password(_)) => "password",
            EXIT_USAGE => "usage",
            EXIT_REFUSED => "refused",
            EXIT_UNREACHABLE => "unreachable",
            EXIT_NOTHING => "nothing",
            EXIT_INTERRUPTED => "interrupted",
            _ => "failure",
        }
    }

    /// What to do next, where that is not in the text already.
    pub(crate) fn advice(&self) -> Option<String> {
        let advice = match self {
            Self::UnknownNode(_) => {
                "fetch the directory with 'client nodes refresh', or import the node's record with \
                 'client nodes import FILE|URL'"
            }
            Self::NotRegistered => "register first: client register --node ADDRESS",
            Self::Arguments(_) => "--help says what can be given",
            error if error.is_of_unknown_key() => {
                "if the node was restored from a backup it has a new key: get its record with \
                 'client nodes refresh', or import it with 'client nodes import FILE|URL'"
            }
            Self::NoWay(_) => "name a relay with --relay ADDRESS|URL",
            Self::Password(_) => {
                "give it with --password-file FILE, in LAYER_MINUS_PASSWORD, or on a terminal"
            }
            _ => return self.reason().and_then(advice),
        };
        Some(advice.to_owned())
    }
}

/// Whether a refusal may be over later without anybody changing the message.
pub(crate) const fn is_passing(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::RecipientCannotPay
            | Reason::MailboxFull
            | Reason::StrangersQuota
            | Reason::NoRoute
            | Reason::NextHopDown
            | Reason::Unavailable
            | Reason::OverLimit { .. }
            | Reason::StaleTime { .. }
            | Reason::ReplayedNonce
            | Reason::AuthorizationExpired
            | Reason::Exhausted { .. }
    )
}

fn advice(reason: &Reason) -> Option<String> {
    use layer_minus_client_sdk::money::format_usd;
    Some(match reason {
        Reason::NotBacked { granted_pusd: 0 } => {
            "ask the node's operator for a grant (recipient grant) or an invite code \
             (recipient invite; client register --invite CODE)"
                .to_owned()
        }
        Reason::NotBacked { granted_pusd } => {
            format!("use --limit {} or less", usd(*granted_pusd))
        }
        Reason::AuthorizationTooSmall { minimum_pusd } => {
            format!("use --limit {} or more", usd(*minimum_pusd))
        }
        Reason::Exhausted { needed_pusd, .. } => format!(
            "raise the limit: client authorize --limit USD ({} more is needed)",
            format_usd(u128::from(*needed_pusd))
        ),
        Reason::AuthorizationExpired | Reason::Revoked => {
            "sign a new one: client authorize --limit USD".to_owned()
        }
        Reason::NotRegistered => "register first: client register --node ADDRESS".to_owned(),
        Reason::StaleTime { node_time } => {
            format!("set this machine's clock; the node's says {node_time} (unix time)")
        }
        Reason::BadInvite => "check the code; each works once".to_owned(),
        Reason::StrangersQuota => {
            "ask the recipient for a full card (client card --full FILE) and add it: \
             client contacts add NAME FILE"
                .to_owned()
        }
        Reason::RecipientCannotPay => {
            "the recipient has to raise the limit; the message stays in the outbox, \
             'client send --resume' tries again"
                .to_owned()
        }
        Reason::MailboxFull
        | Reason::Unavailable
        | Reason::NextHopDown
        | Reason::NoRoute
        | Reason::OverLimit { .. } => {
            "try again later; a message stays in the outbox, 'client send --resume' sends it"
                .to_owned()
        }
        Reason::UnknownClient => {
            "the person may have moved to another node: ask for a new card; a message stays in the \
             outbox, 'client send --resume' sends it"
                .to_owned()
        }
        Reason::BadDelegation { .. } => {
            "renew the device's delegation: client register --node ADDRESS".to_owned()
        }
        _ => return None,
    })
}

/// An amount as `--limit` takes it.
fn usd(pusd: u64) -> String {
    let text = layer_minus_client_sdk::money::format_usd(u128::from(pusd));
    text.trim_start_matches('$').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_the_help() {
        let refused = AppError::Sdk(SdkError::Refused(Reason::UnknownClient));
        assert_eq!((refused.exit_code(), refused.kind()), (3, "refused"));
        assert!(!refused.is_passing());
        let later = AppError::Sdk(SdkError::RefusedOnTheWay {
            hop: 1,
            reason: Reason::NoRoute,
        });
        assert_eq!(later.exit_code(), 3);
        assert!(later.is_passing());
        // A hop over its hourly quota must not make the outbox forget a message.
        let quota = AppError::Sdk(SdkError::RefusedOnTheWay {
            hop: 0,
            reason: Reason::OverLimit {
                limit: "bytes sent on per hour".to_owned(),
            },
        });
        assert!(quota.is_passing() && quota.advice().is_some());
        assert_eq!(AppError::NoWay(String::new()).exit_code(), 4);
        assert_eq!(AppError::Nothing(String::new()).exit_code(), 5);
        assert_eq!(AppError::Usage(String::new()).exit_code(), 2);
        let password = AppError::Password(String::new());
        assert_eq!((password.exit_code(), password.kind()), (2, "password"));
        assert_eq!(AppError::NotRegistered.exit_code(), 1);
        assert!(AppError::NotRegistered.advice().is_some());
    }

    #[test]
    fn advice_names_the_option_and_an_amount_that_it_takes() {
        let error = AppError::Sdk(SdkError::Refused(Reason::NotBacked {
            granted_pusd: 500_000_000,
        }));
        assert_eq!(error.advice().unwrap(), "use --limit 0.0005 or less");
        assert_eq!(
            layer_minus_client_sdk::money::parse_usd("0.0005").unwrap(),
            500_000_000
        );
    }
}
