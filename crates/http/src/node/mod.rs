//! The node's own thread: events in, one transaction for many, effects out to whoever waits.

mod handle;
#[cfg(test)]
mod tests;
mod thread;

pub use self::handle::NodeHandle;
pub(crate) use self::handle::{Outcome, StreamItem, StreamQueue};
pub use self::thread::spawn_node;
