//! Who is credited, and what happens when lanes are not known.

use layer_minus_http::{Limits, clock};
use layer_minus_node::{admin, memory::MemoryStore};
use layer_minus_routing::Source;

use crate::{
    raw::{self, question},
    world::{SMALL, network, person::Person, recipient, relay},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_packet_after_the_first_is_on_the_lane() {
    let places = network(&[relay(&[1]), recipient(&[0]).tapped()]).await;
    let tap = places[1].tap.clone().unwrap();
    for _ in 0..3 {
        let outgoing = question(&places[1].record);
        let raw = raw::post(places[0].addr, "application/octet-stream", &outgoing.packet).await;
        assert_eq!(raw.status, 200);
        outgoing.pending.answer(&raw.body).unwrap();
        assert!(
            raw.header("authentication-info").is_none(),
            "the client sees nothing of it"
        );
    }
    let up: Vec<u8> = tap
        .links()
        .iter()
        .flat_map(|link| link.up.clone())
        .collect();
    let count = |name: &[u8]| {
        up.windows(name.len())
            .filter(|window| *window == name)
            .count()
    };
    assert_eq!(tap.packets().len(), 4, "one opens the lane");
    assert_eq!(count(b"authorization: Bearer "), 3);
    let down: Vec<u8> = tap
        .links()
        .iter()
        .flat_map(|link| link.down.clone())
        .collect();
    let shown = b"authentication-info: rspauth=";
    assert_eq!(
        down.windows(shown.len())
            .filter(|window| window == shown)
            .count(),
        3
    );
    let node = { places }.remove(1).stop().await;
    let earned: u64 = admin::totals(node.store())
        .unwrap()
        .lanes
        .iter()
        .map(|l| l.credited_pusd)
        .sum();
    assert_eq!(earned, 0, "nothing posted, nobody earns");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_forgot_its_lanes_loses_no_packet() {
    let mut places = network(&[relay(&[1]), recipient(&[0])]).await;
    let ask = async |places: &[crate::world::Place]| {
        let outgoing = question(&places[1].record);
        let raw = raw::post(places[0].addr, "application/octet-stream", &outgoing.packet).await;
        assert_eq!(raw.status, 200);
        outgoing.pending.answer(&raw.body).unwrap();
    };
    ask(&places).await;
    let forgetful = places.remove(1).restart(|_| MemoryStore::new()).await;
    places.push(forgetful);
    ask(&places).await;
    ask(&places).await;
    let remembering = places.remove(1).restart(|store| store).await;
    places.push(remembering);
    ask(&places).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_without_a_lane_or_with_a_forged_one_credits_nobody() {
    let mut places = network(&[relay(&[1]), recipient(&[0])]).await;
    // Bobo posts straight to his node: everything works, and nobody is credited.
    let mut bobo = Person::new(&places[1], &places[1]);
    bobo.register().await;
    let mut stream = bobo.listen().await;
    bobo.receive_from(&bobo, b"to myself", SMALL).await;
    assert_eq!(bobo.read(&stream.packet().await), "to myself");

    let outgoing = question(&places[1].record);
    let head = format!(
        "POST /post HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: {SMALL}\r\n\r\n",
        "A".repeat(43)
    );
    let raw = raw::send(places[1].addr, &head, &outgoing.packet).await;
    assert_eq!(raw.status, 200);
    assert!(raw.header("authentication-info").is_none());
    outgoing.pending.answer(&raw.body).unwrap();
    drop(stream);
    let node = places.remove(1).stop().await;
    let totals = admin::totals(node.store()).unwrap();
    assert!(
        totals.charged_pusd > 0 && totals.lanes.is_empty(),
        "{totals:?}"
    );
}

/// A node that was known could have as much opened as it liked, for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_brings_no_more_than_a_stranger_but_for_what_is_paid() {
    let limits = Limits {
        unpaid_requests_per_second: 3,
        ..Limits::default()
    };
    let places = network(&[relay(&[1]), recipient(&[0]).limits(limits)]).await;
    let mut bobo = Person::new(&places[1], &places[0]);
    bobo.register().await;
    // More than came in any second: each is charged, and so none counts.
    for _ in 0..20 {
        bobo.status().await;
    }
    let ask = |_| {
        let (addr, outgoing) = (places[0].addr, question(&places[1].record));
        let kind = "application/octet-stream";
        tokio::spawn(async move { raw::post(addr, kind, &outgoing.packet).await.status })
    };
    let asking: Vec<_> = (0..40).map(ask).collect();
    let mut refused = 0;
    for asked in asking {
        match asked.await.unwrap() {
            200 => {}
            503 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!(refused > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_only_told_of_opens_no_lane() {
    let places = network(&[relay(&[1]), recipient(&[]).tapped()]).await;
    {
        let source = Source::Peer(layer_minus_wallet::Address::repeat_byte(7));
        let mut table = places[1].gateway.table().write().unwrap();
        table
            .insert(places[0].record.clone(), source, false, clock::now())
            .unwrap();
    }
    let bearers = || {
        let links = places[1].tap.as_ref().unwrap().links();
        let up: Vec<u8> = links.iter().flat_map(|link| link.up.clone()).collect();
        let name = b"authorization: Bearer ";
        up.windows(name.len()).filter(|part| part == name).count()
    };
    let outgoing = question(&places[1].record);
    let kind = "application/octet-stream";
    let raw = raw::post(places[0].addr, kind, &outgoing.packet).await;
    outgoing.pending.answer(&raw.body).unwrap();
    assert_eq!(bearers(), 0);
}

/// Nothing was forwarded to it any more, and so nothing opened the lane on which it would have paid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_owed_too_much_and_lost_its_books_is_served_again() {
    let limits = Limits {
        lane_pause: std::time::Duration::from_millis(100),
        ..Limits::default()
    };
    let mut places = network(&[relay(&[1]).limits(limits), recipient(&[0])]).await;
    // Three passes earn more than the relay lets be unpromised, and the recipient promises nothing unasked.
    let earned_by_three = 3 * 10 * SMALL as u64;
    places[1].config.lanes.pay_at_pusd = u64::MAX;
    places[0].config.lanes.unpromised_max_pusd = earned_by_three - 1;
    let debtor = places.remove(1).restart(|store| store).await;
    let creditor = places.remove(0).restart(|store| store).await;
    let mut places = vec![creditor, debtor];
    let mut bobo = Person::new(&places[1], &places[0]);
    bobo.register().await;
    bobo.status().await;
    let debtor = places.remove(1).restart(|_| MemoryStore::new()).await;
    places.push(debtor);
    let ask = async || {
        let outgoing = question(&places[1].record);
        let kind = "application/octet-stream";
        raw::post(places[0].addr, kind, &outgoing.packet)
            .await
            .status
    };
    assert_ne!(ask().await, 200, "it owes too much");
    for _ in 0..100 {
        if ask().await == 200 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("it is not served again");
}
