//! Values that are strings in JSON: a JavaScript reader must not round them.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserializer, Error, Visitor};

use crate::LedgerError;

/// Reads digits in their only form, so that one number has one text.
pub(crate) fn parse_decimal<T: FromStr>(text: &str) -> Result<T, LedgerError> {
    let digits = text.as_bytes();
    let canonical = match digits {
        [] => false,
        [b'0'] => true,
        [b'0', ..] => false,
        _ => digits.iter().all(u8::is_ascii_digit),
    };
    if !canonical {
        return Err(LedgerError::NotDecimal);
    }
    // Only digits are left, so the one way to fail is size.
    text.parse()
        .map_err(|_| LedgerError::Overflow { what: "the number" })
}

/// Deserializes a string through `FromStr`, without keeping a copy of it.
pub(crate) fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    struct Text<T>(PhantomData<T>);
    impl<T> Visitor<'_> for Text<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Text(PhantomData))
}

/// `#[serde(with = "decimal")]` for a bare `u128`.
pub(crate) mod decimal {
    use serde::{Deserializer, Serializer};

    use crate::Sum;

    // serde hands the field over by reference, whatever its size.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(crate) fn serialize<S: Serializer>(value: &u128, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u128, D::Error> {
        super::deserialize::<D, Sum>(d).map(Sum::get)
    }
}

/// `#[serde(with = "decimal64")]` for a bare `u64`.
pub(crate) mod decimal64 {
    use serde::{Deserializer, Serializer};

    use crate::Amount;

    // serde hands the field over by reference, whatever its size.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(crate) fn serialize<S: Serializer>(value: &u64, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
        super::deserialize::<D, Amount>(d).map(Amount::get)
    }
}
