//! Looking for what must not be seen: one search for all of it, in all that a party could read.

use std::{borrow::Cow, collections::BTreeSet, fmt};

/// What a secret is about somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Wallet,
    CashWallet,
    EncryptionKey,
    IpAddress,
    Words,
}

/// Something that only some may know: whose, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Secret {
    pub(crate) owner: &'static str,
    pub(crate) kind: Kind,
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Wallet => "wallet",
            Kind::CashWallet => "cash wallet",
            Kind::EncryptionKey => "encryption key",
            Kind::IpAddress => "IP address",
            Kind::Words => "words",
        };
        write!(f, "{}'s {what}", self.owner)
    }
}

/// The forms of all secrets, to be looked for in one go.
#[derive(Debug)]
pub(crate) struct Needles {
    forms: Vec<(Secret, Vec<u8>)>,
    /// Which pairs of bytes some form begins with: most bytes begin none.
    begins: Vec<bool>,
}

impl Needles {
    pub(crate) fn new() -> Self {
        Self {
            forms: Vec::new(),
            begins: vec![false; 1 << 16],
        }
    }

    /// Looks for `text` as it is.
    pub(crate) fn text(&mut self, secret: Secret, text: &str) {
        self.form(secret, text.as_bytes().to_vec());
    }

    /// Looks for bytes that people write in hexadecimal: in any case, and raw.
    pub(crate) fn hex(&mut self, secret: Secret, text: &str) {
        let digits = text.trim_start_matches("0x");
        self.text(secret, digits);
        self.text(secret, &digits.to_ascii_lowercase());
        self.text(secret, &digits.to_ascii_uppercase());
        let raw = (0..digits.len() / 2)
            .filter_map(|at| u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok());
        self.form(secret, raw.collect());
    }

    fn form(&mut self, secret: Secret, form: Vec<u8>) {
        // What is shorter would be found everywhere.
        if let [first, second, _, ..] = form[..] {
            self.begins[pair(first, second)] = true;
            self.forms.push((secret, form));
        }
    }

    /// Which secrets are in `bytes`.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> BTreeSet<Secret> {
        let mut found = BTreeSet::new();
        for (at, two) in bytes.windows(2).enumerate() {
            if self.begins[pair(two[0], two[1])] {
                let here = |(_, form): &&(Secret, Vec<u8>)| bytes[at..].starts_with(form);
                found.extend(self.forms.iter().filter(here).map(|(secret, _)| *secret));
            }
        }
        found
    }

    /// Which secrets are in any of `readings`.
    pub(crate) fn found_in_any(&self, readings: &[Cow<'_, [u8]>]) -> BTreeSet<Secret> {
        let found = readings.iter().map(|bytes| self.found_in(bytes));
        found.flatten().collect()
    }
}

const fn pair(first: u8, second: u8) -> usize {
    (first as usize) << 8 | second as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOBO: Secret = Secret {
        owner: "Bobo",
        kind: Kind::Wallet,
    };
    const IP: Secret = Secret {
        owner: "Bobo",
        kind: Kind::IpAddress,
    };

    #[test]
    fn a_wallet_is_found_in_every_form() {
        let mut needles = Needles::new();
        needles.hex(BOBO, "0xB8D61D1979F1a2BDB77Dd190E903524362B91561");
        needles.text(IP, "127.0.0.21");
        let raw = [&[1, 2, 0xb8][..], &needles.forms[3].1, b"x"].concat();
        assert_eq!(needles.forms[3].1.len(), 20);
        for leak in [
            b"wallet 0xB8D61D1979F1a2BDB77Dd190E903524362B91561".as_slice(),
            b"b8d61d1979f1a2bdb77dd190e903524362b91561",
            b"xB8D61D1979F1A2BDB77DD190E903524362B91561",
            &raw,
        ] {
            assert_eq!(needles.found_in(leak), BTreeSet::from([BOBO]));
        }
        let both = b"127.0.0.21 0xB8D61D1979F1a2BDB77Dd190E903524362B91561";
        assert_eq!(needles.found_in(both), BTreeSet::from([BOBO, IP]));
        for clean in [&both[..9], b"", b"b", b"127.0.0.12", &raw[..22]] {
            assert!(needles.found_in(clean).is_empty());
        }
        let readings = [Cow::Borrowed(&b"no"[..]), Cow::Borrowed(both)];
        assert_eq!(needles.found_in_any(&readings).len(), 2);
        assert_eq!(BOBO.to_string(), "Bobo's wallet");
    }
}
