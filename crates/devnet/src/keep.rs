//! `--keep`: the network goes on, for whoever wants to try it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    error::{Error, Result},
    nodes::{PASSWORD, PASSWORD_ENV},
    play::Stage,
    process::check_interrupt,
    story::Story,
};

impl Stage {
    /// Leaves it running, and says how to talk to it.
    pub(crate) fn keep(&mut self, story: &Story, summary: &Value) -> Result<()> {
        // From now on it may run for days.
        self.nodes
            .all()
            .into_iter()
            .for_each(|node| node.tap.sheet().stop());
        story.chapter("The network is running. In another terminal:");
        let mut lines = vec![format!("export {PASSWORD_ENV}={PASSWORD}")];
        for person in [&self.bobo, &self.peter] {
            let mut words = vec![person.program().to_string_lossy().into_owned()];
            words.extend(person.words());
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            lines.push(format!(
                "{}() {{ {} \"$@\"; }}",
                person.name.to_lowercase(),
                words.join(" ")
            ));
        }
        lines.push(format!("bobo listen --relay {}", self.nodes.a.address));
        lines.push(format!(
            "peter send Bobo 'How are you?' --relay {}",
            self.nodes.d.address
        ));
        lines.push(format!("bobo status --relay {}", self.nodes.a.address));
        for node in [&self.nodes.b, &self.nodes.c] {
            lines.push(node.example("status"));
        }
        lines.iter().for_each(|line| story.more(line));
        for node in self.nodes.all() {
            let log = node.log();
            story.more(&format!(
                "# {} is {} at {}, log {}",
                node.name(),
                node.address,
                node.url(),
                log.display()
            ));
        }
        story.step(
            "kept",
            "devnet",
            "press Ctrl-C to end it",
            json!({ "commands": lines }),
        );
        story.summary(summary, "All as it should be.");
        loop {
            if matches!(check_interrupt(), Err(Error::Interrupted)) {
                return Ok(());
            }
            self.nodes.check()?;
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted("/a/b-c"), "/a/b-c");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
