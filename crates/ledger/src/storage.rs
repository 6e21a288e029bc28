use serde::{Deserialize, Serialize};

use crate::text::decimal;
use crate::{Amount, LedgerError};

/// Byte-seconds in 1 kB·hour, the unit that storage is priced in: 1000 × 3600.
pub const BYTE_SECONDS_PER_KB_HOUR: u128 = 1000 * 3600;

/// Charges for storage without losing a fraction.
///
/// A price per kB·hour makes most charges come out uneven. The meter keeps what is left over, in
/// parts of a picodollar, and adds it to the next charge: read every second or once a day, the
/// charges add up to the same, for each `byte_seconds` at the price that it was charged at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageMeter {
    /// Not charged yet, in parts of [`BYTE_SECONDS_PER_KB_HOUR`] to a picodollar.
    #[serde(with = "decimal")]
    pub remainder: u128,
}

impl StorageMeter {
    /// What to charge now, and the meter to keep for the next charge:
    /// `(byte_seconds × per_kb_hour + remainder) / 3_600_000` and its remainder.
    ///
    /// # Errors
    /// [`LedgerError::Overflow`] when the charge does not fit an [`Amount`].
    pub fn charge(
        self,
        byte_seconds: u128,
        per_kb_hour: Amount,
    ) -> Result<(Amount, Self), LedgerError> {
        let (amount, remainder) = price(byte_seconds, per_kb_hour, self.remainder)?;
        Ok((amount, Self { remainder }))
    }
}

/// `(byte_seconds × per_kb_hour + remainder)` divided by the unit, and the new remainder.
pub(crate) fn price(
    byte_seconds: u128,
    per_kb_hour: Amount,
    remainder: u128,
) -> Result<(Amount, u128), LedgerError> {
    const UNIT: u128 = BYTE_SECONDS_PER_KB_HOUR;
    let overflow = LedgerError::Overflow {
        what: "the price of storage",
    };
    let per_unit = u128::from(per_kb_hour.get());
    // Divided before it is multiplied: only a price that does not fit can overflow.
    let whole = (byte_seconds / UNIT)
        .checked_mul(per_unit)
        .ok_or(overflow)?;
    // Both factors and the remainder's rest are below 2^64.
    let parts = (byte_seconds % UNIT) * per_unit + remainder % UNIT;
    let amount = whole
        .checked_add(parts / UNIT)
        .and_then(|amount| amount.checked_add(remainder / UNIT))
        .and_then(|amount| u64::try_from(amount).ok())
        .ok_or(overflow)?;
    Ok((Amount::new(amount), parts % UNIT))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Tariff;

    const PRICE: Amount = Amount::new(14);

    #[test]
    fn metered_every_second_one_mb_for_24_hours_is_still_336_000() {
        let mut meter = StorageMeter::default();
        let mut total = 0;
        for _ in 0..24 * 3600 {
            let (amount, next) = meter.charge(1_000_000, PRICE).unwrap();
            total += amount.get();
            meter = next;
        }
        assert_eq!((total, meter.remainder), (336_000, 0));
    }

    #[test]
    fn one_byte_second_is_kept_until_it_makes_a_picodollar() {
        let mut meter = StorageMeter::default();
        let mut charged_at = Vec::new();
        for second in 1..=600_000 {
            let (amount, next) = meter.charge(1, PRICE).unwrap();
            if !amount.is_zero() {
                charged_at.push((second, amount.get()));
            }
            meter = next;
        }
        // 3_600_000 / 14 = 257_142.86: the first picodollar is due in the 257_143rd second.
        assert_eq!(charged_at, [(257_143, 1), (514_286, 1)]);
    }

    #[test]
    fn the_edges_of_the_integers_are_refused_or_exact() {
        let full = StorageMeter {
            remainder: BYTE_SECONDS_PER_KB_HOUR - 1,
        };
        assert_eq!(full.charge(0, PRICE).unwrap(), (Amount::ZERO, full));
        let (amount, next) = full.charge(1, Amount::new(1)).unwrap();
        assert_eq!((amount, next.remainder), (Amount::new(1), 0));
        assert!(full.charge(u128::MAX, Amount::MAX).is_err());
        // The largest charge that fits, and one unit more.
        let most = u128::from(u64::MAX) * BYTE_SECONDS_PER_KB_HOUR;
        let one = Amount::new(1);
        assert_eq!(
            StorageMeter::default().charge(most, one).unwrap().0,
            Amount::MAX
        );
        assert!(
            StorageMeter::default()
                .charge(most + BYTE_SECONDS_PER_KB_HOUR, one)
                .is_err()
        );
        assert_eq!(
            StorageMeter::default()
                .charge(u128::MAX, Amount::ZERO)
                .unwrap()
                .0,
            Amount::ZERO
        );
        // A remainder that no meter leaves is charged, not lost.
        let odd = StorageMeter {
            remainder: 5 * BYTE_SECONDS_PER_KB_HOUR + 7,
        };
        let (amount, next) = odd.charge(0, PRICE).unwrap();
        assert_eq!((amount, next.remainder), (Amount::new(5), 7));
        assert!(
            StorageMeter {
                remainder: u128::MAX
            }
            .charge(0, PRICE)
            .is_err()
        );
    }

    #[test]
    fn json_comes_back() {
        let meter = StorageMeter {
            remainder: 3_599_999,
        };
        let json = serde_json::to_string(&meter).unwrap();
        assert_eq!(json, r#"{"remainder":"3599999"}"#);
        assert_eq!(serde_json::from_str::<StorageMeter>(&json).unwrap(), meter);
    }

    proptest! {
        #[test]
        fn parts_add_up_to_the_whole(
            parts in prop::collection::vec(0_u128..1 << 70, 0..20),
            per_kb_hour in 0_u64..1 << 40,
            start in 0..BYTE_SECONDS_PER_KB_HOUR,
        ) {
            let per_kb_hour = Amount::new(per_kb_hour);
            let mut meter = StorageMeter { remainder: start };
            let mut total = 0_u128;
            for part in &parts {
                let Ok((amount, next)) = meter.charge(*part, per_kb_hour) else { return Ok(()) };
                prop_assert!(next.remainder < BYTE_SECONDS_PER_KB_HOUR);
                total += u128::from(amount.get());
                meter = next;
            }
            // By the definition, in plain arithmetic wide enough for these ranges.
            let numerator = parts.iter().sum::<u128>() * u128::from(per_kb_hour.get()) + start;
            prop_assert_eq!(total, numerator / BYTE_SECONDS_PER_KB_HOUR);
            prop_assert_eq!(meter.remainder, numerator % BYTE_SECONDS_PER_KB_HOUR);

            let tariff = Tariff { storage_per_kb_hour: per_kb_hour, ..Tariff::default() };
            if let Ok(reserved) = tariff.storage_reserve_price(parts.iter().sum()) {
                prop_assert!(total <= u128::from(reserved.get()), "charged more than reserved");
            }
        }
    }
}
