//! The one rule.

#[cfg(test)]
mod tests;

use layer_minus_message::NodeRecord;
use layer_minus_packet::Recipient;

use crate::table::Table;

/// What to do with a packet.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'a> {
    /// Open one layer. What is inside is decided again, obeyed, or stored for a client.
    Mine,
    /// Pass it on to this node, unchanged, as it streams in.
    Forward(&'a NodeRecord),
    /// Unknown: ask peers who has the key, once and bounded, then decide again.
    Ask,
    /// It goes nowhere.
    Refuse(Refusal),
}

/// Why a packet goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It names no recipient (a key ID of zeros, or an empty fingerprint).
    #[error("packet names no recipient")]
    Wildcard,
    /// The key is known, the node's address is not.
    #[error("key is known, but no address for it")]
    NoAddress,
    /// Peers were asked a moment ago and nobody had it.
    #[error("nobody knew the key a moment ago")]
    RecentlyUnknown,
}

/// Decides what happens to a packet, by the recipient of its first PKESK; `now` is unix seconds.
///
/// A whole fingerprint is compared whole; a key ID, which is all that a version 3 PKESK has, with
/// that of the encryption subkey (RFC 9580 §5.1). Neither authenticates anybody.
#[must_use]
pub fn decide<'a>(recipient: &Recipient, table: &'a Table, now: u64) -> Verdict<'a> {
    if recipient.is_wildcard() {
        Verdict::Refuse(Refusal::Wildcard)
    } else if table.is_mine(recipient) {
        Verdict::Mine
    } else if let Some(record) = table.route(recipient, now) {
        Verdict::Forward(record)
    } else if table.is_unaddressed(recipient, now) {
        Verdict::Refuse(Refusal::NoAddress)
    } else if table.is_recently_unknown(recipient, now) {
        Verdict::Refuse(Refusal::RecentlyUnknown)
    } else {
        Verdict::Ask
    }
}
