//! Cards, records, frames, commands, acceptances, receipts: what is said inside the layers.
//!
//! Everything here is bytes in, checked values out. Nothing reads a clock or a socket.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod answer;
pub mod authorization;
pub mod card;
pub mod command;
mod error;
pub mod frame;
mod json;
pub mod letter;
pub mod limits;
pub mod record;
pub mod signed;
pub mod text;
pub mod typed;

pub use answer::{Acceptance, AcceptanceBody, Answer, Content, LaneKey, PushedPacket, Standing};
pub use authorization::{Authorization, Chain};
pub use card::{Card, CardBody, FullCard, ShortCard};
pub use command::{
    Command, CommandEnvelope, CommandSigner, Listen, Position, Registration, VerifiedCommand,
};
pub use error::{MessageError, Reason};
pub use frame::{Frame, InboxToken, Kind, Unread};
pub use letter::{Claims, Letter, Part};
pub use record::{NodeRecord, Prices, RecordBody};
pub use signed::{Proof, Purpose, SignedDocument, Signer};
