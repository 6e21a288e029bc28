//! A person with the client.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::{
    Node, binaries,
    node::text,
    process::{Ended, Process},
};

/// A home folder.
#[derive(Debug)]
pub struct Person {
    name: String,
    folder: PathBuf,
    password: PathBuf,
    relay: String,
    /// The address that its connections come from, if it is not the system's choice.
    source: Option<&'static str>,
    /// The wallet that people write to.
    pub address: String,
    /// The wallet that pays.
    pub cash: String,
}

impl Person {
    /// A home that is not made yet. Its connections go to `relay`.
    pub fn vacant(name: &str, root: &Path, password: &Path, relay: &Node) -> Self {
        let folder = root.join(name);
        fs::create_dir(&folder).expect("a folder");
        Self {
            name: name.to_owned(),
            folder,
            password: password.to_owned(),
            relay: relay.address.clone(),
            source: None,
            address: String::new(),
            cash: String::new(),
        }
    }

    /// Makes the home.
    pub fn init(mut self, directory: &Path, words: &[&str]) -> Self {
        let directory = directory.to_string_lossy();
        let made = self.ok(&[&["init", "--directory", &directory], words].concat());
        self.address = text(&made, "address");
        self.cash = text(&made, "cash_address");
        self
    }

    /// From now on its connections come from this address.
    pub fn set_source(&mut self, ip: &'static str) {
        self.source = Some(ip);
    }

    /// From now on its connections go to this relay.
    pub fn change_relay(&mut self, relay: &Node) {
        self.relay.clone_from(&relay.address);
    }

    /// A file of its own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The command line of the client.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binaries::program("client"));
        command
            .args(["--json", "--light-kdf", "--home"])
            .arg(self.folder.join("home"))
            .arg("--password-file")
            .arg(&self.password);
        if let Some(ip) = self.source {
            command.args(["--source-address", ip]);
        }
        command.args(words);
        command
    }

    /// Starts a command.
    pub fn start(&self, words: &[&str]) -> Process {
        let name = format!("{} {words:?}", self.name);
        Process::start(&name, &mut self.command(words), &self.folder.join("log"))
    }

    /// Runs a command to its end.
    pub fn run(&self, words: &[&str]) -> Ended {
        self.start(words).end()
    }

    /// Runs a command that goes well; what it printed.
    pub fn ok(&self, words: &[&str]) -> Vec<Value> {
        self.run(words).ok()
    }

    /// Runs a command through the own relay.
    pub fn via(&self, words: &[&str]) -> Ended {
        self.run(&[words, &["--relay", &self.relay]].concat())
    }

    /// Becomes the client of `node`.
    pub fn register(&self, node: &Node, amount: &str) -> Vec<Value> {
        let invite = node.invite(amount);
        let words = ["register", "--node", &node.address, "--invite", &invite];
        self.via(&words).ok()
    }

    /// Goes online: returns when the stream is open.
    pub fn listen(&self, words: &[&str]) -> Process {
        let process = self.start(&[&["listen", "--relay", &self.relay], words].concat());
        process.event("listening");
        process
    }

    /// Collects `count` messages, then goes offline again. Returns them.
    pub fn collect(&self, count: usize) -> Vec<Value> {
        let lines = self.via(&["listen", "--count", &count.to_string()]).ok();
        shown(&lines)
    }

    /// The short text of its card.
    pub fn short_card(&self) -> String {
        text(&self.ok(&["card", "--short"]), "short")
    }

    /// Learns of `other` from the short card.
    pub fn add(&self, name: &str, other: &Self) {
        self.ok(&["contacts", "add", name, &other.short_card()]);
    }

    /// Learns of `other` from the full card: is no stranger.
    pub fn befriend(&self, name: &str, other: &Self) {
        let card = self.file(&format!("{name}.card"));
        let card = card.to_string_lossy();
        other.ok(&["card", "--full", &card]);
        self.ok(&["contacts", "add", name, &card]);
    }

    /// Sends a text.
    pub fn send(&self, to: &str, words: &str) -> Value {
        let printed = self.via(&["send", to, words]).ok();
        printed.last().expect("an acceptance").clone()
    }
}

/// The messages and files among the events.
pub fn shown(lines: &[Value]) -> Vec<Value> {
    let is_shown = |line: &&Value| line["event"] == "message" || line["event"] == "file";
    lines.iter().filter(is_shown).cloned().collect()
}

/// The texts of messages, in order.
pub fn texts(messages: &[Value]) -> Vec<String> {
    let text = |message: &Value| message["text"].as_str().map(str::to_owned);
    messages.iter().filter_map(text).collect()
}
