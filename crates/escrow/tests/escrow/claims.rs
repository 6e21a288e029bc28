//! Deposits, claims, and what is refused.

use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, U256};
use layer_minus_escrow::{Batch, Deposit, EscrowError, Refusal};
use layer_minus_message::Chain;
use layer_minus_settlement::{Claim, ClaimState, Settlement, SettlementError, mark};
use layer_minus_wallet::Wallet;

use crate::world::{World, refusal};

impl World {
    /// The one batch that comes out of these claims.
    pub(crate) fn batch(&self, claims: &[Claim]) -> Batch {
        let plan = self.settlement().plan(claims);
        assert_eq!(plan.left, []);
        let [step] = &plan.steps[..] else {
            panic!("{} batches", plan.steps.len())
        };
        step.work.clone()
    }

    pub(crate) async fn held(&self, claim: &Claim) -> Deposit {
        let latest = BlockId::latest();
        self.receiver
            .deposit_at(&claim.channel, latest)
            .await
            .unwrap()
    }
}

/// The whole way of the money: two authorizations are backed, deducted from, claimed in one call,
/// paid in one transfer, marked in the books, raised and claimed again.
#[tokio::test]
async fn from_deposits_to_payment() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let papers = [world.authorize(5_000), world.authorize(3_000)];
    for (paper, units) in papers.iter().zip([4_000, 3_000]) {
        let channel = world.channel(paper);
        world.payer.deposit(&channel, units).await.unwrap();
        // A second deposit adds to the first.
        world.payer.deposit(&channel, 1).await.unwrap();
    }
    let mut claims = [world.claim(&papers[0], 1_500), world.claim(&papers[1], 700)];
    let plan = world.settlement().plan(&claims);
    let step = &plan.steps[0];
    world.receiver.claim(&step.work).await.unwrap();
    assert_eq!(
        world.held(&claims[0]).await,
        Deposit {
            balance_units: 4_001,
            claimed_units: 1_500,
            withdrawal: None
        }
    );
    let (node, token) = (world.node.address(), world.chain.token);
    assert_eq!(world.balance(node).await, 0);
    // Anybody may have it paid out, to nobody but the receiver.
    world.payer.settle(node, token).await.unwrap();
    assert_eq!(world.balance(node).await, 1_500 + 700);
    let again = world.receiver.settle(node, token).await;
    assert_eq!(refusal(again), Refusal::NothingToSettle);

    // The books follow the chain once it is final.
    let for_good = world.receiver.settled(&claims[0].channel).await.unwrap();
    assert_eq!(for_good.total_units, 0);
    world.mine(100).await;
    for claim in &mut claims {
        let settled = world.receiver.settled(&claim.channel).await.unwrap();
        assert!(step.marks.contains(&settled));
        let changes = mark(std::slice::from_ref(claim), &[settled]).unwrap();
        claim.settled_units = changes[0].to_units;
        assert_eq!(claim.state(), Ok(ClaimState::Settled { remainder_pusd: 0 }));
    }

    // The same channel, a higher limit, more earned: only the increase moves.
    let mut raised = papers[0].clone();
    raised.resign(&world.cash, world.bobo, 9_000).unwrap();
    let claim = Claim::of_authorization(&raised, world.bobo, 4_001_999_999, 1_500);
    let batch = world.batch(&[claim]);
    world.receiver.claim(&batch).await.unwrap();
    world.receiver.settle(node, token).await.unwrap();
    assert_eq!(world.balance(node).await, 4_001 + 700);
}

#[tokio::test]
async fn a_replay_claims_nothing() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let papers = [world.authorize(1_000), world.authorize(1_000)];
    for paper in &papers {
        let channel = world.channel(paper);
        world.payer.deposit(&channel, 1_000).await.unwrap();
    }
    let first = world.claim(&papers[0], 600);
    let batch = world.batch(std::slice::from_ref(&first));
    world.receiver.claim(&batch).await.unwrap();
    let replay = world.receiver.claim(&batch).await;
    assert_eq!(refusal(replay), Refusal::NothingToClaim);
    // A lower total than what was claimed is no way back.
    let lower = world.batch(&[world.claim(&papers[0], 500)]);
    let lower = world.receiver.claim(&lower).await;
    assert_eq!(refusal(lower), Refusal::NothingToClaim);
    // Beside a new claim, a repeated one is harmless; so is one twice in the same call.
    let mut both = world.batch(&[first.clone(), world.claim(&papers[1], 10)]);
    both.claims.push(both.claims[1].clone());
    world.receiver.claim(&both).await.unwrap();
    let (node, token) = (world.node.address(), world.chain.token);
    world.receiver.settle(node, token).await.unwrap();
    assert_eq!(world.balance(node).await, 610);
    assert_eq!(world.held(&first).await.claimed_units, 600);
}

#[tokio::test]
async fn what_is_wrong_with_a_claim_refuses_it() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let paper = world.authorize(1_000);
    let channel = world.channel(&paper);
    world.payer.deposit(&channel, 800).await.unwrap();
    let id = channel.id().unwrap();
    let good = world.batch(&[world.claim(&paper, 100)]);
    let changed = |change: fn(&mut Batch)| {
        let mut batch = good.clone();
        change(&mut batch);
        batch
    };

    // Signed by another key than the payer's. The plan notices; if it did not, the contract would.
    let mut forged = paper.clone();
    let stranger = Wallet::generate(&mut world.rng);
    forged.resign(&stranger, world.bobo, 1_000).unwrap();
    let forged_claim = world.claim(&forged, 100);
    let left = &world.settlement().plan(&[forged_claim]).left[0];
    assert_eq!(
        left.why,
        SettlementError::WrongSigner {
            found: stranger.address(),
            expected: world.cash.address()
        }
    );
    let mut forged_batch = good.clone();
    let bytes = forged.signature.as_bytes();
    let mut vs = B256::from_slice(&bytes[32..64]);
    vs.0[0] |= (bytes[64] - 27) << 7;
    forged_batch.claims[0].r = B256::from_slice(&bytes[..32]);
    forged_batch.claims[0].vs = vs;
    assert_eq!(
        refusal(world.receiver.claim(&forged_batch).await),
        Refusal::NoChannel {
            channel_id: id,
            signer: stranger.address()
        }
    );

    // More than the voucher's limit, with the limit that was signed and with a higher one.
    let over_limit = changed(|batch| batch.claims[0].maxAndTotal += U256::from(901));
    assert_eq!(
        refusal(world.receiver.claim(&over_limit).await),
        Refusal::OverLimit(id)
    );
    let higher = changed(|batch| {
        batch.claims[0].maxAndTotal += U256::from(1) << 128;
    });
    assert!(matches!(
        refusal(world.receiver.claim(&higher).await),
        Refusal::NoChannel { .. } | Refusal::BadSignature(_)
    ));

    // More than the deposit.
    let over_deposit = world.batch(&[world.claim(&paper, 801)]);
    assert_eq!(
        refusal(world.receiver.claim(&over_deposit).await),
        Refusal::OverDeposit(id)
    );

    // The twin of a signature, with a high s.
    let twin = changed(|batch| {
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        let order = U256::from_str_radix(order, 16).unwrap();
        let vs = U256::from_be_bytes(batch.claims[0].vs.0);
        let high: U256 = order - ((vs << 1_usize) >> 1_usize);
        // The form has no room for a high s of 2^255 or more: the parity bit is taken for it.
        batch.claims[0].vs = high.into();
    });
    let refused = refusal(world.receiver.claim(&twin).await);
    assert!(
        matches!(
            refused,
            Refusal::BadSignature(_) | Refusal::NoChannel { .. }
        ),
        "{refused}"
    );
    // Just above half the order, where it has.
    let above_half = changed(|batch| {
        let half = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1";
        batch.claims[0].vs = half.parse().unwrap();
    });
    assert_eq!(
        refusal(world.receiver.claim(&above_half).await),
        Refusal::BadSignature(id)
    );
    let no_key = changed(|batch| batch.claims[0].r = B256::ZERO);
    assert_eq!(
        refusal(world.receiver.claim(&no_key).await),
        Refusal::BadSignature(id)
    );

    // By somebody who is not the receiver, and for another receiver or token.
    let thief = Wallet::generate(&mut world.rng);
    let as_thief = world.contract_for(&thief).await;
    assert_eq!(
        refusal(as_thief.claim(&good).await),
        Refusal::NotAuthorized(thief.address())
    );
    let mut to_thief = good.clone();
    to_thief.payee.receiver = thief.address();
    assert!(matches!(
        refusal(as_thief.claim(&to_thief).await),
        Refusal::NoChannel { .. }
    ));
    let other_token = changed(|batch| batch.payee.token = batch.contract);
    assert!(matches!(
        refusal(world.receiver.claim(&other_token).await),
        Refusal::NoChannel { .. }
    ));

    // Nothing of it moved anything, and the good one is good.
    world.receiver.claim(&good).await.unwrap();
    let held = world.receiver.deposit_at(&channel, BlockId::latest()).await;
    assert_eq!(held.unwrap().claimed_units, 100);
}

/// The same paper is worth nothing on another contract of the same chain.
#[tokio::test]
async fn a_voucher_counts_at_its_contract_only() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let paper = world.authorize(1_000);
    let mut channel = world.channel(&paper);
    world.payer.deposit(&channel, 800).await.unwrap();
    let other = Address::repeat_byte(7);
    channel.chain.contract = other;
    let refused = world.payer.deposit(&channel, 1).await;
    assert!(matches!(refused, Err(EscrowError::OtherContract(it)) if it == other));
    let mut claim = world.claim(&paper, 10);
    claim.channel.chain.chain_id = 1;
    let why = |claim: &Claim| {
        world.settlement().plan(std::slice::from_ref(claim)).left[0]
            .why
            .clone()
    };
    assert!(matches!(why(&claim), SettlementError::WrongSigner { .. }));
    // Signed for the other chain, it is somebody else's to settle.
    let mut elsewhere = paper.clone();
    elsewhere.chain.chain_id = 1;
    elsewhere.resign(&world.cash, world.bobo, 1_000).unwrap();
    assert!(matches!(
        why(&world.claim(&elsewhere, 10)),
        SettlementError::Elsewhere(Chain { chain_id: 1, .. })
    ));
    // Anybody can make a token.
    let mut worthless = paper.clone();
    worthless.chain.token = other;
    worthless.resign(&world.cash, world.bobo, 1_000).unwrap();
    assert!(matches!(
        why(&world.claim(&worthless, 10)),
        SettlementError::Elsewhere(Chain { token, .. }) if token == other
    ));
}
