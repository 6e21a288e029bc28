//! The three programs: built by cargo, found by what cargo says.

use std::{
    env,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    args::Args,
    error::{Error, Result},
    process::Process,
    story::Story,
};

/// For a build from nothing on a slow machine.
const BUILD_TIMEOUT: Duration = Duration::from_secs(3_600);

/// Where the programs are.
#[derive(Clone, Debug)]
pub(crate) struct Binaries {
    pub(crate) relay: PathBuf,
    pub(crate) recipient: PathBuf,
    pub(crate) client: PathBuf,
}

impl Binaries {
    /// Those in the folder that was named, or freshly built ones.
    pub(crate) fn get(args: &Args, folder: &Path, story: &Story) -> Result<Self> {
        if let Some(bins) = &args.bins {
            let program = |name: &str| {
                let path = bins.join(format!("{name}{}", env::consts::EXE_SUFFIX));
                let there = path.is_file();
                there.then_some(path).ok_or_else(|| {
                    Error::System(format!("no program '{name}' in {}", bins.display()))
                })
            };
            return Ok(Self {
                relay: program("relay")?,
                recipient: program("recipient")?,
                client: program("client")?,
            });
        }
        story.chapter("Building relay, recipient and client");
        let aloud = !args.json && io::stderr().is_terminal();
        story.more("the first time this takes some minutes");
        let started = Instant::now();
        let built = build(folder, aloud)?;
        let seconds = started.elapsed().as_secs();
        let text = format!("built the programs in {seconds} s");
        story.step("built", "cargo", &text, json!({ "seconds": seconds }));
        Ok(built)
    }
}

fn build(folder: &Path, aloud: bool) -> Result<Binaries> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    let mut command = Command::new(cargo);
    command.args(["build", "--message-format=json-render-diagnostics"]);
    command.args(["--manifest-path", manifest]);
    command.args(["--package=relay", "--package=recipient", "--package=client"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let log = folder.join("build.log");
    let cargo = Process::start_with("cargo build", &mut command, &log, aloud)?;
    let printed = cargo.finish(BUILD_TIMEOUT)?;
    let program = |name: &str| {
        printed
            .iter()
            .rev()
            .find_map(|line| executable(line, name))
            .ok_or_else(|| {
                let what = format!("cargo built no program '{name}'");
                Error::Process {
                    what,
                    log: log.clone(),
                }
            })
    };
    Ok(Binaries {
        relay: program("relay")?,
        recipient: program("recipient")?,
        client: program("client")?,
    })
}

/// The path in a line of cargo's, if it is about that program.
fn executable(line: &Value, name: &str) -> Option<PathBuf> {
    let is_it = line.pointer("/target/name").and_then(Value::as_str) == Some(name);
    let path = line.get("executable").and_then(Value::as_str)?;
    is_it.then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_lines_name_the_program() {
        let line = json!({
            "reason": "compiler-artifact",
            "target": { "name": "relay", "kind": ["bin"] },
            "executable": "/target/debug/relay",
        });
        assert_eq!(
            executable(&line, "relay"),
            Some("/target/debug/relay".into())
        );
        assert_eq!(executable(&line, "client"), None);
        let library = json!({ "target": { "name": "relay" }, "executable": null });
        assert_eq!(executable(&library, "relay"), None);
    }
}
