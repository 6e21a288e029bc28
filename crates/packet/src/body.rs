//! Bodies in one piece or in parts of stated length (RFC 9580 §4.2.1.4).

use std::{iter::FusedIterator, ops::Range};

use crate::{
    ReadError, Refused,
    header::{Header, Length, read_length, slice},
    meter::Meter,
};

/// The shortest partial length that is admitted. RFC 9580 demands it of the first part only; a
/// sender who cuts finer makes work.
pub const PARTIAL_MIN: usize = 512;
/// The most partial lengths that are admitted in one packet: 2 MiB in the finest cut.
pub const PARTIALS_MAX: usize = 4_096;

/// Where the body of an admitted packet lies in the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// In one piece.
    Fixed(Range<usize>),
    /// In several, with a length in front of each.
    Partial {
        /// The first part.
        first: Range<usize>,
        /// How many partial lengths there are; the last part, of fixed length, is not counted.
        partials: usize,
        /// The octets of all parts together, lengths not counted.
        len: usize,
    },
}

impl Body {
    /// The octets of the body, lengths between its parts not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Fixed(range) => range.len(),
            Self::Partial { len, .. } => *len,
        }
    }

    /// Whether the body is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first part, or all of it.
    #[must_use]
    pub const fn first(&self) -> &Range<usize> {
        match self {
            Self::Fixed(range) | Self::Partial { first: range, .. } => range,
        }
    }

    /// The parts of the body, cut out of the `input` that it was found in.
    #[must_use]
    pub fn segments<'a>(&self, input: &'a [u8]) -> Segments<'a> {
        Segments {
            input,
            offset: self.first().start,
            length: Some(match self {
                Self::Fixed(range) => Length::Fixed(range.len()),
                Self::Partial { first, .. } => Length::Partial(first.len()),
            }),
            skip: 0,
        }
    }

    /// Follows the body behind that header; also says where the packet ends.
    pub(crate) fn walk(
        input: &[u8],
        header: &Header,
        meter: &mut impl Meter,
    ) -> Result<(Self, usize), Refused> {
        let Length::Partial(first) = header.length else {
            let end = header.end(header.fixed()?)?;
            slice(input, header.body, end)?;
            return Ok((Self::Fixed(header.body..end), end));
        };
        let (mut partials, mut len) = (0, 0);
        // Where the length octet stands, where its part starts, and how long it is.
        let (mut at, mut start, mut length) = (header.offset + 1, header.body, header.length);
        loop {
            let (octets, last) = match length {
                Length::Fixed(octets) => (octets, true),
                Length::Partial(octets) => (octets, false),
                Length::Indeterminate => return Err(header.unexpected().into()),
            };
            if !last {
                if octets < PARTIAL_MIN {
                    return Err(Refused::PartialTooShort {
                        offset: at,
                        length: octets,
                    });
                }
                if partials == PARTIALS_MAX {
                    return Err(Refused::TooManyPartials {
                        limit: PARTIALS_MAX,
                    });
                }
                partials += 1;
            }
            let end = start.checked_add(octets).ok_or(ReadError::Overflow {
                offset: header.offset,
            })?;
            slice(input, start, end)?;
            len += octets;
            if last {
                let first = header.body..header.body + first;
                return Ok((
                    Self::Partial {
                        first,
                        partials,
                        len,
                    },
                    end,
                ));
            }
            at = end;
            meter.step();
            (length, start) = read_length(input, end)?;
        }
    }
}

/// Iterator over the parts of a body, without the lengths between them.
#[derive(Debug, Clone)]
pub struct Segments<'a> {
    input: &'a [u8],
    offset: usize,
    length: Option<Length>,
    skip: usize,
}

impl Segments<'_> {
    /// Leaves out the first octets, which must lie in the first part.
    pub(crate) fn skipping(self, skip: usize) -> Self {
        Self { skip, ..self }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (octets, last) = match self.length.take()? {
            Length::Fixed(octets) => (octets, true),
            Length::Partial(octets) => (octets, false),
            Length::Indeterminate => return None,
        };
        let end = self.offset.checked_add(octets)?;
        let part = self.input.get(self.offset..end)?.get(self.skip..)?;
        self.skip = 0;
        if !last {
            let (length, offset) = read_length(self.input, end).ok()?;
            (self.length, self.offset) = (Some(length), offset);
        }
        Some(part)
    }
}

impl FusedIterator for Segments<'_> {}
