//! The trait: from claims to work for the world outside, and what to note once that is done.

use std::collections::HashSet;

use alloy_primitives::B256;

use crate::{Claim, Due, Mark, SettlementError};

/// A way to settle claims.
///
/// An implementation decides and does no IO: it turns claims into steps. Whoever carries a step
/// out notes its marks ([`mark`](crate::mark)) when it is done for good: people paid, or the block
/// of a transaction is final. Until then the claims stay as they were, and the same steps come out
/// again; carrying one out twice must be harmless.
pub trait Settlement {
    /// What is to be carried out: a file to hand over, a transaction to send.
    type Work;

    /// Plans how to settle `claims`. Those that cannot be are left out, each with its reason; one
    /// bad claim does not hold up the others.
    fn plan(&self, claims: &[Claim]) -> Plan<Self::Work>;
}

/// Steps in the order of carrying them out. They do not depend on each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<W> {
    /// What to do.
    pub steps: Vec<Step<W>>,
    /// What is not settled by it.
    pub left: Vec<Left>,
}

/// One piece of work, done or not done as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<W> {
    /// What to carry out.
    pub work: W,
    /// What to note when it is done.
    pub marks: Vec<Mark>,
}

/// A claim that is not settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Where it stands in the claims that were given.
    pub index: usize,
    /// Why.
    pub why: SettlementError,
}

/// A claim that was checked: what an implementation works with.
#[derive(Clone, Copy, Debug)]
pub struct Checked<'a> {
    /// Where it stands in the claims that were given.
    pub index: usize,
    /// The claim.
    pub claim: &'a Claim,
    /// Its channel's id.
    pub channel_id: B256,
    /// What is due on it, at least one token unit.
    pub due: Due,
}

impl Checked<'_> {
    /// What to note once it is settled.
    #[must_use]
    pub const fn mark(&self) -> Mark {
        Mark {
            channel_id: self.channel_id,
            total_units: self.due.total_units,
        }
    }
}

/// Tells the claims that can be settled from those that cannot: signature, terms, amounts, and no
/// channel twice.
#[must_use]
pub fn check(claims: &[Claim]) -> (Vec<Checked<'_>>, Vec<Left>) {
    let mut seen = HashSet::with_capacity(claims.len());
    let (mut good, mut left) = (Vec::with_capacity(claims.len()), Vec::new());
    for (index, claim) in claims.iter().enumerate() {
        let checked = claim.channel_id().and_then(|channel_id| {
            if !seen.insert(channel_id) {
                return Err(SettlementError::Twice(channel_id));
            }
            let due = claim.due()?;
            claim.verify()?;
            Ok(Checked {
                index,
                claim,
                channel_id,
                due,
            })
        });
        match checked {
            Ok(checked) => good.push(checked),
            Err(why) => left.push(Left { index, why }),
        }
    }
    (good, left)
}
