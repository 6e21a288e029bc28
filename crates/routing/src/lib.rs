//! The table of nodes and the one rule that moves every packet.
//!
//! [`decide`] looks at whom a packet is for and says what to do with it: it is mine, pass it on,
//! ask around, or refuse. It is pure and short; [`Table`] is what it looks at: bounded, expiring,
//! fed by a [`directory`] file and by peers. Nothing here reads a clock, a file or a socket.
//!
//! # Who gets into the table, and who routes
//! A [`NodeRecord`](layer_minus_message::NodeRecord) is checked before it comes here: its node
//! signed it. That says nothing about its key, because an encryption subkey can be bound under
//! anybody's certificate. So an entry *routes* only if the operator configured it or its holder
//! *proved* that it can open what is sealed to the key; an unproved entry is known and listed,
//! and packets for it are asked about instead.
//!
//! * An older record never replaces a newer one, an expired one never routes.
//! * A key that routes to one node (or is my own) is not given to a second that did not prove it.
//! * Each peer has a share of the table; what was configured is never pushed out.
//! * A superseded key keeps routing until the record that named it expires.
//!
//! ```
//! use layer_minus_routing::{Refusal, Table, TableLimits, Verdict, decide};
//! # use layer_minus_packet::{KeyId, Recipient};
//! let now = 1_800_000_000;
//! let mut table = Table::new(TableLimits::default(), "devnet");
//! let recipient = Recipient::KeyId(KeyId::from_bytes([7; 8]));
//! assert!(matches!(decide(&recipient, &table, now), Verdict::Ask));
//! table.note_unknown(recipient, now); // nobody had it
//! assert!(matches!(
//!     decide(&recipient, &table, now + 1),
//!     Verdict::Refuse(Refusal::RecentlyUnknown)
//! ));
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod decide;
pub mod directory;
mod entry;
mod error;
mod negative;
mod table;
#[cfg(test)]
mod testing;

pub use decide::{Refusal, Verdict, decide};
pub use entry::{EntryView, SUPERSEDED_KEYS_MAX, Source};
pub use error::TableError;
pub use negative::UNKNOWN_SECS;
pub use table::{Inserted, Table, TableLimits};
