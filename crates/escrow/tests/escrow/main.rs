//! The contract on a chain of its own: `anvil`, from npm, started and stopped by each test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod anvil;
mod artifact;
mod claims;
mod gas;
mod tokens;
#[path = "../../../../tests/tools/mod.rs"]
mod tools;
mod withdrawal;
mod world;
