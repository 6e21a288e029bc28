//! A chain for one test, or why there is none.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::tools;

/// The folder of npm packages, if solc and anvil are there; if not, the test is left out.
pub(crate) fn installation() -> Option<PathBuf> {
    tools::npm("solc and anvil", &["solc", "@foundry-rs/anvil"])
}

/// The program itself: the script beside it would outlive being killed.
fn binary(folder: &Path) -> Option<PathBuf> {
    let packages = folder.join("node_modules/@foundry-rs").read_dir().ok()?;
    packages
        .filter_map(|package| Some(package.ok()?.path().join("bin/anvil")))
        .find(|binary| binary.is_file() && Command::new(binary).arg("--version").output().is_ok())
}

pub(crate) struct Anvil {
    process: Child,
    pub(crate) url: String,
}

impl Anvil {
    /// Starts a chain on a free port of the loopback interface.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same, told more.
    pub(crate) fn start_with(words: &[&str]) -> Option<Self> {
        let mut process = Command::new(binary(&installation()?)?)
            .args(["--host", "127.0.0.1", "--port", "0", "--accounts", "1"])
            .args(words)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("Listening on ").map(str::to_owned));
        // What it writes later has to go somewhere, or it stops.
        std::thread::spawn(move || lines.for_each(drop));
        let url = format!("http://{}", address.expect("anvil did not start"));
        Some(Self { process, url })
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
