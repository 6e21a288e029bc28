//! What the sdk makes, a node opens; what the node pushes, the sdk opens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code
)]

mod world;

use bytes::Bytes;
use layer_minus_client_sdk::{
    AckBook, AnswerReader, Desk, Network, Plan, Received, Route, SdkError, SealedMail, Terms,
    answer, content, receive,
};
use layer_minus_delivery::Mode;
use layer_minus_message::{Answer, Content, MessageError, PushedPacket, Reason};
use layer_minus_packet::Sizes;
use layer_minus_seal::{SealError, Version, seal_layer};
use world::{NETWORK, NOW, Person, Stream, World};

struct Listening {
    stream: Stream,
    reader: AnswerReader,
    book: AckBook,
}

fn listen(world: &mut World, person: &Person, route: &Route, mode: Mode) -> Listening {
    let network = world.network();
    let sent = Desk::new(&network, route)
        .listen(&person.identity, mode, world.now, &mut world.rng)
        .unwrap();
    let stream = world.post(&sent.packet);
    Listening {
        stream,
        reader: sent.pending.reader(),
        book: AckBook::new(mode),
    }
}

impl Listening {
    /// What came since the last time.
    fn packets(&mut self, world: &mut World) -> Vec<PushedPacket> {
        let mut packets = Vec::new();
        for record in world.records(self.stream) {
            match self.reader.read(&record).unwrap() {
                Content::Packet(packet) => {
                    self.book.took(packet.position);
                    packets.push(packet);
                }
                Content::Answer(answer) => match *answer {
                    Answer::Listening { position, .. } => self.book.opened(position),
                    Answer::Gap { from, through } => self.book.lost(from, through),
                    other => panic!("{other:?}"),
                },
            }
        }
        packets
    }

    fn acknowledge(&mut self, world: &mut World, person: &Person, route: &Route) {
        let network = world.network();
        while let Some(ack) = self.book.take() {
            let sent = Desk::new(&network, route)
                .ack(&person.identity, ack, world.now, &mut world.rng)
                .unwrap();
            let record = world.answer(&sent.packet);
            answer::expect_acknowledged(sent.pending.answer(&record).unwrap()).unwrap();
        }
    }
}

fn text(world: &mut World, from: &Person, to: &Person, words: &str) -> SealedMail {
    let sizes = world.network().sizes;
    let body = Bytes::copy_from_slice(words.as_bytes());
    let to_whom = to.identity.address();
    let plan = Plan::of(
        to_whom,
        content::TEXT,
        &body,
        &sizes,
        world.now,
        &mut world.rng,
    )
    .unwrap();
    let letter = plan
        .letter(&from.identity, 0, body, from.identity.full_card())
        .unwrap();
    SealedMail::seal(
        &letter,
        &from.identity,
        &to.card,
        &sizes,
        world.now,
        &mut world.rng,
    )
    .unwrap()
}

fn deliver(world: &mut World, mail: &SealedMail, to: &Person, route: &Route) -> answer::Receipt {
    let network = world.network();
    let inbox = Some(to.identity.inbox);
    let sent = mail
        .packet(&network, route, inbox, world.now, &mut world.rng)
        .unwrap();
    let record = world.answer(&sent.packet);
    let content = sent.pending.answer(&record).unwrap();
    answer::expect_acceptance(content, NETWORK, route.node(), &mail.digest, world.now).unwrap()
}

fn open(person: &Person, packet: &PushedPacket) -> Result<Received, SdkError> {
    receive::open(
        packet,
        &person.identity.keyring(),
        NETWORK,
        person.identity.address(),
    )
}

fn words(received: Received) -> String {
    match received {
        Received::Letter(letter) => String::from_utf8(letter.body.to_vec()).unwrap(),
        Received::Foreign(foreign) => panic!("{foreign:?}"),
        _ => unreachable!(),
    }
}

#[test]
fn hello_bobo_online_offline_and_acknowledged() {
    let mut world = World::new(2, &[16_000, 1_000_000]);
    let bobo = world.person(0, Version::V6);
    let peter = world.person(1, Version::V6);
    let route = Route::direct(&world.record(0));
    let mut online = listen(&mut world, &bobo, &route, Mode::Each);
    assert!(online.packets(&mut world).is_empty());

    let mail = text(&mut world, &peter, &bobo, "Hello Bobo");
    let receipt = deliver(&mut world, &mail, &bobo, &route);
    assert_eq!(receipt.body.accepted_at, NOW);
    let pushed = online.packets(&mut world);
    let Received::Letter(letter) = open(&bobo, &pushed[0]).unwrap() else {
        panic!("a letter")
    };
    assert_eq!(
        (&letter.body[..], letter.claims.from),
        (&b"Hello Bobo"[..], peter.identity.address())
    );
    let (card, full) = receive::card_of(&letter, NETWORK, world.now).unwrap();
    assert_eq!(
        (card.body.node, full.inbox),
        (world.record(1).node(), Some(peter.identity.inbox))
    );
    online.acknowledge(&mut world, &bobo, &route);
    world.close(online.stream);

    for words in ["one", "two"] {
        let mail = text(&mut world, &peter, &bobo, words);
        deliver(&mut world, &mail, &bobo, &route);
    }
    let mut again = listen(&mut world, &bobo, &route, Mode::Each);
    let pushed = again.packets(&mut world);
    let read: Vec<String> = pushed
        .iter()
        .map(|packet| words(open(&bobo, packet).unwrap()))
        .collect();
    assert_eq!(read, ["one", "two"]);
    again.acknowledge(&mut world, &bobo, &route);
    let network = world.network();
    let sent = Desk::new(&network, &route)
        .status(&bobo.identity, world.now, &mut world.rng)
        .unwrap();
    let record = world.answer(&sent.packet);
    let standing = answer::expect_standing(sent.pending.answer(&record).unwrap()).unwrap();
    assert_eq!((standing.waiting_packets, standing.waiting_bytes), (0, 0));
}

#[test]
fn a_retry_gets_the_same_receipt_and_is_delivered_once() {
    let mut world = World::new(2, &[16_000, 1_000_000]);
    let (bobo, peter) = (world.person(0, Version::V6), world.person(1, Version::V6));
    let route = Route::direct(&world.record(0));
    let mail = text(&mut world, &peter, &bobo, "once");
    let kept = SealedMail::of(mail.message.clone(), mail.size);
    assert_eq!(kept, mail);
    let first = deliver(&mut world, &mail, &bobo, &route);
    assert_eq!(deliver(&mut world, &kept, &bobo, &route), first);
    assert_eq!(
        listen(&mut world, &bobo, &route, Mode::Each)
            .packets(&mut world)
            .len(),
        1
    );
}

#[test]
fn three_hops_and_no_bytes_are_equal_on_two_links() {
    let mut world = World::new(4, &[16_000, 1_000_000]);
    let (bobo, peter) = (world.person(0, Version::V6), world.person(3, Version::V6));
    let hops = [world.record(1), world.record(2), world.record(3)];
    let [first, second, third] = &hops;
    let node = world.record(0);
    let route = Route::through(&[first, second, third], &node).unwrap();
    for place in &mut world.places {
        place.saw.clear();
    }
    let mail = text(&mut world, &peter, &bobo, "through four layers");
    assert_eq!(mail.message.len(), Sizes::innermost(16_000));
    deliver(&mut world, &mail, &bobo, &route);
    let mut links: Vec<Bytes> = Vec::new();
    for place in &world.places {
        assert_eq!(place.saw.len(), 1, "each sees one packet");
        assert_eq!(place.saw[0].len(), 16_000);
        links.extend(place.saw.iter().cloned());
    }
    for (i, link) in links.iter().enumerate() {
        for other in &links[..i] {
            // No run of bytes is the same: every window of 32 of one is absent at that place.
            assert!(
                link.chunks(32)
                    .zip(other.chunks(32))
                    .skip(4)
                    .all(|(a, b)| a != b)
            );
        }
    }
    // Commands and streams take the same way.
    let mut online = listen(&mut world, &bobo, &route, Mode::Each);
    let pushed = online.packets(&mut world);
    assert_eq!(
        words(open(&bobo, &pushed[0]).unwrap()),
        "through four layers"
    );
    online.acknowledge(&mut world, &bobo, &route);
}

#[test]
fn more_hops_than_layers_and_a_hop_to_itself_are_refused() {
    let world = World::new(2, &[16_000]);
    let (a, b) = (world.record(0), world.record(1));
    assert!(matches!(
        Route::through(&[&a, &b, &a, &b], &a),
        Err(SdkError::TooManyHops { have: 4, max: 3 })
    ));
    assert!(matches!(
        Route::through(&[&a, &b], &b),
        Err(SdkError::Route(_))
    ));
    assert!(Route::through(&[&a, &b, &a], &b).is_ok());
}

#[test]
fn a_hop_may_say_no_and_nothing_else() {
    let mut world = World::new(2, &[16_000, 1_000_000]);
    let bobo = world.person(0, Version::V6);
    let (hop, node) = (world.record(1), world.record(0));
    let route = Route::through(&[&hop], &node).unwrap();
    let network = world.network();
    let desk = Desk::new(&network, &route);
    for (said, refused) in [
        (Answer::Refused(Reason::NextHopDown), true),
        (Answer::Unregistered, false),
        (Answer::Registered(Default::default()), false),
    ] {
        let sent = desk
            .status(&bobo.identity, world.now, &mut world.rng)
            .unwrap();
        // The hop opens its layer and, instead of passing the inner packet on, speaks itself.
        let admitted =
            layer_minus_packet::SealedPacket::admit(sent.packet.clone(), &network.sizes).unwrap();
        let mut opened =
            layer_minus_node::intake::open(&admitted, &world.places[1].keys, world.now).unwrap();
        let content = Content::from(said).to_bytes().unwrap();
        let record = opened.chain.seal(&content, None, &mut world.rng).unwrap();
        match (sent.pending.answer(&record), refused) {
            (
                Err(SdkError::RefusedOnTheWay {
                    hop: 1,
                    reason: Reason::NextHopDown,
                }),
                true,
            ) => {}
            (Err(SdkError::Impostor { hop: 1 }), false) => {}
            other => panic!("{other:?}"),
        }
        assert!(matches!(
            sent.pending.answer(&[0; 4_096]),
            Err(SdkError::Seal(SealError::NotAuthentic))
        ));
    }
}

#[test]
fn sizes_follow_the_content_and_the_list() {
    let mut world = World::new(2, &[16_000, 1_000_000]);
    let (bobo, peter) = (world.person(0, Version::V6), world.person(1, Version::V4));
    let small = text(&mut world, &peter, &bobo, "small");
    assert_eq!((small.size, small.message.len()), (16_000, 7_808));
    let large = text(&mut world, &bobo, &peter, &"x".repeat(9_000));
    assert_eq!((large.size, large.message.len()), (1_000_000, 991_808));
    let node = world.record(1);
    let only_large = Network {
        id: NETWORK.to_owned(),
        sizes: Sizes::new(&[1_000_000]).unwrap(),
    };
    let route = Route::direct(&node);
    let wrong = small.packet(&only_large, &route, None, NOW, &mut world.rng);
    assert!(matches!(wrong, Err(SdkError::NoCommonSize)));
    let status = Desk::new(&only_large, &route)
        .status(&bobo.identity, NOW, &mut world.rng)
        .unwrap();
    assert_eq!(status.packet.len(), 1_000_000);
}

#[test]
fn letters_for_somebody_else_changed_or_forged_are_not_believed() {
    let mut world = World::new(2, &[16_000, 1_000_000]);
    let (bobo, peter) = (world.person(0, Version::V6), world.person(1, Version::V4));
    let sizes = world.network().sizes;
    // Peter passes a letter that Bobo wrote to him on to Bobo, sealed anew.
    let body = Bytes::from_static(b"for Peter only");
    let to = peter.identity.address();
    let plan = Plan::of(to, content::TEXT, &body, &sizes, NOW, &mut world.rng).unwrap();
    let letter = plan.letter(&bobo.identity, 0, body, None).unwrap();
    let mail = SealedMail::seal(
        &letter,
        &bobo.identity,
        &bobo.card,
        &sizes,
        NOW,
        &mut world.rng,
    )
    .unwrap();
    let pushed = |message: Bytes| PushedPacket {
        position: Default::default(),
        accepted_at: NOW,
        message,
    };
    let error = open(&bobo, &pushed(mail.message)).unwrap_err();
    assert!(matches!(
        error,
        SdkError::Message(MessageError::WrongAudience { .. })
    ));
    assert!(receive::hint(&error).is_some());

    let mail = text(&mut world, &peter, &bobo, "intact");
    let mut changed = mail.message.to_vec();
    changed[5_000] ^= 1;
    let error = open(&bobo, &pushed(changed.into())).unwrap_err();
    assert!(matches!(error, SdkError::Seal(SealError::NotAuthentic)));
    assert!(matches!(
        open(&peter, &pushed(mail.message)),
        Err(SdkError::Seal(SealError::NoKey))
    ));
}

#[test]
fn what_is_no_letter_is_foreign_and_known_again() {
    let mut world = World::new(1, &[16_000, 1_000_000]);
    let bobo = world.person(0, Version::V4);
    let certificate = bobo.card.certificate.clone();
    for body in [
        &b"hello from gpg"[..],
        b"",
        b"\0\0\0\x18ftypmp42",
        b"\0\0\0\x02{}",
    ] {
        let message = seal_layer(&mut world.rng, &certificate, &[body], 4_000).unwrap();
        let packet = PushedPacket {
            position: Default::default(),
            accepted_at: NOW,
            message,
        };
        match (open(&bobo, &packet), body.ends_with(b"{}")) {
            (Ok(Received::Foreign(foreign)), false) => {
                assert!(foreign.body.starts_with(body));
                let Ok(Received::Foreign(again)) = open(&bobo, &packet) else {
                    panic!()
                };
                assert_eq!(again.id, foreign.id);
            }
            // It looks like a letter, and then it has to be one.
            (Err(SdkError::Message(_)), true) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn ready_made_messages_go_as_they_are() {
    let mut world = World::new(1, &[16_000, 1_000_000]);
    let bobo = world.person(0, Version::V4);
    let sizes = world.network().sizes;
    let certificate = bobo.card.certificate.clone();
    let message = seal_layer(&mut world.rng, &certificate, &[b"from elsewhere"], 3_000).unwrap();
    let mail = SealedMail::ready_made(&message, &sizes).unwrap();
    assert_eq!((&mail.message, mail.size), (&message, 16_000));
    let route = Route::direct(&world.record(0));
    deliver(&mut world, &mail, &bobo, &route);
    let pushed = listen(&mut world, &bobo, &route, Mode::Each).packets(&mut world);
    assert!(matches!(open(&bobo, &pushed[0]), Ok(Received::Foreign(_))));

    for bad in [&b"no message at all"[..], b"", &[0xC1; 40]] {
        assert!(matches!(
            SealedMail::ready_made(bad, &sizes),
            Err(SdkError::Mail(_))
        ));
    }
    let huge = vec![0xC1; 1_000_000];
    assert!(matches!(
        SealedMail::ready_made(&huge, &sizes),
        Err(SdkError::TooLarge { .. })
    ));
}

#[test]
fn an_acceptance_must_be_the_nodes_and_about_this_message() {
    let mut world = World::new(2, &[16_000, 1_000_000]);
    let (bobo, peter) = (world.person(0, Version::V6), world.person(1, Version::V6));
    let route = Route::direct(&world.record(0));
    let mail = text(&mut world, &peter, &bobo, "prove it");
    let network = world.network();
    let sent = mail
        .packet(
            &network,
            &route,
            Some(bobo.identity.inbox),
            NOW,
            &mut world.rng,
        )
        .unwrap();
    let record = world.answer(&sent.packet);
    let content = sent.pending.answer(&record).unwrap();
    let of = |node, digest| answer::expect_acceptance(content.clone(), NETWORK, node, digest, NOW);
    let node = world.record(0).node();
    assert!(of(node, &mail.digest).is_ok());
    assert!(matches!(of(node, &[0; 32]), Err(SdkError::WrongAcceptance)));
    let other = world.record(1).node();
    assert!(matches!(of(other, &mail.digest), Err(SdkError::Message(_))));
    let refused = Content::from(Answer::Refused(Reason::UnknownClient));
    let said = answer::expect_acceptance(refused, NETWORK, node, &mail.digest, NOW);
    assert!(matches!(
        said,
        Err(SdkError::Refused(Reason::UnknownClient))
    ));
}

#[test]
fn a_registration_may_be_answered_by_the_stream() {
    let mut world = World::new(1, &[16_000, 1_000_000]);
    let (mut bobo, peter) = (world.person(0, Version::V6), world.person(0, Version::V6));
    let (network, record) = (world.network(), world.record(0));
    let route = Route::direct(&record);
    let mail = text(&mut world, &peter, &bobo, "kept for the connection");
    deliver(&mut world, &mail, &bobo, &route);
    let desk = Desk::new(&network, &route);
    let terms = Terms {
        limit_units: 1_000_000,
        ..Terms::default()
    };
    let (_, registration) = bobo
        .identity
        .registration(&bobo.wallets, &record, &terms, NOW, &mut world.rng)
        .unwrap();
    let sent = desk
        .register(&bobo.identity, registration, NOW, &mut world.rng)
        .unwrap();
    let content = sent.pending.answer(&world.answer(&sent.packet)).unwrap();
    let sealed = answer::expect_challenge(content).unwrap();
    let nonce = bobo
        .identity
        .open_challenge(&sealed, record.node())
        .unwrap();
    let sent = desk
        .confirm(&bobo.identity, nonce, Some(Mode::Each), NOW, &mut world.rng)
        .unwrap();
    let stream = world.post(&sent.packet);
    let mut reader = sent.pending.reader();
    let mut heard: Vec<Content> = world
        .records(stream)
        .iter()
        .map(|record| reader.read(record).unwrap())
        .collect();
    let Some(Content::Packet(packet)) = heard.pop() else {
        panic!("{heard:?}")
    };
    assert_eq!(
        words(open(&bobo, &packet).unwrap()),
        "kept for the connection"
    );
    let names: Vec<&str> = heard
        .iter()
        .map(|content| match content {
            Content::Answer(answer) => answer::name_of(answer),
            Content::Packet(_) => "packet",
        })
        .collect();
    assert_eq!(names, ["registered", "listening"]);
}

#[test]
fn a_quote_holds_for_the_longest_head_and_for_the_shortest() {
    let mut world = World::new(2, &[16_000, 1_000_000]);
    let bobo = world.person(0, Version::V6);
    let peter = world.person(1, Version::V6);
    let network = world.network();
    let prices = layer_minus_message::Prices::default();
    let size_of = |world: &mut World, bytes: usize, long: bool| {
        let body = Bytes::from(vec![7; bytes]);
        let to = bobo.identity.address();
        let (now, sizes) = (world.now, &network.sizes);
        let plan = Plan::of(to, content::TEXT, &body, sizes, now, &mut world.rng).unwrap();
        let (plan, card) = if long {
            let plan = plan.named(&"n".repeat(255)).answering([9; 16]);
            (plan, peter.identity.full_card())
        } else {
            (plan, None)
        };
        let letter = plan.letter(&peter.identity, 0, body, card).unwrap();
        let card = bobo.identity.card(now).unwrap().unwrap();
        let sealed = SealedMail::seal(&letter, &peter.identity, &card, sizes, now, &mut world.rng);
        sealed.unwrap().size
    };
    for bytes in (0..8_000).step_by(250) {
        let most = layer_minus_client_sdk::quote(bytes, &prices, &network.sizes, 0).bytes_on_wire;
        let least = layer_minus_client_sdk::quote_least(bytes, &prices, &network.sizes, 0);
        for long in [true, false] {
            let size = size_of(&mut world, bytes as usize, long) as u64;
            assert!(
                size <= most,
                "{bytes} bytes, long head {long}: {size} > {most}"
            );
            assert!(
                size >= least.bytes_on_wire,
                "{bytes} bytes, long head {long}: {size}"
            );
        }
        assert!(bytes > 1_500 || most == 16_000, "{bytes}: too careful");
    }
}
