//! Mailboxes, consumers, cursors and the codecs of the streams that carry what is in them.
//!
//! The crate knows numbers and bytes and nothing else: no keys, no messages, no IO, no clock. A
//! node keeps the packets and the rows, and asks here what may be pushed and what may be deleted.
//!
//! ```
//! use layer_minus_delivery::{
//!     Consumer, ConsumerId, Leases, Mailbox, MailboxLimits, Mode, floor, gaps_for, next_to_push,
//! };
//!
//! # fn main() -> Result<(), layer_minus_delivery::DeliveryError> {
//! let now = 1_700_000_000;
//! let limits = MailboxLimits { bytes_max: 100_000_000, retention_secs: 24 * 3600 };
//! let mut mailbox = Mailbox::new(1, limits);
//! let mut phone = Consumer::new(ConsumerId::new([1; 16]), Mode::Each, &mailbox, now);
//! let mut laptop = Consumer::new(ConsumerId::new([2; 16]), Mode::Each, &mailbox, now);
//!
//! // Two packets are stored, and pushed to the phone.
//! assert_eq!((mailbox.accept(16_000)?, mailbox.accept(16_000)?), (1, 2));
//! let leases = Leases::new();
//! assert_eq!(next_to_push(&phone, &leases, 0, &mailbox), Some(1));
//! assert_eq!(next_to_push(&phone, &leases, 1, &mailbox), Some(2));
//! assert_eq!(next_to_push(&phone, &leases, 2, &mailbox), None);
//!
//! // One acknowledgement for both. The laptop does not have them yet, so they stay.
//! phone.acknowledge_through(2, &mailbox)?;
//! assert_eq!(floor([&phone, &laptop], now), 0);
//!
//! // Retention drops the first. The laptop will be told.
//! mailbox.drop_packet(1, 16_000)?;
//! assert_eq!(gaps_for(&phone, &mailbox), []);
//! let [gap] = gaps_for(&laptop, &mailbox)[..] else { unreachable!() };
//! assert_eq!((gap.from, gap.through), (1, 1));
//! assert_eq!(next_to_push(&laptop, &leases, 0, &mailbox), Some(2));
//!
//! // Once it has the second, everybody has: it can go.
//! laptop.acknowledge_through(2, &mailbox)?;
//! assert_eq!(floor([&phone, &laptop], now), 2);
//! mailbox.remove(2, 16_000)?;
//! assert_eq!((mailbox.count, mailbox.bytes), (0, 0));
//! # Ok(())
//! # }
//! ```
//!
//! # What it holds
//!
//! - [`Mailbox`]: numbers, counters, limits of one client's mailbox.
//! - [`Consumer`]: how far a reader has come. `each` has a cursor and acknowledges up to a
//!   number; `share` divides packets among connections by [`Leases`] and acknowledges one by one.
//! - [`next_to_push`], [`floor`], [`taken_by_all`], [`gaps_for`]: what to push, what to delete,
//!   what to own up to. A packet reaches every consumer or is told as a gap.
//! - [`Cursor`]: a place named outside, with the generation of the store.
//! - [`DailyQuota`]: bytes for strangers.
//! - [`sse`] and [`records`]: the streams to clients and between nodes, with bounded readers.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod consumer;
mod consumer_id;
mod cursor;
mod error;
mod floor;
mod gap;
mod lease;
mod mailbox;
mod quota;
pub mod records;
pub mod sse;

pub use consumer::{AHEAD_MAX, CONSUMER_IDLE_MAX, Consumer};
pub use consumer_id::{ConsumerId, Mode};
pub use cursor::Cursor;
pub use error::DeliveryError;
pub use floor::{floor, taken_by_all};
pub use gap::{Gap, gap_for, gaps_for};
pub use lease::{Leases, next_to_push};
pub use mailbox::{DROPPED_MAX, Mailbox, MailboxLimits};
pub use quota::{DailyQuota, QuotaExceeded};
