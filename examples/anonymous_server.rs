//! A server that is nothing but a wallet address (whitepaper, "Anonymous Server with the
//! Client-Server Model"): two connections share its requests, and clients that it has never met and
//! cannot locate get answers.
//!
//! `cargo run --example anonymous_server`

#![allow(clippy::print_stdout)] // its output is what it is for

use anyhow::{Context as _, Result};
use layer_minus_core::{delivery::Mode, http::clock, message::Card};
use layer_minus_examples::{LocalNetwork, Member};

const REQUESTS: usize = 4;

#[tokio::main]
async fn main() -> Result<()> {
    // Two relays, and a recipient node each for the server and its clients.
    let network = LocalNetwork::start(&[false, false, true, true], 2).await?;
    let [relay_a, relay_d, node_b, node_c] = &network.nodes[..] else {
        anyhow::bail!("four nodes were asked for");
    };
    let invite = |codes: &[String], index: usize| codes.get(index).cloned().context("no invite");
    let server = Member::register(
        &network.id,
        &node_b.record,
        &relay_a.record,
        &invite(&node_b.invites, 0)?,
    )
    .await?;
    let client = Member::register(
        &network.id,
        &node_c.record,
        &relay_d.record,
        &invite(&node_c.invites, 0)?,
    )
    .await?;
    println!(
        "server  {}  at node {}",
        server.address(),
        server.node().node()
    );
    println!(
        "client  {}  at node {}",
        client.address(),
        client.node().node()
    );

    let serving = async {
        tokio::try_join!(
            serve("left", &server, &network),
            serve("right", &server, &network)
        )
    };
    tokio::select! {
        ended = serving => ended.map(|_| ())?,
        asked = ask(&client, &server) => asked?,
    }
    println!("{REQUESTS} requests were answered");
    Ok(())
}

/// One connection of the server: answers whatever comes, to whoever asks.
async fn serve(name: &str, server: &Member, directory: &LocalNetwork) -> Result<()> {
    let mut requests = server.listen(Mode::Share).await?;
    loop {
        let request = requests.next().await?;
        let card = request
            .card
            .as_ref()
            .context("a stranger must send a card")?;
        let sender = Card::read(card.card.clone(), &request.claims.network, clock::now())?;
        // Where the answer goes is in the card; the directory knows how to get there.
        let clients_node = directory.record(&sender.body.node)?;
        let question = String::from_utf8_lossy(&request.body);
        let answer = format!("{} ({name})", question.to_uppercase());
        let id = Some(request.claims.id);
        server
            .send(&sender, clients_node, Some(card), &answer, id)
            .await?;
    }
}

/// The client knows the server's address and node, nothing else.
async fn ask(client: &Member, server: &Member) -> Result<()> {
    let mut answers = client.listen(Mode::Each).await?;
    let node = server.node();
    let card = client.fetch_card(server.address(), node).await?;
    for number in 1..=REQUESTS {
        let question = format!("request {number}");
        let id = client.send(&card, node, None, &question, None).await?;
        let answer = answers.next().await?;
        anyhow::ensure!(
            answer.claims.in_reply_to == Some(id),
            "the answer is to something else"
        );
        anyhow::ensure!(
            answer.claims.from == server.address(),
            "somebody else answered"
        );
        println!("{question} -> {}", String::from_utf8_lossy(&answer.body));
    }
    Ok(())
}
