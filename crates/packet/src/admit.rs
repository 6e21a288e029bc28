//! Strict admission: what may be handed to the code that decrypts.

use crate::{
    Body, Layout, Pkesk, Refused, SeipdVersion,
    header::{Header, TAG_PKESK, TAG_SEIPD},
    layout::{MESSAGE_PKESKS_MAX, SEIPD_V2_HEAD, Seipd},
    meter::Meter,
    pkesk,
};

/// The largest chunk size octet that is admitted: chunks of 1 MiB. An opener reserves two.
pub const CHUNK_OCTET_MAX: u8 = 14;

/// AES-128, AES-192, AES-256 (RFC 9580 §9.3).
const AES: std::ops::RangeInclusive<u8> = 7..=9;
/// EAX, OCB, GCM (RFC 9580 §9.6).
const AEAD: std::ops::RangeInclusive<u8> = 1..=3;
const AEAD_TAG: usize = 16;
/// Version; random prefix of the smallest cipher's block and its 2 repeated octets; the
/// modification detection code packet.
const SEIPD_V1_MIN: usize = 1 + 10 + 22;
/// Head, one chunk of one octet with its tag, the final tag.
const SEIPD_V2_MIN: usize = SEIPD_V2_HEAD + 1 + 2 * AEAD_TAG;
/// The parameters lie in the first part, however a body is cut.
const _: () = assert!(SEIPD_V2_HEAD < crate::PARTIAL_MIN);

/// Admits one layer: exactly one PKESK and one SEIPD of fixed lengths that fill the input.
///
/// Everything else is refused before any cryptography: other packets in front or behind,
/// partial lengths, algorithms outside [`PUBLIC_KEY_ALGORITHMS`](crate::PUBLIC_KEY_ALGORITHMS)
/// and AES with EAX, OCB or GCM, chunks above [`CHUNK_OCTET_MAX`], a PKESK of the version that
/// does not belong to the SEIPD (RFC 9580 §10.3.2.1).
///
/// Takes two steps, copies only the parameters, allocates nothing.
///
/// # Errors
/// [`Refused`] says what and where.
pub fn admit_layer(bytes: &[u8]) -> Result<Layout, Refused> {
    let (pkesk, seipd) = layer(bytes, &mut ())?;
    Ok(Layout::one(pkesk, seipd))
}

pub(crate) fn layer(bytes: &[u8], meter: &mut impl Meter) -> Result<(Pkesk, Seipd), Refused> {
    let header = Header::read(bytes, 0, meter)?;
    if header.tag != TAG_PKESK {
        return Err(header.unexpected().into());
    }
    let pkesk = pkesk::admit(bytes, &header)?;
    let header = Header::read(bytes, pkesk.packet.end, meter)?;
    // A layer is never in parts; a message may be.
    header.fixed()?;
    let seipd = seipd(bytes, &header, meter)?;
    check_versions(&pkesk, &seipd)?;
    Ok((pkesk, seipd))
}

/// Admits a message that a person made, with our client, GnuPG or OpenPGP.js: 1 to
/// [`MESSAGE_PKESKS_MAX`] PKESKs, then one SEIPD that fills the rest of the input.
///
/// Differs from [`admit_layer`] only in the number of PKESKs and in that the SEIPD may be cut
/// into at most [`PARTIALS_MAX`](crate::PARTIALS_MAX) parts of at least
/// [`PARTIAL_MIN`](crate::PARTIAL_MIN) octets. Passwords (SKESK), unauthenticated encryption
/// (tag 9), and what is not encrypted at all are refused.
///
/// # Errors
/// [`Refused`] says what and where.
pub fn admit_message(bytes: &[u8]) -> Result<Layout, Refused> {
    message(bytes, &mut ())
}

pub(crate) fn message(bytes: &[u8], meter: &mut impl Meter) -> Result<Layout, Refused> {
    let header = Header::read(bytes, 0, meter)?;
    if header.tag != TAG_PKESK {
        return Err(header.unexpected().into());
    }
    let first = pkesk::admit(bytes, &header)?;
    let mut more = [const { None }; MESSAGE_PKESKS_MAX - 1];
    let mut places = more.iter_mut();
    let mut header = Header::read(bytes, first.packet.end, meter)?;
    while header.tag == TAG_PKESK {
        let Some(place) = places.next() else {
            return Err(Refused::TooManyPkesks {
                limit: MESSAGE_PKESKS_MAX,
            });
        };
        let pkesk = pkesk::admit(bytes, &header)?;
        let end = pkesk.packet.end;
        *place = Some(pkesk);
        header = Header::read(bytes, end, meter)?;
    }
    let seipd = seipd(bytes, &header, meter)?;
    let layout = Layout::many(first, more, seipd);
    layout.check_versions()?;
    Ok(layout)
}

impl Layout {
    fn check_versions(&self) -> Result<(), Refused> {
        self.pkesks()
            .try_for_each(|pkesk| check_numbers(pkesk, self.version()))
    }
}

fn check_versions(pkesk: &Pkesk, seipd: &Seipd) -> Result<(), Refused> {
    check_numbers(pkesk, &seipd.version)
}

fn check_numbers(pkesk: &Pkesk, version: &SeipdVersion) -> Result<(), Refused> {
    match (pkesk.version, version) {
        (3, SeipdVersion::V1) | (6, SeipdVersion::V2 { .. }) => Ok(()),
        (pkesk, version) => Err(Refused::VersionMismatch {
            pkesk,
            seipd: version.number(),
        }),
    }
}

/// Admits the SEIPD with that header (RFC 9580 §5.13), which must fill the rest of the input.
fn seipd(bytes: &[u8], header: &Header, meter: &mut impl Meter) -> Result<Seipd, Refused> {
    if header.tag != TAG_SEIPD {
        return Err(header.unexpected().into());
    }
    let (body, end) = Body::walk(bytes, header, meter)?;
    let version = seipd_version(
        bytes.get(body.first().clone()).unwrap_or_default(),
        body.len(),
    )?;
    match bytes.len() - end {
        0 => Ok(Seipd {
            packet: header.offset..end,
            body,
            version,
        }),
        count => Err(Refused::TrailingOctets { offset: end, count }),
    }
}

fn seipd_version(first: &[u8], length: usize) -> Result<SeipdVersion, Refused> {
    match *first {
        [] => Err(Refused::SeipdTooShort { version: 0, length }),
        [version @ 1, ..] if length < SEIPD_V1_MIN => {
            Err(Refused::SeipdTooShort { version, length })
        }
        [1, ..] => Ok(SeipdVersion::V1),
        [version @ 2, ref rest @ ..] => {
            let Some(([sym, aead, chunk], rest)) = rest.split_first_chunk() else {
                return Err(Refused::SeipdTooShort { version, length });
            };
            if !AES.contains(sym) {
                return Err(Refused::SymmetricAlgorithm { value: *sym });
            }
            if !AEAD.contains(aead) {
                return Err(Refused::AeadAlgorithm { value: *aead });
            }
            if *chunk > CHUNK_OCTET_MAX {
                return Err(Refused::ChunkSize {
                    value: *chunk,
                    limit: CHUNK_OCTET_MAX,
                });
            }
            match rest.first_chunk() {
                Some(salt) if length >= SEIPD_V2_MIN => Ok(SeipdVersion::V2 {
                    sym: *sym,
                    aead: *aead,
                    chunk: *chunk,
                    salt: *salt,
                }),
                _ => Err(Refused::SeipdTooShort { version, length }),
            }
        }
        [version, ..] => Err(Refused::SeipdVersion { version }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReadError;

    /// A PKESK (X25519) of that version and whom it names.
    fn pkesk(version: u8) -> Vec<u8> {
        let mut body = vec![version];
        body.extend(if version == 3 { vec![1; 8] } else { vec![0] });
        body.push(25);
        body.extend([0; 32]);
        let wrapped = if version == 3 {
            vec![9; 41]
        } else {
            vec![9; 40]
        };
        body.push(wrapped.len() as u8);
        body.extend(wrapped);
        [&[0xc1, body.len() as u8][..], &body].concat()
    }

    fn seipd(body: &[u8]) -> Vec<u8> {
        [&[0xd2, body.len() as u8][..], body].concat()
    }

    const V2: [u8; 80] = {
        let mut body = [7; 80];
        (body[0], body[1], body[2], body[3]) = (2, 9, 3, 14);
        body
    };
    const V1: [u8; 40] = [1; 40];

    #[test]
    fn the_parameters_are_told() {
        let octets = [pkesk(6), seipd(&V2)].concat();
        let layout = admit_layer(&octets).unwrap();
        assert_eq!(
            layout.version(),
            &SeipdVersion::V2 {
                sym: 9,
                aead: 3,
                chunk: 14,
                salt: [7; 32]
            }
        );
        assert_eq!(layout.seipd(), octets.len() - 82..octets.len());
        assert_eq!(
            layout.encrypted(&octets).collect::<Vec<_>>(),
            [&[7; 44][..]]
        );
        let octets = [pkesk(3), seipd(&V1)].concat();
        let layout = admit_layer(&octets).unwrap();
        assert_eq!(layout.version(), &SeipdVersion::V1);
        assert_eq!(
            layout.encrypted(&octets).collect::<Vec<_>>(),
            [&[1; 39][..]]
        );
    }

    #[test]
    fn versions_must_agree() {
        for (pkesk_version, body, seipd_version) in [(3, &V2[..], 2), (6, &V1[..], 1)] {
            let octets = [pkesk(pkesk_version), seipd(body)].concat();
            let refused = Refused::VersionMismatch {
                pkesk: pkesk_version,
                seipd: seipd_version,
            };
            assert_eq!(admit_layer(&octets), Err(refused));
            assert_eq!(admit_message(&octets), Err(refused));
        }
        // One of several is enough.
        let octets = [pkesk(6), pkesk(3), seipd(&V2)].concat();
        assert_eq!(
            admit_message(&octets),
            Err(Refused::VersionMismatch { pkesk: 3, seipd: 2 })
        );
    }

    #[test]
    fn a_short_or_unknown_seipd_is_refused() {
        let of = |body: &[u8]| admit_layer(&[pkesk(6), seipd(body)].concat()).unwrap_err();
        let short = |version, length| Refused::SeipdTooShort { version, length };
        assert_eq!(of(&[]), short(0, 0));
        assert_eq!(of(&[1; 32]), short(1, 32));
        assert_eq!(of(&[2, 9]), short(2, 2));
        assert_eq!(of(&V2[..20]), short(2, 20));
        assert_eq!(of(&V2[..SEIPD_V2_MIN - 1]), short(2, SEIPD_V2_MIN - 1));
        assert_eq!(of(&[3; 80]), Refused::SeipdVersion { version: 3 });
    }

    #[test]
    fn sixteen_people_are_admitted_and_not_one_more() {
        let octets = [pkesk(6).repeat(16), seipd(&V2)].concat();
        assert_eq!(admit_message(&octets).unwrap().pkesks().count(), 16);
        let octets = [pkesk(6).repeat(17), seipd(&V2)].concat();
        assert_eq!(
            admit_message(&octets),
            Err(Refused::TooManyPkesks { limit: 16 })
        );
        assert!(matches!(
            admit_layer(&[pkesk(6).repeat(2), seipd(&V2)].concat()),
            Err(Refused::Framing(ReadError::UnexpectedPacket { tag: 1, .. }))
        ));
    }

    #[test]
    fn a_packet_of_indeterminate_length_is_refused() {
        let mut octets = pkesk(6);
        octets[0] = 0x87;
        octets.remove(1);
        assert_eq!(
            admit_layer(&octets),
            Err(Refused::Framing(ReadError::IndeterminateLength {
                offset: 0,
                tag: 1
            }))
        );
    }
}
