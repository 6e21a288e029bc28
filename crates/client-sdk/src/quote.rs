//! What it will cost, before anything is sent.

use layer_minus_message::Prices;
use layer_minus_packet::Sizes;

use crate::content::part_bytes;

const HOURS_PER_DAY: u128 = 24;
const BYTES_PER_KB: u128 = 1_000;

/// Price and size of sending a content. Amounts are picodollars, and the recipient's: whoever takes
/// mail pays for its passes, and says beforehand how much of it strangers may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Bytes of content.
    pub content_bytes: u64,
    /// Packets that it takes.
    pub packets: u32,
    /// Bytes that the sender posts, all layers and fill included.
    pub bytes_on_wire: u64,
    /// The same, summed over every link from the sender to the recipient's node.
    pub bytes_over_links: u64,
    /// To the recipient's node for the way in.
    pub way_in_pusd: u128,
    /// To the recipient's node for pushing it out, once.
    pub push_pusd: u128,
    /// To the recipient's node for every day that it waits.
    pub storage_per_day_pusd: u128,
    /// What the node passes on to the relays of both passes, out of the above.
    pub relays_pusd: u128,
}

impl Quote {
    /// Both passes, delivered at once.
    #[must_use]
    pub const fn online_pusd(&self) -> u128 {
        self.way_in_pusd.saturating_add(self.push_pusd)
    }
}

/// The price of `bytes` of content through a relay and `hops` further nodes, at most: the letter may
/// carry a card, a name and what it answers. [`quote_packets`] tells it exactly once it is planned.
#[must_use]
pub fn quote(bytes: u64, prices: &Prices, sizes: &Sizes, hops: usize) -> Quote {
    quote_with(bytes, LETTER_OVERHEAD_MAX, prices, sizes, hops)
}

/// The same, at least: the shortest letter that can be.
#[must_use]
pub fn quote_least(bytes: u64, prices: &Prices, sizes: &Sizes, hops: usize) -> Quote {
    quote_with(bytes, LETTER_OVERHEAD_MIN, prices, sizes, hops)
}

fn quote_with(
    bytes: u64,
    overhead_bytes: u64,
    prices: &Prices,
    sizes: &Sizes,
    hops: usize,
) -> Quote {
    let part = part_bytes(sizes).max(1);
    let (full, rest) = (bytes / part, bytes % part);
    let last = (rest > 0 || full == 0).then(|| size_for(rest, overhead_bytes, sizes));
    quote_packets(bytes, full, last, prices, sizes, hops)
}

/// The price of a content that takes `full` packets of the largest size and one of `last` bytes.
#[must_use]
pub fn quote_packets(
    bytes: u64,
    full: u64,
    last: Option<usize>,
    prices: &Prices,
    sizes: &Sizes,
    hops: usize,
) -> Quote {
    let packets = full.saturating_add(u64::from(last.is_some()));
    let wire = (u128::from(full) * sizes.largest() as u128)
        .saturating_add(last.unwrap_or_default() as u128);
    let hours = u128::from(prices.storage_per_kb_hour) * HOURS_PER_DAY;
    // From the sender to the first relay, from there to each hop and to the node.
    let links = 2 + hops as u128;
    Quote {
        content_bytes: bytes,
        packets: u32::try_from(packets).unwrap_or(u32::MAX),
        bytes_on_wire: narrow(wire),
        bytes_over_links: narrow(wire.saturating_mul(links)),
        way_in_pusd: wire.saturating_mul(u128::from(prices.recipient_per_byte)),
        push_pusd: wire.saturating_mul(u128::from(prices.recipient_per_byte)),
        storage_per_day_pusd: wire.saturating_mul(hours) / BYTES_PER_KB,
        relays_pusd: wire.saturating_mul(2 * u128::from(prices.relay_per_byte)),
    }
}

/// Bytes of everything in a letter but its body, at least: what a seal may take, claims, a proof by a
/// device with its delegation.
const LETTER_OVERHEAD_MIN: u64 = 2_300;
/// The same at most, as far as this crate makes letters: with a card, the longest name, and what it
/// answers.
const LETTER_OVERHEAD_MAX: u64 = 5_500;

fn size_for(body_bytes: u64, overhead_bytes: u64, sizes: &Sizes) -> usize {
    let needed = usize::try_from(body_bytes.saturating_add(overhead_bytes));
    needed
        .ok()
        .and_then(|needed| sizes.smallest_for(needed))
        .unwrap_or(sizes.largest())
}

fn narrow(sum: u128) -> u64 {
    u64::try_from(sum).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_megabyte_packet_costs_what_the_whitepaper_says() {
        let sizes = Sizes::new(&[1_000_000]).unwrap();
        let quote = quote(11, &Prices::default(), &sizes, 0);
        assert_eq!((quote.packets, quote.bytes_on_wire), (1, 1_000_000));
        assert_eq!(quote.way_in_pusd, 20_000_000); // $0.00002
        assert_eq!(quote.push_pusd, 20_000_000);
        assert_eq!(quote.relays_pusd, 2 * 10_000_000); // $0.00001 a pass
        assert_eq!(quote.storage_per_day_pusd, 336_000); // $0.00000033
        assert_eq!(quote.online_pusd(), 40_000_000);
    }

    #[test]
    fn content_is_counted_in_whole_packets() {
        let (prices, sizes) = (Prices::default(), Sizes::default());
        let part = part_bytes(&sizes);
        assert_eq!(quote(0, &prices, &sizes, 0).bytes_on_wire, 16_000);
        assert_eq!(quote(100, &prices, &sizes, 0).bytes_on_wire, 16_000);
        // Between what fits for certain and what never does.
        assert_eq!(quote(4_000, &prices, &sizes, 0).bytes_on_wire, 1_000_000);
        assert_eq!(quote_least(4_000, &prices, &sizes, 0).bytes_on_wire, 16_000);
        assert_eq!(quote(10_000, &prices, &sizes, 0).bytes_on_wire, 1_000_000);
        assert_eq!(quote(part, &prices, &sizes, 0).packets, 1);
        let more = quote(part + 1, &prices, &sizes, 3);
        assert_eq!((more.packets, more.bytes_on_wire), (2, 1_016_000));
        assert_eq!(more.bytes_over_links, 5 * 1_016_000);
        assert_eq!(quote(u64::MAX, &prices, &sizes, 0).packets, u32::MAX);
    }
}
