//! What a node decides: events and time in, durable changes and effects out.
//!
//! ```text
//! packet --open--> Task --Event--> Node::handle (one writer, one transaction) --Effect--> runtime
//! ```
//!
//! [`intake::open`] is stateless and runs on any thread. [`Node`] is the one writer: the runtime
//! gives it batches of [`Event`]s inside a store transaction, commits, and only then carries out the
//! [`Effect`]s, so that nothing is told to anybody before it is durable.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod account;
pub mod admin;
pub mod backing;
mod challenges;
mod chores;
mod collect;
pub mod config;
pub mod conformance;
pub mod event;
mod feed;
mod former;
pub mod intake;
mod journal;
mod lanes;
mod live;
mod mail;
pub mod memory;
pub mod money;
mod node;
mod paid;
mod paper;
mod purse;
mod push;
mod register;
pub mod reply;
mod room;
mod rows;
pub mod sample;
mod seen;
pub mod store;
mod sweep;
mod tx;
mod verify;
mod walk;

pub use backing::Backing;
pub use config::NodeConfig;
pub use event::{ConnectionId, Effect, Event, LaneKey, Mark, PeerState, Request, RequestId};
pub use intake::{Garbage, NodeKeys, Opened, Task};
pub use node::{Batch, Lane, Node};
pub use reply::ReplyChain;
pub use store::{Store, StoreError, Table};
pub use verify::Flaw;
