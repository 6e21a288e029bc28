//! What a channel costs in a batch.

use layer_minus_escrow::BATCH_CHANNELS_MAX;
use layer_minus_settlement::{Claim, Settlement};

use crate::world::{UNIT, World};

/// What a first sketch of such a contract took per channel.
const SKETCH_GAS: u64 = 14_317;
/// What this one must not exceed: measured, and a little for another compiler.
const GAS_MAX: u64 = 11_200;

/// Two batches of 100 channels. The second is how it goes on: every slot holds a value already.
#[tokio::test]
async fn a_channel_in_a_batch_of_a_hundred() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let mut claims: Vec<Claim> = Vec::new();
    for units in 0..BATCH_CHANNELS_MAX as u128 {
        let paper = world.authorize(5_000_000);
        let claim = world.claim(&paper, 1_234_567 + units);
        let deposited = world.payer.deposit(&claim.channel, 5_000_000).await;
        if units == 1 {
            println!(
                "a first deposit: {} gas",
                deposited.as_ref().unwrap().gas_used
            );
        }
        deposited.unwrap();
        claims.push(claim);
    }
    for round in ["first", "second"] {
        let plan = world.settlement().plan(&claims);
        assert_eq!(plan.left, []);
        assert_eq!(plan.steps.len(), 1);
        let done = world.receiver.claim(&plan.steps[0].work).await.unwrap();
        let per_channel = done.gas_used / BATCH_CHANNELS_MAX as u64;
        println!("{round} batch of {BATCH_CHANNELS_MAX}: {per_channel} gas per channel");
        assert!(
            per_channel <= GAS_MAX && GAS_MAX <= SKETCH_GAS,
            "{per_channel}"
        );
        for claim in &mut claims {
            claim.settled_units = claim.owed_pusd / UNIT;
            claim.owed_pusd += 1_111_111 * UNIT;
        }
    }
    let (node, token) = (world.node.address(), world.chain.token);
    let paid = world.receiver.settle(node, token).await.unwrap();
    println!("the transfer of it all: {} gas", paid.gas_used);
    let sum: u128 = claims.iter().map(|claim| claim.settled_units).sum();
    assert_eq!(world.balance(node).await, sum);
}
