//! The log: lines for people on a terminal, JSON objects otherwise, on the error stream.
//!
//! What it never holds: plaintext, keys, passwords, addresses of clients beside anything that they
//! did, and who sent to whom.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

/// The variable that says which lines are written; it wins over the configuration.
const FILTER_ENV: &str = "RUST_LOG";

pub(super) fn start(filter: &str) {
    let chosen = std::env::var(FILTER_ENV)
        .ok()
        .filter(|text| !text.is_empty());
    let text = chosen.as_deref().unwrap_or(filter);
    let (filter, wrong) = match EnvFilter::try_new(text) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(filter), Some(error)),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // A second start in one process keeps the first log.
    let _ = if io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder
            .json()
            .flatten_event(true)
            .with_ansi(false)
            .try_init()
    };
    if let Some(error) = wrong {
        tracing::warn!(%error, "{FILTER_ENV} is not a log filter, the configuration's is used");
    }
}
