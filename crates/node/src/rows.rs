//! The rows of a node's store: their keys and their JSON.

use layer_minus_delivery::{ConsumerId, DailyQuota, Mailbox};
use layer_minus_ledger::{StorageMeter, Sum, TransferId};
use layer_minus_message::{
    Acceptance, Authorization, Channel, LaneVoucher, Prices, SignedDocument, text,
};
use layer_minus_wallet::{Address, Signature};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::store::{StoreError, Table};

/// A client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClientRow {
    pub(crate) wallet: Address,
    pub(crate) card: SignedDocument,
    /// Fingerprint of the encryption key, hexadecimal.
    pub(crate) key: String,
    /// Last second of the card, unix time.
    pub(crate) card_until: u64,
    pub(crate) paper: PaperRow,
    pub(crate) terms: Terms,
    #[serde(with = "text::hex_array")]
    pub(crate) inbox_digest: [u8; 32],
    pub(crate) strangers_bytes_per_day: u64,
    /// Of this registration: receipts of an earlier one of the same wallet say nothing about this one.
    #[serde(with = "text::hex_array")]
    pub(crate) since: [u8; 16],
    /// Sets the numbers of this mailbox apart from those of an earlier one of the same wallet, which
    /// may still be acknowledged by somebody who does not know; 0 for the first.
    #[serde(default)]
    pub(crate) apart: u64,
}

/// The authorization that counts now, and its channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PaperRow {
    pub(crate) authorization: Authorization,
    #[serde(with = "text::hex_array")]
    pub(crate) channel: [u8; 32],
    /// What the account was charged on other channels: the paper counts from there.
    pub(crate) base_pusd: Sum,
    /// Taken back by the client.
    pub(crate) revoked: bool,
}

/// A channel that is or was a client's. Its id commits to payer, receiver and client, and it is
/// bound to the one client who brought it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChannelRow {
    pub(crate) client: Address,
    /// The newest paper: what can be cashed.
    pub(crate) authorization: Authorization,
    /// Charged on it when it was left; while it is a client's, its paper and account say it.
    pub(crate) charged_pusd: Sum,
    /// The part of it that no escrow covered when it was left: taken from the client's grant.
    pub(crate) unsecured_pusd: Sum,
    pub(crate) revoked: bool,
}

/// What an escrow holds for a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BackingRow {
    /// What may be claimed on the channel in all, token units; claims that were made count in.
    #[serde(with = "text::decimal")]
    pub(crate) units: u64,
    /// Last second for which that is known to be so.
    #[serde(with = "text::decimal")]
    pub(crate) until: u64,
}

/// The prices that were fixed for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub(crate) prices: Prices,
    #[serde(with = "text::decimal")]
    pub(crate) fixed_until: u64,
}

/// What is kept of a client's account beside the ledger, for as long as the account itself: also
/// when the client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TallyRow {
    /// Number of the oldest line of the statement that is kept.
    pub(crate) first_seq: u64,
    /// Number of the next line.
    pub(crate) next_seq: u64,
    /// Charged in all before the oldest line that is kept.
    pub(crate) opening_pusd: Sum,
    /// When the sweep looks at the statement next; 0 if it holds no lines.
    pub(crate) sweep_at: u64,
    /// What passed free of charge today.
    pub(crate) free: DailyQuota,
    /// Taken from the client's grant by channels that were left.
    pub(crate) unsecured_pusd: Sum,
}

impl Default for TallyRow {
    fn default() -> Self {
        Self {
            first_seq: 1,
            next_seq: 1,
            opening_pusd: Sum::ZERO,
            sweep_at: 0,
            free: DailyQuota::default(),
            unsecured_pusd: Sum::ZERO,
        }
    }
}

/// What changes with every packet of a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MailboxRow {
    pub(crate) mailbox: Mailbox,
    pub(crate) strangers: DailyQuota,
    pub(crate) storage: StorageMeter,
    pub(crate) passed_bytes: u64,
}

/// An encryption key and whose it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyRow {
    pub(crate) wallet: Address,
    pub(crate) fingerprint: String,
    /// Set when a newer key took its place: it routes until then.
    pub(crate) until: Option<u64>,
}

/// A stored packet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PacketRow {
    /// List size: what is billed.
    pub(crate) size_bytes: u32,
    pub(crate) accepted_at: u64,
    pub(crate) kept_until: u64,
    /// Reservation of the first push.
    pub(crate) push: TransferId,
    /// The first push is in the day's free allowance: nothing is reserved for it.
    pub(crate) free_push: bool,
    /// Reservation of the storage.
    pub(crate) storage: TransferId,
    /// Pushes that were handed over and charged.
    pub(crate) pushes: u32,
    /// Whether a push was begun: what is acknowledged after that was received.
    pub(crate) begun: bool,
    /// The node on whose lane the first push was begun last: it earns if that push turns out to have
    /// arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lane: Option<Address>,
    /// The client's prices when it was accepted, at which everything was reserved.
    pub(crate) prices: Prices,
}

/// An acceptance that was given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReceiptRow {
    pub(crate) acceptance: Acceptance,
}

/// A lane.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LaneRow {
    pub(crate) node: Address,
    #[serde(with = "text::hex_array")]
    pub(crate) key: [u8; 32],
    pub(crate) expires_at: u64,
}

/// A channel between this node and another, and the newest promise on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LanePaperRow {
    pub(crate) channel: Channel,
    /// The channel's id.
    #[serde(with = "text::hex_array")]
    pub(crate) id: [u8; 32],
    /// Promised in all, token units.
    #[serde(with = "text::decimal")]
    pub(crate) units: u64,
    /// Over the units; none while nothing is promised.
    pub(crate) signature: Option<Signature>,
    /// What the creditor said that it holds; kept by the debtor.
    #[serde(with = "text::decimal")]
    pub(crate) held_units: u64,
    /// Paid by other means, or cashed.
    #[serde(with = "text::decimal")]
    pub(crate) settled_units: u64,
}

/// What this node owes another, or another owes this one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PeerRow {
    /// Oldest first; only on the newest anything is promised.
    pub(crate) papers: Vec<LanePaperRow>,
    /// The creditor forwards nothing until more is promised or settled; kept by the debtor.
    pub(crate) stopped: bool,
}

impl PeerRow {
    /// The newest promise.
    pub(crate) fn voucher(&self) -> Option<LaneVoucher> {
        self.papers.last()?.voucher()
    }
}

impl LanePaperRow {
    /// The newest promise on it.
    pub(crate) fn voucher(&self) -> Option<LaneVoucher> {
        Some(LaneVoucher {
            channel: self.id,
            units: self.units,
            signature: self.signature?,
        })
    }
}

/// What a retention entry makes of its key when its time comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Drop a packet that nobody collected: address and sequence number.
    Packet,
    /// Forget a receipt.
    Receipt,
    /// Let a reservation lapse.
    Reservation,
    /// Stop routing a superseded key.
    Key,
    /// Forget a lane.
    Lane,
    /// Drop old lines of a statement: account.
    Statement,
    /// Believe an escrow no longer: channel id.
    Backing,
}

impl Due {
    const fn code(self) -> u8 {
        match self {
            Self::Packet => 1,
            Self::Receipt => 2,
            Self::Reservation => 3,
            Self::Key => 4,
            Self::Lane => 5,
            Self::Statement => 6,
            Self::Backing => 7,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Packet,
            2 => Self::Receipt,
            3 => Self::Reservation,
            4 => Self::Key,
            5 => Self::Lane,
            6 => Self::Statement,
            7 => Self::Backing,
            _ => return None,
        })
    }
}

/// Key of a retention entry: time, what is due, and the key it is about.
pub(crate) fn due_key(at: u64, due: Due, key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(9 + key.len());
    bytes.extend_from_slice(&at.to_be_bytes());
    bytes.push(due.code());
    bytes.extend_from_slice(key);
    bytes
}

/// Reads what [`due_key`] wrote.
pub(crate) fn read_due(bytes: &[u8]) -> Option<(Due, &[u8])> {
    let (head, key) = bytes.split_at_checked(9)?;
    Some((Due::from_code(head[8])?, key))
}

/// Key of a packet: address, sequence number.
pub(crate) fn packet_key(client: &Address, seq: u64) -> [u8; 28] {
    let mut key = [0; 28];
    key[..20].copy_from_slice(client.as_slice());
    key[20..].copy_from_slice(&seq.to_be_bytes());
    key
}

/// Reads what [`packet_key`] wrote.
pub(crate) fn read_packet_key(key: &[u8]) -> Option<(Address, u64)> {
    let (address, seq) = key.split_at_checked(20)?;
    Some((
        Address::from_slice(address),
        u64::from_be_bytes(seq.try_into().ok()?),
    ))
}

/// Key of a consumer: address, id.
pub(crate) fn consumer_key(client: &Address, consumer: &ConsumerId) -> Vec<u8> {
    let mut key = client.as_slice().to_vec();
    key.extend_from_slice(consumer.as_bytes());
    key
}

/// The key after every key that begins with the client's address.
pub(crate) fn after_client(client: &Address) -> Vec<u8> {
    let mut key = client.as_slice().to_vec();
    for byte in key.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return key;
        }
    }
    vec![0xff; 21]
}

pub(crate) fn to_json<T: Serialize>(table: Table, row: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(row).map_err(|error| StoreError::Failed(format!("row of {table}: {error}")))
}

pub(crate) fn from_json<T: DeserializeOwned>(
    table: Table,
    key: &[u8],
    bytes: &[u8],
) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|_| StoreError::damaged(table, key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DUES: [Due; 5] = [
        Due::Packet,
        Due::Receipt,
        Due::Reservation,
        Due::Key,
        Due::Lane,
    ];

    proptest! {
        #[test]
        fn keys_are_read_back(
            at: u64,
            due in proptest::sample::select(&DUES[..]),
            key in proptest::collection::vec(any::<u8>(), 0..60),
            client: [u8; 20],
            seq: u64,
        ) {
            let written = due_key(at, due, &key);
            prop_assert_eq!(read_due(&written), Some((due, &key[..])));
            let client = Address::from(client);
            prop_assert_eq!(read_packet_key(&packet_key(&client, seq)), Some((client, seq)));
        }

        #[test]
        fn keys_are_in_the_order_of_what_they_say(
            a: (u64, u64), b: (u64, u64), client: [u8; 20], other: [u8; 20],
        ) {
            let key = |(at, _): (u64, u64)| due_key(at, Due::Packet, b"x");
            prop_assert_eq!(key(a).cmp(&key(b)), a.0.cmp(&b.0));
            let (client, other) = (Address::from(client), Address::from(other));
            let key = |(_, seq): (u64, u64)| packet_key(&client, seq);
            prop_assert_eq!(key(a).cmp(&key(b)), a.1.cmp(&b.1));
            // Everything of a client, and nothing of another, lies before its end.
            prop_assert!(key(a).as_slice() < after_client(&client).as_slice());
            if other > client {
                prop_assert!(packet_key(&other, 0).as_slice() >= after_client(&client).as_slice());
            }
        }

        #[test]
        fn garbage_is_no_key_and_no_row(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some((due, key)) = read_due(&bytes) {
                let at = u64::from_be_bytes(bytes[..8].try_into().unwrap());
                prop_assert_eq!(due_key(at, due, key), bytes.clone());
            }
            prop_assert_eq!(read_packet_key(&bytes).is_some(), bytes.len() == 28);
            let row = from_json::<PacketRow>(Table::Packets, b"key", &bytes);
            prop_assert_eq!(row.unwrap_err(), StoreError::Damaged {
                table: Table::Packets,
                key: hex::encode("key"),
            });
        }
    }

    #[test]
    fn the_last_client_of_all_has_an_end_too() {
        let last = Address::from([0xff; 20]);
        assert!(packet_key(&last, 1).as_slice() < after_client(&last).as_slice());
    }
}
