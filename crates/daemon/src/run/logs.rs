//! The log: lines for people on a terminal, JSON objects otherwise, on the error stream.
//!
//! What it never holds: plaintext, keys, passwords, addresses of clients beside anything that they
//! did, and who sent to whom. Only what this workspace writes can keep that promise. So whatever the
//! libraries beneath it say is dropped, at every level and whatever the filter asks for: the OpenPGP
//! library prints the secret half of a key that it reads, the HTTP library whom it connects to.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{
    EnvFilter, Layer as _, filter::filter_fn, fmt, layer::SubscriberExt as _, registry,
};

/// The variable that says which lines are written; it wins over the configuration.
const FILTER_ENV: &str = "RUST_LOG";
/// What the targets of this workspace begin with.
const OWN_TARGETS: &str = "layer_minus_";

pub(super) fn start(filter: &str) {
    let chosen = std::env::var(FILTER_ENV)
        .ok()
        .filter(|text| !text.is_empty());
    let text = chosen.as_deref().unwrap_or(filter);
    let (filter, wrong) = match EnvFilter::try_new(text) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(filter), Some(error)),
    };
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = if io::stderr().is_terminal() {
        lines.with_target(false).boxed()
    } else {
        lines.json().flatten_event(true).with_ansi(false).boxed()
    };
    let log = registry()
        .with(filter)
        .with(filter_fn(|line| line.target().starts_with(OWN_TARGETS)))
        .with(lines);
    // Not by `init`, which would bring in what libraries write with the `log` crate. A second start
    // in one process keeps the first log.
    let _ = tracing::subscriber::set_global_default(log);
    if let Some(error) = wrong {
        tracing::warn!(%error, "{FILTER_ENV} is not a log filter, the configuration's is used");
    }
}
