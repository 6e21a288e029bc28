//! Clients that nobody registered, to fill a store for a measurement: their rows are what the node
//! itself writes for a client, and the ledger balances. Only the proof of possession is left out.

use layer_minus_ledger::{DebitLimit, Op, StorageMeter, Sum};
use layer_minus_message::Registration;
use layer_minus_packet::Fingerprint;
use layer_minus_wallet::Address;

use crate::{
    journal::Keeping,
    money,
    node::{CLIENTS_KEY, Node},
    rows::{ChannelRow, ClientRow, KeyRow, MailboxRow, PaperRow, Terms},
    store::{Store, StoreError, Table},
    tx::Tx,
};

/// Adds clients in one transaction, all on the terms of `like`, each with a key of its own.
///
/// # Errors
/// What the store says; a client that is there already is refused by the ledger.
pub fn add_clients<S: Store>(
    node: &mut Node<S>,
    like: &Registration,
    clients: &[(Address, Fingerprint)],
    now: u64,
) -> Result<(), StoreError> {
    node.store.begin()?;
    match write(node, like, clients, now) {
        Ok(()) => node.store.commit(),
        Err(error) => {
            // The first failure is the one to report.
            let _ = node.store.rollback();
            Err(error)
        }
    }
}

fn write<S: Store>(
    node: &mut Node<S>,
    like: &Registration,
    clients: &[(Address, Fingerprint)],
    now: u64,
) -> Result<(), StoreError> {
    let limits = layer_minus_delivery::MailboxLimits {
        bytes_max: node.config.mailbox_bytes_max,
        retention_secs: node.config.retention_secs,
    };
    let generation = node.generation;
    let mut tx = Tx {
        store: &mut node.store,
        now,
        keeping: Keeping::from(&node.config),
        effects: Vec::new(),
    };
    for (wallet, key) in clients {
        let mailbox = MailboxRow {
            mailbox: layer_minus_delivery::Mailbox::new(generation, limits),
            strangers: layer_minus_delivery::DailyQuota::default(),
            storage: StorageMeter::default(),
            passed_bytes: 0,
        };
        tx.put_mailbox(wallet, &mailbox)?;
        let key_row = KeyRow {
            wallet: *wallet,
            fingerprint: key.to_string(),
            until: None,
        };
        tx.put(Table::Keys, &key.key_id().to_bytes(), &key_row)?;
        let channel = like
            .authorization
            .channel_id(*wallet)
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        let channel_row = ChannelRow {
            client: *wallet,
            authorization: like.authorization.clone(),
            charged_pusd: Sum::ZERO,
            unsecured_pusd: Sum::ZERO,
            revoked: false,
        };
        tx.put(Table::Channels, &channel.0, &channel_row)?;
        let client = ClientRow {
            wallet: *wallet,
            card: like.card.clone(),
            key: key.to_string(),
            card_until: like.authorization.expires_at,
            paper: PaperRow {
                authorization: like.authorization.clone(),
                channel: channel.0,
                base_pusd: Sum::ZERO,
                revoked: false,
            },
            terms: Terms {
                prices: node.config.prices,
                fixed_until: now.saturating_add(node.config.prices_fixed_secs),
            },
            inbox_digest: like.inbox_digest,
            strangers_bytes_per_day: like.strangers_bytes_per_day,
            since: node.ids.keyed("since", &[wallet.as_slice()]),
            apart: 0,
        };
        tx.put(Table::Clients, wallet.as_slice(), &client)?;
        // Somebody has to stand behind the limit.
        let granted = u64::try_from(like.authorization.limit_pusd()).unwrap_or(u64::MAX);
        tx.put(Table::Grants, wallet.as_slice(), &granted)?;
        let open = Op::Open {
            account: money::client_account(wallet),
            limit: DebitLimit::UpTo(like.authorization.limit_pusd()),
        };
        tx.book(&[open])
            .map_err(|error| StoreError::Failed(format!("{error:?}")))?;
    }
    let before: u64 = tx.get(Table::Meta, CLIENTS_KEY)?.unwrap_or(0);
    tx.put(Table::Meta, CLIENTS_KEY, &(before + clients.len() as u64))
}
