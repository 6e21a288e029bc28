//! What an operator does to a node's store, beside the running node or without it. Each call is one
//! transaction of its own.

mod claims;
mod lanes;
mod settle;

use layer_minus_ledger::Sum;
use layer_minus_message::{
    Authorization, Paused, channel::PUSD_PER_TOKEN_UNIT, letter::sha256,
    limits::STATEMENT_CHARGES_MAX, standing::Statement, text,
};
use layer_minus_settlement::Claim;
use layer_minus_wallet::Address;
use rand::{CryptoRng, RngCore};
use serde::Serialize;

use crate::{
    config::NodeConfig,
    journal, money,
    node::{CLIENTS_KEY, LANE_PREFIX},
    purse::Purse,
    rows::{self, ChannelRow, ClientRow, MailboxRow},
    store::{Store, StoreError, Table},
    tx::account,
    walk::{PAGE_ROWS, each},
};

pub use claims::{Paper, claims, settle};
pub use lanes::{LaneBook, LanePaper, Side, lane_books};
pub use settle::{SettleError, back, settle_channel, settle_lane};

pub use crate::verify::verify;

/// Most lanes that are listed.
const LANES_MAX: usize = 100_000;
/// The key after every key that begins with the lane prefix.
const LANE_PREFIX_END: &[u8] = b"lane;";
/// Bytes that were passed for clients who have left: what they were charged stays in the books too.
pub(crate) const DEPARTED_BYTES_KEY: &[u8] = b"departed-bytes";
/// Digits and letters that cannot be taken for one another.
const INVITE_ALPHABET: &[u8; 32] = b"23456789abcdefghjkmnpqrstuvwxyz7";
/// Letters of an invite code: 125 bits.
const INVITE_LETTERS: usize = 25;

fn transaction<S: Store, T>(
    store: &mut S,
    change: impl FnOnce(&mut S) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    store.begin()?;
    match change(store) {
        Ok(value) => {
            store.commit()?;
            Ok(value)
        }
        Err(error) => {
            let _ = store.rollback();
            Err(error)
        }
    }
}

/// Grants a client credit on top of what it has, picodollars; returns the new total.
pub fn grant<S: Store>(
    store: &mut S,
    client: Address,
    amount_pusd: u64,
) -> Result<u64, StoreError> {
    transaction(store, |store| {
        let key = client.as_slice();
        let old: u64 = match store.get(Table::Grants, key)? {
            Some(bytes) => rows::from_json(Table::Grants, key, &bytes)?,
            None => 0,
        };
        let total = old
            .checked_add(amount_pusd)
            .ok_or_else(|| StoreError::Failed("grant does not fit 64 bits".to_owned()))?;
        store.put(Table::Grants, key, &rows::to_json(Table::Grants, &total)?)?;
        Ok(total)
    })
}

/// Makes a code that brings whoever registers with it first a grant, picodollars.
pub fn invite<S: Store>(
    store: &mut S,
    amount_pusd: u64,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<String, StoreError> {
    let mut random = [0; INVITE_LETTERS];
    rng.fill_bytes(&mut random);
    let letters = random
        .iter()
        .map(|byte| char::from(INVITE_ALPHABET[usize::from(byte % 32)]));
    let code: String = letters.collect();
    transaction(store, |store| {
        if !store.has_room()? {
            return Err(StoreError::Full(
                "what is left is for collecting mail".to_owned(),
            ));
        }
        let key = sha256(code.as_bytes());
        store.put(
            Table::Invites,
            &key,
            &rows::to_json(Table::Invites, &amount_pusd)?,
        )
    })?;
    Ok(code)
}

/// A page of what a client was charged, also of one that has left: the lines after number `after`.
pub fn statement<S: Store>(
    store: &S,
    client: &Address,
    after: u64,
) -> Result<Statement, StoreError> {
    let account = money::client_account(client);
    journal::statement(store, &account, after, STATEMENT_CHARGES_MAX)
}

/// What a client can pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Means {
    /// The client.
    pub client: Address,
    /// Charged so far, picodollars.
    pub charged_pusd: Sum,
    /// Reserved, picodollars.
    pub reserved_pusd: Sum,
    /// Up to how much may be charged in all, now, picodollars.
    pub limit_pusd: Sum,
    /// Why its mail waits, if it does.
    pub paused: Option<Paused>,
}

/// What each client can pay now, by wallet. `smallest_bytes` is the smallest packet that the node
/// takes.
pub fn means<S: Store>(
    store: &S,
    config: &NodeConfig,
    smallest_bytes: u32,
    now: u64,
    mut visit: impl FnMut(Means),
) -> Result<(), StoreError> {
    let purse = Purse {
        store,
        config,
        smallest_bytes,
        now,
    };
    each::<_, StoreError>(store, Table::Clients, PAGE_ROWS, |key, value| {
        let client: ClientRow = rows::from_json(Table::Clients, key, value)?;
        let account = account(store, &money::client_account(&client.wallet))?;
        let (charged, reserved) =
            account.map_or((0, 0), |it| (it.debits_posted, it.debits_pending));
        visit(Means {
            client: client.wallet,
            charged_pusd: Sum::new(charged),
            reserved_pusd: Sum::new(reserved),
            limit_pusd: Sum::new(purse.ceiling(&client)?),
            paused: purse.paused(&client)?.and_then(|reason| reason.paused()),
        });
        Ok(())
    })
}

/// A channel of a client, as it is to be cashed.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its id.
    pub id: [u8; 32],
    /// The client that it is bound to.
    pub client: Address,
    /// The newest paper.
    pub authorization: Authorization,
    /// Charged on it, picodollars.
    pub charged_pusd: Sum,
    /// Cashed or paid of that, token units.
    pub settled_units: u64,
    /// Whether the client took it back.
    pub revoked: bool,
    /// Whether its client uses it now: the others were left, or taken back.
    pub in_use: bool,
}

impl Channel {
    /// What was charged on it, as a claim without a note.
    #[must_use]
    pub fn claim(&self) -> Claim {
        let (charged, settled) = (self.charged_pusd.get(), self.settled_units.into());
        Claim::of_authorization(&self.authorization, self.client, charged, settled)
    }
}

/// Up to `limit` channels with ids after `after`, in order of id.
pub fn channels<S: Store>(
    store: &S,
    after: Option<[u8; 32]>,
    limit: usize,
) -> Result<Vec<Channel>, StoreError> {
    let mut from = after.map_or_else(Vec::new, |after| after.to_vec());
    if after.is_some() {
        from.push(0);
    }
    let rows = store.scan(Table::Channels, &from, &[0xff; 33], limit)?;
    rows.iter()
        .map(|(key, value)| {
            let id = key.as_slice().try_into();
            let id = id.map_err(|_| StoreError::damaged(Table::Channels, key))?;
            read_channel(store, id, value)
        })
        .collect()
}

/// A client's channel by its id.
fn channel<S: Store>(store: &S, id: &[u8; 32]) -> Result<Option<Channel>, StoreError> {
    let row = store.get(Table::Channels, id)?;
    row.map(|row| read_channel(store, *id, &row)).transpose()
}

fn read_channel<S: Store>(store: &S, id: [u8; 32], row: &[u8]) -> Result<Channel, StoreError> {
    let row: ChannelRow = rows::from_json(Table::Channels, &id, row)?;
    let wallet = row.client;
    let current: Option<ClientRow> = match store.get(Table::Clients, wallet.as_slice())? {
        Some(bytes) => Some(rows::from_json(Table::Clients, wallet.as_slice(), &bytes)?),
        None => None,
    };
    // Of the channel in use, the account says what was charged.
    let current = current.filter(|client| client.paper.channel == id);
    let in_use = current.as_ref().is_some_and(|client| !client.paper.revoked);
    let charged_pusd = match current {
        Some(client) => {
            let account = account(store, &money::client_account(&wallet))?;
            let charged = account.map_or(0, |account| account.debits_posted);
            Sum::new(charged.saturating_sub(client.paper.base_pusd.get()))
        }
        None => row.charged_pusd,
    };
    let cashed = account(store, &money::cashed_account(&id))?;
    let cashed = cashed.map_or(0, |account| account.credits_posted);
    Ok(Channel {
        id,
        client: wallet,
        authorization: row.authorization,
        charged_pusd,
        settled_units: narrow(cashed / u128::from(PUSD_PER_TOKEN_UNIT)),
        revoked: row.revoked,
        in_use,
    })
}

/// What a lane earned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LaneTotal {
    /// The node that forwarded.
    pub node: Address,
    /// Credited to it, picodollars.
    #[serde(with = "text::decimal")]
    pub credited_pusd: u64,
}

/// A node's figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Clients.
    pub clients: u64,
    /// Packets that wait.
    pub waiting_packets: u64,
    /// Bytes that wait, at list size.
    #[serde(with = "text::decimal")]
    pub waiting_bytes: u64,
    /// Bytes passed and charged, also for clients who have left.
    #[serde(with = "text::decimal")]
    pub passed_bytes: u64,
    /// Charged to clients, picodollars.
    #[serde(with = "text::decimal")]
    pub charged_pusd: u64,
    /// Reserved, picodollars.
    #[serde(with = "text::decimal")]
    pub reserved_pusd: u64,
    /// By lane.
    pub lanes: Vec<LaneTotal>,
    /// Whether [`verify`] finds nothing.
    pub ledger_balanced: bool,
}

/// Adds up a node's store. Reads every account and transfer.
pub fn totals<S: Store>(store: &S) -> Result<Totals, StoreError> {
    let mut totals = Totals {
        clients: 0,
        waiting_packets: 0,
        waiting_bytes: 0,
        passed_bytes: 0,
        charged_pusd: 0,
        reserved_pusd: 0,
        lanes: Vec::new(),
        ledger_balanced: verify(store)?.is_ok(),
    };
    if let Some(bytes) = store.get(Table::Meta, CLIENTS_KEY)? {
        totals.clients = rows::from_json(Table::Meta, CLIENTS_KEY, &bytes)?;
    }
    if let Some(bytes) = store.get(Table::Meta, DEPARTED_BYTES_KEY)? {
        totals.passed_bytes = rows::from_json(Table::Meta, DEPARTED_BYTES_KEY, &bytes)?;
    }
    each::<_, StoreError>(store, Table::Mailboxes, PAGE_ROWS, |key, value| {
        let row: MailboxRow = rows::from_json(Table::Mailboxes, key, value)?;
        totals.waiting_packets = totals.waiting_packets.saturating_add(row.mailbox.count);
        totals.waiting_bytes = totals.waiting_bytes.saturating_add(row.mailbox.bytes);
        totals.passed_bytes = totals.passed_bytes.saturating_add(row.passed_bytes);
        Ok(())
    })?;
    if let Some(income) = account(store, &money::income_account())? {
        totals.charged_pusd = narrow(income.credits_posted);
        totals.reserved_pusd = narrow(income.credits_pending);
    }
    let nodes = store.scan(Table::Meta, LANE_PREFIX, LANE_PREFIX_END, LANES_MAX)?;
    let nodes = nodes
        .iter()
        .filter_map(|(key, _)| Address::try_from(&key[LANE_PREFIX.len()..]).ok());
    for node in nodes {
        let credited = account(store, &money::lane_account(&node))?;
        let credited_pusd = credited.map_or(0, |account| narrow(account.credits_posted));
        totals.lanes.push(LaneTotal {
            node,
            credited_pusd,
        });
    }
    Ok(totals)
}

fn narrow(sum: u128) -> u64 {
    u64::try_from(sum).unwrap_or(u64::MAX)
}
