//! The sums, from what passed the taps.
//!
//! A *pass* is one packet crossing between a node and a relay, either way. What is charged for it
//! is said by the whitepaper; what passed, by the tap in front of the node. Acknowledgements and the
//! opening of lanes are free, and sealed like everything else: an acknowledgement is told by what
//! the relay's tap sees, a packet that comes beside an open stream from the same client; the opening
//! of a lane by coming from a node without a lane.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use crate::tap::{Exchange, Record, Sheet};

/// Picodollars that a client pays for a byte passed.
pub(crate) const CLIENT_PER_BYTE: u64 = 20;
/// Picodollars that a relay is credited for it.
pub(crate) const RELAY_PER_BYTE: u64 = 10;
/// Picodollars that a kB and hour of storage costs.
const STORAGE_PER_KB_HOUR: u64 = 14;
/// By how much a count of whole seconds can differ from the time that passed.
const CLOCK_STEP: Duration = Duration::from_secs(1);
/// The sizes of packets that nodes take unless they are told otherwise.
pub(crate) const SIZES: [u64; 2] = [16_000, 1_000_000];

/// What passed between a node and one relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Packets to the node, the free ones not counted.
    pub(crate) packets_in: u64,
    /// Packets pushed to the relay.
    pub(crate) pushed: u64,
    /// Bytes of both.
    pub(crate) bytes: u64,
    /// Acknowledgements.
    pub(crate) free: u64,
}

/// A packet that the process behind the tap accepted from someone.
fn is_accepted(exchange: &Exchange, key: &str) -> bool {
    let whole = exchange.packet.as_ref().is_some_and(|(named, size)| {
        named == key && exchange.bytes == *size as u64 && SIZES.contains(&exchange.bytes)
    });
    whole && exchange.status == Some(200)
}

/// What passed between the node behind the tap `node`, which is found by `key`, and each relay.
/// `relays` are the taps in front of the nodes that connect from those addresses.
pub(crate) fn passed(
    node: &Sheet,
    key: &str,
    relays: &[(IpAddr, &Sheet)],
) -> BTreeMap<IpAddr, Passed> {
    let mut sums: BTreeMap<IpAddr, Passed> = BTreeMap::new();
    for exchange in node
        .exchanges
        .iter()
        .filter(|e| e.lane && is_accepted(e, key))
    {
        let sum = sums.entry(exchange.from).or_default();
        sum.packets_in += 1;
        sum.bytes += exchange.bytes;
        if exchange.stream {
            for push in pushes(exchange) {
                sum.pushed += 1;
                sum.bytes += push.bytes;
            }
        }
    }
    for (ip, relay) in relays {
        let Some(sum) = sums.get_mut(ip) else {
            continue;
        };
        for free in acknowledgements(relay, key) {
            sum.free += 1;
            sum.packets_in = sum.packets_in.saturating_sub(1);
            sum.bytes = sum.bytes.saturating_sub(free.bytes);
        }
    }
    sums
}

/// The packets that a stream handed out.
fn pushes(stream: &Exchange) -> impl Iterator<Item = &Record> {
    let records = stream.records.iter();
    records.filter(|record| SIZES.contains(&record.bytes))
}

/// The streams that clients of the node with `key` opened.
fn streams<'a>(sheet: &'a Sheet, key: &'a str) -> impl Iterator<Item = &'a Exchange> {
    let mine = sheet.exchanges.iter();
    mine.filter(move |e| e.stream && is_accepted(e, key))
}

/// The packets for `key` that came to a relay beside an open stream of the same client: after the
/// stream began, and while the client had not closed all of its connections.
fn acknowledgements<'a>(relay: &'a Sheet, key: &'a str) -> Vec<&'a Exchange> {
    let once = relay.exchanges.iter();
    let once = once.filter(|e| !e.stream && is_accepted(e, key));
    once.filter(|e| streams(relay, key).any(|stream| is_beside(relay, stream, e)))
        .collect()
}

fn is_beside(relay: &Sheet, stream: &Exchange, exchange: &Exchange) -> bool {
    stream.from == exchange.from
        && stream.began < exchange.began
        && exchange.began <= end_of_stay(relay, stream.connection)
}

/// When the client on that connection, and on others that overlap it, was gone.
fn end_of_stay(sheet: &Sheet, connection: usize) -> Duration {
    let first = &sheet.connections[connection];
    let end = |closed: Option<Duration>| closed.unwrap_or(Duration::MAX);
    let mut until = end(first.closed);
    // Connections are in the order in which they were opened.
    for other in sheet.connections.iter().skip(connection + 1) {
        if other.from == first.from && other.opened <= until {
            until = until.max(end(other.closed));
        }
    }
    until
}

/// What storing cost at least and at most, picodollars, by three taps: at the relay through which
/// others write (`senders`), at the node, and at the relay of its client (`client`).
///
/// A packet is stored from its coming, while its sender waits for the answer, to the
/// acknowledgement: one that came after the packet had passed on the stream, and beside it. The node
/// counts whole seconds of its clock, which is up to one more or less.
///
/// # Errors
/// What was pushed is not what came, or was not acknowledged.
pub(crate) fn storage(
    senders: &Sheet,
    node: &Sheet,
    client: &Sheet,
    key: &str,
) -> Result<RangeInclusive<u64>, String> {
    let mut stays = stays(node, client, key)?.into_iter();
    let (mut least, mut most) = (0_u128, 0_u128);
    let mut mail: Vec<&Exchange> = senders.exchanges.iter().collect();
    mail.retain(|e| !e.stream && is_accepted(e, key));
    mail.sort_by_key(|e| e.ended);
    for letter in mail {
        let stay = stays.next().ok_or("not all that came was pushed")?;
        if stay.bytes != letter.bytes {
            let (pushed, came) = (stay.bytes, letter.bytes);
            return Err(format!("{pushed} bytes were pushed where {came} had come"));
        }
        let came = senders.moment(letter.began);
        let stored = senders.moment(letter.ended.ok_or("a sender got no answer")?);
        let shortest = stay.released.start().saturating_duration_since(stored);
        let longest = stay.released.end().saturating_duration_since(came);
        let bytes = u128::from(letter.bytes);
        least += bytes * shortest.saturating_sub(CLOCK_STEP).as_millis();
        most += bytes * (longest + CLOCK_STEP).as_millis();
    }
    if stays.next().is_some() {
        return Err("something was pushed that had not come".to_owned());
    }
    let price = u128::from(STORAGE_PER_KB_HOUR);
    let per = 1_000 * 1_000 * 3_600;
    let narrow = |sum: u128| u64::try_from(sum).map_err(|_| "too much to count".to_owned());
    Ok(narrow(least * price / per)?..=narrow((most * price).div_ceil(per))?)
}

/// A packet that was pushed, and between which moments the node let it go.
struct Stay {
    bytes: u64,
    released: RangeInclusive<Instant>,
}

fn stays(node: &Sheet, client: &Sheet, key: &str) -> Result<Vec<Stay>, String> {
    let mut stays = Vec::new();
    // Both taps see the streams in the order in which they were opened.
    for (pushing, stream) in streams(node, key).zip(streams(client, key)) {
        let beside = acknowledgements(client, key);
        let beside = beside.iter().filter(|e| is_beside(client, stream, e));
        let spans: Vec<(Instant, Instant)> = beside
            .filter_map(|e| Some((client.moment(e.began), client.moment(e.ended?))))
            .collect();
        for push in pushes(pushing) {
            let pushed = node.moment(push.at);
            let later = || spans.iter().filter(|(began, _)| *began >= pushed);
            let first = later().map(|(began, _)| *began).min();
            let last = later().map(|(_, ended)| *ended).max();
            let (Some(first), Some(last)) = (first, last) else {
                return Err("a packet was pushed and not acknowledged".to_owned());
            };
            stays.push(Stay {
                bytes: push.bytes,
                released: first..=last,
            });
        }
    }
    Ok(stays)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::tap::sheet::Connection;

    const RELAY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));
    const PERSON: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 21));

    fn connect(sheet: &mut Sheet, from: IpAddr, opened: u64, closed: Option<u64>) {
        sheet.connections.push(Connection {
            closed: closed.map(Duration::from_secs),
            ..Connection::new(from, Duration::from_secs(opened))
        });
    }

    fn post(connection: usize, from: IpAddr, began: u64, bytes: u64, stream: bool) -> Exchange {
        Exchange {
            connection,
            from,
            began: Duration::from_secs(began),
            ended: Some(Duration::from_secs(began + 1)),
            line: "POST /post".to_owned(),
            lane: true,
            bytes,
            packet: Some(("b".to_owned(), bytes as usize)),
            status: Some(200),
            stream,
            answer_bytes: 0,
            records: Vec::new(),
        }
    }

    /// A client registers (two packets), listens, acknowledges twice, leaves, and asks once more.
    fn relay() -> Sheet {
        let mut sheet = Sheet::new();
        connect(&mut sheet, PERSON, 0, Some(3));
        connect(&mut sheet, PERSON, 10, Some(20));
        connect(&mut sheet, PERSON, 12, Some(25));
        connect(&mut sheet, PERSON, 30, None);
        for (connection, began, stream) in [
            (0, 1, false),
            (0, 2, false),
            (1, 10, true),
            (2, 13, false),
            (2, 22, false),
            (3, 30, false),
        ] {
            sheet
                .exchanges
                .push(post(connection, PERSON, began, 16_000, stream));
        }
        sheet
    }

    #[test]
    fn what_comes_beside_a_stream_is_an_acknowledgement() {
        let relay = relay();
        let began = acknowledgements(&relay, "b");
        let began: Vec<u64> = began.iter().map(|e| e.began.as_secs()).collect();
        assert_eq!(began, [13, 22]);
        assert!(acknowledgements(&relay, "c").is_empty());
    }

    #[test]
    fn passes_are_summed_by_relay() {
        let mut node = Sheet::new();
        connect(&mut node, RELAY, 0, None);
        for exchange in &relay().exchanges {
            let mut exchange = post(0, RELAY, 0, exchange.bytes, exchange.stream);
            if exchange.stream {
                exchange.records = [4_096, 1_000_000, 4_096, 16_000].map(record_at_13).into();
            }
            node.exchanges.push(exchange);
        }
        // Neither of these passed: no lane, refused, cut off, for somebody else.
        let mut lane = post(0, RELAY, 0, 16_000, false);
        lane.lane = false;
        let mut refused = post(0, RELAY, 0, 16_000, false);
        refused.status = Some(502);
        let mut cut = post(0, RELAY, 0, 16_000, false);
        cut.bytes = 15_999;
        let mut other = post(0, RELAY, 0, 16_000, false);
        other.packet = Some(("c".to_owned(), 16_000));
        node.exchanges.extend([lane, refused, cut, other]);
        let sums = passed(&node, "b", &[(RELAY, &relay())]);
        let expected = Passed {
            packets_in: 4,
            pushed: 2,
            bytes: 4 * 16_000 + 1_016_000,
            free: 2,
        };
        assert_eq!(sums, BTreeMap::from([(RELAY, expected)]));
    }

    fn record_at_13(bytes: u64) -> Record {
        let at = Duration::from_millis(12_500);
        Record { at, bytes }
    }

    /// A letter that came in the seconds 0 to 1, was pushed at 12.5 and acknowledged between 13 and 23.
    fn stored(letters: &[u64], pushed: &[u64]) -> Result<RangeInclusive<u64>, String> {
        let since = Instant::now();
        let [mut senders, mut node, mut client] = [(); 3].map(|()| Sheet::new_at(since));
        client.connections = relay().connections;
        client.exchanges = relay().exchanges;
        connect(&mut senders, PERSON, 0, None);
        let posts = letters
            .iter()
            .map(|bytes| post(0, PERSON, 0, *bytes, false));
        senders.exchanges.extend(posts);
        connect(&mut node, RELAY, 0, None);
        let mut stream = post(0, RELAY, 10, 16_000, true);
        stream.records = pushed.iter().map(|bytes| record_at_13(*bytes)).collect();
        node.exchanges.push(stream);
        storage(&senders, &node, &client, "b")
    }

    #[test]
    fn storage_lies_between_what_the_taps_allow() {
        // From 13 - 1 less a second to 23 - 0 and one more: 11 and 24 s of a megabyte, at 14 p$ for
        // each of its thousand kB in an hour.
        let cost = |seconds: u64| (seconds * 1_000 * 14, 3_600);
        let (least, most) = (cost(11), cost(24));
        let expected = least.0 / least.1..=most.0.div_ceil(most.1);
        assert_eq!(stored(&[1_000_000], &[4_096, 1_000_000]), Ok(expected));
        assert_eq!(stored(&[], &[]), Ok(0..=0));
    }

    #[test]
    fn what_came_and_what_was_pushed_must_be_the_same() {
        for (letters, pushed) in [
            (vec![16_000], vec![]),
            (vec![], vec![16_000]),
            (vec![16_000], vec![1_000_000]),
        ] {
            assert!(stored(&letters, &pushed).is_err(), "{letters:?} {pushed:?}");
        }
    }
}
