//! One run from its seed.

use crate::{
    books::Counts,
    cast::cast,
    plant::Plant,
    violation::{Failure, Violation},
    world::World,
};

/// How long everything may take to come to rest once nothing breaks, milliseconds.
const DRAIN_MS: u64 = 6 * 60_000;
/// How long reservations of broken streams may live by a clock that was wrong, and a little,
/// milliseconds.
const SETTLE_MS: u64 = 3 * 3_600_000 + 60_000;

/// How long relays and nodes may take to tell each other the last of their lanes, milliseconds: three looks.
const LANES_MS: u64 = 16_000;

/// What may be chosen besides the seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The bug to plant.
    pub plant: Plant,
    /// Whether the report brings every line of the trace.
    pub trace: bool,
}

/// A run in which every rule held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// How many things happened.
    pub steps: u64,
    /// Virtual time that passed, milliseconds.
    pub virtual_ms: u64,
    /// Of all trace lines: the same for every run of the seed.
    pub digest: String,
    /// What was counted.
    pub counts: Counts,
    /// Every line, if asked for.
    pub trace: Vec<String>,
}

/// Runs a seed: things happen and break, then everything heals, everybody comes back and takes what
/// waits, and the rules are checked.
///
/// # Errors
/// [`Failure`] with the rule that was broken.
pub fn run(seed: u64, options: &Options) -> Result<Report, Failure> {
    let failure = |violation: Violation, step, trace| Failure {
        seed,
        step,
        oracle: violation.oracle,
        text: violation.text,
        trace,
    };
    let cast = cast().map_err(|text| failure(Violation::world(text), 0, Vec::new()))?;
    let mut world = World::new(seed, cast, options.plant, options.trace)
        .map_err(|violation| failure(violation, 0, Vec::new()))?;
    if let Err(violation) = play(&mut world) {
        let kept = world.trace.take_kept();
        let trace = if kept.is_empty() {
            world.trace.tail()
        } else {
            kept
        };
        return Err(failure(violation, world.step, trace));
    }
    Ok(Report {
        seed,
        steps: world.step,
        virtual_ms: world.now_ms,
        digest: world.trace.digest(),
        counts: world.books.counts,
        trace: world.trace.take_kept(),
    })
}

fn play(world: &mut World) -> Result<(), Violation> {
    // Hours that go by are not part of the active time.
    for _ in 0..world.knobs.active_secs {
        world.run_until(world.now_ms + 1_000, |_| false)?;
    }
    world.heal()?;
    world.run_until(world.now_ms + DRAIN_MS, World::is_at_rest)?;
    if let Some(text) = world.restless() {
        return Err(Violation::new("everything comes in the end", text));
    }
    world.now_ms += SETTLE_MS;
    world.run_until(world.now_ms + LANES_MS, |_| false)?;
    world.judge()
}

impl World {
    fn is_at_rest(&self) -> bool {
        self.restless().is_none()
    }

    /// What is not done yet.
    fn restless(&self) -> Option<String> {
        for (number, device) in self.devices.iter().enumerate() {
            if device.main && device.home.identity.membership.is_none() {
                return Some(format!("device {number} is not registered"));
            }
            if device.home.outbox.iter().any(|posted| !posted.accepted) {
                return Some(format!("device {number} has mail that no node takes"));
            }
            if !device.live.book.is_empty() || !device.live.acks.is_empty() {
                return Some(format!("device {number} has something to acknowledge"));
            }
            let stream = device.live.stream.and_then(|call| self.calls.get(&call));
            if !stream.is_some_and(|call| call.stream) {
                return Some(format!("device {number} has no stream"));
            }
        }
        for site in 0..self.sites.len() {
            if let Ok(waiting) = self.waiting(site)
                && let Some((person, seq)) = waiting.first()
            {
                return Some(format!("packet {seq} of {person} waits at node {site}"));
            }
        }
        None
    }
}
