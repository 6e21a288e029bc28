//! Homes: made, imported, protected, backed up, restored.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code
)]

mod common;

use common::{PASSWORD, Place, card_file, dead_nodes, text};

const ANVIL_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const ANVIL: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const JUNK: &str = "test test test test test test test test test test test junk";
const JUNK_SECOND: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

#[test]
fn a_new_home_shows_its_phrase_once_and_the_phrase_is_the_wallets() {
    let place = Place::new();
    let made = place.run("a", &["init", "--json"]).ok().json();
    let phrase = made["phrase"].as_str().unwrap().to_owned();
    assert_eq!(phrase.split(' ').count(), 12);
    assert_eq!(made["network"], "layer-minus");
    assert_ne!(made["address"], made["cash_address"]);

    let file = place.write("phrase", &format!("{phrase}\n"));
    let again = place
        .run(
            "b",
            &["init", "--json", "--import-phrase-file", text(&file)],
        )
        .ok()
        .json();
    assert_eq!(
        (&again["address"], &again["cash_address"]),
        (&made["address"], &made["cash_address"])
    );
    assert_eq!(again["phrase"], serde_json::Value::Null);

    let error = place.run("a", &["init", "--json"]).failed(1);
    assert!(error["text"].as_str().unwrap().contains("already"));
    for entry in std::fs::read_dir(place.path("a")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let held = String::from_utf8_lossy(&bytes);
        let word = phrase.split(' ').take(3).collect::<Vec<_>>().join(" ");
        assert!(
            !held.contains(&word) && !held.contains(PASSWORD),
            "{}",
            path.display()
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", path.display());
        }
    }
}

#[test]
fn keys_and_phrases_of_other_wallets_are_imported() {
    let place = Place::new();
    let key = place.write("key", &format!("{ANVIL_KEY}\n"));
    let made = place
        .run("a", &["init", "--json", "--import-key-file", text(&key)])
        .ok()
        .json();
    assert_eq!(made["address"], ANVIL);
    assert_eq!(made["phrase"], serde_json::Value::Null);
    let phrase = place.write("phrase", JUNK);
    let made = place
        .run(
            "b",
            &["init", "--json", "--import-phrase-file", text(&phrase)],
        )
        .ok()
        .json();
    assert_eq!(
        (made["address"].as_str(), made["cash_address"].as_str()),
        (Some(ANVIL), Some(JUNK_SECOND))
    );
    let bad = place.write("bad", "test test test");
    let error = place
        .run("c", &["init", "--json", "--import-phrase-file", text(&bad)])
        .failed(1);
    assert!(
        !error["text"].as_str().unwrap().contains("test test"),
        "secrets are never repeated"
    );
    assert!(!place.path("c").join("identity.pgp").exists());
    place.run("c", &["init"]).ok();
}

#[test]
fn the_password_comes_from_a_file_or_the_environment_and_opens_or_does_not() {
    let place = Place::new();
    let file = place.write("password", "from a file\n");
    let init = ["init", "--json", "--password-file", text(&file)];
    place.run_command(place.command("a").args(init)).ok();
    let open = |command: &mut std::process::Command, code| {
        let ran = place.run_command(command.args(["card", "--json"]));
        ran.failed(code)["text"].as_str().unwrap().to_owned()
    };
    let opened = open(place.command("a").args(["--password-file", text(&file)]), 1);
    assert!(opened.contains("not registered"), "{opened}");
    // As for nodes: whatever is wrong with a password is code 2.
    let wrong = open(place.command("a").env("LAYER_MINUS_PASSWORD", "wrong"), 2);
    assert!(wrong.contains("does not open"), "{wrong}");
    let missing = open(place.command("a").args(["--password-file", "none"]), 2);
    assert!(missing.contains("none"), "{missing}");
    // Nobody is asked where nobody could answer.
    let none = place
        .run_command(place.command("a").args(["card", "--json"]))
        .failed(2);
    assert_eq!(none["kind"], "password");
    assert!(
        none["advice"]
            .as_str()
            .unwrap()
            .contains("LAYER_MINUS_PASSWORD")
    );
}

#[test]
fn home_is_where_option_environment_or_custom_say() {
    let place = Place::new();
    let run = |with: &[(&str, &str)]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_client"));
        command
            .env_remove("XDG_DATA_HOME")
            .env_remove("LAYER_MINUS_HOME")
            .env("HOME", place.folder.path())
            .env("LAYER_MINUS_PASSWORD", PASSWORD)
            .envs(with.iter().copied());
        place
            .run_command(command.args(["init", "--json", "--light-kdf"]))
            .ok()
            .json()["home"]
            .clone()
    };
    let elsewhere = place.path("elsewhere");
    assert_eq!(
        run(&[("LAYER_MINUS_HOME", text(&elsewhere))]),
        text(&elsewhere)
    );
    #[cfg(unix)]
    assert_eq!(run(&[]), text(&place.path(".layer-minus")));
    let error = place.run("nowhere", &["status", "--json"]).failed(1);
    assert!(error["text"].as_str().unwrap().contains("client init"));
}

#[test]
fn a_backup_is_one_encrypted_file_and_makes_a_second_device() {
    let place = Place::new();
    let (nodes, node) = dead_nodes(&place);
    let made = place
        .run("a", &["init", "--json", "--directory", text(&nodes)])
        .ok()
        .json();
    let (card, peter, _) = card_file(&place, "peter.card", node);
    place
        .run("a", &["contacts", "add", "Peter", text(&card)])
        .ok();

    let told = place.run("a", &["backup", "b.pgp", "--json"]).ok().json();
    assert_eq!(
        (&told["backup"], &told["address"]),
        (&true.into(), &made["address"])
    );
    let bytes = std::fs::read(place.path("b.pgp")).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("identity"));
    place.run("a", &["backup", "b.pgp", "--json"]).failed(1);
    assert_eq!(
        std::fs::read(place.path("b.pgp")).unwrap(),
        bytes,
        "nothing is overwritten"
    );

    let restored = place.run("b", &["restore", "b.pgp", "--json"]).ok().json();
    assert_eq!(restored["address"], made["address"]);
    let contacts = place.run("b", &["contacts", "list", "--json"]).ok().json();
    assert_eq!(
        (&contacts["name"], &contacts["address"]),
        (&"Peter".into(), &peter.to_string().into())
    );
    assert_eq!(
        (&contacts["inbox"], contacts["card_valid_until"].is_string()),
        (&true.into(), true)
    );
    assert_eq!(place.run("b", &["nodes", "--json"]).ok().lines().len(), 2);
    // A third device is another consumer again.
    let third = place.run("c", &["restore", "b.pgp", "--json"]).ok().json();
    assert_ne!(third["consumer"], restored["consumer"]);
    place.run("b", &["restore", "b.pgp", "--json"]).failed(1);

    let wrong = place.write("wrong", "wrong");
    let args = [
        "restore",
        "b.pgp",
        "--json",
        "--backup-password-file",
        text(&wrong),
    ];
    let error = place.run("d", &args).failed(2);
    assert!(error["text"].as_str().unwrap().contains("does not open"));
    let args = [
        "backup",
        "other.pgp",
        "--backup-password-file",
        text(&wrong),
    ];
    place.run("a", &args).ok();
    place
        .run("d", &["restore", "other.pgp", "--json"])
        .failed(2);
    let args = [
        "restore",
        "other.pgp",
        "--backup-password-file",
        text(&wrong),
    ];
    place.run("d", &args).ok();
    place.write("junk", "no backup");
    place.run("e", &["restore", "junk", "--json"]).failed(1);
}

#[test]
fn certificates_are_exported_as_armor() {
    let place = Place::new();
    for (home, version) in [("a", "v4"), ("b", "v6")] {
        place.run(home, &["init", "--certificate", version]).ok();
        let public = place.run(home, &["card", "export", "-"]).ok().stdout;
        assert!(public.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"));
        let certificate = layer_minus_seal::Certificate::from_armored(public.as_bytes()).unwrap();
        assert_eq!(certificate.reads_seipd_v2(), version == "v6");
        let secret = format!("{home}.secret");
        place
            .run(home, &["card", "export", "--secret", &secret])
            .ok();
        let armored = std::fs::read(place.path(&secret)).unwrap();
        let secret = layer_minus_seal::SecretCertificate::from_armored(&armored).unwrap();
        assert_eq!(secret.certificate(), certificate);
    }
}
