//! The readers with their steps counted, for tests and benches that bound the work.
//!
//! Not part of the public interface.

use crate::{Head, Layout, Literal, PlainMessage, ReadError, Refused, WireHead};

/// [`read_head`](crate::read_head), counting.
pub fn read_head<'a>(input: &'a [u8], steps: &mut usize) -> Result<Head<'a>, ReadError> {
    crate::head::read_head_metered(input, steps)
}

/// [`read_wire_head`](crate::read_wire_head), counting.
pub fn read_wire_head(prefix: &[u8], steps: &mut usize) -> Result<WireHead, ReadError> {
    crate::wire::read_wire_head_metered(prefix, steps)
}

/// [`admit_layer`](crate::admit_layer), counting.
pub fn admit_layer(bytes: &[u8], steps: &mut usize) -> Result<Layout, Refused> {
    crate::admit::layer(bytes, steps).map(|(pkesk, seipd)| Layout::one(pkesk, seipd))
}

/// [`admit_message`](crate::admit_message), counting.
pub fn admit_message(bytes: &[u8], steps: &mut usize) -> Result<Layout, Refused> {
    crate::admit::message(bytes, steps)
}

/// [`read_literal`](crate::read_literal), counting.
pub fn read_literal<'a>(plaintext: &'a [u8], steps: &mut usize) -> Result<Literal<'a>, Refused> {
    crate::plain::literal(plaintext, steps)
}

/// [`read_plain_message`](crate::read_plain_message), counting.
pub fn read_plain_message<'a>(
    plaintext: &'a [u8],
    steps: &mut usize,
) -> Result<PlainMessage<'a>, Refused> {
    crate::plain::plain_message(plaintext, steps)
}
