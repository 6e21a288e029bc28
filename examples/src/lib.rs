//! What the examples share: a small network inside one process, and a person who uses it.
//!
//! Real sockets on 127.0.0.1, the real node, a store in memory.

mod member;
mod network;

pub use member::{Letters, Member};
pub use network::{LocalNetwork, LocalNode};
