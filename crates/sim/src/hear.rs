//! What devices do with answers, pushes, and connections that end.

use layer_minus_client_sdk::{Caps, Outcome, Received, SdkError, answer, receive};
use layer_minus_delivery::Mode;
use layer_minus_message::{
    Answer, Content, PushedPacket, Reason, letter::sha256, limits::CLOCK_WINDOW_SECS,
};

use crate::{
    books::Life,
    cast::NETWORK,
    device::Ask,
    violation::Violation,
    world::{Note, World},
};

impl World {
    /// A record reaches a device.
    pub(crate) fn hear(&mut self, id: u64, record: &[u8], note: Note) -> Result<(), Violation> {
        let now_ms = self.now_ms;
        let Some(call) = self.calls.get_mut(&id) else {
            return Ok(());
        };
        call.heard_ms = now_ms;
        let device = call.device;
        let content = match call.reader.read(record) {
            Ok(content) => content,
            Err(error) => {
                let text = format!("call {id}: an answer cannot be read: {error}");
                return Err(Violation::new("answers can be read", text));
            }
        };
        let streams = match &content {
            Content::Packet(_) => true,
            Content::Answer(answer) => match **answer {
                Answer::Listening { .. }
                | Answer::Gap { .. }
                | Answer::Paused(_)
                | Answer::Heartbeat { .. } => true,
                Answer::Registered(_) => self.devices[device].live.stream == Some(id),
                _ => false,
            },
        };
        if streams {
            call.stream = true;
            if matches!(call.ask, Ask::Confirm(_)) {
                self.confirmed_stream(id, device, &content)?;
            }
            return self.hear_stream(id, device, content, note);
        }
        let Some(call) = self.calls.remove(&id) else {
            return Ok(());
        };
        self.forget(device, id, &call.ask);
        self.hear_once(device, call.ask, call.site, content)
    }

    fn confirmed_stream(
        &mut self,
        id: u64,
        device: usize,
        content: &Content,
    ) -> Result<(), Violation> {
        let registered =
            matches!(content, Content::Answer(answer) if matches!(**answer, Answer::Registered(_)));
        if !registered {
            return Ok(());
        }
        let Some(call) = self.calls.get_mut(&id) else {
            return Ok(());
        };
        if let Ask::Confirm(terms) = std::mem::replace(&mut call.ask, Ask::Listen) {
            self.devices[device].live.registering = None;
            self.member(device, &terms);
        }
        Ok(())
    }

    fn member(
        &mut self,
        device: usize,
        terms: &(
            layer_minus_message::Card,
            layer_minus_message::Authorization,
        ),
    ) {
        let now = self.device_now(device);
        let home = &mut self.devices[device].home;
        home.identity.registered(&terms.0, terms.1.clone(), now);
        self.devices[device].live.backoff.succeeded();
        self.say(&format!("device {device} is registered"));
    }

    /// The request is over.
    fn forget(&mut self, device: usize, id: u64, ask: &Ask) {
        let live = &mut self.devices[device].live;
        live.acks.remove(&id);
        if live.stream == Some(id) {
            live.stream = None;
        }
        if live.registering == Some(id) {
            live.registering = None;
        }
        if live.other == Some(id) {
            live.other = None;
        }
        if let Ask::Mail(at) = ask {
            live.mailing.remove(at);
        }
    }

    fn hear_once(
        &mut self,
        device: usize,
        ask: Ask,
        site: usize,
        content: Content,
    ) -> Result<(), Violation> {
        let node = self.cast.nodes[site].record.node();
        let now = self.device_now(device);
        let result = match ask {
            Ask::Register(terms) => match answer::expect_challenge(content) {
                Ok(sealed) => {
                    let identity = &self.devices[device].home.identity;
                    let nonce = identity.open_challenge(&sealed, node);
                    let nonce = nonce.map_err(Violation::world)?;
                    return self.confirm(device, nonce, terms);
                }
                Err(error) => Err(error),
            },
            Ask::Confirm(terms) => answer::expect_standing(content).map(|_| {
                self.member(device, &terms);
            }),
            Ask::Listen => answer::answer_of(content).map(|_| ()),
            Ask::Ack(ack) => match answer::expect_acknowledged(content) {
                Err(SdkError::Refused(reason)) if passing(&reason) => {
                    self.devices[device].live.book.put_back(ack);
                    Err(SdkError::Refused(reason))
                }
                told => told,
            },
            Ask::Status => answer::expect_standing(content).map(|_| ()),
            Ask::Authorize(authorization) => answer::expect_standing(content).map(|_| {
                let device = &mut self.devices[device];
                device.live.short = false;
                device.home.identity.authorized(*authorization);
            }),
            Ask::Unregister => answer::expect_unregistered(content).map(|()| {
                self.devices[device].home.identity.unregistered();
            }),
            Ask::Mail(at) => {
                let digest = self.devices[device].home.outbox[at].mail.digest;
                answer::expect_acceptance(content, NETWORK, node, &digest, now).map(|_| {
                    // The receipt may come and not be stored: then the mail is sent again.
                    if self.healed || !self.chance.permille(60) {
                        self.devices[device].home.outbox[at].accepted = true;
                    }
                })
            }
        };
        match result {
            Ok(()) => self.devices[device].live.backoff.succeeded(),
            Err(SdkError::Refused(reason)) => {
                self.heed(device, &reason);
                self.pause(device);
            }
            Err(error) => {
                let text = format!("device {device} got an answer that it did not expect: {error}");
                return Err(Violation::new("answers can be read", text));
            }
        }
        Ok(())
    }

    fn hear_stream(
        &mut self,
        id: u64,
        device: usize,
        content: Content,
        note: Note,
    ) -> Result<(), Violation> {
        match content {
            Content::Packet(packet) => self.take(device, &packet, note),
            Content::Answer(answer) => {
                match *answer {
                    Answer::Listening { position, .. } => {
                        self.devices[device].live.backoff.succeeded();
                        self.devices[device].live.book.opened(position);
                    }
                    Answer::Gap { from, through } => {
                        let told = &mut self.devices[device];
                        told.live.book.lost(from, through);
                        if let Note::Gap(life, from, through) = note {
                            told.home.gaps.push((life, from, through));
                        }
                        self.say(&format!(
                            "device {device} is told of a gap {from} to {through}"
                        ));
                    }
                    Answer::Paused(reason) => {
                        self.say(&format!("device {device}, call {id}: paused: {reason}"));
                        self.heed(device, &reason);
                    }
                    _ => {}
                }
                Ok(())
            }
        }
    }

    /// A pushed packet: stored, and only then counted as taken.
    fn take(&mut self, device: usize, packet: &PushedPacket, note: Note) -> Result<(), Violation> {
        let crash = if self.healed {
            0
        } else {
            self.knobs.client_crash
        };
        if self.chance.permille(crash / 2) {
            self.crash_device(device);
            return Ok(());
        }
        let now = self.device_now(device);
        let Note::Push(life, seq) = note else {
            return Err(Violation::world("a packet that nobody pushed"));
        };
        let mode = self.devices[device].mode;
        let home = &mut self.devices[device].home;
        let me = home.identity.address();
        let opened = receive::open(packet, &home.identity.keyring(), NETWORK, me);
        let letter = match opened {
            Ok(Received::Letter(letter)) => letter,
            Ok(_) => return Err(Violation::world("a letter that is none")),
            Err(error) => return self.unreadable(device, packet, (life, seq), &error),
        };
        let key = (letter.claims.from, letter.claims.id);
        let digest = sha256(&letter.body);
        let said = self.books.letters.get(&key);
        if said.is_none_or(|said| (said.0, said.1) != (me, digest)) {
            let text = format!("device {device} got a letter that nobody wrote to it");
            return Err(Violation::new(
                "nothing is delivered that was not sent",
                text,
            ));
        }
        let outcome = home.inbox.take(&letter, &Caps::CONTACT, now);
        match outcome {
            Outcome::Whole => {
                home.shown.push((key.0, key.1, digest));
                self.books.counts.shown += 1;
            }
            Outcome::Duplicate => {}
            other => {
                let text = format!("a whole letter came out as {other:?}");
                return Err(Violation::new("people see each letter once", text));
            }
        }
        self.in_order(device, mode, life, seq)?;
        let home = &mut self.devices[device].home;
        if home.taken.insert((life, seq)) {
            self.books.counts.taken += 1;
        }
        self.say(&format!("device {device} stores packet {seq}: {outcome:?}"));
        if self.chance.permille(crash / 2) {
            self.crash_device(device);
            return Ok(());
        }
        self.devices[device].live.book.took(packet.position);
        Ok(())
    }

    /// A reader refuses a letter that was signed long after the node accepted it, by their clocks. The
    /// world knows which of them were off; no other letter may be refused. It is acknowledged, because
    /// it will never be any better.
    fn unreadable(
        &mut self,
        device: usize,
        packet: &PushedPacket,
        at: (Life, u64),
        error: &SdkError,
    ) -> Result<(), Violation> {
        let mail = sha256(&packet.message);
        let letter = self.books.mails.get(&mail);
        let letter = letter.and_then(|(from, id)| self.books.letters.get(&((*from).into(), *id)));
        let latest = packet.accepted_at + CLOCK_WINDOW_SECS;
        if letter.is_none_or(|(_, _, signed_at)| *signed_at <= latest) {
            let text = format!("device {device} cannot open packet {}: {error}", at.1);
            return Err(Violation::new("letters can be read", text));
        }
        self.say(&format!(
            "device {device} cannot read packet {}: {error}",
            at.1
        ));
        self.books.counts.unreadable += 1;
        self.books.unreadable.insert(mail);
        self.devices[device].home.taken.insert(at);
        self.devices[device].live.book.took(packet.position);
        Ok(())
    }

    /// A device that has its own cursor gets what is new to it in order.
    fn in_order(
        &mut self,
        device: usize,
        mode: Mode,
        life: Life,
        seq: u64,
    ) -> Result<(), Violation> {
        let home = &mut self.devices[device].home;
        if mode == Mode::Share || home.taken.contains(&(life, seq)) {
            return Ok(());
        }
        if let Some((of, newest)) = home.newest
            && of == life
            && newest >= seq
        {
            let text =
                format!("device {device} got packet {seq} for the first time after {newest}");
            return Err(Violation::new("packets come in order", text));
        }
        home.newest = Some((life, seq));
        Ok(())
    }

    /// A connection ended without the answer, or nobody answered.
    pub(crate) fn ended(&mut self, id: u64, why: &'static str) -> Result<(), Violation> {
        let Some(call) = self.calls.get(&id) else {
            return Ok(());
        };
        if call.stream && why == "no answer in time" {
            return Ok(());
        }
        let device = call.device;
        self.say(&format!("call {id} of device {device} ends: {why}"));
        let asked = self.calls.get_mut(&id);
        let ask = asked.map(|call| std::mem::replace(&mut call.ask, Ask::Status));
        self.hang_up(id);
        if let Some(ask) = ask {
            self.forget(device, id, &ask);
            if let Ask::Ack(ack) = ask {
                self.devices[device].live.book.put_back(ack);
            }
        }
        self.pause(device);
        Ok(())
    }
}

/// Whether a refusal passes, so that the same may be said again later.
const fn passing(reason: &Reason) -> bool {
    matches!(reason, Reason::Unavailable | Reason::StaleTime { .. })
}
