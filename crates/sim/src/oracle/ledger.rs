//! Whether the ledgers are sound in themselves.

use layer_minus_ledger::{Account, Transfer, TransferState};
use layer_minus_node::{Store, Table, admin, money};

use super::Oracle;
use crate::world::World;

/// Rows that are read at a time: more than a world has.
const ROWS_MAX: usize = 100_000;

/// Debits equal credits, no limit is exceeded, every stored packet has its reservations.
pub(crate) struct Balanced;

impl Oracle for Balanced {
    fn name(&self) -> &'static str {
        "the ledger balances"
    }

    fn check(&self, world: &World) -> Result<(), String> {
        (0..world.sites.len()).try_for_each(|site| check_site(world, site))
    }
}

/// Checks one node, if it runs.
pub(crate) fn check_site(world: &World, site: usize) -> Result<(), String> {
    let Some(node) = &world.sites[site].node else {
        return Ok(());
    };
    let flaw = admin::verify(node.store()).map_err(|error| error.to_string())?;
    flaw.map_err(|flaw| flaw.to_string())?;
    let rows = node
        .store()
        .scan(Table::Packets, &[], &[0xff; 64], ROWS_MAX);
    for (_, value) in rows.map_err(|error| error.to_string())? {
        let row: serde_json::Value =
            serde_json::from_slice(&value).map_err(|error| error.to_string())?;
        held(world, site, &row, "storage")?;
        if row["pushes"] == 0 {
            held(world, site, &row, "push")?;
        }
    }
    Ok(())
}

/// A reservation of a packet's row must be open.
fn held(world: &World, site: usize, row: &serde_json::Value, which: &str) -> Result<(), String> {
    let Some(node) = &world.sites[site].node else {
        return Ok(());
    };
    let id = row[which].as_str().unwrap_or_default();
    let key = hex::decode(id.trim_start_matches("0x")).map_err(|error| error.to_string())?;
    let found = node.store().get(Table::Transfers, &key);
    let found = found.map_err(|error| error.to_string())?;
    let state = found.and_then(|bytes| Transfer::from_bytes(&bytes).ok());
    match state.map(|transfer| transfer.state) {
        Some(TransferState::Pending { .. }) => Ok(()),
        other => Err(format!(
            "a packet that is stored on node {site} has no open {which} reservation: {other:?}"
        )),
    }
}

/// An account of a node.
pub(super) fn account(
    world: &World,
    site: usize,
    id: layer_minus_ledger::AccountId,
) -> Option<Account> {
    let node = world.sites[site].node.as_ref()?;
    let bytes = node.store().get(Table::Accounts, id.as_bytes()).ok()??;
    Account::from_bytes(&bytes).ok()
}

/// When mailboxes are empty and an hour went by, nothing is reserved any more.
pub(crate) struct NothingHeld;

impl Oracle for NothingHeld {
    fn name(&self) -> &'static str {
        "no reservation is left behind"
    }

    fn check(&self, world: &World) -> Result<(), String> {
        for site in 0..world.sites.len() {
            let waiting = world.waiting(site).map_err(|violation| violation.text)?;
            for (person, role) in world.cast.people.iter().enumerate() {
                let id = money::client_account(&role.wallets.wallet.address());
                let empty = !waiting.iter().any(|(of, _)| *of == person);
                match account(world, site, id) {
                    Some(account) if empty && account.debits_pending > 0 => {
                        return Err(format!(
                            "{} p$ of {person} are reserved at node {site} for nothing",
                            account.debits_pending
                        ));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
