//! What the system tells the process.

use crate::error::DaemonError;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Signal {
    /// Stop; the signal's name.
    Terminate(&'static str),
    /// Read the directory files again.
    Reload,
}

#[cfg(unix)]
mod system {
    use tokio::signal::unix::{Signal as Source, SignalKind, signal};

    use super::{DaemonError, Signal};

    /// The signals that a node listens to.
    #[derive(Debug)]
    pub(crate) struct Signals {
        interrupt: Source,
        terminate: Source,
        hang_up: Source,
    }

    impl Signals {
        pub(crate) fn new() -> Result<Self, DaemonError> {
            let source = |kind| {
                signal(kind).map_err(|error| DaemonError::Failed(format!("signals: {error}")))
            };
            Ok(Self {
                interrupt: source(SignalKind::interrupt())?,
                terminate: source(SignalKind::terminate())?,
                hang_up: source(SignalKind::hangup())?,
            })
        }

        /// The next signal of any kind.
        pub(crate) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.interrupt.recv() => Signal::Terminate("SIGINT"),
                _ = self.terminate.recv() => Signal::Terminate("SIGTERM"),
                _ = self.hang_up.recv() => Signal::Reload,
            }
        }
    }
}

#[cfg(not(unix))]
mod system {
    use super::{DaemonError, Signal};

    /// The signals that a node listens to.
    #[derive(Debug)]
    pub(crate) struct Signals;

    impl Signals {
        pub(crate) fn new() -> Result<Self, DaemonError> {
            Ok(Self)
        }

        /// The next signal of any kind.
        pub(crate) async fn next(&mut self) -> Signal {
            match tokio::signal::ctrl_c().await {
                Ok(()) => Signal::Terminate("ctrl-c"),
                Err(_) => std::future::pending().await,
            }
        }
    }
}

pub(super) use system::Signals;

impl Signals {
    /// The next signal to stop.
    pub(super) async fn terminate(&mut self) -> &'static str {
        loop {
            if let Signal::Terminate(name) = self.next().await {
                return name;
            }
        }
    }
}
