//! An identity as bytes. They hold secrets: whoever stores them encrypts them.

use layer_minus_delivery::ConsumerId;
use layer_minus_message::{Authorization, InboxToken, SignedDocument, text};
use layer_minus_seal::SecretCertificate;
use layer_minus_wallet::{Address, DeviceKey, SignedDelegation, Wallet};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{FORMER_MAX, Identity, Membership, SUPERSEDED_MAX, Superseded, Wallets};
use crate::error::SdkError;

/// Version of the stored form.
const STORED_VERSION: u32 = 1;
/// Longest stored identity that is read, bytes.
pub const IDENTITY_BYTES_MAX: usize = 512 * 1024;

/// Secret bytes in base64, erased when dropped.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
struct Secret(#[serde(with = "text::base64_bytes")] Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSuperseded {
    certificate: Secret,
    #[serde(with = "text::decimal")]
    until: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredMembership {
    #[serde(with = "text::eip55")]
    node: Address,
    authorization: Authorization,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    network: String,
    device_key: Secret,
    delegation: SignedDelegation,
    certificate: Secret,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Secret>,
    superseded: Vec<StoredSuperseded>,
    inbox: InboxToken,
    consumer: ConsumerId,
    #[serde(with = "text::decimal")]
    card_version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    card: Option<SignedDocument>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    membership: Option<StoredMembership>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    former: Vec<StoredMembership>,
}

impl From<&Membership> for StoredMembership {
    fn from(membership: &Membership) -> Self {
        Self {
            node: membership.node,
            authorization: membership.authorization.clone(),
        }
    }
}

impl From<StoredMembership> for Membership {
    fn from(stored: StoredMembership) -> Self {
        Self {
            node: stored.node,
            authorization: stored.authorization,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredWallets {
    version: u32,
    wallet: Secret,
    cash: Secret,
}

fn write<T: Serialize>(value: &T) -> Result<Zeroizing<Vec<u8>>, SdkError> {
    // Room beforehand, since growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    serde_json::to_writer(&mut *bytes, value)
        .map_err(|_| SdkError::Identity("cannot be written as JSON"))?;
    Ok(bytes)
}

fn read<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, SdkError> {
    if bytes.len() > IDENTITY_BYTES_MAX {
        return Err(SdkError::Identity("too long"));
    }
    // The text of serde's error could quote a secret.
    serde_json::from_slice(bytes).map_err(|_| SdkError::Identity("not the JSON of one"))
}

fn check_version(version: u32) -> Result<(), SdkError> {
    if version == STORED_VERSION {
        return Ok(());
    }
    Err(SdkError::Identity(
        "written by another version of this program",
    ))
}

fn secret_of(certificate: &SecretCertificate) -> Secret {
    Secret(certificate.to_bytes().to_vec())
}

fn certificate(secret: &Secret) -> Result<SecretCertificate, SdkError> {
    Ok(SecretCertificate::from_bytes(&secret.0)?)
}

impl Identity {
    /// The identity as bytes, secrets in the clear: encrypt them before they touch a disk.
    ///
    /// # Errors
    /// [`SdkError::Identity`], which does not happen.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, SdkError> {
        let superseded = self.superseded.iter().map(|old| StoredSuperseded {
            certificate: secret_of(&old.certificate),
            until: old.until,
        });
        write(&Stored {
            version: STORED_VERSION,
            network: self.network.clone(),
            device_key: Secret(self.device.key().secret_bytes().to_vec()),
            delegation: self.device.delegation().clone(),
            certificate: secret_of(&self.certificate),
            next: self.next.as_ref().map(secret_of),
            superseded: superseded.collect(),
            inbox: self.inbox,
            consumer: self.consumer,
            card_version: self.card_version,
            card: self.card.clone(),
            membership: self.membership.as_ref().map(Into::into),
            former: self.former.iter().map(Into::into).collect(),
        })
    }

    /// Reads what [`Identity::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`SdkError::Identity`], [`SdkError::Wallet`], [`SdkError::Seal`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SdkError> {
        let stored: Stored = read(bytes)?;
        check_version(stored.version)?;
        if stored.superseded.len() > SUPERSEDED_MAX {
            return Err(SdkError::Identity("too many superseded certificates"));
        }
        if stored.former.len() > FORMER_MAX {
            return Err(SdkError::Identity("too many former channels"));
        }
        let superseded = stored.superseded.iter().map(|old| {
            Ok(Superseded {
                certificate: certificate(&old.certificate)?,
                until: old.until,
            })
        });
        Ok(Self {
            network: stored.network,
            device: DeviceKey::from_parts(
                Wallet::from_secret(&stored.device_key.0)?,
                stored.delegation,
            )?,
            certificate: certificate(&stored.certificate)?,
            next: stored.next.as_ref().map(certificate).transpose()?,
            superseded: superseded.collect::<Result<_, SdkError>>()?,
            inbox: stored.inbox,
            consumer: stored.consumer,
            card_version: stored.card_version,
            card: stored.card,
            membership: stored.membership.map(Into::into),
            former: stored.former.into_iter().map(Into::into).collect(),
        })
    }
}

impl Wallets {
    /// Both secrets as bytes, in the clear: for an encrypted backup and nothing else.
    ///
    /// # Errors
    /// None in practice.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, SdkError> {
        write(&StoredWallets {
            version: STORED_VERSION,
            wallet: Secret(self.wallet.secret_bytes().to_vec()),
            cash: Secret(self.cash.secret_bytes().to_vec()),
        })
    }

    /// Reads what [`Wallets::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`SdkError::Identity`], [`SdkError::Wallet`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SdkError> {
        let stored: StoredWallets = read(bytes)?;
        check_version(stored.version)?;
        Ok(Self {
            wallet: Wallet::from_secret(&stored.wallet.0)?,
            cash: Wallet::from_secret(&stored.cash.0)?,
        })
    }
}
