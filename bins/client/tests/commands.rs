//! Commands that need nobody, and what happens when nobody is there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code
)]

mod common;

use common::{Place, card_file, dead_nodes, node_record, text};
use layer_minus_wallet::Wallet;
use rand::rngs::OsRng;
use serde_json::json;

fn home(place: &Place) -> layer_minus_wallet::Address {
    let (nodes, node) = dead_nodes(place);
    place.run("a", &["init", "--directory", text(&nodes)]).ok();
    node
}

/// How many messages are unfinished, as the database says.
fn unfinished(place: &Place) -> i64 {
    let path = place.path("a").join("client.db");
    let sql = "SELECT count(*) FROM outgoing WHERE done = 0";
    rusqlite::Connection::open(path)
        .unwrap()
        .query_row(sql, [], |row| row.get(0))
        .unwrap()
}

#[test]
fn help_says_what_exit_codes_and_json_mean() {
    let place = Place::new();
    let help = place.run("a", &["--help"]).ok().stdout;
    for word in [
        "Exit codes",
        "a node refused",
        "\"event\":\"message\"",
        "decimal strings",
    ] {
        assert!(help.contains(word), "{word}");
    }
    assert!(!help.contains("light-kdf"));
    assert!(
        place
            .run("a", &["--version"])
            .ok()
            .stdout
            .contains("client")
    );
    for bad in [
        &["send"][..],
        &["frobnicate"],
        &["listen", "--mode", "x"],
        &["register"],
    ] {
        assert_eq!(place.run("a", bad).code, 2, "{bad:?}");
    }
}

#[test]
fn programs_are_told_in_one_shape_what_is_wrong() {
    let place = Place::new();
    for words in [
        &["--json", "frobnicate"][..],
        &["frobnicate", "--json"],
        &["--json", "nodes", "frobnicate"],
        &["--json", "register", "--node", "0x12"],
        &["--json"],
    ] {
        let error = place.run("a", words).failed(2);
        let keys: Vec<_> = error.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["advice", "kind", "reason", "text"], "{error}");
        assert_eq!(error["kind"], "usage");
        let text = error["text"].as_str().unwrap();
        assert!(!text.is_empty() && !text.starts_with("error:"), "{text}");
    }
    // After `--` it is a text, and people are told as ever.
    let ran = place.run("a", &["send", "bobo", "--", "--json", "more"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
}

#[test]
fn what_is_printed_for_programs_is_always_an_object() {
    let place = Place::new();
    let good = node_record(
        &Wallet::generate(&mut OsRng),
        true,
        "http://127.0.0.1:9/post",
    )
    .signed;
    let mut forged = good.clone();
    forged.document = forged.document.replace("127.0.0.1", "127.0.0.2");
    let lines = [&good, &forged]
        .map(|signed| serde_json::to_string(signed).unwrap())
        .join("\n");
    let file = place.write("nodes", &lines);
    let made = place
        .run("a", &["init", "--directory", text(&file), "--json"])
        .ok()
        .json();
    assert_eq!(
        (&made["nodes"], &made["refused"][0]["entry"]),
        (&json!(1), &json!("entry 2"))
    );
    assert!(made["refused"][0]["why"].is_string());
    let exported = place
        .run("a", &["card", "export", "-", "--json"])
        .ok()
        .json();
    let armored = exported["armored"].as_str().unwrap();
    assert!(armored.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"));
}

/// As when the reader is `head`.
#[test]
fn a_reader_who_has_left_is_not_told_about_it() {
    let place = Place::new();
    let node = home(&place).to_string();
    for words in [
        &["nodes"][..],
        &["quote", "--bytes", "1", "--node", &node],
        &["nodes", "--json"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = place.command("a");
        command.env("LAYER_MINUS_PASSWORD", common::PASSWORD);
        let child = command.args(words).stdout(writer);
        let output = child.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        assert!(output.stderr.is_empty(), "{words:?}: {output:?}");
    }
}

#[test]
fn a_quote_is_exact() {
    let place = Place::new();
    let node = home(&place).to_string();
    let quote = place.run(
        "a",
        &["quote", "--bytes", "3000000", "--node", &node, "--json"],
    );
    let quote = quote.ok().json();
    assert_eq!(quote["packets"], 4);
    assert_eq!(quote["bytes_on_wire"], "4000000");
    assert_eq!(
        (&quote["way_in_pusd"], &quote["push_pusd"]),
        (&json!("80000000"), &json!("80000000"))
    );
    assert_eq!(quote["storage_per_day_pusd"], (4 * 336_000).to_string());
    assert_eq!(
        (&quote["online_usd"], &quote["node"]),
        (&json!("$0.00016"), &json!(node))
    );
    let small = place.run("a", &["quote", "hello", "--json"]).ok().json();
    assert_eq!(
        (&small["packets"], &small["bytes_on_wire"]),
        (&json!(1), &json!("16000"))
    );
    place.write("file", "12345");
    let file = place
        .run("a", &["quote", "--file", "file", "--json"])
        .ok()
        .json();
    assert_eq!(file["content_bytes"], "5");
    let person = place.run("a", &["quote", "--bytes", "1"]).ok().stdout;
    assert!(
        person.contains("$0.00000032") && person.contains("recipient pays"),
        "{person}"
    );
}

#[test]
fn nodes_are_imported_one_by_one_with_reasons() {
    let place = Place::new();
    place.run("a", &["init", "--network", "testnet"]).ok();
    assert_eq!(place.run("a", &["nodes", "--json"]).ok().stdout, "");
    let (one, two) = (Wallet::generate(&mut OsRng), Wallet::generate(&mut OsRng));
    let good = node_record(&one, true, "http://127.0.0.1:9/post").signed;
    let mut forged = node_record(&two, true, "http://127.0.0.1:9/post").signed;
    forged.signature = good.signature;
    let lines = [&good, &forged]
        .map(|signed| serde_json::to_string(signed).unwrap())
        .join("\n");
    let file = place.write("nodes", &lines);
    let told = place
        .run("a", &["nodes", "import", text(&file), "--json"])
        .ok()
        .lines();
    assert_eq!(
        (&told[0]["result"], &told[1]["result"]),
        (&json!("accepted"), &json!("refused"))
    );
    assert!(told[1]["why"].as_str().unwrap().contains("signed by"));
    let told = place
        .run("a", &["nodes", "import", text(&file), "--json"])
        .ok()
        .lines();
    assert_eq!(told[0]["result"], "known");
    let known = place.run("a", &["nodes", "--json"]).ok().json();
    assert_eq!(known["node"], one.address().to_string());
    assert_eq!(known["prices"]["in_per_byte"], "20");
    let junk = place.write("junk", "{}");
    place
        .run("a", &["nodes", "import", text(&junk), "--json"])
        .failed(2);
    // Another network's directory makes no home.
    let args = [
        "init",
        "--network",
        "other",
        "--directory",
        text(&file),
        "--json",
    ];
    place.run("b", &args).failed(2);
}

#[test]
fn contacts_by_card_and_short_card() {
    let place = Place::new();
    let node = home(&place);
    let (file, address, card) = card_file(&place, "bobo.card", node);
    let bobo = place
        .run("a", &["contacts", "add", "Bobo", text(&file), "--json"])
        .ok()
        .json();
    assert_eq!(bobo["address"], address.to_string());
    assert_eq!(
        (&bobo["inbox"], bobo["card_valid_until"].is_string()),
        (&json!(true), true)
    );
    let (_, other, other_card) = card_file(&place, "other.card", node);
    let short = other_card.short().to_string();
    let other_said = place
        .run("a", &["contacts", "add", "Other One", &short, "--json"])
        .ok()
        .json();
    assert_eq!(other_said["card_valid_until"], json!(null));
    assert_eq!(
        place.run("a", &["contacts", "--json"]).ok().lines().len(),
        2
    );
    let error = place
        .run("a", &["contacts", "add", "bobo", &short, "--json"])
        .failed(2);
    assert!(
        error["text"]
            .as_str()
            .unwrap()
            .contains(&address.to_string())
    );
    place
        .run("a", &["contacts", "add", "0xbobo", &short, "--json"])
        .failed(2);

    // A card with another signature is not taken, and neither is its name.
    let mut full: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    full["card"]["signature"] = serde_json::to_value(other_card.signed.signature).unwrap();
    let forged = place.write("forged.card", &full.to_string());
    place
        .run("a", &["contacts", "add", "Forged", text(&forged), "--json"])
        .failed(1);
    assert_eq!(
        place.run("a", &["contacts", "--json"]).ok().lines().len(),
        2
    );

    place.run("a", &["contacts", "remove", "OTHER ONE"]).ok();
    place
        .run("a", &["contacts", "remove", &other.to_string(), "--json"])
        .failed(1);
    place
        .run("a", &["contacts", "remove", "nobody", "--json"])
        .failed(1);
    assert_eq!(card.body.wallet, address);
}

#[test]
fn what_needs_a_registration_says_so() {
    let place = Place::new();
    home(&place);
    for args in [
        &["status", "--json"][..],
        &["listen", "--once", "--json"],
        &["card", "--json"],
        &["authorize", "--limit", "1", "--json"],
        &["unregister", "--json"],
        &["card", "rotate", "--json"],
    ] {
        let error = place.run("a", args).failed(1);
        assert!(
            error["advice"]
                .as_str()
                .unwrap()
                .contains("client register"),
            "{args:?}"
        );
    }
}

#[test]
fn nobody_there_is_code_four() {
    let place = Place::new();
    let node = home(&place).to_string();
    let error = place
        .run("a", &["register", "--node", &node, "--json"])
        .failed(4);
    assert_eq!(error["kind"], "unreachable");
    let relay = [
        "register",
        "--node",
        &node,
        "--relay",
        "http://127.0.0.1:9/post",
        "--json",
    ];
    place.run("a", &relay).failed(4);
    // The only other node is a hop: no relay is left, and the node itself is not to see our address.
    let args = ["nodes", "--json"];
    let nodes = place.run("a", &args).ok().lines();
    let relay = nodes.iter().find(|n| n["takes_clients"] == false).unwrap()["node"].clone();
    let hop = [
        "register",
        "--node",
        &node,
        "--hop",
        relay.as_str().unwrap(),
        "--json",
    ];
    let error = place.run("a", &hop).failed(4);
    assert!(error["text"].as_str().unwrap().contains("IP address"));
    let unknown = Wallet::generate(&mut OsRng).address().to_string();
    let error = place
        .run("a", &["register", "--node", &unknown, "--json"])
        .failed(1);
    assert!(error["advice"].as_str().unwrap().contains("nodes import"));
    let error = place
        .run(
            "a",
            &["register", "--node", relay.as_str().unwrap(), "--json"],
        )
        .failed(2);
    assert!(error["text"].as_str().unwrap().contains("takes no clients"));
    place
        .run(
            "a",
            &[
                "register",
                "--node",
                &node,
                "--limit",
                "0.0000005",
                "--json",
            ],
        )
        .failed(2);
}

#[test]
fn what_cannot_be_sent_now_waits_in_the_outbox() {
    let place = Place::new();
    let node = home(&place);
    let (card, _, _) = card_file(&place, "bobo.card", node);
    place
        .run("a", &["contacts", "add", "Bobo", text(&card)])
        .ok();
    place
        .run("a", &["send", "Nobody", "hi", "--json"])
        .failed(1);
    let quote = place
        .run("a", &["send", "Bobo", "hi", "--quote", "--json"])
        .ok()
        .json();
    assert_eq!(quote["node"], node.to_string());
    assert_eq!(unfinished(&place), 0, "a quote sends nothing");
    place.run("a", &["send", "Bobo", "hi", "--json"]).failed(4);
    assert_eq!(unfinished(&place), 1);
    let bytes = std::fs::read(place.path("a").join("client.db")).unwrap();
    let held = String::from_utf8_lossy(&bytes);
    assert!(!held.contains("\"hi\""), "only the sealed letter is kept");

    let file = place.write("file.txt", "one");
    place
        .run("a", &["send", "Bobo", "--file", text(&file), "--json"])
        .failed(4);
    assert_eq!(unfinished(&place), 2);
    place.run("a", &["send", "--resume", "--json"]).failed(4);
    assert_eq!(unfinished(&place), 2);
    std::fs::write(&file, "two").unwrap();
    let ran = place.run("a", &["send", "--resume"]);
    assert_eq!(ran.code, 4, "the text is still there: {}", ran.stderr);
    assert!(ran.stderr.contains("has changed"), "{}", ran.stderr);
    assert_eq!(
        unfinished(&place),
        1,
        "a file that has changed cannot be gone on with"
    );

    place.write("junk.pgp", "no message");
    place
        .run("a", &["send", "Bobo", "--pgp", "junk.pgp", "--json"])
        .failed(1);
    place
        .run("a", &["send", "Bobo", "--file", "missing", "--json"])
        .failed(1);
    place
        .run("a", &["send", "Bobo", "--file", ".", "--json"])
        .failed(1);
    assert_eq!(unfinished(&place), 1);
}
