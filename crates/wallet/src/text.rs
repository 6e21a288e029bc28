//! How values are written in JSON, as modules for `#[serde(with = "…")]`.

/// An address as its EIP-55 string; reads what [`parse_address`](crate::parse_address) reads.
pub mod eip55 {
    use crate::{Address, parse_address};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the checksummed address.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(address: &Address, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&address.to_checksum(None))
    }

    /// Reads an address.
    ///
    /// # Errors
    /// When it is not a string, not an address, or its checksum is wrong.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Address, D::Error> {
        let text = String::deserialize(from)?;
        parse_address(&text).map_err(D::Error::custom)
    }
}

/// A `u64` as a decimal string, because JavaScript loses integers above 2⁵³.
pub mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the number in decimal.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }

    /// Reads a number in its one canonical form: digits, no sign, no leading zero.
    ///
    /// # Errors
    /// When it is not a string of that form, or above `u64::MAX`.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let text = String::deserialize(from)?;
        text.parse()
            .ok()
            .filter(|number: &u64| number.to_string() == text)
            .ok_or_else(|| D::Error::custom("expected a decimal string below 2^64"))
    }
}

/// Bytes of a fixed length as lowercase hex with `0x`.
pub mod hex_array {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes `0x` and lowercase hex.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("0x{}", hex::encode(bytes)))
    }

    /// Reads exactly `N` bytes; either case.
    ///
    /// # Errors
    /// When it is not a string of `0x` and `2 * N` hex digits.
    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        from: D,
    ) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(from)?;
        let mut bytes = [0; N];
        text.strip_prefix("0x")
            .and_then(|digits| hex::decode_to_slice(digits, &mut bytes).ok())
            .ok_or_else(|| D::Error::custom(format_args!("expected 0x and {N} bytes of hex")))?;
        Ok(bytes)
    }
}
