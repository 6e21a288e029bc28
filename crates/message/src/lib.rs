//! Cards, records, frames, commands, acceptances, receipts: what is said inside the layers.
//!
//! Everything here is bytes in, checked values out. Nothing reads a clock or a socket: `now` (unix
//! seconds) and `rng` are arguments. What is refused has a [`MessageError`]; what the other side
//! is told about it, inside a sealed answer, is a [`Reason`].
//!
//! | what | who says it to whom | read with |
//! |---|---|---|
//! | [`Frame`] | a sender to the node that opens a layer | [`Frame::read`] |
//! | [`CommandEnvelope`] | a client or node to a node | [`CommandEnvelope::read`] |
//! | [`Content`] | a node in its sealed answer | [`Content::read`] |
//! | [`Letter`] | a person to a person | [`Letter::read`] |
//! | [`Card`], [`NodeRecord`] | a person or node to whoever asks | [`Card::read`], [`NodeRecord::read`] |
//! | [`Authorization`] | a client's cash wallet to a node's | [`Authorization::verify`] |
//! | [`LaneNote`], [`LaneVoucher`] | a node to the node that forwards to it | [`LaneVoucher::verify`] |
//!
//! # JSON
//! One form, everywhere: objects without double or unknown keys; 64-bit integers as decimal
//! strings in their shortest form, because JavaScript loses precision above 2^53; bytes as `0x` and
//! hexadecimal, or base64 where they are many; addresses with their EIP-55 checksum (see
//! [`text`]). What is signed travels as the exact text that was signed, a string inside a string,
//! so nothing has to be brought into a canonical form. Lengths are checked before anything is
//! parsed ([`limits`]).
//!
//! # Signatures
//! Wallets sign cards, records and authorizations themselves. All else is a [`Proof`]: a
//! statement with purpose, network, audience, time and nonce, signed by a device that the wallet
//! delegated to, or by the wallet. None can stand for another ([`typed`]).
//!
//! ```
//! use layer_minus_message::{Command, CommandEnvelope, Reason, Signer};
//! # use layer_minus_wallet::Wallet;
//! # use rand::SeedableRng;
//! # let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
//! # let (client, node) = (Wallet::generate(&mut rng), Wallet::generate(&mut rng).address());
//! # let elsewhere = Wallet::generate(&mut rng).address();
//! let now = 1_800_000_000;
//! let signer = Signer::Wallet(&client);
//! let ask = CommandEnvelope::sign(signer, "devnet", node, &Command::Status, now, &mut rng)?;
//! let body = ask.to_bytes()?;
//!
//! let heard = CommandEnvelope::read(&body, "devnet", node, now + 3)?;
//! assert_eq!(heard.signer.map(|signer| signer.wallet), Some(client.address()));
//! let overheard = CommandEnvelope::read(&body, "devnet", elsewhere, now + 3);
//! assert_eq!(overheard.unwrap_err(), Reason::WrongAudience);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod answer;
pub mod authorization;
pub mod card;
pub mod channel;
pub mod command;
mod error;
pub mod frame;
mod json;
pub mod lane;
pub mod letter;
pub mod limits;
pub mod record;
pub mod signed;
pub mod standing;
pub mod text;
pub mod typed;

pub use answer::{Acceptance, AcceptanceBody, Answer, Content, LaneKey, PushedPacket};
pub use authorization::Authorization;
pub use card::{Card, CardBody, FullCard, ShortCard};
pub use channel::{Chain, Channel};
pub use command::{
    Command, CommandEnvelope, CommandSigner, Listen, Position, Registration, VerifiedCommand,
};
pub use error::{MessageError, Reason};
pub use frame::{Frame, InboxToken, Kind, Unread};
pub use lane::{LaneNote, LaneParty, LaneVoucher, lane_channel};
/// What a node charges, as records and standings say it.
pub use layer_minus_ledger::Tariff as Prices;
pub use letter::{Claims, Letter, Part};
pub use record::{NodeRecord, RecordBody};
pub use signed::{Proof, Purpose, SignedDocument, Signer};
pub use standing::{Charge, ChargeKind, Paused, Standing, Statement};
