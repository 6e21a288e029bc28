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

pub mod event;
pub mod intake;
pub mod reply;
pub mod conformance;
pub mod memory;
pub mod store;

pub use event::{ConnectionId, Effect, Event, LaneKey, Mark, Request, RequestId};
pub use intake::{Garbage, NodeKeys, Opened, Task};
pub use reply::ReplyChain;
pub use store::{Store, StoreError, Table};
