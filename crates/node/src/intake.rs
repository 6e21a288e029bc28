//! From a packet that is ours to what it asks for. Stateless, so that it runs beside the node's one
//! writer, on as many threads as there are.

use bytes::Bytes;
use layer_minus_message::{
    CommandEnvelope, Frame, InboxToken, Kind, Reason, VerifiedCommand,
    limits::FRAME_LIFETIME_SECS_MAX,
};
use layer_minus_packet::{LAYERS_MAX, Recipient, SealedPacket, Sizes, admit_layer, read_head};
use layer_minus_seal::{Certificate, Keyring, ReplyKey, SealError, open_layer, seal_layer};
use layer_minus_wallet::{Address, Wallet};
use rand::{CryptoRng, RngCore};

use crate::{event::Mark, reply::ReplyChain};

/// How long a frame that a node makes for the next hop may live, seconds.
const ONWARD_LIFETIME_SECS: u64 = 600;

/// Who this node is.
#[derive(Debug)]
pub struct NodeKeys {
    /// The network's id.
    pub network: String,
    /// The node's wallet: its name, and what signs acceptances.
    pub wallet: Wallet,
    /// The wallet that is paid.
    pub cash: Address,
    /// What opens layers: the current key, the next, and superseded ones until they expire.
    pub keyring: Keyring,
    /// The packet sizes that this node takes.
    pub sizes: Sizes,
}

/// What an opened packet asks for.
#[derive(Debug)]
pub enum Task {
    /// Mail for a client of this node.
    Mail {
        /// The key that it is sealed to.
        recipient: Recipient,
        /// The capability that the sender showed.
        inbox: Option<InboxToken>,
        /// An OpenPGP message.
        message: Bytes,
    },
    /// A command to this node.
    Command(VerifiedCommand),
    /// A packet for another node.
    Onward {
        /// Whom its outermost layer is sealed to.
        recipient: Recipient,
        /// The packet, smaller than a listed size by the layers that were opened.
        packet: Bytes,
    },
    /// Opened, but not acceptable; the sender is told why.
    Refuse(Reason),
}

/// A packet after its layers for this node were opened.
#[derive(Debug)]
pub struct Opened {
    /// Seals the answer.
    pub chain: ReplyChain,
    /// What makes a replay known.
    pub marks: Vec<Mark>,
    /// The packet's exact size, bytes.
    pub size_bytes: u32,
    /// What it asks for.
    pub task: Task,
}

/// Why a packet that was addressed to this node is garbage. Nobody is told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Garbage {
    /// It does not open.
    #[error("layer does not open: {0}")]
    Seal(#[from] SealError),
    /// It holds no frame.
    #[error("layer holds no frame: {0}")]
    Frame(layer_minus_message::MessageError),
    /// More layers for this node than anyone needs.
    #[error("more than {LAYERS_MAX} layers")]
    TooDeep,
}

/// Opens the layers of a packet that are for this node, at most [`LAYERS_MAX`].
pub fn open(packet: &SealedPacket, keys: &NodeKeys, now: u64) -> Result<Opened, Garbage> {
    let size_bytes = u32::try_from(packet.size()).unwrap_or(u32::MAX);
    let mut opened = Opened {
        chain: ReplyChain::default(),
        marks: Vec::with_capacity(1),
        size_bytes,
        task: Task::Refuse(Reason::Unavailable),
    };
    let mut layer = packet.clone().into_bytes();
    let mut depth = 0;
    for _ in 0..LAYERS_MAX {
        let body = open_layer(&layer, &keys.keyring)?.body;
        let frame = match Frame::read(&body, &keys.network, now) {
            Ok(frame) => frame,
            Err(unread) => {
                let Some(key) = unread.reply_key else {
                    return Err(Garbage::Frame(unread.error));
                };
                opened
                    .marks
                    .push(mark(&key, now.saturating_add(FRAME_LIFETIME_SECS_MAX)));
                opened.chain.push(key);
                opened.task = Task::Refuse(unread.error.reason(now));
                return Ok(opened);
            }
        };
        opened.marks.push(mark(&frame.reply_key, frame.expires_at));
        opened.chain.push(frame.reply_key);
        match frame.kind {
            Kind::Packet => match inner_packet(&frame.body, packet.size(), depth, &keys.keyring) {
                Ok(Inner::Mine { depth: at }) => (layer, depth) = (frame.body, at),
                Ok(Inner::Onward(recipient)) => {
                    opened.task = Task::Onward {
                        recipient,
                        packet: frame.body,
                    };
                    return Ok(opened);
                }
                Err(reason) => {
                    opened.task = Task::Refuse(reason);
                    return Ok(opened);
                }
            },
            Kind::Mail => {
                opened.task = mail(frame.body, frame.inbox);
                return Ok(opened);
            }
            Kind::Command => {
                let read =
                    CommandEnvelope::read(&frame.body, &keys.network, keys.wallet.address(), now);
                opened.task = match read {
                    Ok(command) => Task::Command(command),
                    Err(reason) => Task::Refuse(reason),
                };
                return Ok(opened);
            }
            _ => {
                opened.task = Task::Refuse(malformed("frame of an unknown kind"));
                return Ok(opened);
            }
        }
    }
    Err(Garbage::TooDeep)
}

enum Inner {
    Mine { depth: usize },
    Onward(Recipient),
}

/// A packet inside a layer has the size of the next layer, so that it gets smaller at every node that
/// opens it, and goes to three further nodes at most, whoever made it. Directly inside of what was on
/// the wire it may lie deeper: that is how a node passes on what it found in a layer of its own.
fn inner_packet(
    packet: &[u8],
    size: usize,
    depth: usize,
    keyring: &Keyring,
) -> Result<Inner, Reason> {
    let at = Sizes::depth(size, packet.len())
        .filter(|at| *at == depth + 1 || (depth == 0 && *at > 0))
        .ok_or_else(|| malformed("the packet inside has not the size of a layer there"))?;
    if admit_layer(packet).is_err() {
        return Err(malformed("the packet inside is not a layer"));
    }
    let head = read_head(packet).map_err(|_| malformed("the packet inside is not a layer"))?;
    let recipient = head.first();
    if keyring.find(&recipient).is_some() {
        Ok(Inner::Mine { depth: at })
    } else {
        Ok(Inner::Onward(recipient))
    }
}

fn mail(message: Bytes, inbox: Option<InboxToken>) -> Task {
    match read_head(&message) {
        Ok(head) if head.first() == Recipient::Wildcard => {
            Task::Refuse(malformed("mail does not say which key it is sealed to"))
        }
        Ok(head) => Task::Mail {
            recipient: head.first(),
            inbox,
            message,
        },
        Err(_) => Task::Refuse(malformed("mail is not an OpenPGP message")),
    }
}

fn malformed(detail: &str) -> Reason {
    Reason::Malformed {
        detail: detail.to_owned(),
    }
}

fn mark(key: &ReplyKey, expires_at: u64) -> Mark {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(b"layer-minus seen frame v1");
    context.update(key.as_bytes());
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Mark { digest, expires_at }
}

/// Seals a packet found inside a layer to the next node, so that the link carries a packet of a
/// listed size and bytes that nobody saw before. The key opens the next node's answer.
pub fn wrap_onward(
    packet: Bytes,
    next: &Certificate,
    size_bytes: u32,
    network: &str,
    now: u64,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<(Bytes, ReplyKey), SealError> {
    let frame = Frame {
        kind: Kind::Packet,
        reply_key: ReplyKey::generate(rng),
        expires_at: now.saturating_add(ONWARD_LIFETIME_SECS),
        inbox: None,
        body: packet,
    };
    let head = frame.head(network);
    let sealed = seal_layer(rng, next, &[&head, &frame.body], size_bytes as usize)?;
    Ok((sealed, frame.reply_key))
}
