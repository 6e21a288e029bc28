//! The commands of README.md and docs/operators.md, as they stand there: only ports, addresses, URLs
//! and codes are put in.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod world;

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
};

use world::{PATIENCE, free_port, program};

const README: &str = include_str!("../../../README.md");
const OPERATORS: &str = include_str!("../../../docs/operators.md");

/// The lines of the `nth` block of commands under a heading, continued ones joined.
fn block(text: &str, heading: &str, nth: usize) -> Vec<String> {
    let section = text.split(heading).nth(1).expect(heading);
    let block = section.split("```sh\n").nth(nth + 1).expect(heading);
    let block = block.split("```").next().unwrap().replace("\\\n", "");
    block.lines().map(str::to_owned).collect()
}

/// A shell in a folder of its own that finds the programs by their names.
struct Desk {
    folder: PathBuf,
    path: String,
}

impl Desk {
    fn new(root: &Path, name: &str) -> Self {
        let folder = root.join(name);
        fs::create_dir(&folder).unwrap();
        for name in ["relay", "recipient"] {
            program(name);
        }
        let programs = program("client").parent().unwrap().to_owned();
        let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap());
        Self { folder, path }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-ec", line]).current_dir(&self.folder);
        command
            .env("PATH", &self.path)
            .env("HOME", &self.folder)
            .env_remove("CREDENTIALS_DIRECTORY")
            .env_remove("LAYER_MINUS_HOME")
            .env_remove("LAYER_MINUS_PASSWORD")
            .env_remove("RUST_LOG");
        command.stdin(Stdio::null());
        command
    }

    /// Runs a line that ends well; what it printed.
    fn run(&self, line: &str) -> String {
        self.run_command(line, &mut self.command(line))
    }

    /// The same as a person, who would type the password.
    fn run_as_person(&self, line: &str) -> String {
        let mut command = self.command(line);
        self.run_command(line, command.env("LAYER_MINUS_PASSWORD", "a person's"))
    }

    fn run_command(&self, line: &str, command: &mut Command) -> String {
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn start(&self, line: &str) -> Running {
        let mut command = self.command(&format!("exec {line}"));
        command.env("LAYER_MINUS_PASSWORD", "a person's");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Running { child, lines }
    }
}

/// A program that runs until it is dropped.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn prints(&self, what: &str) {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            if line.expect(what).contains(what) {
                return;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an operator's commands become for a node of this test.
fn commands_of(block: Vec<String>, kind: &str) -> Vec<String> {
    let port = free_port();
    let change = |line: String| {
        line.replace("recipient", kind)
            .replace("127.0.0.1:8443", &format!("127.0.0.1:{port}"))
            .replace("127.0.0.1:9443", "127.0.0.1:0")
            .replace("https://node.example", &format!("http://127.0.0.1:{port}"))
    };
    block.into_iter().map(change).collect()
}

/// Runs the commands of two operators, who hand each other their records.
fn start_nodes(recipient: &Desk, relay: &Desk) -> [Running; 2] {
    let nodes = [
        (recipient, "recipient", block(README, "## Run a node", 0)),
        (relay, "relay", block(OPERATORS, "## Set up", 0)),
    ]
    .map(|(desk, kind, lines)| (desk, kind, commands_of(lines, kind)));
    let mut rest = Vec::new();
    for (desk, kind, mut lines) in nodes {
        let import = lines.iter().position(|line| line.contains("import"));
        let later = lines.split_off(import.expect("an import"));
        lines.iter().for_each(|line| drop(desk.run(line)));
        rest.push((desk, kind, later));
    }
    let hand = |from: &Desk, name: &str, to: &Desk| {
        fs::copy(from.folder.join(name), to.folder.join("others.json")).expect(name);
    };
    hand(recipient, "recipient.json", relay);
    hand(relay, "relay.json", recipient);
    let started = rest.into_iter().map(|(desk, _, mut later)| {
        let run = later.pop().expect("the node");
        later.iter().for_each(|line| drop(desk.run(line)));
        let running = desk.start(run.split('#').next().unwrap());
        running.prints("listens on");
        running
    });
    let started: Vec<Running> = started.collect();
    started.try_into().ok().expect("two nodes")
}

fn node_of(record: &str) -> String {
    let signed: serde_json::Value = serde_json::from_str(record).unwrap();
    let document = signed["document"].as_str().unwrap();
    let body: serde_json::Value = serde_json::from_str(document).unwrap();
    body["node"].as_str().unwrap().to_owned()
}

#[test]
fn a_stranger_gets_from_the_readme_to_a_message() {
    let root = tempfile::tempdir().unwrap();
    let desk = |name| Desk::new(root.path(), name);
    let (recipient, relay, peter, bobo) = (desk("b"), desk("a"), desk("peter"), desk("bobo"));
    let _nodes = start_nodes(&recipient, &relay);
    let node = node_of(&fs::read_to_string(recipient.folder.join("recipient.json")).unwrap());

    let invite = block(README, "## Invite a friend", 0);
    let friend = block(README, "## Invite a friend", 1);
    let join = |person: &Desk| -> String {
        let printed: Vec<String> = invite.iter().map(|line| recipient.run(line)).collect();
        let directory = recipient.folder.join("directory.json");
        fs::copy(directory, person.folder.join("directory.json")).unwrap();
        let code = printed.last().unwrap().trim();
        let mut last = String::new();
        for line in &friend[..3] {
            let line = line.replace("0x…", &node).replace("CODE", code);
            last = person.run_as_person(&line);
        }
        last.trim().to_owned()
    };
    let card = join(&peter);
    join(&bobo);
    fs::write(bobo.folder.join("picture.jpg"), [7; 3_000]).unwrap();
    let (listen, rest) = friend[3..].split_last().unwrap();
    for line in rest {
        bobo.run_as_person(&line.replace("lm1:0x…:0x…:…", &card));
    }
    let listening = peter.start(listen);
    listening.prints("Hello Peter");
    listening.prints("picture.jpg");
}
