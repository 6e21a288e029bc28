//! One round of claims: each as far as its deposit goes, and none in the way of another.

use std::{collections::BTreeSet, iter};

use futures_util::future::join_all;
use layer_minus_client_sdk::money::format_usd;
use layer_minus_escrow::{Batch, Deposit, Done, EscrowError, OnEscrow, Refusal};
use layer_minus_message::channel::PUSD_PER_TOKEN_UNIT;
use layer_minus_settlement::{Claim, Plan, Settlement as _, SettlementError};
use layer_minus_wallet::{Address, B256};
use serde_json::json;

use crate::{
    agent::{ASKED_AT_ONCE, Agent},
    books::{Entry, Walk},
    error::AgentError,
    tell::{Errors, TOLD_MAX, Tell},
};

/// What is claimed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claiming {
    /// Least increase of a channel, unless a withdrawal is announced on it.
    pub(crate) at_least_units: u64,
    /// Whether the receivers are paid.
    pub(crate) pay_out: bool,
}

/// What becomes of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is claimed: this much of it.
    Claim(Box<Claim>),
    /// It is not, and somebody should know.
    LeaveOut(Why),
    /// It is claimed once it has grown.
    Small,
    /// All of it is claimed, and not final yet.
    Claimed,
}

/// Why a channel is left out though something is due on it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Why {
    #[error(
        "it holds nothing more than was claimed: {} owed, {} deposited, {} claimed",
        usd(*.owed), usd(*.balance), usd(*.claimed)
    )]
    NotCovered {
        owed: u128,
        balance: u128,
        claimed: u128,
    },
    #[error(
        "paid in another way: {} marked as settled, {} claimed",
        usd(*.settled), usd(*.claimed)
    )]
    ByHand { settled: u128, claimed: u128 },
    #[error(transparent)]
    Paper(#[from] SettlementError),
    #[error("contract refuses: {0}")]
    Refused(#[from] Refusal),
}

/// How a round went.
struct Round {
    tell: Tell,
    errors: Errors,
    left_out: usize,
    small: usize,
    sent: usize,
    /// Who can be paid out.
    receivers: BTreeSet<Address>,
}

impl Round {
    fn new(tell: Tell, caller: Address) -> Self {
        Self {
            tell,
            errors: Errors::default(),
            left_out: 0,
            small: 0,
            sent: 0,
            receivers: iter::once(caller).collect(),
        }
    }

    fn sent(&mut self, done: &Done, channels: usize) {
        self.sent += 1;
        let what = match channels {
            0 => "transfer".to_owned(),
            _ => format!("{channels} channels"),
        };
        let transaction = done.transaction.to_string();
        self.tell.say(
            &format!("{transaction}: {what}, {} gas", done.gas_used),
            &json!({ "transaction": transaction, "channels": channels, "gas": done.gas_used }),
        );
    }

    fn leave_out(&mut self, channel: B256, why: &Why) {
        self.left_out += 1;
        if self.left_out > TOLD_MAX {
            return;
        }
        let (channel, why) = (channel.to_string(), why.to_string());
        self.tell.note(
            &format!("left out: channel {channel}: {why}"),
            &json!({ "left_out": { "channel_id": channel, "text": why } }),
        );
    }

    fn end(self) -> Result<(), AgentError> {
        if self.left_out > TOLD_MAX {
            let more = self.left_out - TOLD_MAX;
            self.tell.hint(&format!("left out: {more} more channels"));
        }
        if self.small > 0 {
            let text = format!("{} channels owe less than is claimed", self.small);
            self.tell.hint(&text);
        }
        if self.sent == 0 && self.errors.count == 0 {
            self.tell.hint("nothing is to be claimed on this contract");
        }
        self.errors.tell(self.tell);
        self.errors.result()
    }
}

impl Agent {
    /// Claims what is due, batch by batch. Doing it again claims nothing twice. What is wrong with one
    /// channel or one batch keeps no other from being claimed; an error then at the end.
    pub(crate) async fn claim(&self, claiming: Claiming, tell: Tell) -> Result<(), AgentError> {
        let mut round = Round::new(tell, self.caller);
        if let Err(error) = self.claim_all(claiming, &mut round).await {
            round.errors.push(&error);
        }
        if claiming.pay_out {
            self.pay_out(&mut round).await;
        }
        round.end()
    }

    async fn claim_all(&self, claiming: Claiming, round: &mut Round) -> Result<(), AgentError> {
        let claims = self.claims(claiming, round).await?;
        let settlement = OnEscrow {
            chain: self.chain,
            caller: self.caller,
        };
        let Plan { steps, left } = settlement.plan(&claims);
        for left in left {
            if let Ok(channel) = claims[left.index].channel_id() {
                round.leave_out(channel, &left.why.into());
            }
        }
        for step in steps {
            if let Err(error) = self.send(step.work, round).await {
                round.errors.push(&error);
            }
        }
        Ok(())
    }

    /// What can be claimed now, each as far as its channel covers it.
    async fn claims(
        &self,
        claiming: Claiming,
        round: &mut Round,
    ) -> Result<Vec<Claim>, AgentError> {
        let mut claims = Vec::new();
        let mut walk = Walk::new(self.chain);
        while let Some(page) = walk.next(&self.store) {
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    round.errors.push(&AgentError::from(error));
                    continue;
                }
            };
            let mine: Vec<Entry> = page
                .into_iter()
                .filter(|entry| entry.is_for(self.caller))
                .collect();
            let receivers = mine.iter().map(|entry| entry.claim.channel.receiver);
            round.receivers.extend(receivers);
            let due: Vec<Entry> = mine.into_iter().filter(Entry::is_due).collect();
            for some in due.chunks(ASKED_AT_ONCE) {
                let asked = some
                    .iter()
                    .map(|entry| self.escrow.latest(&entry.claim.channel));
                for (entry, held) in some.iter().zip(join_all(asked).await) {
                    let id = B256::from(entry.id);
                    match held.map(|held| judge(&entry.claim, &held, claiming.at_least_units)) {
                        Ok(Verdict::Claim(claim)) => claims.push(*claim),
                        Ok(Verdict::LeaveOut(why)) => round.leave_out(id, &why),
                        Ok(Verdict::Small) => round.small += 1,
                        Ok(Verdict::Claimed) => {}
                        Err(error) => {
                            round.errors.push(&format!("channel {id}: {error}"));
                            self.go_on(&error).await?;
                        }
                    }
                }
            }
        }
        Ok(claims)
    }

    /// Sends a batch. A channel that the contract refuses all the same is taken out, and the rest sent.
    async fn send(&self, mut batch: Batch, round: &mut Round) -> Result<(), EscrowError> {
        let mut failed = false;
        // Each turn ends it or makes it shorter, but one.
        while !batch.claims.is_empty() {
            match self.escrow.claim(&batch).await {
                Ok(done) => {
                    round.sent(&done, batch.claims.len());
                    return Ok(());
                }
                // Somebody sent the same before.
                Err(EscrowError::Refused(Refusal::NothingToClaim)) => return Ok(()),
                // A withdrawal came first in its block: the next trial says on which channel.
                Err(EscrowError::Failed(_)) if !failed => failed = true,
                Err(error) => match named(&error) {
                    Some((channel, refusal)) if batch.leave_out(channel) => {
                        round.leave_out(channel, &refusal.into());
                    }
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// Has all transferred that was claimed, now or earlier.
    async fn pay_out(&self, round: &mut Round) {
        for receiver in round.receivers.clone() {
            match self.escrow.settle(receiver, self.chain.token).await {
                Ok(done) => round.sent(&done, 0),
                Err(EscrowError::Refused(Refusal::NothingToSettle)) => {}
                Err(error) => round.errors.push(&error),
            }
        }
    }
}

/// The channel because of which a batch was refused.
fn named(error: &EscrowError) -> Option<(B256, Refusal)> {
    match error {
        EscrowError::Refused(refusal) => Some((refusal.of_channel()?, *refusal)),
        _ => None,
    }
}

/// What becomes of a claim on which something is due, when its channel holds this.
fn judge(claim: &Claim, held: &Deposit, at_least_units: u64) -> Verdict {
    let unit = u128::from(PUSD_PER_TOKEN_UNIT);
    let (owed, settled) = (claim.owed_pusd / unit, claim.settled_units);
    let (balance, claimed) = (held.balance_units, held.claimed_units);
    if settled > claimed {
        // A claim is for a total: what was paid between people would be taken once more.
        return Verdict::LeaveOut(Why::ByHand { settled, claimed });
    }
    if owed <= claimed {
        return Verdict::Claimed;
    }
    let covered = owed.min(balance);
    if covered <= claimed {
        return Verdict::LeaveOut(Why::NotCovered {
            owed,
            balance,
            claimed,
        });
    }
    // What is small when it can be taken back is lost.
    if covered - claimed < u128::from(at_least_units) && held.withdrawal.is_none() {
        return Verdict::Small;
    }
    Verdict::Claim(Box::new(Claim {
        owed_pusd: claim.owed_pusd.min(balance.saturating_mul(unit)),
        settled_units: claimed,
        ..claim.clone()
    }))
}

fn usd(units: u128) -> String {
    format_usd(units.saturating_mul(u128::from(PUSD_PER_TOKEN_UNIT)))
}
