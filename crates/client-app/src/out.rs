//! What is printed: lines for people, or one JSON object per line for programs.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::error::AppError;

/// Where and how output goes. Results go to standard output, everything else to standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    json: bool,
}

impl Out {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// Prints a result: `human` for people, made fit for a terminal, `value` as one line of JSON for programs.
    pub(crate) fn line(
        self,
        human: impl FnOnce() -> String,
        value: &impl Serialize,
    ) -> Result<(), AppError> {
        let text = if self.json {
            serde_json::to_string(value).map_err(|error| AppError::Output(error.into()))?
        } else {
            printable(&human())
        };
        self.raw(&text)
    }

    /// Prints text as it is.
    pub(crate) fn raw(self, text: &str) -> Result<(), AppError> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}")
            .and_then(|()| stdout.flush())
            .map_err(AppError::Output)
    }

    /// Tells a person at the terminal how it goes; programs are not bothered.
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            // Nobody can be told if this cannot be written.
            let _ = writeln!(io::stderr().lock(), "{}", printable(text));
        }
    }

    /// Says why the command failed: to people on standard error, to programs as a result.
    pub(crate) fn error(self, error: &AppError) {
        if error.is_unread() {
            return;
        }
        if self.json {
            let value = serde_json::json!({
                "error": {
                    "kind": error.kind(),
                    "text": error.to_string(),
                    "advice": error.advice(),
                    "reason": error.reason(),
                }
            });
            let _ = writeln!(io::stdout().lock(), "{value}");
        } else {
            let mut stderr = io::stderr().lock();
            // What a node gave as its reason may be in it.
            let _ = writeln!(stderr, "error: {}", printable(&error.to_string()));
            if let Some(advice) = error.advice() {
                let _ = writeln!(stderr, "  next: {}", printable(&advice));
            }
        }
    }

    /// Whether a person watches.
    pub(crate) fn watched(self) -> bool {
        !self.json && io::stderr().is_terminal()
    }
}

/// Text from a stranger, fit for a terminal: control characters could move the cursor, change
/// colours or answer in the reader's name, and some formatting characters turn text around.
pub(crate) fn printable(text: &str) -> String {
    let harmless = |c: char| match c {
        '\n' | '\t' => true,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => false,
        c => !c.is_control(),
    };
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if harmless(c) { c } else { '\u{fffd}' })
        .collect()
}

/// Bytes for people.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_cannot_command_the_terminal() {
        let evil = "hi\u{1b}]0;owned\u{7}\r\nsafe\tline\u{202e}txt";
        let shown = printable(evil);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\r', '\u{202e}']));
        assert!(shown.contains("safe\tline"));
        assert_eq!(printable("Grüße, 你好 🙂\n"), "Grüße, 你好 🙂\n");
    }
}
