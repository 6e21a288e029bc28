//! Whether the ledgers are sound in themselves.

use layer_minus_ledger::Account;
use layer_minus_node::{Store as _, StoreError, Table, admin, money};

use super::Oracle;
use crate::world::World;

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
    match admin::verify(node.store()) {
        Ok(flaw) => flaw.map_err(|flaw| flaw.to_string()),
        // That is what it is to say.
        Err(StoreError::Damaged { .. }) if world.sites[site].damaged => Ok(()),
        Err(error) => Err(error.to_string()),
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
