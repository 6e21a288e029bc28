//! What devices ask of nodes, and when.

use bytes::Bytes;
use layer_minus_client_sdk::{Desk, Outgoing, Plan, Route, SdkError, SealedMail, Terms, content};
use layer_minus_message::{Authorization, Chain, LaneParty, letter::sha256};

use crate::{
    device::{ACKS_AT_ONCE, Ask, Posted},
    violation::Violation,
    world::{Call, Happening, World},
};

/// How long an answer is waited for, milliseconds.
const PATIENCE_MS: u64 = 20_000;
/// Requests of mail at a time.
const MAILING_MAX: usize = 2;
/// What is authorized once nothing breaks any more, token units.
const PLENTY_UNITS: u64 = 100_000;

impl World {
    /// Asks a node, through a relay or straight.
    fn ask(
        &mut self,
        device: usize,
        site: usize,
        ask: Ask,
        outgoing: Result<Outgoing, SdkError>,
    ) -> Result<u64, Violation> {
        let outgoing = outgoing.map_err(Violation::world)?;
        let relay = (!self.chance.permille(150)).then(|| self.chance.index(self.knobs.relays));
        let call = self.next_call;
        self.next_call += 1;
        self.say(&format!(
            "device {device} asks node {site}: call {call} {}",
            ask.name()
        ));
        let waiting = Call {
            device,
            relay,
            site,
            ask,
            reader: outgoing.pending.reader(),
            stream: false,
            heard_ms: self.now_ms,
        };
        self.calls.insert(call, waiting);
        self.send(device, call, &outgoing.packet);
        self.after(
            PATIENCE_MS,
            Happening::Ended {
                call,
                why: "no answer in time",
            },
        );
        Ok(call)
    }

    pub(crate) fn register(&mut self, device: usize) -> Result<(), Violation> {
        if self.devices[device].live.registering.is_some() {
            return Ok(());
        }
        let (site, now) = (self.devices[device].site, self.device_now(device));
        let cast = self.cast;
        let record = &cast.nodes[site].record;
        let wallets = &cast.people[self.devices[device].person].wallets;
        let limit_units = self.limit_units(self.devices[device].live.floor_units);
        let strangers = if self.chance.permille(500) {
            32_000
        } else {
            1_000_000
        };
        let terms = Terms {
            limit_units,
            strangers_bytes_per_day: Some(strangers),
            ..Terms::default()
        };
        let rng = &mut self.chance.rng;
        let identity = &mut self.devices[device].home.identity;
        let made = identity.registration(wallets, record, &terms, now, rng);
        let (card, registration) = made.map_err(Violation::world)?;
        let terms = Box::new((card, registration.authorization.clone()));
        let route = Route::direct(record);
        let desk = Desk::new(&cast.network, &route);
        let outgoing = desk.register(identity, registration, now, rng);
        let call = self.ask(device, site, Ask::Register(terms), outgoing)?;
        self.devices[device].live.registering = Some(call);
        Ok(())
    }

    /// A limit on top of `used` units: small, so that it runs out.
    fn limit_units(&mut self, used: u64) -> u64 {
        if self.healed {
            return PLENTY_UNITS + used;
        }
        used + self.chance.between(2, 25)
    }

    pub(crate) fn confirm(
        &mut self,
        device: usize,
        nonce: [u8; 32],
        terms: Box<(layer_minus_message::Card, Authorization)>,
    ) -> Result<(), Violation> {
        let (site, now) = (self.devices[device].site, self.device_now(device));
        let cast = self.cast;
        let free = self.devices[device].live.stream.is_none();
        let listen = (free && self.chance.permille(500)).then_some(self.devices[device].mode);
        let route = Route::direct(&cast.nodes[site].record);
        let desk = Desk::new(&cast.network, &route);
        let identity = &self.devices[device].home.identity;
        let outgoing = desk.confirm(identity, nonce, listen, now, &mut self.chance.rng);
        let call = self.ask(device, site, Ask::Confirm(terms), outgoing)?;
        self.devices[device].live.registering = Some(call);
        if listen.is_some() {
            self.devices[device].live.stream = Some(call);
        }
        Ok(())
    }

    pub(crate) fn listen_or_leave(&mut self, device: usize) -> Result<(), Violation> {
        if self.devices[device].live.stream.is_some() {
            if !self.healed && self.chance.permille(25) {
                self.say(&format!("device {device} leaves its stream"));
                self.leave_stream(device);
            }
            return Ok(());
        }
        if !self.healed && self.chance.permille(400) {
            return Ok(());
        }
        let (site, now) = (self.devices[device].site, self.device_now(device));
        let cast = self.cast;
        let route = Route::direct(&cast.nodes[site].record);
        let desk = Desk::new(&cast.network, &route);
        let mode = self.devices[device].mode;
        let identity = &self.devices[device].home.identity;
        let outgoing = desk.listen(identity, mode, now, &mut self.chance.rng);
        let call = self.ask(device, site, Ask::Listen, outgoing)?;
        self.devices[device].live.stream = Some(call);
        Ok(())
    }

    /// Tells what is safe: together, late, and at times again.
    pub(crate) fn acknowledge(&mut self, device: usize) -> Result<(), Violation> {
        if self.devices[device].live.acks.len() >= ACKS_AT_ONCE {
            return Ok(());
        }
        if !self.healed && self.chance.permille(500) {
            return Ok(());
        }
        let again = !self.healed && self.chance.permille(60);
        let live = &mut self.devices[device].live;
        let ack = match live.book.take() {
            Some(ack) => ack,
            None => match live.last_ack.clone().filter(|_| again) {
                Some(ack) => ack,
                None => return Ok(()),
            },
        };
        live.last_ack = Some(ack.clone());
        let (site, now) = (self.devices[device].site, self.device_now(device));
        let cast = self.cast;
        let route = Route::direct(&cast.nodes[site].record);
        let desk = Desk::new(&cast.network, &route);
        let identity = &self.devices[device].home.identity;
        let outgoing = desk.ack(identity, ack.clone(), now, &mut self.chance.rng);
        let call = self.ask(device, site, Ask::Ack(ack), outgoing)?;
        self.devices[device].live.acks.insert(call);
        Ok(())
    }

    pub(crate) fn look_after_account(&mut self, device: usize) -> Result<(), Violation> {
        if self.devices[device].live.other.is_some() {
            return Ok(());
        }
        let cast = self.cast;
        let (site, now) = (self.devices[device].site, self.device_now(device));
        let record = &cast.nodes[site].record;
        let route = Route::direct(record);
        let desk = Desk::new(&cast.network, &route);
        let identity = &self.devices[device].home.identity;
        let (ask, outgoing) = if self.healed || self.devices[device].live.short {
            let Some(membership) = &identity.membership else {
                return Ok(());
            };
            let limit = membership.authorization.limit_units;
            let plenty = limit >= PLENTY_UNITS && !self.devices[device].live.short;
            if plenty && membership.authorization.expires_at > now + 86_400 {
                return Ok(());
            }
            let authorization = self.new_authorization(device, limit)?;
            let rng = &mut self.chance.rng;
            let identity = &self.devices[device].home.identity;
            let outgoing = desk.authorize(identity, authorization.clone(), now, rng);
            (Ask::Authorize(Box::new(authorization)), outgoing)
        } else if self.chance.permille(40) {
            (
                Ask::Status,
                desk.status(identity, now, &mut self.chance.rng),
            )
        } else if self.chance.permille(10) {
            let authorization = self.new_authorization(device, 20)?;
            let rng = &mut self.chance.rng;
            let identity = &self.devices[device].home.identity;
            let outgoing = desk.authorize(identity, authorization.clone(), now, rng);
            (Ask::Authorize(Box::new(authorization)), outgoing)
        } else if self.knobs.leaves && self.chance.permille(6) {
            let rng = &mut self.chance.rng;
            (Ask::Unregister, desk.unregister(identity, now, rng))
        } else {
            return Ok(());
        };
        let call = self.ask(device, site, ask, outgoing)?;
        self.devices[device].live.other = Some(call);
        Ok(())
    }

    /// A new limit, for long or, at times, for minutes.
    fn new_authorization(&mut self, device: usize, used: u64) -> Result<Authorization, Violation> {
        let now = self.device_now(device);
        let limit_units = self.limit_units(used.max(self.devices[device].live.floor_units));
        let short = !self.healed && self.chance.permille(250);
        let role = &self.cast.people[self.devices[device].person];
        let record = &self.cast.nodes[self.devices[device].site].record;
        let cash = &role.wallets.cash;
        let rng = &mut self.chance;
        if short {
            let until = now + rng.between(20, 1_200);
            let client = role.wallets.wallet.address();
            let (receiver, chain) = (LaneParty::from(record), Chain::default());
            let rng = &mut rng.rng;
            return Authorization::sign(cash, client, receiver, chain, limit_units, until, rng)
                .map_err(Violation::world);
        }
        let terms = Terms {
            limit_units,
            ..Terms::default()
        };
        let identity = &self.devices[device].home.identity;
        identity
            .authorization(cash, record, &terms, now, &mut rng.rng)
            .map_err(Violation::world)
    }

    /// Writes a letter, or tries again with one that has no receipt yet.
    pub(crate) fn mail(&mut self, device: usize) -> Result<(), Violation> {
        if self.devices[device].live.mailing.len() >= MAILING_MAX {
            return Ok(());
        }
        let live = &self.devices[device].live;
        let outbox = self.devices[device].home.outbox.iter().enumerate();
        let open: Vec<usize> = outbox
            .filter(|(at, mail)| !mail.accepted && !live.mailing.contains(at))
            .map(|(at, _)| at)
            .collect();
        if let Some(at) = open.first().copied() {
            let at = open
                .get(self.chance.index(open.len()))
                .copied()
                .unwrap_or(at);
            return self.post(device, at);
        }
        if self.healed || self.devices[device].letters_left == 0 || self.chance.permille(400) {
            return Ok(());
        }
        match self.write(device)? {
            Some(at) => self.post(device, at),
            None => Ok(()),
        }
    }

    /// Signs and seals a letter to somebody who has a card, and puts it on the disk.
    fn write(&mut self, device: usize) -> Result<Option<usize>, Violation> {
        let to = self.chance.index(self.knobs.people);
        let Some(main) = self.main_of(to) else {
            return Ok(None);
        };
        let now = self.device_now(device);
        let reader = &self.devices[main];
        let Ok(Some(card)) = reader.home.identity.card(now) else {
            return Ok(None);
        };
        let (site, token) = (reader.site, reader.home.identity.inbox);
        let known = !self.chance.permille(250);
        let number = self.books.counts.letters;
        let body = format!("letter {number} of device {device}");
        let sizes = &self.cast.network.sizes;
        let wallet = self.cast.people[to].wallets.wallet.address();
        let rng = &mut self.chance.rng;
        let identity = &self.devices[device].home.identity;
        let from = identity.address();
        let sealed = Plan::of(wallet, content::TEXT, body.as_bytes(), sizes, now, rng)
            .and_then(|plan| plan.letter(identity, 0, Bytes::from(body.clone()), None))
            .and_then(|letter| {
                let id = letter.claims.id;
                let mail = SealedMail::seal(&letter, identity, &card, sizes, now, rng)?;
                Ok((id, mail))
            });
        let (id, mail) = sealed.map_err(Violation::world)?;
        let said = (wallet, sha256(body.as_bytes()), now);
        self.books.letters.insert((from, id), said);
        self.books
            .mails
            .insert(mail.digest, (from.into_array(), id));
        self.books.counts.letters += 1;
        let device = &mut self.devices[device];
        device.letters_left -= 1;
        device.home.outbox.push(Posted {
            to,
            site,
            inbox: known.then_some(token),
            mail,
            accepted: false,
        });
        Ok(Some(device.home.outbox.len() - 1))
    }

    fn post(&mut self, device: usize, at: usize) -> Result<(), Violation> {
        let now = self.device_now(device);
        let cast = self.cast;
        if self.healed {
            let to = self.devices[device].home.outbox[at].to;
            let main = self.main_of(to);
            let token = main.map(|main| self.devices[main].home.identity.inbox);
            self.devices[device].home.outbox[at].inbox = token;
        }
        let posted = &self.devices[device].home.outbox[at];
        let site = posted.site;
        let route = Route::direct(&cast.nodes[site].record);
        let rng = &mut self.chance.rng;
        let outgoing = posted
            .mail
            .packet(&cast.network, &route, posted.inbox, now, rng);
        self.devices[device].live.mailing.insert(at);
        self.ask(device, site, Ask::Mail(at), outgoing)?;
        Ok(())
    }
}

impl Ask {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Register(_) => "register",
            Self::Confirm(_) => "confirm",
            Self::Listen => "listen",
            Self::Ack(_) => "ack",
            Self::Status => "status",
            Self::Authorize(_) => "authorize",
            Self::Unregister => "unregister",
            Self::Mail(_) => "mail",
        }
    }
}
