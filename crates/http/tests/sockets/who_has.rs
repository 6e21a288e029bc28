//! Unknown keys: three nodes, of which the first does not know the third.

use std::time::Duration;

use layer_minus_http::{Limits, clock};
use layer_minus_routing::{Source, Verdict, decide};
use rand::rngs::OsRng;

use crate::{
    raw::{self, question},
    theft,
    world::{Maker, Plan, network, relay},
};

/// A node that goes where its peers send it, even on this machine.
fn trusting(knows: &[usize]) -> Plan {
    let mut plan = relay(knows);
    plan.options.allow_private = true;
    plan
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_whom_only_peers_know_is_looked_for_on_this_machine() {
    let places = network(&[relay(&[1]), relay(&[2]), relay(&[]).tapped()]).await;
    let outgoing = question(&places[2].record);
    let raw = raw::post(places[0].addr, "application/octet-stream", &outgoing.packet).await;
    assert_eq!(raw.status, 404);
    assert!(places[2].tap.as_ref().unwrap().packets().is_empty());
    // What the operator configured is reached there: so was the peer, and by it the third.
    let raw = raw::post(places[1].addr, "application/octet-stream", &outgoing.packet).await;
    assert_eq!(raw.status, 200);
}

/// The whole answer of another server came back to whoever had two nodes bounce a packet, because a
/// node could prove itself at one URL and be sent packets at another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_does_not_name_the_url_that_was_proved_is_not_taken() {
    let places = network(&[trusting(&[1]), relay(&[]), relay(&[])]).await;
    let third = &places[2];
    let maker = Maker {
        wallet: third.keys.wallet.clone(),
        cash: third.keys.cash,
        certificate: key_of(third),
    };
    let told = maker.record(&[third.url().to_owned()], false);
    let bait = maker.record(&["http://127.0.0.1:9/internal".to_owned()], false);
    third.gateway.set_identity(third.keys.clone(), bait);
    {
        let mut table = places[1].gateway.table().write().unwrap();
        table
            .insert(told.clone(), Source::Configured, false, clock::now())
            .unwrap();
    }
    let packet = question(&told).packet;
    let raw = raw::post(places[0].addr, "application/octet-stream", &packet).await;
    assert_eq!(raw.status, 404);
    let table = places[0].gateway.table().read().unwrap();
    assert!(table.record(&told.node()).is_none());
}

/// Where it proved itself comes before what else its record names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_go_first_where_possession_was_proved() {
    let places = network(&[
        trusting(&[1]),
        relay(&[]),
        relay(&[]).tapped(),
        relay(&[]).tapped(),
    ])
    .await;
    let (third, other) = (&places[2], &places[3]);
    let maker = Maker {
        wallet: third.keys.wallet.clone(),
        cash: third.keys.cash,
        certificate: key_of(third),
    };
    let told = maker.record(&[third.url().to_owned()], false);
    let urls = [other.url().to_owned(), third.url().to_owned()];
    let own = maker.record(&urls, false);
    third.gateway.set_identity(third.keys.clone(), own);
    {
        let mut table = places[1].gateway.table().write().unwrap();
        table
            .insert(told.clone(), Source::Configured, false, clock::now())
            .unwrap();
    }
    let outgoing = question(&told);
    let raw = raw::post(places[0].addr, "application/octet-stream", &outgoing.packet).await;
    assert_eq!(raw.status, 200);
    outgoing.pending.answer(&raw.body).unwrap();
    assert!(other.tap.as_ref().unwrap().packets().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_names_the_holder_and_the_holder_proves_it() {
    let places = network(&[trusting(&[1]), relay(&[2]), relay(&[]).tapped()]).await;
    let outgoing = question(&places[2].record);
    let raw = raw::post(places[0].addr, "application/octet-stream", &outgoing.packet).await;
    assert_eq!(raw.status, 200);
    outgoing.pending.answer(&raw.body).unwrap();

    let table = places[0].gateway.table().read().unwrap();
    let entry = table
        .entries()
        .find(|entry| entry.record.node() == places[2].address())
        .unwrap();
    assert!(entry.proved && entry.routes);
    assert_eq!(entry.source, Source::Peer(places[1].address()));
    let key = places[2].record.certificate.encryption_key().into();
    assert!(matches!(
        decide(&key, &table, clock::now()),
        Verdict::Forward(_)
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_for_one_key_asks_once() {
    let places = network(&[trusting(&[1]), relay(&[2]).tapped(), relay(&[]).tapped()]).await;
    let posts: Vec<_> = (0..20)
        .map(|_| {
            let (addr, outgoing) = (places[0].addr, question(&places[2].record));
            tokio::spawn(async move {
                let kind = "application/octet-stream";
                raw::post(addr, kind, &outgoing.packet).await.status
            })
        })
        .collect();
    for post in posts {
        assert_eq!(post.await.unwrap(), 200);
    }
    let asked = places[1].tap.as_ref().unwrap().packets().len();
    assert_eq!(asked, 1, "one question to the peer");
    // The proof, one lane, and the packets.
    let seen = places[2].tap.as_ref().unwrap().packets().len();
    assert_eq!(seen, 22);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_key_in_a_foreign_record_is_not_believed() {
    // The thief's URL is a node that passes on to the victim, who can open what is sealed to the key.
    let places = network(&[trusting(&[1]), relay(&[]), relay(&[]).tapped(), relay(&[2])]).await;
    let thief = Maker::new();
    let name = thief.wallet.address().to_string();
    let victim = &places[2].record.certificate;
    let stolen = theft::steal(&mut OsRng, &name, victim, clock::now());
    assert_eq!(stolen.encryption_key(), victim.encryption_key());
    let record = thief.record_with(&stolen, &[places[3].url().to_owned()], false);
    {
        let mut table = places[1].gateway.table().write().unwrap();
        table
            .insert(record, Source::Configured, false, clock::now())
            .unwrap();
    }
    let outgoing = question(&places[2].record);
    let raw = raw::post(places[0].addr, "application/octet-stream", &outgoing.packet).await;
    assert_eq!(raw.status, 404);
    // The victim answered the question that was to prove it, in its own name.
    assert_ne!(places[2].tap.as_ref().unwrap().packets().len(), 0);
    let table = places[0].gateway.table().read().unwrap();
    let known: Vec<_> = table.entries().map(|entry| entry.record.node()).collect();
    assert_eq!(known, [places[1].address()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_is_elsewhere_cannot_prove_it() {
    let places = network(&[trusting(&[1]), relay(&[]), relay(&[])]).await;
    // The second node knows an old address of the third, where somebody else is now.
    let maker = Maker::new();
    let record = maker.record(&[places[2].url().to_owned()], false);
    {
        let mut table = places[1].gateway.table().write().unwrap();
        table
            .insert(record.clone(), Source::Configured, false, clock::now())
            .unwrap();
    }
    let outgoing = question(&record);
    let raw = raw::post(places[0].addr, "application/octet-stream", &outgoing.packet).await;
    assert_eq!(raw.status, 404);
    assert_eq!(places[0].gateway.table().read().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_are_silent_cost_no_more_than_the_limit() {
    let limits = Limits {
        ask_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let places = network(&[relay(&[]).limits(limits), relay(&[])]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/post", listener.local_addr().unwrap());
    let record = Maker::new().record(&[url], false);
    {
        let mut table = places[0].gateway.table().write().unwrap();
        table
            .insert(record, Source::Configured, false, clock::now())
            .unwrap();
    }
    let packet = question(&places[1].record).packet;
    let started = std::time::Instant::now();
    let raw = raw::post(places[0].addr, "application/octet-stream", &packet).await;
    assert_eq!(raw.status, 404);
    let took = started.elapsed();
    assert!(
        took >= Duration::from_millis(300) && took < Duration::from_secs(2),
        "{took:?}"
    );
}

fn key_of(place: &crate::world::Place) -> layer_minus_seal::SecretCertificate {
    place.keys.keyring.iter().next().unwrap().clone()
}
