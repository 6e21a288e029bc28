//! From claims to calls of the contract.

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256};
use layer_minus_message::Chain;
use layer_minus_settlement::{
    Checked, Claim, Left, Plan, Settlement, SettlementError, Step, check,
};
use layer_minus_wallet::{Address, Signature};

use crate::bindings::Escrow as Contract;

/// Most channels in one call: about 1.1 million gas, far below the limit of a transaction.
pub const BATCH_CHANNELS_MAX: usize = 100;

/// Settlement on an escrow contract, in the name of one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnEscrow {
    /// The contract, and the one token that counts: whoever pays names the token, and anybody can
    /// make one that is worth nothing.
    pub chain: Chain,
    /// Who sends the calls: the receiver of the claims, or its authorizer.
    pub caller: Address,
}

/// One call of `claim`: channels of one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The contract that it is for.
    pub contract: Address,
    /// Whom the claims are for.
    pub payee: Contract::Payee,
    /// The channels, at most [`BATCH_CHANNELS_MAX`].
    pub claims: Vec<Contract::Claim>,
}

impl Batch {
    /// Takes a channel out; false if it is not in there.
    pub fn leave_out(&mut self, channel_id: B256) -> bool {
        let before = self.claims.len();
        self.claims.retain(|row| row.channelId != channel_id);
        self.claims.len() < before
    }
}

impl Settlement for OnEscrow {
    type Work = Batch;

    /// Batches per receiver. Claims of another chain, contract, token or receiver are left.
    ///
    /// Whether the deposits suffice only the chain knows: a batch with a claim beyond its deposit
    /// is refused as a whole and names the channel ([`Refusal::of_channel`](crate::Refusal::of_channel)).
    /// So give claims that are capped at what the channels hold, and if one is refused all the same,
    /// [`leave it out`](Batch::leave_out) and send the rest.
    fn plan(&self, claims: &[Claim]) -> Plan<Batch> {
        let (good, mut left) = check(claims);
        let mut payees: BTreeMap<_, Vec<Checked<'_>>> = BTreeMap::new();
        for checked in good {
            match self.refuses(checked.claim) {
                Some(why) => left.push(Left {
                    index: checked.index,
                    why,
                }),
                None => payees.entry(key(checked.claim)).or_default().push(checked),
            }
        }
        left.sort_unstable_by_key(|left| left.index);
        let steps = payees
            .iter()
            .flat_map(|(&payee, claims)| {
                claims
                    .chunks(BATCH_CHANNELS_MAX)
                    .map(move |claims| self.step(payee, claims))
            })
            .collect();
        Plan { steps, left }
    }
}

/// Receiver, its authorizer.
type Payee = (Address, Address);

fn key(claim: &Claim) -> Payee {
    (claim.channel.receiver, claim.channel.receiver_authorizer)
}

impl OnEscrow {
    fn refuses(&self, claim: &Claim) -> Option<SettlementError> {
        let channel = &claim.channel;
        if channel.chain != self.chain {
            return Some(SettlementError::Elsewhere(channel.chain));
        }
        let receiver = channel.receiver;
        (self.caller != receiver && self.caller != channel.receiver_authorizer)
            .then_some(SettlementError::NotReceiver { receiver })
    }

    fn step(&self, payee: Payee, claims: &[Checked<'_>]) -> Step<Batch> {
        let (receiver, receiver_authorizer) = payee;
        Step {
            work: Batch {
                contract: self.chain.contract,
                payee: Contract::Payee {
                    receiver,
                    receiverAuthorizer: receiver_authorizer,
                    token: self.chain.token,
                },
                claims: claims.iter().map(row).collect(),
            },
            marks: claims.iter().map(Checked::mark).collect(),
        }
    }
}

fn row(checked: &Checked<'_>) -> Contract::Claim {
    let (r, vs) = compact(&checked.claim.signature);
    let maximum = U256::from(checked.claim.limit_units);
    Contract::Claim {
        channelId: checked.channel_id,
        maxAndTotal: maximum << 128 | U256::from(checked.due.total_units),
        r,
        vs,
    }
}

/// EIP-2098: the parity of `v` in the highest bit of `s`, which is free because `s` is low.
fn compact(signature: &Signature) -> (B256, B256) {
    let bytes = signature.as_bytes();
    let r = B256::from_slice(&bytes[..32]);
    let mut vs = B256::from_slice(&bytes[32..64]);
    if bytes[64] == 28 {
        vs.0[0] |= 0x80;
    }
    (r, vs)
}
