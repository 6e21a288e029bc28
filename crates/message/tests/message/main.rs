//! Every encoder and decoder, from outside: round trips, what is refused, and the vectors.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// A test may read and write files.
#![allow(clippy::disallowed_methods)]

mod answer;
mod authorization;
mod command;
mod documents;
mod frame;
mod lane;
mod letter;
mod strict;
#[path = "../../../../tests/tools/mod.rs"]
mod tools;
mod vectors;
mod viem;
mod world;
