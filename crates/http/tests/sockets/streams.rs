//! Registration, pushes and their ends, through a relay.

use std::time::Duration;

use crate::world::{LARGE, Place, Plan, SMALL, network, person::Person, recipient, relay, until};
use layer_minus_message::{Answer, Content};
use layer_minus_node::admin;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hello_bobo_through_a_relay_is_pushed_read_and_paid() {
    let mut places = network(&[relay(&[1]), recipient(&[0])]).await;
    let mut bobo = Person::new(&places[1], &places[0]);
    let peter = Person::new(&places[1], &places[0]);
    bobo.register().await;
    let mut stream = bobo.listen().await;
    bobo.receive_from(&peter, b"Hello Bobo", SMALL).await;
    let packet = stream.packet().await;
    assert_eq!(bobo.read(&packet), "Hello Bobo");
    bobo.receive_from(&peter, b"a large one", LARGE).await;
    let packet = stream.packet().await;
    assert_eq!(bobo.read(&packet), "a large one");
    assert_eq!(
        stream.sizes[1..],
        [SMALL, LARGE],
        "a push has the size that is billed"
    );

    // Both pushes were handed over, so both are charged.
    let passed = (SMALL * 5 + LARGE * 2) as u64; // confirm, listen, mail, push, this status
    let mut standing = bobo.status().await;
    for _ in 0..50 {
        if standing.reserved_pusd == 0 || standing.passed_bytes >= passed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        standing = bobo.status().await;
    }
    assert!(standing.passed_bytes >= passed, "{standing:?}");
    drop(stream);

    let relay = places.remove(0);
    let node = places.remove(0).stop().await;
    let totals = admin::totals(node.store()).unwrap();
    assert!(totals.ledger_balanced);
    let lane = &totals.lanes[0];
    assert_eq!(lane.node, relay.address());
    assert_eq!(
        u128::from(lane.credited_pusd) * 2,
        totals.charged_pusd.into(),
        "{totals:?}"
    );
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_sees_its_client_leave_the_relay() {
    let places = network(&[relay(&[1]), recipient(&[0]).tapped()]).await;
    let mut bobo = Person::new(&places[1], &places[0]);
    bobo.register().await;
    let stream = bobo.listen().await;
    assert_eq!(bobo.status().await.connections, 1);
    let tap = places[1].tap.clone().unwrap();
    let open = || tap.links().iter().filter(|link| !link.closed).count();
    let before = open();
    drop(stream);
    until("the relay closes its connection", || open() < before).await;
    bobo.goes_offline().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_reading_loses_its_stream_and_no_packet() {
    let slow = Plan {
        slow_reader_secs: Some(2),
        ..recipient(&[0])
    };
    let places = network(&[relay(&[1]), slow]).await;
    let mut bobo = Person::new(&places[1], &places[0]);
    bobo.register().await;
    let stream = bobo.listen().await;
    // More than all sockets on the way hold.
    let count: u8 = 16;
    for number in 0..count {
        bobo.receive_from(&bobo, &[number + 1], LARGE).await;
    }
    bobo.goes_offline().await;
    drop(stream);
    let mut stream = bobo.listen().await;
    for number in 0..count {
        assert_eq!(bobo.read(&stream.packet().await)[..], [number + 1]);
    }
}

async fn open_stream(plans: &[Plan]) -> (Vec<Place>, Person, crate::world::person::Listening) {
    let places = network(plans).await;
    let mut bobo = Person::new(&places[1], &places[0]);
    bobo.register().await;
    let stream = bobo.listen().await;
    (places, bobo, stream)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_or_a_node_that_stops_ends_its_streams_at_once() {
    for stopped in [0, 1] {
        let plans = [relay(&[1]), recipient(&[0])];
        let (mut places, _bobo, mut stream) = open_stream(&plans).await;
        let place = places.remove(stopped);
        timeout(Duration::from_secs(3), place.stop())
            .await
            .expect("it stops");
        let ended = timeout(Duration::from_secs(3), stream.next())
            .await
            .expect("it ends");
        assert!(ended.is_none(), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_stream_of_one_device_ends_the_first() {
    let (_places, bobo, mut first) = open_stream(&[relay(&[1]), recipient(&[0])]).await;
    let _second = bobo.listen().await;
    assert!(first.next().await.is_none());
    assert_eq!(bobo.status().await.connections, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_places_for_streams_are_taken_says_so_sealed() {
    let mut plan = recipient(&[0]);
    plan.limits.streams_max = 0;
    let places = network(&[relay(&[1]), plan]).await;
    let mut bobo = Person::new(&places[1], &places[0]);
    bobo.register().await;
    let route = bobo.route();
    let desk = layer_minus_client_sdk::Desk::new(&bobo.network, &route);
    let now = layer_minus_http::clock::now();
    let mode = layer_minus_delivery::Mode::Each;
    let listen = desk
        .listen(&bobo.identity, mode, now, &mut rand::rngs::OsRng)
        .unwrap();
    let answer = bobo.ask(listen).await;
    assert!(
        matches!(&answer, Content::Answer(a) if matches!(**a, Answer::Refused(_))),
        "{answer:?}"
    );
    bobo.goes_offline().await;
}
