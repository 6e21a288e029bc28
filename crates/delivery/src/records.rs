//! Records of the stream between two nodes: a length, a type, a payload.
//!
//! ```text
//! 0  length of the payload, big-endian   4
//! 4  type: 0 data, 1 voucher             1
//! 5  payload
//! ```
//!
//! ```
//! use layer_minus_delivery::records::{Decoder, Encoder, RecordKind};
//!
//! let wire = Encoder::record(RecordKind::Data, b"hi")?;
//! assert_eq!(&wire[..], b"\x00\x00\x00\x02\x00hi");
//!
//! let mut decoder = Decoder::new();
//! decoder.push(&wire[..3])?;
//! assert_eq!(decoder.next_record(), None);
//! decoder.push(&wire[3..])?;
//! let record = decoder.next_record().ok_or("no record")?;
//! assert_eq!((record.kind, &record.payload[..]), (RecordKind::Data, &b"hi"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use crate::DeliveryError;

/// Length of a record before its payload.
pub const RECORD_HEADER_BYTES: usize = 5;

/// Longest payload, unless [`Decoder::with_max`] says otherwise.
pub const RECORD_BYTES_MAX: usize = 2 << 20;

/// What a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// Bytes for the client at the end of the stream.
    Data,
    /// A voucher for the node that reads the stream.
    Voucher,
}

impl RecordKind {
    const fn tag(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Voucher => 1,
        }
    }

    const fn from_tag(tag: u8) -> Result<Self, DeliveryError> {
        match tag {
            0 => Ok(Self::Data),
            1 => Ok(Self::Voucher),
            tag => Err(DeliveryError::UnknownRecord { tag }),
        }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it carries.
    pub kind: RecordKind,
    /// The payload; may be empty.
    pub payload: Bytes,
}

/// Writes records.
#[derive(Debug, Clone, Copy)]
pub struct Encoder;

impl Encoder {
    /// A whole record.
    ///
    /// # Errors
    /// [`DeliveryError::RecordTooLong`] above [`RECORD_BYTES_MAX`].
    pub fn record(kind: RecordKind, payload: &[u8]) -> Result<Bytes, DeliveryError> {
        let header = Self::header(kind, payload.len())?;
        let mut record = BytesMut::with_capacity(RECORD_HEADER_BYTES + payload.len());
        record.put_slice(&header);
        record.put_slice(payload);
        Ok(record.freeze())
    }

    /// What goes before a payload of this length, for callers that do not want it copied.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn header(
        kind: RecordKind,
        len: usize,
    ) -> Result<[u8; RECORD_HEADER_BYTES], DeliveryError> {
        let too_long = DeliveryError::RecordTooLong {
            len,
            max: RECORD_BYTES_MAX,
        };
        let announced = u32::try_from(len).ok().filter(|_| len <= RECORD_BYTES_MAX);
        let [a, b, c, d] = announced.ok_or(too_long)?.to_be_bytes();
        Ok([a, b, c, d, kind.tag()])
    }
}

/// Reads records from a stream in pieces of any size.
///
/// It holds at most one unfinished record, and refuses one that is too long at its header.
/// Take the records out after each [`push`](Self::push): finished ones wait without a bound of
/// their own.
#[derive(Debug)]
pub struct Decoder {
    max: usize,
    header: [u8; RECORD_HEADER_BYTES],
    header_len: usize,
    /// The record whose header is complete: its kind, and what is missing of its payload.
    open: Option<(RecordKind, usize)>,
    payload: BytesMut,
    ready: VecDeque<Record>,
    failed: Option<DeliveryError>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Reads payloads up to [`RECORD_BYTES_MAX`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_max(RECORD_BYTES_MAX)
    }

    /// Reads payloads up to `max` bytes.
    #[must_use]
    pub fn with_max(max: usize) -> Self {
        Self {
            max,
            header: [0; RECORD_HEADER_BYTES],
            header_len: 0,
            open: None,
            payload: BytesMut::new(),
            ready: VecDeque::new(),
            failed: None,
        }
    }

    /// Reads a piece.
    ///
    /// # Errors
    /// [`DeliveryError::RecordTooLong`] or [`DeliveryError::UnknownRecord`]. From then on every
    /// call fails; records read before can still be taken.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), DeliveryError> {
        if let Some(failure) = &self.failed {
            return Err(failure.clone());
        }
        while !piece.is_empty() {
            let Some((kind, missing)) = self.open else {
                piece = self.read_header(piece)?;
                continue;
            };
            let (part, rest) = piece.split_at(missing.min(piece.len()));
            // Room grows with what has come, not with what was announced.
            self.payload.extend_from_slice(part);
            piece = rest;
            self.open = Some((kind, missing - part.len()));
            self.finish();
        }
        Ok(())
    }

    /// Takes the oldest record read.
    pub fn next_record(&mut self) -> Option<Record> {
        self.ready.pop_front()
    }

    /// Whether the stream could end here: no record is unfinished.
    #[must_use]
    pub const fn is_between_records(&self) -> bool {
        self.header_len == 0 && self.open.is_none()
    }

    fn read_header<'p>(&mut self, piece: &'p [u8]) -> Result<&'p [u8], DeliveryError> {
        let room = self.header.get_mut(self.header_len..).unwrap_or_default();
        let (part, rest) = piece.split_at(room.len().min(piece.len()));
        for (slot, byte) in room.iter_mut().zip(part) {
            *slot = *byte;
        }
        self.header_len += part.len();
        if self.header_len == RECORD_HEADER_BYTES {
            let [a, b, c, d, tag] = self.header;
            let len = u32::from_be_bytes([a, b, c, d]) as usize;
            let opened = if len > self.max {
                Err(DeliveryError::RecordTooLong { len, max: self.max })
            } else {
                RecordKind::from_tag(tag)
            };
            match opened {
                Ok(kind) => {
                    self.header_len = 0;
                    self.open = Some((kind, len));
                    self.finish();
                }
                Err(failure) => {
                    self.failed = Some(failure.clone());
                    return Err(failure);
                }
            }
        }
        Ok(rest)
    }

    fn finish(&mut self) {
        if let Some((kind, 0)) = self.open {
            self.open = None;
            let payload = self.payload.split().freeze();
            self.ready.push_back(Record { kind, payload });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_long_is_refused_at_the_header() {
        let mut decoder = Decoder::with_max(10);
        decoder.push(&[0, 0, 0, 0, 1]).unwrap();
        let failure = DeliveryError::RecordTooLong { len: 11, max: 10 };
        assert_eq!(decoder.push(&[0, 0, 0, 11, 0]), Err(failure.clone()));
        assert_eq!(decoder.push(b"x"), Err(failure));
        let before = decoder.next_record().unwrap();
        assert_eq!(
            (before.kind, before.payload.len()),
            (RecordKind::Voucher, 0)
        );
        assert_eq!(decoder.next_record(), None);
        assert!(!decoder.is_between_records());

        let len = RECORD_BYTES_MAX + 1;
        assert!(Encoder::header(RecordKind::Data, len).is_err());
        assert!(Encoder::header(RecordKind::Data, RECORD_BYTES_MAX).is_ok());
    }

    #[test]
    fn what_was_announced_takes_no_room_before_it_comes() {
        let mut decoder = Decoder::new();
        decoder.push(&[0x00, 0x20, 0, 0, 0]).unwrap();
        assert!(decoder.payload.capacity() < 64);
        assert!(!decoder.is_between_records());
    }

    #[test]
    fn an_unknown_type_is_refused() {
        let mut decoder = Decoder::new();
        assert_eq!(
            decoder.push(&[0, 0, 0, 1, 2, 9]),
            Err(DeliveryError::UnknownRecord { tag: 2 })
        );
        assert_eq!(decoder.next_record(), None);
    }
}
