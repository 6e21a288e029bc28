//! OpenPGP.js: what it makes for us we open, what we make it opens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "../../../tests/tools/mod.rs"]
mod tools;

use common::{SIZES, VERSIONS, party, random, rng};
use layer_minus_packet::{SeipdVersion, admit_message};
use layer_minus_seal::{
    Certificate, Keyring, SealError, SecretCertificate, Version, layer_capacity, open_layer,
    open_message, password, seal_layer,
};
use serde_json::{Value, json};

/// Runs jobs in one process; `None` without OpenPGP.js.
fn run(jobs: &[Value]) -> Option<Vec<Value>> {
    let folder = tools::openpgp_js()?;
    let input = serde_json::to_vec(jobs).unwrap();
    let output = tools::on_node("tests/interop/openpgp.mjs", &folder, &input);
    let answers: Vec<Value> = serde_json::from_slice(&output).unwrap();
    assert_eq!(answers.len(), jobs.len());
    Some(answers)
}

fn encode(bytes: &[u8]) -> String {
    base64::encode(bytes)
}

fn decode(value: &Value) -> Vec<u8> {
    base64::decode(value.as_str().unwrap())
}

/// Base64 (RFC 4648 §4), as JSON carries octets.
mod base64 {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    pub(crate) fn encode(bytes: &[u8]) -> String {
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let number = group
                .iter()
                .fold(0u32, |sum, &octet| sum << 8 | u32::from(octet))
                << (8 * (3 - group.len()));
            for digit in 0..4 {
                match digit <= group.len() {
                    true => {
                        let value = (number >> (18 - 6 * digit)) & 63;
                        text.push(char::from(DIGITS[value as usize]));
                    }
                    false => text.push('='),
                }
            }
        }
        text
    }

    pub(crate) fn decode(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text
            .bytes()
            .filter(|&octet| octet != b'=')
            .map(|octet| DIGITS.iter().position(|&digit| digit == octet).unwrap() as u32)
            .collect();
        let mut bytes = Vec::new();
        for group in digits.chunks(4) {
            let number =
                group.iter().fold(0, |sum, digit| sum << 6 | digit) << (6 * (4 - group.len()));
            bytes.extend_from_slice(&number.to_be_bytes()[1..group.len()]);
        }
        bytes
    }
}

/// What OpenPGP.js is told to do so that it uses version 2 when the certificate allows.
fn aead() -> Value {
    json!({ "aeadProtect": true })
}

#[test]
fn we_open_its_messages_to_us() {
    let stranger = {
        let mut rng = <rand_chacha::ChaCha20Rng as rand::SeedableRng>::from_seed([1; 32]);
        SecretCertificate::generate(&mut rng, common::NOW, Version::V6, "stranger").unwrap()
    };
    for version in VERSIONS {
        let secret = party(version);
        let certificate = encode(&secret.certificate().to_bytes());
        let stranger = encode(&stranger.certificate().to_bytes());
        let content = random(300_000);
        let job = |certificates: &[&str], more: Value| {
            let mut job = json!({
                "op": "encrypt", "certificates": certificates, "content": encode(&content),
            });
            job.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            job
        };
        let one = [certificate.as_str()];
        let jobs = [
            job(&one, json!({})),
            job(&one, json!({ "config": aead() })),
            job(&one, json!({ "armor": true })),
            job(&one, json!({ "config": aead(), "armor": true })),
            job(&one, json!({ "stream": true })),
            job(&one, json!({ "config": aead(), "stream": true })),
            job(&one, json!({ "signed": true })),
            job(&one, json!({ "config": aead(), "signed": true })),
            job(&[&stranger, &certificate], json!({ "config": aead() })),
        ];
        let Some(messages) = run(&jobs) else { return };
        let ring = Keyring::from(secret.clone());
        for (message, job) in messages.iter().zip(&jobs) {
            let opened = open_message(&decode(message), &ring, 400_000).unwrap_or_else(|why| {
                panic!("{version:?}: {why}: {:?}", job["config"]);
            });
            assert!(opened.body == content, "another content: {version:?}");
            assert_eq!(opened.recipient, secret.certificate().encryption_key());
        }
        // It writes what the certificate asks for: version 2 with GCM, which its WebCrypto has,
        // not with OCB in JavaScript; and version 1 with AES-256.
        for message in messages.iter().take(2) {
            let message = decode(message);
            match (version, *admit_message(&message).unwrap().version()) {
                (
                    Version::V6,
                    SeipdVersion::V2 {
                        sym: 9, aead: 3, ..
                    },
                )
                | (Version::V4, SeipdVersion::V1) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Even when its user switches compression on, it asks the certificate first, and ours says no.
#[test]
fn it_does_not_compress_for_us() {
    let secret = party(Version::V6);
    let content = [0; 100_000];
    let Some(messages) = run(&[json!({
        "op": "encrypt",
        "certificates": [encode(&secret.certificate().to_bytes())],
        "content": encode(&content),
        "config": { "preferredCompressionAlgorithm": 2 },
    })]) else {
        return;
    };
    let message = decode(&messages[0]);
    assert!(message.len() > content.len());
    let opened = open_message(&message, &Keyring::from(secret), 200_000).unwrap();
    assert_eq!(opened.body, content[..]);
}

#[test]
fn we_open_its_layers_of_exact_size() {
    for version in VERSIONS {
        let secret = party(version);
        let certificate = encode(&secret.certificate().to_bytes());
        let content = random(5_000);
        let jobs: Vec<Value> = SIZES
            .iter()
            .flat_map(|size| {
                [json!({}), aead()].map(|config| {
                    json!({
                        "op": "layer", "certificates": [&certificate], "size": size,
                        "content": encode(&content), "config": config,
                    })
                })
            })
            .collect();
        let Some(layers) = run(&jobs) else { return };
        for (layer, job) in layers.iter().map(decode).zip(&jobs) {
            assert_eq!(json!(layer.len()), job["size"]);
            let opened = open_layer(&layer, &Keyring::from(secret.clone())).unwrap();
            assert_eq!(opened.body[..content.len()], content);
            assert!(opened.body[content.len()..].iter().all(|&octet| octet == 0));
        }
    }
}

#[test]
fn it_opens_what_we_seal_to_our_exported_keys() {
    let mut jobs = Vec::new();
    let mut bodies = Vec::new();
    for version in VERSIONS {
        let secret = party(version);
        for size in SIZES {
            let body = random(layer_capacity(size));
            let packet = seal_layer(&mut rng(), &secret.certificate(), &[&body], size).unwrap();
            jobs.push(json!({
                "op": "decrypt", "message": encode(&packet),
                "secret": secret.to_armored_secret().unwrap().as_str(),
            }));
            bodies.push(body);
        }
    }
    let Some(opened) = run(&jobs) else { return };
    for (opened, body) in opened.iter().map(decode).zip(bodies) {
        assert!(opened.starts_with(&body) && opened[body.len()..].iter().all(|&octet| octet == 0));
    }
}

#[test]
fn it_opens_our_password_files() {
    let content = random(2_000_000);
    let file = password::encrypt(&mut rng(), "correct horse", &content).unwrap();
    let job = json!({ "op": "open", "password": "correct horse", "message": encode(&file) });
    let Some(opened) = run(&[job]) else { return };
    assert!(decode(&opened[0]) == content);
}

/// Its signatures take too long to verify for a stranger's certificate.
#[test]
fn a_primary_key_on_curve_448_is_refused() {
    let config = json!({ "v6Keys": true, "aeadProtect": true });
    let job = json!({ "op": "generate", "options": { "type": "curve448" }, "config": config });
    let Some(keys) = run(&[job]) else { return };
    let read = Certificate::from_bytes(&decode(&keys[0]["certificate"]));
    assert_eq!(
        read.unwrap_err(),
        SealError::Certificate("a primary key of an algorithm that is not taken")
    );
}

#[test]
fn its_own_keys_work_both_ways() {
    let kinds = [
        json!({ "options": { "type": "ecc", "curve": "curve25519Legacy" } }),
        json!({ "options": { "type": "ecc", "curve": "nistP256" } }),
        json!({ "options": { "type": "curve25519" } }),
        json!({ "options": { "type": "curve25519" }, "config": aead() }),
        json!({ "options": { "type": "curve25519" }, "config": { "v6Keys": true } }),
        json!({ "options": { "type": "rsa", "rsaBits": 2048 } }),
    ];
    let jobs: Vec<Value> = kinds
        .iter()
        .map(|kind| {
            let mut job = kind.clone();
            job["op"] = json!("generate");
            job
        })
        .collect();
    let Some(keys) = run(&jobs) else { return };
    let mut jobs = Vec::new();
    let content = random(20_000);
    for key in &keys {
        let certificate = Certificate::from_bytes(&decode(&key["certificate"])).unwrap();
        assert_eq!(
            certificate.encryption_key().to_string(),
            key["encryptionKey"].as_str().unwrap()
        );
        assert_eq!(certificate.user_id().as_deref(), Some("Peter"));
        let packet = seal_layer(&mut rng(), &certificate, &[&content], 30_000).unwrap();
        jobs.push(json!({ "op": "decrypt", "message": encode(&packet), "secret": key["secret"] }));
        for config in [json!({}), aead()] {
            jobs.push(json!({
                "op": "encrypt", "certificates": [key["certificate"]], "config": config,
                "content": encode(&content),
            }));
        }
    }
    let answers = run(&jobs).unwrap();
    for (key, answers) in keys.iter().zip(answers.chunks(3)) {
        assert!(decode(&answers[0]).starts_with(&content), "it opens ours");
        let armored = key["secret"].as_str().unwrap().as_bytes();
        match SecretCertificate::from_armored(armored) {
            Ok(secret) => {
                for message in &answers[1..] {
                    let ring = Keyring::from(secret.clone());
                    assert_eq!(
                        open_message(&decode(message), &ring, 50_000).unwrap().body,
                        content
                    );
                }
            }
            Err(why) => assert_eq!(
                why,
                SealError::SecretKey("only X25519, X448 and ECDH keys open")
            ),
        }
    }
}
