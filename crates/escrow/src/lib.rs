//! An escrow contract that redeems authorizations and vouchers, and how to call it.
//!
//! The contract (`contracts/Escrow.sol`) holds deposits per channel. Whoever is owed claims what
//! cumulative vouchers allow, many channels in one call, and is paid in one transfer; whoever
//! deposited takes the rest back after a delay that was announced. Channels and vouchers are the
//! typed data of x402's `batch-settlement` scheme: what [`Authorization::sign`] signs is redeemed as
//! it is. Nobody owns the contract and nothing in it can be changed.
//!
//! | to do this | use |
//! |---|---|
//! | turn claims into batches, and know what to mark after | [`OnEscrow`], a [`Settlement`] |
//! | send a batch, be paid, refund; deposit, withdraw | [`Escrow`] |
//! | know what a client's deposit is worth | [`Escrow::views`], [`Views::backing_units`] |
//! | know whether the chain's node stands still | [`Escrow::latest_time`] |
//! | sign transactions with a wallet of Layer Minus | [`CashSigner`] |
//! | see the contract itself | [`bindings`] |
//!
//! None of it is needed to run a node: [`Export`](layer_minus_settlement::Export) settles between
//! people. What a public deposit shows to everybody is written in `docs/settlement.md`.
//!
//! # Finality
//! A block can still be replaced until it is final. So a deposit counts only from the last final
//! block on, while an announced withdrawal and what was claimed count from the latest block:
//! [`Views::backing_units`] takes the smaller of both views. Likewise a claim is marked as settled
//! only when a *final* block says so ([`Escrow::settled`]); a batch that is sent again in doubt claims
//! nothing twice.
//!
//! A withdrawal matures no sooner than the channel's delay after its announcement. A node that
//! looks at its channels more often than the shortest delay it accepts, and claims where a withdrawal
//! is announced, loses nothing. Where work is done later than it was accepted, as mail is delivered
//! that was reserved for, let any announcement end the backing: give `u64::MAX` as the end.
//!
//! [`Authorization::sign`]: layer_minus_message::Authorization::sign
//! [`Settlement`]: layer_minus_settlement::Settlement
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod batch;
mod call;
mod deposit;
mod error;
mod signer;

pub use batch::{BATCH_CHANNELS_MAX, Batch, OnEscrow};
pub use call::{Done, Escrow, RECEIPT_WAIT};
pub use deposit::{Deposit, Views, Withdrawal};
pub use error::{EscrowError, Refusal};
pub use signer::CashSigner;

/// The contract's functions, errors and bytecode, from the artifact of the compiler.
pub mod bindings {
    // The macro writes public items of its own, which no comment can reach.
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
    alloy_sol_types::sol!(
        #[sol(rpc)]
        #[derive(Debug, PartialEq, Eq)]
        Escrow,
        "contracts/artifacts/Escrow.json"
    );

    alloy_sol_types::sol! {
        /// What a payer needs of a token before a deposit.
        #[sol(rpc)]
        interface Erc20 {
            function approve(address spender, uint256 amount) external returns (bool);
            function allowance(address owner, address spender) external view returns (uint256);
            function balanceOf(address account) external view returns (uint256);
        }
    }
}
