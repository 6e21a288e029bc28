//! What was accepted arrives: once, in order, whatever falls in between.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use layer_minus_delivery::{ConsumerId, Mode};
use layer_minus_message::{Answer, Command, Listen, Reason, letter::sha256};
use layer_minus_node::{Effect, Event, NodeConfig, StoreError, Table, admin};
use world::{DOLLAR_UNITS, LARGE, NETWORK, SMALL, World};

fn world() -> World {
    World::new(NodeConfig::default())
}

#[test]
fn mail_for_a_listener_is_pushed_after_it_was_answered() {
    let mut world = world();
    let bobo = world.client();
    let stream = world.listen(&bobo, 1, Mode::Each);
    let (answer, effects) = world.mail_effects(&bobo, b"Hello Bobo", LARGE);
    let Answer::Accepted(acceptance) = answer else {
        panic!("{answer:?}")
    };
    let node = world.keys.wallet.address();
    let body = acceptance.verify(NETWORK, node, world.now).unwrap();
    assert_eq!(body.digest, sha256(b"Hello Bobo"));
    let [
        Effect::Answer { .. },
        Effect::Push {
            connection,
            packet,
            size_bytes,
        },
    ] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!((*connection, *size_bytes), (stream.id, LARGE));
    assert_eq!(packet.message, b"Hello Bobo"[..]);
}

#[test]
fn mail_waits_is_collected_in_order_and_is_gone_when_acknowledged() {
    let mut world = world();
    let bobo = world.client();
    for text in ["one", "two", "three"] {
        world.mail(&bobo, text.as_bytes());
    }
    world.restart();
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    for seq in 1..=3 {
        world.hand(&mut stream, seq);
    }
    let texts: Vec<_> = stream
        .pushed
        .iter()
        .map(|(_, message)| message.clone())
        .collect();
    assert_eq!(texts, [&b"one"[..], b"two", b"three"]);
    assert_eq!(
        world.standing(&bobo).waiting_packets,
        3,
        "nothing leaves unacknowledged"
    );
    world.ack_through(&bobo, 1, 3);
    let rows = |table| {
        let store = world.node.store();
        layer_minus_node::Store::scan(store, table, &[], &[0xff; 40], 10)
            .unwrap()
            .len()
    };
    assert_eq!((rows(Table::Packets), rows(Table::Bodies)), (0, 0));
}

#[test]
fn a_stream_that_falls_resumes_after_the_last_acknowledgement() {
    let mut world = world();
    let bobo = world.client();
    for text in ["one", "two", "three"] {
        world.mail(&bobo, text.as_bytes());
    }
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    world.hand(&mut stream, 1);
    world.hand(&mut stream, 2);
    world.ack_through(&bobo, 1, 1);
    world.close(&stream);
    let stream = world.listen(&bobo, 1, Mode::Each);
    assert_eq!(stream.pushed[0].0, 2);
}

#[test]
fn a_device_that_comes_back_replaces_its_old_stream() {
    let mut world = world();
    let bobo = world.client();
    let mut old = world.listen(&bobo, 1, Mode::Each);
    let listen = layer_minus_message::Command::Listen(layer_minus_message::Listen {
        consumer: layer_minus_delivery::ConsumerId::new([1; 16]),
        mode: Mode::Each,
    });
    let (_, effects) = world.command_on(bobo.address(), listen, None);
    old.take(&effects);
    assert!(old.closed);
    assert_eq!(world.standing(&bobo).connections, 1);
}

#[test]
fn the_same_message_again_gets_the_same_acceptance_and_is_not_charged() {
    let mut world = world();
    let bobo = world.client();
    let first = world.mail(&bobo, b"one");
    let before = admin::totals(world.node.store()).unwrap();
    world.restart();
    world.now += 60;
    assert_eq!(world.mail(&bobo, b"one"), first);
    assert_eq!(admin::totals(world.node.store()).unwrap(), before);
}

#[test]
fn a_shared_consumer_gives_each_packet_to_one_stream_and_takes_it_back() {
    let mut world = world();
    let server = world.client();
    let mut left = world.listen(&server, 1, Mode::Share);
    let mut right = world.listen(&server, 1, Mode::Share);
    for text in ["one", "two"] {
        let (_, effects) = world.mail_effects(&server, text.as_bytes(), LARGE);
        left.take(&effects);
        right.take(&effects);
    }
    assert_eq!((left.pushed.len(), right.pushed.len()), (1, 1));
    let (in_left, in_right) = (left.pushed[0].0, right.pushed[0].0);
    assert_ne!(in_left, in_right);
    world.hand(&mut right, in_right);
    // The left stream falls: its packet goes to the right one.
    let effects = world.close(&left);
    right.take(&effects);
    assert_eq!(right.pushed.last().map(|(seq, _)| *seq), Some(in_left));
    world.hand(&mut right, in_left);
    let ack = world.ack(1, None, &[in_left, in_right]);
    assert_eq!(world.command(server.address(), ack), Answer::Acknowledged);
    assert_eq!(world.standing(&server).waiting_packets, 0);
}

#[test]
fn a_shared_consumer_feeds_the_least_busy_stream_and_never_more_than_its_window() {
    let mut world = world();
    let server = world.client();
    let mut left = world.listen(&server, 1, Mode::Share);
    let mut right = world.listen(&server, 1, Mode::Share);
    for number in 0_u32..40 {
        let (_, effects) = world.mail_effects(&server, &number.to_be_bytes(), SMALL);
        left.take(&effects);
        right.take(&effects);
        for stream in [&mut left, &mut right] {
            if let Some((seq, _)) = stream.pushed.last().cloned() {
                world.hand(stream, seq);
            }
        }
    }
    assert_eq!((left.pushed.len(), right.pushed.len()), (16, 16));
    let done: Vec<u64> = left.pushed.iter().map(|(seq, _)| *seq).collect();
    let ack = world.ack(1, None, &done);
    let (_, effects) = world.command_on(server.address(), ack, None);
    left.take(&effects);
    assert_eq!(left.pushed.len(), 17);
}

#[test]
fn what_is_dropped_is_told_as_a_gap() {
    let mut world = World::new(NodeConfig {
        retention_secs: 3_600,
        ..NodeConfig::default()
    });
    let bobo = world.client();
    world.mail(&bobo, b"one");
    world.now += 1_800;
    world.mail(&bobo, b"two");
    world.tick(1_801);
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    assert!(
        stream.control.contains(&Answer::Gap {
            from: 1,
            through: 1
        }),
        "{stream:?}"
    );
    assert_eq!(stream.pushed[0].0, 2);
    world.hand(&mut stream, 2);
    world.ack_through(&bobo, 1, 2);
    let stream = world.listen(&bobo, 1, Mode::Each);
    let told = stream
        .control
        .iter()
        .any(|answer| matches!(answer, Answer::Gap { .. }));
    assert!(!told, "a gap that was acknowledged is not told again");
}

#[test]
fn a_full_mailbox_and_a_strangers_quota_refuse_with_their_reasons() {
    let config = NodeConfig {
        mailbox_bytes_max: 3 * u64::from(LARGE),
        ..NodeConfig::default()
    };
    let mut world = World::new(config);
    let bobo = world.client();
    let stranger = |world: &mut World, text: &[u8]| {
        let (id, mut event) = world.mail_event(&bobo, text, LARGE);
        if let Event::Mail { inbox, .. } = &mut event {
            *inbox = None;
        }
        let effects = world.run(vec![event]);
        world::answer_to(&effects, id)
    };
    assert!(matches!(stranger(&mut world, b"1"), Answer::Accepted(_)));
    assert!(matches!(stranger(&mut world, b"2"), Answer::Accepted(_)));
    assert_eq!(
        stranger(&mut world, b"3"),
        Answer::Refused(Reason::StrangersQuota)
    );
    world.mail(&bobo, b"from a friend");
    assert_eq!(world.refused(&bobo, b"one too many"), Reason::MailboxFull);
    // The quota is a day's.
    world.ack_through_everything(&bobo);
    world.now += 24 * 3_600;
    assert!(matches!(stranger(&mut world, b"3"), Answer::Accepted(_)));
}

#[test]
fn a_slow_reader_is_dropped_and_loses_nothing() {
    let mut world = world();
    let bobo = world.client();
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    let (_, effects) = world.mail_effects(&bobo, b"one", LARGE);
    stream.take(&effects);
    let effects = world.tick(61);
    stream.take(&effects);
    assert!(stream.closed);
    let mut again = world.listen(&bobo, 1, Mode::Each);
    assert_eq!(again.pushed[0].0, 1);
    // One to whom a little goes out now and then keeps its stream.
    for _ in 0..5 {
        let connection = again.id;
        world.run(vec![Event::Moving { connection }]);
        let effects = world.tick(60);
        again.take(&effects);
    }
    assert!(!again.closed);
}

#[test]
fn idle_streams_have_a_heartbeat() {
    let mut world = world();
    let bobo = world.client();
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    let effects = world.tick(20);
    stream.take(&effects);
    let beat = Answer::Heartbeat {
        node_time: world.now,
    };
    assert!(stream.control.contains(&beat), "{stream:?}");
}

#[test]
fn a_full_disk_refuses_and_keeps_what_was_accepted() {
    let mut world = world();
    let bobo = world.client();
    world.mail(&bobo, b"one");
    world.node.store_mut().set_capacity(Some(0));
    let (id, event) = world.mail_event(&bobo, b"two", LARGE);
    let batch = world.batch(vec![event]);
    assert!(matches!(batch.error, Some(StoreError::Full(_))));
    assert_eq!(
        world::answer_to(&batch.effects, id),
        Answer::Refused(Reason::Unavailable)
    );
    world.check();
    // The same mail again, when there is room.
    world.node.store_mut().set_capacity(None);
    world.mail(&bobo, b"two");
    let stream = world.listen(&bobo, 1, Mode::Each);
    assert_eq!(stream.pushed[0].1, b"one"[..]);
    assert_eq!(world.standing(&bobo).waiting_packets, 2);
}

#[test]
fn nothing_is_let_out_of_a_batch_that_was_not_kept() {
    let mut world = world();
    let bobo = world.client();
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    world
        .node
        .store_mut()
        .fail_next_commit(StoreError::Failed("pulled the plug".to_owned()));
    let (_, event) = world.mail_event(&bobo, b"one", SMALL);
    let batch = world.batch(vec![event]);
    stream.take(&batch.effects);
    assert!(
        stream.pushed.is_empty() && stream.closed,
        "{:?}",
        batch.effects
    );
}

#[test]
fn a_damaged_row_is_never_served_and_harms_nobody_else() {
    let mut world = world();
    let (bobo, peter) = (world.client(), world.client());
    let key = bobo.address();
    world
        .node
        .store_mut()
        .damage(Table::Mailboxes, key.as_slice());
    let (to_bobo, first) = world.mail_event(&bobo, b"one", SMALL);
    let (to_peter, second) = world.mail_event(&peter, b"two", SMALL);
    let batch = world.batch(vec![first, second]);
    assert!(matches!(batch.error, Some(StoreError::Damaged { .. })));
    let bobos = world::answer_to(&batch.effects, to_bobo);
    assert_eq!(bobos, Answer::Refused(Reason::Unavailable));
    let peters = world::answer_to(&batch.effects, to_peter);
    assert!(matches!(peters, Answer::Accepted(_)), "{peters:?}");
}

#[test]
fn acknowledging_what_was_never_sent_is_refused() {
    let mut world = world();
    let bobo = world.client();
    world.listen(&bobo, 1, Mode::Each);
    world.mail(&bobo, b"one");
    let effects = world.ack_through(&bobo, 1, 2);
    let refused = effects.iter().any(|effect| {
        matches!(effect, Effect::Answer { answer, .. } if matches!(**answer, Answer::Refused(_)))
    });
    assert!(refused, "{effects:?}");
    assert_eq!(world.standing(&bobo).waiting_packets, 1);
}

#[test]
fn the_operators_limits_of_today_count_for_clients_of_yesterday() {
    let mut world = World::new(NodeConfig {
        mailbox_bytes_max: u64::from(LARGE),
        ..NodeConfig::default()
    });
    let bobo = world.client();
    world.mail(&bobo, b"one");
    assert_eq!(world.refused(&bobo, b"two"), Reason::MailboxFull);

    world.config.mailbox_bytes_max = 3 * u64::from(LARGE);
    world.config.strangers_bytes_per_day_max = 0;
    world.restart();
    world.mail(&bobo, b"two");
    assert_eq!(
        world.standing(&bobo).mailbox_bytes_max,
        3 * u64::from(LARGE)
    );
    let (id, event) = world.mail_event(&bobo, b"three", SMALL);
    let Event::Mail {
        request,
        recipient,
        message,
        ..
    } = event
    else {
        unreachable!()
    };
    let event = Event::Mail {
        request,
        recipient,
        message,
        inbox: None,
    };
    let effects = world.run(vec![event]);
    let refused = Answer::Refused(Reason::StrangersQuota);
    assert_eq!(world::answer_to(&effects, id), refused);
}

#[test]
fn mail_of_before_the_authorizations_end_is_collected_after_its_renewal() {
    let mut world = world();
    let bobo = world.client();
    // One device is behind with the first of two packets; the other had both.
    let mut behind = world.listen(&bobo, 1, Mode::Each);
    let mut ahead = world.listen(&bobo, 2, Mode::Each);
    world.now += 90 * 24 * 3_600 - 30;
    for text in [b"one", b"two"] {
        let (_, effects) = world.mail_effects(&bobo, text, SMALL);
        behind.take(&effects);
        ahead.take(&effects);
    }
    world.hand(&mut ahead, 1);
    world.hand(&mut ahead, 2);
    assert_eq!((behind.pushed.len(), ahead.pushed.len()), (1, 2));

    world.now += 31;
    assert_eq!(world.refused(&bobo, b"three"), Reason::RecipientCannotPay);
    let listen = Command::Listen(Listen {
        consumer: ConsumerId::new([1; 16]),
        mode: Mode::Each,
    });
    let refused = Answer::Refused(Reason::AuthorizationExpired);
    assert_eq!(world.command(bobo.address(), listen), refused);
    // The second push of a packet would be a new charge.
    world.hand(&mut behind, 1);
    let paused = Answer::Paused(Reason::AuthorizationExpired);
    assert_eq!(behind.control.last(), Some(&paused));

    let renewed = world.authorization(&bobo.wallet, &bobo.cash, DOLLAR_UNITS);
    let authorize = Command::Authorize(Box::new(renewed));
    let (_, effects) = world.command_on(bobo.address(), authorize, None);
    behind.take(&effects);
    world.hand(&mut behind, 2);
    assert_eq!(behind.pushed.last().unwrap().1, b"two"[..]);
    world.ack_through(&bobo, 1, 2);
    world.ack_through(&bobo, 2, 2);
    assert_eq!(world.standing(&bobo).waiting_packets, 0);
    world.mail(&bobo, b"three");
}

#[test]
fn what_one_acknowledgement_does_not_remove_the_next_tick_does() {
    let mut world = world();
    let bobo = world.client();
    let mut stream = world.listen(&bobo, 1, Mode::Each);
    for number in 0..20_u64 {
        let (_, effects) = world.mail_effects(&bobo, &number.to_be_bytes(), LARGE);
        stream.take(&effects);
        world.hand(&mut stream, number + 1);
    }
    assert_eq!(stream.pushed.len(), 20);
    world.ack_through(&bobo, 1, 20);
    // Of 20 MB no more than fits one transaction.
    assert_eq!(world.node.store().rows(Table::Bodies), 12);
    assert_eq!(world.standing(&bobo).waiting_packets, 12);
    world.tick(1);
    assert_eq!(world.node.store().rows(Table::Bodies), 0);
    assert_eq!(world.standing(&bobo).waiting_packets, 0);
}
