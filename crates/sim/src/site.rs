//! A node's machine: the process that runs the real node, its disk, its clock, and what it has open.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use layer_minus_delivery::ConsumerId;
use layer_minus_message::{Answer, Reason};
use layer_minus_node::{
    ConnectionId, Event, Node, NodeConfig, ReplyChain, Request, RequestId, Task, admin, intake,
};
use layer_minus_packet::SealedPacket;

use crate::{
    asked::Asked,
    cast::{Cast, RETENTION_SECS},
    disk::{Drive, FaultyStore, drive, lock},
    knobs::Knobs,
    lanes,
    plant::Plant,
    violation::Violation,
    world::{Happening, World},
};

/// What the operator granted everybody, picodollars: more than a run can cost.
const GRANT_PUSD: u64 = 1_000_000_000_000;
/// Time between ticks, milliseconds.
const TICK_MS: u64 = 4_000;
/// Most events of a batch.
const BATCH_MAX: usize = 100;

/// An answer that is owed, or a stream that is open.
#[derive(Debug)]
pub(crate) struct Wire {
    /// Who waits; nobody for a copy that somebody else sent.
    pub(crate) call: Option<u64>,
    pub(crate) relay: Option<usize>,
    pub(crate) device: Option<usize>,
    pub(crate) chain: ReplyChain,
    /// Stands for the reply key.
    pub(crate) mark: [u8; 32],
    pub(crate) random: [u8; 32],
    pub(crate) sealed: u32,
    /// When the last record arrives: records of a stream stay in order.
    pub(crate) ready_ms: u64,
    /// The connection is dead, whether the node knows or not.
    pub(crate) dead: bool,
    /// What is said if the request is fresh.
    pub(crate) refusal: Option<Reason>,
}

/// When the power goes at the next batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// During the commit; the disk knows how.
    InCommit,
    /// After it, before this one of the effects.
    BeforeEffect(usize),
}

/// The machine.
pub(crate) struct Site {
    pub(crate) index: usize,
    pub(crate) drive: Drive,
    pub(crate) node: Option<Node<FaultyStore>>,
    pub(crate) config: NodeConfig,
    /// Counts processes, so that what was meant for an earlier one is known.
    pub(crate) process: u32,
    pub(crate) skew_secs: i64,
    pub(crate) inbox: Vec<Event>,
    pub(crate) asked: BTreeMap<u64, Asked>,
    /// Relays that asked something about their lane.
    pub(crate) relay_asks: BTreeMap<u64, usize>,
    pub(crate) wires: BTreeMap<u64, Wire>,
    pub(crate) crash: Option<Crash>,
    /// A row of its store is damaged.
    pub(crate) damaged: bool,
    /// Expiry of the authorization of each registration that is under way.
    pub(crate) terms: BTreeMap<usize, u64>,
    /// Consumers of each mailbox before the batch that is handled.
    pub(crate) consumers: BTreeMap<usize, BTreeSet<ConsumerId>>,
    next_request: u64,
    working: bool,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site")
            .field("index", &self.index)
            .field("up", &self.node.is_some())
            .finish_non_exhaustive()
    }
}

impl Site {
    pub(crate) fn new(index: usize, cast: &Cast, plant: Plant, knobs: &Knobs) -> Self {
        let config = NodeConfig {
            prices: cast.nodes[index].record.body.prices,
            retention_secs: RETENTION_SECS,
            heartbeat_secs: 20,
            slow_reader_secs: 60,
            lanes: lanes::terms(knobs),
            ..NodeConfig::default()
        };
        Self {
            index,
            drive: drive(plant.sync()),
            node: None,
            config,
            process: 0,
            skew_secs: 0,
            inbox: Vec::new(),
            asked: BTreeMap::new(),
            relay_asks: BTreeMap::new(),
            wires: BTreeMap::new(),
            crash: None,
            damaged: false,
            terms: BTreeMap::new(),
            consumers: BTreeMap::new(),
            next_request: 1,
            working: false,
        }
    }

    /// A number for a request, used once in a process.
    pub(crate) const fn next_request(&mut self) -> u64 {
        let id = self.next_request;
        self.next_request += 1;
        id
    }
}

impl World {
    pub(crate) fn site_now(&self, site: usize) -> u64 {
        self.unix(self.sites[site].skew_secs)
    }

    /// The process starts from what its disk holds.
    pub(crate) fn start(&mut self, site: usize) -> Result<(), Violation> {
        if self.sites[site].node.is_some() {
            return Ok(());
        }
        let now = self.site_now(site);
        let keys = self.cast.nodes[site].keys.clone();
        let machine = &mut self.sites[site];
        let store = FaultyStore::open(&machine.drive, self.plant).map_err(Violation::world)?;
        let torn = lock(&machine.drive).torn;
        let config = machine.config.clone();
        let node = Node::open(store, keys, config, now, &mut self.chance.rng);
        machine.node = Some(node.map_err(Violation::world)?);
        machine.process += 1;
        machine.next_request = 1;
        machine.damaged = false;
        machine.working = false;
        let process = machine.process;
        self.say(&format!(
            "node {site} starts, process {process}, {torn} torn records so far"
        ));
        self.restarted(site)
    }

    pub(crate) fn grant(&mut self, site: usize) -> Result<(), Violation> {
        let people = self.knobs.people;
        for role in self.cast.people.iter().take(people) {
            if let Some(node) = &mut self.sites[site].node {
                let wallet = role.wallets.wallet.address();
                admin::grant(node.store_mut(), wallet, GRANT_PUSD).map_err(Violation::world)?;
            }
        }
        Ok(())
    }

    /// The power goes: what is in memory is gone, connections fall silent or are reset.
    pub(crate) fn crash(&mut self, site: usize) {
        let machine = &mut self.sites[site];
        if machine.node.take().is_none() {
            return;
        }
        lock(&machine.drive).disarm();
        lock(&machine.drive).power_loss(&mut self.chance);
        machine.inbox.clear();
        machine.asked.clear();
        machine.relay_asks.clear();
        machine.crash = None;
        let wires = std::mem::take(&mut machine.wires);
        self.books.crashed(site);
        self.books.counts.node_crashes += 1;
        self.say(&format!("node {site} crashes"));
        for wire in wires.into_values() {
            // The rest finds out by its own timeout.
            if let Some(call) = wire.call
                && self.chance.permille(700)
            {
                let delay = self.chance.between(1, 2_000);
                self.after(delay, Happening::Ended { call, why: "reset" });
            }
        }
        let pause = self.chance.between(50, 12_000);
        self.after(pause, Happening::Start { site });
    }

    /// A packet reaches the node.
    pub(crate) fn arrive(
        &mut self,
        site: usize,
        relay: Option<usize>,
        caller: Option<u64>,
        packet: Bytes,
    ) -> Result<(), Violation> {
        let now = self.site_now(site);
        let keys = self.cast.nodes[site].keys.clone();
        if self.sites[site].node.is_none() {
            self.refused(caller, "connection refused");
            return Ok(());
        }
        let packet = SealedPacket::admit(packet, &keys.sizes).map_err(Violation::world)?;
        let Ok(opened) = intake::open(&packet, &keys, now) else {
            self.refused(caller, "garbage");
            return Ok(());
        };
        let machine = &mut self.sites[site];
        let id = machine.next_request();
        let mark = opened.marks.last().map_or([0; 32], |mark| mark.digest);
        let request = Request {
            id: RequestId(id),
            lane: relay.map(|relay| self.cast.relays[relay].keys.wallet.address()),
            marks: opened.marks,
            size_bytes: opened.size_bytes,
        };
        let mut refusal = None;
        let event = match opened.task {
            Task::Mail {
                recipient,
                inbox,
                message,
            } => Event::Mail {
                request,
                recipient,
                inbox,
                message,
            },
            Task::Command(command) => Event::Command { request, command },
            Task::Refuse(reason) => {
                refusal = Some(reason);
                Event::See { request }
            }
            Task::Onward { .. } => return Err(Violation::world("nobody sends onions here")),
        };
        let wire = Wire {
            call: caller,
            relay,
            device: caller.and_then(|call| self.calls.get(&call).map(|call| call.device)),
            chain: opened.chain,
            mark,
            random: [0; 32],
            sealed: 0,
            ready_ms: 0,
            dead: false,
            refusal,
        };
        machine.wires.insert(id, wire);
        if let Some(asked) = Asked::of(&event, self.cast) {
            machine.asked.insert(id, asked);
        }
        machine.inbox.push(event);
        self.work_soon(site);
        Ok(())
    }

    fn refused(&mut self, caller: Option<u64>, why: &'static str) {
        if let Some(call) = caller {
            let delay = self.latency_ms();
            self.after(delay, Happening::Ended { call, why });
        }
    }

    pub(crate) fn work_soon(&mut self, site: usize) {
        if std::mem::replace(&mut self.sites[site].working, true) {
            return;
        }
        let process = self.sites[site].process;
        let delay = self.chance.between(0, 25);
        self.after(delay, Happening::Work { site, process });
    }

    pub(crate) fn handed(&mut self, site: usize, process: u32, stream: u64, seq: u64) {
        let machine = &mut self.sites[site];
        if machine.process == process && machine.node.is_some() {
            let connection = ConnectionId(stream);
            machine.inbox.push(Event::Handed { connection, seq });
            self.work_soon(site);
        }
    }

    pub(crate) fn closed(&mut self, site: usize, process: u32, stream: u64) {
        let machine = &mut self.sites[site];
        if machine.process == process && machine.node.is_some() {
            machine.wires.remove(&stream);
            let connection = ConnectionId(stream);
            machine.inbox.push(Event::Closed { connection });
            self.work_soon(site);
        }
    }

    pub(crate) fn work(&mut self, site: usize, process: u32) -> Result<(), Violation> {
        let machine = &mut self.sites[site];
        if machine.process != process || machine.node.is_none() {
            return Ok(());
        }
        machine.working = false;
        let some = machine.inbox.len().min(BATCH_MAX);
        let events: Vec<Event> = machine.inbox.drain(..some).collect();
        if !machine.inbox.is_empty() {
            self.work_soon(site);
        }
        if events.is_empty() {
            return Ok(());
        }
        self.batch(site, events)
    }

    pub(crate) fn tick(&mut self, site: usize) -> Result<(), Violation> {
        self.after(TICK_MS, Happening::Tick { site });
        if self.sites[site].node.is_none() {
            return Ok(());
        }
        self.batch(site, vec![Event::Tick])
    }

    /// One batch of the real node; then its effects, one after the other, unless the power goes.
    fn batch(&mut self, site: usize, events: Vec<Event>) -> Result<(), Violation> {
        let now = self.site_now(site);
        let machine = &mut self.sites[site];
        let Some(node) = &mut machine.node else {
            return Ok(());
        };
        let batch = node.handle_batch(events.clone(), now, &mut self.chance.rng);
        let off = lock(&machine.drive).is_off();
        let crash = machine.crash.take();
        if let Some(error) = &batch.error {
            let text = format!(
                "node {site}: nothing kept of {} events: {error}",
                events.len()
            );
            self.say(&text);
        }
        // A tick has several transactions: what those before the last did is durable.
        self.observe(site, now, &events, &batch)?;
        if off {
            self.books.counts.torn += 1;
            self.crash(site);
            return Ok(());
        }
        for (at, effect) in batch.effects.into_iter().enumerate() {
            if crash == Some(Crash::BeforeEffect(at)) {
                self.crash(site);
                return Ok(());
            }
            self.carry_out(site, effect)?;
        }
        if crash.is_some() {
            self.crash(site);
        }
        Ok(())
    }

    /// The disk has room again.
    pub(crate) fn room(&mut self, site: usize) {
        if let Some(node) = &mut self.sites[site].node {
            node.store_mut().memory().set_capacity(None);
        }
    }

    /// What the node's runtime says to somebody whose request has no other outcome.
    pub(crate) fn fresh(&mut self, site: usize, request: u64) -> Option<Answer> {
        let wire = self.sites[site].wires.get_mut(&request)?;
        wire.refusal.take().map(Answer::Refused)
    }
}
