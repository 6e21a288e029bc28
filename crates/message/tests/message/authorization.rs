//! Authorizations: vouchers that a settlement contract would understand.

use alloy_sol_types::SolStruct;
use layer_minus_message::{
    Authorization, Chain, LaneParty, MessageError,
    authorization::{PUSD_PER_TOKEN_UNIT, commitment},
    limits::WITHDRAW_DELAY_SECS,
    typed,
};
use layer_minus_wallet::{Address, B256, Signature, Wallet};
use proptest::prelude::*;
use serde::Deserialize;

use crate::world::{NOW, rng, world};

/// Made with viem by `tests/vectors/authorization.mjs`.
#[derive(Deserialize)]
struct Vectors {
    type_hashes: TypeHashes,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TypeHashes {
    channel_config: TypeHash,
    voucher: TypeHash,
}

#[derive(Deserialize)]
struct TypeHash {
    #[serde(rename = "type")]
    text: String,
    hash: B256,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    chain: Chain,
    payer_secret: B256,
    payer: Address,
    receiver: Address,
    node: Address,
    client: Address,
    #[serde(with = "layer_minus_message::text::decimal")]
    withdraw_delay_secs: u64,
    opening: B256,
    #[serde(with = "layer_minus_message::text::decimal")]
    expires_at: u64,
    #[serde(with = "layer_minus_message::text::decimal")]
    limit_units: u64,
    domain_separator: B256,
    salt: B256,
    channel_id: B256,
    voucher_hash: B256,
    signature: Signature,
}

fn vectors() -> Vectors {
    let text = include_str!("../../../../docs/spec/vectors/authorization.json");
    serde_json::from_str(text).unwrap()
}

impl Case {
    fn authorization(&self) -> Authorization {
        Authorization {
            chain: self.chain,
            payer: self.payer,
            receiver: self.receiver,
            node: self.node,
            withdraw_delay_secs: self.withdraw_delay_secs,
            opening: self.opening.0,
            expires_at: self.expires_at,
            limit_units: self.limit_units,
            signature: self.signature,
        }
    }
}

#[test]
fn types_are_those_of_the_settlement_contract() {
    let hashes = vectors().type_hashes;
    assert_eq!(
        typed::ChannelConfig::eip712_encode_type(),
        hashes.channel_config.text
    );
    assert_eq!(typed::Voucher::eip712_encode_type(), hashes.voucher.text);
    // What the contract itself returns for CHANNEL_CONFIG_TYPEHASH and VOUCHER_TYPEHASH.
    let deployed = [
        "0x1c9a06ceab9b0ebbd3301dc56c9111bb6d9af421356dc9ccb3b7084c755db308",
        "0x1e1bd6ff84c3e0d9029a292b212e039c0ca97ec497c55191a4a5874294609a69",
    ];
    for (hash, deployed) in [hashes.channel_config.hash, hashes.voucher.hash]
        .iter()
        .zip(deployed)
    {
        assert_eq!(hash.to_string(), deployed);
    }
}

#[test]
fn hashes_and_signatures_are_those_of_viem() {
    let vectors = vectors();
    assert_eq!(vectors.cases.len(), 2);
    for case in vectors.cases {
        let authorization = case.authorization();
        assert_eq!(
            commitment(case.client, case.node, &case.opening.0, case.expires_at),
            case.salt
        );
        let channel_id = authorization.channel_id(case.client).unwrap();
        assert_eq!(channel_id, case.channel_id, "{}", case.name);
        let domain = layer_minus_wallet::typed::domain_for_chain(
            "x402 Batch Settlement",
            "1",
            case.chain.chain_id,
            case.chain.contract,
        );
        assert_eq!(domain.hash_struct(), case.domain_separator);
        let voucher = typed::Voucher {
            channelId: channel_id,
            maxClaimableAmount: u128::from(case.limit_units),
        };
        assert_eq!(voucher.eip712_signing_hash(&domain), case.voucher_hash);
        authorization
            .verify(case.client, authorization.payee(), NOW)
            .unwrap();

        let wallet = Wallet::from_secret(case.payer_secret.as_slice()).unwrap();
        assert_eq!(wallet.address(), case.payer);
        let mut resigned = case.authorization();
        resigned
            .resign(&wallet, case.client, case.limit_units)
            .unwrap();
        assert_eq!(resigned, authorization, "{}", case.name);
    }
}

#[test]
fn it_binds_client_receiver_time_limit_and_chain() {
    let world = world();
    let client = world.bobo.address();
    let receiver = LaneParty::from(&world.record);
    let good = &world.authorization;
    good.verify(client, receiver, NOW).unwrap();
    good.verify(client, receiver, good.expires_at).unwrap();
    assert!(matches!(
        good.verify(client, receiver, good.expires_at + 1),
        Err(MessageError::OutsideValidity {
            what: "authorization",
            ..
        })
    ));
    assert!(matches!(
        good.verify(
            client,
            LaneParty {
                cash: client,
                ..receiver
            },
            NOW
        ),
        Err(MessageError::Rule("authorization is for another receiver"))
    ));
    assert!(matches!(
        good.verify(
            client,
            LaneParty {
                node: client,
                ..receiver
            },
            NOW
        ),
        Err(MessageError::Rule("authorization is for another node"))
    ));
    let wrong_signer = |authorization: &Authorization, client| {
        let refused = authorization.verify(client, authorization.payee(), NOW);
        assert!(
            matches!(refused, Err(MessageError::WrongSigner { .. })),
            "{refused:?}"
        );
    };
    wrong_signer(good, world.peter.address());
    let changes: [fn(&mut Authorization); 10] = [
        |it| it.node = Address::repeat_byte(1),
        |it| it.limit_units += 1,
        |it| it.expires_at += 1,
        |it| it.opening[0] ^= 1,
        |it| it.payer = Address::repeat_byte(1),
        |it| it.receiver = Address::repeat_byte(1),
        |it| it.withdraw_delay_secs += 1,
        |it| it.chain.chain_id = 1,
        |it| it.chain.contract = Address::repeat_byte(1),
        |it| it.chain.token = Address::repeat_byte(1),
    ];
    for change in changes {
        let mut changed = good.clone();
        change(&mut changed);
        wrong_signer(&changed, client);
    }
}

#[test]
fn the_withdraw_delay_is_one_that_the_contract_takes() {
    let (client, cash) = (world().bobo.address(), &world().bobo_cash);
    let (least, most) = (*WITHDRAW_DELAY_SECS.start(), *WITHDRAW_DELAY_SECS.end());
    for (secs, good) in [
        (0, false),
        (least - 1, false),
        (least, true),
        (most, true),
        (most + 1, false),
        (u64::MAX, false),
    ] {
        let mut authorization = world().authorization.clone();
        authorization.withdraw_delay_secs = secs;
        let signed = authorization.resign(cash, client, 1);
        assert_eq!(signed.is_ok(), good, "{secs}");
        let verified = authorization.verify(client, authorization.payee(), NOW);
        assert_eq!(verified.is_ok(), good, "{secs}");
    }
}

#[test]
fn a_higher_limit_stays_on_the_channel_and_says_nothing_of_the_client() {
    let world = world();
    let client = world.bobo.address();
    let mut raised = world.authorization.clone();
    raised.resign(&world.bobo_cash, client, 9_000).unwrap();
    assert_eq!(
        raised.channel_id(client).unwrap(),
        world.authorization.channel_id(client).unwrap()
    );
    assert_eq!(raised.limit_pusd(), 9_000 * u128::from(PUSD_PER_TOKEN_UNIT));
    let json = serde_json::to_string(&raised).unwrap().to_lowercase();
    assert!(!json.contains(&client.to_string().to_lowercase()[2..]));
    raised.limit_units = u64::MAX;
    assert_eq!(raised.limit_pusd(), 18_446_744_073_709_551_615_000_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_authorization_comes_back_and_verifies(
        seed: u64, client: [u8; 20], receiver: [u8; 20], node: [u8; 20], contract: [u8; 20], token: [u8; 20],
        chain_id: u64, limit_units: u64, expires_at in NOW..,
    ) {
        let mut rng = rng(seed);
        let cash = Wallet::generate(&mut rng);
        let chain = Chain { chain_id, contract: contract.into(), token: token.into() };
        let client = client.into();
        let receiver = LaneParty { node: node.into(), cash: receiver.into() };
        let signed =
            Authorization::sign(&cash, client, receiver, chain, limit_units, expires_at, &mut rng)
                .unwrap();
        signed.verify(client, receiver, NOW).unwrap();
        let text = serde_json::to_string(&signed).unwrap();
        prop_assert_eq!(serde_json::from_str::<Authorization>(&text).unwrap(), signed);
    }
}
