//! What can go wrong on a socket.

use std::{error::Error, path::PathBuf, time::Duration};

use http::StatusCode;

/// The cause of an error, of whatever layer below.
pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// Why something was not sent, not answered or not served.
///
/// The texts are for a person at a client: they say what to do. A node logs only
/// [`HttpError::kind`], which names no address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Not a URL that a packet can be posted to.
    #[error("'{0}' is not http(s)://host[:port]/path: correct the URL")]
    Url(String),
    /// No connection came about.
    #[error("cannot connect ({}): check the URL and the network, or try another relay", chain(.0.as_ref()))]
    Connect(#[source] Cause),
    /// Nothing was heard for too long.
    #[error("{what} for {} s: try again, or another relay", .after.as_secs())]
    Timeout {
        /// What did not happen.
        what: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// Another status than 200.
    #[error("answered {status}: {}", advice(*.status))]
    Status {
        /// The status.
        status: StatusCode,
    },
    /// The connection broke.
    #[error("connection broke ({}): try again", chain(.0.as_ref()))]
    Broken(#[source] Cause),
    /// The answer is longer than an answer can be.
    #[error("answer is longer than {limit} bytes: this is not a node of the network")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The answer is not one of ours.
    #[error("answer is not understood ({0}): this is not a node of the network")]
    Malformed(&'static str),
    /// A certificate or key file for TLS cannot be used.
    #[error("TLS file {}: {reason}", .path.display())]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS library refused the configuration.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// A setting that cannot work.
    #[error("{0}")]
    Config(&'static str),
}

impl HttpError {
    /// Whether no connection came about, so that nothing was sent.
    #[must_use]
    pub const fn is_connect(&self) -> bool {
        matches!(self, Self::Connect(_))
    }

    /// Whether it was waited too long.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// The status, if one other than 200 was answered.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status } => Some(status.as_u16()),
            _ => None,
        }
    }

    /// A word for logs: it says what happened and names nobody.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Url(_) => "bad url",
            Self::Connect(_) => "no connection",
            Self::Timeout { .. } => "timeout",
            Self::Status { .. } => "refused",
            Self::Broken(_) => "broken",
            Self::TooLong { .. } | Self::Malformed(_) => "not understood",
            Self::TlsFile { .. } | Self::Tls(_) => "tls",
            Self::Config(_) => "config",
        }
    }
}

/// What a person can do about a status.
fn advice(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "the packet was not accepted; check that both sides use the same network and sizes",
        401 | 403 | 405 | 411 | 415 => "this path takes no packets; check the URL",
        404 => "nobody there knows the way to that node, or the path is wrong",
        408 => "the upload was too slow",
        413 | 431 => "too large for this relay",
        429 | 503 => "the relay is busy; try again later, or another relay",
        502 => "the next node cannot be reached; try again later",
        504 => "the next node did not answer in time; try again later",
        _ => "try again, or another relay",
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_say_what_to_do() {
        let cause = std::io::Error::other("refused");
        let text = HttpError::Connect(cause.into()).to_string();
        assert!(
            text.contains("refused") && text.contains("another relay"),
            "{text}"
        );
        let error = HttpError::Status {
            status: StatusCode::BAD_GATEWAY,
        };
        assert_eq!(error.status(), Some(502));
        assert!(error.to_string().contains("next node cannot be reached"));
        assert!(!error.is_connect() && !error.is_timeout());
    }
}
