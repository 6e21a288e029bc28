//! Asking nodes for what they owe.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use layer_minus_message::{Answer, Command};
use layer_minus_wallet::Address;
use tokio::time::Instant;
use tracing::debug;

use crate::{Gateway, gateway::NextHop};

/// Nodes that were asked lately are remembered.
const ASKED_MAX: usize = 8_192;
/// Nodes that are asked in one round of housekeeping.
const COLLECTED_PER_ROUND: usize = 64;

/// When nodes were last asked.
#[derive(Debug, Default)]
pub(crate) struct Asked(Mutex<HashMap<Address, Instant>>);

impl Asked {
    /// Whether a node may be asked now; it is then taken as asked.
    fn take(&self, node: Address, pause: std::time::Duration) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if asked.len() >= ASKED_MAX {
            asked.retain(|_, at| now - *at < pause);
        }
        let ready = asked.get(&node).is_none_or(|at| now - *at >= pause) && asked.len() < ASKED_MAX;
        if ready {
            asked.insert(node, now);
        }
        ready
    }
}

impl Gateway {
    /// Whether a node pays for what it is forwarded. One that does not is asked to, and told that
    /// nothing is forwarded to it until it does.
    pub(crate) fn pays(self: &Arc<Self>, hop: &NextHop) -> bool {
        let Some(peer) = self.node.peer(&hop.node).filter(|peer| !peer.serves) else {
            return true;
        };
        debug!(next = %peer.node, "it owes too much");
        self.collect(hop.clone(), true);
        false
    }

    /// Asks every node that owes more than it should for a promise.
    pub(crate) fn collect_all(self: &Arc<Self>) {
        for peer in self
            .node
            .to_collect_from()
            .into_iter()
            .take(COLLECTED_PER_ROUND)
        {
            if let Some(hop) = self.hop_to(&peer.node) {
                self.collect(hop, !peer.serves);
            }
        }
    }

    fn collect(self: &Arc<Self>, hop: NextHop, stopped: bool) {
        if !self.asked.take(hop.node, self.limits.lane_pause) {
            return;
        }
        let gateway = Arc::clone(self);
        tokio::spawn(async move { gateway.collect_from(&hop, stopped).await });
    }

    async fn collect_from(self: &Arc<Self>, hop: &NextHop, stopped: bool) {
        let held = self.node.peer(&hop.node).and_then(|peer| peer.held);
        let answer = self.tell(hop, &Command::Collect { held, stopped }).await;
        let is_elsewhere = match answer {
            Ok(Answer::Lane(note)) => {
                let known = held.map(|held| held.channel);
                let promised = note.voucher.map(|voucher| voucher.channel);
                self.node.note(hop.node, note);
                promised.is_some() && promised != known
            }
            Ok(_) => {
                debug!(next = %hop.node, "it promised nothing");
                true
            }
            Err(error) => {
                debug!(next = %hop.node, kind = error.kind(), "it was not asked");
                false
            }
        };
        // Nothing is forwarded to it, so that nothing else would open the lane anew.
        if stopped && is_elsewhere {
            self.join_again(hop).await;
        }
    }

    /// A node lost its rows, or is paid on another channel, as with another cash wallet: what it says now is
    /// asked for, and a lane is opened on that.
    async fn join_again(self: &Arc<Self>, hop: &NextHop) {
        self.look_again(&hop.node).await;
        if let Some(hop) = self.hop_to(&hop.node) {
            self.lanes.close(&hop.node);
            self.lane_to(&hop, true).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_node_is_asked_once_in_a_while() {
        let asked = Asked::default();
        let (node, pause) = (Address::repeat_byte(1), Duration::from_secs(30));
        assert!(asked.take(node, pause));
        assert!(!asked.take(node, pause));
        assert!(asked.take(Address::repeat_byte(2), pause));
        tokio::time::advance(pause).await;
        assert!(asked.take(node, pause));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        let (asked, pause) = (Asked::default(), Duration::from_secs(30));
        let node = |number: usize| {
            let mut bytes = [0; 20];
            bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
            Address::from(bytes)
        };
        assert!((0..ASKED_MAX).all(|number| asked.take(node(number), pause)));
        assert!(!asked.take(node(ASKED_MAX), pause));
        tokio::time::advance(pause).await;
        assert!(asked.take(node(ASKED_MAX), pause));
        assert_eq!(asked.0.lock().unwrap().len(), 1);
    }
}
