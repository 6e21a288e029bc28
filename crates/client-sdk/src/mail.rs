//! Sealing of letters to a person, and posting of sealed mail to the person's node.

use bytes::Bytes;
use layer_minus_message::{Card, InboxToken, Kind, Letter, Signer, letter::sha256};
use layer_minus_packet::{Recipient, Sizes, armor, read_head};
use layer_minus_seal::{LAYER_OVERHEAD_MAX, seal_layer};
use rand::{CryptoRng, RngCore};

use crate::{
    error::SdkError,
    identity::Identity,
    route::{Inside, Network, Outgoing, Route, wrap},
};

/// A message sealed to a person (the paper's N1). A retry sends these very bytes in fresh layers,
/// so that the node knows it again.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedMail {
    /// An OpenPGP message.
    pub message: Bytes,
    /// SHA-256 of it, as the acceptance names it.
    pub digest: [u8; 32],
    /// The size of the packet that carries it, bytes.
    pub size: usize,
}

impl std::fmt::Debug for SealedMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedMail")
            .field("digest", &hex::encode(self.digest))
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl SealedMail {
    /// Signs a letter and seals it to a person.
    ///
    /// The message has the innermost size of the smallest packet that holds it, however many hops
    /// it will take.
    ///
    /// # Errors
    /// [`SdkError::TooLarge`] if no listed packet holds it, [`SdkError::Message`],
    /// [`SdkError::Seal`].
    pub fn seal(
        letter: &Letter,
        from: &Identity,
        to: &Card,
        sizes: &Sizes,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, SdkError> {
        let head = letter.sign(Signer::Device(&from.device), now, rng)?;
        let needed = LAYER_OVERHEAD_MAX + head.len() + letter.body.len();
        let size = sizes
            .smallest_for(needed)
            .ok_or_else(|| too_large("letter", needed, sizes))?;
        let innermost = Sizes::innermost(size);
        let message = seal_layer(rng, &to.certificate, &[&head, &letter.body], innermost)?;
        Ok(Self::of(message, size))
    }

    /// Takes a message that another OpenPGP program made, binary or armored, as it is.
    ///
    /// # Errors
    /// [`SdkError::Mail`] if it is not a message that names a key, [`SdkError::TooLarge`].
    pub fn ready_made(message: &[u8], sizes: &Sizes) -> Result<Self, SdkError> {
        let limit = Sizes::innermost(sizes.largest());
        let message = if armor::is_armored(message) {
            let decoded = armor::dearmor(message, limit.saturating_add(1))
                .map_err(|_| SdkError::Mail("its armor cannot be decoded, or it is too long"))?;
            Bytes::from(decoded)
        } else {
            Bytes::copy_from_slice(message)
        };
        let size = sizes
            .smallest_for(message.len())
            .ok_or_else(|| too_large("message", message.len(), sizes))?;
        match read_head(&message).map(|head| head.first()) {
            Ok(Recipient::Wildcard) => {
                return Err(SdkError::Mail("it does not say which key it is sealed to"));
            }
            Ok(_) => {}
            Err(_) => return Err(SdkError::Mail("no encrypted OpenPGP message")),
        }
        Ok(Self::of(message, size))
    }

    /// Mail that was sealed before and kept.
    #[must_use]
    pub fn of(message: Bytes, size: usize) -> Self {
        let digest = sha256(&message);
        Self {
            message,
            digest,
            size,
        }
    }

    /// The packet that carries it to the person's node. Every call makes fresh layers.
    /// Answer: [`expect_acceptance`](crate::answer::expect_acceptance).
    ///
    /// # Errors
    /// [`SdkError::Seal`]; [`SdkError::NoCommonSize`] if the nodes do not take its size.
    pub fn packet(
        &self,
        network: &Network,
        route: &Route,
        inbox: Option<InboxToken>,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Outgoing, SdkError> {
        if !network.sizes.contains(self.size) {
            return Err(SdkError::NoCommonSize);
        }
        let inside = Inside {
            kind: Kind::Mail,
            inbox,
            body: self.message.clone(),
        };
        wrap(network, route, inside, self.size, now, rng)
    }
}

fn too_large(what: &'static str, have: usize, sizes: &Sizes) -> SdkError {
    SdkError::TooLarge {
        what,
        have: have as u64,
        max: Sizes::innermost(sizes.largest()) as u64,
    }
}
