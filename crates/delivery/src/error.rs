use thiserror::Error;

use crate::{Mode, QuotaExceeded};

/// Why a rule of delivery was not met.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// The packet does not fit beside those that wait.
    #[error("mailbox is full: {bytes} of {bytes_max} bytes used, {wanted} more wanted")]
    Full {
        /// Bytes stored.
        bytes: u64,
        /// Bytes allowed.
        bytes_max: u64,
        /// Size of the packet refused.
        wanted: u64,
    },
    /// The mailbox has given out its last number.
    #[error("mailbox has no sequence numbers left")]
    OutOfNumbers,
    /// The packet cannot be removed: it is not there.
    #[error("packet {seq} is not stored")]
    NotStored {
        /// Its sequence number.
        seq: u64,
    },
    /// The mailbox counts less than what is to be removed from it.
    #[error("mailbox counts {count} packets of {bytes} bytes and cannot lose one of {removed}")]
    Miscounted {
        /// Packets counted.
        count: u64,
        /// Bytes counted.
        bytes: u64,
        /// Size of the packet to be removed.
        removed: u64,
    },
    /// A cursor of another life of the store: its numbers mean nothing here.
    #[error("cursor of store generation {got}, this is generation {current}")]
    OtherGeneration {
        /// The generation in the cursor.
        got: u64,
        /// The generation of the store.
        current: u64,
    },
    /// An acknowledgement of a packet that was never stored.
    #[error("packet {seq} was never stored, the newest is {newest}")]
    NeverStored {
        /// The number acknowledged.
        seq: u64,
        /// The newest number given out.
        newest: u64,
    },
    /// An acknowledgement of the kind that this consumer does not use.
    #[error("a consumer in mode {mode} does not acknowledge {what}")]
    WrongMode {
        /// The mode of the consumer.
        mode: Mode,
        /// What was acknowledged.
        what: &'static str,
    },
    /// Too much is acknowledged beyond packets that are not.
    #[error("more than {max} acknowledgements beyond the cursor")]
    TooFarAhead {
        /// The bound.
        max: usize,
    },
    /// The range was not dropped, so it cannot be acknowledged as a gap.
    #[error("packets {from} to {through} are not a gap")]
    NotAGap {
        /// First number of the range.
        from: u64,
        /// Last number of the range.
        through: u64,
    },
    /// The packet is with another connection.
    #[error("packet {seq} is leased to connection {connection}")]
    Leased {
        /// The packet.
        seq: u64,
        /// Who has it.
        connection: u64,
    },
    /// Too many packets are out at once.
    #[error("more than {max} packets leased")]
    TooManyLeases {
        /// The bound.
        max: usize,
    },
    /// A stored consumer contradicts itself.
    #[error("consumer's acknowledgements beyond its cursor are not in order")]
    BadConsumer,
    /// A stored mailbox contradicts itself.
    #[error("mailbox's numbers contradict each other")]
    BadMailbox,
    /// The day's bytes are used up.
    #[error(transparent)]
    Quota(#[from] QuotaExceeded),
    /// The text is not `generation-seq` in decimal.
    #[error("not a cursor")]
    NotACursor,
    /// The text is not 32 hexadecimal digits.
    #[error("not a consumer id of 32 hexadecimal digits")]
    NotAConsumerId,
    /// An event of a stream exceeds what the reader holds.
    #[error("event longer than {max} bytes")]
    EventTooLong {
        /// The bound.
        max: usize,
    },
    /// A record exceeds what the reader holds.
    #[error("record of {len} bytes, at most {max}")]
    RecordTooLong {
        /// The length announced.
        len: usize,
        /// The bound.
        max: usize,
    },
    /// A record of a kind that is not known.
    #[error("unknown record type {tag}")]
    UnknownRecord {
        /// The type octet.
        tag: u8,
    },
    /// The data of an event is not standard base64.
    #[error("event data is not base64")]
    NotBase64,
    /// The id of an event is missing or not a number.
    #[error("event id is not a number")]
    NotANumber,
}
