//! The sockets of a node and of a client.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod answer;
mod client;
pub mod clock;
mod error;
mod gateway;
mod lane;
pub mod limits;
mod node;
mod server;
mod tls;
mod upload;

pub use client::{HttpClient, HttpOptions, RecordStream, Reply};
pub use error::HttpError;
pub use gateway::Gateway;
pub use limits::{Limits, ServerConfig, TlsFiles};
pub use node::{NodeHandle, spawn_node};
pub use server::accept::serve;
