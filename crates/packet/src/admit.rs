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
