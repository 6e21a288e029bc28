//! Sealing and opening of Layer Minus packets: OpenPGP layers of an exact size.
//!
//! OpenPGP only encrypts here; who somebody is, wallets say. [rpgp](https://docs.rs/pgp) does
//! keys, session keys and framing, [ring](https://docs.rs/ring) the bulk of the encryption, three
//! times as fast and more. No IO, no clock, no random generator of its own.
//!
//! # Parts
//! * [`Certificate`], [`SecretCertificate`], [`Keyring`]: keys, read with bounds and verified.
//!   The fingerprint of the *encryption subkey* is what a packet names and what routes.
//! * [`seal_layer`], [`open_layer`]: one layer, one recipient, an exact size.
//! * [`open_message`]: what a person gets, from our own client, GnuPG or OpenPGP.js.
//! * [`ReplyKey`], [`RecordSealer`], [`RecordOpener`]: answers and streams back to the sender.
//! * [`password`]: one file under a password, the client's backup.
//!
//! # The outside world
//! Before the OpenPGP library sees a byte from outside, the reader of `layer-minus-packet` has
//! admitted its shape, or a walk over its packet headers has bounded a certificate: counts, sizes,
//! algorithms, depth. Then the library gets a whole buffer, in one synchronous call, behind a
//! boundary that turns a panic into [`SealError::Panicked`] and keeps the panic's message, which
//! may quote the input, to itself. The first such call puts a panic hook in front of the present
//! one for that; with `panic = "abort"` there is no boundary.
//!
//! # One layer in another
//! ```
//! use layer_minus_seal::{
//!     Keyring, SecretCertificate, Version, layer_capacity, open_layer, seal_layer,
//! };
//! # use rand::SeedableRng;
//! # let mut rng = rand::rngs::StdRng::seed_from_u64(1); // from the system, in real life
//! let now = 1_795_000_000; // seconds since 1970
//! let bobo = SecretCertificate::generate(&mut rng, now, Version::V6, "0xB0B0")?;
//! let node = SecretCertificate::generate(&mut rng, now, Version::V6, "0x90DE")?;
//!
//! let inner = seal_layer(&mut rng, &bobo.certificate(), &[b"Hello Bobo"], layer_capacity(16_000))?;
//! let outer = seal_layer(&mut rng, &node.certificate(), &[b"mail:", &inner], 16_000)?;
//! assert_eq!(outer.len(), 16_000);
//!
//! let opened = open_layer(&outer, &Keyring::from(node.clone()))?;
//! assert_eq!(opened.recipient, node.certificate().encryption_key());
//! let mail = opened.body.slice(5..5 + inner.len()); // zero fill follows
//! assert!(open_layer(&mail, &Keyring::from(bobo))?.body.starts_with(b"Hello Bobo"));
//! # Ok::<(), layer_minus_seal::SealError>(())
//! ```
//!
//! # What it does not do
//! A certificate does not prove that its holder can open: anybody can bind anybody's encryption
//! subkey, so have possession proved before a key routes. And the bytes of a packet are no
//! identity: a version 3 head has several encodings. Remember what was inside.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod bulk;
mod certificate;
mod error;
mod gcm;
mod guard;
mod layer;
mod message;
pub mod password;
mod records;
mod secret;
mod session;

pub use certificate::{
    CERTIFICATE_ARMOR_BYTES_MAX, CERTIFICATE_BYTES_MAX, CERTIFICATE_PACKETS_MAX,
    CERTIFICATE_SIGNATURES_MAX, Certificate,
};
pub use error::SealError;
#[doc(hidden)]
pub use guard::guard as panic_boundary;
pub use layer::{LAYER_OVERHEAD_MAX, Opened, layer_capacity, open_layer, seal_layer};
pub use message::{OpenedMessage, open_message};
pub use records::{
    RECORD_FIRST_OVERHEAD, RECORD_OVERHEAD, RECORDS_MAX, RecordOpener, RecordSealer, ReplyKey,
};
pub use secret::{Keyring, SecretCertificate, Version};
