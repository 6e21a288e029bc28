//! The lenient reader: whom is this OpenPGP message for, whoever made it?

use std::iter::FusedIterator;

use crate::{
    ReadError, Recipient,
    header::{
        Header, TAG_COMPRESSED, TAG_LITERAL, TAG_MARKER, TAG_OCB, TAG_ONE_PASS, TAG_PADDING,
        TAG_PKESK, TAG_SED, TAG_SEIPD, TAG_SKESK, octet, slice,
    },
    meter::Meter,
    pkesk,
};

/// The most PKESKs that [`read_head`] follows.
pub const PKESKS_MAX: usize = 4_096;
/// The longest body of a PKESK that [`read_head`] accepts: RSA with 32,768 bits fits, and so
/// does every post-quantum combination of the drafts.
pub const HEAD_PKESK_BODY_MAX: usize = 8_192;
/// The most password packets (SKESK) that [`read_head`] skips.
pub const SKESKS_MAX: usize = 64;
/// The longest body of a SKESK that [`read_head`] skips.
pub const SKESK_BODY_MAX: usize = 512;
/// The most packets without meaning here (marker, padding, non-critical unknown ones, PKESKs of
/// unknown version) that [`read_head`] skips.
pub const FILLERS_MAX: usize = 64;
/// The most octets that [`read_head`] passes before the encrypted data.
pub const HEAD_MAX: usize = 4 << 20;

/// The packets in front of a message's encrypted data.
///
/// Borrows the input; nothing was copied or decoded beyond the recipients.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    packets: &'a [u8],
    first: Recipient,
    count: usize,
    wildcard: bool,
    rest_tag: u8,
}

impl<'a> Head<'a> {
    /// Whom the first PKESK names: where the message wants to go.
    #[must_use]
    pub const fn first(&self) -> Recipient {
        self.first
    }

    /// Whom each PKESK names, in order, wildcards included.
    #[must_use]
    pub const fn recipients(&self) -> Recipients<'a> {
        Recipients {
            packets: self.packets,
            offset: 0,
            left: self.count,
        }
    }

    /// Whether any PKESK is anonymous.
    #[must_use]
    pub const fn has_wildcard(&self) -> bool {
        self.wildcard
    }

    /// Where the first packet behind the head starts. It holds the encrypted data.
    #[must_use]
    pub const fn rest_offset(&self) -> usize {
        self.packets.len()
    }

    /// The type of the packet behind the head: 18 (SEIPD), 9, or GnuPG's 20.
    #[must_use]
    pub const fn rest_tag(&self) -> u8 {
        self.rest_tag
    }
}

/// Iterator over the recipients of a [`Head`].
#[derive(Debug, Clone)]
pub struct Recipients<'a> {
    packets: &'a [u8],
    offset: usize,
    left: usize,
}

impl Iterator for Recipients<'_> {
    type Item = Recipient;

    fn next(&mut self) -> Option<Recipient> {
        while self.left > 0 {
            // The head was read once, so nothing fails here; if it did, the iterator would end.
            let header = Header::read(self.packets, self.offset, &mut ()).ok()?;
            let end = header.end(header.fixed().ok()?).ok()?;
            self.offset = end;
            if header.tag == TAG_PKESK
                && let Ok(fields) = pkesk::parse(&header, self.packets.get(header.body..end)?)
            {
                self.left -= 1;
                return Some(fields.name.recipient());
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Recipients<'_> {}
impl FusedIterator for Recipients<'_> {}

/// Reads the packets in front of a message's encrypted data (RFC 9580 §10.3).
///
/// Accepts what any implementation writes: both packet formats, every length form that is legal
/// there, PKESK versions 3 and 6, several of them, SKESKs among them, and marker, padding and
/// non-critical unknown packets anywhere in the head. PKESKs of unknown version are passed over
/// as long as another one names a recipient.
///
/// Works on a prefix of the message: the head and the first octet behind it are enough. It
/// copies nothing, allocates nothing, and takes at most one step per packet.
///
/// # Errors
/// [`ReadError::Truncated`] when the input ends inside the head, [`ReadError::NoRecipient`] when
/// no PKESK precedes the data (`tag` says what does start there), otherwise what is malformed
/// or beyond a limit.
///
/// ```
/// use layer_minus_packet::{ReadError, read_head};
/// // A version 3 PKESK (X25519) to a key ID, then a SEIPD of which nothing has arrived yet.
/// let mut message = vec![0xc1, 69, 3, 1, 2, 3, 4, 5, 6, 7, 8, 25];
/// message.extend([0; 59]);
/// message.push(0xd2);
/// let head = read_head(&message)?;
/// assert_eq!(head.first().to_string(), "0102030405060708");
/// assert_eq!(head.rest_offset(), 71);
/// assert_eq!(read_head(&message[..20]).unwrap_err(), ReadError::Truncated { needed: 71 });
/// # Ok::<(), ReadError>(())
/// ```
pub fn read_head(input: &[u8]) -> Result<Head<'_>, ReadError> {
    read_head_metered(input, &mut ())
}

pub(crate) fn read_head_metered<'a>(
    input: &'a [u8],
    meter: &mut impl Meter,
) -> Result<Head<'a>, ReadError> {
    let mut offset = 0;
    let mut first: Option<pkesk::Name<'_>> = None;
    let (mut count, mut skesks, mut fillers) = (0, 0, 0);
    let mut wildcard = false;
    let mut unknown = None;
    loop {
        // The type alone decides whether the head ends here, so that one octet behind it is
        // enough whatever length form follows.
        let tag = peek_tag(input, offset)?;
        if !is_head(tag) {
            let data = matches!(tag, TAG_SED | TAG_SEIPD | TAG_OCB);
            let packets = slice(input, 0, offset)?;
            return match (first, unknown) {
                (Some(first), _) if data => Ok(Head {
                    packets,
                    first: first.recipient(),
                    count,
                    wildcard,
                    rest_tag: tag,
                }),
                (None, Some(error)) if data => Err(error),
                (Some(_), _) | (_, Some(_)) => Err(ReadError::UnexpectedPacket { offset, tag }),
                (None, None) => Err(ReadError::NoRecipient { offset, tag }),
            };
        }
        let header = Header::read(input, offset, meter)?;
        let (seen, most, length_max) = match tag {
            TAG_PKESK => (&mut count, PKESKS_MAX, HEAD_PKESK_BODY_MAX),
            TAG_SKESK => (&mut skesks, SKESKS_MAX, SKESK_BODY_MAX),
            _ => (&mut fillers, FILLERS_MAX, HEAD_MAX),
        };
        if *seen == most {
            return Err(ReadError::TooManyPackets {
                offset,
                tag,
                limit: most,
            });
        }
        let length = header.fixed_within(length_max)?;
        let end = header.end(length)?;
        if end > HEAD_MAX {
            return Err(ReadError::HeadTooLong {
                end,
                limit: HEAD_MAX,
            });
        }
        let body = slice(input, header.body, end)?;
        if tag == TAG_PKESK {
            match pkesk::parse(&header, body) {
                Ok(fields) => {
                    wildcard |= matches!(fields.name, pkesk::Name::Wildcard);
                    first = first.or(Some(fields.name));
                    count += 1;
                }
                Err(error @ (ReadError::PkeskVersion { .. } | ReadError::KeyVersion { .. })) => {
                    if fillers == FILLERS_MAX {
                        return Err(ReadError::TooManyPackets {
                            offset,
                            tag,
                            limit: FILLERS_MAX,
                        });
                    }
                    fillers += 1;
                    unknown = unknown.or(Some(error));
                }
                Err(error) => return Err(error),
            }
        } else {
            *seen += 1;
        }
        offset = end;
    }
}

#[inline]
fn peek_tag(input: &[u8], offset: usize) -> Result<u8, ReadError> {
    match octet(input, offset)? {
        octet @ 0xc0.. => Ok(octet & 0x3f),
        octet @ 0x80.. => Ok(octet >> 2 & 0x0f),
        octet => Err(ReadError::NotOpenPgp { offset, octet }),
    }
}

/// Packets that may precede the encrypted data: session keys, and what RFC 9580 §5.8, §5.14 and
/// §4.3 let a reader ignore.
#[inline]
const fn is_head(tag: u8) -> bool {
    matches!(tag, TAG_PKESK | TAG_SKESK | TAG_MARKER | TAG_PADDING | 40..)
}

/// Whether an OpenPGP message that names no recipient starts here: encrypted to passwords only,
/// signed, compressed or plain. A prefix is enough; what cannot be told yet is `false`.
///
/// Looks at the first octet of the body as well, so that few octets that are no OpenPGP pass.
#[must_use]
pub fn is_unaddressed(input: &[u8]) -> bool {
    let Err(ReadError::NoRecipient { offset, tag }) = read_head(input) else {
        return false;
    };
    let Ok(header) = Header::read(input, offset, &mut ()) else {
        return false;
    };
    match (tag, input.get(header.body)) {
        // Version octets.
        (TAG_SEIPD, Some(1 | 2)) | (TAG_OCB, Some(1)) | (TAG_ONE_PASS, Some(3 | 6)) => true,
        // Without version: only behind a password packet.
        (TAG_SED, _) => offset > 0,
        // The algorithm, or the format.
        (TAG_COMPRESSED, Some(0..=3)) => true,
        (TAG_LITERAL, Some(b'b' | b't' | b'u' | b'l' | b'1' | b'm')) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: [u8; 14] = [0xc1, 12, 3, 9, 9, 9, 9, 9, 9, 9, 9, 1, 0, 0];
    const UNKNOWN: [u8; 5] = [0xc1, 3, 5, 0, 0];
    const SEIPD: [u8; 4] = [0xd2, 2, 1, 0];

    fn read(parts: &[&[u8]]) -> Result<usize, ReadError> {
        read_head(&parts.concat()).map(|head| head.recipients().count())
    }

    #[test]
    fn pkesks_of_unknown_version_are_passed_over_unless_they_are_all() {
        assert_eq!(read(&[&UNKNOWN, &NAMED, &UNKNOWN, &SEIPD]), Ok(1));
        let error = ReadError::PkeskVersion {
            offset: 0,
            version: 5,
        };
        assert_eq!(read(&[&UNKNOWN, &UNKNOWN, &SEIPD]), Err(error));
        let too_many = ReadError::TooManyPackets {
            offset: 64 * 5,
            tag: 1,
            limit: FILLERS_MAX,
        };
        assert_eq!(read(&[&UNKNOWN.repeat(65), &NAMED, &SEIPD]), Err(too_many));
    }

    #[test]
    fn only_encrypted_data_may_follow() {
        assert_eq!(
            read(&[&NAMED, &[0xcb, 1]]),
            Err(ReadError::UnexpectedPacket {
                offset: 14,
                tag: 11
            })
        );
        for tag in [9, 18, 20] {
            assert_eq!(read(&[&NAMED, &[0xc0 | tag]]), Ok(1));
        }
        assert_eq!(
            read(&[&SEIPD]),
            Err(ReadError::NoRecipient { offset: 0, tag: 18 })
        );
        assert_eq!(
            read(&[&NAMED, &[0x20]]),
            Err(ReadError::NotOpenPgp {
                offset: 14,
                octet: 0x20
            })
        );
        assert_eq!(read(&[]), Err(ReadError::Truncated { needed: 1 }));
    }

    #[test]
    fn lengths_that_a_head_cannot_have_are_named() {
        assert_eq!(
            read(&[&[0xc1, 0xe9], &[3; 512]]),
            Err(ReadError::PartialLength { offset: 0, tag: 1 })
        );
        assert_eq!(
            read(&[&[0x87], &NAMED[2..]]),
            Err(ReadError::IndeterminateLength { offset: 0, tag: 1 })
        );
        assert_eq!(
            read(&[&[0xc1, 255, 0, 0, 0x20, 1]]),
            Err(ReadError::BodyTooLong {
                offset: 0,
                tag: 1,
                length: 8_193,
                limit: 8_192
            })
        );
        assert_eq!(
            read(&[&NAMED, &[0xc3, 0xc3, 0x40]]),
            Err(ReadError::BodyTooLong {
                offset: 14,
                tag: 3,
                length: 1_024,
                limit: 512
            })
        );
        // Padding that fits by itself and not behind a PKESK.
        assert_eq!(
            read(&[&NAMED, &[0xd5, 255, 0, 0x40, 0, 0]]),
            Err(ReadError::HeadTooLong {
                end: HEAD_MAX + 20,
                limit: HEAD_MAX
            })
        );
    }

    #[test]
    fn unaddressed_messages() {
        let password = [0xc3, 4, 4, 9, 0, 8];
        let is = |parts: &[&[u8]]| is_unaddressed(&parts.concat());
        assert!(is(&[&password, &SEIPD]));
        assert!(is(&[&password, &[0xc9, 1, 0]]));
        assert!(is(&[&[0xcb, 8, b'b', 0]]));
        assert!(is(&[&[0xa3, 2, 0x42]])); // GnuPG's compressed
        assert!(is(&[&[0xc4, 13, 3]]));
        assert!(is(&[&[0xca, 3], b"PGP", &[0xcb, 8, b'u']]));
        assert!(!is(&[&NAMED, &SEIPD]));
        assert!(!is(&[&[0xc9, 1, 0]]));
        assert!(!is(&[&[0xd2, 2, 7]]));
        assert!(!is(&[&[0xcb, 8, b'?']]));
        assert!(!is(&[&[0xcb, 8]]));
        assert!(!is(&[&[0xc6, 3, 4, 0, 0]])); // a public key
        assert!(!is(&[b"hello"]));
    }
}
