use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::LedgerError;
use crate::text;

/// Bytes in an id.
pub const ID_BYTES: usize = 16;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; ID_BYTES]);

        impl $name {
            /// An id of these bytes.
            #[must_use]
            pub const fn new(bytes: [u8; ID_BYTES]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
                &self.0
            }

            /// The bytes.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; ID_BYTES] {
                self.0
            }
        }

        impl From<[u8; ID_BYTES]> for $name {
            fn from(bytes: [u8; ID_BYTES]) -> Self {
                Self(bytes)
            }
        }

        /// 32 lowercase hexadecimal digits.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = LedgerError;

            fn from_str(text: &str) -> Result<Self, LedgerError> {
                let mut bytes = [0; ID_BYTES];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| LedgerError::NotAnId)?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text::deserialize(deserializer)
            }
        }
    };
}

id! {
    /// Names an account. The ledger gives it no meaning.
    AccountId
}

id! {
    /// Names a transfer. The originator makes it from the content of what is paid for, so that a
    /// retry carries the same id and changes nothing.
    ///
    /// All transfers share one space of ids: a reservation, each of its captures and its release
    /// have an id each.
    TransferId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_come_back() {
        let id =
            TransferId::new(*b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\xff");
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0eff");
        assert_eq!(id.to_string().parse(), Ok(id));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<TransferId>(&json).unwrap(), id);
    }

    #[test]
    fn other_text_is_refused() {
        for bad in [
            "",
            "00",
            "000102030405060708090a0b0c0d0ef",
            "zz0102030405060708090a0b0c0d0eff",
        ] {
            assert_eq!(
                bad.parse::<AccountId>(),
                Err(LedgerError::NotAnId),
                "{bad:?}"
            );
        }
    }
}
