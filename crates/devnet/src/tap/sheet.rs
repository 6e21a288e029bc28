//! What was noted.

use std::{
    borrow::Cow,
    net::IpAddr,
    time::{Duration, Instant},
};

use layer_minus_packet::read_wire_head;

use super::{
    events,
    http::{Direction, Head, Reader, Seen},
    records::Sizes,
};

/// First bytes of a body that are kept to read a packet's head from.
const FIRST_BYTES: usize = 512;
/// Most bytes that are kept of one direction of a connection, to be searched later.
const KEPT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A request and its answer, as they passed by.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// The connection that it was on, by its number.
    pub(crate) connection: usize,
    /// The address that the connection came from.
    pub(crate) from: IpAddr,
    /// When the request began and when its answer ended, since the tap was set.
    pub(crate) began: Duration,
    pub(crate) ended: Option<Duration>,
    /// Method and path.
    pub(crate) line: String,
    /// Whether a lane's proof came with it.
    pub(crate) lane: bool,
    /// Bytes of the body.
    pub(crate) bytes: u64,
    /// The key that the first PKESK of a packet names, and the size that its head states.
    pub(crate) packet: Option<(String, usize)>,
    /// The answer's status.
    pub(crate) status: Option<u16>,
    /// Whether the answer has no length: a stream.
    pub(crate) stream: bool,
    /// Bytes of the answer.
    pub(crate) answer_bytes: u64,
    /// The records of an answer on a lane.
    pub(crate) records: Vec<Record>,
}

/// A record of an answer on a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// When its last byte passed, since the tap was set.
    pub(crate) at: Duration,
    /// Length of its payload.
    pub(crate) bytes: u64,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) from: IpAddr,
    pub(crate) opened: Duration,
    pub(crate) closed: Option<Duration>,
    /// What passed, in both directions.
    pub(crate) requests: Vec<u8>,
    pub(crate) answers: Vec<u8>,
    /// The bodies without the framing of HTTP, which may cut a word in two.
    pub(crate) request_bodies: Vec<u8>,
    pub(crate) answer_bodies: Vec<u8>,
}

impl Connection {
    /// A connection on which nothing has passed yet.
    pub(crate) const fn new(from: IpAddr, opened: Duration) -> Self {
        Self {
            from,
            opened,
            closed: None,
            requests: Vec::new(),
            answers: Vec::new(),
            request_bodies: Vec::new(),
            answer_bodies: Vec::new(),
        }
    }
}

/// All that a tap noted.
#[derive(Debug)]
pub(crate) struct Sheet {
    since: Instant,
    pub(crate) connections: Vec<Connection>,
    pub(crate) exchanges: Vec<Exchange>,
    /// Something passed that is not HTTP/1.1.
    pub(crate) strange: bool,
    stopped: bool,
}

/// Reads one connection into the sheet.
#[derive(Debug)]
pub(crate) struct Scribe {
    connection: usize,
    requests: Reader,
    answers: Reader,
    first: Vec<u8>,
    records: Sizes,
    /// The exchange whose request, and the one whose answer, is passing. Numbers in the sheet.
    asking: Option<usize>,
    answering: Option<usize>,
}

impl Sheet {
    pub(crate) fn new() -> Self {
        Self::new_at(Instant::now())
    }

    /// A sheet whose times count from `since`.
    pub(crate) const fn new_at(since: Instant) -> Self {
        Self {
            since,
            connections: Vec::new(),
            exchanges: Vec::new(),
            strange: false,
            stopped: false,
        }
    }

    /// Notes nothing more of what passes, and forgets the bytes that passed.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
        for connection in &mut self.connections {
            *connection = Connection {
                closed: connection.closed,
                ..Connection::new(connection.from, connection.opened)
            };
        }
    }

    /// Time since the tap was set.
    pub(crate) fn now(&self) -> Duration {
        self.since.elapsed()
    }

    /// A connection came.
    pub(crate) fn open(&mut self, from: IpAddr) -> Scribe {
        let opened = self.now();
        self.connections.push(Connection::new(from, opened));
        Scribe {
            connection: self.connections.len() - 1,
            requests: Reader::new(Direction::Requests),
            answers: Reader::new(Direction::Answers),
            first: Vec::new(),
            records: Sizes::default(),
            asking: None,
            answering: None,
        }
    }

    /// Where connections came from, each once, in order.
    pub(crate) fn sources(&self) -> Vec<IpAddr> {
        let mut sources: Vec<IpAddr> = self.connections.iter().map(|c| c.from).collect();
        sources.sort();
        sources.dedup();
        sources
    }

    /// All bytes that passed, in both directions.
    pub(crate) fn bytes_passed(&self) -> u64 {
        self.connections
            .iter()
            .map(|c| (c.requests.len() + c.answers.len()) as u64)
            .sum()
    }

    /// All that passed, in every form in which it can be read: as it was, bodies without the framing
    /// of HTTP, and what events carry in base64.
    pub(crate) fn readings(&self) -> Vec<Cow<'_, [u8]>> {
        let of = |connection: &'_ Connection| {
            let events = events::payloads(&connection.answer_bodies);
            (!events.is_empty()).then_some(Cow::<[u8]>::Owned(events))
        };
        let mut readings: Vec<Cow<'_, [u8]>> = Vec::new();
        for connection in &self.connections {
            readings.push(Cow::Borrowed(&connection.requests));
            readings.push(Cow::Borrowed(&connection.answers));
            readings.push(Cow::Borrowed(&connection.request_bodies));
            readings.push(Cow::Borrowed(&connection.answer_bodies));
            readings.extend(of(connection));
        }
        readings
    }

    /// The moment that is `time` after the tap was set: taps are set at different moments.
    pub(crate) fn moment(&self, time: Duration) -> Instant {
        self.since + time
    }
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = KEPT_BYTES_MAX.saturating_sub(kept.len()).min(bytes.len());
    kept.extend_from_slice(&bytes[..room]);
}

impl Scribe {
    /// Bytes from the client.
    pub(crate) fn request(&mut self, sheet: &mut Sheet, bytes: &[u8]) {
        if sheet.stopped {
            return;
        }
        keep(&mut sheet.connections[self.connection].requests, bytes);
        let mut requests = std::mem::replace(&mut self.requests, Reader::new(Direction::Requests));
        requests.feed(bytes, |seen| match seen {
            Seen::Head(head) => self.begin(sheet, &head),
            Seen::Body(bytes) => self.body(sheet, bytes),
            Seen::End => {}
        });
        sheet.strange |= requests.is_lost();
        self.requests = requests;
    }

    fn begin(&mut self, sheet: &mut Sheet, head: &Head) {
        let connection = &sheet.connections[self.connection];
        let mut words = head.line.split(' ');
        let line = [words.next(), words.next()]
            .map(Option::unwrap_or_default)
            .join(" ");
        let exchange = Exchange {
            connection: self.connection,
            from: connection.from,
            began: sheet.now(),
            ended: None,
            line,
            lane: head.get("authorization").is_some(),
            bytes: 0,
            packet: None,
            status: None,
            stream: false,
            answer_bytes: 0,
            records: Vec::new(),
        };
        sheet.exchanges.push(exchange);
        self.asking = Some(sheet.exchanges.len() - 1);
        self.first.clear();
    }

    fn body(&mut self, sheet: &mut Sheet, bytes: &[u8]) {
        let Some(exchange) = self.asking.and_then(|at| sheet.exchanges.get_mut(at)) else {
            return;
        };
        keep(
            &mut sheet.connections[exchange.connection].request_bodies,
            bytes,
        );
        exchange.bytes += bytes.len() as u64;
        let room = FIRST_BYTES
            .saturating_sub(self.first.len())
            .min(bytes.len());
        self.first.extend_from_slice(&bytes[..room]);
        if exchange.packet.is_none()
            && let Ok(head) = read_wire_head(&self.first)
        {
            exchange.packet = Some((head.recipient.to_string(), head.size));
        }
    }

    /// Bytes from the process behind the tap.
    pub(crate) fn answer(&mut self, sheet: &mut Sheet, bytes: &[u8]) {
        if sheet.stopped {
            return;
        }
        keep(&mut sheet.connections[self.connection].answers, bytes);
        let mut answers = std::mem::replace(&mut self.answers, Reader::new(Direction::Answers));
        answers.feed(bytes, |seen| self.answered(sheet, &seen));
        sheet.strange |= answers.is_lost();
        self.answers = answers;
    }

    fn answered(&mut self, sheet: &mut Sheet, seen: &Seen<'_>) {
        if let Seen::Head(_) = seen {
            // Without pipelining, which no client of ours does, it is the one that was asked last.
            self.answering = self.asking;
            self.records = Sizes::default();
        }
        let now = sheet.now();
        let Some(exchange) = self.answering.and_then(|at| sheet.exchanges.get_mut(at)) else {
            return;
        };
        match seen {
            Seen::Head(head) => {
                exchange.status = head.status();
                exchange.stream = head.get("content-length").is_none();
            }
            Seen::Body(bytes) => {
                keep(
                    &mut sheet.connections[exchange.connection].answer_bodies,
                    bytes,
                );
                exchange.answer_bytes += bytes.len() as u64;
                if exchange.lane && exchange.status == Some(200) {
                    self.records.feed(bytes);
                    let fresh = self.records.data.drain(..);
                    exchange
                        .records
                        .extend(fresh.map(|bytes| Record { at: now, bytes }));
                }
            }
            Seen::End => {
                exchange.ended = Some(now);
                self.answering = None;
            }
        }
    }

    /// The connection ended.
    pub(crate) fn close(&mut self, sheet: &mut Sheet) {
        let now = sheet.now();
        let mut answers = std::mem::replace(&mut self.answers, Reader::new(Direction::Answers));
        answers.close(|seen| self.answered(sheet, &seen));
        sheet.connections[self.connection].closed = Some(now);
        let unfinished = sheet
            .exchanges
            .iter_mut()
            .filter(|exchange| exchange.connection == self.connection);
        for exchange in unfinished {
            exchange.ended.get_or_insert(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 9));

    /// The first bytes of a packet of 16,000: a version 6 PKESK and an SEIPD (RFC 9580 §5.1, §5.13).
    fn packet() -> Vec<u8> {
        let mut packet = vec![0xc1, 0x4b, 6, 33, 6];
        packet.extend([0xab; 32]);
        packet.push(25);
        packet.resize(2 + 0x4b, 0x33);
        let rest = 16_000 - packet.len() - 6;
        packet.extend([0xd2, 0xff]);
        packet.extend((rest as u32).to_be_bytes());
        packet.extend([2, 9, 3, 14]);
        packet.resize(16_000, 0x55);
        packet
    }

    fn framed(sizes: &[usize]) -> Vec<u8> {
        let mut body = Vec::new();
        for size in sizes {
            body.extend((*size as u32).to_be_bytes());
            body.push(0);
            body.resize(body.len() + size, 7);
        }
        body
    }

    #[test]
    fn an_exchange_on_a_lane_is_noted() {
        let mut sheet = Sheet::new();
        let mut scribe = sheet.open(FROM);
        let mut request =
            b"POST /post HTTP/1.1\r\nauthorization: Bearer x\r\ncontent-length: 16000\r\n\r\n"
                .to_vec();
        request.extend(packet());
        for piece in request.chunks(100) {
            scribe.request(&mut sheet, piece);
        }
        scribe.answer(
            &mut sheet,
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        );
        let body = framed(&[4_096, 16_000]);
        for piece in body.chunks(1_000) {
            scribe.answer(&mut sheet, format!("{:x}\r\n", piece.len()).as_bytes());
            scribe.answer(&mut sheet, piece);
            scribe.answer(&mut sheet, b"\r\n");
        }
        let open = sheet.exchanges[0].clone();
        assert_eq!(open.packet, Some(("ab".repeat(32), 16_000)));
        assert_eq!(
            (open.from, open.line.as_str(), open.bytes),
            (FROM, "POST /post", 16_000)
        );
        assert!(open.lane && open.stream && open.ended.is_none());
        let sizes: Vec<u64> = open.records.iter().map(|record| record.bytes).collect();
        assert_eq!(sizes, [4_096, 16_000]);
        scribe.close(&mut sheet);
        assert!(sheet.exchanges[0].ended.is_some());
        assert!(!sheet.strange);
        let holds = |needle: &[u8]| {
            let mut readings = sheet.readings().into_iter();
            readings.any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
        };
        // The records are whole once the chunks are taken out.
        assert!(holds(b"Bearer x") && holds(&[7; 16_000]) && !holds(b"Bobo"));
        assert_eq!(sheet.sources(), [FROM]);
    }

    #[test]
    fn exchanges_on_one_connection_do_not_mix() {
        let mut sheet = Sheet::new();
        let mut scribe = sheet.open(FROM);
        for status in ["200 OK", "404 Not Found"] {
            scribe.request(
                &mut sheet,
                b"POST /post HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi",
            );
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 3\r\n\r\nyes");
            scribe.answer(&mut sheet, answer.as_bytes());
        }
        let found: Vec<_> = sheet
            .exchanges
            .iter()
            .map(|e| (e.status, e.bytes, e.answer_bytes, e.lane))
            .collect();
        assert_eq!(found, [(Some(200), 2, 3, false), (Some(404), 2, 3, false)]);
        assert!(
            sheet
                .exchanges
                .iter()
                .all(|e| e.packet.is_none() && e.ended.is_some() && !e.stream)
        );
    }

    #[test]
    fn a_stopped_sheet_forgets() {
        let mut sheet = Sheet::new();
        let mut scribe = sheet.open(FROM);
        scribe.request(&mut sheet, b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\n!");
        assert!(sheet.bytes_passed() > 0);
        sheet.stop();
        scribe.request(&mut sheet, b"aaab");
        scribe.answer(&mut sheet, b"aaab");
        assert_eq!(sheet.bytes_passed(), 0);
        assert!(sheet.readings().iter().all(|bytes| bytes.is_empty()));
    }
}
