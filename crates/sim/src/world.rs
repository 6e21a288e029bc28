//! The world: a clock, a queue of what is to happen, and everybody in it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use layer_minus_client_sdk::AnswerReader;
use layer_minus_message::Command;
use layer_minus_node::Event;

use crate::{
    books::{Books, Life, SiteBooks},
    cast::{Cast, START},
    chance::Chance,
    device::{Ask, Device},
    knobs::Knobs,
    lanes::Creditor,
    plant::Plant,
    site::Site,
    trace::Trace,
    violation::Violation,
};

/// Most things that happen in a run: far more than any that comes to rest.
const STEPS_MAX: u64 = 200_000;

/// What is to happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A packet reaches a node. Whoever waits for its answer, if it is no copy.
    Arrive {
        site: usize,
        relay: Option<usize>,
        caller: Option<u64>,
        packet: Bytes,
    },
    /// A node handles what has come.
    Work { site: usize, process: u32 },
    /// A node hears that time passes.
    Tick { site: usize },
    /// A record of an answer reaches a client.
    Record {
        call: u64,
        record: Vec<u8>,
        note: Note,
    },
    /// A connection ended, or nobody answered.
    Ended { call: u64, why: &'static str },
    /// The last byte of a push was handed over.
    Handed {
        site: usize,
        process: u32,
        stream: u64,
        seq: u64,
    },
    /// A node learns that a stream ended.
    Closed {
        site: usize,
        process: u32,
        stream: u64,
    },
    /// A node's process starts.
    Start { site: usize },
    /// A device looks what there is to do.
    Wake { device: usize },
    /// A device's process starts.
    Boot { device: usize },
    /// A relay's command reaches a node.
    Ask {
        relay: usize,
        site: usize,
        command: Command,
    },
    /// What a node says of a lane reaches its relay.
    Hear {
        relay: usize,
        site: usize,
        event: Box<Event>,
    },
    /// A relay looks at its lanes.
    Look { relay: usize },
    /// A relay's process starts.
    StartRelay { relay: usize },
    /// Something breaks.
    Fault,
    /// A link works again.
    Join { link: (End, End) },
    /// A disk has room again.
    Room { site: usize },
}

/// What a record is about, for the oracles only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// Nothing to check.
    Plain,
    /// A push.
    Push(Life, u64),
    /// A gap.
    Gap(Life, u64, u64),
}

/// An end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Device(usize),
    Relay(usize),
    Site(usize),
}

/// A request of a device that waits for its answer, or the stream that it became.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) device: usize,
    pub(crate) relay: Option<usize>,
    pub(crate) site: usize,
    pub(crate) ask: Ask,
    pub(crate) reader: AnswerReader,
    pub(crate) stream: bool,
    pub(crate) heard_ms: u64,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) cast: &'static Cast,
    pub(crate) plant: Plant,
    pub(crate) knobs: Knobs,
    pub(crate) now_ms: u64,
    pub(crate) step: u64,
    pub(crate) chance: Chance,
    queue: BTreeMap<(u64, u64), Happening>,
    queued: u64,
    pub(crate) cuts: BTreeSet<(End, End)>,
    pub(crate) sites: Vec<Site>,
    pub(crate) creditors: Vec<Creditor>,
    pub(crate) devices: Vec<Device>,
    pub(crate) calls: BTreeMap<u64, Call>,
    pub(crate) next_call: u64,
    pub(crate) books: Books,
    pub(crate) trace: Trace,
    /// Nothing breaks any more, and everybody takes what waits.
    pub(crate) healed: bool,
}

impl World {
    pub(crate) fn new(
        seed: u64,
        cast: &'static Cast,
        plant: Plant,
        keep_trace: bool,
    ) -> Result<Self, Violation> {
        let mut chance = Chance::new(seed);
        let knobs = Knobs::draw(&mut chance);
        let mut world = Self {
            cast,
            plant,
            knobs,
            now_ms: 0,
            step: 0,
            chance,
            queue: BTreeMap::new(),
            queued: 0,
            cuts: BTreeSet::new(),
            sites: Vec::new(),
            creditors: Vec::new(),
            devices: Vec::new(),
            calls: BTreeMap::new(),
            next_call: 1,
            books: Books::default(),
            trace: Trace::new(keep_trace),
            healed: false,
        };
        world.say(&format!("seed {seed}: {:?}", world.knobs));
        for site in 0..world.knobs.nodes {
            world.sites.push(Site::new(site, cast, plant, &knobs));
            world.books.sites.push(SiteBooks::default());
            world.start(site)?;
            world.grant(site)?;
            world.after(1_000, Happening::Tick { site });
        }
        for relay in 0..world.knobs.relays {
            world.creditors.push(Creditor::new(plant, &knobs));
            world.start_relay(relay)?;
            world.after(10, Happening::Look { relay });
        }
        world.people();
        if !world.knobs.calm {
            world.after(3_000, Happening::Fault);
        }
        Ok(world)
    }

    /// Unix seconds on a clock that is off by so many seconds.
    pub(crate) const fn unix(&self, skew_secs: i64) -> u64 {
        (START + self.now_ms / 1_000).saturating_add_signed(skew_secs)
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.trace.line(self.now_ms, text);
    }

    pub(crate) fn at(&mut self, time_ms: u64, happening: Happening) {
        self.queued += 1;
        self.queue
            .insert((time_ms.max(self.now_ms), self.queued), happening);
    }

    pub(crate) fn after(&mut self, delay_ms: u64, happening: Happening) {
        self.at(self.now_ms + delay_ms, happening);
    }

    /// Lets time pass until `until_ms`, and what is due happen. Stops early when `done` says so.
    pub(crate) fn run_until(
        &mut self,
        until_ms: u64,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), Violation> {
        while let Some((due_ms, _)) = self.queue.keys().next().copied() {
            if done(self) {
                return Ok(());
            }
            if due_ms > until_ms {
                break;
            }
            let Some(((time_ms, _), happening)) = self.queue.pop_first() else {
                break;
            };
            self.now_ms = self.now_ms.max(time_ms);
            self.step += 1;
            if self.step > STEPS_MAX {
                return Err(Violation::world("it does not come to rest"));
            }
            self.happen(happening)?;
        }
        self.now_ms = self.now_ms.max(until_ms);
        Ok(())
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Arrive {
                site,
                relay,
                caller,
                packet,
            } => self.arrive(site, relay, caller, packet),
            Happening::Work { site, process } => self.work(site, process),
            Happening::Tick { site } => self.tick(site),
            Happening::Record { call, record, note } => self.hear(call, &record, note),
            Happening::Ended { call, why } => self.ended(call, why),
            Happening::Handed {
                site,
                process,
                stream,
                seq,
            } => {
                self.handed(site, process, stream, seq);
                Ok(())
            }
            Happening::Closed {
                site,
                process,
                stream,
            } => {
                self.closed(site, process, stream);
                Ok(())
            }
            Happening::Start { site } => self.start(site),
            Happening::Wake { device } => self.wake(device),
            Happening::Boot { device } => {
                self.boot(device);
                Ok(())
            }
            Happening::Ask {
                relay,
                site,
                command,
            } => {
                self.ask_node(relay, site, command);
                Ok(())
            }
            Happening::Hear { relay, site, event } => self.hear_of_lane(relay, site, *event),
            Happening::Look { relay } => self.look(relay),
            Happening::StartRelay { relay } => self.start_relay(relay),
            Happening::Fault => self.fault(),
            Happening::Join { link } => {
                self.cuts.remove(&link);
                Ok(())
            }
            Happening::Room { site } => {
                self.room(site);
                Ok(())
            }
        }
    }

    /// Whether a packet or record gets from a device to a node now.
    pub(crate) fn joined(&self, device: usize, relay: Option<usize>, site: usize) -> bool {
        let (device, site) = (End::Device(device), End::Site(site));
        match relay {
            None => !self.cuts.contains(&(device, site)),
            Some(relay) => {
                let up = self.relay_is_up(relay);
                let relay = End::Relay(relay);
                up && !self.cuts.contains(&(device, relay)) && !self.cuts.contains(&(relay, site))
            }
        }
    }

    /// How long a packet or record takes, milliseconds.
    pub(crate) fn latency_ms(&mut self) -> u64 {
        if !self.healed && self.chance.permille(self.knobs.late) {
            return self.chance.between(500, 15_000);
        }
        self.chance.between(5, 80)
    }
}
