//! The log: nothing unless it is asked for, and never a line of a library beneath this workspace.
//! The OpenPGP library prints the secret half of a key that it reads, the HTTP library whom it
//! connects to.

use tracing_subscriber::{EnvFilter, filter::filter_fn, fmt, layer::SubscriberExt as _, registry};

/// The variable that says what is logged, as `RUST_LOG` does elsewhere.
const FILTER_ENV: &str = "LAYER_MINUS_LOG";
/// What the targets of this workspace begin with.
const OWN_TARGETS: &str = "layer_minus_";

pub(crate) fn start() {
    let filter = EnvFilter::try_from_env(FILTER_ENV).unwrap_or_else(|_| EnvFilter::new("off"));
    let log = registry()
        .with(filter)
        .with(filter_fn(|line| line.target().starts_with(OWN_TARGETS)))
        .with(fmt::layer().with_writer(std::io::stderr));
    // Not by `init`, which would bring in what libraries write with the `log` crate. It fails only
    // if somebody logs already.
    let _ = tracing::subscriber::set_global_default(log);
}
