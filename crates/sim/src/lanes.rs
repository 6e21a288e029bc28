//! Money between nodes: relays as creditors. Each is a real node on a disk of its own that opens lanes,
//! hears notes, asks for promises, and stops forwarding to who owes it too much.
//!
//! ```text
//! node: an answer or a push on a lane --note--> relay     lost, doubled, late and out of order
//! relay: open, collect --command--> node --note--> relay
//! ```

use layer_minus_message::{Answer, Command, CommandSigner, LaneNote, LaneParty, VerifiedCommand};
use layer_minus_node::{
    Effect, Event, Mark, Node, NodeConfig, PeerState, Request, RequestId,
    admin::{self, LaneBook, SettleError, Side},
    config::LaneConfig,
};
use layer_minus_wallet::Address;
use rand::RngCore as _;

use crate::{
    asked::Asked,
    cast::SIZE_BYTES,
    disk::{Drive, Fate, FaultyStore, drive, lock},
    knobs::Knobs,
    plant::Plant,
    violation::Violation,
    world::{End, Happening, World},
};

/// Time between two looks of a relay at its lanes, milliseconds.
const LOOK_MS: u64 = 5_000;
/// How long a frame of a command lives, seconds, as between real nodes.
const FRAME_SECS: u64 = 3_600;

/// The rule that a creditor never holds more than its debtor knows that it promised.
pub(crate) const COVERED: &str = "a voucher is durable before it is given";

/// A relay's machine.
pub(crate) struct Creditor {
    drive: Drive,
    pub(crate) node: Option<Node<FaultyStore>>,
    config: NodeConfig,
    /// Nodes at which this process opened a lane.
    joined: Vec<usize>,
}

impl std::fmt::Debug for Creditor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Creditor")
            .field("up", &self.node.is_some())
            .finish_non_exhaustive()
    }
}

impl Creditor {
    pub(crate) fn new(plant: Plant, knobs: &Knobs) -> Self {
        Self {
            drive: drive(plant.sync()),
            node: None,
            config: NodeConfig {
                lanes: terms(knobs),
                ..NodeConfig::default()
            },
            joined: Vec::new(),
        }
    }

    fn peer(&self, node: Address) -> Option<PeerState> {
        let peers = self.node.as_ref()?.peers();
        peers.into_iter().find(|peer| peer.node == node)
    }
}

/// Both sides of all lanes have the same thresholds.
pub(crate) fn terms(knobs: &Knobs) -> LaneConfig {
    LaneConfig {
        pay_at_pusd: knobs.pay_at_pusd,
        unpromised_max_pusd: knobs.unpromised_max_pusd,
        credit_pusd: knobs.credit_pusd,
        ..LaneConfig::default()
    }
}

/// The book that a node keeps with another.
pub(crate) fn book_with(
    node: &Node<FaultyStore>,
    other: Address,
    side: Side,
) -> Result<Option<LaneBook>, Violation> {
    let books = admin::lane_books(node.store()).map_err(Violation::world)?;
    let mut books = books.into_iter();
    Ok(books.find(|book| book.node == other && book.side == side))
}

impl World {
    pub(crate) fn start_relay(&mut self, relay: usize) -> Result<(), Violation> {
        if self.creditors[relay].node.is_some() {
            return Ok(());
        }
        let now = self.unix(0);
        let keys = self.cast.relays[relay].keys.clone();
        let machine = &mut self.creditors[relay];
        let store = FaultyStore::open(&machine.drive, self.plant).map_err(Violation::world)?;
        let node = Node::open(
            store,
            keys,
            machine.config.clone(),
            now,
            &mut self.chance.rng,
        );
        machine.node = Some(node.map_err(Violation::world)?);
        machine.joined.clear();
        self.say(&format!("relay {relay} starts"));
        Ok(())
    }

    /// The power goes at a relay, and every connection over it breaks.
    pub(crate) fn crash_relay(&mut self, relay: usize) {
        let machine = &mut self.creditors[relay];
        if machine.node.take().is_none() {
            return;
        }
        lock(&machine.drive).disarm();
        lock(&machine.drive).power_loss(&mut self.chance);
        self.books.counts.relay_crashes += 1;
        self.say(&format!("relay {relay} crashes"));
        for site in 0..self.sites.len() {
            let wires = self.sites[site].wires.iter();
            let over = wires.filter(|(_, wire)| wire.relay == Some(relay) && !wire.dead);
            let over: Vec<u64> = over.map(|(request, _)| *request).collect();
            for request in over {
                self.break_wire(site, request);
            }
        }
        let pause = self.chance.between(50, 8_000);
        self.after(pause, Happening::StartRelay { relay });
    }

    /// The power goes at a relay: now, or in its next commit.
    pub(crate) fn break_relay(&mut self) {
        let relay = self.chance.index(self.creditors.len());
        let fate = match self.chance.between(0, 2) {
            0 => None,
            1 => Some(Fate::Lost),
            _ => Some(Fate::Torn(
                u32::try_from(self.chance.between(0, 999)).unwrap_or_default(),
            )),
        };
        match fate {
            None => self.crash_relay(relay),
            Some(fate) if self.creditors[relay].node.is_some() => {
                lock(&self.creditors[relay].drive).arm(fate);
            }
            Some(_) => {}
        }
    }

    pub(crate) fn relay_is_up(&self, relay: usize) -> bool {
        self.creditors[relay].node.is_some()
    }

    /// Whether a relay forwards to a node, which owes it no more than it may.
    pub(crate) fn serves(&self, relay: usize, site: usize) -> bool {
        let peer = self.creditors[relay].peer(self.address_of(site));
        peer.is_none_or(|peer| peer.serves)
    }

    fn address_of(&self, site: usize) -> Address {
        self.cast.nodes[site].keys.wallet.address()
    }

    /// A relay looks at its lanes: opens those that are not, asks for what it is owed, settles.
    pub(crate) fn look(&mut self, relay: usize) -> Result<(), Violation> {
        self.after(LOOK_MS, Happening::Look { relay });
        if !self.relay_is_up(relay) {
            return Ok(());
        }
        self.tell_relay(relay, Event::Tick)?;
        for site in 0..self.sites.len() {
            let Some(command) = self.wish(relay, site) else {
                continue;
            };
            let ask = Happening::Ask {
                relay,
                site,
                command,
            };
            self.on_link(relay, site, ask, None);
        }
        // People pay when they find the time.
        let stopped = (0..self.sites.len()).find(|site| !self.serves(relay, *site));
        if let Some(site) = stopped
            && (self.healed || self.chance.permille(500))
        {
            self.settle(relay, site)?;
        }
        Ok(())
    }

    /// What a relay asks a node now.
    fn wish(&self, relay: usize, site: usize) -> Option<Command> {
        let machine = &self.creditors[relay];
        let peer = machine.peer(self.address_of(site));
        let held = peer.and_then(|peer| peer.held);
        if !machine.joined.contains(&site) {
            let record = self.cast.relays[relay].record.signed.clone();
            return Some(Command::Lane { record, held });
        }
        let stopped = peer.is_some_and(|peer| !peer.serves);
        let wanted = self.healed || stopped || peer.is_some_and(|peer| peer.collect);
        wanted.then_some(Command::Collect { held, stopped })
    }

    /// Sends something between a relay and a node. It may be lost, late, or come twice.
    fn on_link(&mut self, relay: usize, site: usize, what: Happening, again: Option<Happening>) {
        let cut = self.cuts.contains(&(End::Relay(relay), End::Site(site)));
        if cut || (!self.healed && self.chance.permille(self.knobs.lost)) {
            return;
        }
        let delay = self.latency_ms();
        self.after(delay, what);
        if let Some(again) = again
            && !self.healed
            && self.chance.permille(self.knobs.twice)
        {
            let delay = self.chance.between(1, 60_000);
            self.after(delay, again);
        }
    }

    /// A relay's command reaches a node.
    pub(crate) fn ask_node(&mut self, relay: usize, site: usize, command: Command) {
        let now = self.site_now(site);
        let wallet = self.cast.relays[relay].keys.wallet.address();
        let mut nonce = [0; 16];
        let mut digest = [0; 32];
        self.chance.rng.fill_bytes(&mut nonce);
        self.chance.rng.fill_bytes(&mut digest);
        let machine = &mut self.sites[site];
        if machine.node.is_none() {
            return;
        }
        let id = machine.next_request();
        let request = Request {
            id: RequestId(id),
            lane: None,
            marks: vec![Mark {
                digest,
                expires_at: now + FRAME_SECS,
            }],
            size_bytes: SIZE_BYTES,
        };
        let signer = CommandSigner {
            wallet,
            nonce,
            time: now,
        };
        let command = VerifiedCommand {
            command,
            signer: Some(signer),
            card: None,
        };
        let event = Event::Command { request, command };
        machine.relay_asks.insert(id, relay);
        if let Some(asked) = Asked::of(&event, self.cast) {
            machine.asked.insert(id, asked);
        }
        machine.inbox.push(event);
        self.work_soon(site);
    }

    /// What a node answers a relay's command.
    pub(crate) fn answer_relay(&mut self, site: usize, relay: usize, answer: Answer) {
        let keys = &self.cast.nodes[site].keys;
        let peer = LaneParty {
            node: keys.wallet.address(),
            cash: keys.cash,
        };
        let event = match answer {
            Answer::LaneOpen { channel, note, .. } => Event::LaneJoined {
                peer,
                channel: Box::new(channel),
                note,
            },
            Answer::Lane(note) => Event::Note {
                peer: peer.node,
                note,
            },
            other => {
                let brief = crate::observe::brief(&other);
                self.say(&format!("node {site} tells relay {relay}: {brief}"));
                return;
            }
        };
        let hear = Happening::Hear {
            relay,
            site,
            event: Box::new(event),
        };
        self.on_link(relay, site, hear, None);
    }

    /// A note leaves a node on a lane.
    pub(crate) fn note_out(&mut self, site: usize, relay: Option<usize>, note: LaneNote) {
        let Some(relay) = relay else {
            return;
        };
        let peer = self.address_of(site);
        let hear = || Happening::Hear {
            relay,
            site,
            event: Box::new(Event::Note { peer, note }),
        };
        self.books.counts.notes += 1;
        self.on_link(relay, site, hear(), Some(hear()));
    }

    /// What a node said reaches a relay.
    pub(crate) fn hear_of_lane(
        &mut self,
        relay: usize,
        site: usize,
        event: Event,
    ) -> Result<(), Violation> {
        let joins = matches!(event, Event::LaneJoined { .. });
        self.tell_relay(relay, event)?;
        let machine = &mut self.creditors[relay];
        if joins && machine.node.is_some() && !machine.joined.contains(&site) {
            machine.joined.push(site);
        }
        self.is_covered(relay, site)
    }

    fn tell_relay(&mut self, relay: usize, event: Event) -> Result<(), Violation> {
        let now = self.unix(0);
        let machine = &mut self.creditors[relay];
        let Some(node) = &mut machine.node else {
            return Ok(());
        };
        let batch = node.handle_batch(vec![event], now, &mut self.chance.rng);
        if lock(&machine.drive).is_off() {
            self.books.counts.torn += 1;
            self.crash_relay(relay);
            return Ok(());
        }
        for effect in batch.effects {
            match effect {
                Effect::VoucherRefused { reason, .. } => {
                    let text = format!("relay {relay} refused a node's voucher: {reason}");
                    return Err(Violation::new("what a node promises is a promise", text));
                }
                Effect::Peer(peer) => {
                    if !peer.serves {
                        self.books.counts.stopped += 1;
                    }
                    self.say(&format!("relay {relay}: {peer:?}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What a relay holds its node knows to have promised, whatever was lost since.
    fn is_covered(&self, relay: usize, site: usize) -> Result<(), Violation> {
        let (Some(debtor), Some(creditor)) = (&self.sites[site].node, &self.creditors[relay].node)
        else {
            return Ok(());
        };
        let wallet = self.cast.relays[relay].keys.wallet.address();
        let owed = book_with(debtor, wallet, Side::Owed)?;
        let due = book_with(creditor, self.address_of(site), Side::Due)?;
        let promised = |book: Option<LaneBook>| book.map_or(0, |book| book.promised_pusd);
        let (owed, due) = (promised(owed), promised(due));
        if due > owed {
            let text = format!(
                "relay {relay} holds {due} p$ of node {site}, which knows of {owed} p$ only"
            );
            return Err(Violation::new(COVERED, text));
        }
        Ok(())
    }

    /// The operators settle what is promised on the newest channel. The power may go in between: then
    /// they do it again.
    fn settle(&mut self, relay: usize, site: usize) -> Result<(), Violation> {
        let (node, now) = (self.address_of(site), self.unix(0));
        let wallet = self.cast.relays[relay].keys.wallet.address();
        let (Some(debtor), Some(creditor)) =
            (&mut self.sites[site].node, &mut self.creditors[relay].node)
        else {
            return Ok(());
        };
        let due = book_with(creditor, node, Side::Due)?;
        let Some(paper) = due.and_then(|book| book.papers.into_iter().next_back()) else {
            return Ok(());
        };
        let (id, units) = (paper.id, paper.units);
        self.books.counts.settled += 1;
        let paid = admin::settle_lane(debtor.store_mut(), wallet, Side::Owed, &id, units, now);
        if lock(&self.sites[site].drive).is_off() {
            self.crash(site);
            return Ok(());
        }
        match paid {
            Ok(_) => {}
            // A full disk: another time.
            Err(SettleError::Store(_)) => return Ok(()),
            Err(error) => return Err(Violation::world(error)),
        }
        let store = creditor.store_mut();
        let taken = admin::settle_lane(store, node, Side::Due, &id, units, now);
        if lock(&self.creditors[relay].drive).is_off() {
            self.crash_relay(relay);
            return Ok(());
        }
        taken.map_err(Violation::world)?;
        Ok(())
    }
}
