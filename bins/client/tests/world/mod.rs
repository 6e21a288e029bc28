//! A network of real processes: two relays, two recipients, and people.
//!
//! The letters are the whitepaper's: Bobo goes through relay A to his recipient B, Peter through
//! relay D; Peter's own recipient is C.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod binaries;
mod disk;
mod money;
mod node;
mod person;
mod process;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use tempfile::TempDir;

pub use self::{
    binaries::program,
    money::{LARGE, SMALL, number},
    node::{Node, free_port, text},
    person::{Person, shown, texts},
    process::{Ended, PATIENCE, Process},
};

/// The password of everything here.
const PASSWORD: &str = "correct horse battery staple";

/// Four nodes that know each other, in a folder of their own. All ends when it is dropped.
#[derive(Debug)]
pub struct World {
    /// Relay of Bobo.
    pub a: Node,
    /// Recipient of Bobo.
    pub b: Node,
    /// Recipient of Peter.
    pub c: Node,
    /// Relay of Peter.
    pub d: Node,
    /// All records.
    pub directory: PathBuf,
    password: PathBuf,
    folder: TempDir,
}

impl World {
    /// Makes and starts the nodes.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same; `settings` replace defaults of recipient B.
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        let folder = TempDir::with_prefix("layer-minus-").expect("a temporary folder");
        let root = folder.path();
        let password = root.join("password");
        fs::write(&password, PASSWORD).expect("a file");
        let node = |program, name| {
            let settings = if name == "b" { settings } else { &[] };
            Node::init(program, name, root, &password, settings)
        };
        let mut world = Self {
            a: node("relay", "a"),
            b: node("recipient", "b"),
            c: node("recipient", "c"),
            d: node("relay", "d"),
            directory: root.join("directory.json"),
            password,
            folder,
        };
        let records = world.nodes().map(|node| node.record.clone());
        let text = json!({ "layer_minus_directory": 1, "records": records }).to_string();
        fs::write(&world.directory, text).expect("the directory");
        let directory = world.directory.to_string_lossy().into_owned();
        for node in world.nodes() {
            node.ask(&["directory", "import", &directory]);
            node.start();
        }
        world
    }

    /// All four, started again with more in their logs.
    pub fn start_logging(level: &'static str) -> Self {
        let mut world = Self::start();
        for node in world.nodes() {
            node.kill_9();
            node.set_level(level);
            node.start();
        }
        world
    }

    fn nodes(&mut self) -> [&mut Node; 4] {
        [&mut self.a, &mut self.b, &mut self.c, &mut self.d]
    }

    /// A folder for what belongs to nobody in particular.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(&path).expect("a folder");
        path
    }

    /// The file with the password of everything here.
    pub fn password(&self) -> &Path {
        &self.password
    }

    /// A person with a home, registered nowhere.
    pub fn person(&self, name: &str, relay: &Node) -> Person {
        self.person_with(name, relay, &[])
    }

    /// The same, with more words for `client init`.
    pub fn person_with(&self, name: &str, relay: &Node, words: &[&str]) -> Person {
        self.vacant(name, relay).init(&self.directory, words)
    }

    /// A person without a home.
    pub fn vacant(&self, name: &str, relay: &Node) -> Person {
        Person::vacant(name, self.folder.path(), &self.password, relay)
    }

    /// Bobo, client of B, and Peter, client of C, who know each other.
    pub fn bobo_and_peter(&self) -> (Person, Person) {
        let (bobo, peter) = (self.person("bobo", &self.a), self.person("peter", &self.d));
        bobo.register(&self.b, "$1.00");
        peter.register(&self.c, "$1.00");
        bobo.befriend("peter", &peter);
        peter.befriend("bobo", &bobo);
        (bobo, peter)
    }
}
