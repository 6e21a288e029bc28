//! Clients pay out of deposits, and one keeps no other from it: the program, a chain, a node over its
//! store.

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
#[path = "desk/mod.rs"]
mod desk;
#[path = "desk/proxy.rs"]
mod proxy;
#[path = "../../../tests/tools/mod.rs"]
mod tools;
#[path = "../../../crates/escrow/tests/escrow/world.rs"]
mod world;

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command as Process, Stdio},
};

use anvil::Anvil;
use desk::{Cash, Client, Desk, Program};
use layer_minus_message::{Answer, Chain, Command, Reason};
use layer_minus_node::admin;
use layer_minus_store_sqlite::{Options, SqliteStore};
use layer_minus_wallet::Address;
use proxy::Proxy;
use serde_json::{Value, json};
use world::World;

/// The usual withdraw delay, seconds.
const DAY: u64 = 86_400;

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_backs_a_client_and_what_it_paid_for_is_claimed_and_marked() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (mut desk, program) = open(&mut world, folder.path());
    let mut bobo = Client::new(&mut world, DAY);
    // Nobody granted him anything, and nothing is deposited.
    let refused = desk.ask(&mut world, &mut bobo, 1_000);
    assert!(
        matches!(refused, Answer::Refused(Reason::NotBacked { .. })),
        "{refused:?}"
    );

    // The channel that he signed gets its deposit. The node learns of it from the program alone, and it
    // counts only once its block is final.
    assert!(bobo.identity.membership.is_none());
    let wallet = bobo.wallets.wallet.address();
    admin::grant(desk.node.store_mut(), wallet, 2_000_000).unwrap();
    let challenge = desk.ask(&mut world, &mut bobo, 2);
    desk.confirm(&mut world, &bobo, &challenge);
    let channel = desk.channel(&bobo);
    let terms = desk.terms(&bobo);
    world.payer.deposit(&terms, 500).await.unwrap();
    let seen = program.ok(&["watch", "--once"]);
    assert_eq!(seen[0]["backed_units"], "0", "not final yet");
    world.mine(100).await;
    assert_eq!(program.ok(&["watch", "--once"])[0]["backed_units"], "500");

    // The same deposit in a token that anybody could have made is worth nothing.
    let elsewhere = Program {
        chain: Chain {
            token: Address::repeat_byte(7),
            ..world.chain
        },
        store: program.store.clone(),
        rpc: program.rpc.clone(),
    };
    let seen = elsewhere.ok(&["watch", "--once"]);
    assert_eq!(seen[0]["backed_units"], "0");
    assert_eq!(program.ok(&["watch", "--once"])[0]["backed_units"], "500");

    // The limit is raised to what the deposit backs, and mail comes that the grant would not pay for.
    let mut raised = channel.authorization.clone();
    raised.resign(&world.cash, channel.client, 500).unwrap();
    let raised = Command::Authorize(Box::new(raised));
    let answer = desk.command(&mut world, &bobo, raised);
    assert!(matches!(answer, Answer::Authorized(_)), "{answer:?}");
    for message in [b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8"] {
        let answer = desk.mail(&mut world, &bobo, message);
        assert!(matches!(answer, Answer::Accepted(_)), "{answer:?}");
    }

    // What was charged is claimed and paid out, once.
    let units = desk.charged(&bobo);
    assert!(units >= 2, "{units}");
    let cash = Cash::new(&mut world, folder.path());
    let claim = cash.claim(&["--pay-out", "--at-least", "0.000001"]);
    world.contract_for(&world.node.clone()).await;
    assert_eq!(program.ok(&claim).len(), 2, "a batch and the transfer");
    assert_eq!(world.balance(world.node.address()).await, u128::from(units));
    assert_eq!(
        program.ok(&["watch", "--once"])[0]["marked_units"],
        "0",
        "not final yet"
    );
    world.mine(100).await;
    let seen = program.ok(&["watch", "--once"]);
    assert_eq!(seen[0]["marked_units"], units.to_string());
    assert_eq!(seen[0]["backed_units"], "500", "what was claimed counts in");
    assert_eq!(program.ok(&["watch", "--once"])[0]["marked_units"], "0");
    assert_eq!(program.ok(&claim), Vec::<serde_json::Value>::new());
    assert_eq!(admin::verify(desk.node.store()).unwrap(), Ok(()));

    // What it cannot do it says.
    let (success, text) = program.run(&["watch", "--once", "--every", "0"]);
    assert!(!success, "{text}");
    let elsewhere = Program {
        store: folder.path().join("none.db"),
        ..program
    };
    let (success, text) = elsewhere.run(&["watch", "--once"]);
    assert!(!success && text.contains("there is no store"), "{text}");
    assert!(!elsewhere.store.exists(), "none is made");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_deposited_keeps_no_other_from_paying() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (mut desk, program) = open(&mut world, folder.path());
    let cash = Cash::new(&mut world, folder.path());
    world.contract_for(&world.node.clone()).await;
    // Alice uses what she was granted, Bobo what he deposited, Carol both.
    let [alice, bobo, carol] = [5, 5, 5].map(|limit| desk.join(&mut world, limit, DAY));
    for (client, deposit) in [(&bobo, 100), (&carol, 1)] {
        let terms = desk.terms(client);
        world.payer.deposit(&terms, deposit).await.unwrap();
    }
    for client in [&alice, &bobo, &carol] {
        desk.charge(&mut world, client, 3);
    }

    let claim = cash.claim(&["--at-least", "0.000001"]);
    let lines = program.ok(&claim);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0]["left_out"]["channel_id"], desk.id(&alice));
    let why = lines[0]["left_out"]["text"].as_str().unwrap();
    assert!(why.contains("nothing more than was claimed"), "{why}");
    assert_eq!(lines[1]["channels"], 2);
    let held = world.payer.latest(&desk.terms(&carol)).await.unwrap();
    assert_eq!(held.claimed_units, 1, "as much as she deposited");

    // Later it is paid out, though nothing more is claimed. Carol's deposit is used up now.
    let again = cash.claim(&["--at-least", "0.000001", "--pay-out"]);
    let lines = program.ok(&again);
    let left = |line: &Value| line["left_out"]["channel_id"].clone();
    let mut poor = [left(&lines[0]), left(&lines[1])].map(|id| id.as_str().unwrap().to_owned());
    poor.sort();
    let mut expected = [desk.id(&alice), desk.id(&carol)];
    expected.sort();
    assert_eq!(poor, expected);
    assert_eq!((lines.len(), &lines[2]["channels"]), (3, &json!(0)));
    assert_eq!(world.balance(world.node.address()).await, 4);
    assert_eq!(
        program.ok(&again).len(),
        2,
        "nothing to pay out is no error"
    );

    // Once that is final it is marked, and the rest stays owed.
    world.mine(100).await;
    let seen = program.ok(&["watch", "--once"]).remove(0);
    assert_eq!(seen["marked_units"], "4");
    assert_eq!((&seen["channels"], &seen["errors"]), (&json!(3), &json!(0)));
    assert_eq!(desk.channel(&carol).settled_units, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_with_one_channel_is_told_and_the_others_go_on() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (mut desk, mut program) = open(&mut world, folder.path());
    let cash = Cash::new(&mut world, folder.path());
    world.contract_for(&world.node.clone()).await;
    let [alice, bobo] = [5, 5].map(|limit| desk.join(&mut world, limit, DAY));
    let terms = desk.terms(&bobo);
    world.payer.deposit(&terms, 100).await.unwrap();
    world.mine(100).await;
    for client in [&alice, &bobo] {
        desk.charge(&mut world, client, 2);
    }

    // The chain's node fails whenever it is asked about Alice's channel.
    let salt = hex(&desk.terms(&alice).salt);
    let gone = Proxy::start(world.url(), {
        let salt = salt.clone();
        move |request| {
            let error = json!({ "code": -32_000, "message": "not today" });
            let is_hers = request.to_string().contains(&salt);
            is_hers.then(|| json!({ "error": error }))
        }
    })
    .await;
    program.rpc = gone.url;
    let (success, text) = program.run(&["watch", "--once"]);
    assert!(!success, "{text}");
    let lines = parsed(&text);
    assert_eq!(
        (&lines[0]["errors"], &lines[0]["backed_units"]),
        (&json!(1), &json!("100"))
    );
    let told = lines[1]["error"]["text"].as_str().unwrap();
    assert!(
        told.contains(&desk.id(&alice)) && told.contains("not today"),
        "{told}"
    );
    let (success, text) = program.run(&cash.claim(&["--at-least", "0.000001"]));
    assert!(!success && text.contains("not today"), "{text}");
    assert_eq!(parsed(&text)[0]["channels"], 1, "{text}");
    let held = world.payer.latest(&terms).await.unwrap();
    assert_eq!(held.claimed_units, 2, "his is claimed");

    // It says that she deposited: the contract refuses, and the rest is sent again.
    desk.charge(&mut world, &bobo, 3);
    let lied = Proxy::start(world.url(), move |request| {
        let word = format!("{:064x}", 1_000);
        let held = format!("0x{word}{:064x}{:064x}{:064x}", 0, 0, 0);
        let is_hers = request.to_string().contains(&salt);
        is_hers.then(|| json!({ "result": held }))
    })
    .await;
    program.rpc = lied.url;
    let lines = program.ok(&cash.claim(&["--at-least", "0.000001"]));
    assert_eq!(lines[0]["left_out"]["channel_id"], desk.id(&alice));
    let why = lines[0]["left_out"]["text"].as_str().unwrap();
    assert!(why.contains("contract refuses"), "{why}");
    assert_eq!(lines[1]["channels"], 1);
    let held = world.payer.latest(&terms).await.unwrap();
    assert_eq!(held.claimed_units, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_by_hand_and_what_is_small_is_not_claimed() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (mut desk, program) = open(&mut world, folder.path());
    let cash = Cash::new(&mut world, folder.path());
    world.contract_for(&world.node.clone()).await;
    let [dora, emil] = [5, 5].map(|limit| desk.join(&mut world, limit, DAY));
    for client in [&dora, &emil] {
        let terms = desk.terms(client);
        world.payer.deposit(&terms, 100).await.unwrap();
        desk.charge(&mut world, client, 3);
    }
    // Dora paid one unit in cash.
    let id = desk.channel(&dora).id;
    admin::settle_channel(desk.node.store_mut(), &id, 1, world.now).unwrap();
    let lines = program.ok(&cash.claim(&[]));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["left_out"]["channel_id"], desk.id(&dora));
    let why = lines[0]["left_out"]["text"].as_str().unwrap();
    assert!(why.contains("paid in another way"), "{why}");

    // What Emil owes is less than a claim is worth, until he takes his deposit back.
    let terms = desk.terms(&emil);
    world.payer.announce_withdrawal(&terms, 10).await.unwrap();
    let lines = program.ok(&cash.claim(&[]));
    assert_eq!((lines.len(), &lines[1]["channels"]), (2, &json!(1)));
    let held = world.payer.latest(&terms).await.unwrap();
    assert_eq!(held.claimed_units, 3);
    let held = world.payer.latest(&desk.terms(&dora)).await.unwrap();
    assert_eq!(held.claimed_units, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_short_delay_nor_an_announced_withdrawal_backs_anything() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (mut desk, program) = open(&mut world, folder.path());
    let hasty = desk.join(&mut world, 5, 900);
    let mut emil = Client::new(&mut world, 30 * DAY);
    emil.lasts = 7 * DAY;
    let emil = desk.admit(&mut world, emil, 5);
    for client in [&hasty, &emil] {
        let terms = desk.terms(client);
        world.payer.deposit(&terms, 100).await.unwrap();
        desk.charge(&mut world, client, 2);
    }
    world.mine(100).await;
    let watch = || program.ok(&["watch", "--once"]);
    let backed = |lines: &[Value]| lines[0]["backed_units"].clone();
    assert_eq!(backed(&watch()), "100", "of Emil's channel alone");
    let short = program.ok(&["watch", "--once", "--min-delay", "900"]);
    assert_eq!(backed(&short), "200");

    // Both announce. Emil's withdrawal would mature when his authorization has long ended.
    for client in [&hasty, &emil] {
        let terms = desk.terms(client);
        world.payer.announce_withdrawal(&terms, 1).await.unwrap();
    }
    let lines = watch();
    assert_eq!(backed(&lines), "0");
    assert_eq!((lines.len(), &lines[0]["withdrawals"]), (3, &json!(2)));
    for client in [&hasty, &emil] {
        let id = desk.id(client);
        let mut told = lines.iter().map(|line| &line["withdrawal"]);
        let told = told.find(|told| told["channel_id"] == id).unwrap();
        assert_eq!(told["due_units"], "2");
        let latest = world.payer.latest(&desk.terms(client)).await.unwrap();
        let matures_at = latest.withdrawal.unwrap().matures_at;
        assert_eq!(told["matures_at"], matures_at.to_string());
    }
    // Nothing is due on the hasty one's after this, and nobody looks there any more.
    let id = desk.channel(&hasty).id;
    admin::settle_channel(desk.node.store_mut(), &id, 2, world.now).unwrap();
    assert_eq!(watch()[0]["withdrawals"], 1);
    // Taken back, it counts once that is final.
    let terms = desk.terms(&emil);
    world.payer.cancel_withdrawal(&terms).await.unwrap();
    world.mine(100).await;
    assert_eq!(backed(&watch()), "100");
    // What he took back backs nothing, though he still owes.
    let answer = desk.command(&mut world, &emil, Command::Revoke);
    assert!(matches!(answer, Answer::Revoked(_)), "{answer:?}");
    let lines = watch();
    assert_eq!(
        (backed(&lines), &lines[0]["channels"]),
        (json!("0"), &json!(0))
    );
    assert_eq!(admin::verify(desk.node.store()).unwrap(), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn claiming_is_a_service_until_it_is_interrupted() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (mut desk, program) = open(&mut world, folder.path());
    let cash = Cash::new(&mut world, folder.path());
    world.contract_for(&world.node.clone()).await;
    let bobo = desk.join(&mut world, 9, DAY);
    let terms = desk.terms(&bobo);
    world.payer.deposit(&terms, 100).await.unwrap();
    let claim = cash.claim(&["--every", "1", "--at-least", "0.000001"]);
    let mut service = program
        .process(&claim)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(service.stdout.take().unwrap()).lines();
    for units in [2, 4] {
        desk.charge(&mut world, &bobo, units);
        while world.payer.latest(&terms).await.unwrap().claimed_units < u128::from(units) {
            let line = parsed(&lines.next().unwrap().unwrap()).remove(0);
            assert_eq!(line["channels"], 1, "{line}");
        }
    }
    let id = service.id().to_string();
    let told = Process::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(told.success());
    assert!(service.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_stands_still_is_not_believed() {
    let Some(chain) = Anvil::start_with(&["--timestamp", "1700000000"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store.db");
    SqliteStore::open(&store, Options::default()).unwrap();
    let program = Program {
        store,
        rpc: chain.url.clone(),
        chain: Chain::default(),
    };
    let (success, text) = program.run(&["watch", "--once"]);
    assert!(!success && text.contains("stands still"), "{text}");
}

/// A node with its books in a folder, and the program over them.
fn open(world: &mut World, folder: &Path) -> (Desk, Program) {
    let store = folder.join("store.db");
    let program = Program {
        store: store.clone(),
        rpc: world.url().to_owned(),
        chain: world.chain,
    };
    (Desk::new(world, &store), program)
}

fn parsed(text: &str) -> Vec<Value> {
    let lines = text.lines().map(serde_json::from_str);
    lines.map(Result::unwrap).collect()
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
