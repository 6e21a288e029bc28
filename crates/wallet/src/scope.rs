//! What a delegated device may sign.

use crate::error::{WalletError, excerpt};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, ops::BitOr, str::FromStr};

/// A set of things that a device key may sign in its wallet's name.
///
/// Its text is a comma list in a fixed order (`request`, `message`, `request,message`), because
/// the text itself is what the wallet signs: another order or an unknown name is refused. A scope
/// that a later version invents is therefore refused by an older one, never half understood.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope(u8);

/// Name and bit, in the order of the text.
const NAMES: [(&str, u8); 2] = [("request", 1), ("message", 2)];

impl Scope {
    /// Requests to a node: register, listen, acknowledge, status.
    pub const REQUEST: Self = Self(1);
    /// Messages to people, and receipts.
    pub const MESSAGE: Self = Self(2);
    /// Everything that a device can be allowed to sign.
    pub const ALL: Self = Self(3);

    /// Whether all of `other` is allowed by this.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Scope {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, bit) in NAMES {
            if self.0 & bit != 0 {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({self})")
    }
}

impl FromStr for Scope {
    type Err = WalletError;

    fn from_str(text: &str) -> Result<Self, WalletError> {
        [Self::REQUEST, Self::MESSAGE, Self::ALL]
            .into_iter()
            .find(|scope| scope.to_string() == text)
            .ok_or_else(|| WalletError::BadScope(excerpt(text)))
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_has_one_text() {
        for (scope, text) in [
            (Scope::REQUEST, "request"),
            (Scope::MESSAGE, "message"),
            (Scope::ALL, "request,message"),
        ] {
            assert_eq!(scope.to_string(), text);
            assert_eq!(text.parse(), Ok(scope));
            let json = format!("\"{text}\"");
            assert_eq!(serde_json::to_string(&scope).unwrap(), json);
            assert_eq!(serde_json::from_str::<Scope>(&json).unwrap(), scope);
            assert!(scope.contains(scope) && Scope::ALL.contains(scope));
        }
        assert_eq!(Scope::REQUEST | Scope::MESSAGE, Scope::ALL);
        assert!(!Scope::REQUEST.contains(Scope::MESSAGE));
        assert!(!Scope::MESSAGE.contains(Scope::ALL));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            ",",
            "Request",
            "request,",
            "request, message",
            "message,request",
            "request,request",
            "request,message,card",
            "all",
        ] {
            assert_eq!(
                text.parse::<Scope>(),
                Err(WalletError::BadScope(text.to_owned()))
            );
        }
    }
}
