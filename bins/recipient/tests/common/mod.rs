//! A node's program as a process, for the tests of both programs.
#![allow(dead_code, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

pub const PASSWORD: &str = "correct horse battery staple";
pub const PASSWORD_ENV: &str = "LAYER_MINUS_PASSWORD";
const TIMEOUT: Duration = Duration::from_secs(60);

/// A program, its configuration file and its folder.
pub struct Site {
    program: &'static str,
    pub folder: tempfile::TempDir,
}

/// What a command did.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    pub fn lines(&self) -> Vec<Value> {
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        self.stdout.lines().map(parse).collect()
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    #[track_caller]
    pub fn fails(self, code: i32, what: &str) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        let said = format!("{}{}", self.stdout, self.stderr);
        assert!(said.contains(what), "'{what}' is not in {self:?}");
        self
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Site {
    /// An empty folder.
    pub fn empty(program: &'static str) -> Self {
        Self {
            program,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A node after `init`, on free ports.
    pub fn new(program: &'static str) -> Self {
        let site = Self::empty(program);
        site.run(&INIT).ok();
        site
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("node.toml")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command
            .env_remove("RUST_LOG")
            .env_remove("CREDENTIALS_DIRECTORY");
        command
            .env(PASSWORD_ENV, PASSWORD)
            .arg("--config")
            .arg(self.config())
            .args(words);
        command.stdin(Stdio::null());
        command
    }

    pub fn run(&self, words: &[&str]) -> Done {
        self.command(words).output().unwrap().into()
    }

    /// With `--json`; the objects that it printed.
    pub fn json(&self, words: &[&str]) -> Vec<Value> {
        self.run(&[words, &["--json"]].concat()).ok().lines()
    }

    /// Changes the configuration.
    pub fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "'{from}' is not in {text}");
        fs::write(self.config(), text.replacen(from, to, 1)).unwrap();
    }

    /// Starts the node and waits until it says where it listens.
    pub fn start(&self) -> Running {
        Running::new(self.command(&["--json"]))
    }
}

/// What `init` is told: the URL is nobody's, so that nothing leaves the machine.
pub const INIT: [&str; 11] = [
    "init",
    "--listen",
    "127.0.0.1:0",
    "--admin",
    "127.0.0.1:0",
    "--url",
    "http://node.invalid/post",
    "--data",
    "data",
    "--light-kdf",
    "--network=test",
];

/// A running node; killed when dropped.
pub struct Running {
    child: Child,
    pub listening: SocketAddr,
    pub admin: SocketAddr,
    pub node: String,
    log: Receiver<String>,
    pub logged: Vec<String>,
}

impl Running {
    pub fn new(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, log) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let started: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("'{line}', {:?}", log.iter().collect::<Vec<_>>()));
        let address = |field: &str| started[field].as_str().unwrap().parse().unwrap();
        Self {
            listening: address("listening"),
            admin: address("admin"),
            node: started["node"].as_str().unwrap().to_owned(),
            child,
            log,
            logged: Vec::new(),
        }
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let done = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(done.success());
    }

    /// The next log line that has `what`.
    pub fn log(&mut self, what: &str) -> String {
        loop {
            let line = self.log.recv_timeout(TIMEOUT).unwrap_or_else(|_| {
                panic!("no '{what}' in the log: {:?}", self.logged);
            });
            self.logged.push(line.clone());
            if line.contains(what) {
                return line;
            }
        }
    }

    /// Waits for its end: the exit code, and all that it logged.
    pub fn wait(mut self) -> (Option<i32>, Vec<String>) {
        let until = Instant::now() + TIMEOUT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "it did not end: {:?}", self.logged);
            thread::sleep(Duration::from_millis(20));
        };
        let rest: Vec<String> = self.log.iter().collect();
        self.logged.extend(rest);
        (status.code(), std::mem::take(&mut self.logged))
    }

    pub fn stop(self) -> Vec<String> {
        self.signal("-TERM");
        let (code, log) = self.wait();
        assert_eq!(code, Some(0), "{log:?}");
        log
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status and body of what is at `path`.
pub fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    (status, body)
}

/// A file with this content.
pub fn file(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}
