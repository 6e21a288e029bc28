//! Typed data against viem: what we hash it hashes the same, what it signs we accept.

use alloy_primitives::aliases::U40;
use alloy_sol_types::SolStruct;
use layer_minus_message::{Authorization, Chain, LaneParty, MessageError, typed};
use layer_minus_wallet::{
    Address, B256, Signature, Wallet,
    typed::{Delegation, Eip712Domain, domain, hash, signer_of},
};
use rand::Rng;
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};

use crate::{
    tools,
    world::{NOW, rng},
};

/// How many of each type are compared.
const CASES: usize = 16;

/// Runs jobs in one process; `None` without viem.
fn run(jobs: &[Value]) -> Option<Vec<Value>> {
    let folder = tools::npm("viem", &["viem"])?;
    let input = serde_json::to_vec(jobs).unwrap();
    let output = tools::on_node("tests/interop/viem.mjs", &folder, &input);
    let answers: Vec<Value> = serde_json::from_slice(&output).unwrap();
    assert_eq!(answers.len(), jobs.len());
    Some(answers)
}

/// Typed data as both sides see it.
struct Case {
    job: Value,
    hash: B256,
    /// Who signed a signature over it.
    signer_of: Box<dyn Fn(&Signature) -> Address>,
}

fn case<T: SolStruct + 'static>(message: T, fields: Value, domain: Eip712Domain) -> Case {
    let mut parts = serde_json::Map::new();
    let mut part = |name: &str, value: Option<Value>| {
        parts.extend(value.map(|value| (name.to_owned(), value)));
    };
    part("name", domain.name.as_ref().map(|name| json!(name)));
    part("version", domain.version.as_ref().map(|it| json!(it)));
    part("chainId", domain.chain_id.map(|id| json!(id.to_string())));
    part(
        "verifyingContract",
        domain.verifying_contract.map(|it| json!(it)),
    );
    part("salt", domain.salt.map(|salt| json!(salt)));
    Case {
        job: json!({
            "op": "hash",
            "domain": parts,
            "type": T::eip712_encode_type(),
            "message": fields,
        }),
        hash: hash(&message, &domain),
        signer_of: Box::new(move |signature| signer_of(&message, &domain, signature).unwrap()),
    }
}

fn address(rng: &mut ChaCha20Rng) -> Address {
    Address::from(rng.r#gen::<[u8; 20]>())
}

fn digest(rng: &mut ChaCha20Rng) -> B256 {
    B256::from(rng.r#gen::<[u8; 32]>())
}

/// A number of any size, so that short and full ones occur.
fn number(rng: &mut ChaCha20Rng) -> u64 {
    rng.r#gen::<u64>() >> rng.gen_range(0..64)
}

fn chain(rng: &mut ChaCha20Rng) -> Chain {
    Chain {
        chain_id: number(rng),
        contract: address(rng),
        token: address(rng),
    }
}

/// One of each type, with random values.
fn cases(rng: &mut ChaCha20Rng) -> [Case; 6] {
    let texts = [
        "",
        "command",
        "request,message",
        "Grüße, 世界 \u{1f30d}",
        "a\u{0}\n\"b\"",
    ];
    let text = texts[rng.gen_range(0..texts.len())];
    let network = domain(["devnet", "main", ""][rng.gen_range(0..3)]);
    let [one, two] = [address(rng), address(rng)];
    let [from, until, count] = [number(rng), number(rng), number(rng)];
    let nonce: [u8; 16] = rng.r#gen();
    let (nonce_hex, digest, chain) = (format!("0x{}", hex::encode(nonce)), digest(rng), chain(rng));
    let delay = number(rng) >> 24;
    let maximum = u128::from(number(rng)) << rng.gen_range(0..64);
    let [from_text, until_text, count_text] = [from, until, count].map(|it| it.to_string());
    [
        case(
            Delegation {
                wallet: one,
                device: two,
                scope: text.to_owned(),
                validFrom: from,
                expiresAt: until,
                nonce: nonce.into(),
            },
            json!({
                "wallet": one, "device": two, "scope": text, "validFrom": from_text,
                "expiresAt": until_text, "nonce": nonce_hex,
            }),
            network.clone(),
        ),
        case(
            typed::Statement {
                purpose: text.to_owned(),
                wallet: one,
                audience: two,
                time: from,
                nonce: nonce.into(),
                digest,
            },
            json!({
                "purpose": text, "wallet": one, "audience": two, "time": from_text,
                "nonce": nonce_hex, "digest": digest,
            }),
            network.clone(),
        ),
        case(
            typed::Card {
                wallet: one,
                node: two,
                validFrom: from,
                validUntil: until,
                version: count,
                digest,
            },
            json!({
                "wallet": one, "node": two, "validFrom": from_text, "validUntil": until_text,
                "version": count_text, "digest": digest,
            }),
            network.clone(),
        ),
        case(
            typed::NodeRecord {
                node: one,
                validFrom: from,
                validUntil: until,
                sequence: count,
                digest,
            },
            json!({
                "node": one, "validFrom": from_text, "validUntil": until_text,
                "sequence": count_text, "digest": digest,
            }),
            network,
        ),
        case(
            typed::ChannelConfig {
                payer: one,
                payerAuthorizer: two,
                receiver: two,
                receiverAuthorizer: one,
                token: chain.token,
                withdrawDelay: U40::from(delay),
                salt: digest,
            },
            json!({
                "payer": one, "payerAuthorizer": two, "receiver": two, "receiverAuthorizer": one,
                "token": chain.token, "withdrawDelay": delay, "salt": digest,
            }),
            chain.domain(),
        ),
        case(
            typed::Voucher {
                channelId: digest,
                maxClaimableAmount: maximum,
            },
            json!({ "channelId": digest, "maxClaimableAmount": maximum.to_string() }),
            chain.domain(),
        ),
    ]
}

#[test]
fn viem_hashes_every_type_as_we_do_and_signs_what_we_accept() {
    let rng = &mut rng(300);
    let cases: Vec<Case> = (0..CASES).flat_map(|_| cases(rng)).collect();
    let wallets: Vec<Wallet> = cases.iter().map(|_| Wallet::generate(rng)).collect();
    let hashes = cases.iter().map(|case| case.job.clone());
    let signatures = cases.iter().zip(&wallets).map(|(case, wallet)| {
        let mut job = case.job.clone();
        job["op"] = json!("sign");
        job["secret"] = json!(B256::from(*wallet.secret_bytes()));
        job
    });
    let jobs: Vec<Value> = hashes.chain(signatures).collect();
    let Some(answers) = run(&jobs) else { return };
    let (hashes, signatures) = answers.split_at(cases.len());
    for (case, hash) in cases.iter().zip(hashes) {
        assert_eq!(*hash, json!(case.hash), "{}", case.job);
    }
    for ((case, wallet), signature) in cases.iter().zip(&wallets).zip(signatures) {
        let signature: Signature = serde_json::from_value(signature.clone()).unwrap();
        assert_eq!(
            (case.signer_of)(&signature),
            wallet.address(),
            "{}",
            case.job
        );
    }
}

#[test]
fn an_authorization_that_viem_signed_verifies() {
    let rng = &mut rng(301);
    let mut papers = Vec::new();
    let mut jobs = Vec::new();
    for _ in 0..CASES {
        let (cash, client) = (Wallet::generate(rng), address(rng));
        let receiver = LaneParty {
            node: address(rng),
            cash: address(rng),
        };
        let (chain, limit, expires_at) = (chain(rng), number(rng), NOW + number(rng) / 2);
        // Ours, for its terms; the signature is to be viem's.
        let ours =
            Authorization::sign(&cash, client, receiver, chain, limit, expires_at, rng).unwrap();
        jobs.push(json!({
            "op": "authorize",
            "secret": B256::from(*cash.secret_bytes()),
            "authorization": ours,
            "client": client,
            "types": {
                "channel": typed::ChannelConfig::eip712_encode_type(),
                "voucher": typed::Voucher::eip712_encode_type(),
            },
        }));
        papers.push((ours, client));
    }
    let Some(signatures) = run(&jobs) else { return };
    for ((ours, client), signature) in papers.into_iter().zip(signatures) {
        let mut theirs = ours.clone();
        theirs.signature = serde_json::from_value(signature).unwrap();
        theirs.verify(client, theirs.payee(), NOW).unwrap();
        // Both are deterministic (RFC 6979), so even the bytes agree.
        assert_eq!(theirs, ours);
        theirs.limit_units ^= 1;
        assert!(matches!(
            theirs.verify(client, theirs.payee(), NOW),
            Err(MessageError::WrongSigner { .. })
        ));
    }
}
