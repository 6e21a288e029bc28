//! What is told, to people or to programs.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::error::AgentError;

/// Most errors, and most channels that are left out, that are told one by one in a round: whoever makes
/// very many of them does not fill the log.
pub(crate) const TOLD_MAX: usize = 100;

/// Lines of text, or of JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tell {
    pub(crate) json: bool,
}

impl Tell {
    /// What the program is for.
    #[allow(clippy::print_stdout)]
    pub(crate) fn say(self, text: &str, value: &Value) {
        if self.json {
            println!("{value}");
        } else {
            println!("{text}");
        }
    }

    /// For whoever watches it.
    #[allow(clippy::print_stderr, clippy::unused_self)]
    pub(crate) fn hint(self, text: &str) {
        eprintln!("{text}");
    }

    /// For whoever watches it, and for programs.
    pub(crate) fn note(self, text: &str, value: &Value) {
        self.hint(text);
        if self.json {
            self.say(text, value);
        }
    }
}

/// What went wrong while the rest went on.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    /// The first of them, in words.
    texts: Vec<String>,
    pub(crate) count: usize,
}

impl Errors {
    pub(crate) fn push(&mut self, error: &impl Display) {
        self.count += 1;
        if self.texts.len() < TOLD_MAX {
            self.texts.push(error.to_string());
        }
    }

    /// Tells them all.
    pub(crate) fn tell(&self, tell: Tell) {
        for text in &self.texts {
            tell.note(
                &format!("error: {text}"),
                &json!({ "error": { "text": text } }),
            );
        }
        let more = self.count - self.texts.len();
        if more > 0 {
            tell.hint(&format!("error: {more} more errors"));
        }
    }

    /// An error if there was any.
    pub(crate) fn result(self) -> Result<(), AgentError> {
        let count = self.count;
        match self.texts.into_iter().next() {
            Some(first) => Err(AgentError::Some { count, first }),
            None => Ok(()),
        }
    }
}
