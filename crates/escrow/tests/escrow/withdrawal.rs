//! The payer's way back, and what it does to the backing.

use alloy_eips::BlockId;
use layer_minus_escrow::{Deposit, EscrowError, Refusal, Withdrawal};
use layer_minus_message::MessageError;
use layer_minus_settlement::Channel;
use layer_minus_wallet::{Address, Wallet};

use crate::world::{World, refusal};

#[tokio::test]
async fn announced_waited_for_and_executed_with_claims_in_between() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let paper = world.authorize(1_000);
    let channel = world.channel(&paper);
    let delay = paper.withdraw_delay_secs;
    let before = world.balance(world.cash.address()).await;
    world.payer.deposit(&channel, 1_000).await.unwrap();
    let id = channel.id().unwrap();
    assert_eq!(
        refusal(world.payer.withdraw(&channel).await),
        Refusal::NoWithdrawal(id)
    );
    assert_eq!(
        refusal(world.payer.announce_withdrawal(&channel, 1_001).await),
        Refusal::OverDeposit(id)
    );
    world
        .payer
        .announce_withdrawal(&channel, 1_000)
        .await
        .unwrap();
    let held = world.held(&world.claim(&paper, 1)).await;
    let matures_at = held.withdrawal.unwrap().matures_at;
    assert!((world.now + delay..world.now + delay + 60).contains(&matures_at));
    assert_eq!(
        refusal(world.payer.withdraw(&channel).await),
        Refusal::NotYet(matures_at)
    );

    // What was earned is claimed in the meantime, and once more after it matured.
    world.wait(delay - 120).await;
    assert_eq!(
        refusal(world.payer.withdraw(&channel).await),
        Refusal::NotYet(matures_at)
    );
    let batch = world.batch(&[world.claim(&paper, 300)]);
    world.receiver.claim(&batch).await.unwrap();
    world.wait(240).await;
    let batch = world.batch(&[world.claim(&paper, 310)]);
    world.receiver.claim(&batch).await.unwrap();

    // Nobody takes it for him; what is left is his.
    let thief = Wallet::generate(&mut world.rng);
    let as_thief = world.contract_for(&thief).await;
    assert_eq!(
        refusal(as_thief.withdraw(&channel).await),
        Refusal::NotAuthorized(thief.address())
    );
    world.payer.withdraw(&channel).await.unwrap();
    assert_eq!(world.balance(world.cash.address()).await, before - 310);
    assert_eq!(
        refusal(world.payer.withdraw(&channel).await),
        Refusal::NoWithdrawal(id)
    );
    let late = world.batch(&[world.claim(&paper, 311)]);
    assert_eq!(
        refusal(world.receiver.claim(&late).await),
        Refusal::OverDeposit(id)
    );
    // What was claimed is still paid.
    let (node, token) = (world.node.address(), world.chain.token);
    world.receiver.settle(node, token).await.unwrap();
    assert_eq!(world.balance(node).await, 310);
    assert_eq!(world.balance(world.chain.contract).await, 0);
}

#[tokio::test]
async fn a_deposit_backs_when_it_is_final_and_no_longer_when_a_withdrawal_is_announced() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let paper = world.authorize(1_000);
    let channel = world.channel(&paper);
    let until = paper.expires_at;
    let contract = world.receiver.clone();
    let backing = async |until| contract.views(&channel).await.unwrap().backing_units(until);

    world.payer.deposit(&channel, 1_000).await.unwrap();
    let latest = contract.deposit_at(&channel, BlockId::latest()).await;
    assert_eq!(latest.unwrap().backing_units(until), 1_000);
    assert_eq!(backing(until).await, 0, "its block can still be replaced");
    world.mine(100).await;
    assert_eq!(backing(until).await, 1_000);

    let batch = world.batch(&[world.claim(&paper, 400)]);
    contract.claim(&batch).await.unwrap();
    assert_eq!(backing(until).await, 600, "a claim counts at once");

    world.payer.announce_withdrawal(&channel, 1).await.unwrap();
    assert_eq!(backing(until).await, 0, "and so does an announcement");
    let before_it_matures = world.now + paper.withdraw_delay_secs - 1;
    assert_eq!(backing(before_it_matures).await, 600);

    world.payer.cancel_withdrawal(&channel).await.unwrap();
    assert_eq!(
        refusal(world.payer.cancel_withdrawal(&channel).await),
        Refusal::NoWithdrawal(channel.id().unwrap())
    );
    world.mine(100).await;
    assert_eq!(backing(until).await, 600);
}

#[tokio::test]
async fn the_receiver_refunds_what_it_does_not_claim_and_no_more() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let paper = world.authorize(1_000);
    let channel = world.channel(&paper);
    let id = channel.id().unwrap();
    world.payer.deposit(&channel, 1_000).await.unwrap();
    let before = world.balance(world.cash.address()).await;
    let batch = world.batch(&[world.claim(&paper, 300)]);
    world.receiver.claim(&batch).await.unwrap();
    world
        .payer
        .announce_withdrawal(&channel, 700)
        .await
        .unwrap();
    assert_eq!(
        refusal(world.payer.refund(&channel, 1).await),
        Refusal::NotAuthorized(world.cash.address())
    );
    assert_eq!(
        refusal(world.receiver.refund(&channel, 701).await),
        Refusal::OverDeposit(id)
    );
    assert_eq!(
        refusal(world.receiver.refund(&channel, 0).await),
        Refusal::ZeroAmount
    );
    world.receiver.refund(&channel, 500).await.unwrap();
    assert_eq!(world.balance(world.cash.address()).await, before + 500);
    // The announced withdrawal finds what is left.
    world.wait(paper.withdraw_delay_secs + 1).await;
    world.payer.withdraw(&channel).await.unwrap();
    assert_eq!(world.balance(world.cash.address()).await, before + 700);
    let held = world.held(&world.claim(&paper, 1)).await;
    assert_eq!((held.balance_units, held.claimed_units), (300, 300));
}

#[tokio::test]
async fn terms_out_of_bounds_hold_no_deposit() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let paper = world.authorize(1_000);
    let channel = world.channel(&paper);
    for secs in [899, 2_592_001] {
        let mut out = channel;
        out.withdraw_delay_secs = secs;
        assert!(matches!(
            world.payer.deposit(&out, 1).await,
            Err(EscrowError::Terms(MessageError::Rule(_)))
        ));
    }
    for secs in [900, 2_592_000] {
        let mut edge = channel;
        edge.withdraw_delay_secs = secs;
        world.payer.deposit(&edge, 1).await.unwrap();
        world.payer.announce_withdrawal(&edge, 1).await.unwrap();
        let held = world.payer.deposit_at(&edge, BlockId::latest()).await;
        let Ok(Deposit {
            withdrawal: Some(Withdrawal { matures_at, .. }),
            ..
        }) = held
        else {
            panic!("{held:?}")
        };
        assert!((world.now + secs..world.now + secs + 60).contains(&matures_at));
    }
    let changes: [fn(&mut Channel); 4] = [
        |it| it.payer = Address::ZERO,
        |it| it.payer_authorizer = Address::ZERO,
        |it| it.receiver = Address::ZERO,
        |it| it.receiver_authorizer = Address::ZERO,
    ];
    for change in changes {
        let mut nobody = channel;
        change(&mut nobody);
        assert_eq!(
            refusal(world.payer.deposit(&nobody, 1).await),
            Refusal::BadConfig
        );
    }
    assert_eq!(
        refusal(world.payer.deposit(&channel, 0).await),
        Refusal::ZeroAmount
    );
}
