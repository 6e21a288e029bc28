//! Whether what was charged and credited is what was done, recomputed from the world's own record by
//! the rules of ADR 9.
//!
//! A push is certain once the node heard that it was handed over, or that its packet is safe. One
//! that went out and of which the node never heard, because it crashed, may be charged or not.

use std::collections::BTreeMap;

use layer_minus_node::money;
use layer_minus_wallet::Address;

use super::{Oracle, ledger::account};
use crate::{
    books::{Left, Life, Standing, Stored},
    cast::SIZE_BYTES,
    world::World,
};

/// Byte-seconds to a kB·hour.
const KB_HOUR: u128 = 3_600_000;

/// Least and most.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    least: u128,
    most: u128,
}

impl Range {
    fn add(&mut self, least: usize, most: usize) {
        self.least += least as u128;
        self.most += most as u128;
    }
}

/// Pushes of a packet that must have been charged, and that may have been.
fn pushes(stored: &Stored) -> (usize, usize) {
    let handed = stored.pushes.values().filter(|push| push.handed).count();
    let sent = stored.pushes.values();
    let sent = sent.filter(|push| push.sent || push.handed).count();
    let collected = matches!(stored.left, Some((Left::Collected, _)));
    let once = usize::from(collected && sent > 0);
    (handed.max(once), sent)
}

/// Each client paid for what was done for it, and for nothing else.
pub(crate) struct Charged;

impl Oracle for Charged {
    fn name(&self) -> &'static str {
        "every charge has its delivery and every delivery its charge"
    }

    fn check(&self, world: &World) -> Result<(), String> {
        for (site, books) in world.books.sites.iter().enumerate() {
            for (person, standing) in &books.standings {
                check_client(world, site, *person, standing)?;
            }
        }
        Ok(())
    }
}

fn check_client(
    world: &World,
    site: usize,
    person: usize,
    standing: &Standing,
) -> Result<(), String> {
    let prices = world.cast.nodes[site].record.body.prices;
    let pass = u128::from(prices.in_per_byte.get()) * u128::from(SIZE_BYTES);
    let mine = |life: &Life| life.site == site && life.person == person;
    let receipts = world.books.receipts.iter();
    let receipts = receipts.filter(|((life, _), _)| mine(life));
    let mails: usize = receipts.map(|(_, given)| given.len()).sum();
    let mut range = Range::default();
    range.most += u128::from(standing.leavings);
    let mut held: BTreeMap<Life, u128> = BTreeMap::new();
    for ((life, _), stored) in world
        .books
        .stored
        .iter()
        .filter(|((life, _), _)| mine(life))
    {
        let (least, most) = pushes(stored);
        range.add(least, most);
        if let Some((_, at)) = stored.left {
            let until = at.min(stored.kept_until);
            let secs = until.saturating_sub(stored.accepted_at);
            *held.entry(*life).or_default() += u128::from(secs) * u128::from(SIZE_BYTES);
        }
    }
    let price = u128::from(prices.storage_per_kb_hour.get());
    let storage: u128 = held.values().map(|held| held * price / KB_HOUR).sum();
    let commands = standing.commands;
    let fixed = (mails as u128 + u128::from(commands)) * pass + storage;
    let wallet = world.cast.people[person].wallets.wallet.address();
    let charged = account(world, site, money::client_account(&wallet));
    let charged = charged.map_or(0, |account| account.debits_posted);
    let (least, most) = (fixed + range.least * pass, fixed + range.most * pass);
    let even = charged
        .checked_sub(fixed)
        .is_some_and(|rest| rest % pass == 0);
    if charged < least || charged > most || !even {
        return Err(format!(
            "{person} was charged {charged} p$ at node {site}, due are {least} to {most}: {mails} mails, \
             {commands} commands, {} to {} pushes and times of leaving, {storage} p$ storage",
            range.least, range.most
        ));
    }
    Ok(())
}

/// Each lane earned by the passes that were charged, and by no others.
pub(crate) struct Credited;

impl Oracle for Credited {
    fn name(&self) -> &'static str {
        "lanes earn by what was charged"
    }

    fn check(&self, world: &World) -> Result<(), String> {
        for site in 0..world.sites.len() {
            for relay in world.cast.relays.iter().take(world.knobs.relays) {
                check_lane(world, site, relay.keys.wallet.address())?;
            }
        }
        Ok(())
    }
}

fn check_lane(world: &World, site: usize, relay: Address) -> Result<(), String> {
    let prices = world.cast.nodes[site].record.body.prices;
    let pass = u128::from(prices.relay_per_byte.get()) * u128::from(SIZE_BYTES);
    let passes = world.books.sites[site].lane_passes.get(&relay);
    let passes = u128::from(passes.copied().unwrap_or_default());
    let leavings = world.books.sites[site].lane_leavings.get(&relay);
    let mut range = Range::default();
    range.most += u128::from(leavings.copied().unwrap_or_default());
    for ((life, _), stored) in &world.books.stored {
        if life.site != site {
            continue;
        }
        let pushes = stored.pushes.values();
        let here = pushes.clone().filter(|push| push.lane == Some(relay));
        let handed = pushes.clone().filter(|push| push.handed).count();
        if handed == 0 && matches!(stored.left, Some((Left::Collected, _))) {
            // The node knows that one of those it began brought it, whether or not the power went before
            // it was sent. It credits one lane, once.
            let all_here = here.clone().count() == pushes.count();
            let any_here = here.clone().count() > 0;
            range.add(usize::from(any_here && all_here), usize::from(any_here));
        } else {
            let certain = here.clone().filter(|push| push.handed).count();
            let sent = here.filter(|push| push.sent || push.handed).count();
            range.add(certain, sent);
        }
    }
    let credited = account(world, site, money::lane_account(&relay));
    let credited = credited.map_or(0, |account| account.credits_posted);
    let (least, most) = ((passes + range.least) * pass, (passes + range.most) * pass);
    if credited < least || credited > most || !credited.is_multiple_of(pass) {
        return Err(format!(
            "lane {relay} earned {credited} p$ at node {site}, due are {least} to {most}: {passes} \
             passes, {} to {} pushes and times of leaving",
            range.least, range.most
        ));
    }
    Ok(())
}
