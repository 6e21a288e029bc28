//! Messages made and read by OpenPGP.js.

use std::path::PathBuf;

use pgp::{
    composed::{PlainSessionKey, RawSessionKey},
    crypto::sym::SymmetricKeyAlgorithm,
};
use serde::Deserialize;

use crate::{
    rpgp,
    sample::{Inside, Sample},
    tools,
};

/// Node with OpenPGP.js.
pub(crate) struct OpenPgpJs {
    installed: PathBuf,
}

#[derive(Deserialize)]
struct Made {
    name: String,
    message: String,
    recipients: Vec<String>,
    session: Session,
    content: String,
}

#[derive(Deserialize)]
struct Session {
    algorithm: u8,
    key: String,
}

impl OpenPgpJs {
    /// `None` when there is no `node` or no OpenPGP.js.
    pub(crate) fn new() -> Option<Self> {
        tools::openpgp_js().map(|installed| Self { installed })
    }

    fn run(&self, script: &str, input: &str) -> Vec<u8> {
        let script = format!("tests/interop/{script}");
        tools::on_node(&script, &self.installed, input.as_bytes())
    }

    /// Messages of every kind that OpenPGP.js makes.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let made: Vec<Made> = serde_json::from_slice(&self.run("make.mjs", "")).unwrap();
        made.into_iter()
            .map(|made| {
                let octets = decode(&made.message);
                let key = RawSessionKey::from(decode(&made.session.key));
                let session = match made.recipients.iter().any(|named| named.len() > 16)
                    || layer_minus_packet::admit_message(&octets)
                        .unwrap()
                        .version()
                        .number()
                        == 2
                {
                    true => PlainSessionKey::V6 { key },
                    false => {
                        let sym_alg = SymmetricKeyAlgorithm::from(made.session.algorithm);
                        PlainSessionKey::V3_4 { sym_alg, key }
                    }
                };
                let signatures = match made.name.as_str() {
                    "signed" | "signed v6" => 2,
                    _ => 0,
                };
                let plaintext = rpgp::decrypt(&octets, &session);
                let content = decode(&made.content);
                Sample {
                    name: format!("OpenPGP.js: {}", made.name),
                    octets,
                    recipients: made.recipients,
                    has_password: false,
                    inside: Some(Inside::Content {
                        plaintext,
                        content,
                        signatures,
                    }),
                }
            })
            .collect()
    }

    /// Whom OpenPGP.js says the PKESKs of each message name.
    pub(crate) fn recipients(&self, samples: &[Sample]) -> Vec<Vec<String>> {
        let messages: Vec<_> = samples
            .iter()
            .map(|sample| encode(&sample.octets))
            .collect();
        let input = serde_json::to_string(&messages).unwrap();
        serde_json::from_slice(&self.run("read.mjs", &input)).unwrap()
    }
}

fn decode(text: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap()
}

fn encode(octets: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, octets)
}
