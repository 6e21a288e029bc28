//! What it cost, line by line, and who may deduct: prices, statements, taking an authorization back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use std::process::Command;

use serde_json::Value;
use world::{World, text};

/// The table that a command prints, and the sum of its amounts.
fn table(command: &mut Command) -> (Vec<Vec<String>>, u128) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("seq,at,kind,bytes,amount_pusd,balance_pusd")
    );
    let rows: Vec<Vec<String>> = lines
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect();
    let amounts = rows.iter().map(|row| row[4].parse::<u128>().unwrap());
    let sum = amounts.sum();
    (rows, sum)
}

fn sum(lines: &[Value]) -> u128 {
    let amounts = lines.iter().filter_map(|line| line["amount_pusd"].as_str());
    amounts.map(|amount| amount.parse::<u128>().unwrap()).sum()
}

#[test]
fn statements_of_client_and_operator_come_to_what_was_charged() {
    let world = World::start_with(&[("in_per_byte", "30"), ("minimum_charge", "500000")]);
    let (bobo, peter) = world.bobo_and_peter();
    peter.via(&["send", "bobo", "Hello Bobo"]).ok();
    bobo.via(&["listen", "--count", "1", "--for", "60"]).ok();

    let lines = bobo.via(&["status", "--statement"]).ok();
    let (total, rows) = lines.split_last().unwrap();
    assert_eq!(total["charges"], rows.len() - 1);
    assert_eq!(
        sum(rows).to_string(),
        total["charged_pusd"].as_str().unwrap()
    );
    let kinds: Vec<_> = rows
        .iter()
        .map(|row| row["kind"].as_str().unwrap())
        .collect();
    for kind in ["opening", "command", "mail-in", "push"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    let amount = |kind: &str| {
        let row = rows.iter().find(|row| row["kind"] == kind).unwrap();
        row["amount_pusd"].as_str().unwrap().to_owned()
    };
    // 30 p$ in, 20 p$ out of which the minimum makes more.
    assert_eq!(
        (amount("mail-in"), amount("push")),
        ("500000".to_owned(), "500000".to_owned())
    );

    // The same from the operator's side, while the node runs, as a table and as lines.
    let printed = world.b.ask(&["ledger", "statement", &bobo.address]);
    let own: Vec<_> = printed
        .iter()
        .filter(|line| line.get("seq").is_some())
        .collect();
    assert_eq!(own[..rows.len()], rows.iter().collect::<Vec<_>>()[..]);
    let mut command = bobo.command(&[
        "status",
        "--statement",
        "--csv",
        "--relay",
        &world.a.address,
    ]);
    let (csv, csv_sum) = table(&mut command);
    assert_eq!(
        csv.len(),
        rows.len() + 1,
        "the first question is a charge too"
    );
    let status = bobo.via(&["status"]).ok();
    assert_eq!(
        csv_sum + 500_000,
        text(&status, "charged_pusd").parse().unwrap()
    );
    let words = ["status", "--statement", "--since", "2199-12-31"];
    let later = bobo.via(&words).ok();
    assert_eq!((later.len(), &later[0]["kind"]), (2, &"opening".into()));

    // Nothing in it names Peter, and the books are sound.
    let all = format!("{printed:?} {csv:?}").to_lowercase();
    assert!(!all.contains(&peter.address[2..].to_lowercase()));
    let verified = world.b.ask(&["ledger", "verify"]);
    assert_eq!(verified[0]["ledger_balanced"], true);
}

#[test]
fn an_authorization_is_taken_back_and_given_anew() {
    let world = World::start();
    let (bobo, peter) = world.bobo_and_peter();
    let revoked = bobo.via(&["revoke"]).ok();
    assert_eq!(revoked.last().unwrap()["paused"], "revoked");
    // Both sides know: Bobo, his node, and Peter as far as it concerns him.
    assert_eq!(
        bobo.via(&["status"]).ok().last().unwrap()["paused"],
        "revoked"
    );
    let clients = world.b.ask(&["clients"]);
    assert_eq!(clients[0]["paused"], "revoked");
    let error = peter.via(&["send", "bobo", "Hello"]).failed(3);
    assert_eq!(error["reason"]["reason"], "recipient-cannot-pay");
    let error = bobo.via(&["listen", "--once"]).failed(3);
    assert!(
        error["advice"]
            .as_str()
            .unwrap()
            .contains("client authorize"),
        "{error}"
    );

    let authorized = bobo.via(&["authorize", "--limit", "1"]).ok();
    assert!(authorized.last().unwrap().get("paused").is_none());
    peter.via(&["send", "--resume"]).ok();
    let heard = bobo.via(&["listen", "--count", "1", "--for", "60"]).ok();
    assert_eq!(world::texts(&heard), ["Hello"]);
    assert_eq!(
        world.b.ask(&["ledger", "verify"])[0]["ledger_balanced"],
        true
    );
}

#[test]
fn nodes_are_listed_as_one_chooses() {
    let world = World::start_with(&[
        ("in_per_byte", "5"),
        ("minimum_authorization_pusd", "2000000"),
    ]);
    let bobo = world.person("bobo", &world.a);
    let nodes = bobo.ok(&["nodes"]);
    let order: Vec<_> = nodes
        .iter()
        .map(|node| node["node"].as_str().unwrap())
        .collect();
    assert_eq!(
        order[..2],
        [world.b.address.as_str(), world.c.address.as_str()]
    );
    assert_eq!(nodes[0]["prices"]["in_per_byte"], "5");
    assert_eq!(nodes[0]["minimum_authorization_pusd"], "2000000");
    assert!(nodes[2..].iter().all(|node| node["takes_clients"] == false));
    let quote = bobo.ok(&["quote", "--bytes", "100000", "--node", &world.b.address]);
    assert_eq!(text(&quote, "way_in_pusd"), "5000000");
    assert_eq!(text(&quote, "push_pusd"), "20000000");
}

/// The rows of an export, by channel.
fn export(node: &world::Node) -> Vec<Value> {
    let printed = node.ask(&["ledger", "export"]);
    printed[0]["claims"].as_array().unwrap().clone()
}

#[test]
fn what_is_owed_is_exported_and_marked_by_both_sides() {
    let world = World::start_with(&[("pay_at_pusd", "1000000")]);
    let (bobo, peter) = world.bobo_and_peter();
    // A pass of a small packet is less than the smallest promise.
    let picture = peter.file("picture");
    std::fs::write(&picture, vec![7; 500_000]).unwrap();
    peter
        .via(&["send", "bobo", "--file", &picture.to_string_lossy()])
        .ok();
    bobo.via(&["listen", "--count", "1", "--for", "60"]).ok();
    bobo.via(&["status"]).ok();
    let lane = |node: &world::Node, note: String| {
        let claims = export(node);
        claims.into_iter().find(|claim| claim["note"] == note)
    };
    // The recipient's promise to the relay: the same paper on both sides.
    let (owed, due) = (
        format!("lane, owed to {}", world.a.address),
        format!("lane, due from {}", world.b.address),
    );
    let (owed, due) = (
        lane(&world.b, owed).expect("it is owed"),
        lane(&world.a, due).expect("it is due"),
    );
    for field in ["channel_id", "payer", "receiver", "payer_authorizer"] {
        assert_eq!(owed[field], due[field], "{field}");
    }
    let units =
        |claim: &Value, field: &str| -> u64 { claim[field].as_str().unwrap().parse().unwrap() };
    assert!(units(&due, "due_units") <= units(&owed, "due_units"));
    // Bobo's paper is there without his wallet: whoever is handed the file need not learn it.
    let client = export(&world.b);
    let client = client
        .iter()
        .find(|claim| claim["note"] == "client")
        .unwrap();
    assert!(units(client, "due_units") > 0);
    let csv = world.b.print(&["ledger", "export", "--csv"]);
    assert!(csv.starts_with("payer,receiver,due_units,") && csv.lines().count() >= 3);
    let all = format!("{csv}{:?}", export(&world.b)).to_lowercase();
    assert!(!all.contains(&bobo.address[2..].to_lowercase()));

    let settle = |node: &world::Node, claim: &Value, units: &str| {
        let id = claim["channel_id"].as_str().unwrap();
        node.ask(&["ledger", "settle", id, "--units", units])
    };
    let total = due["total_units"].as_str().unwrap();
    for (node, claim) in [(&world.b, &owed), (&world.a, &due)] {
        assert_eq!(settle(node, claim, total)[0]["added_units"], total);
        assert_eq!(settle(node, claim, total)[0]["added_units"], "0");
        let id = claim["channel_id"].as_str().unwrap();
        let beyond = node.run(&["ledger", "settle", id, "--units", "99999999"]);
        beyond.failed(1);
        assert_eq!(node.ask(&["ledger", "verify"])[0]["ledger_balanced"], true);
        let books = node.ask(&["lanes", "list"]);
        let settled = books.iter().map(|book| number(book, "settled_pusd"));
        assert!(settled.max() > Some(0));
    }
    let total = client["total_units"].as_str().unwrap();
    assert_eq!(settle(&world.b, client, total)[0]["added_units"], total);
    let left = export(&world.b);
    assert!(
        left.iter().all(|claim| claim["note"] != "client"),
        "{left:?}"
    );
}

fn number(line: &Value, field: &str) -> u64 {
    line[field].as_str().unwrap().parse().unwrap()
}
