//! What the world notes of each batch, and what must hold after it.

use std::collections::{BTreeMap, BTreeSet};

use layer_minus_delivery::ConsumerId;
use layer_minus_message::{Acceptance, AcceptanceBody, Answer};
use layer_minus_node::{Batch, Effect, Event};

use crate::{
    asked::{Asked, What},
    books::{Life, Pushed, Stream},
    violation::Violation,
    world::World,
};

/// What a batch did that mailboxes must show.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Mail that was taken, by person, in order.
    pub(crate) accepted: BTreeMap<usize, Vec<AcceptanceBody>>,
    /// Clients who left.
    pub(crate) left: BTreeSet<Life>,
    /// Streams that the node ended.
    closed: BTreeSet<u64>,
}

impl World {
    /// Notes what a batch decided, whether or not its effects get out.
    pub(crate) fn observe(
        &mut self,
        site: usize,
        now: u64,
        events: &[Event],
        batch: &Batch,
    ) -> Result<(), Violation> {
        let mut seen = Seen::default();
        let books = &mut self.books.sites[site];
        books.latest = books.latest.max(now);
        for stream in std::mem::take(&mut books.ended) {
            books.streams.remove(&stream);
        }
        for effect in &batch.effects {
            if let Effect::Close { connection } = effect {
                seen.closed.insert(connection.0);
            }
        }
        if batch.error.is_none() {
            self.note_handed(site, events, &seen);
        } else {
            // They fell before anything was tried again.
            let streams = &mut self.books.sites[site].streams;
            streams.retain(|stream, _| !seen.closed.contains(stream));
        }
        for effect in &batch.effects {
            match effect {
                Effect::Answer {
                    request, answer, ..
                } => {
                    if let Some(asked) = self.sites[site].asked.remove(&request.0) {
                        self.heard_answer(site, now, &asked, answer, &mut seen)?;
                    }
                }
                Effect::Stream {
                    request,
                    connection,
                    first,
                } => {
                    if let Some(asked) = self.sites[site].asked.remove(&request.0) {
                        self.heard_stream(site, &asked, connection.0, first)?;
                    }
                }
                Effect::Garbage { request } => {
                    self.sites[site].asked.remove(&request.0);
                }
                Effect::Close { connection } => self.fell(site, connection.0),
                _ => {}
            }
        }
        self.came(site, &seen)?;
        for effect in &batch.effects {
            if let Effect::Push {
                connection, packet, ..
            } = effect
            {
                self.pushed(site, connection.0, packet.position.seq)?;
            }
        }
        let ticked = events.iter().any(|event| matches!(event, Event::Tick));
        self.went(site, now, ticked, &seen)?;
        let closed = events.iter().filter_map(|event| match event {
            Event::Closed { connection } => Some(connection.0),
            _ => None,
        });
        self.books.sites[site].ended = seen.closed.into_iter().chain(closed).collect();
        Ok(())
    }

    /// Pushes of which the node hears that they were handed over. If it ends the stream in the same
    /// breath it depends on which came first.
    fn note_handed(&mut self, site: usize, events: &[Event], seen: &Seen) {
        let process = self.sites[site].process;
        let mut closed = seen.closed.clone();
        for event in events {
            match event {
                Event::Closed { connection } => {
                    closed.insert(connection.0);
                }
                Event::Handed { connection, seq } if !closed.contains(&connection.0) => {
                    let streams = &mut self.books.sites[site].streams;
                    if let Some(stream) = streams.get_mut(&connection.0)
                        && stream.in_flight.take_if(|flying| flying == seq).is_some()
                    {
                        let life = stream.life;
                        self.books.handed(life, *seq, name(process, connection.0));
                    }
                }
                _ => {}
            }
        }
    }

    /// A frame and a nonce may have an effect once.
    fn first_time(&mut self, site: usize, asked: &Asked) -> Result<(), Violation> {
        let books = &mut self.books.sites[site];
        if !books.frames.insert(asked.mark) {
            let text = format!(
                "node {site} took a frame a second time: {}",
                asked.what.name()
            );
            return Err(Violation::new("a replay has no effect", text));
        }
        if let Some(nonce) = asked.nonce
            && !books.nonces.insert(nonce)
        {
            let text = format!(
                "node {site} took a command's nonce twice: {}",
                asked.what.name()
            );
            return Err(Violation::new("no nonce is used twice", text));
        }
        Ok(())
    }

    fn heard_answer(
        &mut self,
        site: usize,
        now: u64,
        asked: &Asked,
        answer: &Answer,
        seen: &mut Seen,
    ) -> Result<(), Violation> {
        self.say(&format!(
            "node {site}: {} of {:?}: {}",
            asked.what.name(),
            asked.person,
            brief(answer)
        ));
        if matches!(answer, Answer::Refused(_)) {
            return Ok(());
        }
        self.first_time(site, asked)?;
        let Some(person) = asked.person else {
            return Ok(());
        };
        match (&asked.what, answer) {
            (What::Mail(digest), Answer::Accepted(acceptance)) => {
                self.accepted(site, asked, *digest, acceptance, seen)?;
            }
            (What::Register(_), Answer::Challenge { .. }) => {
                let books = &mut self.books.sites[site];
                books.challenges.insert(person, asked.lane);
                if let What::Register(until) = asked.what {
                    books.standings.entry(person).or_default();
                    self.sites[site].terms.insert(person, until);
                }
            }
            (What::Confirm(_), Answer::Registered(_)) => self.registered(site, person, asked),
            // Whoever cannot pay for it is told all the same; what was left may just have paid for it.
            (What::Status, Answer::Status(standing)) if standing.paused.is_some() => {
                self.books.leaving(site, person, asked.lane);
            }
            (What::Status, Answer::Status(_)) => self.books.command(site, person, asked.lane),
            (What::Authorize(until), Answer::Authorized(_)) => {
                self.books.command(site, person, asked.lane);
                let standings = &mut self.books.sites[site].standings;
                standings.entry(person).or_default().authorized_until = *until;
            }
            (What::Unregister, Answer::Unregistered) => {
                seen.left.extend(self.books.life(site, person));
                let standings = &mut self.books.sites[site].standings;
                let standing = standings.entry(person).or_default();
                standing.registered = false;
                if standing.authorized_until >= now {
                    self.books.leaving(site, person, asked.lane);
                }
            }
            (What::Ack(consumer), Answer::Acknowledged) => {
                self.acknowledged(site, person, *consumer);
            }
            _ => {}
        }
        Ok(())
    }

    fn registered(&mut self, site: usize, person: usize, asked: &Asked) {
        let first = self.books.sites[site].challenges.remove(&person);
        self.books.command(site, person, first.flatten());
        self.books.command(site, person, asked.lane);
        let until = self.sites[site].terms.get(&person).copied();
        let standings = &mut self.books.sites[site].standings;
        let standing = standings.entry(person).or_default();
        standing.authorized_until = until.unwrap_or_default();
        if !standing.registered {
            standing.registered = true;
            standing.lives += 1;
        }
    }

    fn accepted(
        &mut self,
        site: usize,
        asked: &Asked,
        digest: [u8; 32],
        acceptance: &Acceptance,
        seen: &mut Seen,
    ) -> Result<(), Violation> {
        let body: AcceptanceBody =
            serde_json::from_str(&acceptance.document).map_err(Violation::world)?;
        let person = asked.person.unwrap_or_default();
        let Some(life) = self.books.life(site, person) else {
            let text = format!("node {site} accepted mail for {person}, who is no client");
            return Err(Violation::new("a charge has its delivery", text));
        };
        let receipts = self.books.receipts.entry((life, digest)).or_default();
        if receipts.iter().any(|known| known.receipt == body.receipt) {
            self.books.counts.retries += 1;
            return Ok(());
        }
        if let Some(last) = receipts.last()
            && last.kept_until >= self.books.sites[site].latest
        {
            let text =
                format!("node {site} accepted and charged a retry of mail for {person} again");
            return Err(Violation::new("a retry changes nothing", text));
        }
        receipts.push(body.clone());
        self.books.counts.accepted += 1;
        self.books.pass(site, asked.lane);
        seen.accepted.entry(person).or_default().push(body);
        Ok(())
    }

    fn heard_stream(
        &mut self,
        site: usize,
        asked: &Asked,
        stream: u64,
        first: &[Answer],
    ) -> Result<(), Violation> {
        self.first_time(site, asked)?;
        let Some(person) = asked.person else {
            return Ok(());
        };
        let listen = match &asked.what {
            What::Listen(listen) => {
                self.books.command(site, person, asked.lane);
                listen
            }
            What::Confirm(Some(listen)) => {
                self.registered(site, person, asked);
                listen
            }
            _ => return Err(Violation::world("a stream that nobody asked for")),
        };
        let consumer = listen.consumer;
        self.say(&format!(
            "node {site}: stream {stream} of {person} opens, {} records first",
            first.len()
        ));
        if let Some(life) = self.books.life(site, person) {
            let opened = Stream {
                life,
                consumer,
                lane: asked.lane,
                in_flight: None,
            };
            self.books.sites[site].streams.insert(stream, opened);
        }
        Ok(())
    }

    /// An acknowledgement that comes after the end of a stream is not of what it was pushing.
    fn fell(&mut self, site: usize, stream: u64) {
        if let Some(stream) = self.books.sites[site].streams.get_mut(&stream) {
            stream.in_flight = None;
        }
    }

    fn pushed(&mut self, site: usize, stream: u64, seq: u64) -> Result<(), Violation> {
        let process = self.sites[site].process;
        let Some(open) = self.books.sites[site].streams.get_mut(&stream) else {
            return Err(Violation::world("a push on a stream that is not open"));
        };
        open.in_flight = Some(seq);
        let (life, lane) = (open.life, open.lane);
        // Mail whose client leaves in the same batch is never seen in a mailbox.
        if let Some(stored) = self.books.stored.get_mut(&(life, seq)) {
            let push = Pushed {
                lane,
                ..Pushed::default()
            };
            stored.pushes.insert(name(process, stream), push);
        }
        Ok(())
    }

    /// What a stream is pushing and its consumer says to have was handed over.
    fn acknowledged(&mut self, site: usize, person: usize, consumer: ConsumerId) {
        let process = self.sites[site].process;
        let Some(state) = self.consumers(site, person).remove(&consumer) else {
            return;
        };
        let mut done = Vec::new();
        for (stream, open) in &mut self.books.sites[site].streams {
            if open.life.person == person
                && open.consumer == consumer
                && let Some(seq) = open.in_flight.take_if(|seq| state.is_done(*seq))
            {
                done.push((open.life, seq, *stream));
            }
        }
        for (life, seq, stream) in done {
            self.books.handed(life, seq, name(process, stream));
        }
    }
}

/// A stream's name over all processes of its node.
pub(crate) fn name(process: u32, stream: u64) -> u64 {
    (u64::from(process) << 32) | stream
}

pub(crate) fn brief(answer: &Answer) -> String {
    match answer {
        Answer::Refused(reason) => format!("refused: {reason}"),
        other => layer_minus_client_sdk::answer::name_of(other).to_owned(),
    }
}
