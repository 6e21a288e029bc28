//! Settling what authorizations and vouchers promise.
//!
//! A client authorizes its node to deduct up to a limit; a node gives vouchers to the nodes that
//! forward for it. Both are the same paper: a channel, and a signed cumulative voucher on it, typed
//! as in x402's `batch-settlement` scheme. A [`Claim`] is such a paper with what was earned on it
//! and what was settled of that. A [`Settlement`] turns claims into work for the world outside;
//! [`mark`] says what to write once that is done.
//!
//! Two kinds of settlement exist: [`Export`], a list for people, here; and an escrow contract, in
//! `layer-minus-escrow`. Nothing here does IO.
//!
//! # Units
//! Books are kept in picodollars (p$). What is settled is whole token units, 10^6 p$ each. Totals
//! are floored and cumulative, so what is left below a unit stays owed and nothing is lost:
//!
//! ```
//! use layer_minus_message::{Authorization, Chain, LaneParty};
//! use layer_minus_settlement::{Claim, ClaimState, Export, Mark, Settlement, mark};
//! # use layer_minus_wallet::Wallet;
//! # use rand_chacha::rand_core::SeedableRng;
//! # let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
//! # let (cash, client, node) = (Wallet::generate(&mut rng), Wallet::generate(&mut rng), Wallet::generate(&mut rng));
//! // Bobo authorizes $0.01; a message of 1 MB, stored for 24 hours, cost him 40,336,000 p$.
//! let payee = LaneParty { node: node.address(), cash: node.address() };
//! let paper = Authorization::sign(
//!     &cash, client.address(), payee, Chain::default(), 10_000, 1_800_000_000, &mut rng,
//! )?;
//! let mut claims = [Claim::of_authorization(&paper, client.address(), 40_336_000, 0)];
//!
//! let plan = Export.plan(&claims);
//! let step = &plan.steps[0];
//! assert!(step.work.csv.contains(&node.address().to_string()));
//!
//! // People paid 40 units. The rest waits for more.
//! for change in mark(&claims, &step.marks)? {
//!     assert_eq!((change.from_units, change.to_units), (0, 40));
//!     assert_eq!(change.amount_pusd, 40_000_000);
//!     claims[0].settled_units = change.to_units;
//! }
//! assert_eq!(claims[0].state()?, ClaimState::Settled { remainder_pusd: 336_000 });
//! assert!(Export.plan(&claims).steps.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod claim;
mod error;
mod export;
mod mark;
mod settlement;
mod text;

pub use claim::{Claim, ClaimState, Due, NOTE_BYTES_MAX};
pub use error::SettlementError;
pub use export::{Document, Export, export_csv, export_json};
pub use layer_minus_message::Channel;
pub use mark::{Mark, Marked, mark};
pub use settlement::{Checked, Left, Plan, Settlement, Step, check};
