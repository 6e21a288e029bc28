//! What may stand inside, once a layer or a message has been opened.

use std::ops::Range;

use crate::{
    Body, ReadError, Refused,
    body::Segments,
    header::{
        Header, TAG_COMPRESSED, TAG_LITERAL, TAG_ONE_PASS, TAG_PADDING, TAG_SIGNATURE, slice,
    },
    meter::Meter,
};

/// The most signatures around one literal.
pub const SIGNATURES_MAX: usize = 8;
/// The longest body of a one-pass signature packet (version 6 has about 70 octets).
pub const ONE_PASS_BODY_MAX: usize = 256;
/// The longest body of a signature packet; the largest post-quantum ones take 50 kB.
pub const SIGNATURE_BODY_MAX: usize = 65_536;

/// The literal data packet of an opened layer (RFC 9580 §5.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal<'a> {
    /// The content.
    pub data: &'a [u8],
    /// Where the content lies in the plaintext.
    pub range: Range<usize>,
    /// The format octet: `b`, `u`, `t`, or what the sender wrote.
    pub format: u8,
    /// The file name; trust it with nothing.
    pub file_name: &'a [u8],
    /// The date in Unix seconds; trust it with nothing.
    pub date: u32,
}

/// Reads the plaintext of one of our layers: exactly one literal of fixed length, and at most
/// one padding packet (RFC 9580 §5.14) behind it.
///
/// # Errors
/// [`Refused::Compressed`] when the content is compressed, otherwise what is not as it should be.
pub fn read_literal(plaintext: &[u8]) -> Result<Literal<'_>, Refused> {
    literal(plaintext, &mut ())
}

pub(crate) fn literal<'a>(
    plaintext: &'a [u8],
    meter: &mut impl Meter,
) -> Result<Literal<'a>, Refused> {
    let header = Header::read(plaintext, 0, meter)?;
    expect_literal(&header)?;
    let end = header.end(header.fixed()?)?;
    let body = slice(plaintext, header.body, end)?;
    let fields = LiteralFields::parse(&header, body)?;
    padding_or_end(plaintext, end, meter)?;
    let range = header.body + fields.len..end;
    Ok(Literal {
        data: slice(plaintext, range.start, range.end)?,
        range,
        format: fields.format,
        file_name: fields.file_name,
        date: fields.date,
    })
}

/// The content of a message between people, in any shape that is admitted.
#[derive(Debug, Clone)]
pub struct PlainMessage<'a> {
    plaintext: &'a [u8],
    body: Body,
    /// The octets of the literal's body in front of its data.
    fields: LiteralFields<'a>,
    one_pass: Range<usize>,
    signatures: Range<usize>,
    signature_count: usize,
}

impl<'a> PlainMessage<'a> {
    /// The octets of the content in order; one piece unless the sender cut it.
    #[must_use]
    pub fn segments(&self) -> Segments<'a> {
        self.body.segments(self.plaintext).skipping(self.fields.len)
    }

    /// The content, when it is in one piece.
    #[must_use]
    pub fn contiguous(&self) -> Option<&'a [u8]> {
        match &self.body {
            Body::Fixed(range) => self.plaintext.get(range.start + self.fields.len..range.end),
            Body::Partial { .. } => None,
        }
    }

    /// The octets of the content.
    #[must_use]
    pub fn len(&self) -> usize {
        self.body.len() - self.fields.len
    }

    /// Whether the content is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The format octet: `b`, `u`, `t`, or what the sender wrote.
    #[must_use]
    pub const fn format(&self) -> u8 {
        self.fields.format
    }

    /// The file name; trust it with nothing.
    #[must_use]
    pub const fn file_name(&self) -> &'a [u8] {
        self.fields.file_name
    }

    /// The date in Unix seconds; trust it with nothing.
    #[must_use]
    pub const fn date(&self) -> u32 {
        self.fields.date
    }

    /// How many signatures there are: 0 to [`SIGNATURES_MAX`].
    #[must_use]
    pub const fn signature_count(&self) -> usize {
        self.signature_count
    }

    /// Where the one-pass signature packets lie in the plaintext.
    #[must_use]
    pub fn one_pass_signatures(&self) -> Range<usize> {
        self.one_pass.clone()
    }

    /// Where the signature packets lie in the plaintext.
    #[must_use]
    pub fn signatures(&self) -> Range<usize> {
        self.signatures.clone()
    }
}

/// Reads the plaintext of a message between people, by whatever program: one literal, whole or
/// in parts, inside at most [`SIGNATURES_MAX`] one-pass signatures (RFC 9580 §10.3), and at
/// most one padding packet at the end. Nothing nests.
///
/// # Errors
/// [`Refused::Compressed`] when the content is compressed: the remedy is the sender's
/// (`--compress-algo none` in GnuPG). Otherwise what is not as it should be.
pub fn read_plain_message(plaintext: &[u8]) -> Result<PlainMessage<'_>, Refused> {
    plain_message(plaintext, &mut ())
}

pub(crate) fn plain_message<'a>(
    plaintext: &'a [u8],
    meter: &mut impl Meter,
) -> Result<PlainMessage<'a>, Refused> {
    let (one_pass, announced) = run(plaintext, 0, TAG_ONE_PASS, ONE_PASS_BODY_MAX, meter)?;
    let header = Header::read(plaintext, one_pass.end, meter)?;
    expect_literal(&header)?;
    let (body, end) = Body::walk(plaintext, &header, meter)?;
    let first = slice(plaintext, body.first().start, body.first().end)?;
    let fields = LiteralFields::parse(&header, first)?;
    let (signatures, found) = run(plaintext, end, TAG_SIGNATURE, SIGNATURE_BODY_MAX, meter)?;
    padding_or_end(plaintext, signatures.end, meter)?;
    if announced != found {
        return Err(Refused::SignatureCount { announced, found });
    }
    Ok(PlainMessage {
        plaintext,
        body,
        fields,
        one_pass,
        signatures,
        signature_count: found,
    })
}

/// Passes the packets of one type that start at `start`; also counts them.
fn run(
    plaintext: &[u8],
    start: usize,
    tag: u8,
    body_max: usize,
    meter: &mut impl Meter,
) -> Result<(Range<usize>, usize), Refused> {
    let (mut end, mut count) = (start, 0);
    while end < plaintext.len() {
        let header = Header::read(plaintext, end, meter)?;
        if header.tag != tag {
            break;
        }
        if count == SIGNATURES_MAX {
            return Err(Refused::TooManySignatures {
                limit: SIGNATURES_MAX,
            });
        }
        count += 1;
        end = header.end(header.fixed_within(body_max)?)?;
        slice(plaintext, header.body, end)?;
    }
    Ok((start..end, count))
}

fn expect_literal(header: &Header) -> Result<(), Refused> {
    match header.tag {
        TAG_LITERAL => Ok(()),
        TAG_COMPRESSED => Err(Refused::Compressed {
            offset: header.offset,
        }),
        _ => Err(header.unexpected().into()),
    }
}

/// At `offset` the plaintext ends, or one padding packet fills the rest of it.
fn padding_or_end(plaintext: &[u8], offset: usize, meter: &mut impl Meter) -> Result<(), Refused> {
    if offset == plaintext.len() {
        return Ok(());
    }
    let header = Header::read(plaintext, offset, meter)?;
    if header.tag != TAG_PADDING {
        return Err(header.unexpected().into());
    }
    let end = header.end(header.fixed()?)?;
    slice(plaintext, header.body, end)?;
    match plaintext.len() - end {
        0 => Ok(()),
        count => Err(Refused::TrailingOctets { offset: end, count }),
    }
}

/// What stands in front of a literal's data: format, file name, date.
#[derive(Debug, Clone, Copy)]
struct LiteralFields<'a> {
    format: u8,
    file_name: &'a [u8],
    date: u32,
    /// How many octets these take.
    len: usize,
}

impl<'a> LiteralFields<'a> {
    /// From the body's first part, which holds them all: they take at most 261 octets.
    fn parse(header: &Header, first: &'a [u8]) -> Result<Self, ReadError> {
        let short = header.too_short(first.len());
        let (&[format, name_len], rest) = first.split_first_chunk().ok_or(short)?;
        let (file_name, rest) = rest.split_at_checked(usize::from(name_len)).ok_or(short)?;
        let (date, rest) = rest.split_first_chunk().ok_or(short)?;
        let len = first.len() - rest.len();
        Ok(Self {
            format,
            file_name,
            date: u32::from_be_bytes(*date),
            len,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LITERAL: &[u8] = b"\xcb\x0db\x02fn\x01\x02\x03\x04hello";
    const PADDING: &[u8] = &[0xd5, 2, 0, 0];
    const ONE_PASS: &[u8] = &[0xc4, 2, 3, 0];
    const SIGNATURE: &[u8] = &[0xc2, 2, 4, 0];

    #[test]
    fn a_literal_and_its_fields() {
        for rest in [&[][..], PADDING] {
            let plaintext = [LITERAL, rest].concat();
            let literal = read_literal(&plaintext).unwrap();
            assert_eq!((literal.data, literal.range), (&b"hello"[..], 10..15));
            assert_eq!((literal.format, literal.file_name), (b'b', &b"fn"[..]));
            assert_eq!(literal.date, 0x0102_0304);
            let message = read_plain_message(&plaintext).unwrap();
            assert_eq!((message.format(), message.file_name()), (b'b', &b"fn"[..]));
            assert_eq!((message.date(), message.len()), (0x0102_0304, 5));
        }
    }

    #[test]
    fn nothing_else_may_follow_or_precede() {
        let of = |parts: &[&[u8]]| read_literal(&parts.concat()).unwrap_err();
        let unexpected =
            |offset, tag| Refused::Framing(ReadError::UnexpectedPacket { offset, tag });
        assert_eq!(of(&[LITERAL, LITERAL]), unexpected(15, 11));
        assert_eq!(of(&[LITERAL, SIGNATURE]), unexpected(15, 2));
        assert_eq!(of(&[PADDING, LITERAL]), unexpected(0, 21));
        assert_eq!(of(&[ONE_PASS, LITERAL, SIGNATURE]), unexpected(0, 4));
        assert_eq!(
            of(&[LITERAL, PADDING, &[0]]),
            Refused::TrailingOctets {
                offset: 19,
                count: 1
            }
        );
        assert!(of(&[]).is_truncated() && of(&[&LITERAL[..9]]).is_truncated());
        assert_eq!(
            of(&[&[0xaf], &LITERAL[2..]]),
            Refused::Framing(ReadError::IndeterminateLength { offset: 0, tag: 11 })
        );
    }

    #[test]
    fn a_literal_without_room_for_its_fields_is_refused() {
        for body in [
            &b""[..],
            b"b",
            b"b\x01",
            b"b\x00\x00\x00\x00",
            b"b\x09n\x00\x00\x00\x00",
        ] {
            let plaintext = [&[0xcb, body.len() as u8][..], body].concat();
            let error = ReadError::BodyTooShort {
                offset: 0,
                tag: 11,
                length: body.len(),
            };
            assert_eq!(
                read_literal(&plaintext).unwrap_err(),
                Refused::Framing(error)
            );
            assert_eq!(
                read_plain_message(&plaintext).unwrap_err(),
                Refused::Framing(error)
            );
        }
    }

    #[test]
    fn signatures_come_in_pairs_and_do_not_nest() {
        let of = |parts: &[&[u8]]| {
            read_plain_message(&parts.concat()).map(|message| message.signature_count())
        };
        assert_eq!(of(&[LITERAL]), Ok(0));
        assert_eq!(of(&[ONE_PASS, LITERAL, SIGNATURE, PADDING]), Ok(1));
        assert_eq!(
            of(&[&ONE_PASS.repeat(8), LITERAL, &SIGNATURE.repeat(8)]),
            Ok(8)
        );
        assert_eq!(
            of(&[ONE_PASS, LITERAL]),
            Err(Refused::SignatureCount {
                announced: 1,
                found: 0
            })
        );
        assert_eq!(
            of(&[LITERAL, SIGNATURE]),
            Err(Refused::SignatureCount {
                announced: 0,
                found: 1
            })
        );
        // The old form, a signature in front.
        assert!(of(&[SIGNATURE, LITERAL]).is_err());
        assert!(of(&[ONE_PASS, PADDING, LITERAL, SIGNATURE]).is_err());
        assert_eq!(
            of(&[&[0xc4, 0xc0, 0x41], &[0; 257], LITERAL]),
            Err(Refused::Framing(ReadError::BodyTooLong {
                offset: 0,
                tag: 4,
                length: 257,
                limit: ONE_PASS_BODY_MAX
            }))
        );
    }
}
