//! The sockets of a node and of a client: HTTP in, HTTP out, and the clock.
//!
//! # A node
//! ```text
//! socket -> accept -> receive -> Gateway -> decide (routing) -+-> forward, as it arrives
//!                                                             +-> open -> NodeHandle -> Node's thread
//!                                                             |        -> seal again, send on
//!                                                             +-> ask peers, decide again
//!                                                             +-> an ordinary page
//! ```
//! [`serve`] accepts connections, [`Gateway`] carries out the one rule that moves every packet, and
//! [`spawn_node`] gives the node, the one writer of its store, a thread of its own. There is one kind
//! of request: `POST` of a packet to a path. Whatever is something else gets what an ordinary web
//! server answers, and no header or body says what this is.
//!
//! * *Forms.* A body of a listed length that is the packet itself is cut through: passed on piece by
//!   piece, at most [`limits::PIECE_BYTES_MAX`] at a time. `multipart/form-data` (its first part),
//!   JSON `{"data": "<armor or base64>"}`, armor and base64 are held whole, at most twice the largest
//!   packet, and turned into it first.
//! * *Relays* never store and never try again: what cannot be passed on is `502`, `504` or `503`, and
//!   the sender tries another way. A body that ends short voids the request to the next hop.
//! * *Answers.* One sealed record, or `text/event-stream` with a sealed record an event. To a node
//!   that forwards on a lane (`authorization`, answered by `authentication-info`) both are
//!   length-prefixed records, of which the edge makes what its client reads. Whoever leaves closes
//!   every connection up to the node, which sees its client go offline.
//! * *Rounds.* `max-forwards` counts down how often a packet is passed on unchanged.
//! * *Limits.* Every one has a name in [`Limits`] or [`limits`].
//!
//! # A client
//! [`HttpClient::post`] hands a packet over and returns a [`Reply`].
//!
//! ```no_run
//! # async fn run(packet: bytes::Bytes) -> Result<(), layer_minus_http::HttpError> {
//! use layer_minus_http::{HttpClient, HttpOptions, Reply};
//!
//! let client = HttpClient::new(HttpOptions::default())?;
//! let bar = |sent: u64| println!("{sent} bytes");
//! match client.post("http://127.0.0.1:8080/post", packet, Some(&bar)).await? {
//!     Reply::Once(record) => println!("an answer of {} sealed bytes", record.len()),
//!     Reply::Stream(mut stream) => {
//!         while let Some(record) = stream.next().await {
//!             println!("a record of {} sealed bytes", record?.len());
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What the logs hold
//! At `info` sums, start and stop; at `debug` what happened to a packet: verdict, size, status, time,
//! and the next hop's name. Never an address of the network below, never who wrote to whom, no keys,
//! no content.
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
