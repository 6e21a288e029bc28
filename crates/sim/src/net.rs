//! Between nodes and clients: what is sent, lost, doubled, and how streams break.
//!
//! Packets and records pass a relay as over two links. What nodes owe relays for it is in `lanes`: notes
//! leave a node beside the records of answers, and a relay that is owed too much forwards nothing.

use bytes::Bytes;
use layer_minus_message::{Answer, Content};
use layer_minus_node::Effect;

use crate::{
    books::Life,
    observe::name,
    site::Wire,
    violation::Violation,
    world::{Happening, Note, World},
};

impl World {
    /// A packet leaves a device. It may be lost, and somebody may send it again, sooner or later.
    pub(crate) fn send(&mut self, device: usize, call: u64, packet: &Bytes) {
        let Some(waiting) = self.calls.get(&call) else {
            return;
        };
        let (relay, site) = (waiting.relay, waiting.site);
        self.books.counts.packets += 1;
        if relay.is_some_and(|relay| self.relay_is_up(relay) && !self.serves(relay, site)) {
            let delay = self.latency_ms();
            let why = "the relay is owed too much";
            self.after(delay, Happening::Ended { call, why });
            return;
        }
        let arrive = |caller, packet| Happening::Arrive {
            site,
            relay,
            caller,
            packet,
        };
        let lost = self.knobs.lost;
        if !self.joined(device, relay, site) || (!self.healed && self.chance.permille(lost)) {
            self.say(&format!("packet of call {call} is lost"));
        } else {
            let delay = self.latency_ms();
            self.after(delay, arrive(Some(call), packet.clone()));
        }
        if !self.healed && self.chance.permille(self.knobs.twice) {
            let delay = if self.chance.permille(300) {
                self.chance.between(60_000, 4 * 3_600_000)
            } else {
                self.chance.between(1, 20_000)
            };
            self.after(delay, arrive(None, packet.clone()));
        }
    }

    /// Does one thing that a node wants done.
    pub(crate) fn carry_out(&mut self, site: usize, effect: Effect) -> Result<(), Violation> {
        match effect {
            Effect::Answer {
                request,
                answer,
                note,
            } => {
                if let Some(relay) = self.sites[site].relay_asks.remove(&request.0) {
                    self.answer_relay(site, relay, *answer);
                    return Ok(());
                }
                if let Some(note) = note {
                    self.note_out(site, self.relay_of(site, request.0), note);
                }
                self.answer(site, request.0, Content::Answer(answer))?;
            }
            Effect::Fresh { request } => {
                if let Some(answer) = self.fresh(site, request.0) {
                    self.answer(site, request.0, Content::from(answer))?;
                }
            }
            Effect::Garbage { request } => {
                let wire = self.sites[site].wires.remove(&request.0);
                if let Some(call) = wire.and_then(|wire| wire.call) {
                    let delay = self.latency_ms();
                    self.after(
                        delay,
                        Happening::Ended {
                            call,
                            why: "garbage",
                        },
                    );
                }
            }
            Effect::Stream {
                connection, first, ..
            } => {
                for answer in first {
                    self.control(site, connection.0, answer)?;
                }
            }
            Effect::Control { connection, answer } => {
                self.control(site, connection.0, *answer)?;
            }
            Effect::Push {
                connection,
                packet,
                size_bytes,
            } => {
                let (stream, seq) = (connection.0, packet.position.seq);
                let life = self.life_of(site, stream);
                let note = life.map_or(Note::Plain, |life| Note::Push(life, seq));
                self.emit(
                    site,
                    stream,
                    &Content::Packet(packet),
                    Some(size_bytes),
                    note,
                )?;
                self.hand_over(site, stream, seq, life);
            }
            Effect::Close { connection } => {
                let process = self.sites[site].process;
                if let Some(wire) = self.sites[site].wires.remove(&connection.0) {
                    let stream = connection.0;
                    self.after(
                        1,
                        Happening::Closed {
                            site,
                            process,
                            stream,
                        },
                    );
                    self.end(&wire, "closed");
                }
            }
            Effect::Note { connection, note } => {
                self.note_out(site, self.relay_of(site, connection.0), note);
            }
            _ => {}
        }
        Ok(())
    }

    fn relay_of(&self, site: usize, request: u64) -> Option<usize> {
        self.sites[site].wires.get(&request)?.relay
    }

    fn life_of(&self, site: usize, stream: u64) -> Option<Life> {
        let streams = &self.books.sites.get(site)?.streams;
        streams.get(&stream).map(|stream| stream.life)
    }

    fn answer(&mut self, site: usize, request: u64, content: Content) -> Result<(), Violation> {
        self.emit(site, request, &content, None, Note::Plain)?;
        self.sites[site].wires.remove(&request);
        Ok(())
    }

    fn control(&mut self, site: usize, stream: u64, answer: Answer) -> Result<(), Violation> {
        let note = match (&answer, self.life_of(site, stream)) {
            (Answer::Gap { from, through }, Some(life)) => Note::Gap(life, *from, *through),
            _ => Note::Plain,
        };
        self.emit(site, stream, &Content::from(answer), None, note)
    }

    /// Seals a record and sends it on its way.
    pub(crate) fn emit(
        &mut self,
        site: usize,
        request: u64,
        content: &Content,
        size_bytes: Option<u32>,
        note: Note,
    ) -> Result<(), Violation> {
        let latency = self.latency_ms();
        let now_ms = self.now_ms;
        let Some(wire) = self.sites[site].wires.get_mut(&request) else {
            return Ok(());
        };
        let content = content.to_bytes().map_err(Violation::world)?;
        let sealed = wire.chain.seal(&content, size_bytes, &mut self.chance.rng);
        let record = sealed.map_err(Violation::world)?;
        if wire.sealed == 0 {
            wire.random = record.first_chunk().copied().unwrap_or_default();
        }
        let name = (wire.mark, wire.random, wire.sealed);
        wire.sealed += 1;
        wire.ready_ms = wire.ready_ms.max(now_ms + latency) + 1;
        let (ready_ms, call, dead) = (wire.ready_ms, wire.call, wire.dead);
        let (relay, device) = (wire.relay, wire.device);
        if !self.books.sealed.insert(name) {
            let text = "two answer records were sealed under one key and one nonce";
            return Err(Violation::new("no nonce is used twice", text));
        }
        if dead {
            return Ok(());
        }
        let alive = call.filter(|call| self.calls.contains_key(call));
        let (Some(call), Some(device)) = (alive, device) else {
            // Whoever asked is gone, or somebody else sent a copy and will not stay.
            self.break_wire(site, request);
            return Ok(());
        };
        let lost = self.knobs.lost.max(self.knobs.breaks) / 2;
        if !self.joined(device, relay, site) || (!self.healed && self.chance.permille(lost)) {
            self.say(&format!("connection of call {call} breaks"));
            self.break_wire(site, request);
            return Ok(());
        }
        self.at(ready_ms, Happening::Record { call, record, note });
        Ok(())
    }

    /// The connection is dead; each side finds out in its own time.
    pub(crate) fn break_wire(&mut self, site: usize, request: u64) {
        let process = self.sites[site].process;
        let Some(wire) = self.sites[site].wires.get_mut(&request) else {
            return;
        };
        wire.dead = true;
        let call = wire.call;
        let stream = request;
        let delay = self.chance.between(1, 70_000);
        self.after(
            delay,
            Happening::Closed {
                site,
                process,
                stream,
            },
        );
        if let Some(call) = call {
            let delay = self.chance.between(1, 20_000);
            self.after(
                delay,
                Happening::Ended {
                    call,
                    why: "broken",
                },
            );
        }
    }

    /// A push went into a socket. On a dead one it may have, and may not.
    fn hand_over(&mut self, site: usize, stream: u64, seq: u64, life: Option<Life>) {
        let process = self.sites[site].process;
        let Some(wire) = self.sites[site].wires.get(&stream) else {
            return;
        };
        let (dead, ready_ms) = (wire.dead, wire.ready_ms);
        if dead && self.chance.permille(500) {
            return;
        }
        if let Some(life) = life
            && let Some(stored) = self.books.stored.get_mut(&(life, seq))
            && let Some(push) = stored.pushes.get_mut(&name(process, stream))
        {
            push.sent = true;
        }
        let early = self.chance.between(0, 40);
        self.at(
            ready_ms.saturating_sub(early),
            Happening::Handed {
                site,
                process,
                stream,
                seq,
            },
        );
    }

    fn end(&mut self, wire: &Wire, why: &'static str) {
        if let Some(call) = wire.call {
            self.at(wire.ready_ms + 1, Happening::Ended { call, why });
        }
    }
}
