//! What a tick does, each piece in a transaction of its own: the sweep is what makes room on a full
//! disk, so what fails of it must take nothing along.

use std::collections::BTreeSet;

use layer_minus_message::Answer;
use layer_minus_wallet::Address;

use crate::{
    config::{SWEEP_ROUNDS_MAX, SWEEP_ROWS_MAX},
    event::{ConnectionId, Effect},
    node::{Batch, Node},
    store::{Store, StoreError},
    tx::unheard,
};

impl<S: Store> Node<S> {
    /// Heartbeats, slow readers, frames to forget, what is due, what was collected. The first error is reported.
    pub(crate) fn tick(&mut self, batch: &mut Batch, now: u64) {
        self.tend_streams(batch, now);
        self.look_at_stopped(batch, now);
        self.sweep_seen(batch, now);
        self.sweep_due(batch, now);
        self.remove_collected(batch, now);
        // Streams whose end was not written down are over all the same.
        let leaving = std::mem::take(&mut self.live.leaving).into_iter();
        let close = |connection| Effect::Close { connection };
        batch.effects.extend(leaving.map(close));
        if now.saturating_sub(self.live.swept_at) >= 60 {
            self.live.swept_at = now;
            self.live
                .challenges
                .retain(|challenge| challenge.expires_at >= now);
        }
    }

    fn tend_streams(&mut self, batch: &mut Batch, now: u64) {
        let (heartbeat, slow) = (self.config.heartbeat_secs, self.config.slow_reader_secs);
        let mut stuck: Vec<(ConnectionId, Address)> = Vec::new();
        let mut paused: BTreeSet<Address> = BTreeSet::new();
        for (id, connection) in &mut self.live.connections {
            match &connection.in_flight {
                Some(push) if now.saturating_sub(push.since) > slow => {
                    stuck.push((*id, connection.client));
                }
                Some(_) => {}
                None if now.saturating_sub(connection.last_record_at) >= heartbeat => {
                    connection.last_record_at = now;
                    batch.effects.push(Effect::Control {
                        connection: *id,
                        answer: Box::new(Answer::Heartbeat { node_time: now }),
                    });
                    // What the operator grants is not told: whoever waits looks at each beat.
                    if connection.paused.is_some() {
                        paused.insert(connection.client);
                    }
                }
                None => {}
            }
        }
        for (id, client) in stuck {
            let ended = self.transact(now, |parts| unheard(parts.end_stream(id)));
            match ended {
                Ok((_, effects)) => batch.effects.extend(effects),
                Err(error) => {
                    // What memory and store disagree about now is this client's alone.
                    for connection in self.live.of_client(&client) {
                        self.live.remove(connection);
                    }
                    batch.error.get_or_insert(error);
                }
            }
        }
        for client in paused {
            let fed = self.transact(now, |parts| {
                parts.feed_later(client);
                Ok(())
            });
            match fed {
                Ok(((), effects)) => batch.effects.extend(effects),
                Err(error) => {
                    batch.error.get_or_insert(error);
                }
            }
        }
    }

    fn look_at_stopped(&mut self, batch: &mut Batch, now: u64) {
        if self.live.peers.values().all(|peer| !peer.stopped) {
            return;
        }
        let looked = self.transact(now, |parts| unheard(parts.look_at_stopped()));
        match looked {
            Ok((_, effects)) => batch.effects.extend(effects),
            Err(error) => {
                batch.error.get_or_insert(error);
            }
        }
    }

    fn sweep_seen(&mut self, batch: &mut Batch, now: u64) {
        for _ in 0..SWEEP_ROUNDS_MAX {
            match self.transact(now, |parts| parts.sweep_seen()) {
                Ok((true, _)) => {}
                Ok((false, _)) => break,
                Err(error) => {
                    batch.error.get_or_insert(error);
                    break;
                }
            }
        }
    }

    /// Goes on where acknowledgements left off.
    fn remove_collected(&mut self, batch: &mut Batch, now: u64) {
        for _ in 0..SWEEP_ROUNDS_MAX {
            let Some(client) = self.live.removing.pop_first() else {
                break;
            };
            let removed = self.transact(now, |parts| unheard(parts.remove_rest(&client)));
            match removed {
                Ok((_, effects)) => batch.effects.extend(effects),
                Err(error) => {
                    batch.error.get_or_insert(error);
                    break;
                }
            }
        }
    }

    fn sweep_due(&mut self, batch: &mut Batch, now: u64) {
        let mut from: Vec<u8> = Vec::new();
        let mut rows_max = SWEEP_ROWS_MAX;
        for _ in 0..SWEEP_ROUNDS_MAX {
            match self.transact(now, |parts| parts.sweep_due(&from, rows_max)) {
                Ok((next, effects)) => {
                    batch.effects.extend(effects);
                    match next {
                        Some(next) => from = next,
                        None => break,
                    }
                }
                // Less at a time needs less room.
                Err(StoreError::Full(_)) if rows_max > 1 => rows_max = 1,
                Err(error) => {
                    // A damaged row stays damaged and is passed over; anything else may pass.
                    let damaged = matches!(error, StoreError::Damaged { .. });
                    batch.error.get_or_insert(error);
                    if !(damaged && self.live.quarantine()) {
                        break;
                    }
                }
            }
        }
    }
}
