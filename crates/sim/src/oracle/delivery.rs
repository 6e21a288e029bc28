//! Whether everything that was accepted came to its person, or its loss was told.

use std::collections::{BTreeMap, BTreeSet};

use super::Oracle;
use crate::{
    books::{Left, LetterKey, Life, Stored},
    device::Device,
    world::World,
};

/// Every accepted packet was shown once, still waits, or left with its client or at its time.
pub(crate) struct Delivered;

impl Oracle for Delivered {
    fn name(&self) -> &'static str {
        "what is accepted is delivered once"
    }

    fn check(&self, world: &World) -> Result<(), String> {
        for (number, device) in world.devices.iter().enumerate() {
            let mut seen = BTreeSet::new();
            for (from, id, _) in &device.home.shown {
                if !seen.insert((*from, *id)) {
                    return Err(format!("device {number} showed a letter twice"));
                }
            }
        }
        let shown = shown(world);
        for ((life, seq), stored) in &world.books.stored {
            let letter = world.books.mails.get(&stored.digest);
            let was_shown =
                letter.is_some_and(|letter| shown.contains_key(&(life.person, *letter)));
            if world.books.unreadable.contains(&stored.digest) {
                continue;
            }
            let fine = match stored.left {
                None | Some((Left::Unregistered, _)) => true,
                Some((Left::Collected, _)) => was_shown || told(world, *life, *seq),
                Some((Left::Expired, _)) => {
                    was_shown || told(world, *life, *seq) || !is_current(world, *life)
                }
            };
            if !fine {
                let how = stored.left;
                return Err(format!(
                    "packet {seq} of {life:?} left ({how:?}) and nobody saw it"
                ));
            }
        }
        promised(world)
    }
}

/// Letters that people saw, with how many of their devices.
fn shown(world: &World) -> BTreeMap<(usize, LetterKey), u32> {
    let mut shown = BTreeMap::new();
    for device in &world.devices {
        for (from, id, _) in &device.home.shown {
            *shown
                .entry((device.person, (from.into_array(), *id)))
                .or_default() += 1;
        }
    }
    shown
}

/// Every receipt that a sender holds is one that the node gave.
fn promised(world: &World) -> Result<(), String> {
    for (number, device) in world.devices.iter().enumerate() {
        for posted in device.home.outbox.iter().filter(|posted| posted.accepted) {
            let mut receipts = world.books.receipts.keys();
            if !receipts
                .any(|(life, digest)| life.person == posted.to && *digest == posted.mail.digest)
            {
                return Err(format!("device {number} holds a receipt that nobody gave"));
            }
        }
    }
    Ok(())
}

fn told(world: &World, life: Life, seq: u64) -> bool {
    let mut devices = world.devices.iter();
    devices.any(|device| device.person == life.person && device.told_gap(life, seq))
}

fn is_current(world: &World, life: Life) -> bool {
    world.books.life(life.site, life.person) == Some(life)
}

/// Whoever missed a packet that was dropped knows of it.
pub(crate) struct GapsTold;

impl Oracle for GapsTold {
    fn name(&self) -> &'static str {
        "what is dropped is told as a gap"
    }

    fn check(&self, world: &World) -> Result<(), String> {
        for ((life, seq), stored) in &world.books.stored {
            if is_current(world, *life) {
                check_packet(world, *life, *seq, stored)?;
            }
        }
        Ok(())
    }
}

fn check_packet(world: &World, life: Life, seq: u64, stored: &Stored) -> Result<(), String> {
    for consumer in &stored.owed_gap {
        if !world.holds(life, seq, consumer) {
            return Err(format!(
                "packet {seq} of {life:?} was dropped and {consumer:?} was not told"
            ));
        }
    }
    let knows = |device: &Device| {
        device.person == life.person
            && (device.told_gap(life, seq) || device.home.taken.contains(&(life, seq)))
    };
    if stored.owed_anyone && !world.devices.iter().any(knows) {
        return Err(format!(
            "packet {seq} of {life:?} was dropped before anybody listened and nobody was told"
        ));
    }
    Ok(())
}
