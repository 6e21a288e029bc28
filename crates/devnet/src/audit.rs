//! The sums, from what passed the taps.
//!
//! A *pass* is one packet crossing between a node and a relay, either way. What is charged for it
//! is said by the whitepaper; what passed, by the tap in front of the node. Acknowledgements and the
//! opening of lanes are free, and sealed like everything else: an acknowledgement is told by what
//! the relay's tap sees, a packet that comes beside an open stream from the same client; the opening
//! of a lane by coming from a node without a lane.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use crate::tap::{Exchange, Sheet};

/// Picodollars that a client pays for a byte passed.
pub(crate) const CLIENT_PER_BYTE: u64 = 20;
/// Picodollars that a relay is credited for it.
pub(crate) const RELAY_PER_BYTE: u64 = 10;
/// Picodollars that a kB and hour of storage costs.
const STORAGE_PER_KB_HOUR: u64 = 14;
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
            let pushed = exchange.records.iter().filter(|size| SIZES.contains(size));
            for size in pushed {
                sum.pushed += 1;
                sum.bytes += size;
            }
        }
    }
    for (ip, relay) in relays {
        let Some(sum) = sums.get_mut(ip) else {
            continue;
        };
        for bytes in acknowledgements(relay, key) {
            sum.free += 1;
            sum.packets_in = sum.packets_in.saturating_sub(1);
            sum.bytes = sum.bytes.saturating_sub(bytes);
        }
    }
    sums
}

/// Sizes of the packets for `key` that came to a relay beside an open stream of the same client:
/// after the stream began, and while the client had not closed all of its connections.
fn acknowledgements(relay: &Sheet, key: &str) -> Vec<u64> {
    let mine = |e: &&Exchange| is_accepted(e, key);
    let streams: Vec<&Exchange> = relay
        .exchanges
        .iter()
        .filter(mine)
        .filter(|e| e.stream)
        .collect();
    let beside = |e: &Exchange| {
        streams.iter().any(|stream| {
            stream.from == e.from
                && stream.began < e.began
                && e.began <= end_of_stay(relay, stream.connection)
        })
    };
    let once = relay.exchanges.iter().filter(mine).filter(|e| !e.stream);
    once.filter(|e| beside(e)).map(|e| e.bytes).collect()
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

/// The most that storage can have cost: every packet for the node from its coming to the end of the
/// last stream on which it can have been collected.
pub(crate) fn storage_at_most(node: &Sheet, key: &str) -> u64 {
    let until = node
        .exchanges
        .iter()
        .filter_map(|e| e.ended)
        .max()
        .unwrap_or_default();
    let mail = node
        .exchanges
        .iter()
        .filter(|e| e.lane && !e.stream && is_accepted(e, key));
    let byte_seconds: u64 = mail
        // The node counts whole seconds of the clock: up to one more at each end.
        .map(|e| e.bytes * (until.saturating_sub(e.began).as_secs() + 2))
        .sum();
    (byte_seconds * STORAGE_PER_KB_HOUR).div_ceil(1_000 * 3_600)
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
            from,
            opened: Duration::from_secs(opened),
            closed: closed.map(Duration::from_secs),
            requests: Vec::new(),
            answers: Vec::new(),
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
        assert_eq!(acknowledgements(&relay(), "b"), [16_000, 16_000]);
        assert!(acknowledgements(&relay(), "c").is_empty());
    }

    #[test]
    fn passes_are_summed_by_relay() {
        let mut node = Sheet::new();
        connect(&mut node, RELAY, 0, None);
        for exchange in &relay().exchanges {
            let mut exchange = post(0, RELAY, 0, exchange.bytes, exchange.stream);
            if exchange.stream {
                exchange.records = vec![4_096, 1_000_000, 4_096, 16_000];
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

    #[test]
    fn storage_has_a_ceiling() {
        let mut node = Sheet::new();
        connect(&mut node, RELAY, 0, None);
        node.exchanges.push(post(0, RELAY, 0, 1_000_000, false));
        node.exchanges.push(post(0, RELAY, 3_597, 16_000, true));
        // An hour of a megabyte: 14 p$ for each of its thousand kB.
        assert_eq!(storage_at_most(&node, "b"), 14_000);
    }
}
