//! What a client decides: packets to send, answers to read, files to cut and join.
//!
//! The crate does no IO, reads no clock and owns no source of chance. A shell posts the packets
//! that it makes, hands the answers back, and stores what has to be stored.
//!
//! | to do this | use |
//! |---|---|
//! | make or load who you are | [`Identity`], [`Wallets`] |
//! | name the nodes on the way | [`Route`], [`Network`] |
//! | register, listen, acknowledge, ask | [`Desk`], then [`answer`] |
//! | send | [`Plan`] → [`SealedMail`] → [`SealedMail::packet`] → [`answer::expect_acceptance`] |
//! | receive | [`answer::AnswerReader`] → [`receive::open`] → [`Inbox`] → [`AckBook`] |
//! | know the price | [`quote()`] |
//!
//! ```
//! use layer_minus_client_sdk::{Identity, Plan, Received, SealedMail, Wallets, content, receive};
//! use layer_minus_message::{Card, CardBody, Position, PushedPacket};
//! use layer_minus_packet::Sizes;
//! use layer_minus_seal::Version;
//! # use layer_minus_wallet::Address;
//! # use rand::SeedableRng;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
//! let (now, network, sizes) = (1_800_000_000, "devnet", Sizes::default());
//! let (peter, bobo) = (Wallets::generate(&mut rng), Wallets::generate(&mut rng));
//! let sender = Identity::generate(&peter.wallet, network, Version::V6, now, &mut rng)?;
//! let reader = Identity::generate(&bobo.wallet, network, Version::V6, now, &mut rng)?;
//! // What Bobo hands out, and his node serves.
//! let card = Card::sign(&bobo.wallet, CardBody {
//!     network: network.to_owned(),
//!     wallet: bobo.wallet.address(),
//!     node: Address::repeat_byte(1),
//!     certificate: reader.certificate.certificate().to_bytes(),
//!     valid_from: now,
//!     valid_until: now + 86_400,
//!     version: 1,
//! })?;
//!
//! let to = bobo.wallet.address();
//! let plan = Plan::of(to, content::TEXT, b"Hello Bobo", &sizes, now, &mut rng)?;
//! let letter = plan.letter(&sender, 0, b"Hello Bobo"[..].into(), None)?;
//! let mail = SealedMail::seal(&letter, &sender, &card, &sizes, now, &mut rng)?;
//! assert_eq!(mail.size, 16_000);
//!
//! // The node pushes the message as it is; only Bobo opens it, and knows that it is Peter's.
//! let pushed = PushedPacket {
//!     position: Position { generation: 1, seq: 1 },
//!     accepted_at: now,
//!     message: mail.message,
//! };
//! let Received::Letter(letter) = receive::open(&pushed, &reader.keyring(), network, to)? else {
//!     panic!("not a letter");
//! };
//! assert_eq!((&letter.body[..], letter.claims.from), (&b"Hello Bobo"[..], sender.address()));
//! # Ok(())
//! # }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod ack;
pub mod answer;
pub mod assemble;
pub mod content;
mod error;
pub mod identity;
pub mod inbox;
pub mod mail;
pub mod money;
pub mod quote;
pub mod receive;
pub mod request;
pub mod route;
pub mod statement;
pub mod wait;

pub use ack::{AckBook, Acknowledgement};
pub use answer::{AnswerReader, Pending, Receipt};
pub use assemble::{Assembler, Caps, Join, Outcome, Transfer, Unwanted};
pub use content::Plan;
pub use error::SdkError;
pub use identity::{Identity, Membership, Superseded, Terms, Wallets};
pub use inbox::Inbox;
pub use mail::SealedMail;
pub use quote::{Quote, quote, quote_least, quote_packets};
pub use receive::{Foreign, Received};
pub use request::Desk;
pub use route::{HOPS_MAX, Network, Outgoing, Route};
pub use statement::StatementBook;
pub use wait::Backoff;
