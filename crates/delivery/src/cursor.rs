use std::fmt;
use std::str::FromStr;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

use crate::DeliveryError;

/// A place in a mailbox as it is named outside of it: `generation-seq`, in decimal.
///
/// A number alone would be ambiguous: a store restored from a backup gives numbers out again.
///
/// ```
/// use layer_minus_delivery::Cursor;
///
/// let cursor: Cursor = "3-1042".parse()?;
/// assert_eq!(cursor, Cursor { generation: 3, seq: 1042 });
/// assert_eq!(cursor.to_string(), "3-1042");
/// # Ok::<(), layer_minus_delivery::DeliveryError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The generation of the store.
    pub generation: u64,
    /// The sequence number; 0 is before the first packet.
    pub seq: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.generation, self.seq)
    }
}

impl FromStr for Cursor {
    type Err = DeliveryError;

    fn from_str(text: &str) -> Result<Self, DeliveryError> {
        let (generation, seq) = text.split_once('-').ok_or(DeliveryError::NotACursor)?;
        Ok(Self {
            generation: decimal(generation)?,
            seq: decimal(seq)?,
        })
    }
}

/// Digits in their only form, so that one place has one text.
fn decimal(text: &str) -> Result<u64, DeliveryError> {
    let canonical =
        text == "0" || (!text.starts_with('0') && text.bytes().all(|digit| digit.is_ascii_digit()));
    let number = if canonical { text.parse().ok() } else { None };
    number.ok_or(DeliveryError::NotACursor)
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_canonical_text_is_read() {
        for bad in [
            "", "-", "1", "1-", "-1", "01-1", "1-01", "+1-1", "1--1", "1-1-1", "1-1 ", "a-1",
        ] {
            assert_eq!(
                bad.parse::<Cursor>(),
                Err(DeliveryError::NotACursor),
                "{bad:?}"
            );
        }
        assert!("0-18446744073709551616".parse::<Cursor>().is_err());
    }

    proptest! {
        #[test]
        fn text_and_json_come_back(generation: u64, seq: u64) {
            let cursor = Cursor { generation, seq };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
            let json = serde_json::to_string(&cursor).unwrap();
            prop_assert_eq!(serde_json::from_str::<Cursor>(&json).unwrap(), cursor);
        }

        #[test]
        fn any_text_that_is_read_is_the_text_that_is_written(text in "[0-9-]{0,24}|\\PC{0,12}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }
}
