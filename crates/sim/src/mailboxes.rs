//! Which packets came into mailboxes and which left them, batch by batch.

use std::collections::{BTreeMap, BTreeSet};

use layer_minus_delivery::{Consumer, ConsumerId};
use layer_minus_node::{Store, Table};

use crate::{
    books::{Left, Life, Stored},
    observe::Seen,
    violation::Violation,
    world::World,
};

/// Rows that are read at a time: more than a world has.
const ROWS_MAX: usize = 100_000;
/// An upper end of keys.
const END: [u8; 64] = [0xff; 64];

impl World {
    /// Consumers of a mailbox.
    pub(crate) fn consumers(&self, site: usize, person: usize) -> BTreeMap<ConsumerId, Consumer> {
        let wallet = self.cast.people[person].wallets.wallet.address();
        let (from, to) = (wallet.as_slice(), [wallet.as_slice(), &[0xff; 17]].concat());
        let Some(node) = &self.sites[site].node else {
            return BTreeMap::new();
        };
        let rows = node.store().scan(Table::Consumers, from, &to, ROWS_MAX);
        let rows = rows.unwrap_or_default();
        let read = rows
            .iter()
            .filter_map(|(_, value)| serde_json::from_slice::<Consumer>(value).ok());
        read.map(|consumer| (consumer.id, consumer)).collect()
    }

    /// Numbers of the stored packets of each person.
    pub(crate) fn waiting(&self, site: usize) -> Result<BTreeSet<(usize, u64)>, Violation> {
        let Some(node) = &self.sites[site].node else {
            return Ok(BTreeSet::new());
        };
        let rows = node.store().scan(Table::Packets, &[], &END, ROWS_MAX);
        let mut waiting = BTreeSet::new();
        for (key, _) in rows.map_err(Violation::world)? {
            let (wallet, seq) = key.split_at_checked(20).unwrap_or_default();
            let person = self
                .cast
                .people
                .iter()
                .position(|role| role.wallets.wallet.address().as_slice() == wallet);
            if let (Some(person), Ok(seq)) = (person, seq.try_into()) {
                waiting.insert((person, u64::from_be_bytes(seq)));
            }
        }
        Ok(waiting)
    }

    /// The registration that a person has at a node, or had last.
    fn last_life(&self, site: usize, person: usize) -> Option<Life> {
        let standing = self.books.sites.get(site)?.standings.get(&person)?;
        let number = standing.lives;
        (number > 0).then_some(Life {
            site,
            person,
            number,
        })
    }

    /// Notes the packets that a batch stored.
    pub(crate) fn came(&mut self, site: usize, seen: &Seen) -> Result<(), Violation> {
        let mut fresh: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for (person, seq) in self.waiting(site)? {
            let Some(life) = self.last_life(site, person) else {
                return Err(Violation::world("a mailbox of nobody"));
            };
            if !self.books.stored.contains_key(&(life, seq)) {
                fresh.entry(person).or_default().push(seq);
            }
        }
        for (person, bodies) in &seen.accepted {
            let seqs = fresh.remove(person).unwrap_or_default();
            if seen.left.iter().any(|life| life.person == *person) {
                continue;
            }
            if seqs.len() != bodies.len() {
                let text = format!(
                    "node {site} accepted {} packets for {person} and stored {}",
                    bodies.len(),
                    seqs.len()
                );
                return Err(Violation::new("what is accepted is stored", text));
            }
            let Some(life) = self.last_life(site, *person) else {
                continue;
            };
            for (seq, body) in seqs.into_iter().zip(bodies) {
                let stored = Stored {
                    digest: body.digest,
                    accepted_at: body.accepted_at,
                    kept_until: body.kept_until,
                    left: None,
                    owed_gap: BTreeSet::new(),
                    owed_anyone: false,
                    pushes: BTreeMap::new(),
                };
                self.books.stored.insert((life, seq), stored);
            }
        }
        if let Some((person, seqs)) = fresh.first_key_value() {
            let text = format!("node {site} stored {seqs:?} for {person} and told nobody");
            return Err(Violation::new("what is stored was accepted", text));
        }
        Ok(())
    }

    /// Notes the packets that left in a batch, and whether they might.
    pub(crate) fn went(
        &mut self,
        site: usize,
        now: u64,
        ticked: bool,
        seen: &Seen,
    ) -> Result<(), Violation> {
        for (life, seq) in self.missing(site)? {
            let how = if seen.left.contains(&life) {
                Left::Unregistered
            } else if ticked {
                Left::Expired
            } else {
                Left::Collected
            };
            self.say(&format!(
                "node {site}: packet {seq} of {} leaves: {how:?}",
                life.person
            ));
            let consumers = self.consumers(site, life.person);
            match how {
                Left::Collected => self.may_collect(life, seq, &consumers)?,
                Left::Expired => self.owe_gap(life, seq, now, &consumers)?,
                Left::Unregistered => {}
            }
            if let Some(stored) = self.books.stored.get_mut(&(life, seq)) {
                stored.left = Some((how, now));
            }
        }
        for person in 0..self.knobs.people {
            let consumers = self.consumers(site, person).into_keys().collect();
            self.sites[site].consumers.insert(person, consumers);
        }
        Ok(())
    }

    /// Packets that should be there and are not.
    fn missing(&self, site: usize) -> Result<Vec<(Life, u64)>, Violation> {
        let waiting = self.waiting(site)?;
        let gone = |(life, seq): &&(Life, u64)| {
            let current = self.last_life(site, life.person) == Some(*life);
            !(current && waiting.contains(&(life.person, *seq)))
        };
        let here = self.books.stored.iter();
        let here = here.filter(|((life, _), stored)| life.site == site && stored.left.is_none());
        Ok(here.map(|(key, _)| key).filter(gone).copied().collect())
    }

    /// Everybody who consumes the mailbox must have it on his own disk.
    fn may_collect(
        &self,
        life: Life,
        seq: u64,
        consumers: &BTreeMap<ConsumerId, Consumer>,
    ) -> Result<(), Violation> {
        const ORACLE: &str = "a packet leaves when every consumer has it";
        if consumers.is_empty() {
            let text = format!("packet {seq} of {life:?} left and nobody listens");
            return Err(Violation::new(ORACLE, text));
        }
        let before = self.sites[life.site].consumers.get(&life.person);
        for consumer in consumers.values() {
            // Who came in this very batch begins after it.
            if before.is_none_or(|before| !before.contains(&consumer.id)) {
                continue;
            }
            if !consumer.is_done(seq) {
                let text = format!("packet {seq} of {life:?} left before {:?}", consumer.id);
                return Err(Violation::new(ORACLE, text));
            }
            if !self.holds(life, seq, &consumer.id) {
                let text = format!(
                    "packet {seq} of {life:?} counts as acknowledged by {:?}, who never had it",
                    consumer.id
                );
                return Err(Violation::new(ORACLE, text));
            }
        }
        Ok(())
    }

    /// Whether the devices behind a consumer have a packet on their disks, or know that it is lost.
    pub(crate) fn holds(&self, life: Life, seq: u64, consumer: &ConsumerId) -> bool {
        self.devices.iter().any(|device| {
            device.person == life.person
                && device.consumer() == *consumer
                && (device.home.taken.contains(&(life, seq)) || device.told_gap(life, seq))
        })
    }

    fn owe_gap(
        &mut self,
        life: Life,
        seq: u64,
        now: u64,
        consumers: &BTreeMap<ConsumerId, Consumer>,
    ) -> Result<(), Violation> {
        self.books.counts.expired += 1;
        let Some(stored) = self.books.stored.get_mut(&(life, seq)) else {
            return Ok(());
        };
        if now <= stored.kept_until {
            let text = format!("packet {seq} of {life:?} was dropped early");
            return Err(Violation::new("mail is kept until retention ends", text));
        }
        stored.owed_anyone = consumers.is_empty();
        let without = consumers.values().filter(|state| !state.is_done(seq));
        stored.owed_gap = without.map(|state| state.id).collect();
        Ok(())
    }

    /// After a restart everything that was accepted must be there.
    pub(crate) fn restarted(&mut self, site: usize) -> Result<(), Violation> {
        if let Some((life, seq)) = self.missing(site)?.first() {
            let text = format!("packet {seq} of {life:?} was accepted and is gone after a crash");
            return Err(Violation::new("what is accepted survives a crash", text));
        }
        self.came(site, &Seen::default())?;
        self.check_ledger(site)
    }
}
