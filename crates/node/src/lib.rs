//! What a node decides: events and time in, durable changes and effects out.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod store;
