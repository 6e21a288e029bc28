//! Bobo pays out of a deposit, with the programs alone: nodes, a client, a chain, and `escrow` for both sides.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[path = "../../../crates/escrow/tests/escrow/anvil.rs"]
mod anvil;
#[path = "../../../crates/escrow/tests/escrow/world.rs"]
mod market;
#[path = "../../../tests/tools/mod.rs"]
mod tools;
#[path = "../../client/tests/world/mod.rs"]
mod world;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use layer_minus_wallet::parse_address;
use market::{UNIT, World as Market};
use serde_json::{Value, json};
use world::{Ended, Node, Person, Process, World, number, text, texts};

/// Bobo's deposit: half a dollar.
const DEPOSIT: &str = "500000";

/// The program `escrow`, beside Bobo or beside his node.
struct Agent<'a> {
    market: &'a Market,
    folder: PathBuf,
    password: &'a Path,
}

impl Agent<'_> {
    fn run(&self, words: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_escrow"));
        command
            .args(["--json", "--rpc", self.market.url()])
            .args(words);
        Process::start(
            &format!("escrow {words:?}"),
            &mut command,
            &self.folder.join("log"),
        )
        .end()
    }

    /// What Bobo does about a channel, out of his wallet.
    fn pay(&self, bobo: &Person, words: &[&str]) -> Ended {
        let keystore = bobo.file("home").join("cash.json");
        let channel = bobo.file("channel.json");
        let mut all = vec![words[0], channel.to_str().unwrap()];
        all.extend(&words[1..]);
        all.extend(["--keystore", keystore.to_str().unwrap()]);
        all.extend(["--password-file", self.password.to_str().unwrap()]);
        self.run(&all)
    }

    /// What the operator does over the books of his node.
    fn earn(&self, node: &Node, words: &[&str]) -> Value {
        let chain = &self.market.chain;
        let (contract, token) = (chain.contract.to_string(), chain.token.to_string());
        let store = node.store();
        let mut all = words.to_vec();
        all.extend(["--store", store.to_str().unwrap()]);
        all.extend(["--contract", &contract, "--token", &token]);
        self.run(&all).ok().remove(0)
    }

    fn watch(&self, node: &Node) -> Value {
        self.earn(node, &["watch", "--once"])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_deposits_is_served_and_takes_the_rest_back() {
    let Some(market) = Market::new().await else {
        return;
    };
    let world = World::start();
    let bobo = world.person("bobo", &world.a);
    let peter = world.person("peter", &world.d);
    peter.register(&world.c, "$1.00");
    let agent = Agent {
        market: &market,
        folder: world.folder("escrow"),
        password: world.password(),
    };
    // He has tokens, and coin for gas; the node's operator too.
    let cash = parse_address(&bobo.cash).unwrap();
    market.fund(cash, 1_000_000).await;
    let record = world.b.record["document"].as_str().unwrap();
    let operator = text(&[serde_json::from_str(record).unwrap()], "cash");
    market.fund(parse_address(&operator).unwrap(), 0).await;

    // An invitation that is worth next to nothing is enough to begin with.
    let invite = world.b.invite("$0.000003");
    let (chain_id, contract, token) = (
        market.chain.chain_id.to_string(),
        market.chain.contract.to_string(),
        market.chain.token.to_string(),
    );
    bobo.via(&[
        "register",
        "--node",
        &world.b.address,
        "--invite",
        &invite,
        "--chain-id",
        &chain_id,
        "--escrow",
        &contract,
        "--token",
        &token,
    ])
    .ok();
    let error = bobo.via(&["authorize", "--limit", "0.5"]).failed(3);
    assert_eq!(error["reason"]["reason"], "not-backed", "{error}");

    // He deposits, and once that is final the node counts on it.
    let channel = bobo.ok(&["channel"]).remove(0);
    fs::write(bobo.file("channel.json"), channel.to_string()).unwrap();
    let held = agent
        .pay(&bobo, &["deposit", "--amount", "0.5"])
        .ok()
        .remove(0);
    assert_eq!(
        (&held["balance_units"], &held["backing_units"]),
        (&json!(DEPOSIT), &json!("0"))
    );
    market.mine(100).await;
    let held = agent
        .run(&["channel", bobo.file("channel.json").to_str().unwrap()])
        .ok();
    assert_eq!(held[0]["backing_units"], DEPOSIT);
    assert_eq!(agent.watch(&world.b)["backed_units"], DEPOSIT);
    bobo.via(&["authorize", "--limit", "0.5"]).ok();
    let same = bobo.ok(&["channel"]).remove(0);
    assert_eq!(
        (&same["channel"], &same["limit_units"]),
        (&channel["channel"], &json!(DEPOSIT))
    );

    // Mail that the invitation would not have paid for.
    bobo.befriend("peter", &peter);
    peter.befriend("bobo", &bobo);
    for text in ["one", "two", "three"] {
        peter.send("bobo", text);
    }
    assert_eq!(texts(&bobo.collect(3)), ["one", "two", "three"]);

    // The operator is paid what he earned.
    let keystore = world.b.data().join("cash-wallet.json");
    let (keystore, password) = (keystore.to_str().unwrap(), agent.password.to_str().unwrap());
    let claim = [
        "claim",
        "--pay-out",
        "--at-least",
        "0.000001",
        "--keystore",
        keystore,
        "--password-file",
        password,
    ];
    agent.earn(&world.b, &claim);
    let earned = market.balance(parse_address(&operator).unwrap()).await;
    assert!((2..20).contains(&earned), "{earned} units");
    market.mine(100).await;
    assert_eq!(agent.watch(&world.b)["marked_units"], earned.to_string());

    // Bobo wants the rest back: from the announcement on it backs nothing, and he waits.
    let announced = agent.pay(&bobo, &["withdraw"]).ok().remove(0);
    let rest = 500_000 - earned;
    assert_eq!(announced["withdrawing_units"], rest.to_string());
    let early = agent.pay(&bobo, &["withdraw"]).failed(1);
    assert!(
        early["text"].as_str().unwrap().contains("matures at"),
        "{early}"
    );
    let limit = || number(&bobo.via(&["status"]).ok(), "limit_pusd");
    agent.watch(&world.b);
    let invited = 3;
    assert_eq!(u128::from(limit()), (earned + invited) * UNIT);
    // Taken back, it backs him again.
    agent.pay(&bobo, &["withdraw", "--cancel"]).ok();
    agent.watch(&world.b);
    assert_eq!(u128::from(limit()), 500_000 * UNIT);
    agent.pay(&bobo, &["withdraw"]).ok();
    market.wait(86_400).await;
    let taken = agent.pay(&bobo, &["withdraw"]).ok().remove(0);
    assert_eq!(taken["balance_units"], earned.to_string());
    assert_eq!(market.balance(cash).await, 1_000_000 - earned);

    // What makes no sense is said.
    let none = agent.run(&["channel", "/dev/null"]).failed(1);
    assert!(
        none["text"]
            .as_str()
            .unwrap()
            .contains("client --json channel"),
        "{none}"
    );
    let unchained = peter.ok(&["channel"]).remove(0);
    fs::write(peter.file("channel.json"), unchained.to_string()).unwrap();
    let none = agent.pay(&peter, &["deposit", "--amount", "1"]).failed(1);
    assert!(
        none["text"].as_str().unwrap().contains("no chain"),
        "{none}"
    );
}
