//! What the launcher does when things go wrong, with programs that are not the real ones.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(30);

/// A folder with three programs that do what the script says.
fn programs(script: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tmp")).unwrap();
    for name in ["relay", "recipient", "client"] {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    }
    folder
}

fn devnet(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_devnet"));
    command
        .env("TMPDIR", folder.join("tmp"))
        .arg("--json")
        .arg("--bins")
        .arg(folder);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn last_line(output: &Output) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap()
}

#[test]
fn a_failing_program_is_named_with_its_log() {
    let folder = programs("echo '{\"error\":{\"text\":\"no room on the disk\"}}'; exit 1");
    let output = devnet(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = last_line(&output)["error"].as_str().unwrap().to_owned();
    assert!(
        error.contains("Node A (init)") && error.contains("no room on the disk"),
        "{error}"
    );
    let log = error.rsplit(' ').next().unwrap();
    assert!(
        fs::read_to_string(log)
            .unwrap()
            .contains("no room on the disk"),
        "{error}"
    );
}

#[test]
fn a_program_that_says_something_else_is_named() {
    let folder = programs("echo '{\"hello\":1}'");
    let output = devnet(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = last_line(&output)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("Node A printed no 'node'"), "{error}");
}

#[test]
fn a_missing_program_and_a_wrong_argument_are_told() {
    let folder = programs("exit 0");
    fs::remove_file(folder.path().join("client")).unwrap();
    let output = devnet(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        last_line(&output)["error"]
            .as_str()
            .unwrap()
            .contains("no program 'client'")
    );
    let output = devnet(folder.path()).arg("--fast").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn an_interrupt_ends_the_children_and_removes_the_folder() {
    let folder = programs("echo $$ > \"$0.pid\"; exec sleep 600");
    let child = devnet(folder.path()).spawn().unwrap();
    let pid_file = folder.path().join("relay.pid");
    let until = Instant::now() + LIMIT;
    let pid = loop {
        match fs::read_to_string(&pid_file) {
            Ok(text) if text.ends_with('\n') => break text.trim().to_owned(),
            _ => assert!(Instant::now() < until, "the program was not started"),
        }
        thread::sleep(Duration::from_millis(20));
    };
    let started = Instant::now();
    let signal = |name: &str, id: &str| {
        let mut kill = Command::new("kill");
        kill.args([name, id])
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    assert!(signal("-INT", &child.id().to_string()));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(started.elapsed() < LIMIT);
    assert!(!signal("-0", &pid), "its child still runs");
    assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
}
