//! Node records: where a node is, what it charges, which key opens its layers.

use alloy_primitives::keccak256;
use layer_minus_ledger::Tariff;
use layer_minus_seal::Certificate;
use layer_minus_wallet::{Address, Wallet, typed as eip712};
use serde::{Deserialize, Serialize};

use crate::{
    card::{check_network, check_validity, read_certificate},
    error::MessageError,
    json,
    limits::{DOCUMENT_BYTES_MAX, URL_BYTES_MAX, URLS_MAX},
    signed::SignedDocument,
    text, typed,
};

/// What a node announces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordBody {
    /// The network it is for.
    pub network: String,
    /// The node's wallet: its name.
    #[serde(with = "text::eip55")]
    pub node: Address,
    /// The wallet that is paid; not the node's own by default.
    #[serde(with = "text::eip55")]
    pub cash: Address,
    /// The OpenPGP certificate that layers are sealed to.
    #[serde(with = "text::base64_bytes")]
    pub certificate: Vec<u8>,
    /// The certificate that will follow it.
    #[serde(
        default,
        with = "text::base64_opt",
        skip_serializing_if = "Option::is_none"
    )]
    pub next_certificate: Option<Vec<u8>>,
    /// Where packets are posted, path included, in order of preference.
    pub urls: Vec<String>,
    /// Whether it takes clients.
    pub takes_clients: bool,
    /// The exact packet sizes it takes, bytes, ascending.
    pub sizes: Vec<u32>,
    /// What it charges and pays.
    pub prices: Tariff,
    /// Until when, unix time, these prices are fixed for whoever registers or renews now.
    #[serde(with = "text::decimal")]
    pub prices_until: u64,
    /// The smallest limit that a client may authorize, picodollars.
    #[serde(with = "text::decimal")]
    pub minimum_authorization: u64,
    /// How long mail is kept, seconds.
    #[serde(with = "text::decimal")]
    pub retention_secs: u64,
    /// First second of validity, unix time.
    #[serde(with = "text::decimal")]
    pub valid_from: u64,
    /// Last second of validity, unix time, at most 30 days later.
    #[serde(with = "text::decimal")]
    pub valid_until: u64,
    /// Grows with every change.
    #[serde(with = "text::decimal")]
    pub sequence: u64,
}

/// A checked node record.
#[derive(Clone, Debug)]
pub struct NodeRecord {
    /// What it says.
    pub body: RecordBody,
    /// Its certificate, checked.
    pub certificate: Certificate,
    /// The certificate that will follow it, checked.
    pub next_certificate: Option<Certificate>,
    /// As it was signed.
    pub signed: SignedDocument,
}

fn claim(body: &RecordBody, document: &str) -> typed::NodeRecord {
    typed::NodeRecord {
        node: body.node,
        validFrom: body.valid_from,
        validUntil: body.valid_until,
        sequence: body.sequence,
        digest: keccak256(document.as_bytes()),
    }
}

impl NodeRecord {
    /// Signs a record with the wallet that it names.
    ///
    /// # Errors
    /// As [`NodeRecord::read`] at the first second of its validity.
    pub fn sign(wallet: &Wallet, body: RecordBody) -> Result<Self, MessageError> {
        let document = json::write("node record", &body, DOCUMENT_BYTES_MAX)?;
        let signature = eip712::sign(
            wallet,
            &claim(&body, &document),
            &eip712::domain(&body.network),
        )?;
        let (network, now) = (body.network.clone(), body.valid_from);
        Self::read(
            SignedDocument {
                document,
                signature,
            },
            &network,
            now,
        )
    }

    /// Checks a record: signature, network, time, URLs, sizes, certificates.
    ///
    /// # Errors
    /// [`MessageError::TooLarge`], [`MessageError::Malformed`], [`MessageError::WrongNetwork`],
    /// [`MessageError::OutsideValidity`], [`MessageError::WrongSigner`],
    /// [`MessageError::Certificate`], [`MessageError::Rule`].
    pub fn read(signed: SignedDocument, network: &str, now: u64) -> Result<Self, MessageError> {
        let document = signed.document.as_bytes();
        let body: RecordBody = json::read("node record", document, DOCUMENT_BYTES_MAX)?;
        check_network(&body.network, network)?;
        check_validity("node record", body.valid_from, body.valid_until, now)?;
        check_urls(&body.urls)?;
        let sizes: Vec<usize> = body.sizes.iter().map(|&size| size as usize).collect();
        if layer_minus_packet::Sizes::new(&sizes).is_err() {
            return Err(MessageError::Rule(
                "packet sizes of the node record are not usable",
            ));
        }
        let claim = claim(&body, &signed.document);
        let found = eip712::signer_of(&claim, &eip712::domain(network), &signed.signature)?;
        if found != body.node {
            return Err(MessageError::WrongSigner {
                found,
                expected: body.node,
            });
        }
        let certificate = read_certificate(&body.certificate, body.node)?;
        let next_certificate = match &body.next_certificate {
            Some(bytes) => Some(read_certificate(bytes, body.node)?),
            None => None,
        };
        Ok(Self {
            body,
            certificate,
            next_certificate,
            signed,
        })
    }

    /// The node's address.
    #[must_use]
    pub const fn node(&self) -> Address {
        self.body.node
    }
}

fn check_urls(urls: &[String]) -> Result<(), MessageError> {
    if urls.is_empty() || urls.len() > URLS_MAX {
        return Err(MessageError::Rule(
            "node record names no URL, or more than 8",
        ));
    }
    for url in urls {
        let rest = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"));
        let shaped = rest.is_some_and(|rest| {
            rest.find('/').is_some_and(|slash| slash > 0)
                && rest.bytes().all(|byte| byte.is_ascii_graphic())
                && !rest.contains(['@', '#', '"', '<', '>', '\\'])
        });
        if !shaped || url.len() > URL_BYTES_MAX {
            return Err(MessageError::Rule(
                "URL of a node record is not http(s)://host[:port]/path",
            ));
        }
    }
    Ok(())
}
