//! Processes that never outlive the launcher, and never make it wait for ever.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::error::{Error, Result, system};

/// For a command of a node or client; key derivation and a busy machine take their time.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(120);
/// How often it is looked whether Ctrl-C was pressed.
const LOOK: Duration = Duration::from_millis(20);

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on Ctrl-C, SIGTERM and a closed terminal are noted instead of ending the launcher on
/// the spot, so that it can clean up.
pub(crate) fn watch_signals() -> Result<()> {
    let flag = INTERRUPTED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(flag)).map_err(system("signals"))?;
    }
    Ok(())
}

/// An error if Ctrl-C was pressed.
pub(crate) fn check_interrupt() -> Result<()> {
    match INTERRUPTED.get() {
        Some(flag) if flag.load(Ordering::Relaxed) => Err(Error::Interrupted),
        _ => Ok(()),
    }
}

/// Waits until `done` has a value; the error of `late` if it takes longer than `limit`.
pub(crate) fn wait_for<T>(
    limit: Duration,
    mut done: impl FnMut() -> Option<T>,
    late: impl FnOnce() -> Error,
) -> Result<T> {
    let until = Instant::now() + limit;
    loop {
        if let Some(value) = done() {
            return Ok(value);
        }
        check_interrupt()?;
        if Instant::now() > until {
            return Err(late());
        }
        thread::sleep(LOOK);
    }
}

/// A process whose standard output is read line by line, as JSON. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: Receiver<Value>,
    log: PathBuf,
}

impl Process {
    /// Starts it. What it complains of goes to the file `log`, after what is there.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        Self::start_with(name, command, log, false)
    }

    /// The same; with `aloud` what it complains of is for whoever watches.
    pub(crate) fn start_with(
        name: &str,
        command: &mut Command,
        log: &Path,
        aloud: bool,
    ) -> Result<Self> {
        let file = |log: &Path| -> Result<File> {
            let mut options = OpenOptions::new();
            options.create(true).append(true);
            options
                .open(log)
                .map_err(system(format!("cannot open {}", log.display())))
        };
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(if aloud {
                Stdio::inherit()
            } else {
                file(log)?.into()
            })
            .spawn()
            .map_err(system(format!("cannot start {name}")))?;
        let (send, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            let mut copy = file(log)?;
            thread::spawn(move || {
                for line in BufReader::new(stdout)
                    .lines()
                    .map_while(std::result::Result::ok)
                {
                    use std::io::Write as _;
                    let _ = writeln!(copy, "{line}");
                    // What is not JSON is in the log for people to read.
                    if let Ok(value) = serde_json::from_str(&line)
                        && send.send(value).is_err()
                    {
                        return;
                    }
                }
            });
        }
        Ok(Self {
            name: name.to_owned(),
            child,
            lines,
            log: log.to_owned(),
        })
    }

    /// The error that something about this process is wrong.
    pub(crate) fn failed(&self, what: &str) -> Error {
        Error::Process {
            what: format!("{}: {what}", self.name),
            log: self.log.clone(),
        }
    }

    /// The next object that it prints for which `wanted` has a value.
    pub(crate) fn next<T>(
        &mut self,
        limit: Duration,
        what: &str,
        mut wanted: impl FnMut(&Value) -> Option<T>,
    ) -> Result<T> {
        let until = Instant::now() + limit;
        loop {
            match self.lines.recv_timeout(LOOK) {
                Ok(value) => {
                    if let Some(found) = wanted(&value) {
                        return Ok(found);
                    }
                    if let Some(error) = error_of(&value) {
                        return Err(self.failed(&error));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.failed(&format!("ended before {what}")));
                }
            }
            check_interrupt()?;
            if Instant::now() > until {
                let secs = limit.as_secs();
                return Err(self.failed(&format!("no {what} within {secs} s")));
            }
        }
    }

    /// Waits until it has ended well; returns what it printed.
    pub(crate) fn finish(mut self, limit: Duration) -> Result<Vec<Value>> {
        let late = self.failed(&format!("not done within {} s", limit.as_secs()));
        let child = &mut self.child;
        let status = wait_for(limit, || child.try_wait().transpose(), || late)?;
        let status = status.map_err(system(format!("cannot wait for {}", self.name)))?;
        // The reader ends with the process's output.
        let printed: Vec<Value> = self.lines.iter().collect();
        if status.success() {
            return Ok(printed);
        }
        let said = printed.iter().rev().find_map(error_of);
        Err(self.failed(&said.unwrap_or_else(|| status.to_string())))
    }

    /// Ends it on the spot, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn end(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a program says about its failure.
fn error_of(value: &Value) -> Option<String> {
    let error = value.get("error")?;
    let text = error.get("text").unwrap_or(error);
    Some(
        text.as_str()
            .map_or_else(|| text.to_string(), str::to_owned),
    )
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, log: &Path) -> Process {
        Process::start("sh", Command::new("sh").args(["-c", script]), log).unwrap()
    }

    fn log(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("devnet-test-{}-{name}", std::process::id()))
    }

    #[test]
    fn what_a_process_prints_is_read() {
        let log = log("prints");
        let mut process = shell(
            "echo words; echo '{\"a\":1}'; echo '{\"b\":2}'; echo no >&2",
            &log,
        );
        let wanted = |value: &Value| value.get("b").and_then(Value::as_u64);
        assert_eq!(process.next(COMMAND_TIMEOUT, "b", wanted).unwrap(), 2);
        assert!(process.finish(COMMAND_TIMEOUT).unwrap().is_empty());
        let text = std::fs::read_to_string(&log).unwrap();
        assert!(text.contains("words") && text.contains("no"), "{text}");
        std::fs::remove_file(&log).unwrap();
    }

    #[test]
    fn failures_say_why_and_where_to_look() {
        let log = log("fails");
        let failed = shell("echo '{\"error\":{\"text\":\"no room\"}}'; exit 3", &log);
        let error = failed.finish(COMMAND_TIMEOUT).unwrap_err().to_string();
        assert!(
            error.contains("no room") && error.contains(&*log.to_string_lossy()),
            "{error}"
        );

        let mut slow = shell("sleep 60", &log);
        let limit = Duration::from_millis(50);
        let error = slow
            .next(limit, "word", |_| Some(()))
            .unwrap_err()
            .to_string();
        assert!(error.contains("no word within"), "{error}");
        assert!(slow.is_running());
        let error = slow.finish(limit).unwrap_err().to_string();
        assert!(error.contains("not done within"), "{error}");
        std::fs::remove_file(&log).unwrap();
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let log = log("gone");
        let process = shell("sleep 60", &log);
        let id = process.child.id();
        drop(process);
        let mut probe = Command::new("kill");
        let probe = probe.args(["-0", &id.to_string()]).stderr(Stdio::null());
        assert!(!probe.status().unwrap().success());
        std::fs::remove_file(&log).unwrap();
    }
}
