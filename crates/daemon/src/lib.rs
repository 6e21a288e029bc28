//! The shell of a node process: arguments, configuration, keys, timers, admin address, shutdown.
//!
//! `relay` and `recipient` are one call of [`main`] each; what differs is the [`Composition`].
//! What a node decides is in `layer-minus-node`, what moves its bytes in `layer-minus-http`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod amount;
mod app;
mod cli;
mod commands;
pub mod config;
mod directory;
mod error;
mod files;
mod keys;
mod out;
mod password;
mod record;
mod run;
mod store;

pub use app::{Composition, main};
pub use config::Config;
pub use error::DaemonError;
