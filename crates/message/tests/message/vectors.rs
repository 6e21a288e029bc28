//! The vectors of the protocol's spec, `docs/spec/vectors/*.json`.
//!
//! They are made here from a fixed seed. The test makes them anew and compares: a change of the
//! wire format shows as a difference. `REGENERATE_VECTORS=1` writes them instead.

mod command;
mod frame;
mod signed;

use std::path::PathBuf;

use bytes::Bytes;
use layer_minus_message::{
    Command, CommandEnvelope, Content, Frame, FullCard, InboxToken, Kind, Letter, NodeRecord,
    Position, Proof, Purpose, PushedPacket, RecordBody, Signer, letter::sha256, typed,
};
use layer_minus_seal::ReplyKey;
use layer_minus_wallet::{
    Address, B256, DeviceKey, Wallet,
    typed::{SolStruct, domain, hash},
};
use serde_json::{Value, json};

use crate::{
    frame as frames, strict,
    world::{NETWORK, NOW, rng, world},
};

fn hex0x(bytes: impl AsRef<[u8]>) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn check(name: &str, made: &Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/spec/vectors")
        .join(format!("{name}.json"));
    if std::env::var_os("REGENERATE_VECTORS").is_some_and(|set| set == "1") {
        std::fs::write(path, format!("{made:#}\n")).unwrap();
        return;
    }
    // As values: in which order a serializer writes keys is its own affair.
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert!(
        kept == *made,
        "{name}.json differs from what this code writes"
    );
}

/// Typed data as its fields in order, the hash that is signed, and who signed it.
fn signed<T: SolStruct>(message: &T, fields: Value, signer: Address) -> Value {
    json!({
        "type": T::eip712_encode_type(),
        "message": fields,
        "signing_hash": hash(message, &domain(NETWORK)),
        "signer": signer.to_string(),
    })
}

fn statement(purpose: &str, proof: &Proof, content: &str) -> Value {
    let digest = alloy_primitives::keccak256(content);
    let message = typed::Statement {
        purpose: purpose.to_owned(),
        wallet: proof.wallet,
        audience: proof.audience,
        time: proof.time,
        nonce: proof.nonce.into(),
        digest,
    };
    let signer = proof
        .device
        .as_ref()
        .map_or(proof.wallet, |device| device.device);
    let fields = json!({
        "purpose": purpose,
        "wallet": proof.wallet.to_string(),
        "audience": proof.audience.to_string(),
        "time": proof.time.to_string(),
        "nonce": hex0x(proof.nonce),
        "digest": digest,
    });
    let mut value = signed(&message, fields, signer);
    value["signature"] = json!(proof.signature);
    if let Some(device) = &proof.device {
        let terms = device.terms();
        let fields = json!({
            "wallet": device.wallet.to_string(),
            "device": device.device.to_string(),
            "scope": device.scope.to_string(),
            "validFrom": device.valid_from.to_string(),
            "expiresAt": device.expires_at.to_string(),
            "nonce": hex0x(device.nonce),
        });
        let mut delegation = signed(&terms, fields, device.wallet);
        delegation["signature"] = json!(device.signature);
        value["delegation"] = delegation;
    }
    value
}

fn secrets() -> Value {
    let world = world();
    let wallet = |wallet: &Wallet| json!({ "address": wallet.address().to_string(), "secret": hex0x(&wallet.secret_bytes()[..]) });
    let device = |device: &DeviceKey| wallet(device.key());
    json!({
        "peter": wallet(&world.peter),
        "peter_device": device(&world.peter_device),
        "bobo": wallet(&world.bobo),
        "bobo_cash": wallet(&world.bobo_cash),
        "bobo_device": device(&world.bobo_device),
        "node": wallet(&world.node),
        "node_cash": wallet(&world.node_cash),
    })
}
