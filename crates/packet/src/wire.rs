//! The wire shape: one PKESK, one SEIPD, both of fixed length.

use crate::{
    PKESK_BODY_MAX, ReadError, Recipient,
    header::{HEADER_MAX, Header, TAG_PKESK, TAG_SEIPD, slice},
    meter::Meter,
    pkesk,
};

/// How many first octets of a packet are always enough for [`read_wire_head`].
pub const WIRE_HEAD_MAX: usize = HEADER_MAX + PKESK_BODY_MAX + HEADER_MAX;

/// What the first octets of a packet on the wire tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireHead {
    /// Whom the PKESK names.
    pub recipient: Recipient,
    /// The total size in octets that the two headers prove: PKESK and SEIPD together.
    pub size: usize,
    /// Where the body of the SEIPD starts.
    pub seipd_body: usize,
}

/// Reads the head of a packet on the wire from its first octets, as they arrive.
///
/// The size is only what the head states: compare it with what was announced and with the
/// network's list ([`Sizes::contains`](crate::Sizes::contains)), and count the body.
///
/// # Errors
/// [`ReadError::Truncated`] when the prefix ends before the SEIPD's length is read (never with
/// [`WIRE_HEAD_MAX`] octets), otherwise what makes it no packet of ours.
pub fn read_wire_head(prefix: &[u8]) -> Result<WireHead, ReadError> {
    read_wire_head_metered(prefix, &mut ())
}

pub(crate) fn read_wire_head_metered(
    prefix: &[u8],
    meter: &mut impl Meter,
) -> Result<WireHead, ReadError> {
    let header = Header::read(prefix, 0, meter)?;
    if header.tag != TAG_PKESK {
        return Err(header.unexpected());
    }
    let end = header.end(header.fixed_within(PKESK_BODY_MAX)?)?;
    let name = pkesk::parse(&header, slice(prefix, header.body, end)?)?.name;
    let seipd = Header::read(prefix, end, meter)?;
    if seipd.tag != TAG_SEIPD {
        return Err(seipd.unexpected());
    }
    let size = seipd.end(seipd.fixed()?)?;
    Ok(WireHead {
        recipient: name.recipient(),
        size,
        seipd_body: seipd.body,
    })
}
