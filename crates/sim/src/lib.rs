//! A seeded world in which real nodes and real clients crash, and a network loses what it likes.
//!
//! The logic is the released one: [`layer_minus_node::Node`] over a store, `intake::open`, its effects;
//! `Desk`, `SealedMail`, `AnswerReader`, `Inbox`, `AckBook` of the client. Around it are a virtual clock
//! and network, disks that forget what was not synced, and one generator of chance from which everything
//! derives: no threads, no sockets, no wall clock. So a seed that fails fails again, line by line.
//!
//! ```text
//! device --packet--> relay (a lane) --> node: intake::open, Node::handle_batch over FaultyStore
//!   home: inbox, outbox        |                 |  log, synced at each commit
//!   <--------- records --------+---- effects ----+  a crash may come before any of them
//! ```
//!
//! # What breaks
//! Packets and answers are lost, doubled (also hours later), late and out of order; links are cut and
//! streams break, each side noticing in its own time; clocks of nodes and devices are set, within and
//! beyond what commands tolerate; hours go by; a node crashes while idle, before its commit, within it
//! (a torn record) or between any two effects; a client crashes between receiving, storing and
//! acknowledging; a disk is full or a row damaged; a relay crashes, and the notes that nodes send it are lost,
//! doubled and late. About every tenth world is calm.
//!
//! # What must hold
//! While it goes on: what is accepted survives a crash, a packet leaves only when every consumer has it
//! on its own disk, mail is kept until retention ends, packets come in order, nothing is delivered that
//! was not sent, no frame and no nonce has an effect twice, no two records are sealed under one key and
//! nonce, a retry changes nothing, no relay holds a voucher that its node does not know. At the end, when everything has healed and everybody took what
//! waited: the list in `oracle`. Charges are recomputed from the world's own record of what was done.
//!
//! A new rule is an `Oracle` in that list.
//!
//! # Running it
//! ```text
//! cargo test -p layer-minus-sim                                     1,000 seeds and the planted bugs
//! cargo run -p layer-minus-sim --release -- --seeds 100000          the longer hunt
//! cargo run -p layer-minus-sim --release -- --seed 4711 --trace     one seed, line by line
//! ```
//! What it found is in `docs/found.md`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod asked;
mod books;
mod cast;
mod chance;
mod device;
mod disk;
mod errands;
mod faults;
mod hear;
mod knobs;
mod lanes;
mod mailboxes;
mod net;
mod observe;
mod oracle;
mod plant;
mod run;
mod site;
mod trace;
mod violation;
mod world;

pub use books::Counts;
pub use plant::Plant;
pub use run::{Options, Report, run};
pub use violation::Failure;
