use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::LedgerError;
use crate::text;

/// Picodollars in a dollar: 10¹².
pub const PICODOLLARS_PER_DOLLAR: u64 = 1_000_000_000_000;

macro_rules! money {
    ($(#[$doc:meta])* $name:ident($int:ty), $other:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name($int);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);
            /// The largest that can be held.
            pub const MAX: Self = Self(<$int>::MAX);

            /// So many picodollars.
            #[must_use]
            pub const fn new(picodollars: $int) -> Self {
                Self(picodollars)
            }

            /// The number of picodollars.
            #[must_use]
            pub const fn get(self) -> $int {
                self.0
            }

            /// Whether this is nothing.
            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// The sum, or `None` where it does not fit.
            #[must_use]
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// The difference, or `None` where it would fall below zero.
            #[must_use]
            pub const fn checked_sub(self, other: Self) -> Option<Self> {
                match self.0.checked_sub(other.0) {
                    Some(rest) => Some(Self(rest)),
                    None => None,
                }
            }

            /// The product with a count, or `None` where it does not fit.
            #[must_use]
            pub const fn checked_mul(self, count: $int) -> Option<Self> {
                match self.0.checked_mul(count) {
                    Some(product) => Some(Self(product)),
                    None => None,
                }
            }

            #[doc = concat!("Shows dollars with all twelve decimals, for people: `", $other, "`.")]
            #[must_use]
            pub fn dollars(self) -> Dollars {
                Dollars(self.0.into())
            }
        }

        /// Decimal picodollars.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        /// Digits only: no sign, no leading zero, no unit.
        impl FromStr for $name {
            type Err = LedgerError;

            fn from_str(text: &str) -> Result<Self, LedgerError> {
                text::parse_decimal(text).map(Self)
            }
        }

        impl From<$int> for $name {
            fn from(picodollars: $int) -> Self {
                Self(picodollars)
            }
        }

        impl From<$name> for $int {
            fn from(money: $name) -> Self {
                money.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text::deserialize(deserializer)
            }
        }
    };
}

money! {
    /// One sum of money in picodollars (p$, 10⁻¹² US dollars): what a transfer moves.
    ///
    /// A `u64` reaches 18.4 million dollars. Arithmetic is checked; there are no operators, so
    /// that an overflow cannot be overlooked. In JSON it is a decimal string.
    ///
    /// ```
    /// use layer_minus_ledger::Amount;
    ///
    /// let one_packet = Amount::new(20).checked_mul(1_000_000);
    /// assert_eq!(one_packet, Some(Amount::new(20_000_000)));
    /// assert_eq!(Amount::new(20_000_000).dollars().to_string(), "0.000020000000");
    /// ```
    Amount(u64), "0.000020000000"
}

money! {
    /// A total of many [`Amount`]s, in picodollars.
    ///
    /// A `u128` cannot be filled by fewer than 2⁶⁴ of the largest amounts, and is checked anyway.
    Sum(u128), "0.000040336000"
}

impl From<Amount> for Sum {
    fn from(amount: Amount) -> Self {
        Self(amount.0.into())
    }
}

impl TryFrom<Sum> for Amount {
    type Error = LedgerError;

    fn try_from(sum: Sum) -> Result<Self, LedgerError> {
        u64::try_from(sum.0)
            .map(Self)
            .map_err(|_| LedgerError::Overflow { what: "the amount" })
    }
}

/// Money shown in dollars, exact to the picodollar. Made by [`Amount::dollars`].
#[derive(Debug, Clone, Copy)]
pub struct Dollars(u128);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = u128::from(PICODOLLARS_PER_DOLLAR);
        write!(f, "{}.{:012}", self.0 / unit, self.0 % unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_the_edges() {
        let one = Amount::new(1);
        assert_eq!(Amount::MAX.checked_add(one), None);
        assert_eq!(Amount::ZERO.checked_sub(one), None);
        assert_eq!(Amount::MAX.checked_mul(2), None);
        assert_eq!(Amount::MAX.checked_mul(1), Some(Amount::MAX));
        assert_eq!(Sum::MAX.checked_add(Sum::new(1)), None);
        assert_eq!(Amount::try_from(Sum::from(Amount::MAX)), Ok(Amount::MAX));
        assert!(Amount::try_from(Sum::new(1 << 64)).is_err());
    }

    #[test]
    fn one_number_has_one_text() {
        for bad in [
            "", "00", "01", "+1", "-1", " 1", "1 ", "1.0", "1e3", "0x1", "١", "1_000",
        ] {
            assert_eq!(
                bad.parse::<Amount>(),
                Err(LedgerError::NotDecimal),
                "{bad:?}"
            );
        }
        assert_eq!("0".parse(), Ok(Amount::ZERO));
        assert_eq!("18446744073709551615".parse(), Ok(Amount::MAX));
        assert!(matches!(
            "18446744073709551616".parse::<Amount>(),
            Err(LedgerError::Overflow { .. })
        ));
        assert_eq!("18446744073709551616".parse(), Ok(Sum::new(1 << 64)));
    }

    #[test]
    fn json_is_a_string_and_nothing_else() {
        let json = serde_json::to_string(&Amount::MAX).unwrap();
        assert_eq!(json, "\"18446744073709551615\"");
        assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), Amount::MAX);
        assert!(serde_json::from_str::<Amount>("1").is_err());
        assert!(serde_json::from_str::<Amount>("1.5").is_err());
        // An escaped string is owned by the parser: it must be read as well.
        assert_eq!(
            serde_json::from_str::<Amount>(r#""\u0031""#).unwrap(),
            Amount::new(1)
        );
    }

    #[test]
    fn dollars_are_exact() {
        assert_eq!(Amount::new(1).dollars().to_string(), "0.000000000001");
        assert_eq!(
            Amount::new(PICODOLLARS_PER_DOLLAR).dollars().to_string(),
            "1.000000000000"
        );
        assert_eq!(Amount::MAX.dollars().to_string(), "18446744.073709551615");
    }
}
