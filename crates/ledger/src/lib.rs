//! Double-entry ledger in picodollars: accounts, transfers, reservations.
//!
//! # A worked example, in the whitepaper's numbers
//!
//! Bobo authorizes $1.00 to node B. A message of 1 MB reaches B through relay D while Bobo is
//! offline. B takes it in for $0.00002, pays D $0.00001 of that, and reserves what is still to
//! come: one push, and storage until retention ends after 24 hours. Bobo collects it after 12
//! hours: the push is posted, half of the storage is, the rest is free again.
//!
//! ```
//! use layer_minus_ledger::{
//!     AccountId, Amount, DebitLimit, MemoryBooks, Op, Refusal, StorageMeter, Tariff, TransferId,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! const MB: u64 = 1_000_000;
//! const HOUR: u64 = 3600;
//! let tariff = Tariff::default();
//! let account = |n| AccountId::new([n; 16]);
//! let (bobo, income, relay_d) = (account(1), account(2), account(3));
//! // In earnest an id is made from the message, so that a retry brings the same.
//! let id = |n| TransferId::new([n; 16]);
//! let now = 1_700_000_000;
//! let mut books = MemoryBooks::new();
//!
//! // $1.00 is 10^12 picodollars.
//! books.run(
//!     &[
//!         Op::Open { account: bobo, limit: DebitLimit::UpTo(1_000_000_000_000) },
//!         Op::Open { account: income, limit: DebitLimit::None },
//!         Op::Open { account: relay_d, limit: DebitLimit::None },
//!     ],
//!     now,
//! )?;
//!
//! // The message comes in: all of this, or none of it.
//! let (debit, credit, expires_at) = (bobo, income, now + 24 * HOUR);
//! let storage = tariff.storage_reserve_price(u128::from(MB) * 24 * 3600)?;
//! assert_eq!(storage, Amount::new(336_000));
//! let in_price = tariff.in_price(MB)?;
//! let arrival = [
//!     Op::Transfer { id: id(1), debit, credit, amount: in_price, code: 1 },
//!     Op::Transfer {
//!         id: id(2),
//!         debit: income,
//!         credit: relay_d,
//!         amount: tariff.relay_price(MB, in_price)?,
//!         code: 2,
//!     },
//!     Op::Pend { id: id(3), debit, credit, amount: tariff.out_price(MB)?, code: 3, expires_at },
//!     Op::Pend { id: id(4), debit, credit, amount: storage, code: 4, expires_at },
//! ];
//! books.run(&arrival, now)?;
//!
//! // The answer was lost, D asks again: nothing changes.
//! let before = books.clone();
//! books.run(&arrival, now + 1)?;
//! assert_eq!(books, before);
//!
//! // Bobo collects it after 12 hours.
//! let stored = u128::from(MB) * 12 * 3600;
//! let (used, _meter) = StorageMeter::default().charge(stored, tariff.storage_per_kb_hour)?;
//! books.run(
//!     &[
//!         Op::Post { id: id(5), pending: id(3), amount: None, last: true },
//!         Op::Post { id: id(6), pending: id(4), amount: Some(used), last: true },
//!     ],
//!     now + 12 * HOUR,
//! )?;
//!
//! let totals = books.check_invariants()?;
//! assert_eq!(totals.pending.get(), 0);
//! let paid = books.accounts().find(|a| a.id == bobo).map(|a| a.debits_posted);
//! assert_eq!(paid, Some(20_000_000 + 20_000_000 + 168_000)); // $0.000040168
//! let earned = books.accounts().find(|a| a.id == relay_d).map(|a| a.credits_posted);
//! assert_eq!(earned, Some(10_000_000)); // $0.00001
//!
//! // Nothing is spent above the dollar.
//! let all = Amount::new(1_000_000_000_000);
//! let refused = books.run(&[Op::Transfer { id: id(7), debit, credit, amount: all, code: 1 }], now);
//! assert!(matches!(
//!     refused.unwrap_err().refusal(),
//!     Some(Refusal::OverLimit { limit: 1_000_000_000_000, needed: 1_000_040_168_000, .. })
//! ));
//! # Ok(())
//! # }
//! ```
//!
//! # What it is
//!
//! The crate knows amounts and account ids and nothing else. It does no IO and reads no clock:
//! [`plan`] looks at the rows through [`Books`] and says in [`Changes`] which rows to write; the
//! caller writes them in one transaction. [`MemoryBooks`] is a small store of its own.
//!
//! - **Money** is [`Amount`], whole picodollars in a `u64`; totals are `u128`. No floats, no
//!   unchecked arithmetic.
//! - **Accounts** have four totals (debits and credits, posted and pending) and a [`DebitLimit`]
//!   on what may ever be debited, or on the balance.
//! - **Transfers** move an amount outright, or are reserved and then captured in one or several
//!   parts, called off, or expire. Ids come from the originator: a retry changes nothing.
//! - **Lists of operations** are linked: all or none, each seeing the effect of those before it.
//! - **Refusals** have a reason each ([`Refusal`]) and come before anything is written.
//! - **Checks**: [`verify`] and [`verify_journal`] add everything up anew.
//! - **Prices**: [`Tariff`] for passes, [`StorageMeter`] for storage, exact to the fraction.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod account;
mod amount;
mod books;
mod draft;
mod error;
mod id;
mod invariants;
mod memory;
mod op;
mod plan;
mod refusal;
mod repeat;
mod row;
mod storage;
mod tariff;
mod text;
mod transfer;
mod violation;

pub use account::{Account, DebitLimit};
pub use amount::{Amount, Dollars, PICODOLLARS_PER_DOLLAR, Sum};
pub use books::Books;
pub use error::LedgerError;
pub use id::{AccountId, ID_BYTES, TransferId};
pub use invariants::{Invariants, Totals, verify, verify_journal};
pub use memory::MemoryBooks;
pub use op::{Changes, Op, Outcome};
pub use plan::plan;
pub use refusal::{PlanError, Refusal};
pub use row::{ACCOUNT_ROW_BYTES, ROW_VERSION, TRANSFER_ROW_BYTES};
pub use storage::{BYTE_SECONDS_PER_KB_HOUR, StorageMeter};
pub use tariff::Tariff;
pub use transfer::{Transfer, TransferState};
pub use violation::Violation;
