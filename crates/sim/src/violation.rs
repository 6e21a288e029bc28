//! How a run fails.

use std::fmt;

/// What an oracle says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) oracle: &'static str,
    pub(crate) text: String,
}

impl Violation {
    pub(crate) fn new(oracle: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { oracle, text }
    }

    /// The world itself does not work: a bug of the simulator, or an error where none can be.
    pub(crate) fn world(error: impl fmt::Display) -> Self {
        Self::new("the world works", error.to_string())
    }
}

/// A run that broke a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed that breaks it, every time.
    pub seed: u64,
    /// How many things had happened.
    pub step: u64,
    /// The rule.
    pub oracle: &'static str,
    /// What was found.
    pub text: String,
    /// The last lines of the trace.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        let Self {
            seed, step, oracle, ..
        } = self;
        writeln!(f, "seed {seed}, step {step}: broken: {oracle}")?;
        writeln!(f, "  {}", self.text)?;
        write!(
            f,
            "replay: cargo run -p layer-minus-sim --release -- --seed {seed} --trace"
        )
    }
}

impl std::error::Error for Failure {}
