//! What was received before, so that people see each message once.

use std::collections::{HashSet, VecDeque};

use alloy_primitives::Address;
use layer_minus_message::Letter;
use serde::{Deserialize, Serialize};

use crate::assemble::{Assembler, Caps, Outcome};

/// Most messages that are remembered; then the oldest are forgotten.
pub const SEEN_MAX: usize = 65_536;

type Key = (Address, [u8; 16]);

/// For a program without a database: what was seen, and what is unfinished, in memory.
///
/// It can be stored as a whole. A shell with a database keeps the ids there instead, and uses
/// [`Assembler`] alone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Inbox {
    seen: HashSet<Key>,
    order: VecDeque<Key>,
    assembler: Assembler,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    seen: Vec<Key>,
    unfinished: Assembler,
}

impl From<Stored> for Inbox {
    fn from(stored: Stored) -> Self {
        let mut inbox = Self {
            assembler: stored.unfinished,
            ..Self::default()
        };
        for key in stored.seen {
            inbox.remember(key);
        }
        inbox
    }
}

impl From<Inbox> for Stored {
    fn from(inbox: Inbox) -> Self {
        Self {
            seen: inbox.order.into(),
            unfinished: inbox.assembler,
        }
    }
}

impl Inbox {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is unfinished.
    #[must_use]
    pub const fn assembler(&self) -> &Assembler {
        &self.assembler
    }

    /// Takes a checked letter, and says what to do with it. Each content comes out once.
    pub fn take(&mut self, letter: &Letter, caps: &Caps, now: u64) -> Outcome {
        let key = (letter.claims.from, letter.claims.id);
        if self.seen.contains(&key) {
            return Outcome::Duplicate;
        }
        let outcome = self.assembler.take(letter, caps, now);
        if matches!(outcome, Outcome::Whole | Outcome::Complete(_)) {
            self.remember(key);
        }
        outcome
    }

    fn remember(&mut self, key: Key) {
        if !self.seen.insert(key) {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > SEEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }
}
