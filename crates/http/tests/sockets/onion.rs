//! Three hops before the node: what each link carries, and what each sees.

use std::collections::HashSet;

use bytes::Bytes;
use layer_minus_client_sdk::{Route, answer::expect_acceptance};
use layer_minus_delivery::records::Decoder;
use layer_minus_http::{Limits, clock};
use layer_minus_message::Reason;
use layer_minus_packet::read_wire_head;

use crate::world::{
    LARGE, Maker, NETWORK, SMALL, network,
    person::Person,
    recipient, relay,
    tap::{Link, Tap, bodies},
};

/// Any 16 bytes of one that are in another, at the same distance from their start or not.
fn share_bytes(one: &[u8], other: &[u8]) -> bool {
    let known: HashSet<&[u8]> = one.windows(16).step_by(16).collect();
    other.windows(16).any(|window| known.contains(window))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_link_carries_one_size_and_bytes_of_its_own() {
    // The entry, three hops, the node. Each knows its neighbours only.
    let places = network(&[
        relay(&[1]),
        relay(&[0, 2]).tapped(),
        relay(&[1, 3]).tapped(),
        relay(&[2, 4]).tapped(),
        recipient(&[3]).tapped(),
    ])
    .await;
    let mut bobo = Person::new(&places[4], &places[0]);
    bobo.node = places[4].record.clone();
    let mut direct = Person::new(&places[4], &places[4]);
    std::mem::swap(&mut bobo.entry, &mut direct.entry);
    bobo.register().await;
    std::mem::swap(&mut bobo.entry, &mut direct.entry);

    let hops: Vec<_> = places[1..4].iter().map(|place| &place.record).collect();
    let route = Route::through(&hops, &places[4].record).unwrap();
    // Lanes first, so that what is looked at is the packet alone.
    let warm = bobo.mail(b"warm up", SMALL);
    bobo.ask(bobo.mail_packet(&warm, &route)).await;
    let taps: Vec<_> = places[1..]
        .iter()
        .map(|place| place.tap.clone().unwrap())
        .collect();
    for size in [SMALL, LARGE] {
        taps.iter().for_each(Tap::clear);
        let mail = bobo.mail(b"through three hops", size);
        let outgoing = bobo.mail_packet(&mail, &route);
        let posted = outgoing.packet.clone();
        let content = bobo.ask(outgoing).await;
        let node = places[4].address();
        expect_acceptance(content, NETWORK, node, &mail.digest, clock::now()).unwrap();

        let mut packets = Vec::new();
        let mut answers = Vec::new();
        for (tap, place) in taps.iter().zip(&places[1..]) {
            let [packet] = <[_; 1]>::try_from(tap.packets()).unwrap();
            assert_eq!(packet.len(), size, "every link carries one size");
            let recipient = read_wire_head(&packet).unwrap().recipient;
            let key = place.record.certificate.encryption_key();
            assert!(
                recipient.matches(&key),
                "each link names the next and nobody else"
            );
            packets.push(packet);
            let [answer] = <[_; 1]>::try_from(tap.answers()).unwrap();
            answers.push(answer);
        }
        assert_eq!(packets[0], posted, "the entry passes on what was posted");
        let sizes: HashSet<usize> = answers.iter().map(Vec::len).collect();
        assert_eq!(sizes.len(), 1, "answers too have one size: {sizes:?}");
        for links in [&packets, &answers] {
            for (number, one) in links.iter().enumerate() {
                for other in &links[number + 1..] {
                    assert!(!share_bytes(one, other), "two links share bytes");
                }
            }
        }
        assert!(
            !packets
                .iter()
                .any(|packet| share_bytes(&mail.message, packet))
        );
    }
}

/// A record of a stream that is a note of its lane.
const NOTE_BYTES: usize = 512;

/// The records of the one stream among these links: what was in its chunks.
fn stream_of(links: &[Link]) -> Vec<Bytes> {
    let chunked = b"transfer-encoding: chunked\r\n";
    let has = |link: &&Link| link.down.windows(chunked.len()).any(|part| part == chunked);
    let down = &links.iter().find(has).unwrap().down;
    let at = down
        .windows(chunked.len())
        .position(|part| part == chunked)
        .unwrap();
    let end = down[at..]
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .unwrap();
    let mut rest = &down[at + end + 4..];
    let mut decoder = Decoder::new();
    while let Some(line) = rest.windows(2).position(|part| part == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        decoder.push(&rest[line + 2..line + 2 + size]).unwrap();
        rest = &rest[line + 2 + size + 2..];
    }
    std::iter::from_fn(|| decoder.next_record())
        .map(|record| record.payload)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_come_back_through_hops_at_the_same_sizes() {
    let places = network(&[
        relay(&[1]),
        relay(&[0, 2]),
        relay(&[1, 3]).tapped(),
        recipient(&[2]).tapped(),
    ])
    .await;
    let mut bobo = Person::new(&places[3], &places[3]);
    bobo.register().await;
    bobo.entry = places[0].url().to_owned();
    let hops = [&places[1].record, &places[2].record];
    let route = Route::through(&hops, &places[3].record).unwrap();
    let mut stream = bobo.listen_over(&route).await;
    let peter = Person::new(&places[3], &places[3]);
    for (text, size) in [("one", SMALL), ("two", LARGE)] {
        bobo.receive_from(&peter, text.as_bytes(), size).await;
        assert_eq!(bobo.read(&stream.packet().await), text);
    }
    assert_eq!(stream.sizes[1..], [SMALL, LARGE]);
    let [one, other] = [2, 3].map(|at| stream_of(&places[at].tap.as_ref().unwrap().links()));
    let sizes = |records: &[Bytes]| records.iter().map(Bytes::len).collect::<Vec<_>>();
    // Notes lie between the records on every lane, all of one size: they end with their lane, and the
    // hop puts one of its own in the place of each.
    assert_eq!(sizes(&one), sizes(&other));
    let is_note = |bytes: &usize| *bytes == NOTE_BYTES;
    assert!(sizes(&one).iter().any(is_note));
    let records: Vec<usize> = sizes(&one)
        .into_iter()
        .filter(|len| !is_note(len))
        .collect();
    assert_eq!(records, stream.sizes);
    for (one, other) in one.iter().zip(&other) {
        assert!(!share_bytes(one, other));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_sees_its_client_leave_through_hops_too() {
    let places = network(&[relay(&[1]), relay(&[2]), recipient(&[])]).await;
    let mut bobo = Person::new(&places[2], &places[2]);
    bobo.register().await;
    let entry = std::mem::replace(&mut bobo.entry, places[0].url().to_owned());
    let route = Route::through(&[&places[1].record], &places[2].record).unwrap();
    let stream = bobo.listen_over(&route).await;
    bobo.entry = entry;
    assert_eq!(bobo.status().await.connections, 1);
    drop(stream);
    bobo.goes_offline().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hop_without_a_way_says_so_sealed() {
    let places = network(&[relay(&[]), relay(&[]), recipient(&[])]).await;
    let bobo = Person::new(&places[2], &places[0]);
    // The second relay knows a node that has gone.
    let route = Route::through(&[&places[0].record], &places[2].record).unwrap();
    let refusal = |person: &Person, route: &Route| {
        let mail = person.mail(b"x", SMALL);
        person.mail_packet(&mail, route)
    };
    let outgoing = refusal(&bobo, &route);
    let reply = bobo
        .http
        .post(&bobo.entry, outgoing.packet, None)
        .await
        .unwrap();
    let layer_minus_http::Reply::Once(record) = reply else {
        panic!("a stream")
    };
    let error = outgoing.pending.answer(&record).unwrap_err();
    let reason = Reason::NoRoute;
    assert!(
        matches!(&error, layer_minus_client_sdk::SdkError::RefusedOnTheWay { hop: 1, reason: r } if *r == reason),
        "{error:?}"
    );

    let mut places = places;
    let gone = places.remove(2);
    let record = gone.record.clone();
    {
        let mut table = places[1].gateway.table().write().unwrap();
        let source = layer_minus_routing::Source::Configured;
        table
            .insert(record.clone(), source, false, clock::now())
            .unwrap();
    }
    gone.stop().await;
    let bobo = Person {
        entry: places[1].url().to_owned(),
        ..bobo
    };
    let route = Route::through(&[&places[1].record], &record).unwrap();
    let outgoing = refusal(&bobo, &route);
    let reply = bobo
        .http
        .post(&bobo.entry, outgoing.packet, None)
        .await
        .unwrap();
    let layer_minus_http::Reply::Once(record) = reply else {
        panic!("a stream")
    };
    let error = outgoing.pending.answer(&record).unwrap_err();
    assert!(
        matches!(
            error,
            layer_minus_client_sdk::SdkError::RefusedOnTheWay {
                reason: Reason::NextHopDown,
                ..
            }
        ),
        "{error:?}"
    );
}

/// Each held a packet for as long as the next node liked, and none was counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_on_their_way_to_a_next_node_are_counted() {
    let limits = Limits {
        onward_in_flight_max: 1,
        ..Limits::default()
    };
    let mut places = network(&[relay(&[]).limits(limits), recipient(&[])]).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/post", silent.local_addr().unwrap());
    let next = Maker::new().record(&[url], true);
    {
        let mut table = places[0].gateway.table().write().unwrap();
        let source = layer_minus_routing::Source::Configured;
        table
            .insert(next.clone(), source, false, clock::now())
            .unwrap();
    }
    let bobo = Person::new(&places[1], &places[0]);
    let route = Route::through(&[&places[0].record], &next).unwrap();
    let packet = || bobo.mail_packet(&bobo.mail(b"x", SMALL), &route);
    let (http, entry, first) = (bobo.http.clone(), bobo.entry.clone(), packet().packet);
    let waiting = tokio::spawn(async move { http.post(&entry, first, None).await });
    let accepted = silent.accept().await.unwrap();

    let outgoing = packet();
    let reply = bobo.http.post(&bobo.entry, outgoing.packet, None).await;
    let layer_minus_http::Reply::Once(record) = reply.unwrap() else {
        panic!("a stream")
    };
    let error = outgoing.pending.answer(&record).unwrap_err();
    assert!(
        matches!(
            error,
            layer_minus_client_sdk::SdkError::RefusedOnTheWay {
                reason: Reason::OverLimit { .. },
                ..
            }
        ),
        "{error:?}"
    );
    // What is for the node itself gets in.
    let relay = places.remove(0);
    let outgoing = crate::raw::question(&relay.record);
    let kind = "application/octet-stream";
    let raw = crate::raw::post(relay.addr, kind, &outgoing.packet).await;
    outgoing.pending.answer(&raw.body).unwrap();
    waiting.abort();
    drop(accepted);
}

#[test]
fn bodies_are_cut_apart() {
    let wire = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.1\r\n\r\n";
    assert_eq!(bodies(wire), [b"ab".to_vec(), vec![]]);
}
