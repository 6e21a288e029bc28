//! A walk over the packet headers of a transferable key, before the OpenPGP library sees it.
//!
//! Counts and kinds are bounded here, because the library parses whatever it is given: DSA
//! moduli of any length, user attributes, further keys.

use crate::SealError;
use crate::certificate::{CERTIFICATE_PACKETS_MAX, CERTIFICATE_SIGNATURES_MAX};

const TAG_SIGNATURE: u8 = 2;
const TAG_SECRET_KEY: u8 = 5;
const TAG_PUBLIC_KEY: u8 = 6;
const TAG_SECRET_SUBKEY: u8 = 7;
const TAG_USER_ID: u8 = 13;
const TAG_PUBLIC_SUBKEY: u8 = 14;

/// The most signatures of a certificate with an Ed448 primary key, whose verification takes the
/// library 8 ms, four times as long as any other.
const SIGNATURES_MAX_ED448: usize = 5;
const ALGORITHM_ED448: u8 = 28;
/// RSA with a longer modulus is refused.
const RSA_BITS_MAX: u16 = 4096;
const ALGORITHM_RSA: u8 = 1;
/// RSA (1, with its deprecated forms 2 and 3), ECDH, ECDSA, EdDSA legacy, X25519, X448, Ed25519,
/// Ed448, and the post-quantum range, which is skipped (RFC 9580 §9.1). Not DSA and ElGamal,
/// whose cost grows with numbers of the sender's choice.
const KEY_ALGORITHMS: [std::ops::RangeInclusive<u8>; 4] = [1..=3, 18..=19, 22..=22, 25..=36];

/// Which of the two transferable keys the bytes are to be (RFC 9580 §10.1, §10.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transferable {
    /// A certificate.
    Public,
    /// The same with secret key material.
    Secret,
}

/// Checks that the bytes are one transferable key of bounded parts.
pub(crate) fn check(bytes: &[u8], kind: Transferable) -> Result<(), SealError> {
    let fail = SealError::Certificate;
    let (primary, own_subkey) = match kind {
        Transferable::Public => (TAG_PUBLIC_KEY, TAG_PUBLIC_SUBKEY),
        Transferable::Secret => (TAG_SECRET_KEY, TAG_SECRET_SUBKEY),
    };
    let mut rest = bytes;
    let mut packets = 0;
    let mut signatures = 0;
    let mut signatures_max = CERTIFICATE_SIGNATURES_MAX;
    while !rest.is_empty() {
        let (tag, body, after) = split_packet(rest)?;
        rest = after;
        packets += 1;
        if packets > CERTIFICATE_PACKETS_MAX {
            return Err(fail("too many packets"));
        }
        match tag {
            _ if packets == 1 && tag != primary => {
                return Err(fail(
                    "does not begin with a primary key of the expected kind",
                ));
            }
            _ if tag == primary && packets > 1 => {
                return Err(fail("more than one primary key"));
            }
            _ if tag == primary => {
                if check_key(body)? == ALGORITHM_ED448 {
                    signatures_max = SIGNATURES_MAX_ED448;
                }
            }
            _ if tag == own_subkey || tag == TAG_PUBLIC_SUBKEY => {
                check_key(body)?;
            }
            TAG_SIGNATURE => {
                signatures += 1;
                if signatures > signatures_max {
                    return Err(fail("too many signatures"));
                }
            }
            TAG_USER_ID => {}
            _ => return Err(fail("a packet that certificates here do not carry")),
        }
    }
    if packets == 0 {
        return Err(fail("empty"));
    }
    Ok(())
}

/// Splits the first packet off: its tag, its body, the rest.
fn split_packet(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), SealError> {
    const TRUNCATED: SealError = SealError::Certificate("truncated");
    let (&first, after_first) = bytes.split_first().ok_or(TRUNCATED)?;
    let (tag, len, body) = match first {
        0xC0.. => {
            let (len, body) = new_length(after_first)?;
            (first & 0x3F, len, body)
        }
        0x80.. => {
            let octets = match first & 3 {
                0 => 1,
                1 => 2,
                2 => 4,
                _ => return Err(SealError::Certificate("a packet of unknown length")),
            };
            let (len, body) = big_endian(after_first, octets).ok_or(TRUNCATED)?;
            ((first >> 2) & 0x0F, len, body)
        }
        _ => return Err(SealError::Certificate("not binary OpenPGP")),
    };
    let (body, rest) = body.split_at_checked(len).ok_or(TRUNCATED)?;
    Ok((tag, body, rest))
}

fn new_length(bytes: &[u8]) -> Result<(usize, &[u8]), SealError> {
    const TRUNCATED: SealError = SealError::Certificate("truncated");
    match *bytes.first().ok_or(TRUNCATED)? {
        len @ 0..192 => Ok((usize::from(len), &bytes[1..])),
        high @ 192..224 => {
            let low = *bytes.get(1).ok_or(TRUNCATED)?;
            let len = (usize::from(high) - 192) * 256 + usize::from(low) + 192;
            Ok((len, &bytes[2..]))
        }
        224..255 => Err(SealError::Certificate("a partial length")),
        255 => big_endian(&bytes[1..], 4).ok_or(TRUNCATED),
    }
}

fn big_endian(bytes: &[u8], octets: usize) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_at_checked(octets)?;
    Some((
        number
            .iter()
            .fold(0, |sum, &octet| sum << 8 | usize::from(octet)),
        rest,
    ))
}

/// Checks the version and algorithm of a key packet, and the size of an RSA modulus; gives the
/// algorithm.
///
/// Version (1), creation time (4), algorithm (1), in version 6 a length (4), then the key.
fn check_key(body: &[u8]) -> Result<u8, SealError> {
    let fail = SealError::Certificate;
    let (version, algorithm) = match body {
        [version, _, _, _, _, algorithm, ..] => (*version, *algorithm),
        _ => return Err(fail("a truncated key")),
    };
    let material = match version {
        4 => body.get(6..),
        6 => body.get(10..),
        _ => return Err(fail("a key version other than 4 and 6")),
    };
    if !KEY_ALGORITHMS
        .iter()
        .any(|range| range.contains(&algorithm))
    {
        return Err(fail("a key algorithm that is not accepted"));
    }
    if (ALGORITHM_RSA..=ALGORITHM_RSA + 2).contains(&algorithm) {
        let bits = material
            .and_then(<[u8]>::first_chunk)
            .map(|bits| u16::from_be_bytes(*bits));
        if bits.is_none_or(|bits| bits > RSA_BITS_MAX) {
            return Err(fail("an RSA key longer than 4096 bits"));
        }
    }
    Ok(algorithm)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY_V4: [u8; 8] = [0xC6, 6, 4, 0, 0, 0, 1, 27];

    fn refusal(bytes: &[u8]) -> &'static str {
        match check(bytes, Transferable::Public) {
            Err(SealError::Certificate(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_header_formats_and_every_length_form_are_read() {
        assert_eq!(check(&KEY_V4, Transferable::Public), Ok(()));
        let mut old = vec![0x98, 6, 4, 0, 0, 0, 1, 27];
        old.extend([0xB5, 0, 2, b'h', b'i']);
        old.extend([0xB6, 0, 0, 0, 2, b'h', b'i']);
        old.extend([0xCD, 0xFF, 0, 0, 0, 2, b'h', b'i']);
        old.extend([0xCD, 0xC0, 0]);
        old.extend([b'x'; 192]);
        assert_eq!(check(&old, Transferable::Public), Ok(()));
        old.pop();
        assert_eq!(refusal(&old), "truncated");
    }

    #[test]
    fn what_a_certificate_does_not_carry_is_refused() {
        let with = |more: &[u8]| [&KEY_V4[..], more].concat();
        assert_eq!(refusal(&[]), "empty");
        assert_eq!(refusal(b"-----BEGIN"), "not binary OpenPGP");
        assert_eq!(
            refusal(&[0xCD, 0]),
            "does not begin with a primary key of the expected kind"
        );
        assert_eq!(refusal(&with(&KEY_V4)), "more than one primary key");
        assert_eq!(refusal(&with(&[0xC2, 0xE1, 0])), "a partial length");
        assert_eq!(refusal(&with(&[0x8B, 0])), "a packet of unknown length");
        for tag in [1, 3, 4, 5, 7, 8, 9, 11, 12, 17, 18, 19, 20, 21, 60, 63] {
            let why = refusal(&with(&[0xC0 | tag, 0]));
            assert_eq!(
                why, "a packet that certificates here do not carry",
                "tag {tag}"
            );
        }
        assert_eq!(
            refusal(&with(&[0xCD, 0].repeat(CERTIFICATE_PACKETS_MAX))),
            "too many packets"
        );
        let signatures = [0xC2, 0].repeat(CERTIFICATE_SIGNATURES_MAX + 1);
        assert_eq!(refusal(&with(&signatures)), "too many signatures");
        let ed448 = |count| [&[0xC6, 6, 6, 0, 0, 0, 1, 28], &[0xC2, 0].repeat(count)[..]].concat();
        assert_eq!(
            check(&ed448(SIGNATURES_MAX_ED448), Transferable::Public),
            Ok(())
        );
        assert_eq!(
            refusal(&ed448(SIGNATURES_MAX_ED448 + 1)),
            "too many signatures"
        );
    }

    #[test]
    fn costly_or_unknown_keys_are_refused() {
        let key = |version, algorithm, more: &[u8]| {
            let body = [&[version, 0, 0, 0, 1, algorithm], more].concat();
            refusal(&[&[0xC6, body.len() as u8], &body[..]].concat())
        };
        for algorithm in [0, 4, 16, 17, 20, 21, 24, 37, 100, 255] {
            assert_eq!(
                key(4, algorithm, &[]),
                "a key algorithm that is not accepted"
            );
        }
        assert_eq!(key(3, 27, &[]), "a key version other than 4 and 6");
        assert_eq!(key(5, 27, &[]), "a key version other than 4 and 6");
        assert_eq!(key(4, 1, &[0x10, 0x01]), "an RSA key longer than 4096 bits");
        assert_eq!(
            key(6, 1, &[0, 0, 0, 2, 0x20, 0]),
            "an RSA key longer than 4096 bits"
        );
        assert_eq!(refusal(&[0xC6, 3, 4, 0, 0]), "a truncated key");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = check(&bytes, Transferable::Public);
            let _ = check(&[&KEY_V4[..], &bytes].concat(), Transferable::Public);
        }
    }
}
