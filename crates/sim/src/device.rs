//! A device of a person: its own disk, and the process that runs the real client logic on it.

use std::collections::BTreeSet;

use layer_minus_client_sdk::{AckBook, Acknowledgement, Backoff, Identity, Inbox, SealedMail};
use layer_minus_delivery::{ConsumerId, Mode};
use layer_minus_message::{
    Authorization, Card, InboxToken, Reason, authorization::PUSD_PER_TOKEN_UNIT,
};
use layer_minus_wallet::Address;

use crate::{
    books::Life,
    violation::Violation,
    world::{Happening, World},
};

/// Most acknowledgements that are told at a time.
pub(crate) const ACKS_AT_ONCE: usize = 2;
/// A stream on which nothing was heard for so long is given up, milliseconds.
const SILENCE_MS: u64 = 70_000;

/// What a request asks for, and what is needed to read its answer.
#[derive(Debug)]
pub(crate) enum Ask {
    Register(Box<(Card, Authorization)>),
    Confirm(Box<(Card, Authorization)>),
    Listen,
    Ack(Acknowledgement),
    Status,
    Authorize(Box<Authorization>),
    Unregister,
    Mail(usize),
}

/// A letter on its way.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) to: usize,
    pub(crate) site: usize,
    pub(crate) inbox: Option<InboxToken>,
    pub(crate) mail: SealedMail,
    /// A receipt is on this disk.
    pub(crate) accepted: bool,
}

/// What is on a device's disk.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) identity: Identity,
    pub(crate) inbox: Inbox,
    /// What people saw: sender, id, digest of the body.
    pub(crate) shown: Vec<(Address, [u8; 16], [u8; 32])>,
    /// Packets whose letters are stored.
    pub(crate) taken: BTreeSet<(Life, u64)>,
    /// The newest number in each registration, for the order.
    pub(crate) newest: Option<(Life, u64)>,
    /// Gaps that were told.
    pub(crate) gaps: Vec<(Life, u64, u64)>,
    pub(crate) outbox: Vec<Posted>,
}

/// What its process knows.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) book: AckBook,
    /// The call that is the stream, or is to become it.
    pub(crate) stream: Option<u64>,
    pub(crate) registering: Option<u64>,
    pub(crate) acks: BTreeSet<u64>,
    pub(crate) last_ack: Option<Acknowledgement>,
    pub(crate) mailing: BTreeSet<usize>,
    pub(crate) other: Option<u64>,
    /// Money is needed.
    pub(crate) short: bool,
    /// The least limit that the node takes, token units.
    pub(crate) floor_units: u64,
    pub(crate) backoff: Backoff,
    pub(crate) not_before_ms: u64,
}

impl Session {
    pub(crate) fn new(mode: Mode) -> Self {
        Self {
            book: AckBook::new(mode),
            stream: None,
            registering: None,
            acks: BTreeSet::new(),
            last_ack: None,
            mailing: BTreeSet::new(),
            other: None,
            short: false,
            floor_units: 0,
            backoff: Backoff::new(),
            not_before_ms: 0,
        }
    }
}

/// A device.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) person: usize,
    /// The one that registers and pays.
    pub(crate) main: bool,
    pub(crate) site: usize,
    pub(crate) mode: Mode,
    pub(crate) home: Home,
    pub(crate) up: bool,
    pub(crate) live: Session,
    pub(crate) skew_secs: i64,
    pub(crate) letters_left: u64,
}

impl Device {
    pub(crate) fn consumer(&self) -> ConsumerId {
        self.home.identity.consumer_for(self.mode)
    }

    pub(crate) fn told_gap(&self, life: Life, seq: u64) -> bool {
        let mut gaps = self.home.gaps.iter();
        gaps.any(|(of, from, through)| *of == life && (*from..=*through).contains(&seq))
    }
}

impl World {
    /// Puts people and their devices into the world.
    pub(crate) fn people(&mut self) {
        for person in 0..self.knobs.people {
            let site = person % self.knobs.nodes;
            let share = self.chance.permille(300);
            let mode = if share { Mode::Share } else { Mode::Each };
            let devices = 1 + self.chance.index(self.knobs.devices);
            for number in 0..devices {
                let identity = self.cast.people[person].devices[number].clone();
                let device = self.devices.len();
                self.devices.push(Device {
                    person,
                    main: number == 0,
                    site,
                    mode,
                    home: Home {
                        identity,
                        inbox: Inbox::new(),
                        shown: Vec::new(),
                        taken: BTreeSet::new(),
                        newest: None,
                        gaps: Vec::new(),
                        outbox: Vec::new(),
                    },
                    up: true,
                    live: Session::new(mode),
                    skew_secs: 0,
                    letters_left: self.knobs.letters,
                });
                let first = self.chance.between(1, 3_000);
                self.after(first, Happening::Wake { device });
            }
        }
    }

    pub(crate) fn device_now(&self, device: usize) -> u64 {
        self.unix(self.devices[device].skew_secs)
    }

    /// The registering device of a person.
    pub(crate) fn main_of(&self, person: usize) -> Option<usize> {
        self.devices
            .iter()
            .position(|device| device.person == person && device.main)
    }

    /// The process ends; what is on the disk stays.
    pub(crate) fn crash_device(&mut self, device: usize) {
        self.say(&format!("device {device} crashes"));
        self.books.counts.client_crashes += 1;
        let mode = self.devices[device].mode;
        self.devices[device].up = false;
        self.devices[device].live = Session::new(mode);
        let open = self.calls.iter();
        let open = open.filter(|(_, call)| call.device == device);
        for call in open.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.hang_up(call);
        }
        let pause = self.chance.between(100, 20_000);
        self.after(pause, Happening::Boot { device });
    }

    pub(crate) fn boot(&mut self, device: usize) {
        self.devices[device].up = true;
        self.say(&format!("device {device} is back"));
    }

    /// Leaves a connection. The node hears of it sooner or later.
    pub(crate) fn hang_up(&mut self, call: u64) {
        let Some(left) = self.calls.remove(&call) else {
            return;
        };
        let site = left.site;
        let process = self.sites[site].process;
        let wires = self.sites[site].wires.iter_mut();
        let found = wires.filter(|(_, wire)| wire.call == Some(call));
        let mut streams = Vec::new();
        for (stream, wire) in found {
            wire.dead = true;
            wire.call = None;
            streams.push(*stream);
        }
        for stream in streams {
            let delay = self.chance.between(1, 30_000);
            self.after(
                delay,
                Happening::Closed {
                    site,
                    process,
                    stream,
                },
            );
        }
    }

    /// A device looks what there is to do.
    pub(crate) fn wake(&mut self, device: usize) -> Result<(), Violation> {
        let pause = if self.healed {
            self.chance.between(200, 1_500)
        } else {
            self.chance.between(200, 4_000)
        };
        self.after(pause, Happening::Wake { device });
        if !self.devices[device].up {
            return Ok(());
        }
        self.leave_silent(device);
        if self.now_ms < self.devices[device].live.not_before_ms {
            return Ok(());
        }
        let person = self.devices[device].person;
        let member = self
            .main_of(person)
            .is_some_and(|main| self.devices[main].home.identity.membership.is_some());
        if !member {
            if self.devices[device].main {
                self.register(device)?;
            }
            return self.mail(device);
        }
        self.listen_or_leave(device)?;
        self.acknowledge(device)?;
        if self.devices[device].main {
            self.look_after_account(device)?;
        }
        self.mail(device)
    }

    fn leave_silent(&mut self, device: usize) {
        let Some(call) = self.devices[device].live.stream else {
            return;
        };
        let heard = self.calls.get(&call).map(|call| call.heard_ms);
        if heard.is_none_or(|heard| self.now_ms > heard + SILENCE_MS) {
            self.leave_stream(device);
        }
    }

    /// Gives up the stream, or the request that was to become it.
    pub(crate) fn leave_stream(&mut self, device: usize) {
        let live = &mut self.devices[device].live;
        if let Some(call) = live.stream.take() {
            live.registering.take_if(|registering| *registering == call);
            self.hang_up(call);
        }
    }

    /// A request failed: a pause, and the next try.
    pub(crate) fn pause(&mut self, device: usize) {
        let chance = &mut self.chance.rng;
        let live = &mut self.devices[device].live;
        live.not_before_ms = self.now_ms + live.backoff.failed(chance).min(20_000);
    }

    /// What a refusal says about the account or the clock.
    pub(crate) fn heed(&mut self, device: usize, reason: &Reason) {
        if let Reason::AuthorizationTooSmall { minimum_pusd } = reason {
            let person = self.devices[device].person;
            if let Some(main) = self.main_of(person) {
                self.devices[main].live.floor_units = minimum_pusd.div_ceil(PUSD_PER_TOKEN_UNIT);
            }
        }
        match reason {
            Reason::Exhausted { .. }
            | Reason::AuthorizationExpired
            | Reason::AuthorizationTooSmall { .. } => {
                let person = self.devices[device].person;
                if let Some(main) = self.main_of(person) {
                    self.devices[main].live.short = true;
                }
            }
            Reason::StaleTime { .. } => self.devices[device].skew_secs = 0,
            Reason::NotRegistered => {
                let person = self.devices[device].person;
                if let Some(main) = self.main_of(person) {
                    self.devices[main].home.identity.unregistered();
                }
            }
            _ => {}
        }
    }
}
