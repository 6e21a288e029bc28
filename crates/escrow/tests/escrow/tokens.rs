//! Tokens that do not behave.

use alloy_primitives::{Address, U256};
use alloy_sol_types::SolCall;
use layer_minus_escrow::{Refusal, bindings::Escrow};

use crate::world::{World, refusal};

#[tokio::test]
async fn a_token_that_keeps_a_fee_is_refused() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let paper = world.authorize(1_000);
    let channel = world.channel(&paper);
    let token = world.token().await;
    let fee = token.setFee(U256::from(1));
    fee.send().await.unwrap().get_receipt().await.unwrap();
    assert_eq!(
        refusal(world.payer.deposit(&channel, 100).await),
        Refusal::NotDelivered(world.chain.token)
    );
    // Without the fee it is taken.
    let free = token.setFee(U256::ZERO);
    free.send().await.unwrap().get_receipt().await.unwrap();
    world.payer.deposit(&channel, 100).await.unwrap();
    let more_than_he_has = world.payer.deposit(&channel, u128::MAX).await;
    assert!(more_than_he_has.is_err());
    assert_eq!(world.balance(world.chain.contract).await, 100);
}

/// A token that calls back from within a transfer gets nowhere: not into a second payment of the
/// same earnings, not into a deposit that is counted twice.
#[tokio::test]
async fn a_token_that_calls_back_is_refused() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let paper = world.authorize(1_000);
    let channel = world.channel(&paper);
    world.payer.deposit(&channel, 1_000).await.unwrap();
    let batch = world.batch(&[world.claim(&paper, 300)]);
    world.receiver.claim(&batch).await.unwrap();
    let token = world.token().await;
    let (node, contract) = (world.node.address(), world.chain.contract);
    let settle = Escrow::settleCall {
        receiver: node,
        token: world.chain.token,
    }
    .abi_encode();
    let arm = token.setCallback(contract, settle.into());
    arm.send().await.unwrap().get_receipt().await.unwrap();
    for refused in [
        world.receiver.settle(node, world.chain.token).await,
        world.receiver.refund(&channel, 1).await,
        world.payer.deposit(&channel, 1).await,
    ] {
        assert_eq!(refusal(refused), Refusal::TransferFailed(world.chain.token));
    }
    assert_eq!(world.balance(node).await, 0);
    assert_eq!(world.balance(contract).await, 1_000);
}

/// What is no contract at all would take any call for a success.
#[tokio::test]
async fn an_address_without_code_is_no_token() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let paper = world.authorize(1_000);
    let mut channel = world.channel(&paper);
    channel.chain.token = Address::repeat_byte(9);
    assert!(world.payer.deposit(&channel, 1).await.is_err());
}
