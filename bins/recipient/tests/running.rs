//! `recipient` as a running node: signals, admin address, other commands beside it, sudden death.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "../../../tests/tools/mod.rs"]
mod tools;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use common::{PASSWORD, Site, file, get};
use layer_minus_node::{Store as _, Table};
use layer_minus_store_sqlite::{Options, SqliteStore};

const RECIPIENT: &str = env!("CARGO_BIN_EXE_recipient");

#[test]
fn a_node_runs_answers_and_stops() {
    let site = Site::new(RECIPIENT);
    let running = site.start();
    assert_eq!(get(running.admin, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get(running.admin, "/").0, 404);
    // To the public it is a web server that has nothing.
    let (status, body) = get(running.listening, "/healthz");
    assert_eq!(status, 404);
    assert!(
        body.contains("404 Not Found") && !body.to_lowercase().contains("layer"),
        "{body}"
    );
    assert_eq!(get(running.listening, "/post").0, 405);

    let status = &site.json(&["status"])[0];
    assert_eq!(status["node"], running.node.as_str());
    site.json(&["invite", "--amount", "$1"]);
    site.json(&["ledger", "verify"]);
    site.run(&["run"]).fails(1, "another node runs on");

    let log = running.stop();
    for line in &log {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            line["level"].is_string() && line["timestamp"].is_string(),
            "{line}"
        );
    }
    let log = log.join("\n");
    assert!(log.contains("\"started\"") && log.contains("SIGTERM") && log.contains("\"stopped\""));
    assert!(!log.contains(PASSWORD), "{log}");
    // The next one starts where it ended.
    site.start().stop();
}

#[test]
fn the_log_says_what_was_asked_for() {
    let site = Site::new(RECIPIENT);
    site.edit("#log = \"info\"", "log = \"error\"");
    let log = site.start().stop();
    assert!(log.is_empty(), "{log:?}");
    let mut command = site.command(&["--json"]);
    command.env("RUST_LOG", "layer_minus_daemon=info");
    assert!(
        common::Running::new(command)
            .stop()
            .iter()
            .any(|line| line.contains("started"))
    );
}

/// `script` gives it a terminal. It ends by itself, because its port is taken.
#[test]
fn people_at_a_terminal_get_lines_and_not_objects() {
    if !tools::have_terminal() {
        return;
    }
    let site = Site::new(RECIPIENT);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("listen = \"{}\"", taken.local_addr().unwrap());
    site.edit("listen = \"127.0.0.1:0\"", &listen);
    let mut command = Command::new("script");
    let node = format!("'{RECIPIENT}' --config '{}'", site.config().display());
    command.args(["-qec", &node, "/dev/null"]);
    command
        .env(common::PASSWORD_ENV, PASSWORD)
        .env_remove("RUST_LOG");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{shown}");
    let line = shown.lines().find(|line| line.contains("ERROR"));
    let line = line.unwrap_or_else(|| panic!("no line of the log in {shown}"));
    assert!(
        line.contains("stopped") && line.contains("cannot listen"),
        "{line}"
    );
    assert!(!shown.contains("\"level\""), "{shown}");
}

#[test]
fn a_hang_up_reads_the_directory_again() {
    let (site, other) = (Site::new(RECIPIENT), Site::new(RECIPIENT));
    let record = other.run(&["record", "--json"]).ok().stdout;
    let mut running = site.start();
    assert!(running.log("directory read").contains("\"nodes\":0"));
    site.json(&[
        "directory",
        "import",
        &file(site.folder.path(), "other.json", &record),
    ]);
    running.signal("-HUP");
    assert!(running.log("directory read").contains("\"nodes\":1"));
    running.stop();
}

#[test]
fn what_is_in_flight_holds_the_end_up_and_a_second_signal_does_not_wait() {
    let site = Site::new(RECIPIENT);
    let slow = |address| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        stream
            .write_all(b"POST /post HTTP/1.1\r\nhost: x\r\ncontent-length: 16000\r\n\r\n\x85")
            .unwrap();
        // Nothing is answered before the body is there.
        assert!(stream.read(&mut [0]).is_err());
        stream
    };
    let mut running = site.start();
    let stream = slow(running.listening);
    running.signal("-TERM");
    running.log("stopping");
    assert_eq!(
        get(running.admin, "/healthz"),
        (503, "stopping\n".to_owned())
    );
    let started = Instant::now();
    running.signal("-INT");
    let (code, log) = running.wait();
    assert_eq!(code, Some(1), "{log:?}");
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    drop(stream);

    site.edit("#shutdown_timeout_secs = 10", "shutdown_timeout_secs = 1");
    let running = site.start();
    let stream = slow(running.listening);
    let started = Instant::now();
    running.stop();
    let took = started.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(20),
        "{took:?}"
    );
    drop(stream);
}

#[test]
fn a_killed_node_starts_again_with_all_that_was_durable() {
    let site = Site::new(RECIPIENT);
    let mut codes = 0;
    for _ in 0..3 {
        let running = site.start();
        assert_eq!(get(running.admin, "/healthz").0, 200);
        codes += site
            .json(&["invite", "--amount", "$1", "--count", "5"])
            .len();
        running.signal("-KILL");
        let (code, _) = running.wait();
        assert_eq!(code, None);
        assert_eq!(site.json(&["ledger", "verify"])[0]["damaged_rows"], 0);
    }
    site.start().stop();
    let store = SqliteStore::open_read_only(site.data().join("store.db")).unwrap();
    assert_eq!(
        store
            .scan(Table::Invites, &[], &[0xff; 64], 100)
            .unwrap()
            .len(),
        codes
    );
}

#[test]
fn a_backup_is_a_store_of_another_generation() {
    let site = Site::new(RECIPIENT);
    let running = site.start();
    site.json(&["grant", "0x8617E340B3D01FA5F11F306F4090FD50E238070D", "$1"]);
    let copy = site.folder.path().join("copy.db");
    let words = ["backup", copy.to_str().unwrap()];
    let report = &site.json(&words)[0];
    assert!(report["bytes"].as_u64().unwrap() > 0);
    site.run(&words).fails(1, "does not overwrite");
    running.stop();
    // A store in whose place the copy is put gives numbers that older cursors do not fit.
    let generation = |path: &std::path::Path| {
        let store = SqliteStore::open_read_only(path).unwrap();
        store.get(Table::Meta, b"generation").unwrap()
    };
    let path = site.data().join("store.db");
    let before = generation(&path);
    assert!(before.is_some());
    // With the old key it would take again what was seen since: it is not run on as it is.
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        let _ = fs::remove_file(site.data().join(name));
    }
    fs::copy(&copy, &path).unwrap();
    site.run(&["run"]).fails(1, "`restore` it");
    fs::remove_file(&path).unwrap();
    site.json(&["restore", copy.to_str().unwrap()]);
    site.start().stop();
    let after = generation(&path);
    assert!(after.is_some() && after != before);
    let store = SqliteStore::open(&path, Options::default()).unwrap();
    assert_eq!(
        store
            .scan(Table::Grants, &[], &[0xff; 64], 100)
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_port_that_is_taken_is_named() {
    let site = Site::new(RECIPIENT);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    site.edit(
        "listen = \"127.0.0.1:0\"",
        &format!("listen = \"{address}\""),
    );
    site.run(&["run"]).fails(1, &address);
}
