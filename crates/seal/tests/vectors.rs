//! The vectors of what is sealed, `docs/spec/vectors/{seal,records}.json`.
//!
//! They are made here from a fixed seed. The tests make them anew and compare, and open what is kept:
//! a change of the wire format shows as a difference. `REGENERATE_VECTORS=1` writes them instead.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// A test may read and write files.
#![allow(clippy::disallowed_methods)]

mod common;

use std::path::PathBuf;

use common::{ADDRESS, NOW, VERSIONS, party, rng};
use layer_minus_seal::{
    Keyring, RecordOpener, RecordSealer, ReplyKey, SecretCertificate, Version, open_layer,
    open_message, seal_layer,
};
use rand::RngCore;
use serde_json::{Value, json};

/// Of the layers here: small, so that they can be read. The wire's come from the network's list.
const SIZE: usize = 1_024;
/// Of a challenge's layer.
const CHALLENGE_SIZE: usize = 2_300;
/// The smallest size of an answer on the wire.
const ANSWER_SIZE: usize = 4_096;

fn hex0x(bytes: impl AsRef<[u8]>) -> String {
    let digits = bytes.as_ref().iter().map(|byte| format!("{byte:02x}"));
    format!("0x{}", digits.collect::<String>())
}

fn bytes(hex: &Value) -> Vec<u8> {
    let digits = hex.as_str().unwrap().strip_prefix("0x").unwrap();
    let at = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(at).collect()
}

/// Compares with what is kept, and returns that.
fn check(name: &str, made: &Value) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/spec/vectors")
        .join(format!("{name}.json"));
    if std::env::var_os("REGENERATE_VECTORS").is_some_and(|set| set == "1") {
        std::fs::write(path, format!("{made:#}\n")).unwrap();
        return made.clone();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert!(
        kept == *made,
        "{name}.json differs from what this code writes"
    );
    kept
}

/// The nonce, and who asks whom: the node's and the wallet's address.
fn challenge() -> Vec<u8> {
    [&[0xc4; 32][..], &[0x0d; 20], &[0xb0; 20]].concat()
}

fn layer(name: &str, to: &SecretCertificate, content: &[u8], size: usize, seed: u64) -> Value {
    let mut rng = rng();
    rng.set_stream(seed);
    let sealed = seal_layer(&mut rng, &to.certificate(), &[content], size).unwrap();
    json!({
        "name": name,
        "size": size,
        "content": hex0x(content),
        "sealed": hex0x(&sealed),
    })
}

fn keys(version: Version) -> Value {
    let secret = party(version);
    let certificate = secret.certificate();
    let layers = [
        ("a layer", &b"Hello Bobo"[..], SIZE),
        ("nothing but fill", b"", SIZE),
        (
            "a challenge: nonce, node, wallet",
            &challenge(),
            CHALLENGE_SIZE,
        ),
    ];
    let layers = layers
        .iter()
        .zip(1..)
        .map(|((name, content, size), seed)| layer(name, &secret, content, *size, seed));
    json!({
        "version": if version == Version::V6 { "v6" } else { "v4" },
        "secret_key": hex0x(&secret.to_bytes()[..]),
        "certificate": hex0x(certificate.as_bytes()),
        "encryption_key": certificate.encryption_key().to_string(),
        "key_id": certificate.encryption_key_id().to_string(),
        "container": if certificate.reads_seipd_v2() { "SEIPD v2" } else { "SEIPD v1" },
        "layers": layers.collect::<Vec<_>>(),
    })
}

#[test]
fn layers_are_sealed_as_the_vectors_say_and_open() {
    let kept = check(
        "seal",
        &json!({
            "about": "A layer: one PKESK, one SEIPD, inside it one literal that holds the content and \
                      zeros to the exact size. A letter is a layer sealed to a person. Secret keys \
                      are transferable secret keys without a password, binary.",
            "created_at": NOW.to_string(),
            "user_id": ADDRESS,
            "keys": VERSIONS.map(keys),
        }),
    );
    for (case, version) in kept["keys"].as_array().unwrap().iter().zip(VERSIONS) {
        assert_eq!(case["container"] == "SEIPD v2", version == Version::V6);
        let secret = SecretCertificate::from_bytes(&bytes(&case["secret_key"])).unwrap();
        let ring = Keyring::from(secret);
        for layer in case["layers"].as_array().unwrap() {
            let (sealed, content) = (bytes(&layer["sealed"]), bytes(&layer["content"]));
            assert_eq!(layer["size"], sealed.len());
            let body = open_layer(&sealed, &ring).unwrap().body;
            let (start, fill) = body.split_at(content.len());
            assert_eq!(start, content);
            assert!(fill.iter().all(|octet| *octet == 0));
            // The same bytes, read as a person's client reads what it gets.
            let message = open_message(&sealed, &ring, SIZE * 4).unwrap();
            assert!(message.body.starts_with(&content));
        }
    }
}

/// A generator whose first bytes are an answer's random.
struct Fixed(u8);

impl RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        u32::from_be_bytes([self.0; 4])
    }
    fn next_u64(&mut self) -> u64 {
        u64::from_be_bytes([self.0; 8])
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl rand::CryptoRng for Fixed {}

/// The records of one answer. Each is sealed under every key in turn, the innermost first; the
/// outermost seal pads.
fn answer(name: &str, keys: &[ReplyKey], contents: &[&[u8]], pad_to: Option<usize>) -> Value {
    let mut sealers: Vec<RecordSealer> = keys
        .iter()
        .zip(0x50..)
        .map(|(key, random)| RecordSealer::new(key, &mut Fixed(random)))
        .collect();
    let records = contents.iter().map(|content| {
        let mut record = content.to_vec();
        let last = sealers.len() - 1;
        for (at, sealer) in sealers.iter_mut().enumerate() {
            let pad = if at == last { pad_to } else { None };
            record = sealer.seal(&record, pad).unwrap();
        }
        json!({ "content": hex0x(content), "record": hex0x(record) })
    });
    let records: Vec<Value> = records.collect();
    let randoms = (0x50_u8..)
        .take(keys.len())
        .map(|random| hex0x([random; 32]));
    json!({
        "name": name,
        "reply_keys_innermost_first": keys.iter().map(|key| hex0x(key.as_bytes())).collect::<Vec<_>>(),
        "randoms": randoms.collect::<Vec<_>>(),
        "padded_to": pad_to,
        "records": records,
    })
}

#[test]
fn answers_are_sealed_as_the_vectors_say_and_open() {
    let (inner, outer) = (
        ReplyKey::from_bytes([0x11; 32]),
        ReplyKey::from_bytes(std::array::from_fn(|at| at as u8)),
    );
    let one = [inner.clone()];
    let two = [inner, outer];
    let contents: [&[u8]; 2] = [b"\0{\"answer\":\"heartbeat\"}", b"\x01second"];
    let kept = check(
        "records",
        &json!({
            "about": "Answers: reply key and random give the bytes. The first content byte is the \
                      type of the content.",
            "info": "layer-minus answer v1",
            "answers": [
                answer("two records, no fill", &one, &contents, None),
                answer("one record, padded", &one, &contents[..1], Some(ANSWER_SIZE)),
                answer("two records under two layers, padded", &two, &contents, Some(ANSWER_SIZE)),
            ],
        }),
    );
    for answer in kept["answers"].as_array().unwrap() {
        let keys = answer["reply_keys_innermost_first"].as_array().unwrap();
        let mut openers: Vec<RecordOpener> = keys
            .iter()
            .map(|key| RecordOpener::new(&ReplyKey::from_bytes(bytes(key).try_into().unwrap())))
            .collect();
        for record in answer["records"].as_array().unwrap() {
            let mut content = bytes(&record["record"]);
            for opener in openers.iter_mut().rev() {
                content = opener.open(&content).unwrap();
            }
            assert_eq!(content, bytes(&record["content"]), "{}", answer["name"]);
        }
    }
}
