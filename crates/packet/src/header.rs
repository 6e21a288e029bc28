//! The header of one packet: its type and how long its body is (RFC 9580 §4.2).

use crate::{ReadError, meter::Meter};

pub(crate) const TAG_PKESK: u8 = 1;
pub(crate) const TAG_SIGNATURE: u8 = 2;
pub(crate) const TAG_SKESK: u8 = 3;
pub(crate) const TAG_ONE_PASS: u8 = 4;
pub(crate) const TAG_COMPRESSED: u8 = 8;
pub(crate) const TAG_SED: u8 = 9;
pub(crate) const TAG_MARKER: u8 = 10;
pub(crate) const TAG_LITERAL: u8 = 11;
pub(crate) const TAG_SEIPD: u8 = 18;
/// "OCB encrypted data" of LibrePGP, which GnuPG 2.3 and later write.
pub(crate) const TAG_OCB: u8 = 20;
pub(crate) const TAG_PADDING: u8 = 21;

/// The longest packet header: the type and a 5-octet length.
pub(crate) const HEADER_MAX: usize = 6;

/// How a packet says how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// The whole body.
    Fixed(usize),
    /// The first part of the body; another length follows it.
    Partial(usize),
    /// To the end of the input (legacy format only).
    Indeterminate,
}

/// A packet header that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Where the packet starts.
    pub(crate) offset: usize,
    pub(crate) tag: u8,
    pub(crate) length: Length,
    /// Where the body starts.
    pub(crate) body: usize,
}

impl Header {
    /// Reads the header of the packet that starts at `offset`.
    #[inline]
    pub(crate) fn read(
        input: &[u8],
        offset: usize,
        meter: &mut impl Meter,
    ) -> Result<Self, ReadError> {
        meter.step();
        let first = octet(input, offset)?;
        if first & 0x80 == 0 {
            return Err(ReadError::NotOpenPgp {
                offset,
                octet: first,
            });
        }
        let (tag, length, body) = if first & 0x40 != 0 {
            let (length, body) = read_length(input, offset + 1)?;
            (first & 0x3f, length, body)
        } else {
            let (length, body) = read_legacy_length(input, offset + 1, first & 3)?;
            (first >> 2 & 0x0f, length, body)
        };
        Ok(Self {
            offset,
            tag,
            length,
            body,
        })
    }

    /// The length of the body where only a fixed one will do.
    #[inline]
    pub(crate) fn fixed(&self) -> Result<usize, ReadError> {
        let &Self { offset, tag, .. } = self;
        match self.length {
            Length::Fixed(length) => Ok(length),
            Length::Partial(_) => Err(ReadError::PartialLength { offset, tag }),
            Length::Indeterminate => Err(ReadError::IndeterminateLength { offset, tag }),
        }
    }

    /// The length of the body where only a fixed one of at most `limit` octets will do.
    #[inline]
    pub(crate) fn fixed_within(&self, limit: usize) -> Result<usize, ReadError> {
        let length = self.fixed()?;
        if length > limit {
            let &Self { offset, tag, .. } = self;
            return Err(ReadError::BodyTooLong {
                offset,
                tag,
                length,
                limit,
            });
        }
        Ok(length)
    }

    /// Where a body of `length` octets ends.
    #[inline]
    pub(crate) fn end(&self, length: usize) -> Result<usize, ReadError> {
        self.body.checked_add(length).ok_or(ReadError::Overflow {
            offset: self.offset,
        })
    }

    /// That this packet has no business where it stands.
    #[inline]
    pub(crate) const fn unexpected(&self) -> ReadError {
        ReadError::UnexpectedPacket {
            offset: self.offset,
            tag: self.tag,
        }
    }

    /// That this packet's body ends before its fixed fields do.
    #[inline]
    pub(crate) const fn too_short(&self, length: usize) -> ReadError {
        ReadError::BodyTooShort {
            offset: self.offset,
            tag: self.tag,
            length,
        }
    }
}

/// Reads a length of the current format at `offset`; also says where the body starts.
#[inline]
pub(crate) fn read_length(input: &[u8], offset: usize) -> Result<(Length, usize), ReadError> {
    let first = octet(input, offset)?;
    Ok(match first {
        0..=191 => (Length::Fixed(usize::from(first)), offset + 1),
        192..=223 => {
            let second = octet(input, offset + 1)?;
            (
                Length::Fixed(((usize::from(first) - 192) << 8) + usize::from(second) + 192),
                offset + 2,
            )
        }
        224..=254 => (Length::Partial(1 << (first & 0x1f)), offset + 1),
        255 => {
            let octets = array::<4>(input, offset + 1)?;
            (
                Length::Fixed(u32::from_be_bytes(octets) as usize),
                offset + 5,
            )
        }
    })
}

#[inline]
fn read_legacy_length(input: &[u8], offset: usize, kind: u8) -> Result<(Length, usize), ReadError> {
    Ok(match kind {
        0 => (
            Length::Fixed(usize::from(octet(input, offset)?)),
            offset + 1,
        ),
        1 => {
            let octets = array::<2>(input, offset)?;
            (
                Length::Fixed(usize::from(u16::from_be_bytes(octets))),
                offset + 2,
            )
        }
        2 => {
            let octets = array::<4>(input, offset)?;
            (
                Length::Fixed(u32::from_be_bytes(octets) as usize),
                offset + 4,
            )
        }
        _ => (Length::Indeterminate, offset),
    })
}

#[inline]
pub(crate) fn octet(input: &[u8], offset: usize) -> Result<u8, ReadError> {
    match input.get(offset) {
        Some(octet) => Ok(*octet),
        None => Err(ReadError::Truncated {
            needed: offset.saturating_add(1),
        }),
    }
}

#[inline]
fn array<const N: usize>(input: &[u8], offset: usize) -> Result<[u8; N], ReadError> {
    match input.get(offset..).and_then(|rest| rest.first_chunk()) {
        Some(octets) => Ok(*octets),
        None => Err(ReadError::Truncated {
            needed: offset.saturating_add(N),
        }),
    }
}

/// The octets `start..end`, or how long the input would have to be.
#[inline]
pub(crate) fn slice(input: &[u8], start: usize, end: usize) -> Result<&[u8], ReadError> {
    input
        .get(start..end)
        .ok_or(ReadError::Truncated { needed: end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Result<(u8, Length, usize), ReadError> {
        Header::read(input, 0, &mut ()).map(|header| (header.tag, header.length, header.body))
    }

    /// The examples of RFC 9580 §4.2.1.5, and the edges of every form.
    #[test]
    fn all_length_forms() {
        use Length::{Fixed, Indeterminate, Partial};
        assert_eq!(read(&[0xcb, 0x64]), Ok((11, Fixed(100), 2)));
        assert_eq!(read(&[0xcb, 0xc5, 0xfb]), Ok((11, Fixed(1723), 3)));
        assert_eq!(
            read(&[0xcb, 0xff, 0, 1, 0x86, 0xa0]),
            Ok((11, Fixed(100_000), 6))
        );
        assert_eq!(read(&[0xcb, 0xef]), Ok((11, Partial(32_768), 2)));
        assert_eq!(read(&[0xcb, 0xe0]), Ok((11, Partial(1), 2)));
        assert_eq!(read(&[0xcb, 0xfe]), Ok((11, Partial(1 << 30), 2)));
        assert_eq!(read(&[0xcb, 191]), Ok((11, Fixed(191), 2)));
        assert_eq!(read(&[0xcb, 192, 0]), Ok((11, Fixed(192), 3)));
        assert_eq!(read(&[0xcb, 223, 255]), Ok((11, Fixed(8383), 3)));
        assert_eq!(read(&[0x84, 255]), Ok((1, Fixed(255), 2)));
        assert_eq!(read(&[0x85, 0x01, 0x0c]), Ok((1, Fixed(268), 3)));
        assert_eq!(read(&[0x86, 0, 0, 1, 0]), Ok((1, Fixed(256), 5)));
        assert_eq!(read(&[0xa3]), Ok((8, Indeterminate, 1)));
        assert_eq!(
            read(&[0x7f, 0]),
            Err(ReadError::NotOpenPgp {
                offset: 0,
                octet: 0x7f
            })
        );
    }

    #[test]
    fn a_short_header_says_how_much_is_needed() {
        for (input, needed) in [
            (&[][..], 1),
            (&[0xc1], 2),
            (&[0xc1, 192], 3),
            (&[0xc1, 255, 0, 0], 6),
            (&[0x85, 0], 3),
            (&[0x86, 0, 0], 5),
        ] {
            assert_eq!(
                read(input),
                Err(ReadError::Truncated { needed }),
                "{input:x?}"
            );
        }
    }
}
