//! `relay` as a process: what differs from `recipient`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../recipient/tests/common/mod.rs"]
mod common;

use common::{Site, file, get};

const RELAY: &str = env!("CARGO_BIN_EXE_relay");

#[test]
fn a_relay_runs_without_clients() {
    let site = Site::new(RELAY);
    assert!(
        site.json(&["check"])
            .iter()
            .all(|check| check["ok"] == true)
    );
    let human = site.run(&["record"]).ok().stderr;
    assert!(human.contains("(relay)"), "{human}");
    let running = site.start();
    assert_eq!(get(running.admin, "/healthz"), (200, "ok\n".to_owned()));
    let status = &site.json(&["status"])[0];
    assert_eq!(
        (&status["node"], &status["clients"]),
        (&running.node.as_str().into(), &0.into())
    );
    running.stop();
}

#[test]
fn it_has_no_commands_and_no_settings_for_clients() {
    let site = Site::new(RELAY);
    for command in [&["grant"][..], &["invite", "--amount", "$1"], &["clients"]] {
        site.run(command).fails(2, "unrecognized subcommand");
        let told = site.run(&[command, &["--json"]].concat());
        let error = &told.fails(2, "").lines()[0]["error"];
        assert_eq!(error["kind"], "usage", "{error}");
    }
    site.edit("[limits]", "[clients]\nclients_max = 1\n[limits]");
    site.run(&["check"]).fails(2, "[clients]");
}

#[test]
fn relays_know_each_other_by_their_records() {
    let (site, other) = (Site::new(RELAY), Site::new(RELAY));
    let record = other.run(&["record", "--json"]).ok().stdout;
    let rows = site.json(&[
        "directory",
        "import",
        &file(site.folder.path(), "a.json", &record),
    ]);
    assert_eq!(rows.last().unwrap()["summary"]["accepted"], 1);
    let mut running = site.start();
    assert!(running.log("directory read").contains("\"nodes\":1"));
    running.stop();
}

#[test]
fn records_that_run_out_are_asked_for_anew() {
    let (site, other) = (Site::new(RELAY), Site::new(RELAY));
    // The other is to be found where its record says.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    other.edit(
        "listen = \"127.0.0.1:0\"",
        &format!("listen = \"{address}\""),
    );
    other.edit("node.invalid", &address);
    other.edit("#validity_secs = 2592000", "validity_secs = 12");
    let record = other.run(&["record", "--json"]).ok().stdout;
    site.json(&[
        "directory",
        "import",
        &file(site.folder.path(), "a.json", &record),
    ]);
    site.edit("#refresh_secs = 3600", "refresh_secs = 1");
    let (mut running, other) = (site.start(), other.start());
    running.log("records refreshed");
    running.stop();
    other.stop();
    let kept = std::fs::read_to_string(site.data().join("directory.json")).unwrap();
    let signature = |text: &str| -> String {
        let at = text.find("\"signature\"").unwrap();
        text[at..]
            .chars()
            .filter(|c| c.is_ascii_hexdigit())
            .take(40)
            .collect()
    };
    assert_ne!(signature(&kept), signature(&record));
}
