//! What the simulator found, each as the shortest story that shows it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use layer_minus_delivery::{ConsumerId, Mode};
use layer_minus_message::{Answer, Command, Listen, Reason};
use layer_minus_node::{Effect, Event, NodeConfig, StoreError, Table, admin};
use world::{LARGE, SMALL, World};

fn credited(world: &World) -> u64 {
    let totals = admin::totals(world.node.store()).unwrap();
    totals.lanes.iter().map(|lane| lane.credited_pusd).sum()
}

#[test]
fn a_late_acknowledgement_of_an_earlier_registration_takes_no_mail_of_a_later_one() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    world.mail(&bobo, b"of the first registration");
    let late = world.ack(1, Some(1), &[]);
    stream.take(&world.close(&stream));
    assert_eq!(
        world.command(bobo.address(), Command::Unregister),
        Answer::Unregistered
    );
    let command = world.registration(&bobo, None);
    let challenge = world.challenge(&bobo, command);
    let confirm = Command::Confirm {
        challenge,
        listen: None,
    };
    assert!(matches!(
        world.command(bobo.address(), confirm),
        Answer::Registered(_)
    ));
    let stream = world.listen(&bobo, 1, Mode::Each);
    world.close(&stream);
    world.mail(&bobo, b"of the second, under the same number");
    let answer = world.command(bobo.address(), late);
    assert!(
        matches!(answer, Answer::Refused(Reason::Malformed { .. })),
        "{answer:?}"
    );
    let stream = world.listen(&bobo, 1, Mode::Each);
    assert_eq!(stream.pushed.len(), 1);
}

#[test]
fn a_push_under_way_when_retention_ends_is_finished_and_paid() {
    let config = NodeConfig::default();
    let retention_secs = config.retention_secs;
    let mut world = World::new(config);
    let bobo = world.client();
    world.mail(&bobo, b"comes at the last moment");
    world.now += retention_secs;
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    let before = world.standing(&bobo).charged_pusd;
    stream.take(&world.tick(1));
    world.hand(&mut stream, 1);
    assert!(!stream.closed);
    let pass = 20 * u64::from(LARGE);
    let status = 20 * u64::from(SMALL);
    assert_eq!(world.standing(&bobo).charged_pusd, before + status + pass);
    // Then it goes, as it would have.
    stream.take(&world.tick(120));
    let gaps = stream.control.iter();
    let gaps = gaps.filter(|answer| matches!(answer, Answer::Gap { .. }));
    assert_eq!(gaps.count(), 0, "the stream has it");
    let standing = world.standing(&bobo);
    assert_eq!((standing.waiting_packets, standing.reserved_pusd), (0, 0));
}

#[test]
fn a_push_during_which_the_clock_is_set_is_charged_all_the_same() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    world.mail(&bobo, b"comes twice");
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    world.hand(&mut stream, 1);
    world.close(&stream);
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    let before = world.standing(&bobo).charged_pusd;
    world.now += 2 * 3_600;
    world.hand(&mut stream, 1);
    let (pass, status) = (20 * u64::from(LARGE), 20 * u64::from(SMALL));
    assert_eq!(world.standing(&bobo).charged_pusd, before + status + pass);
    world.ack_through(&bobo, 1, 1);
    assert_eq!(world.standing(&bobo).reserved_pusd, 0);
}

#[test]
fn streams_of_the_same_number_before_and_after_a_restart_are_charged_apart() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    world.mail(&bobo, b"comes three times");
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    world.hand(&mut stream, 1);
    world.close(&stream);
    let before = world.standing(&bobo).charged_pusd;
    let mut charged = Vec::new();
    for _ in 0..2 {
        world.restart();
        world.number_requests_from(1_000);
        let mut stream = world.listen(&bobo, 1, Mode::Each);
        world.hand(&mut stream, 1);
        charged.push(world.standing(&bobo).charged_pusd);
    }
    let round = 20 * u64::from(LARGE) + 2 * 20 * u64::from(SMALL);
    assert_eq!(charged, [before + round, before + 2 * round]);
}

#[test]
fn a_frame_that_was_forgotten_while_the_clock_was_ahead_is_not_taken_again() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    let request = world.request(None, SMALL);
    let command = world.verified(bobo.address(), Command::Status);
    let id = request.id;
    let event = Event::Command { request, command };
    let effects = world.run(vec![event.clone()]);
    assert!(matches!(world::answer_to(&effects, id), Answer::Status(_)));
    world.tick(2 * 3_600);
    world.now -= 2 * 3_600;
    let answer = world::answer_to(&world.run(vec![event]), id);
    assert!(
        matches!(answer, Answer::Refused(Reason::StaleTime { .. })),
        "{answer:?}"
    );
    // What lives longer than the clock was ahead is served.
    world.now += 2 * 3_600;
    assert!(matches!(
        world.command(bobo.address(), Command::Status),
        Answer::Status(_)
    ));
}

#[test]
fn a_push_acknowledged_after_a_crash_is_credited_to_the_lane_that_carried_it() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    let relay = world.open_lane();
    let stream = world.listen_on(&bobo, 1, Mode::Each, Some(relay));
    world.mail(&bobo, b"arrives, and the node does not live to hear of it");
    assert!(
        stream.pushed.is_empty(),
        "it is pushed after the stream began"
    );
    let listen = 10 * u64::from(SMALL);
    assert_eq!(credited(&world), listen);
    world.restart();
    world.ack_through(&bobo, 1, 1);
    assert_eq!(credited(&world), listen + 10 * u64::from(LARGE));
}

#[test]
fn an_acknowledgement_in_the_batch_that_opens_a_stream_pays_for_no_push() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    world.mail(&bobo, b"received on a stream that fell");
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    world.hand(&mut stream, 1);
    world.close(&stream);
    let before = world.standing(&bobo).charged_pusd;
    let listen = Command::Listen(Listen {
        consumer: ConsumerId::new([1; 16]),
        mode: Mode::Each,
    });
    let ack = world.ack(1, Some(1), &[]);
    let events = [listen, ack].map(|command| {
        let request = world.request(None, SMALL);
        let command = world.verified(bobo.address(), command);
        Event::Command { request, command }
    });
    let effects = world.run(events.into());
    let pushed = effects.iter().find(|e| matches!(e, Effect::Push { .. }));
    assert!(pushed.is_none(), "{pushed:?}");
    let standing = world.standing(&bobo);
    let (listen, status) = (20 * u64::from(SMALL), 20 * u64::from(SMALL));
    assert_eq!(standing.charged_pusd, before + listen + status);
    assert_eq!(standing.waiting_packets, 0);
}

#[test]
fn a_stream_that_a_batch_ended_before_it_failed_is_closed() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    world.mail(&bobo, b"of which the disk loses a bit");
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    let wallet = bobo.address();
    let key = [wallet.as_slice(), &1_u64.to_be_bytes()].concat();
    assert!(world.node.store_mut().damage(Table::Bodies, &key));
    let listen = Command::Listen(Listen {
        consumer: ConsumerId::new([1; 16]),
        mode: Mode::Each,
    });
    let request = world.request(None, SMALL);
    let command = world.verified(wallet, listen);
    let batch = world.batch(vec![Event::Command { request, command }]);
    assert!(
        matches!(batch.error, Some(StoreError::Damaged { .. })),
        "{:?}",
        batch.error
    );
    stream.take(&batch.effects);
    assert!(stream.closed, "its device waits for a node that forgot it");
}
