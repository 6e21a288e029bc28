//! Whitepaper, "Anonymous Server with the Client-Server Model" and "Load Balance for Anonymous
//! Server": requests of a client that the server has never met are shared by its connections, and what
//! a connection had not acknowledged when it fell goes to another.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{collections::BTreeSet, time::Duration};

use layer_minus_core::{delivery::Mode, http::clock, message::Card};
use layer_minus_examples::{Letters, LocalNetwork, Member};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

struct World {
    network: LocalNetwork,
    server: Member,
    client: Member,
}

async fn world() -> World {
    let network = LocalNetwork::start(&[false, false, true, true], 1)
        .await
        .unwrap();
    let [relay_a, relay_d, node_b, node_c] = &network.nodes[..] else {
        panic!("four nodes")
    };
    let register = |node: &layer_minus_examples::LocalNode,
                    relay: &layer_minus_examples::LocalNode| {
        let (id, invite) = (network.id.clone(), node.invites[0].clone());
        let (node, relay) = (node.record.clone(), relay.record.clone());
        async move { Member::register(&id, &node, &relay, &invite).await.unwrap() }
    };
    let server = register(node_b, relay_a).await;
    let client = register(node_c, relay_d).await;
    World {
        network,
        server,
        client,
    }
}

async fn next(letters: &mut Letters<'_>) -> String {
    let letter = timeout(PATIENCE, letters.next())
        .await
        .expect("no letter came")
        .unwrap();
    String::from_utf8(letter.body.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_connections_share_the_requests_and_one_takes_over_when_the_other_falls() {
    let World {
        network: _network,
        server,
        client,
    } = world().await;
    let mut left = server.listen(Mode::Share).await.unwrap();
    let mut right = server.listen(Mode::Share).await.unwrap();
    let card = client
        .fetch_card(server.address(), server.node())
        .await
        .unwrap();
    for number in 0..4 {
        let text = format!("request {number}");
        client
            .send(&card, server.node(), None, &text, None)
            .await
            .unwrap();
    }
    // Both have one; neither has acknowledged it.
    let first_left = next(&mut left).await;
    let first_right = next(&mut right).await;
    assert_ne!(first_left, first_right);
    // The left connection falls before it acknowledged: its request goes to the right one.
    drop(left);
    let mut served = BTreeSet::from([first_right]);
    while served.len() < 4 {
        served.insert(next(&mut right).await);
    }
    let all: BTreeSet<String> = (0..4).map(|number| format!("request {number}")).collect();
    assert_eq!(served, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_is_answered_by_the_address_alone() {
    let World {
        network,
        server,
        client,
    } = world().await;
    let mut requests = server.listen(Mode::Share).await.unwrap();
    let mut answers = client.listen(Mode::Each).await.unwrap();
    let card = client
        .fetch_card(server.address(), server.node())
        .await
        .unwrap();
    let id = client
        .send(&card, server.node(), None, "who are you?", None)
        .await
        .unwrap();

    let request = timeout(PATIENCE, requests.next()).await.unwrap().unwrap();
    assert_eq!(request.claims.from, client.address());
    let full = request.card.as_ref().unwrap();
    let sender = Card::read(full.card.clone(), &network.id, clock::now()).unwrap();
    let home = network.record(&sender.body.node).unwrap();
    let answering = Some(request.claims.id);
    server
        .send(&sender, home, Some(full), "an address", answering)
        .await
        .unwrap();

    let answer = timeout(PATIENCE, answers.next()).await.unwrap().unwrap();
    assert_eq!(answer.claims.in_reply_to, Some(id));
    assert_eq!(
        (answer.claims.from, &answer.body[..]),
        (server.address(), &b"an address"[..])
    );
}
