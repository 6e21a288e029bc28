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
//! | know the price | [`quote`] |
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
pub mod wait;

pub use ack::{AckBook, Acknowledgement};
pub use answer::{AnswerReader, Pending, Receipt};
pub use assemble::{Assembler, Caps, Join, Outcome, Transfer, Unwanted};
pub use content::Plan;
pub use error::SdkError;
pub use identity::{Identity, Membership, Superseded, Terms, Wallets};
pub use inbox::Inbox;
pub use mail::SealedMail;
pub use quote::{Quote, quote};
pub use receive::{Foreign, Received};
pub use request::Desk;
pub use route::{HOPS_MAX, Network, Outgoing, Route};
pub use wait::Backoff;
