//! What happens to a node, and what it wants done.
//!
//! Events of one batch are handled in one store transaction. Effects are let out only after that
//! transaction is durable, in the order in which they were made.

use bytes::Bytes;
pub use layer_minus_message::LaneKey;
use layer_minus_message::{
    Answer, Channel, InboxToken, LaneNote, LaneParty, LaneVoucher, PushedPacket, VerifiedCommand,
};
use layer_minus_packet::Recipient;
use layer_minus_wallet::Address;

/// Names a request that waits for its answer. Given by the runtime, never twice by one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names an open stream. It is the request that became it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A frame that was opened, so that a second one like it is known. It comes from the frame's reply
/// key, which is inside the sealed part: nothing that a relay can alter changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Keyed to nothing: a digest of a random key tells nothing.
    pub digest: [u8; 32],
    /// Unix seconds after which the frame is refused by its own expiry.
    pub expires_at: u64,
}

/// What comes with every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whom to answer.
    pub id: RequestId,
    /// The node whose lane it came on, if it came on one: who is credited.
    pub lane: Option<Address>,
    /// The frames that were opened to get here.
    pub marks: Vec<Mark>,
    /// Exact size of the packet on the wire, bytes: what a pass is billed at.
    pub size_bytes: u32,
}

/// What happens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Mail for a client.
    Mail {
        /// The request.
        request: Request,
        /// The key that the mail is sealed to.
        recipient: Recipient,
        /// The inbox capability, if the sender has one.
        inbox: Option<InboxToken>,
        /// The mail: an OpenPGP message.
        message: Bytes,
    },
    /// A command whose signature was checked.
    Command {
        /// The request.
        request: Request,
        /// What is asked.
        command: VerifiedCommand,
    },
    /// Something that the runtime will do itself if it is not a replay: a packet for another node, or
    /// a question that the routing table answers.
    See {
        /// The request.
        request: Request,
    },
    /// The last byte of a pushed packet was handed over.
    Handed {
        /// The stream.
        connection: ConnectionId,
        /// The packet.
        seq: u64,
    },
    /// Some of a pushed packet went out: its reader is slow, and reads.
    Moving {
        /// The stream.
        connection: ConnectionId,
    },
    /// A stream ended, whoever ended it.
    Closed {
        /// The stream.
        connection: ConnectionId,
    },
    /// Another node opened a lane to itself for this one, on these terms.
    LaneJoined {
        /// Who it is, by its record.
        peer: LaneParty,
        /// What it says that it pays on.
        channel: Box<Channel>,
        /// Where the lane stands.
        note: LaneNote,
    },
    /// What another node said about the lane to it, authenticated by the lane's key.
    Note {
        /// The node's wallet.
        peer: Address,
        /// What it said.
        note: LaneNote,
    },
    /// Somebody looked at an escrow: this is what it holds for a channel. Repeated before `until`,
    /// or the node stops counting on it.
    Backing {
        /// Id of the channel.
        channel: [u8; 32],
        /// What may be claimed on it in all, token units (10^6 p$); claims that were made count in.
        units: u64,
        /// Last second, unix time, for which that is certain: within the withdraw delay.
        until: u64,
    },
    /// Time passes. Expected every second or so.
    Tick,
}

/// What the node wants done, once what it decided is durable.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// Answer the request and end it.
    Answer {
        /// The request.
        request: RequestId,
        /// The answer, to be sealed under the request's reply keys.
        answer: Box<Answer>,
        /// Where the lane stands that the request came on, to be sealed under the lane's key.
        note: Option<LaneNote>,
    },
    /// Treat the request as garbage: nothing that it held was of use.
    Garbage {
        /// The request.
        request: RequestId,
    },
    /// Reply to [`Event::See`]: not seen before, go on.
    Fresh {
        /// The request.
        request: RequestId,
    },
    /// Answer the request by a stream, which begins with these records.
    Stream {
        /// The request.
        request: RequestId,
        /// The stream that it becomes.
        connection: ConnectionId,
        /// First records.
        first: Vec<Answer>,
    },
    /// Send a control record on a stream.
    Control {
        /// The stream.
        connection: ConnectionId,
        /// The record.
        answer: Box<Answer>,
    },
    /// Push a packet on a stream; [`Event::Handed`] is due when its last byte went out.
    Push {
        /// The stream.
        connection: ConnectionId,
        /// The packet.
        packet: PushedPacket,
        /// Exact size of the sealed record on the wire, bytes.
        size_bytes: u32,
    },
    /// Tell the node whose lane a stream runs on where the lane stands.
    Note {
        /// The stream.
        connection: ConnectionId,
        /// Where it stands.
        note: LaneNote,
    },
    /// Whether another node pays for what it is forwarded has changed, or what it promised.
    Peer(PeerState),
    /// A node sent a voucher that is none.
    VoucherRefused {
        /// The node's wallet.
        peer: Address,
        /// What is wrong with it.
        reason: String,
    },
    /// End a stream.
    Close {
        /// The stream.
        connection: ConnectionId,
    },
    /// What came on this node's lane was a client's, who pays for it.
    Paid {
        /// The node.
        lane: Address,
    },
    /// A lane was opened: the runtime accepts its authentication from now on.
    LaneOpened {
        /// The lane's number.
        lane: [u8; 16],
        /// The node that forwards on it.
        node: Address,
        /// Secret for message authentication.
        key: LaneKey,
        /// Unix seconds until which it is good.
        expires_at: u64,
    },
}

/// Whether a node is forwarded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerState {
    /// The node's wallet.
    pub node: Address,
    /// It pays, or owes little: packets are forwarded to it.
    pub serves: bool,
    /// It owes more than it should without a promise: it is asked for one.
    pub collect: bool,
    /// Its newest voucher. It is durable: the debtor may be told that it is held.
    pub held: Option<LaneVoucher>,
}
