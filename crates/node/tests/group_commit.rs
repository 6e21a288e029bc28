//! Many events, one transaction: what a disk is waited for once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use layer_minus_message::Answer;
use layer_minus_node::{Effect, NodeConfig, StoreError, config::BATCH_EVENTS_MAX};
use world::{SMALL, World};

#[test]
fn a_batch_of_mail_is_one_commit() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    let events: Vec<_> = (0..BATCH_EVENTS_MAX)
        .map(|number| {
            let text = format!("letter {number}");
            world.mail_event(&bobo, text.as_bytes(), SMALL).1
        })
        .collect();
    let before = world.node.store().commits();
    let effects = world.run(events);
    assert_eq!(world.node.store().commits() - before, 1);
    let accepted = effects.iter().filter(|effect| {
        matches!(effect, Effect::Answer { answer, .. } if matches!(**answer, Answer::Accepted(_)))
    });
    assert_eq!(accepted.count(), BATCH_EVENTS_MAX);
}

#[test]
fn a_batch_that_is_not_committed_accepted_nothing() {
    let mut world = World::new(NodeConfig::default());
    let bobo = world.client();
    let events: Vec<_> = (0..10)
        .map(|number: u32| world.mail_event(&bobo, &number.to_be_bytes(), SMALL).1)
        .collect();
    let failure = StoreError::Failed("the disk is gone".to_owned());
    world.node.store_mut().fail_next_commit(failure);
    let batch = world.batch(events);
    assert!(batch.error.is_some());
    let accepted = batch.effects.iter().any(|effect| {
        matches!(effect, Effect::Answer { answer, .. } if matches!(**answer, Answer::Accepted(_)))
    });
    assert!(!accepted, "{:?}", batch.effects);
}
