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
