//! Cards: how to reach a person. Signed by the wallet; a newer version replaces an older one.

use alloy_primitives::keccak256;
use layer_minus_packet::Fingerprint;
use layer_minus_seal::Certificate;
use layer_minus_wallet::{Address, Wallet, parse_address, typed as eip712};
use serde::{Deserialize, Serialize};

use crate::{
    error::MessageError,
    frame::InboxToken,
    json,
    limits::{
        CERTIFICATE_BYTES_MAX, CLOCK_WINDOW_SECS, DOCUMENT_BYTES_MAX, NETWORK_ID_BYTES_MAX,
        VALIDITY_SECS_MAX,
    },
    signed::SignedDocument,
    text, typed,
};

/// What a card says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardBody {
    /// The network it is for.
    pub network: String,
    /// The person's device wallet: the name people write to.
    #[serde(with = "text::eip55")]
    pub wallet: Address,
    /// The node that takes the person's mail.
    #[serde(with = "text::eip55")]
    pub node: Address,
    /// The OpenPGP certificate that letters are sealed to.
    #[serde(with = "text::base64_bytes")]
    pub certificate: Vec<u8>,
    /// First second of validity, unix time.
    #[serde(with = "text::decimal")]
    pub valid_from: u64,
    /// Last second of validity, unix time, at most 30 days later.
    #[serde(with = "text::decimal")]
    pub valid_until: u64,
    /// Grows with every change.
    #[serde(with = "text::decimal")]
    pub version: u64,
}

impl CardBody {
    /// What a card says that was checked before, when it came: nothing is checked again.
    ///
    /// # Errors
    /// [`MessageError::TooLarge`], [`MessageError::Malformed`].
    pub fn of_checked(signed: &SignedDocument) -> Result<Self, MessageError> {
        json::read("card", signed.document.as_bytes(), DOCUMENT_BYTES_MAX)
    }
}

/// A checked card.
#[derive(Clone, Debug)]
pub struct Card {
    /// What it says.
    pub body: CardBody,
    /// Its certificate, checked.
    pub certificate: Certificate,
    /// As it was signed.
    pub signed: SignedDocument,
}

fn claim(body: &CardBody, document: &str) -> typed::Card {
    typed::Card {
        wallet: body.wallet,
        node: body.node,
        validFrom: body.valid_from,
        validUntil: body.valid_until,
        version: body.version,
        digest: keccak256(document.as_bytes()),
    }
}

impl Card {
    /// Signs a card with the wallet that it names.
    ///
    /// # Errors
    /// As [`Card::read`] at the first second of its validity.
    pub fn sign(wallet: &Wallet, body: CardBody) -> Result<Self, MessageError> {
        let document = json::write("card", &body, DOCUMENT_BYTES_MAX)?;
        let signature = eip712::sign(
            wallet,
            &claim(&body, &document),
            &eip712::domain(&body.network),
        )?;
        let now = body.valid_from;
        let network = body.network.clone();
        Self::read(
            SignedDocument {
                document,
                signature,
            },
            &network,
            now,
        )
    }

    /// Checks a card: signature, network, time, certificate and that its User ID is the address.
    ///
    /// # Errors
    /// [`MessageError::TooLarge`], [`MessageError::Malformed`], [`MessageError::WrongNetwork`],
    /// [`MessageError::OutsideValidity`], [`MessageError::WrongSigner`],
    /// [`MessageError::Certificate`], [`MessageError::Rule`].
    pub fn read(signed: SignedDocument, network: &str, now: u64) -> Result<Self, MessageError> {
        let body: CardBody = json::read("card", signed.document.as_bytes(), DOCUMENT_BYTES_MAX)?;
        check_network(&body.network, network)?;
        check_validity("card", body.valid_from, body.valid_until, now)?;
        let claim = claim(&body, &signed.document);
        let found = eip712::signer_of(&claim, &eip712::domain(network), &signed.signature)?;
        if found != body.wallet {
            return Err(MessageError::WrongSigner {
                found,
                expected: body.wallet,
            });
        }
        let certificate = read_certificate(&body.certificate, body.wallet)?;
        Ok(Self {
            body,
            certificate,
            signed,
        })
    }

    /// The short text: address, node and digest. It fits a QR code; the `card` command of the node
    /// brings the rest.
    #[must_use]
    pub fn short(&self) -> ShortCard {
        ShortCard {
            wallet: self.body.wallet,
            node: self.body.node,
            digest: ShortCard::digest_of(&self.signed),
        }
    }

    /// The encryption key by which a node knows the person.
    #[must_use]
    pub fn encryption_key(&self) -> Fingerprint {
        self.certificate.encryption_key()
    }
}

/// A card as a person hands it out: with the inbox capability, which no node serves.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FullCard {
    /// The signed card.
    pub card: SignedDocument,
    /// Mail that shows it is not counted as a stranger's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox: Option<InboxToken>,
}

/// A card in one line: `lm1:<address>:<node>:<digest>`.
///
/// The digest is the first 128 bits of the keccak-256 of the signed text; a newer card of the same
/// wallet is accepted in its place, because the wallet's signature is what counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortCard {
    /// The person's wallet.
    pub wallet: Address,
    /// The person's node.
    pub node: Address,
    /// Of the card that it was made from.
    pub digest: [u8; 16],
}

impl ShortCard {
    /// What the short card of a signed card holds of it.
    #[must_use]
    pub fn digest_of(card: &SignedDocument) -> [u8; 16] {
        let digest = keccak256(card.document.as_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        first
    }
}

impl std::fmt::Display for ShortCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "lm1:{}:{}:{}",
            self.wallet,
            self.node,
            hex::encode(self.digest)
        )
    }
}

impl std::str::FromStr for ShortCard {
    type Err = MessageError;

    fn from_str(text: &str) -> Result<Self, MessageError> {
        const SHAPE: MessageError =
            MessageError::Rule("short card is not lm1:<address>:<node>:<32 hex digits>");
        let rest = text.trim().strip_prefix("lm1:").ok_or(SHAPE)?;
        let mut parts = rest.split(':');
        let (Some(wallet), Some(node), Some(digest), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SHAPE);
        };
        let mut bytes = [0; 16];
        hex::decode_to_slice(digest, &mut bytes).map_err(|_| SHAPE)?;
        Ok(Self {
            wallet: parse_address(wallet)?,
            node: parse_address(node)?,
            digest: bytes,
        })
    }
}

pub(crate) fn check_network(found: &str, expected: &str) -> Result<(), MessageError> {
    if found == expected {
        return Ok(());
    }
    let found = found[..found.floor_char_boundary(NETWORK_ID_BYTES_MAX)].to_owned();
    Err(MessageError::WrongNetwork {
        found,
        expected: expected.to_owned(),
    })
}

pub(crate) fn check_validity(
    what: &'static str,
    from: u64,
    until: u64,
    now: u64,
) -> Result<(), MessageError> {
    let too_long = until.saturating_sub(from) > VALIDITY_SECS_MAX;
    // A record made a moment ago by a machine whose clock is a little ahead is still good.
    let early = from > now.saturating_add(CLOCK_WINDOW_SECS);
    if from > until || too_long || early || now > until {
        return Err(MessageError::OutsideValidity {
            what,
            from,
            until,
            now,
        });
    }
    Ok(())
}

pub(crate) fn read_certificate(bytes: &[u8], owner: Address) -> Result<Certificate, MessageError> {
    if bytes.len() > CERTIFICATE_BYTES_MAX {
        return Err(MessageError::TooLarge {
            what: "certificate",
            have: bytes.len(),
            max: CERTIFICATE_BYTES_MAX,
        });
    }
    let certificate = Certificate::from_bytes(bytes)?;
    let named = certificate
        .user_id()
        .and_then(|user_id| parse_address(&user_id).ok());
    if named != Some(owner) {
        return Err(MessageError::Rule(
            "user ID of the certificate is not the wallet's address",
        ));
    }
    Ok(certificate)
}
