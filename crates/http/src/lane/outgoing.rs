//! Lanes to next hops: opened when first needed, kept until shortly before they expire.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use layer_minus_message::{Answer, Command, LaneParty};
use layer_minus_node::{Event, LaneKey};
use layer_minus_wallet::Address;
use tokio::time::{Instant, timeout};
use tracing::debug;

use crate::{Gateway, clock, gateway::NextHop};

/// A lane is opened anew so long before it expires, seconds: what is on its way must arrive.
const RENEW_SECS: u64 = 300;
/// Next hops whose lanes are remembered.
const LANES_MAX: usize = 8_192;

/// A lane to a next hop.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) id: [u8; 16],
    pub(crate) key: LaneKey,
    expires_at: u64,
}

#[derive(Clone, Debug)]
enum State {
    /// Not tried, or to be tried again.
    Closed,
    Open(Lane),
    /// It opens none: go without until then.
    Paused(Instant),
}

impl State {
    /// The lane, if it is good for a while.
    fn open(&self, now: u64) -> Option<Lane> {
        match self {
            Self::Open(lane) if lane.expires_at > now.saturating_add(RENEW_SECS) => {
                Some(lane.clone())
            }
            _ => None,
        }
    }
}

/// One next hop; whoever holds the lock opens the lane, the others wait.
type Slot = Arc<tokio::sync::Mutex<State>>;

/// The lanes of a node.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Mutex<HashMap<Address, Slot>>);

impl Lanes {
    fn slot(&self, node: Address) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= LANES_MAX && !slots.contains_key(&node) {
            // Forgetting one costs a handshake.
            slots.clear();
        }
        Arc::clone(
            slots
                .entry(node)
                .or_insert_with(|| Arc::new(State::Closed.into())),
        )
    }

    /// The next hop does not know that lane: open another one before the next packet.
    pub(crate) fn forget(&self, node: &Address, lane: &[u8; 16]) {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever holds the lock is opening a new one already.
        if let Some(Ok(mut state)) = slots.get(node).map(|slot| slot.try_lock())
            && matches!(&*state, State::Open(open) if open.id == *lane)
        {
            *state = State::Closed;
        }
    }

    /// The next packet opens another lane.
    pub(crate) fn close(&self, node: &Address) {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Ok(mut state)) = slots.get(node).map(|slot| slot.try_lock()) {
            *state = State::Closed;
        }
    }

    pub(crate) fn remove_expired(&self, now: u64) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| match slot.try_lock().as_deref() {
            Ok(State::Open(lane)) => lane.expires_at > now,
            Ok(State::Paused(until)) => *until > Instant::now(),
            Ok(State::Closed) => false,
            Err(_) => true,
        });
    }
}

impl Gateway {
    /// The lane to a next hop: the one there is, or if `may_open` one that it opens in time.
    pub(crate) async fn lane_to(&self, hop: &NextHop, may_open: bool) -> Option<Lane> {
        let slot = self.lanes.slot(hop.node);
        if !may_open {
            return slot
                .try_lock()
                .ok()
                .and_then(|state| state.open(clock::now()));
        }
        let mut state = timeout(self.limits.lane_timeout, slot.lock()).await.ok()?;
        if let Some(lane) = state.open(clock::now()) {
            return Some(lane);
        }
        if matches!(&*state, State::Paused(until) if *until > Instant::now()) {
            return None;
        }
        let opened = timeout(self.limits.lane_timeout, self.open_lane(hop))
            .await
            .ok()
            .flatten();
        *state = match &opened {
            Some(lane) => State::Open(lane.clone()),
            None => State::Paused(Instant::now() + self.limits.lane_pause),
        };
        opened
    }

    async fn open_lane(&self, hop: &NextHop) -> Option<Lane> {
        let record = self.identity().record.signed.clone();
        let held = self.node.peer(&hop.node).and_then(|peer| peer.held);
        let answer = self.tell(hop, &Command::Lane { record, held }).await;
        match answer {
            Ok(Answer::LaneOpen {
                lane,
                key,
                expires_at,
                channel,
                note,
            }) => {
                debug!(next = %hop.node, "lane opened");
                self.node.tell(Event::LaneJoined {
                    peer: LaneParty {
                        node: hop.node,
                        cash: hop.cash,
                    },
                    channel: Box::new(channel),
                    note,
                });
                Some(Lane {
                    id: lane,
                    key,
                    expires_at,
                })
            }
            Ok(_) => {
                debug!(next = %hop.node, "lane refused");
                None
            }
            Err(error) => {
                debug!(next = %hop.node, kind = error.kind(), "no lane");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lane(id: u8, expires_at: u64) -> Lane {
        Lane {
            id: [id; 16],
            key: LaneKey([id; 32]),
            expires_at,
        }
    }

    fn put(lanes: &Lanes, node: u8, state: State) -> Address {
        let node = Address::repeat_byte(node);
        *lanes.slot(node).try_lock().unwrap() = state;
        node
    }

    #[test]
    fn a_lane_is_renewed_before_it_expires() {
        let state = State::Open(lane(1, 1_000));
        assert!(state.open(1_000 - RENEW_SECS - 1).is_some());
        assert!(state.open(1_000 - RENEW_SECS).is_none());
        assert!(State::Closed.open(0).is_none());
    }

    #[test]
    fn only_the_lane_that_was_not_known_is_forgotten() {
        let lanes = Lanes::default();
        let node = put(&lanes, 1, State::Open(lane(1, 1_000)));
        lanes.forget(&node, &[2; 16]);
        assert!(lanes.slot(node).try_lock().unwrap().open(0).is_some());
        lanes.forget(&Address::ZERO, &[1; 16]);
        lanes.forget(&node, &[1; 16]);
        assert!(lanes.slot(node).try_lock().unwrap().open(0).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_is_removed_and_the_rest_bounded() {
        let lanes = Lanes::default();
        let open = put(&lanes, 1, State::Open(lane(1, 1_000)));
        put(&lanes, 2, State::Open(lane(2, 10)));
        put(&lanes, 3, State::Closed);
        put(
            &lanes,
            4,
            State::Paused(Instant::now() + Duration::from_secs(5)),
        );
        tokio::time::advance(Duration::from_secs(6)).await;
        let count = || lanes.0.lock().unwrap().len();
        lanes.remove_expired(500);
        assert_eq!(count(), 1);
        assert!(lanes.slot(open).try_lock().unwrap().open(500).is_some());
        for number in 0..2 * LANES_MAX {
            let mut bytes = [0xaa; 20];
            bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
            lanes.slot(Address::from(bytes));
            assert!(count() <= LANES_MAX);
        }
    }
}
