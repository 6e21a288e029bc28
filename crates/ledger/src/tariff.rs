use serde::{Deserialize, Serialize};

use crate::storage::{self, BYTE_SECONDS_PER_KB_HOUR};
use crate::{Amount, LedgerError};

/// What a node asks for, in picodollars. The default is the whitepaper's.
///
/// 1 kB is 1000 bytes and 1 MB is 10⁶: the paper's $0.00002 per MB in or out of a recipient is
/// 20 p$ per byte, its $0.00001 per MB relayed is 10, its $0.000000014 per MB and hour of storage
/// is 14 p$ per kB and hour. In JSON each price is a decimal string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tariff {
    /// Earned by the forwarder of a pass, per byte.
    pub relay_per_byte: Amount,
    /// Charged to the recipient's client for a pass, per byte.
    pub recipient_per_byte: Amount,
    /// Charged to the recipient's client for storage, per 1000 bytes and hour.
    pub storage_per_kb_hour: Amount,
    /// The least that a pass is charged. Storage has no minimum.
    pub minimum_charge: Amount,
}

impl Default for Tariff {
    fn default() -> Self {
        Self {
            relay_per_byte: Amount::new(10),
            recipient_per_byte: Amount::new(20),
            storage_per_kb_hour: Amount::new(14),
            minimum_charge: Amount::ZERO,
        }
    }
}

impl Tariff {
    /// What a client is charged for one packet of `bytes` crossing between its node and a relay.
    ///
    /// # Errors
    /// [`LedgerError::Overflow`] when the price does not fit.
    pub fn pass_price(&self, bytes: u64) -> Result<Amount, LedgerError> {
        let price = per_byte(self.recipient_per_byte, bytes)?;
        Ok(price.max(self.minimum_charge))
    }

    /// What the forwarder of that packet earns.
    ///
    /// # Errors
    /// [`LedgerError::Overflow`] when the price does not fit.
    pub fn relay_price(&self, bytes: u64) -> Result<Amount, LedgerError> {
        per_byte(self.relay_per_byte, bytes)
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
        assert_eq!(tariff.pass_price(MB), Ok(Amount::new(20_000_000)));
        assert_eq!(tariff.relay_price(MB), Ok(Amount::new(10_000_000)));
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
    fn one_byte_second_is_free_and_reserves_one() {
        let tariff = Tariff::default();
        assert_eq!(tariff.storage_price(0), Ok(Amount::ZERO));
        assert_eq!(tariff.storage_reserve_price(0), Ok(Amount::ZERO));
        assert_eq!(tariff.storage_price(1), Ok(Amount::ZERO));
        assert_eq!(tariff.storage_reserve_price(1), Ok(Amount::new(1)));
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
        assert_eq!(tariff.pass_price(most), Ok(Amount::new(most * 20)));
        assert!(matches!(
            tariff.pass_price(most + 1),
            Err(LedgerError::Overflow { .. })
        ));
        assert!(matches!(
            tariff.relay_price(u64::MAX),
            Err(LedgerError::Overflow { .. })
        ));
        assert!(matches!(
            tariff.storage_price(u128::MAX),
            Err(LedgerError::Overflow { .. })
        ));
        assert!(matches!(
            tariff.storage_reserve_price(u128::MAX),
            Err(LedgerError::Overflow { .. })
        ));
    }

    #[test]
    fn the_minimum_is_for_a_pass() {
        let tariff = Tariff {
            minimum_charge: Amount::new(1_000_000),
            ..Tariff::default()
        };
        assert_eq!(tariff.pass_price(16_000), Ok(Amount::new(1_000_000)));
        assert_eq!(tariff.pass_price(MB), Ok(Amount::new(20_000_000)));
        assert_eq!(tariff.storage_price(1), Ok(Amount::ZERO));
    }

    #[test]
    fn json_is_decimal_strings_and_missing_prices_are_the_papers() {
        let json = serde_json::to_string(&Tariff::default()).unwrap();
        assert_eq!(
            json,
            r#"{"relay_per_byte":"10","recipient_per_byte":"20","storage_per_kb_hour":"14","minimum_charge":"0"}"#
        );
        assert_eq!(
            serde_json::from_str::<Tariff>(&json).unwrap(),
            Tariff::default()
        );
        let own: Tariff = serde_json::from_str(r#"{"relay_per_byte":"11"}"#).unwrap();
        assert_eq!(
            own,
            Tariff {
                relay_per_byte: Amount::new(11),
                ..Tariff::default()
            }
        );
    }
}
