//! What it will cost, before anything is sent.

use layer_minus_ledger::{Amount, LedgerError};
use layer_minus_message::Prices;
use layer_minus_packet::Sizes;

use crate::content::part_bytes;

const SECS_PER_DAY: u128 = 24 * 3_600;

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
    /// Bytes that pass free of charge each day, not taken off above: others may have used them up.
    pub free_bytes_per_day: u64,
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
    let large = Packets {
        count: full,
        size: sizes.largest() as u64,
    };
    let last = Packets {
        count: u64::from(last.is_some()),
        size: last.unwrap_or_default() as u64,
    };
    let packets = large.count.saturating_add(last.count);
    let sum = |each: &dyn Fn(u64) -> u128| {
        let of = |packets: &Packets| u128::from(packets.count).saturating_mul(each(packets.size));
        of(&large).saturating_add(of(&last))
    };
    let wire = sum(&u128::from);
    let way_in = |size| in_full(prices.in_price(size));
    let push = |size| in_full(prices.out_price(size));
    let relay =
        |size, charged: Amount| u128::from(in_full(prices.relay_price(size, charged)).get());
    let day = wire.saturating_mul(SECS_PER_DAY);
    // From the sender to the first relay, from there to each hop and to the node.
    let links = 2 + hops as u128;
    Quote {
        content_bytes: bytes,
        packets: u32::try_from(packets).unwrap_or(u32::MAX),
        bytes_on_wire: narrow(wire),
        bytes_over_links: narrow(wire.saturating_mul(links)),
        way_in_pusd: sum(&|size| way_in(size).get().into()),
        push_pusd: sum(&|size| push(size).get().into()),
        storage_per_day_pusd: in_full(prices.storage_price(day)).get().into(),
        relays_pusd: sum(&|size| relay(size, way_in(size)).saturating_add(relay(size, push(size)))),
        free_bytes_per_day: prices.free_bytes_per_day,
    }
}

/// Packets of one size.
struct Packets {
    count: u64,
    size: u64,
}

/// A price that does not fit is shown as the largest that does: nobody pays it.
fn in_full(price: Result<Amount, LedgerError>) -> Amount {
    price.unwrap_or(Amount::MAX)
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
    fn every_packet_costs_the_minimum_at_least() {
        let sizes = Sizes::default();
        let prices = Prices {
            out_per_byte: Amount::new(30),
            minimum_charge: Amount::new(1_000_000),
            ..Prices::default()
        };
        let part = part_bytes(&sizes);
        let quote = quote(part + 1, &prices, &sizes, 0);
        // One of 1 MB, and one of 16 kB that would cost 320,000 and 480,000.
        assert_eq!(quote.way_in_pusd, 20_000_000 + 1_000_000);
        assert_eq!(quote.push_pusd, 30_000_000 + 1_000_000);
        assert_eq!(quote.relays_pusd, 2 * (10_000_000 + 160_000));
    }

    #[test]
    fn absurd_prices_do_not_panic() {
        let most = Amount::MAX;
        let prices = Prices {
            in_per_byte: most,
            out_per_byte: most,
            relay_per_byte: most,
            storage_per_kb_hour: most,
            minimum_charge: most,
            free_bytes_per_day: u64::MAX,
        };
        let quote = quote(u64::MAX, &prices, &Sizes::default(), usize::MAX);
        assert!(quote.way_in_pusd >= u128::from(u64::MAX));
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
