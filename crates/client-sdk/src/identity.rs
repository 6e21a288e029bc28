//! Who a client is: wallets in the drawer, and what it needs every day.

mod stored;

pub use stored::IDENTITY_BYTES_MAX;

use alloy_primitives::Address;
use layer_minus_delivery::{ConsumerId, Mode};
use layer_minus_message::{
    Authorization, Card, CardBody, Chain, FullCard, InboxToken, NodeRecord, Registration,
    SignedDocument, letter::sha256, limits::VALIDITY_SECS_MAX,
};
use layer_minus_packet::Fingerprint;
use layer_minus_seal::{Keyring, SecretCertificate, Version, open_message};
use layer_minus_wallet::{DeviceKey, Scope, Wallet};
use rand::{CryptoRng, RngCore};

use crate::error::SdkError;

/// How long a card is good, seconds: the longest that the protocol allows.
pub const CARD_SECS: u64 = VALIDITY_SECS_MAX;
/// A card with less time left than this should be renewed, seconds.
pub const CARD_RENEWAL_SECS: u64 = 10 * 86_400;
/// How long a device may sign before the wallet has to say so again, seconds.
pub const DELEGATION_SECS: u64 = 365 * 86_400;
/// A delegation with less time left than this is renewed with the card, seconds.
pub const DELEGATION_RENEWAL_SECS: u64 = 60 * 86_400;
/// How long an authorization is good, seconds.
pub const AUTHORIZATION_SECS: u64 = 180 * 86_400;
/// An authorization with less time left than this is followed by one on a new channel, seconds.
pub const AUTHORIZATION_RENEWAL_SECS: u64 = AUTHORIZATION_SECS / 10;
/// Most left channels whose terms are kept.
pub const FORMER_MAX: usize = 16;
/// Bytes a day that strangers may send unless the client says otherwise.
pub const STRANGERS_BYTES_PER_DAY: u64 = 2_000_000;
/// Most superseded certificates that are kept open. With so many there is no further rotation: none
/// is destroyed as long as something may be sealed to it.
pub const SUPERSEDED_MAX: usize = 8;
/// Longest sealed challenge that is opened, bytes.
const CHALLENGE_BYTES_MAX: usize = 8_192;
const CHALLENGE_NONCE_BYTES: usize = 32;

/// The two wallets. They stay in the drawer: registering, renewing the card and authorizing need
/// them, sending and listening do not.
#[derive(Clone, Debug)]
pub struct Wallets {
    /// Its address is the name that people write to.
    pub wallet: Wallet,
    /// It pays. No public record joins it with the other one.
    pub cash: Wallet,
}

impl Wallets {
    /// Two new ones.
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        Self {
            wallet: Wallet::generate(rng),
            cash: Wallet::generate(rng),
        }
    }
}

/// A certificate that was replaced, and still opens what was sealed to it.
#[derive(Clone, Debug)]
pub struct Superseded {
    /// What opens.
    pub certificate: SecretCertificate,
    /// Last second in which a card that names it is valid; then it is destroyed.
    pub until: u64,
}

/// The node that takes a client's mail, and what it may deduct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The node.
    pub node: Address,
    /// The newest authorization that the node accepted.
    pub authorization: Authorization,
}

/// Everything that a client needs every day. Secret; `Debug` prints none of it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The network's id.
    pub network: String,
    /// Signs commands and letters in the wallet's name.
    pub device: DeviceKey,
    /// Opens mail; letters are sealed to its public part.
    pub certificate: SecretCertificate,
    /// A certificate that was made but is not on an accepted card yet. It opens already: the node
    /// may have taken the card without the answer reaching us.
    pub next: Option<SecretCertificate>,
    /// Replaced certificates, newest first.
    pub superseded: Vec<Superseded>,
    /// What comes with the card: mail that shows it is no stranger's.
    pub inbox: InboxToken,
    /// Which consumer of the mailbox this device is.
    pub consumer: ConsumerId,
    /// Version of the newest card that was signed.
    pub card_version: u64,
    /// The newest card that a node accepted.
    pub card: Option<SignedDocument>,
    /// The node, once registered.
    pub membership: Option<Membership>,
    /// Left channels on which somebody may have deposited, newest first: with their terms alone it is taken back.
    pub former: Vec<Membership>,
}

/// Terms of a registration.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Highest cumulative total that the node may deduct, in token units (10^6 p$).
    pub limit_units: u64,
    /// A one-time code that brings a grant.
    pub invite: Option<String>,
    /// Bytes a day for mail without the inbox capability; none takes
    /// [`STRANGERS_BYTES_PER_DAY`].
    pub strangers_bytes_per_day: Option<u64>,
    /// Where the authorization could be settled.
    pub chain: Chain,
    /// Sign on a new channel, whatever there is: the old one was revoked.
    pub new_channel: bool,
}

impl Identity {
    /// A new identity of a wallet: device key, certificate, inbox capability, consumer.
    ///
    /// # Errors
    /// [`SdkError::Seal`] if `now` is outside of OpenPGP's range.
    pub fn generate(
        wallet: &Wallet,
        network: &str,
        version: Version,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, SdkError> {
        let device = DeviceKey::generate(rng, wallet, network, Scope::ALL, now, DELEGATION_SECS)?;
        let mut inbox = [0; 16];
        rng.fill_bytes(&mut inbox);
        Ok(Self {
            network: network.to_owned(),
            device,
            certificate: certificate_of(wallet.address(), version, now, rng)?,
            next: None,
            superseded: Vec::new(),
            inbox: InboxToken(inbox),
            consumer: new_consumer(rng),
            card_version: 0,
            card: None,
            membership: None,
            former: Vec::new(),
        })
    }

    /// The name that people write to.
    #[must_use]
    pub fn address(&self) -> Address {
        self.device.wallet()
    }

    /// The node, once registered.
    #[must_use]
    pub fn node(&self) -> Option<Address> {
        self.membership.as_ref().map(|membership| membership.node)
    }

    /// Where the authorization that a node has could be settled; nowhere if it has none.
    #[must_use]
    pub fn chain_at(&self, node: Address) -> Chain {
        let membership = self.membership.as_ref().filter(|it| it.node == node);
        membership.map_or_else(Chain::default, |it| it.authorization.chain)
    }

    /// Which consumer listens in that mode. In `each` mode that is this device; in `share` mode all
    /// devices of the wallet are one, so that a server can run on several machines.
    #[must_use]
    pub fn consumer_for(&self, mode: Mode) -> ConsumerId {
        match mode {
            Mode::Each => self.consumer,
            Mode::Share => {
                let mut content = b"layer-minus shared consumer v1".to_vec();
                content.extend_from_slice(&self.inbox.0);
                let mut id = [0; 16];
                id.copy_from_slice(&sha256(&content)[..16]);
                ConsumerId::new(id)
            }
        }
    }

    /// Makes this a second device of the same wallet: its own key, its own consumer.
    ///
    /// # Errors
    /// [`SdkError::Wallet`].
    pub fn become_another_device(
        &mut self,
        wallet: &Wallet,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(), SdkError> {
        self.device =
            DeviceKey::generate(rng, wallet, &self.network, Scope::ALL, now, DELEGATION_SECS)?;
        self.consumer = new_consumer(rng);
        Ok(())
    }

    /// All that opens mail.
    #[must_use]
    pub fn keyring(&self) -> Keyring {
        let superseded = self.superseded.iter().map(|old| &old.certificate);
        [&self.certificate]
            .into_iter()
            .chain(&self.next)
            .chain(superseded)
            .cloned()
            .collect()
    }

    /// Makes the certificate that the next registration puts on the card; the address stays.
    /// An unfinished rotation is taken up again: the node may have accepted its certificate already.
    ///
    /// # Errors
    /// [`SdkError::Seal`]; [`SdkError::Rotation`] when the unfinished one is of another version, or
    /// [`SUPERSEDED_MAX`] certificates are still good.
    pub fn rotate(
        &mut self,
        version: Version,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(), SdkError> {
        if let Some(next) = &self.next {
            if version_of(next) == version {
                return Ok(());
            }
            let why = "a rotation to the other version is unfinished; finish that first";
            return Err(SdkError::Rotation(why));
        }
        self.forget_superseded(now);
        if self.superseded.len() >= SUPERSEDED_MAX {
            let why =
                "as many as are kept were replaced lately; wait until the oldest is out of date";
            return Err(SdkError::Rotation(why));
        }
        self.next = Some(certificate_of(self.address(), version, now, rng)?);
        Ok(())
    }

    /// Signs a card for `node` and what goes with it to register there. Also renews the delegation
    /// of the device when that runs out.
    ///
    /// # Errors
    /// [`SdkError::Message`], [`SdkError::Wallet`]; [`SdkError::WrongSubject`] if the wallets are
    /// another identity's.
    pub fn registration(
        &mut self,
        wallets: &Wallets,
        node: &NodeRecord,
        terms: &Terms,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(Card, Registration), SdkError> {
        self.check_wallet(&wallets.wallet)?;
        self.renew_delegation(&wallets.wallet, now, rng)?;
        let authorization = self.authorization(&wallets.cash, node, terms, now, rng)?;
        let card = self.sign_card(&wallets.wallet, node.node(), now)?;
        let registration = Registration {
            card: card.signed.clone(),
            authorization,
            invite: terms.invite.clone(),
            inbox_digest: sha256(&self.inbox.0),
            strangers_bytes_per_day: terms
                .strangers_bytes_per_day
                .unwrap_or(STRANGERS_BYTES_PER_DAY),
        };
        Ok((card, registration))
    }

    /// A new limit for `node`: on the channel that it has, as long as that is good, because a node
    /// counts cumulatively; else on a new one.
    ///
    /// # Errors
    /// [`SdkError::Message`].
    pub fn authorization(
        &self,
        cash: &Wallet,
        node: &NodeRecord,
        terms: &Terms,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Authorization, SdkError> {
        let known = self.membership.as_ref().filter(|membership| {
            let old = &membership.authorization;
            !terms.new_channel
                && membership.node == node.node()
                && old.receiver == node.body.cash
                && old.payer == cash.address()
                && old.chain == terms.chain
                && old.expires_at > now.saturating_add(renewal_secs(&old.chain))
        });
        let client = self.address();
        match known {
            Some(membership) => {
                let mut authorization = membership.authorization.clone();
                authorization.resign(cash, client, terms.limit_units)?;
                Ok(authorization)
            }
            None => Ok(Authorization::sign(
                cash,
                client,
                node.into(),
                terms.chain,
                terms.limit_units,
                now.saturating_add(AUTHORIZATION_SECS),
                rng,
            )?),
        }
    }

    /// The node accepted a registration: its card counts, and a certificate that it replaced is
    /// kept until the last card that names it is out of date.
    pub fn registered(&mut self, card: &Card, authorization: Authorization, now: u64) {
        let on_card = card.encryption_key();
        let promoted = self
            .next
            .take_if(|next| next.certificate().encryption_key() == on_card);
        if let Some(next) = promoted {
            let certificate = std::mem::replace(&mut self.certificate, next);
            // A letter may have been sealed to the old card up to its last second, and may then
            // wait in a mailbox for as long as the new card lives.
            let until = now.saturating_add(2 * CARD_SECS);
            self.superseded.insert(0, Superseded { certificate, until });
        }
        self.card = Some(card.signed.clone());
        self.join(Some(Membership {
            node: card.body.node,
            authorization,
        }));
    }

    /// The node accepted an authorization.
    pub fn authorized(&mut self, authorization: Authorization) {
        if let Some(node) = self.node() {
            self.join(Some(Membership {
                node,
                authorization,
            }));
        }
    }

    fn join(&mut self, membership: Option<Membership>) {
        let left = std::mem::replace(&mut self.membership, membership);
        let current = self.membership.as_ref().map(|it| it.authorization.opening);
        let on_chain = left.filter(|it| it.authorization.chain.chain_id != 0);
        let opening = |it: &Membership| it.authorization.opening;
        // One that is taken up again is not left.
        self.former.retain(|it| Some(opening(it)) != current);
        if let Some(left) = on_chain.filter(|it| Some(opening(it)) != current) {
            self.former.retain(|it| opening(it) != opening(&left));
            self.former.insert(0, left);
            self.former.truncate(FORMER_MAX);
        }
    }

    /// The node does not know us any more.
    pub fn unregistered(&mut self) {
        self.card = None;
        self.join(None);
    }

    /// Destroys superseded certificates whose time is over; says how many.
    pub fn forget_superseded(&mut self, now: u64) -> usize {
        let before = self.superseded.len();
        self.superseded.retain(|old| old.until >= now);
        before - self.superseded.len()
    }

    /// The accepted card, if it is still good.
    ///
    /// # Errors
    /// [`SdkError::Message`] when it has expired.
    pub fn card(&self, now: u64) -> Result<Option<Card>, SdkError> {
        let signed = self.card.clone();
        Ok(signed
            .map(|signed| Card::read(signed, &self.network, now))
            .transpose()?)
    }

    /// The accepted card as it is handed out, with the inbox capability.
    #[must_use]
    pub fn full_card(&self) -> Option<FullCard> {
        let card = self.card.clone()?;
        Some(FullCard {
            card,
            inbox: Some(self.inbox),
        })
    }

    /// Whether the card should be renewed: none, expired, or soon.
    #[must_use]
    pub fn needs_renewal(&self, now: u64) -> bool {
        match self.card(now.saturating_add(CARD_RENEWAL_SECS)) {
            Ok(Some(_)) => false,
            Ok(None) | Err(_) => true,
        }
    }

    /// Opens the challenge of a registration.
    ///
    /// Only what has the form of a challenge is answered, so that a node cannot have us read out
    /// mail that it holds: a nonce, the node's and our address, and zeros. The addresses keep a node from
    /// passing on another node's challenge, by which it would take our key over there.
    ///
    /// # Errors
    /// [`SdkError::Seal`], [`SdkError::Challenge`].
    pub fn open_challenge(
        &self,
        sealed: &[u8],
        node: Address,
    ) -> Result<[u8; CHALLENGE_NONCE_BYTES], SdkError> {
        let opened = open_message(sealed, &self.keyring(), CHALLENGE_BYTES_MAX)?;
        let Some((nonce, rest)) = opened.body.split_first_chunk::<CHALLENGE_NONCE_BYTES>() else {
            return Err(SdkError::Challenge("shorter than a nonce"));
        };
        let named = [node.as_slice(), self.address().as_slice()].concat();
        let Some(fill) = rest.strip_prefix(&named[..]) else {
            return Err(SdkError::Challenge(
                "of another node, or for another wallet: it is not answered",
            ));
        };
        if fill.iter().any(|&byte| byte != 0) {
            return Err(SdkError::Challenge("something else than zeros at its end"));
        }
        Ok(*nonce)
    }

    fn check_wallet(&self, wallet: &Wallet) -> Result<(), SdkError> {
        let (asked, found) = (self.address(), wallet.address());
        if asked == found {
            Ok(())
        } else {
            Err(SdkError::WrongSubject { asked, found })
        }
    }

    fn renew_delegation(
        &mut self,
        wallet: &Wallet,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(), SdkError> {
        let until = self.device.delegation().expires_at;
        if until <= now.saturating_add(DELEGATION_RENEWAL_SECS) {
            self.device =
                DeviceKey::generate(rng, wallet, &self.network, Scope::ALL, now, DELEGATION_SECS)?;
        }
        Ok(())
    }

    fn sign_card(&mut self, wallet: &Wallet, node: Address, now: u64) -> Result<Card, SdkError> {
        // The time, so that two devices of one wallet do not sign two cards with one number.
        let version = self.card_version.saturating_add(1).max(now);
        let certificate = self.next.as_ref().unwrap_or(&self.certificate);
        let body = CardBody {
            network: self.network.clone(),
            wallet: wallet.address(),
            node,
            certificate: certificate.certificate().to_bytes(),
            valid_from: now,
            valid_until: now.saturating_add(CARD_SECS),
            version,
        };
        let card = Card::sign(wallet, body)?;
        self.card_version = version;
        Ok(card)
    }
}

/// With how much time left a paper is followed by one on a new channel, seconds. A deposit is one channel's, so
/// that such a one is used to its end.
const fn renewal_secs(chain: &Chain) -> u64 {
    match chain.chain_id {
        0 => AUTHORIZATION_RENEWAL_SECS,
        _ => 0,
    }
}

fn certificate_of(
    wallet: Address,
    version: Version,
    now: u64,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<SecretCertificate, SdkError> {
    Ok(SecretCertificate::generate(
        rng,
        now,
        version,
        &wallet.to_checksum(None),
    )?)
}

fn version_of(certificate: &SecretCertificate) -> Version {
    match certificate.certificate().fingerprint() {
        Fingerprint::V4(_) => Version::V4,
        Fingerprint::V6(_) => Version::V6,
    }
}

fn new_consumer(rng: &mut (impl RngCore + CryptoRng)) -> ConsumerId {
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    ConsumerId::new(id)
}
