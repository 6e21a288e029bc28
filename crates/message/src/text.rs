//! How values are written in JSON: 64-bit integers as decimal strings (JavaScript loses precision
//! above 2^53), bytes as `0x` and lowercase hexadecimal or as standard base64, addresses with
//! their EIP-55 checksum.

pub use layer_minus_wallet::text::{decimal, eip55, hex_array};

/// `#[serde(with = "decimal_opt")]`: an optional `u64` as a decimal string.
pub mod decimal_opt {
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Decimal(#[serde(with = "super::decimal")] u64);

    /// Writes the number as a string, or null.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(value: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    /// Reads the number from a string of digits, or null.
    ///
    /// # Errors
    /// When it is not the shortest decimal form of a `u64`.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u64>, D::Error> {
        Ok(Option::<Decimal>::deserialize(deserializer)?.map(|Decimal(value)| value))
    }
}

/// `#[serde(with = "decimals")]`: a list of `u64` as decimal strings.
pub mod decimals {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Decimal(#[serde(with = "super::decimal")] u64);

    /// Writes the numbers as strings.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(values: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| Decimal(*value)))
    }

    /// Reads the numbers from strings of digits.
    ///
    /// # Errors
    /// When one is not the shortest decimal form of a `u64`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
        Ok(Vec::<Decimal>::deserialize(deserializer)?
            .into_iter()
            .map(|Decimal(v)| v)
            .collect())
    }
}

/// `#[serde(with = "hex_array_opt")]`: an optional byte array as `0x` and hexadecimal.
pub mod hex_array_opt {
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(transparent)]
    struct HexArray<const N: usize>(#[serde(with = "super::hex_array")] [u8; N]);

    /// Writes the bytes in hexadecimal, or null.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer, const N: usize>(
        value: &Option<[u8; N]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::hex_array::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads exactly `N` bytes, or null.
    ///
    /// # Errors
    /// When it is not `0x` and `2 * N` hexadecimal digits.
    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<Option<[u8; N]>, D::Error> {
        Ok(Option::<HexArray<N>>::deserialize(deserializer)?.map(|HexArray(value)| value))
    }
}

/// `#[serde(with = "eip55_opt")]`: an optional address with its checksum.
pub mod eip55_opt {
    use layer_minus_wallet::Address;
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Checked(#[serde(with = "super::eip55")] Address);

    /// Writes the address, or null.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(
        value: &Option<Address>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::eip55::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads an address, or null.
    ///
    /// # Errors
    /// When it is not an address or its checksum is wrong.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Address>, D::Error> {
        Ok(Option::<Checked>::deserialize(deserializer)?.map(|Checked(value)| value))
    }
}

/// `#[serde(with = "base64_bytes")]`: bytes as standard base64 with padding.
pub mod base64_bytes {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the bytes in base64.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(value: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(value))
    }

    /// Reads the bytes.
    ///
    /// # Errors
    /// When it is not canonical base64 with padding.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD
            .decode(text)
            .map_err(|_| D::Error::custom("not base64"))
    }
}

/// `#[serde(with = "base64_opt")]`: optional bytes as standard base64 with padding.
pub mod base64_opt {
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Base64(#[serde(with = "super::base64_bytes")] Vec<u8>);

    /// Writes the bytes in base64, or null.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(
        value: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::base64_bytes::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads the bytes, or null.
    ///
    /// # Errors
    /// When it is not canonical base64 with padding.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Base64>::deserialize(deserializer)?.map(|Base64(value)| value))
    }
}

/// `#[serde(with = "display")]`: anything with a text form that it can be read back from.
pub mod display {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the text form.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// When the text is not one of that type.
    pub fn deserialize<'de, T, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr,
        T::Err: Display,
    {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// Reads a variant that has a tag and nothing else.
///
/// Left alone, serde skips whatever stands beside the tag of a unit variant, although unknown
/// fields are refused everywhere else.
pub(crate) fn nothing<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    serde::Deserialize::deserialize(deserializer).map(|Nothing {}| ())
}
