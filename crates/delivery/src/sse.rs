//! `text/event-stream`, as WHATWG HTML section 9.2 defines it: what goes over the last link to a
//! client, readable by any client of the standard.
//!
//! ```
//! use layer_minus_delivery::sse::{Decoder, Encoder};
//!
//! let wire = Encoder::event(7, b"hello");
//! assert_eq!(&wire[..], b"id: 7\ndata: aGVsbG8=\n\n");
//!
//! let mut decoder = Decoder::new();
//! for byte in wire {
//!     decoder.push(&[byte])?;
//! }
//! let event = decoder.next_event().ok_or("no event")?;
//! assert_eq!(event.number()?, 7);
//! assert_eq!(event.decode()?, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decode;
mod encode;

pub use decode::{Decoder, EVENT_BYTES_MAX, Event};
pub use encode::Encoder;
