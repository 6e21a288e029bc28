//! One look at the deposits of channels: what they back is told to the node, what is claimed is marked.

use futures_util::future::join_all;
use layer_minus_client_sdk::money::format_usd;
use layer_minus_escrow::{Deposit, Views};
use layer_minus_message::channel::PUSD_PER_TOKEN_UNIT;
use layer_minus_node::admin::{self, Paper, SettleError};
use layer_minus_wallet::B256;
use serde_json::json;

use crate::{
    agent::{ASKED_AT_ONCE, Agent, now},
    books::{Entry, Walk},
    error::AgentError,
    tell::{Errors, Tell},
};

/// How it is looked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watching {
    /// Seconds between two looks.
    pub(crate) every: u64,
    /// Shortest withdraw delay of a channel that backs anything, seconds.
    pub(crate) min_delay: u64,
}

impl Watching {
    /// Whether a deposit on it is the node's to count on.
    fn backs(self, entry: &Entry, now: u64) -> bool {
        entry.paper == Paper::Client
            && entry.is_in_use(now)
            && entry.claim.channel.withdraw_delay_secs >= self.min_delay
    }

    /// Until when what is seen now is certain. Two of three looks may fail before the node stops
    /// counting on it; and it has stopped long before a withdrawal can be executed that was announced
    /// right after the look.
    fn certain_until(self, entry: &Entry, now: u64) -> u64 {
        let delay = entry.claim.channel.withdraw_delay_secs;
        now.saturating_add(self.every.saturating_mul(3).min(delay / 2))
    }
}

/// What one look came to.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// Channels that may back something.
    channels: u64,
    backed_units: u128,
    marked_units: u128,
    withdrawals: Vec<Announced>,
    errors: Errors,
}

/// A withdrawal that is announced: what is due is lost unless it is claimed before.
#[derive(Clone, Copy, Debug)]
struct Announced {
    channel: B256,
    matures_at: u64,
    due_units: u128,
}

impl Looked {
    /// Tells it. An error if anything went wrong.
    pub(crate) fn tell(self, tell: Tell) -> Result<(), AgentError> {
        tell.say(
            &format!(
                "{} channels backed with {} units in all, {} units marked as settled, \
                 {} withdrawals announced, {} errors",
                self.channels,
                self.backed_units,
                self.marked_units,
                self.withdrawals.len(),
                self.errors.count,
            ),
            &json!({
                "channels": self.channels,
                "backed_units": self.backed_units.to_string(),
                "marked_units": self.marked_units.to_string(),
                "withdrawals": self.withdrawals.len(),
                "errors": self.errors.count,
            }),
        );
        for announced in &self.withdrawals {
            announced.tell(tell);
        }
        self.errors.tell(tell);
        self.errors.result()
    }
}

impl Announced {
    fn tell(self, tell: Tell) {
        let due = format_usd(self.due_units * u128::from(PUSD_PER_TOKEN_UNIT));
        tell.say(
            &format!(
                "a withdrawal from channel {} is announced: claim {due} before unix time {}",
                self.channel, self.matures_at
            ),
            &json!({ "withdrawal": {
                "channel_id": self.channel.to_string(),
                "matures_at": self.matures_at.to_string(),
                "due_units": self.due_units.to_string(),
            }}),
        );
    }
}

impl Agent {
    /// Looks at every channel that clients use, and at others on which something is due. What is wrong
    /// with one of them does not keep it from the next.
    pub(crate) async fn look(&mut self, watching: Watching) -> Looked {
        let mut looked = Looked::default();
        if let Err(error) = self.look_at_all(watching, &mut looked).await {
            looked.errors.push(&error);
        }
        looked
    }

    async fn look_at_all(
        &mut self,
        watching: Watching,
        looked: &mut Looked,
    ) -> Result<(), AgentError> {
        self.awake().await?;
        let mut walk = Walk::new(self.chain);
        while let Some(page) = walk.next(&self.store) {
            let mut page = match page {
                Ok(page) => page,
                Err(error) => {
                    looked.errors.push(&AgentError::from(error));
                    continue;
                }
            };
            let now = now();
            page.retain(|entry| watching.backs(entry, now) || entry.is_due());
            for some in page.chunks(ASKED_AT_ONCE) {
                let asked = some
                    .iter()
                    .map(|entry| self.escrow.views(&entry.claim.channel));
                for (entry, views) in some.iter().zip(join_all(asked).await) {
                    let error = match views {
                        Ok(views) => {
                            self.seen(entry, &views, watching, looked);
                            continue;
                        }
                        Err(error) => error,
                    };
                    looked.errors.push(&on(entry, &error));
                    self.go_on(&error).await?;
                }
            }
        }
        Ok(())
    }

    fn seen(&mut self, entry: &Entry, views: &Views, watching: Watching, looked: &mut Looked) {
        let now = now();
        if watching.backs(entry, now) {
            looked.channels += 1;
            // Any announced withdrawal ends it, whenever it matures: what was reserved while the deposit
            // was there is delivered later, and is then to be claimed.
            let units = u64::try_from(views.limit_units(u64::MAX)).unwrap_or(u64::MAX);
            let until = watching.certain_until(entry, now);
            match self.back(entry, views, units, until, now) {
                Ok(()) => looked.backed_units += u128::from(units),
                Err(error) => looked.errors.push(&on(entry, &error)),
            }
        }
        if let Some(withdrawal) = views.latest.withdrawal
            && !entry.is_owed()
        {
            let Deposit {
                balance_units,
                claimed_units,
                ..
            } = views.latest;
            let covered = entry.owed_units().min(balance_units);
            looked.withdrawals.push(Announced {
                channel: entry.id.into(),
                matures_at: withdrawal.matures_at,
                due_units: covered.saturating_sub(claimed_units),
            });
        }
        match self.mark(entry, views.last_final.claimed_units, now) {
            Ok(added) => looked.marked_units += u128::from(added),
            Err(error) => looked.errors.push(&on(entry, &error)),
        }
    }

    /// Tells the node. Of a channel into which nobody ever paid there is nothing to tell.
    fn back(
        &mut self,
        entry: &Entry,
        views: &Views,
        units: u64,
        until: u64,
        now: u64,
    ) -> Result<(), AgentError> {
        let is_empty = views.latest == Deposit::default();
        if is_empty && !self.backed.contains(&entry.id) {
            return Ok(());
        }
        admin::back(&mut self.store, &entry.id, units, until, now)?;
        if is_empty {
            self.backed.remove(&entry.id);
        } else {
            self.backed.insert(entry.id);
        }
        Ok(())
    }

    /// Marks what is claimed for good. Returns what was added, token units.
    fn mark(&mut self, entry: &Entry, total_units: u128, now: u64) -> Result<u64, AgentError> {
        if total_units <= entry.claim.settled_units {
            return Ok(0);
        }
        let units = u64::try_from(total_units).unwrap_or(u64::MAX);
        let store = &mut self.store;
        match admin::settle(store, entry.paper, &entry.id, units, now) {
            // Claimed by an older copy of these books; the rest is earned again before it is marked.
            Err(SettleError::TooMuch { most, .. }) => {
                Ok(admin::settle(store, entry.paper, &entry.id, most, now)?)
            }
            settled => Ok(settled?),
        }
    }
}

/// An error on one channel.
fn on(entry: &Entry, error: &impl std::fmt::Display) -> String {
    format!("channel {}: {error}", B256::from(entry.id))
}
