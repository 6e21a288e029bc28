//! What breaks: nodes, links, clocks, disks. And how everything heals.

use layer_minus_node::{Store, Table};

use crate::{
    disk::{Fate, lock},
    site::Crash,
    violation::Violation,
    world::{End, Happening, World},
};

/// The largest jump of a clock, seconds: beyond what commands tolerate, below what cards live.
const JUMP_SECS_MAX: u64 = 7_200;
/// The largest jump ahead of a node, seconds. After a larger one it refuses frames that live shorter than
/// it was ahead, until they would have expired: that is the price of taking none twice.
const JUMP_SECS_NODE_AHEAD: i64 = 3_000;
/// A jump within what commands tolerate, seconds.
const JUMP_SECS_SMALL: u64 = 590;

impl World {
    /// Breaks something, and comes back.
    pub(crate) fn fault(&mut self) -> Result<(), Violation> {
        if self.healed {
            return Ok(());
        }
        let next = self
            .chance
            .between(self.knobs.fault_ms / 2, self.knobs.fault_ms);
        self.after(next, Happening::Fault);
        let site = self.chance.index(self.sites.len());
        match self.chance.between(0, 99) {
            0..=9 => self.crash(site),
            10..=39 => self.plan_crash(site),
            40..=59 => self.cut(),
            60..=71 => self.jump(site),
            72..=81 => {
                let device = self.chance.index(self.devices.len());
                if self.devices[device].up {
                    self.crash_device(device);
                }
            }
            82..=86 => self.fill(site),
            87..=90 => self.damage(site),
            91..=95 if self.knobs.sleeps => self.sleep(),
            96..=99 => self.break_relay(),
            _ => {}
        }
        self.check_ledger(site)
    }

    /// The power goes in the next batch: before, during or after its commit.
    fn plan_crash(&mut self, site: usize) {
        let crash = match self.chance.between(0, 4) {
            0 => Some(Fate::Lost),
            1 => Some(Fate::Torn(
                u32::try_from(self.chance.between(0, 999)).unwrap_or_default(),
            )),
            _ => None,
        };
        let machine = &mut self.sites[site];
        if machine.node.is_none() {
            return;
        }
        machine.crash = Some(match crash {
            Some(fate) => {
                lock(&machine.drive).arm(fate);
                Crash::InCommit
            }
            None => Crash::BeforeEffect(self.chance.index(4)),
        });
    }

    fn cut(&mut self) {
        let device = End::Device(self.chance.index(self.devices.len()));
        let relay = End::Relay(self.chance.index(self.knobs.relays));
        let site = End::Site(self.chance.index(self.sites.len()));
        let link = match self.chance.between(0, 2) {
            0 => (device, relay),
            1 => (device, site),
            _ => (relay, site),
        };
        self.say(&format!("link {link:?} is cut"));
        self.cuts.insert(link);
        let pause = self.chance.between(500, 40_000);
        self.after(pause, Happening::Join { link });
    }

    /// A clock is set, of a node or of a device.
    fn jump(&mut self, site: usize) {
        let most = if self.chance.permille(600) {
            JUMP_SECS_SMALL
        } else {
            JUMP_SECS_MAX
        };
        let secs = i64::try_from(self.chance.between(0, most)).unwrap_or_default();
        let skew = if self.chance.permille(500) {
            secs
        } else {
            -secs
        };
        if self.chance.permille(500) {
            let skew = skew.min(JUMP_SECS_NODE_AHEAD);
            self.sites[site].skew_secs = skew;
            self.say(&format!("clock of node {site} is off by {skew} s"));
        } else {
            let device = self.chance.index(self.devices.len());
            self.devices[device].skew_secs = skew;
            self.say(&format!("clock of device {device} is off by {skew} s"));
        }
    }

    /// The disk has no room for a while.
    fn fill(&mut self, site: usize) {
        let (room, reserve) = (
            self.chance.between(0, 60_000),
            self.chance.between(0, 40_000),
        );
        if let Some(node) = &mut self.sites[site].node {
            let memory = node.store_mut().memory();
            let full = memory.used_bytes() + room;
            memory.set_capacity(Some(full));
            memory.set_reserve(reserve);
            self.say(&format!("disk of node {site} is full in {room} bytes"));
            let pause = self.chance.between(1_000, 20_000);
            self.after(pause, Happening::Room { site });
        }
    }

    /// A row is damaged until the store is repaired, at the next start.
    fn damage(&mut self, site: usize) {
        const TABLES: [Table; 5] = [
            Table::Bodies,
            Table::Receipts,
            Table::Clients,
            Table::Mailboxes,
            Table::Seen,
        ];
        let table = TABLES[self.chance.index(TABLES.len())];
        let Some(node) = &mut self.sites[site].node else {
            return;
        };
        let rows = node.store().scan(table, &[], &[0xff; 64], 1_000);
        let rows = rows.unwrap_or_default();
        if let Some((key, _)) = rows.get(self.chance.index(rows.len())) {
            node.store_mut().memory().damage(table, key);
            self.sites[site].damaged = true;
            self.say(&format!("a row of {table} of node {site} is damaged"));
        }
    }

    /// Hours go by in which nothing happens.
    fn sleep(&mut self) {
        let secs = self.chance.between(600, 4 * 3_600);
        self.say(&format!("{secs} s go by"));
        self.now_ms += secs * 1_000;
    }

    /// Nothing breaks any more: links, clocks and disks work, and who is down comes back.
    pub(crate) fn heal(&mut self) -> Result<(), Violation> {
        self.say("everything heals");
        self.healed = true;
        self.cuts.clear();
        for site in 0..self.sites.len() {
            self.sites[site].skew_secs = 0;
            // What was damaged is repaired from the disk.
            self.crash(site);
            self.start(site)?;
        }
        for relay in 0..self.creditors.len() {
            self.crash_relay(relay);
            self.start_relay(relay)?;
        }
        for device in &mut self.devices {
            device.skew_secs = 0;
            device.up = true;
            device.live.not_before_ms = 0;
        }
        Ok(())
    }
}
