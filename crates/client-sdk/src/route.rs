//! Layers around what is sent: one for every node that has to open one.
//!
//! ```text
//! size S          sealed to hop 1    frame: packet
//! size S - 2048   sealed to hop 2    frame: packet
//! size S - 4096   sealed to the node frame: mail, command
//! ```
//! A hop that finds the next packet inside its layer seals it again to the next node, so that the
//! link carries size S again. Relays that only pass a packet on take no layer and are not named.

use bytes::Bytes;
use layer_minus_message::{Frame, InboxToken, Kind, NodeRecord};
use layer_minus_packet::{LAYER_RESERVE, LAYERS_MAX, Sizes};
use layer_minus_seal::{Certificate, ReplyKey, seal_layer};
use layer_minus_wallet::Address;
use rand::{CryptoRng, RngCore};

use crate::{answer::Pending, error::SdkError};

/// Most hops before the node that acts.
pub const HOPS_MAX: usize = LAYERS_MAX - 1;

/// Expiry of a frame is rounded up to this, seconds, so that it does not tell when it was made.
const EXPIRY_STEP_SECS: u64 = 3_600;

/// What all packets of a network have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The network's id.
    pub id: String,
    /// The exact packet sizes in use.
    pub sizes: Sizes,
}

impl Network {
    /// A network by its id, with the packet sizes that all of these nodes take.
    ///
    /// # Errors
    /// [`SdkError::NoCommonSize`].
    pub fn common<'a>(
        id: &str,
        nodes: impl IntoIterator<Item = &'a NodeRecord>,
    ) -> Result<Self, SdkError> {
        let mut common: Option<Vec<usize>> = None;
        for node in nodes {
            let takes = |size: &usize| {
                node.body
                    .sizes
                    .iter()
                    .any(|&listed| listed as usize == *size)
            };
            match &mut common {
                None => common = Some(node.body.sizes.iter().map(|&size| size as usize).collect()),
                Some(common) => common.retain(takes),
            }
        }
        let sizes = match common {
            None => Sizes::default(),
            Some(list) => Sizes::new(&list).map_err(|_| SdkError::NoCommonSize)?,
        };
        Ok(Self {
            id: id.to_owned(),
            sizes,
        })
    }
}

/// The nodes that open a layer: extra hops first, last the node that acts.
#[derive(Clone, Debug)]
pub struct Route {
    node: Address,
    layers: Vec<Certificate>,
}

impl Route {
    /// Straight to the node.
    #[must_use]
    pub fn direct(node: &NodeRecord) -> Self {
        Self {
            node: node.node(),
            layers: vec![node.certificate.clone()],
        }
    }

    /// Through extra hops, in that order, to the node.
    ///
    /// # Errors
    /// [`SdkError::TooManyHops`] above [`HOPS_MAX`]; [`SdkError::Route`] when a node would have to
    /// send to itself.
    pub fn through(hops: &[&NodeRecord], node: &NodeRecord) -> Result<Self, SdkError> {
        if hops.len() > HOPS_MAX {
            return Err(SdkError::TooManyHops {
                have: hops.len(),
                max: HOPS_MAX,
            });
        }
        let mut layers: Vec<Certificate> = Vec::with_capacity(hops.len() + 1);
        for next in hops.iter().copied().chain([node]) {
            let again = layers
                .last()
                .is_some_and(|last| last.encryption_key() == next.certificate.encryption_key());
            if again {
                return Err(SdkError::Route("the same node twice in a row"));
            }
            layers.push(next.certificate.clone());
        }
        Ok(Self {
            node: node.node(),
            layers,
        })
    }

    /// The node that acts.
    #[must_use]
    pub const fn node(&self) -> Address {
        self.node
    }

    /// How many extra hops there are.
    #[must_use]
    pub fn hops(&self) -> usize {
        self.layers.len().saturating_sub(1)
    }

    /// The certificate that the packet on the wire is sealed to.
    #[must_use]
    pub fn first(&self) -> Option<&Certificate> {
        self.layers.first()
    }
}

/// A packet ready to be posted, and what opens its answer.
#[derive(Debug)]
pub struct Outgoing {
    /// Exactly a listed size.
    pub packet: Bytes,
    /// Opens the answer.
    pub pending: Pending,
}

/// What the innermost layer holds.
pub(crate) struct Inside {
    pub(crate) kind: Kind,
    pub(crate) inbox: Option<InboxToken>,
    pub(crate) body: Bytes,
}

/// Seals a body into as many layers as the route has, to a packet of `size` bytes on the wire.
/// Every layer has a fresh reply key.
pub(crate) fn wrap(
    network: &Network,
    route: &Route,
    inside: Inside,
    size: usize,
    now: u64,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<Outgoing, SdkError> {
    let expires_at = expiry(now);
    let mut keys = Vec::with_capacity(route.layers.len());
    let mut frame = Frame {
        kind: inside.kind,
        reply_key: ReplyKey::generate(rng),
        expires_at,
        inbox: inside.inbox,
        body: inside.body,
    };
    for (depth, to) in route.layers.iter().enumerate().rev() {
        let head = frame.head(&network.id);
        let sealed = seal_layer(rng, to, &[&head, &frame.body], size - depth * LAYER_RESERVE)?;
        keys.push(frame.reply_key);
        frame = Frame {
            kind: Kind::Packet,
            reply_key: ReplyKey::generate(rng),
            expires_at,
            inbox: None,
            body: sealed,
        };
    }
    keys.reverse();
    Ok(Outgoing {
        packet: frame.body,
        pending: Pending::new(route.node, keys),
    })
}

/// Between one and two steps ahead: time enough for the way, and the same for many frames.
const fn expiry(now: u64) -> u64 {
    (now / EXPIRY_STEP_SECS)
        .saturating_add(2)
        .saturating_mul(EXPIRY_STEP_SECS)
}
