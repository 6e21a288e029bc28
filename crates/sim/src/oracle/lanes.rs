//! Whether both sides of every lane say the same.

use layer_minus_message::channel::PUSD_PER_TOKEN_UNIT;
use layer_minus_node::admin::{self, Side};

use super::Oracle;
use crate::{lanes::book_with, world::World};

/// Nothing is under way any more: what a node promised is what its relay holds, and what it owes
/// beyond is less than the smallest promise.
pub(crate) struct Agreed;

impl Oracle for Agreed {
    fn name(&self) -> &'static str {
        "both sides of a lane say the same"
    }

    fn check(&self, world: &World) -> Result<(), String> {
        for relay in 0..world.creditors.len() {
            if let Some(node) = &world.creditors[relay].node {
                let flaw = admin::verify(node.store()).map_err(|error| error.to_string())?;
                flaw.map_err(|flaw| format!("relay {relay}: {flaw}"))?;
            }
            for site in 0..world.sites.len() {
                check_lane(world, relay, site)
                    .map_err(|text| format!("relay {relay} and node {site}: {text}"))?;
            }
        }
        Ok(())
    }
}

fn check_lane(world: &World, relay: usize, site: usize) -> Result<(), String> {
    let (Some(debtor), Some(creditor)) = (&world.sites[site].node, &world.creditors[relay].node)
    else {
        return Err("not both of them run".to_owned());
    };
    let wallet = |keys: &layer_minus_node::NodeKeys| keys.wallet.address();
    let to = wallet(&world.cast.relays[relay].keys);
    let by = wallet(&world.cast.nodes[site].keys);
    let read = |book: Result<_, crate::violation::Violation>| book.map_err(|error| error.text);
    let owed = read(book_with(debtor, to, Side::Owed))?.ok_or("the node has no book")?;
    let due = read(book_with(creditor, by, Side::Due))?.ok_or("the relay has no book")?;
    let same = |what: &str, one: u64, other: u64| {
        if one == other {
            return Ok(());
        }
        Err(format!(
            "{what}: {one} p$ at the node, {other} p$ at the relay"
        ))
    };
    same("promised", owed.promised_pusd, due.promised_pusd)?;
    same("held", owed.held_pusd, due.promised_pusd)?;
    same("settled", owed.settled_pusd, due.settled_pusd)?;
    let unpromised = owed.credited_pusd.checked_sub(owed.promised_pusd);
    if unpromised.is_none_or(|unpromised| unpromised >= PUSD_PER_TOKEN_UNIT) {
        return Err(format!(
            "{} p$ are credited and {} p$ promised",
            owed.credited_pusd, owed.promised_pusd
        ));
    }
    let newest = |book: &admin::LaneBook| {
        let paper = book.papers.last()?;
        Some((paper.id, paper.units, paper.signature))
    };
    if newest(&owed) == newest(&due) {
        Ok(())
    } else {
        Err("their newest vouchers differ".to_owned())
    }
}
