//! Limits of what is said inside a layer. All are checked before anything is allocated for them.

/// Version of the protocol that this crate speaks.
pub const PROTOCOL_VERSION: u16 = 1;
/// Longest JSON header of a frame or letter, bytes.
pub const HEADER_BYTES_MAX: usize = 1_536;
/// Longest JSON head of a letter, bytes: it may carry a card.
pub const LETTER_HEAD_BYTES_MAX: usize = 6_144;
/// Longest command, bytes.
pub const COMMAND_BYTES_MAX: usize = 7_000;
/// Longest text of a signed card, node record or acceptance, bytes.
pub const DOCUMENT_BYTES_MAX: usize = 12_000;
/// Longest JSON of an answer, bytes; it has to fit the largest of [`ANSWER_SIZES`].
pub const ANSWER_BYTES_MAX: usize = 63_900;
/// Most lines on one page of a statement: they fit an answer whatever their numbers are.
pub const STATEMENT_CHARGES_MAX: usize = 256;
/// Longest network id, bytes.
pub const NETWORK_ID_BYTES_MAX: usize = 64;
/// How far the clocks of a signer and of a node may differ, seconds.
pub const CLOCK_WINDOW_SECS: u64 = 600;
/// Longest life of a frame: its expiry is at most this far ahead of the node's clock, seconds. Two hours
/// by the sender's. So long a node remembers what anybody sent it, and nobody pays for that.
pub const FRAME_LIFETIME_SECS_MAX: u64 = 2 * 3_600 + CLOCK_WINDOW_SECS;
/// How long a signed letter may wait at its sender until a node accepts it, seconds: so long after it
/// expired a device's delegation is still good for letters that were signed before.
pub const OUTBOX_SECS_MAX: u64 = 7 * 24 * 3_600;
/// Longest validity of a card or record, seconds.
pub const VALIDITY_SECS_MAX: u64 = 30 * 24 * 3_600;
/// Sizes of a sealed answer on the wire, bytes, ascending.
pub const ANSWER_SIZES: [usize; 3] = [4_096, 16_000, 64_000];
/// Bounds of a channel's withdraw delay, seconds, as the settlement contract demands them.
pub const WITHDRAW_DELAY_SECS: std::ops::RangeInclusive<u64> = 900..=2_592_000;
/// Withdraw delay of the channels between nodes, seconds: a day to bring a voucher to the contract.
pub const LANE_WITHDRAW_DELAY_SECS: u64 = 24 * 3_600;
/// Longest JSON of a lane note, bytes.
pub const LANE_NOTE_BYTES_MAX: usize = 448;
/// Most parts that a letter may be cut into.
pub const PARTS_MAX: u32 = 1_000_000;
/// Longest file name of a letter, bytes.
pub const FILE_NAME_BYTES_MAX: usize = 255;
/// Longest media type of a letter, bytes.
pub const CONTENT_TYPE_BYTES_MAX: usize = 127;
/// Longest certificate inside a card or record, bytes.
pub const CERTIFICATE_BYTES_MAX: usize = 3_000;
/// Most URLs in a node record.
pub const URLS_MAX: usize = 8;
/// Longest URL, bytes.
pub const URL_BYTES_MAX: usize = 256;
