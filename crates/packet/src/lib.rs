//! Bounded, allocation-free reader of OpenPGP packet framing: bytes to recipient.
//!
//! Everything that a stranger can send arrives here first. This crate knows no secrets, does no
//! IO, has no unsafe code, and cannot panic; its readers copy nothing, allocate nothing (but for
//! [`armor`]), and take a number of steps that named constants bound.
//!
//! # Two readers, one order
//! * Lenient, to find the way: [`read_head`] takes the start of any OpenPGP message and says
//!   whom it is for; [`read_wire_head`] does it for a packet on the wire, in nanoseconds, and
//!   says how long that will be.
//! * Strict, before any cryptography: [`admit_layer`] for what a node opens, [`admit_message`]
//!   for what a person opens, [`SealedPacket`] for what a relay carries. Each admits one shape
//!   and refuses the rest by name ([`Refused`]). After decryption come [`read_literal`] and
//!   [`read_plain_message`].
//!
//! The order matters: a general OpenPGP library sees only a complete, bounded buffer of the
//! shape admitted here.
//!
//! # Sizes
//! On the wire a packet has an exact size from a short list, [`Sizes`]; each of at most
//! [`LAYERS_MAX`] layers reserves [`LAYER_RESERVE`] octets, so no size tells the number of hops.
//!
//! Sections of RFC 9580 are named where they are implemented.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod admit;
pub mod armor;
mod body;
mod error;
mod head;
mod header;
mod id;
mod layout;
mod meter;
#[doc(hidden)]
pub mod metered;
mod pkesk;
mod plain;
mod sealed;
mod sizes;
mod wire;

pub use admit::{CHUNK_OCTET_MAX, admit_layer, admit_message};
pub use armor::ArmorError;
pub use body::{Body, PARTIAL_MIN, PARTIALS_MAX, Segments};
pub use error::{ReadError, Refused};
pub use head::{
    FILLERS_MAX, HEAD_MAX, HEAD_PKESK_BODY_MAX, Head, PKESKS_MAX, Recipients, SKESK_BODY_MAX,
    SKESKS_MAX, is_unaddressed, read_head,
};
pub use id::{Fingerprint, IdError, KeyId, Recipient};
pub use layout::{Layout, MESSAGE_PKESKS_MAX, SeipdVersion};
pub use pkesk::{PKESK_BODY_MAX, PUBLIC_KEY_ALGORITHMS, Pkesk};
pub use plain::{
    Literal, ONE_PASS_BODY_MAX, PlainMessage, SIGNATURE_BODY_MAX, SIGNATURES_MAX, read_literal,
    read_plain_message,
};
pub use sealed::SealedPacket;
pub use sizes::{LAYER_RESERVE, LAYERS_MAX, SIZE_MAX, SIZE_MIN, SIZES_MAX, Sizes, SizesError};
pub use wire::{WIRE_HEAD_MAX, WireHead, read_wire_head};
