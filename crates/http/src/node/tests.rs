//! The thread with something simple in the place of the node.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
    time::Duration,
};

use layer_minus_message::{Answer, Reason};
use layer_minus_node::{
    Batch, ConnectionId, Effect, Event, Lane, LaneKey, PeerState, Request, RequestId,
};
use layer_minus_wallet::Address;

use super::{
    Outcome, StreamItem,
    thread::{Brain, spawn_brain},
};
use crate::clock;

/// What it does depends on the size that a request claims.
#[derive(Clone, Default)]
struct Simple {
    seen: Arc<Mutex<Vec<Event>>>,
    recovered: bool,
}

const PANIC: u32 = 1;
const SILENCE: u32 = 2;
const STREAM: u32 = 3;
const FLOOD: u32 = 4;
const LANE: u32 = 5;
const ANSWER: u32 = 6;

fn control() -> Answer {
    Answer::Heartbeat { node_time: 7 }
}

impl Simple {
    fn effects(event: &Event, effects: &mut Vec<Effect>) {
        let Event::See { request } = event else {
            return;
        };
        let (id, connection) = (request.id, ConnectionId(request.id.0));
        let stream = |first| Effect::Stream {
            request: id,
            connection,
            first,
        };
        match request.size_bytes {
            PANIC => panic!("told to"),
            SILENCE => {}
            STREAM => {
                effects.push(stream(vec![control(); 100]));
                effects.push(Effect::Close { connection });
            }
            FLOOD => {
                effects.push(stream(vec![]));
                for _ in 0..1_000 {
                    let answer = Box::new(control());
                    effects.push(Effect::Control { connection, answer });
                }
            }
            LANE => {
                effects.push(Effect::LaneOpened {
                    lane: [1; 16],
                    node: Address::repeat_byte(8),
                    key: LaneKey([2; 32]),
                    expires_at: clock::now() + 100,
                });
                effects.push(Effect::Fresh { request: id });
            }
            ANSWER => {
                let answer = Box::new(Answer::Refused(Reason::NoRoute));
                effects.push(Effect::Answer {
                    request: id,
                    answer,
                    note: None,
                });
            }
            _ => effects.push(Effect::Fresh { request: id }),
        }
    }

    fn saw(&self, what: impl Fn(&Event) -> bool) -> bool {
        self.seen.lock().unwrap().iter().any(what)
    }

    async fn sees(&self, what: impl Fn(&Event) -> bool) {
        for _ in 0..500 {
            if self.saw(&what) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not seen within 5 s");
    }
}

impl Brain for Simple {
    fn batch(&mut self, events: Vec<Event>, _now: u64) -> Batch {
        let mut effects = Vec::new();
        self.seen
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .extend(events.iter().cloned());
        events
            .iter()
            .for_each(|event| Self::effects(event, &mut effects));
        Batch {
            effects,
            error: None,
        }
    }

    fn recover(&mut self) {
        self.recovered = true;
    }

    fn lanes(&self, now: u64) -> Vec<Lane> {
        let lane = |id, expires_at| Lane {
            id: [id; 16],
            node: Address::repeat_byte(id),
            key: LaneKey([9; 32]),
            expires_at,
        };
        vec![lane(8, now + 100), lane(9, now - 1)]
    }

    fn peers(&self) -> Vec<PeerState> {
        Vec::new()
    }
}

fn see(size_bytes: u32) -> impl FnOnce(RequestId) -> Event {
    move |id| Event::See {
        request: Request {
            id,
            lane: None,
            marks: Vec::new(),
            size_bytes,
        },
    }
}

#[tokio::test]
async fn everybody_gets_his_own_outcome() {
    let (handle, thread) = spawn_brain(Simple::default());
    for _ in 0..300 {
        let (fresh, answer, silent) = tokio::join!(
            handle.ask(see(0)),
            handle.ask(see(ANSWER)),
            handle.ask(see(SILENCE))
        );
        assert!(matches!(fresh, Some(Outcome::Fresh)));
        assert!(matches!(answer, Some(Outcome::Answer(..))));
        assert!(silent.is_none(), "nobody waits forever");
    }
    handle.stop();
    thread.join().unwrap();
    assert!(handle.ask(see(0)).await.is_none());
}

#[tokio::test]
async fn a_request_that_makes_the_node_panic_stops_nobody_else() {
    let (handle, thread) = spawn_brain(Simple::default());
    assert!(handle.ask(see(PANIC)).await.is_none());
    assert!(matches!(handle.ask(see(0)).await, Some(Outcome::Fresh)));
    drop(handle);
    assert!(
        thread.join().unwrap().recovered,
        "the last handle ends the thread"
    );
}

#[tokio::test]
async fn time_passes_without_events() {
    let brain = Simple::default();
    let (_handle, _thread) = spawn_brain(brain.clone());
    brain.sees(|event| matches!(event, Event::Tick)).await;
}

#[tokio::test]
async fn a_stream_gives_all_its_first_records_and_ends_when_the_node_closes_it() {
    let brain = Simple::default();
    let (handle, _thread) = spawn_brain(brain.clone());
    let Some(Outcome::Stream(mut queue)) = handle.ask(see(STREAM)).await else {
        panic!()
    };
    for _ in 0..100 {
        let item = poll_fn(|cx| queue.poll_item(cx)).await;
        assert!(matches!(item, Some(StreamItem::Control(_))));
    }
    assert!(poll_fn(|cx| queue.poll_item(cx)).await.is_none());
    queue.handed(5);
    drop(queue);
    brain
        .sees(|event| matches!(event, Event::Handed { seq: 5, .. }))
        .await;
    brain
        .sees(|event| matches!(event, Event::Closed { .. }))
        .await;
}

#[tokio::test]
async fn a_stream_that_nobody_reads_ends() {
    let (handle, _thread) = spawn_brain(Simple::default());
    let Some(Outcome::Stream(mut queue)) = handle.ask(see(FLOOD)).await else {
        panic!()
    };
    std::thread::sleep(Duration::from_millis(200));
    let mut count = 0;
    while poll_fn(|cx| queue.poll_item(cx)).await.is_some() {
        count += 1;
    }
    assert!(
        (1..100).contains(&count),
        "{count} items of 1000 were queued"
    );
}

#[tokio::test]
async fn a_stream_whose_client_left_before_it_began_is_closed() {
    let brain = Simple::default();
    let (handle, _thread) = spawn_brain(brain.clone());
    // Polled once, so that it was told, and then dropped like a request whose client left.
    let mut asking = Box::pin(handle.ask(see(STREAM)));
    let polled = futures_util::poll!(asking.as_mut());
    drop(asking);
    drop(polled);
    brain
        .sees(|event| matches!(event, Event::Closed { .. }))
        .await;
}

#[tokio::test]
async fn lanes_are_known_from_before_and_before_their_answer() {
    let (handle, _thread) = spawn_brain(Simple::default());
    let now = clock::now();
    assert_eq!(handle.lane(&[8; 16], now).unwrap().key, LaneKey([9; 32]));
    assert!(handle.lane(&[9; 16], now).is_none(), "expired");
    assert!(matches!(handle.ask(see(LANE)).await, Some(Outcome::Fresh)));
    assert_eq!(handle.lane(&[1; 16], now).unwrap().key, LaneKey([2; 32]));
    assert!(handle.lane(&[1; 16], now + 1_000).is_none());
    assert!(
        handle.lane(&[8; 16], now).is_none(),
        "the same node opened a newer one"
    );
}
