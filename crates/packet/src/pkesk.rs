//! One public-key encrypted session key packet (RFC 9580 §5.1).

use std::ops::Range;

use crate::{
    Fingerprint, KeyId, ReadError, Recipient, Refused,
    header::{Header, slice},
};

/// The longest PKESK that a layer or message may carry: enough for RSA with 8,192 bits
/// and for ML-KEM-768+X25519, and with room for the rest inside
/// [`LAYER_RESERVE`](crate::LAYER_RESERVE).
pub const PKESK_BODY_MAX: usize = 1_536;

const RSA: u8 = 1;
const ECDH: u8 = 18;
const X25519: u8 = 25;
const X448: u8 = 26;
/// ML-KEM-768+X25519 of the post-quantum draft: admitted so that old relays and nodes
/// pass it on when it comes.
const ML_KEM_768_X25519: u8 = 35;

/// The public-key algorithms that are admitted (RFC 9580 §9.1): RSA, ECDH, X25519, X448,
/// ML-KEM-768+X25519.
pub const PUBLIC_KEY_ALGORITHMS: [u8; 5] = [RSA, ECDH, X25519, X448, ML_KEM_768_X25519];

const ML_KEM_768_CIPHERTEXT: usize = 1_088;
/// An uncompressed point on P-521, the largest curve: `04 ‖ x ‖ y`.
const ECDH_POINT_MAX: usize = 133;
const RSA_MPI_MAX: usize = 1_024;
/// The shortest wrapped session key: 16 octets and the 8 that AES key wrap adds (RFC 3394).
const WRAPPED_MIN: usize = 24;

/// A PKESK as admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pkesk {
    /// Whom it names.
    pub recipient: Recipient,
    /// Its version: 3 or 6.
    pub version: u8,
    /// Its public-key algorithm (RFC 9580 §9.1).
    pub algorithm: u8,
    /// The whole packet, header included, as octets of the input.
    pub packet: Range<usize>,
}

/// The fields of a PKESK's body that do not depend on the algorithm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) version: u8,
    pub(crate) name: Name<'a>,
    pub(crate) algorithm: u8,
    /// What follows the algorithm octet.
    pub(crate) session_key: &'a [u8],
}

/// Whom the PKESK names, still in the input: copied once, where it is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Name<'a> {
    KeyId(&'a [u8; 8]),
    V4(&'a [u8; 20]),
    V6(&'a [u8; 32]),
    Wildcard,
}

impl Name<'_> {
    #[inline]
    pub(crate) const fn recipient(self) -> Recipient {
        match self {
            Self::KeyId(id) => Recipient::KeyId(KeyId::from_bytes(*id)),
            Self::V4(octets) => Recipient::Fingerprint(Fingerprint::V4(*octets)),
            Self::V6(octets) => Recipient::Fingerprint(Fingerprint::V6(*octets)),
            Self::Wildcard => Recipient::Wildcard,
        }
    }
}

/// Splits the body of the PKESK with that header.
#[inline]
pub(crate) fn parse<'a>(header: &Header, body: &'a [u8]) -> Result<Fields<'a>, ReadError> {
    let short = header.too_short(body.len());
    let offset = header.offset;
    let (&version, rest) = body.split_first().ok_or(short)?;
    let (name, rest) = match version {
        3 => {
            let (id, rest) = rest.split_first_chunk().ok_or(short)?;
            let name = match u64::from_be_bytes(*id) {
                0 => Name::Wildcard,
                _ => Name::KeyId(id),
            };
            (name, rest)
        }
        6 => match *rest {
            [] | [_] => return Err(short),
            [0, ref rest @ ..] => (Name::Wildcard, rest),
            [21, 4, ref rest @ ..] => {
                let (octets, rest) = rest.split_first_chunk().ok_or(short)?;
                (Name::V4(octets), rest)
            }
            [33, 6, ref rest @ ..] => {
                let (octets, rest) = rest.split_first_chunk().ok_or(short)?;
                (Name::V6(octets), rest)
            }
            [length, version @ (4 | 6), ..] => {
                return Err(ReadError::FingerprintLength {
                    offset,
                    version,
                    length,
                });
            }
            [_, version, ..] => return Err(ReadError::KeyVersion { offset, version }),
        },
        _ => return Err(ReadError::PkeskVersion { offset, version }),
    };
    let (&algorithm, session_key) = rest.split_first().ok_or(short)?;
    Ok(Fields {
        version,
        name,
        algorithm,
        session_key,
    })
}

/// Admits the PKESK with that header.
pub(crate) fn admit(input: &[u8], header: &Header) -> Result<Pkesk, Refused> {
    let offset = header.offset;
    let length = header.fixed_within(PKESK_BODY_MAX)?;
    let end = header.end(length)?;
    let fields = parse(header, slice(input, header.body, end)?)?;
    let Fields {
        version,
        name,
        algorithm,
        session_key,
    } = fields;
    if !PUBLIC_KEY_ALGORITHMS.contains(&algorithm) {
        return Err(Refused::PublicKeyAlgorithm { offset, algorithm });
    }
    if !session_key_fits(version, algorithm, session_key) {
        return Err(Refused::PkeskFields { offset, algorithm });
    }
    Ok(Pkesk {
        recipient: name.recipient(),
        version,
        algorithm,
        packet: offset..end,
    })
}

/// Whether the algorithm's fields fill the body exactly (RFC 9580 §5.1.3 to §5.1.7).
fn session_key_fits(version: u8, algorithm: u8, octets: &[u8]) -> bool {
    match algorithm {
        RSA => matches!(split_mpi(octets, RSA_MPI_MAX), Some([])),
        ECDH => split_mpi(octets, ECDH_POINT_MAX).is_some_and(is_counted),
        X25519 => is_behind(version, 32, octets),
        X448 => is_behind(version, 56, octets),
        ML_KEM_768_X25519 => is_behind(version, 32 + ML_KEM_768_CIPHERTEXT, octets),
        _ => false,
    }
}

/// Takes a multiprecision integer of 1 to `max` octets off the front; gives what follows.
fn split_mpi(octets: &[u8], max: usize) -> Option<&[u8]> {
    let (bits, rest) = octets.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*bits)).div_ceil(8);
    if length == 0 || length > max {
        return None;
    }
    rest.get(length..)
}

/// Whether this is one octet that counts the rest, and the rest is a wrapped key: whole
/// blocks of 8 octets.
fn is_counted(octets: &[u8]) -> bool {
    matches!(octets.split_first(), Some((count, rest))
        if usize::from(*count) == rest.len() && rest.len() >= WRAPPED_MIN && rest.len() % 8 == 0)
}

/// Whether a counted wrapped key follows `ciphertext` octets. Version 3 puts the symmetric
/// algorithm, which must be AES, in the clear in front of the wrapped key.
fn is_behind(version: u8, ciphertext: usize, octets: &[u8]) -> bool {
    let Some((&count, rest)) = octets.get(ciphertext..).and_then(<[u8]>::split_first) else {
        return false;
    };
    if usize::from(count) != rest.len() {
        return false;
    }
    let wrapped = match (version, rest) {
        (3, [7..=9, wrapped @ ..]) => wrapped,
        (6, wrapped) => wrapped,
        _ => return false,
    };
    wrapped.len() >= WRAPPED_MIN && wrapped.len() % 8 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The packet with that version, algorithm and fields, admitted.
    fn admit_fields(version: u8, algorithm: u8, fields: &[u8]) -> Result<Pkesk, Refused> {
        let mut body = vec![version];
        body.extend(if version == 3 { vec![1; 8] } else { vec![0] });
        body.push(algorithm);
        body.extend(fields);
        let [_, _, high, low] = u32::try_from(body.len()).unwrap().to_be_bytes();
        let packet = [&[0x85, high, low][..], &body].concat();
        admit(&packet, &Header::read(&packet, 0, &mut ())?)
    }

    fn mpi(bits: u16, octets: usize) -> Vec<u8> {
        [&bits.to_be_bytes()[..], &vec![0x5a; octets]].concat()
    }

    fn counted(length: usize) -> Vec<u8> {
        [&[length as u8][..], &vec![7; length]].concat()
    }

    #[test]
    fn fields_of_each_algorithm_fill_the_body() {
        let point = |bits, octets| mpi(bits, octets);
        let sound: Vec<(u8, u8, Vec<u8>)> = vec![
            (3, RSA, mpi(2_048, 256)),
            (3, RSA, mpi(2_041, 256)),
            (6, RSA, mpi(8_192, 1_024)),
            (3, ECDH, [point(263, 33), counted(48)].concat()),
            (6, ECDH, [point(1_059, 133), counted(40)].concat()),
            (3, X25519, [vec![0; 32], counted(33)].concat()),
            (6, X25519, [vec![0; 32], counted(40)].concat()),
            (3, X448, [vec![0; 56], counted(25)].concat()),
            (6, X448, [vec![0; 56], counted(24)].concat()),
            (6, ML_KEM_768_X25519, [vec![0; 1_120], counted(40)].concat()),
        ];
        for (version, algorithm, fields) in &sound {
            let pkesk = admit_fields(*version, *algorithm, fields).unwrap();
            assert_eq!((pkesk.version, pkesk.algorithm), (*version, *algorithm));
            let longer = [&fields[..], &[0]].concat();
            for wrong in [&fields[..fields.len() - 1], &longer, &[]] {
                assert_eq!(
                    admit_fields(*version, *algorithm, wrong),
                    Err(Refused::PkeskFields {
                        offset: 0,
                        algorithm: *algorithm
                    })
                );
            }
        }
    }

    #[test]
    fn odd_fields_are_refused() {
        let odd: Vec<(u8, u8, Vec<u8>)> = vec![
            (3, RSA, mpi(0, 0)),
            (3, RSA, mpi(8_200, 1_025)),
            (3, ECDH, [mpi(1_072, 134), counted(40)].concat()),
            (3, ECDH, [mpi(263, 33), counted(16)].concat()),
            (3, ECDH, [mpi(263, 33), counted(41)].concat()),
            // Version 3 tells the cipher, and it must be AES.
            (3, X25519, [vec![0; 32], vec![41, 2], vec![7; 40]].concat()),
            (3, X25519, [vec![0; 32], counted(40)].concat()),
            (6, X25519, [vec![0; 32], counted(41)].concat()),
            (6, X25519, [vec![0; 32], counted(16)].concat()),
        ];
        for (version, algorithm, fields) in odd {
            assert_eq!(
                admit_fields(version, algorithm, &fields),
                Err(Refused::PkeskFields {
                    offset: 0,
                    algorithm
                })
            );
        }
    }

    #[test]
    fn other_algorithms_are_refused() {
        for algorithm in (0..=255).filter(|value| !PUBLIC_KEY_ALGORITHMS.contains(value)) {
            assert_eq!(
                admit_fields(3, algorithm, &mpi(2_048, 256)),
                Err(Refused::PublicKeyAlgorithm {
                    offset: 0,
                    algorithm
                })
            );
        }
    }

    #[test]
    fn a_long_or_odd_pkesk_is_named() {
        let length = PKESK_BODY_MAX + 1;
        assert_eq!(
            admit_fields(3, RSA, &vec![0; length - 10]),
            Err(Refused::Framing(ReadError::BodyTooLong {
                offset: 0,
                tag: 1,
                length,
                limit: PKESK_BODY_MAX
            }))
        );
        let read = |body: &[u8]| {
            let packet = [&[0xc1, body.len() as u8][..], body].concat();
            let header = Header::read(&packet, 0, &mut ()).unwrap();
            parse(&header, body).map(|fields| fields.name.recipient())
        };
        let offset = 0;
        let short = |length| {
            Err(ReadError::BodyTooShort {
                offset,
                tag: 1,
                length,
            })
        };
        assert_eq!(
            read(&[2; 20]),
            Err(ReadError::PkeskVersion { offset, version: 2 })
        );
        assert_eq!(read(&[]), short(0));
        assert_eq!(read(&[3; 9]), short(9));
        assert_eq!(read(&[6]), short(1));
        assert_eq!(read(&[6, 0]), short(2));
        assert_eq!(read(&[6, 0, 25]), Ok(Recipient::Wildcard));
        assert_eq!(read(&[&[6, 21, 4][..], &[1; 20]].concat()), short(23));
        assert_eq!(
            read(&[&[6, 33, 5][..], &[1; 33]].concat()),
            Err(ReadError::KeyVersion { offset, version: 5 })
        );
        assert_eq!(
            read(&[&[6, 33, 4][..], &[1; 33]].concat()),
            Err(ReadError::FingerprintLength {
                offset,
                version: 4,
                length: 33
            })
        );
    }
}
