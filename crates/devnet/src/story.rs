//! Telling: lines for people, or an object per step for programs.

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::{Map, Value};

use crate::error::Error;

/// Tells what happens, as it happens.
#[derive(Debug)]
pub(crate) struct Story {
    json: bool,
    colour: bool,
}

/// Writes a line to standard output; that nobody reads it is no failure.
pub(crate) fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// Writes a line to standard error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

impl Story {
    pub(crate) fn new(json: bool) -> Self {
        let colour = !json && io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { json, colour }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// A new chapter.
    pub(crate) fn chapter(&self, title: &str) {
        if !self.json {
            print(&format!("\n{}", self.paint("1;36", title)));
        }
    }

    /// One step: who, what, and the figures of it for programs.
    pub(crate) fn step(&self, step: &str, who: &str, text: &str, details: Value) {
        if self.json {
            let mut object = Map::new();
            object.insert("step".to_owned(), step.into());
            object.insert("who".to_owned(), who.into());
            object.insert("text".to_owned(), text.into());
            if let Value::Object(details) = details {
                object.extend(details);
            }
            print(&Value::Object(object).to_string());
        } else {
            print(&format!(
                "  {} {text}",
                self.paint("1", &format!("{who:<7}"))
            ));
        }
    }

    /// More of the last step, for people only.
    pub(crate) fn more(&self, text: &str) {
        if !self.json {
            print(&format!("          {}", self.paint("2", text)));
        }
    }

    /// A sum that was checked.
    pub(crate) fn check(&self, ok: bool, text: &str) {
        if !self.json {
            let mark = if ok {
                self.paint("32", "ok")
            } else {
                self.paint("1;31", "DIFFERS")
            };
            print(&format!("  {mark}  {text}"));
        }
    }

    /// The last object.
    pub(crate) fn summary(&self, summary: &Value, human: &str) {
        if self.json {
            print(&serde_json::json!({ "summary": summary }).to_string());
        } else {
            print(&format!("\n{}", self.paint("1;32", human)));
        }
    }

    /// Why it ended early.
    pub(crate) fn failed(&self, error: &Error) {
        if self.json {
            print(&serde_json::json!({ "error": error.to_string() }).to_string());
        } else {
            complain(&self.paint("1;31", &format!("devnet: {error}")));
        }
    }
}
