//! How values are written in JSON: 64-bit integers as decimal strings (JavaScript loses precision
//! above 2^53), bytes as lowercase hexadecimal or standard base64.

/// `#[serde(with = "decimal")]`: a `u64` as a decimal string.
pub mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the number as a string.
    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads the number from a string of digits without sign or leading zeros.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = text.parse::<u64>().map_err(|_| D::Error::custom("not a decimal number"))?;
        if value.to_string() == text {
            Ok(value)
        } else {
            Err(D::Error::custom("decimal number is not in its shortest form"))
        }
    }
}

/// `#[serde(with = "decimal_opt")]`: an optional `u64` as a decimal string.
pub mod decimal_opt {
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Decimal(#[serde(with = "super::decimal")] u64);

    /// Writes the number as a string, or null.
    pub fn serialize<S: Serializer>(value: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    /// Reads the number from a string of digits, or null.
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
    pub fn serialize<S: Serializer>(values: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| Decimal(*value)))
    }

    /// Reads the numbers from strings of digits.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
        Ok(Vec::<Decimal>::deserialize(deserializer)?.into_iter().map(|Decimal(v)| v).collect())
    }
}

/// `#[serde(with = "hex_array")]`: a byte array as lowercase hexadecimal.
pub mod hex_array {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the bytes in hexadecimal.
    pub fn serialize<S: Serializer, const N: usize>(
        value: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(value))
    }

    /// Reads exactly `N` bytes.
    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut value = [0; N];
        hex::decode_to_slice(&text, &mut value)
            .map_err(|_| D::Error::custom(format_args!("not {N} bytes in hexadecimal")))?;
        Ok(value)
    }
}

/// `#[serde(with = "hex_array_opt")]`: an optional byte array as lowercase hexadecimal.
pub mod hex_array_opt {
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(transparent)]
    struct HexArray<const N: usize>(#[serde(with = "super::hex_array")] [u8; N]);

    /// Writes the bytes in hexadecimal, or null.
    pub fn serialize<S: Serializer, const N: usize>(
        value: &Option<[u8; N]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.serialize_str(&hex::encode(value)),
            None => serializer.serialize_none(),
        }
    }

    /// Reads exactly `N` bytes, or null.
    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<Option<[u8; N]>, D::Error> {
        Ok(Option::<HexArray<N>>::deserialize(deserializer)?.map(|HexArray(value)| value))
    }
}

/// `#[serde(with = "base64_bytes")]`: bytes as standard base64 with padding.
pub mod base64_bytes {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the bytes in base64.
    pub fn serialize<S: Serializer>(value: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(value))
    }

    /// Reads the bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(|_| D::Error::custom("not base64"))
    }
}

/// `#[serde(with = "display")]`: anything with a text form that it can be read back from.
pub mod display {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the text form.
    pub fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads the text form.
    pub fn deserialize<'de, T, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr,
        T::Err: Display,
    {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
