//! The commands of `recipient` that end, as processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods)]

mod common;

use std::{fs, process::Stdio};

use common::{Done, INIT, PASSWORD, PASSWORD_ENV, Site, file};
use layer_minus_message::{NodeRecord, SignedDocument};
use layer_minus_node::{Store as _, Table};
use layer_minus_store_sqlite::SqliteStore;

const RECIPIENT: &str = env!("CARGO_BIN_EXE_recipient");

fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn read(line: &str) -> NodeRecord {
    let signed: SignedDocument = serde_json::from_str(line).unwrap();
    NodeRecord::read(signed, "test", now()).unwrap()
}

#[test]
fn init_writes_once_and_check_is_content() {
    let site = Site::empty(RECIPIENT);
    let made = site.run(&[&INIT[..], &["--json"]].concat()).ok().lines();
    let config = fs::read_to_string(site.config()).unwrap();
    assert!(config.contains("# Where packets come in") && config.contains("#retention_secs"));
    assert!(config.contains(made[0]["cash"].as_str().unwrap()));
    assert_ne!(made[0]["cash"], made[0]["node"]);
    for name in ["node-wallet.json", "cash-wallet.json", "certificate.pgp"] {
        let bytes = fs::read(site.data().join(name)).unwrap();
        assert!(!bytes.is_empty(), "{name}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(site.data().join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
    let before = fs::read(site.data().join("node-wallet.json")).unwrap();
    site.run(&INIT).fails(1, "not overwritten");
    fs::remove_file(site.config()).unwrap();
    site.run(&INIT).fails(1, "not overwritten");
    assert!(
        !site.config().exists(),
        "nothing is written when keys are in the way"
    );
    assert_eq!(
        fs::read(site.data().join("node-wallet.json")).unwrap(),
        before
    );

    let site = Site::new(RECIPIENT);
    let checks = site.json(&["check"]);
    assert!(checks.len() >= 7, "{checks:?}");
    assert!(checks.iter().all(|check| check["ok"] == true), "{checks:?}");
    assert!(
        site.run(&["check"])
            .ok()
            .stdout
            .lines()
            .all(|line| line.starts_with("ok"))
    );
}

#[test]
fn init_refuses_what_nobody_could_reach() {
    for words in [
        ["init", "--listen", "127.0.0.1:0"],
        ["init", "--listen", "0.0.0.0:8443"],
        ["init", "--url", "ftp://x/y"],
        ["init", "--network", "with space"],
    ] {
        let site = Site::empty(RECIPIENT);
        site.run(&words).fails(2, "");
        assert_eq!(
            fs::read_dir(site.folder.path()).unwrap().count(),
            0,
            "{words:?}"
        );
    }
}

#[test]
fn passwords_come_from_file_credential_or_environment_and_never_from_a_prompt() {
    let site = Site::new(RECIPIENT);
    let run = |variables: &[(&str, &str)], words: &[&str]| -> Done {
        let mut command = site.command(words);
        command
            .env_remove(PASSWORD_ENV)
            .envs(variables.iter().copied());
        command.stdin(Stdio::null()).output().unwrap().into()
    };
    run(&[], &["record"]).fails(2, "--password-file");
    run(&[(PASSWORD_ENV, "wrong")], &["record"]).fails(2, "wrong for");
    run(&[(PASSWORD_ENV, PASSWORD)], &["record"]).ok();
    run(&[], &["record", "--password-file", "/no/such/file"]).fails(2, "No such file");
    let path = file(site.folder.path(), "secret", &format!("{PASSWORD}\n"));
    run(
        &[(PASSWORD_ENV, "wrong")],
        &["record", "--password-file", &path],
    )
    .ok();
    let credentials = site.folder.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    file(&credentials, "password", PASSWORD);
    run(
        &[("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap())],
        &["record"],
    )
    .ok();

    let checked = run(&[(PASSWORD_ENV, "wrong")], &["check", "--json"]).fails(2, "");
    let wrong: Vec<_> = checked
        .lines()
        .into_iter()
        .filter(|line| line["ok"] == false)
        .collect();
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    run(&[(PASSWORD_ENV, "wrong")], &["run"]).fails(2, "wrong for");
}

#[test]
fn a_bad_configuration_is_named_by_key_and_line() {
    let site = Site::new(RECIPIENT);
    let text = fs::read_to_string(site.config()).unwrap();
    for (from, to, what) in [
        ("network = ", "netwrok = ", "netwrok"),
        (
            "#heartbeat_secs = 20",
            "heartbeat_secs = 0",
            "heartbeat_secs",
        ),
        (
            "#relay_per_byte = 10",
            "relay_per_byte = \"ten\"",
            "relay_per_byte",
        ),
    ] {
        fs::write(site.config(), text.replacen(from, to, 1)).unwrap();
        for command in ["check", "record", "run", "status"] {
            let done = site.run(&[command]).fails(2, what);
            let said = format!("{}{}", done.stdout, done.stderr);
            assert!(said.contains("line "), "{said}");
        }
    }
    fs::remove_file(site.config()).unwrap();
    site.run(&["status"]).fails(2, "No such file");
    let none: Done = std::process::Command::new(RECIPIENT)
        .arg("status")
        .output()
        .unwrap()
        .into();
    none.fails(2, "--config");
    site.run(&["no-such-command"]).fails(2, "");
    let help = site.run(&["--help"]).ok();
    assert!(help.stdout.contains("Exit codes"), "{}", help.stdout);
}

#[test]
fn programs_are_told_in_one_shape_what_is_wrong() {
    let site = Site::new(RECIPIENT);
    let error = |command: &mut std::process::Command, code: i32| {
        let done = Done::from(command.output().unwrap());
        assert_eq!((done.code, done.stderr.as_str()), (code, ""), "{done:?}");
        let mut lines = done.lines();
        let error = lines.pop().unwrap()["error"].take();
        let keys: Vec<_> = error.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["advice", "kind", "reason", "text"], "{error}");
        assert!(lines.is_empty() && !error["text"].as_str().unwrap().is_empty());
        error
    };
    for words in [
        &["--json", "frobnicate"][..],
        &["frobnicate", "--json"],
        &["--json", "grant", "0x12", "$1"],
        &["--json", "invite"],
    ] {
        assert_eq!(error(&mut site.command(words), 2)["kind"], "usage");
    }
    let wrong = error(
        site.command(&["record", "--json"])
            .env(PASSWORD_ENV, "wrong"),
        2,
    );
    assert_eq!(wrong["kind"], "password");
    let missing = ["directory", "import", "/no/such/file", "--json"];
    assert_eq!(error(&mut site.command(&missing), 1)["kind"], "failure");
    // After `--` it is a value, and people are told as ever.
    let done = site.run(&["grant", "--", "--json"]).fails(2, "--json");
    assert!(done.stdout.is_empty() && done.stderr.starts_with("error: "));
    let help = site.run(&["--json", "--help"]).ok();
    assert!(
        help.stdout.contains("password or failure"),
        "{}",
        help.stdout
    );
}

#[test]
fn the_record_is_signed_and_stays_until_something_changes() {
    let site = Site::new(RECIPIENT);
    let line = site.run(&["record", "--json"]).ok().stdout;
    let record = read(&line);
    assert!(record.body.takes_clients);
    assert_eq!(record.body.urls, ["http://node.invalid/post"]);
    assert_eq!(record.body.sizes, [16_000, 1_000_000]);
    assert_eq!(site.run(&["record", "--json"]).ok().stdout, line);
    // A file that somebody made without `--json` can be handed out too.
    let person = site.run(&["record"]).ok();
    assert_eq!(person.stdout, line);
    let human = person.stderr;
    for word in [
        record.body.node.to_string().as_str(),
        "http://node.invalid/post",
        "20 p$",
        "days",
    ] {
        assert!(human.contains(word), "{word}: {human}");
    }
    site.edit("#storage_per_kb_hour = 14", "storage_per_kb_hour = 15");
    let dearer = read(&site.run(&["record", "--json"]).ok().stdout);
    assert_eq!(dearer.body.prices.storage_per_kb_hour.get(), 15);
    assert!(dearer.body.sequence > record.body.sequence);
}

#[test]
fn directories_are_taken_entry_by_entry() {
    let (site, other) = (Site::new(RECIPIENT), Site::new(RECIPIENT));
    let line = other.run(&["record", "--json"]).ok().stdout;
    let node = read(&line).node().to_string();
    let forged = line.replace("node.invalid", "evil.invalid");
    let folder = site.folder.path();
    let list = format!(
        "{{\"layer_minus_directory\":1,\"records\":[{},{},{{\"a\":1}}]}}",
        line.trim(),
        forged.trim()
    );
    let rows = site.json(&["directory", "import", &file(folder, "list.json", &list)]);
    let accepted: Vec<_> = rows.iter().map(|row| row["accepted"].clone()).collect();
    assert_eq!(
        accepted,
        [
            true.into(),
            false.into(),
            false.into(),
            serde_json::Value::Null
        ],
        "{rows:?}"
    );
    assert_eq!(rows[0]["name"], node.as_str());
    assert!(
        rows[1]["reason"].as_str().unwrap().contains("sign"),
        "{}",
        rows[1]
    );

    // What `record` prints is a directory too, and the same again changes nothing.
    site.json(&["directory", "import", &file(folder, "line.json", &line)]);
    let listed = site.json(&["directory", "list"]);
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!(listed[0]["urls"][0], "http://node.invalid/post");
    // So is what `cat` makes of records and directories, in any order.
    let third = Site::new(RECIPIENT).run(&["record"]).ok().stdout;
    let joined = format!("{third}{list}{line}");
    let rows = site.json(&["directory", "import", &file(folder, "joined.json", &joined)]);
    assert_eq!(
        (
            &rows.last().unwrap()["summary"]["accepted"],
            &rows.last().unwrap()["summary"]["refused"]
        ),
        (&3.into(), &2.into()),
        "{rows:?}"
    );
    fs::remove_file(site.data().join("directory.json")).unwrap();
    site.json(&["directory", "import", &file(folder, "line.json", &line)]);
    let human = site.run(&["directory", "list"]).ok().stdout;
    assert!(
        human.contains(&node) && human.contains("1 accepted, 0 refused"),
        "{human}"
    );

    for (text, what) in [
        (forged.as_str(), "nothing was accepted"),
        ("hello", "nothing"),
        ("", "nothing"),
    ] {
        site.run(&["directory", "import", &file(folder, "bad.json", text)])
            .fails(1, what);
    }
    site.run(&["directory", "import", "/no/such/file"])
        .fails(1, "No such file");
    site.edit("#files = []", "files = [\"list.json\"]");
    let listed = site.json(&["directory", "list"]);
    assert_eq!(
        listed.last().unwrap()["summary"]["refused"],
        2,
        "{listed:?}"
    );
}

/// With `LAYER_MINUS_NODE_KEYS=<file>` also on a list of real keys.
#[test]
fn keys_without_addresses_are_imported() {
    let fixture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../crates/routing/tests/fixtures/conet-list.json"
    );
    let site = Site::new(RECIPIENT);
    let rows = site.json(&["directory", "import", fixture]);
    let (sum, rows) = rows.split_last().unwrap();
    let sum = &sum["summary"];
    assert_eq!(
        (&sum["accepted"], &sum["refused"]),
        (&3.into(), &3.into()),
        "{rows:?}"
    );
    let accepted = rows.iter().filter(|row| row["accepted"] == true);
    assert!(accepted.into_iter().all(|row| row["kind"] == "unaddressed"));
    let refused = rows
        .iter()
        .find(|row| row["name"] == "2FD1B4A237C02D70")
        .unwrap();
    let reason = refused["reason"].as_str().unwrap();
    assert!(
        reason.contains("is not that of the certificate's encryption subkey"),
        "{reason}"
    );
    let listed = site.json(&["directory", "list"]);
    assert_eq!(listed.last().unwrap()["summary"]["accepted"], 3);

    let Ok(real) = std::env::var("LAYER_MINUS_NODE_KEYS") else {
        return;
    };
    let rows = site.json(&["directory", "import", &real]);
    let sum = &rows.last().unwrap()["summary"];
    assert_eq!(
        (&sum["accepted"], &sum["refused"]),
        (&399.into(), &1.into())
    );
    assert_eq!(
        site.json(&["directory", "list"]).last().unwrap()["summary"]["accepted"],
        402
    );
}

#[test]
fn grants_add_up_and_invites_differ() {
    let site = Site::new(RECIPIENT);
    let client = "0x8617E340B3D01FA5F11F306F4090FD50E238070D";
    let granted = |amount: &str| {
        let line = site.json(&["grant", client, amount]);
        line[0]["granted_pusd"].as_str().unwrap().to_owned()
    };
    assert_eq!(granted("$1.00"), "1000000000000");
    assert_eq!(granted("1000000p$"), "1000001000000");
    assert_eq!(granted("0.5usd"), "1500001000000");
    site.run(&["grant", client, "1.00"])
        .fails(2, "names no unit");
    site.run(&["grant", "0x1234", "$1"]).fails(2, "");
    // A typo in a checksummed address shows.
    site.run(&["grant", "0x8617e340B3D01FA5F11F306F4090FD50E238070D", "$1"])
        .fails(2, "");
    site.run(&["grant", client, "$18446744"])
        .fails(1, "64 bits");

    let invites = site.json(&["invite", "--amount", "$0.10", "--count", "3"]);
    let mut codes: Vec<_> = invites
        .iter()
        .map(|line| line["invite"].as_str().unwrap())
        .collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(
        (codes.len(), invites[0]["amount_pusd"].as_str()),
        (3, Some("100000000000"))
    );
    assert!(codes.iter().all(|code| code.len() == 25));

    assert_eq!(site.json(&["ledger", "verify"])[0]["ledger_balanced"], true);
    let status = &site.json(&["status"])[0];
    assert_eq!(
        (&status["clients"], &status["charged_pusd"]),
        (&0.into(), &"0".into()),
        "{status}"
    );
    assert!(site.json(&["clients"]).is_empty());
}

#[test]
fn a_damaged_and_a_newer_store_are_refused() {
    let site = Site::new(RECIPIENT);
    site.json(&["invite", "--amount", "$1"]);
    let path = site.data().join("store.db");
    let change = |sql: &str| {
        let store = rusqlite::Connection::open(&path).unwrap();
        assert_eq!(store.execute(sql, []).unwrap(), 1);
    };
    change("UPDATE invites SET value = x'31'");
    site.run(&["ledger", "verify"]).fails(1, "1 damaged");

    change("UPDATE store_info SET value = 99 WHERE name = 'schema_version'");
    let before = fs::read(&path).unwrap();
    for command in [
        &["run"][..],
        &["status"],
        &["check"],
        &["invite", "--amount", "$1"],
    ] {
        site.run(command).fails(1, "schema version 99");
    }
    assert_eq!(
        fs::read(&path).unwrap(),
        before,
        "what is refused is not changed"
    );
}

#[test]
fn tls_files_are_checked() {
    let site = Site::new(RECIPIENT);
    site.edit("http://node.invalid/post", "https://node.invalid/post");
    site.edit(
        "#[tls]\n#cert = \"fullchain.pem\"\n#key",
        "[tls]\ncert = \"fullchain.pem\"\nkey",
    );
    site.run(&["check"]).fails(1, "fullchain.pem");
    site.run(&["run"]).fails(1, "fullchain.pem");
    let made = rcgen::generate_simple_self_signed(["node.invalid".to_owned()]).unwrap();
    file(site.folder.path(), "fullchain.pem", &made.cert.pem());
    file(site.folder.path(), "privkey.pem", "no key");
    site.run(&["check"]).fails(1, "privkey.pem");
    file(
        site.folder.path(),
        "privkey.pem",
        &made.signing_key.serialize_pem(),
    );
    site.run(&["check"]).ok();
}

#[test]
fn a_store_without_room_says_so_and_keeps_what_it_has() {
    let site = Site::new(RECIPIENT);
    site.json(&["invite", "--amount", "$1"]);
    let size = fs::metadata(site.data().join("store.db")).unwrap().len();
    // Half of so little is the reserve.
    let limit = format!("max_bytes = {}", 2 * (size + 20_000));
    site.edit("#max_bytes = 10000000000", &limit);
    let words = ["invite", "--amount", "$1", "--count", "5000", "--json"];
    let done = site.run(&words).fails(1, "full");
    // The last line is the error.
    let made = done.stdout.lines().count() - 1;
    assert!(made > 10, "{made}");
    // Every code that was printed is there.
    let store = SqliteStore::open_read_only(site.data().join("store.db")).unwrap();
    let kept = store
        .scan(Table::Invites, &[], &[0xff; 64], 10_000)
        .unwrap()
        .len();
    assert_eq!(kept, made + 1);
    assert_eq!(site.json(&["ledger", "verify"])[0]["damaged_rows"], 0);
}
