//! What can be read by whoever knows nothing: whatever has the form of a wallet or an IP address.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

/// Hexadecimal digits of an address.
const ADDRESS_DIGITS: usize = 40;
/// Characters of the longest IPv4 address.
const IP_BYTES_MAX: usize = 15;

/// Everything that is written like a wallet's address, `0x` and 40 digits, in lowercase. Zeros stand for
/// nobody's: a lane on no chain has no contract.
pub(crate) fn wallets(bytes: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, two) in bytes.windows(2).enumerate() {
        if two != b"0x" {
            continue;
        }
        let digits = bytes[at + 2..].iter();
        let digits = digits.take_while(|byte| byte.is_ascii_hexdigit());
        // Longer ones are digests and signatures.
        let digits: Vec<u8> = digits.take(ADDRESS_DIGITS + 1).copied().collect();
        if digits.len() == ADDRESS_DIGITS && digits.iter().any(|digit| *digit != b'0') {
            let text = String::from_utf8_lossy(&digits).to_ascii_lowercase();
            found.insert(format!("0x{text}"));
        }
    }
    found
}

/// Everything that is written like an IPv4 address.
pub(crate) fn ips(bytes: &[u8]) -> BTreeSet<IpAddr> {
    let part_of = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let mut found = BTreeSet::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = rest.iter().take_while(|byte| part_of(**byte)).count();
        if (7..=IP_BYTES_MAX + 1).contains(&length)
            && let Ok(text) = std::str::from_utf8(&rest[..length])
            // A sentence may end behind it.
            && let Ok(ip) = text.trim_end_matches('.').parse::<Ipv4Addr>()
        {
            found.insert(IpAddr::V4(ip));
        }
        at += length.max(1);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_wallet_is_found() {
        let bytes = b"\xff0xB8D61D1979F1a2BDB77Dd190E903524362B91561\" \
            0xb8d61d1979f1a2bdb77dd190e903524362b91561f 0xb8d6 00x0000000000000000000000000000000000000001 \
            0x0000000000000000000000000000000000000000";
        let expected = [
            "0x0000000000000000000000000000000000000001",
            "0xb8d61d1979f1a2bdb77dd190e903524362b91561",
        ];
        assert_eq!(wallets(bytes), expected.map(str::to_owned).into());
    }

    #[test]
    fn what_looks_like_an_ip_address_is_found() {
        let bytes = b"from 127.0.0.21:8080, http://10.1.2.3/ and ::ffff:192.0.2.7. Not 1.2.3, 1.2.3.4.5, 300.1.1.1 \
            or 2026-11-29T01:46:52.637873Z 0.0.0.0";
        let expected = ["127.0.0.21", "10.1.2.3", "192.0.2.7", "0.0.0.0"];
        let expected = expected.map(|ip| ip.parse::<IpAddr>().unwrap());
        assert_eq!(ips(bytes), expected.into());
        assert!(ips(b"").is_empty());
    }
}
