//! A relay or a recipient.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::atomic::{AtomicU16, Ordering},
};

use serde_json::Value;

use super::{
    binaries,
    disk::Disk,
    process::{Ended, Process},
};

/// A node: its folder, its port, and its process while it runs.
#[derive(Debug)]
pub struct Node {
    name: String,
    program: PathBuf,
    folder: PathBuf,
    password: PathBuf,
    process: Option<Process>,
    /// A disk of its own, for its data alone.
    disk: Option<Disk>,
    /// What it logs, as `RUST_LOG` says it.
    level: &'static str,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// Its wallet.
    pub address: String,
    /// The record that it hands out.
    pub record: Value,
    /// What it said when it was started last.
    pub started: Value,
}

impl Node {
    /// Makes keys and configuration, in which `settings` replace the defaults.
    pub fn init(
        program: &str,
        name: &str,
        root: &Path,
        password: &Path,
        settings: &[(&str, &str)],
    ) -> Self {
        let folder = root.join(name);
        fs::create_dir(&folder).expect("a folder");
        let mut node = Self {
            name: name.to_owned(),
            program: binaries::program(program),
            folder,
            password: password.to_owned(),
            process: None,
            disk: None,
            level: "info",
            port: free_port(),
            address: String::new(),
            record: Value::Null,
            started: Value::Null,
        };
        let listen = format!("127.0.0.1:{}", node.port);
        let made = node.ask(&["init", "--light-kdf", "--data", "data", "--listen", &listen]);
        node.address = text(&made, "node");
        for (key, value) in settings {
            node.set(key, value);
        }
        node.record = node.ask(&["record"]).pop().expect("a record");
        node
    }

    /// Makes it serve TLS as `localhost` with these PEM files, and trust that certificate elsewhere.
    pub fn secure(&mut self, certificate: &Path, key: &Path) {
        let quoted = |path: &Path| format!("{:?}", path.display().to_string());
        let (certificate, key) = (quoted(certificate), quoted(key));
        self.set("extra_roots", &certificate);
        self.replace("\n#[tls]\n", "\n[tls]\n");
        self.set("cert", &certificate);
        self.set("key", &key);
        let (plain, secure) = ("http://127.0.0.1:", "https://localhost:");
        self.replace(
            &format!("{plain}{}", self.port),
            &format!("{secure}{}", self.port),
        );
        self.record = self.ask(&["record"]).pop().expect("a record");
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = match &self.disk {
            Some(disk) => disk.command(&self.program),
            None => Command::new(&self.program),
        };
        command
            .env("RUST_LOG", self.level)
            .arg("--json")
            .arg("--config")
            .arg(self.folder.join("node.toml"))
            .arg("--password-file")
            .arg(&self.password)
            .args(words);
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, words: &[&str]) -> Ended {
        let name = format!("node {} {words:?}", self.name);
        Process::start(&name, &mut self.command(words), &self.folder.join("log")).end()
    }

    /// Runs a command that goes well; what it printed.
    pub fn ask(&self, words: &[&str]) -> Vec<Value> {
        self.run(words).ok()
    }

    /// What a command prints that goes well, as it is.
    pub fn print(&self, words: &[&str]) -> String {
        let output = self.command(words).output().expect("a command");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Moves its data to a disk of so many bytes, while it does not run. False if this machine lets nobody
    /// mount one.
    pub fn move_to_disk_of(&mut self, bytes: u64) -> bool {
        self.disk = Disk::mount(&self.folder.join("data"), bytes);
        self.disk.is_some()
    }

    /// Starts it; returns when it listens.
    pub fn start(&mut self) {
        self.start_as(self.command(&["run"]));
    }

    /// Starts it; false if it refuses to.
    pub fn try_start(&mut self) -> bool {
        let name = format!("node {}", self.name);
        let log = self.run_log();
        let process = Process::start(&name, &mut self.command(&["run"]), &log);
        let listens = process.has_printed(|line| line.get("listening").is_some());
        self.process = listens.then_some(process);
        listens
    }

    fn start_as(&mut self, mut command: Command) {
        let name = format!("node {}", self.name);
        let log = self.run_log();
        let process = Process::start(&name, &mut command, &log);
        self.started = process.next("'listening'", |line| line.get("listening").is_some());
        self.process = Some(process);
    }

    /// From its next start it logs this.
    pub fn set_level(&mut self, level: &'static str) {
        self.level = level;
    }

    /// What its runs wrote; what its operator's commands print is elsewhere.
    pub fn run_log(&self) -> PathBuf {
        self.folder.join("run-log")
    }

    /// Ends it on the spot: `kill -9`.
    pub fn kill_9(&mut self) {
        self.process.take().expect("a running node").kill_9();
    }

    /// Whether its process runs.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// A code that brings whoever registers with it `amount`.
    pub fn invite(&self, amount: &str) -> String {
        text(&self.ask(&["invite", "--amount", amount]), "invite")
    }

    /// Changes a setting whose default is shown in the configuration.
    pub fn set(&self, key: &str, value: &str) {
        let (from, to) = (format!("\n#{key} = "), format!("\n{key} = {value} # "));
        self.replace(&from, &to);
    }

    fn replace(&self, from: &str, to: &str) {
        let file = self.folder.join("node.toml");
        let text = fs::read_to_string(&file).expect("the configuration");
        assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
        fs::write(&file, text.replace(from, to)).expect("the configuration");
    }

    /// What it logged so far.
    pub fn log_lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.run_log()).expect("a log");
        // What it printed is in the same file.
        text.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line.get("level").is_some())
            .collect()
    }

    /// Where its data and keys are.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The file of its store.
    pub fn store(&self) -> PathBuf {
        let data = fs::read_dir(self.data()).expect("the data folder");
        let files = data.map(|entry| entry.expect("an entry").path());
        let is_store = |path: &PathBuf| {
            let mut start = [0_u8; 16];
            let read = fs::File::open(path)
                .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start));
            read.is_ok() && start.starts_with(b"SQLite format 3")
        };
        let mut stores = files.filter(is_store);
        stores.next().expect("a store")
    }
}

/// A text field of the last object that has it.
pub fn text(printed: &[Value], field: &str) -> String {
    let found = printed
        .iter()
        .rev()
        .find_map(|line| line.get(field)?.as_str());
    found
        .unwrap_or_else(|| panic!("no '{field}' in {printed:?}"))
        .to_owned()
}

/// A port that nobody has, below those that systems give to outgoing connections: a node that is
/// started again must find it free.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 12_000 + (process::id().wrapping_mul(61) % 15_000) as u16;
    (0..1_000)
        .map(|_| first + NEXT.fetch_add(1, Ordering::Relaxed) % 5_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
