//! Bobo and Peter, as client processes.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    binaries::Binaries,
    error::{Error, Result, system},
    nodes::{NETWORK, Node, PASSWORD, PASSWORD_ENV},
    process::{COMMAND_TIMEOUT, Process},
};

/// A person: a home folder, a relay, an IP address to hide.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) ip: IpAddr,
    program: PathBuf,
    folder: PathBuf,
    /// As the client said at its start.
    pub(crate) address: String,
    /// The wallet that pays.
    pub(crate) cash: String,
    /// By which letters find it, as its card says; empty before there is a card.
    pub(crate) key: String,
    /// The relay that is posted to.
    relay: String,
}

impl Person {
    /// Makes wallets, device key and certificate.
    pub(crate) fn init(
        name: &'static str,
        ip: IpAddr,
        relay: &Node,
        directory: &Path,
        binaries: &Binaries,
        root: &Path,
    ) -> Result<Self> {
        let folder = root.join(name.to_lowercase());
        fs::create_dir_all(&folder).map_err(system("cannot make a folder"))?;
        let mut person = Self {
            name,
            ip,
            program: binaries.client.clone(),
            folder,
            address: String::new(),
            cash: String::new(),
            key: String::new(),
            relay: relay.address.clone(),
        };
        let directory = directory.to_string_lossy();
        let made = person.ask(&["init", "--directory", &directory, "--network", NETWORK])?;
        person.address = person.text(&made, "address")?;
        person.cash = person.text(&made, "cash_address")?;
        Ok(person)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The command line that is this person, for the launcher and for whoever wants to try.
    pub(crate) fn words(&self) -> Vec<String> {
        let home = self.home().to_string_lossy().into_owned();
        let source = self.ip.to_string();
        let words = ["--home", &home, "--source-address", &source, "--light-kdf"];
        words.map(str::to_owned).to_vec()
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env(PASSWORD_ENV, PASSWORD)
            .arg("--json")
            .args(self.words())
            .args(words);
        command
    }

    /// Runs a command of the client; what it printed.
    pub(crate) fn ask(&self, words: &[&str]) -> Result<Vec<Value>> {
        self.start(words)?.finish(COMMAND_TIMEOUT)
    }

    /// Runs a command that goes through the relay.
    pub(crate) fn ask_via_relay(&self, words: &[&str]) -> Result<Vec<Value>> {
        self.ask(&[words, &["--relay", &self.relay]].concat())
    }

    /// Starts a command that goes on.
    pub(crate) fn start(&self, words: &[&str]) -> Result<Process> {
        let name = format!("{} ({})", self.name, words.first().unwrap_or(&""));
        Process::start(&name, &mut self.command(words), &self.log())
    }

    /// Goes online: the client listens through the relay.
    pub(crate) fn listen(&self, words: &[&str]) -> Result<Process> {
        let mut process = self.start(&[&["listen", "--relay", &self.relay], words].concat())?;
        process.next(COMMAND_TIMEOUT, "open stream", |line| {
            event(line, "listening").then_some(())
        })?;
        Ok(process)
    }

    /// A text field of what was printed.
    pub(crate) fn text(&self, printed: &[Value], field: &str) -> Result<String> {
        let found = printed
            .iter()
            .rev()
            .find_map(|line| line.get(field)?.as_str());
        found
            .map(str::to_owned)
            .ok_or_else(|| self.failed(&format!("printed no '{field}'")))
    }

    /// The error that something about this person's client is wrong.
    pub(crate) fn failed(&self, what: &str) -> Error {
        Error::Process {
            what: format!("{}: {what}", self.name),
            log: self.log(),
        }
    }
}

/// Whether a line of `client listen` tells of that.
pub(crate) fn event(line: &Value, name: &str) -> bool {
    line.get("event").and_then(Value::as_str) == Some(name)
}
