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
    let human = site.run(&["record"]).ok().stdout;
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
    for command in [
        &["grant"][..],
        &["invite", "--amount", "$1"],
        &["ledger", "verify"],
        &["clients"],
    ] {
        site.run(command).fails(2, "unrecognized subcommand");
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
    assert_eq!(rows.last().unwrap()["accepted"], 1);
    let mut running = site.start();
    assert!(running.log("directory read").contains("\"nodes\":1"));
    running.stop();
}
