//! What the operator does with the store: grants, invites, figures, copies. All of it works while
//! the node runs: each writes one short transaction, or reads.

use std::path::{Path, PathBuf};

use layer_minus_http::clock;
use layer_minus_ledger::Transfer;
use layer_minus_message::Paused;
use layer_minus_node::{Store as _, StoreError, Table, admin, money::code};
use layer_minus_store_sqlite::{Options, SqliteStore};
use layer_minus_wallet::Address;
use rand::rngs::OsRng;
use serde::Serialize;

use crate::{amount, app::Composition, config::Config, error::DaemonError, keys, out::Out, store};

/// Rows read at a time.
const PAGE_ROWS: usize = 1_024;
/// After every key of the tables.
const LAST_KEY: [u8; 64] = [0xff; 64];

#[derive(Serialize)]
struct Granted {
    client: String,
    added_pusd: String,
    granted_pusd: String,
}

pub(crate) fn grant(
    config: &Config,
    client: Address,
    amount_pusd: u64,
    out: Out,
) -> Result<(), DaemonError> {
    let mut store = store::open(config)?;
    let total = admin::grant(&mut store, client, amount_pusd).map_err(store::failed(config))?;
    let granted = Granted {
        client: client.to_string(),
        added_pusd: amount_pusd.to_string(),
        granted_pusd: total.to_string(),
    };
    out.line(
        || format!("{client} may spend {} in all", amount::show(total)),
        &granted,
    )
}

#[derive(Serialize)]
struct Invite {
    invite: String,
    amount_pusd: String,
}

pub(crate) fn invite(
    config: &Config,
    amount_pusd: u64,
    count: u32,
    out: Out,
) -> Result<(), DaemonError> {
    let mut store = store::open(config)?;
    for _ in 0..count {
        let code =
            admin::invite(&mut store, amount_pusd, &mut OsRng).map_err(store::failed(config))?;
        let invite = Invite {
            invite: code,
            amount_pusd: amount_pusd.to_string(),
        };
        out.line(|| invite.invite.clone(), &invite)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Client {
    client: String,
    charged_pusd: String,
    reserved_pusd: String,
    limit_pusd: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<&'static str>,
}

/// Everybody who is registered, by wallet: all that a node knows of them.
pub(crate) fn clients(config: &Config, out: Out) -> Result<(), DaemonError> {
    let store = store::open_read_only(config)?;
    let failed = store::failed(config);
    store.pin().map_err(&failed)?;
    let node = config.node(Composition::Recipient);
    let smallest = config.packets.sizes.iter().next().unwrap_or_default();
    let smallest = u32::try_from(smallest).unwrap_or(u32::MAX);
    let mut print = Ok(());
    admin::means(&store, &node, smallest, clock::now(), |means| {
        let paused = means.paused.map(Paused::name);
        let client = Client {
            client: means.client.to_string(),
            charged_pusd: means.charged_pusd.to_string(),
            reserved_pusd: means.reserved_pusd.to_string(),
            limit_pusd: means.limit_pusd.to_string(),
            paused,
        };
        let charged = u64::try_from(means.charged_pusd.get()).unwrap_or(u64::MAX);
        if print.is_ok() {
            print = out.line(
                || {
                    let paused = paused.map(|paused| format!(", paused: {paused}"));
                    format!(
                        "{} charged {}{}",
                        client.client,
                        amount::show(charged),
                        paused.unwrap_or_default()
                    )
                },
                &client,
            );
        }
    })
    .map_err(&failed)?;
    print
}

#[derive(Serialize)]
struct Verified {
    ledger_balanced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    rows: u64,
    damaged_rows: u64,
}

/// Checks the books, and every row's digest.
pub(crate) fn verify(config: &Config, out: Out) -> Result<(), DaemonError> {
    let store = store::open_read_only(config)?;
    store.pin().map_err(store::failed(config))?;
    let report = store.verify(|_| {}).map_err(store::failed(config))?;
    let reason = match admin::verify(&store) {
        Ok(result) => result.err().map(|flaw| flaw.to_string()),
        Err(StoreError::Damaged { table, key }) => Some(format!("damaged row {key} in {table}")),
        Err(error) => return Err(store::failed(config)(error)),
    };
    let verified = Verified {
        ledger_balanced: reason.is_none(),
        reason,
        rows: report.rows,
        damaged_rows: report.unlisted + report.damaged.len() as u64,
    };
    out.line(
        || {
            let books = match &verified.reason {
                None => "the ledger balances".to_owned(),
                Some(reason) => format!("the ledger does not balance: {reason}"),
            };
            format!("{books}; {report}")
        },
        &verified,
    )?;
    if verified.ledger_balanced && report.is_sound() {
        Ok(())
    } else {
        Err(DaemonError::Failed("the store needs attention".to_owned()))
    }
}

#[derive(Serialize)]
struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    clients: u64,
    waiting_packets: u64,
    waiting_bytes: String,
    passed_bytes: String,
    charged_pusd: String,
    /// The part of what was charged that is storage.
    storage_pusd: String,
    reserved_pusd: String,
    lanes: Vec<Lane>,
    ledger_balanced: bool,
}

#[derive(Serialize)]
struct Lane {
    node: String,
    credited_pusd: String,
}

/// Totals, from a handle of its own that only reads.
pub(crate) fn status(config: &Config, out: Out) -> Result<(), DaemonError> {
    let store = store::open_read_only(config)?;
    let failed = store::failed(config);
    store.pin().map_err(&failed)?;
    let totals = admin::totals(&store).map_err(&failed)?;
    let storage = charged_for(&store, code::STORAGE).map_err(&failed)?;
    let node = keys::stated_address(&keys::KeyFiles::of(&config.data).wallet)
        .ok()
        .flatten();
    let lanes = totals.lanes.iter().map(|lane| Lane {
        node: lane.node.to_string(),
        credited_pusd: lane.credited_pusd.to_string(),
    });
    let status = Status {
        node: node.map(|node| node.to_string()),
        clients: totals.clients,
        waiting_packets: totals.waiting_packets,
        waiting_bytes: totals.waiting_bytes.to_string(),
        passed_bytes: totals.passed_bytes.to_string(),
        charged_pusd: totals.charged_pusd.to_string(),
        storage_pusd: storage.to_string(),
        reserved_pusd: totals.reserved_pusd.to_string(),
        lanes: lanes.collect(),
        ledger_balanced: totals.ledger_balanced,
    };
    out.line(|| describe(&status, &totals, storage), &status)
}

fn describe(status: &Status, totals: &admin::Totals, storage_pusd: u128) -> String {
    let storage = u64::try_from(storage_pusd).unwrap_or(u64::MAX);
    let mut text = format!(
        "node      {}\nclients   {}\nwaiting   {} packets, {} bytes\npassed    {} bytes\n\
         charged   {} (storage {})\nreserved  {}\nledger    {}",
        status.node.as_deref().unwrap_or("unknown: no keystore"),
        totals.clients,
        totals.waiting_packets,
        totals.waiting_bytes,
        totals.passed_bytes,
        amount::show(totals.charged_pusd),
        amount::show(storage),
        amount::show(totals.reserved_pusd),
        if totals.ledger_balanced {
            "balances"
        } else {
            "DOES NOT BALANCE"
        },
    );
    for lane in &totals.lanes {
        let credited = amount::show(lane.credited_pusd);
        text.push_str(&format!("\nlane      {} credited {credited}", lane.node));
    }
    text
}

/// What transfers of one code moved.
fn charged_for(store: &SqliteStore, code: u16) -> Result<u128, StoreError> {
    let mut sum = 0;
    each(store, Table::Transfers, |key, value| {
        let transfer = Transfer::from_bytes(value).map_err(|_| damaged(Table::Transfers, key))?;
        if transfer.code == code {
            sum += u128::from(transfer.moved().get());
        }
        Ok(())
    })?;
    Ok(sum)
}

fn damaged(table: Table, key: &[u8]) -> StoreError {
    StoreError::Damaged {
        table,
        key: key.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Calls `visit` on every row of a table, a page at a time.
fn each(
    store: &SqliteStore,
    table: Table,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut from = Vec::new();
    loop {
        let rows = store.scan(table, &from, &LAST_KEY, PAGE_ROWS)?;
        for (key, value) in &rows {
            visit(key, value)?;
        }
        match rows.into_iter().next_back() {
            Some((key, _)) => {
                from = key;
                from.push(0);
            }
            None => return Ok(()),
        }
    }
}

#[derive(Serialize)]
struct BackedUp {
    file: PathBuf,
    bytes: u64,
}

/// Copies the store. Keys and configuration are files of their own.
pub(crate) fn backup(config: &Config, file: &Path, out: Out) -> Result<(), DaemonError> {
    let source = store::open_read_only(config)?;
    let bytes = source.backup_to(file).map_err(store::failed(config))?;
    let at_file = |source| DaemonError::Store {
        path: file.to_owned(),
        source,
    };
    SqliteStore::open(file, Options::default())
        .and_then(|mut copy| store::mark_as_backup(&mut copy, clock::now()))
        .map_err(at_file)?;
    let report = BackedUp {
        file: file.to_owned(),
        bytes,
    };
    out.line(
        || {
            format!(
                "{} bytes in {}; keys and configuration are not in it: copy {} and the \
                 configuration too. To go on from it: `restore {}`",
                bytes,
                file.display(),
                config.data.display(),
                file.display()
            )
        },
        &report,
    )
}
