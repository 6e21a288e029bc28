//! A child process that speaks JSON lines, is never waited for without end, and dies when dropped.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// For whatever is waited for. Generous: debug builds on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// How much of a log goes into a panic's text, bytes.
const LOG_TAIL_BYTES: usize = 6_000;

/// A running child.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    lines: Receiver<Value>,
    log: PathBuf,
}

/// A child that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// The objects that it printed and nobody had read.
    pub lines: Vec<Value>,
    /// For the text of a panic.
    pub story: String,
}

impl Process {
    /// Starts it. Both its streams also go to the file `log`, after what is there.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let open = || -> File {
            File::options()
                .create(true)
                .append(true)
                .open(log)
                .unwrap_or_else(|error| panic!("{}: {error}", log.display()))
        };
        writeln!(open(), "== {name}: {command:?}").expect("log");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(open())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let stdout = child.stdout.take().expect("a pipe");
        let mut copy = open();
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = writeln!(copy, "{line}");
                if let Ok(value) = serde_json::from_str(&line)
                    && send.send(value).is_err()
                {
                    return;
                }
            }
        });
        Self {
            name: name.to_owned(),
            child,
            lines,
            log: log.to_owned(),
        }
    }

    /// The next object for which `wanted` is true; panics if it does not come.
    pub fn next(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(value) if wanted(&value) => return value,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("no {what} in time")),
                Err(RecvTimeoutError::Disconnected) => self.fail(&format!("ended before {what}")),
            }
        }
    }

    /// Whether such an object comes before it ends.
    pub fn has_printed(&self, wanted: impl Fn(&Value) -> bool) -> bool {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(value) if wanted(&value) => return true,
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => self.fail("nothing printed in time"),
            }
        }
    }

    /// The next object that tells of `event`.
    pub fn event(&self, event: &str) -> Value {
        self.next(event, |line| line["event"] == event)
    }

    /// Whatever it prints within `time`.
    pub fn all_within(&self, time: Duration) -> Vec<Value> {
        let until = Instant::now() + time;
        let left = || until.saturating_duration_since(Instant::now());
        std::iter::from_fn(|| self.lines.recv_timeout(left()).ok()).collect()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let status = self.wait();
        Ended {
            code: status.code(),
            lines: self.lines.iter().collect(),
            story: self.story(),
        }
    }

    fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            if Instant::now() > until {
                self.fail("did not end in time");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it on the spot: `kill -9`. What it had printed.
    pub fn kill_9(mut self) -> Vec<Value> {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
        self.lines.iter().collect()
    }

    /// Presses Ctrl-C, and waits for its end.
    pub fn interrupt(self) -> Ended {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-INT", &id]).status();
        assert!(told.expect("kill").success());
        self.end()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn story(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let tail = &bytes[bytes.len().saturating_sub(LOG_TAIL_BYTES)..];
        format!("{}; its log:\n{}", self.name, String::from_utf8_lossy(tail))
    }

    fn fail(&self, what: &str) -> ! {
        panic!("{what}: {}", self.story())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// It went well; what it printed.
    pub fn ok(self) -> Vec<Value> {
        assert_eq!(self.code, Some(0), "{}", self.story);
        self.lines
    }

    /// It failed with this exit code; the error that it printed.
    pub fn failed(self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{}", self.story);
        let error = self.lines.iter().rev().find_map(|line| line.get("error"));
        error
            .unwrap_or_else(|| panic!("it did not say why: {}", self.story))
            .clone()
    }
}
