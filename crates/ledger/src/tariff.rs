use serde::{Deserialize, Serialize};

use crate::storage::{self, BYTE_SECONDS_PER_KB_HOUR};
use crate::text::decimal64;
use crate::{Amount, LedgerError};

/// What a node asks for, in picodollars. The default is the whitepaper's.
///
/// 1 kB is 1000 bytes and 1 MB is 10⁶: the paper's $0.00002 per MB in or out of a recipient is
/// 20 p$ per byte, its $0.00001 per MB relayed is 10, its $0.000000014 per MB and hour of storage
/// is 14 p$ per kB and hour. In JSON every value is a decimal string, and none may be missing.
///
/// # Rounding
/// A price per byte is whole, so a pass is exact: one byte costs 20 p$. Storage is a fraction:
/// - a **charge** is rounded down, and what is lost is carried to the next
///   ([`StorageMeter`](crate::StorageMeter)): one byte for one second costs nothing yet, and 14/3,600,000
///   of a picodollar is kept;
/// - a **reservation** is rounded up ([`Tariff::storage_reserve_price`]), so that it covers the charge
///   whatever was carried: one byte for one second reserves 1 p$.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    /// Charged for a pass to the recipient: mail and commands, per byte.
    pub in_per_byte: Amount,
    /// Charged for a pass from the recipient: pushes, per byte.
    pub out_per_byte: Amount,
    /// Earned by the forwarder of a pass, per byte.
    pub relay_per_byte: Amount,
    /// Charged for storage, per 1000 bytes and hour.
    pub storage_per_kb_hour: Amount,
    /// The least that a pass is charged. Storage has no minimum.
    pub minimum_charge: Amount,
    /// Bytes of passes that a client is not charged for on a UTC day.
    #[serde(with = "decimal64")]
    pub free_bytes_per_day: u64,
}

impl Default for Tariff {
    fn default() -> Self {
        Self {
            in_per_byte: Amount::new(20),
            out_per_byte: Amount::new(20),
            relay_per_byte: Amount::new(10),
            storage_per_kb_hour: Amount::new(14),
            minimum_charge: Amount::ZERO,
            free_bytes_per_day: 0,
        }
    }
}

impl Tariff {
    /// A tariff by which nothing costs anything.
    pub const FREE: Self = Self {
        in_per_byte: Amount::ZERO,
        out_per_byte: Amount::ZERO,
        relay_per_byte: Amount::ZERO,
        storage_per_kb_hour: Amount::ZERO,
        minimum_charge: Amount::ZERO,
        free_bytes_per_day: 0,
    };

    /// What a client is charged for one packet of `bytes` on its way in.
    ///
    /// # Errors
    /// [`LedgerError::Overflow`] when the price does not fit.
    pub fn in_price(&self, bytes: u64) -> Result<Amount, LedgerError> {
        per_byte(self.in_per_byte, bytes).map(|price| price.max(self.minimum_charge))
    }

    /// What a client is charged for one packet of `bytes` that is pushed to it.
    ///
    /// # Errors
    /// [`LedgerError::Overflow`] when the price does not fit.
    pub fn out_price(&self, bytes: u64) -> Result<Amount, LedgerError> {
        per_byte(self.out_per_byte, bytes).map(|price| price.max(self.minimum_charge))
    }

    /// What the forwarder of a pass of `bytes` earns for which its client was charged `charged`:
    /// its price, but never more than was paid for that pass.
    ///
    /// # Errors
    /// [`LedgerError::Overflow`] when the price does not fit.
    pub fn relay_price(&self, bytes: u64, charged: Amount) -> Result<Amount, LedgerError> {
        per_byte(self.relay_per_byte, bytes).map(|price| price.min(charged))
    }

    /// What storage costs, rounded down. A [`StorageMeter`](crate::StorageMeter) carries what
    /// is lost here.
    ///
    /// # Errors
    /// [`LedgerError::Overflow`] when the price does not fit.
    pub fn storage_price(&self, byte_seconds: u128) -> Result<Amount, LedgerError> {
        storage::price(byte_seconds, self.storage_per_kb_hour, 0).map(|(amount, _)| amount)
    }

    /// What to reserve for storage: rounded up.
    ///
    /// A meter never charges more than this for the same byte-seconds, whatever remainder it
    /// brought along and however often it was read in between.
    ///
    /// # Errors
    /// [`LedgerError::Overflow`] when the price does not fit.
    pub fn storage_reserve_price(&self, byte_seconds: u128) -> Result<Amount, LedgerError> {
        // The largest remainder turns any fraction into one more.
        let round_up = BYTE_SECONDS_PER_KB_HOUR - 1;
        storage::price(byte_seconds, self.storage_per_kb_hour, round_up).map(|(amount, _)| amount)
    }

    /// Whether a client pays nowhere more under this tariff than under `other`: each of its prices is
    /// at most the other's, and no less is free. What relays earn is no part of it.
    #[must_use]
    pub fn is_nowhere_dearer_than(&self, other: &Self) -> bool {
        self.in_per_byte <= other.in_per_byte
            && self.out_per_byte <= other.out_per_byte
            && self.storage_per_kb_hour <= other.storage_per_kb_hour
            && self.minimum_charge <= other.minimum_charge
            && self.free_bytes_per_day >= other.free_bytes_per_day
    }
}

fn per_byte(price: Amount, bytes: u64) -> Result<Amount, LedgerError> {
    price.checked_mul(bytes).ok_or(LedgerError::Overflow {
        what: "the price of a pass",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;
    const DAY: u128 = 24 * 3600;

    #[test]
    fn one_mb_costs_what_the_whitepaper_says() {
        let tariff = Tariff::default();
        let price = Amount::new(20_000_000);
        assert_eq!(tariff.in_price(MB), Ok(price));
        assert_eq!(tariff.out_price(MB), Ok(price));
        assert_eq!(tariff.relay_price(MB, price), Ok(Amount::new(10_000_000)));
        assert_eq!(
            tariff.storage_price(u128::from(MB) * 3600),
            Ok(Amount::new(14_000))
        );
    }

    #[test]
    fn one_mb_for_24_hours_is_336_000_picodollars() {
        let byte_seconds = u128::from(MB) * DAY;
        assert_eq!(
            Tariff::default().storage_price(byte_seconds),
            Ok(Amount::new(336_000))
        );
        assert_eq!(
            Tariff::default().storage_reserve_price(byte_seconds),
            Ok(Amount::new(336_000))
        );
    }

    #[test]
    fn one_byte_is_exact_and_no_byte_is_free() {
        let tariff = Tariff {
            out_per_byte: Amount::new(21),
            ..Tariff::default()
        };
        assert_eq!(tariff.in_price(0), Ok(Amount::ZERO));
        assert_eq!(tariff.in_price(1), Ok(Amount::new(20)));
        assert_eq!(tariff.out_price(1), Ok(Amount::new(21)));
        assert_eq!(tariff.relay_price(1, Amount::new(20)), Ok(Amount::new(10)));
    }

    #[test]
    fn one_byte_second_is_free_and_reserves_one() {
        let tariff = Tariff::default();
        assert_eq!(tariff.storage_price(0), Ok(Amount::ZERO));
        assert_eq!(tariff.storage_reserve_price(0), Ok(Amount::ZERO));
        assert_eq!(tariff.storage_price(1), Ok(Amount::ZERO));
        assert_eq!(tariff.storage_reserve_price(1), Ok(Amount::new(1)));
        // One second of 1 MB: 3.88…; the first that is whole after 1 kB for an hour: 14.
        let second = u128::from(MB);
        assert_eq!(tariff.storage_price(second), Ok(Amount::new(3)));
        assert_eq!(tariff.storage_reserve_price(second), Ok(Amount::new(4)));
        let unit = BYTE_SECONDS_PER_KB_HOUR;
        for (byte_seconds, down, up) in [(unit - 1, 13, 14), (unit, 14, 14), (unit + 1, 14, 15)] {
            assert_eq!(tariff.storage_price(byte_seconds), Ok(Amount::new(down)));
            assert_eq!(
                tariff.storage_reserve_price(byte_seconds),
                Ok(Amount::new(up))
            );
        }
    }

    #[test]
    fn storage_of_2_to_the_64_byte_seconds_is_exact() {
        // 2^64 * 14 / 3_600_000 = 71_737_338_064_426.03…
        let tariff = Tariff::default();
        assert_eq!(
            tariff.storage_price(1 << 64),
            Ok(Amount::new(71_737_338_064_426))
        );
        assert_eq!(
            tariff.storage_reserve_price(1 << 64),
            Ok(Amount::new(71_737_338_064_427))
        );
    }

    #[test]
    fn prices_that_do_not_fit_are_refused() {
        let tariff = Tariff::default();
        let most = u64::MAX / 20;
        assert_eq!(tariff.in_price(most), Ok(Amount::new(most * 20)));
        for too_much in [
            tariff.in_price(most + 1),
            tariff.out_price(most + 1),
            tariff.relay_price(u64::MAX, Amount::MAX),
            tariff.storage_price(u128::MAX),
            tariff.storage_reserve_price(u128::MAX),
        ] {
            assert!(matches!(too_much, Err(LedgerError::Overflow { .. })));
        }
    }

    #[test]
    fn the_minimum_is_for_a_pass() {
        let tariff = Tariff {
            minimum_charge: Amount::new(1_000_000),
            ..Tariff::default()
        };
        for (bytes, price) in [(0, 1_000_000), (16_000, 1_000_000), (MB, 20_000_000)] {
            assert_eq!(tariff.in_price(bytes), Ok(Amount::new(price)));
            assert_eq!(tariff.out_price(bytes), Ok(Amount::new(price)));
        }
        assert_eq!(tariff.storage_price(1), Ok(Amount::ZERO));
    }

    #[test]
    fn nobody_earns_more_by_a_pass_than_was_paid_for_it() {
        let tariff = Tariff::default();
        for (charged, earned) in [(0, 0), (9, 9), (10, 10), (20, 10)] {
            assert_eq!(
                tariff.relay_price(1, Amount::new(charged)),
                Ok(Amount::new(earned))
            );
        }
    }

    #[test]
    fn dearer_in_one_thing_is_dearer() {
        let usual = Tariff::default();
        assert!(usual.is_nowhere_dearer_than(&usual));
        assert!(Tariff::FREE.in_price(u64::MAX) == Ok(Amount::ZERO));
        let one = Amount::new(100);
        let changes: [fn(&mut Tariff, Amount); 4] = [
            |tariff, price| tariff.in_per_byte = price,
            |tariff, price| tariff.out_per_byte = price,
            |tariff, price| tariff.storage_per_kb_hour = price,
            |tariff, price| tariff.minimum_charge = price,
        ];
        for change in changes {
            let mut dear = usual;
            change(&mut dear, one);
            assert!(!dear.is_nowhere_dearer_than(&usual) && usual.is_nowhere_dearer_than(&dear));
        }
        let generous = Tariff {
            free_bytes_per_day: 1,
            relay_per_byte: one,
            ..usual
        };
        assert!(
            generous.is_nowhere_dearer_than(&usual) && !usual.is_nowhere_dearer_than(&generous)
        );
    }

    #[test]
    fn json_is_decimal_strings_and_nothing_may_be_missing() {
        let json = serde_json::to_string(&Tariff::default()).unwrap();
        assert_eq!(
            json,
            r#"{"in_per_byte":"20","out_per_byte":"20","relay_per_byte":"10","storage_per_kb_hour":"14","minimum_charge":"0","free_bytes_per_day":"0"}"#
        );
        assert_eq!(
            serde_json::from_str::<Tariff>(&json).unwrap(),
            Tariff::default()
        );
        for (from, to) in [
            (r#""minimum_charge":"0","#, ""),
            (r#""in_per_byte":"20""#, r#""in_per_byte":20"#),
            (
                r#""free_bytes_per_day":"0""#,
                r#""free_bytes_per_day":"00""#,
            ),
            (
                r#""free_bytes_per_day":"0""#,
                r#""free_bytes_per_day":"0","x":"0""#,
            ),
        ] {
            let text = json.replace(from, to);
            assert_ne!(text, json);
            assert!(serde_json::from_str::<Tariff>(&text).is_err(), "{text}");
        }
    }
}
