//! Everything over real sockets on 127.0.0.1.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod forms;
mod forward;
mod lanes;
mod onion;
mod plain;
mod raw;
mod refusals;
mod secure;
mod streams;
#[path = "../../../routing/src/testing/theft.rs"]
mod theft;
mod who_has;
mod world;
