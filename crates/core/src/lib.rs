//! Layer Minus: a network in which a wallet address replaces the IP address.
//!
//! This crate re-exports the layers and is their manual. Nothing here reads a socket, a clock or a
//! disk: time and chance come in as arguments, bytes and effects go out. The features `http` and
//! `sqlite` add the two crates that do IO.
//!
//! # The one rule
//! A packet is an OpenPGP message of an exact size. Anybody can read one thing off it: the key that it
//! is sealed to. That is all a node needs:
//!
//! ```text
//! recipient of the packet ── mine ───────────► open one layer, decide again on what is inside
//!                         ── a known node's ─► forward, unchanged, as it streams in
//!                         ── unknown ────────► ask the peers once, then forward or refuse
//! ```
//!
//! # The way of a packet through the crates
//! ```text
//! bytes ─ packet::read_wire_head ─► recipient ─ routing::decide ─► Mine | Forward | Ask | Refuse
//! Mine  ─ node::intake::open ─────► mail or command ─ node::Node ─► charged, stored, answered, pushed
//! ```
//!
//! # Which layer do I need?
//! | I want to | module |
//! |---|---|
//! | read whom an OpenPGP message is for | [`packet`] |
//! | seal and open packets of an exact size | [`seal`] |
//! | hold a wallet, sign and check typed data | [`wallet`] |
//! | speak the protocol: cards, commands, letters | [`message`] |
//! | keep a table of nodes and decide by it | [`routing`] |
//! | charge by the byte in a double-entry ledger | [`ledger`] |
//! | keep mailboxes with cursors, read and write SSE | [`delivery`] |
//! | run a node's decisions inside my own program | [`node`] |
//! | write and read letters from my own program | [`client`] |
//!
//! # Whom is this packet for?
//! ```
//! use layer_minus_core::{packet, seal};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rng = rand::thread_rng();
//! let now = 1_800_000_000;
//! let name = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
//! let secret = seal::SecretCertificate::generate(&mut rng, now, seal::Version::V6, name)?;
//! let certificate = secret.certificate();
//!
//! let sealed = seal::seal_layer(&mut rng, &certificate, &[b"Hello Bobo"], 16_000)?;
//! assert_eq!(sealed.len(), 16_000);
//!
//! let head = packet::read_wire_head(&sealed)?;
//! assert!(head.recipient.matches(&certificate.encryption_key()));
//!
//! let mut keyring = seal::Keyring::default();
//! keyring.insert(secret);
//! let opened = seal::open_layer(&sealed, &keyring)?;
//! assert!(opened.body.starts_with(b"Hello Bobo"));
//! # Ok(())
//! # }
//! ```
//!
//! # What it costs
//! ```
//! use layer_minus_core::ledger::{Amount, StorageMeter};
//!
//! // The whitepaper's day: 1 MB, 24 hours, 14 p$ per kB and hour.
//! let byte_seconds = 1_000_000 * 24 * 3_600;
//! let (amount, rest) = StorageMeter::default().charge(byte_seconds, Amount::new(14)).unwrap();
//! assert_eq!((amount.get(), rest.remainder), (336_000, 0));
//! ```

pub use layer_minus_client_sdk as client;
pub use layer_minus_delivery as delivery;
#[cfg(feature = "http")]
pub use layer_minus_http as http;
pub use layer_minus_ledger as ledger;
pub use layer_minus_message as message;
pub use layer_minus_node as node;
pub use layer_minus_packet as packet;
pub use layer_minus_routing as routing;
pub use layer_minus_seal as seal;
#[cfg(feature = "sqlite")]
pub use layer_minus_store_sqlite as store_sqlite;
pub use layer_minus_wallet as wallet;

/// The snippets of the README are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
