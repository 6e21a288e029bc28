//! What a command prints: lines for people, or one JSON object per line for programs.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::error::DaemonError;

/// Where and how output goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    json: bool,
}

impl Out {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints one line: `human` for people, `value` as JSON for programs.
    pub(crate) fn line(
        self,
        human: impl FnOnce() -> String,
        value: &impl Serialize,
    ) -> Result<(), DaemonError> {
        if self.json {
            self.object(value)
        } else {
            print(&human())
        }
    }

    /// Prints an object that is the same for people and for programs.
    pub(crate) fn object(self, value: &impl Serialize) -> Result<(), DaemonError> {
        let text =
            serde_json::to_string(value).map_err(|error| DaemonError::Output(error.into()))?;
        print(&text)
    }

    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// Prints text as it is, newlines and all.
    pub(crate) fn raw(self, text: &str) -> Result<(), DaemonError> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text.as_bytes());
        written
            .and_then(|()| stdout.flush())
            .map_err(DaemonError::Output)
    }

    /// Tells people something beside the result; programs are not bothered.
    pub(crate) fn note(self, human: impl FnOnce() -> String) {
        if !self.json {
            // Nobody can be told if this cannot be written.
            let _ = writeln!(io::stderr().lock(), "{}", human());
        }
    }

    /// Says why the command failed: to people on the error stream, to programs as a result, in the
    /// shape that `client` has.
    pub(crate) fn error(self, error: &DaemonError) {
        if error.is_unread() {
            return;
        }
        // Nobody can be told if this cannot be written; the exit code still says it.
        if self.json {
            let _ = self.object(&serde_json::json!({
                "error": {
                    "kind": error.kind(),
                    "text": error.to_string(),
                    "advice": error.advice(),
                    "reason": null,
                }
            }));
            return;
        }
        let mut stderr = io::stderr().lock();
        let _ = writeln!(stderr, "error: {error}");
        if let Some(advice) = error.advice() {
            let _ = writeln!(stderr, "  next: {advice}");
        }
    }
}

fn print(text: &str) -> Result<(), DaemonError> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")
        .and_then(|()| stdout.flush())
        .map_err(DaemonError::Output)
}
