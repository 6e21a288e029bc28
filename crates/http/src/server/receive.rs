//! From the body of a request to a packet whose recipient and size are known.

use std::{future::poll_fn, pin::Pin};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use layer_minus_packet::{Recipient, Sizes, WIRE_HEAD_MAX, read_wire_head};
use tokio::time::{Instant, timeout_at};

use super::{
    form,
    gate::{Gate, Permit},
};
use crate::{
    lane::COVERED_BYTES,
    limits::Limits,
    upload::{BodyTimes, Upload, drain},
};

/// Bytes that are read before anything is decided: the recipient and the size are in them, and they
/// are what a lane authenticates. Less than the smallest packet.
const FIRST_BYTES: usize = if WIRE_HEAD_MAX > COVERED_BYTES {
    WIRE_HEAD_MAX
} else {
    COVERED_BYTES
};

/// A packet that is coming in.
#[derive(Debug)]
pub(crate) struct Arriving {
    /// Whom it is for.
    pub(crate) recipient: Recipient,
    /// Its exact size, bytes; listed.
    pub(crate) size_bytes: usize,
    /// Its first bytes, at least [`COVERED_BYTES`].
    pub(crate) first: Bytes,
    /// The whole of it.
    pub(crate) upload: Upload,
    /// The room that it takes if it is held whole already.
    pub(crate) held: Option<Permit>,
}

/// Reads as much of the body as is needed to know whom it is for. A body that is a packet with a
/// length is left to be cut through; other forms are transcoded, which holds them whole, as far as
/// `gate` has room.
///
/// The error is the status of the page to answer.
pub(crate) async fn receive(
    request: Request<Incoming>,
    sizes: &Sizes,
    limits: &Limits,
    gate: &Gate,
) -> Result<Arriving, StatusCode> {
    let (parts, mut body) = request.into_parts();
    let announced = body.size_hint().exact();
    let (ahead, plain) = match look(&parts.headers, &mut body, sizes, limits).await {
        Ok(seen) => seen,
        Err(status) => {
            drain(body).await;
            return Err(status);
        }
    };
    let times = BodyTimes {
        piece: limits.body_timeout,
        whole: limits.upload_timeout,
    };
    if let Some((recipient, size_bytes)) = plain {
        // A copy, because a slice would keep the whole piece that it was read with.
        let first = Bytes::copy_from_slice(ahead.get(..COVERED_BYTES).unwrap_or(&ahead));
        let upload = Upload::new(ahead, body, size_bytes, times);
        return Ok(Arriving {
            recipient,
            size_bytes,
            first,
            upload,
            held: None,
        });
    }
    let most = sizes.largest() * 2;
    let limit_bytes =
        announced.map_or(most, |size| usize::try_from(size).unwrap_or(most).min(most));
    let body = Upload::unsized_within(ahead, body, limit_bytes, times);
    let transcoded = async {
        let transcoding = form::transcode(&parts.headers, &body, limit_bytes, sizes, gate);
        let (packet, held) = transcoding.await?;
        let recipient = check(&packet, packet.len(), sizes)?;
        Ok((held, packet, recipient))
    };
    match transcoded.await {
        Ok((held, packet, recipient)) => Ok(Arriving {
            recipient,
            size_bytes: packet.len(),
            first: packet.slice(..packet.len().min(COVERED_BYTES)),
            upload: Upload::whole(packet),
            held,
        }),
        Err(status) => {
            body.drain().await;
            Err(status)
        }
    }
}

/// The first bytes; and the recipient and size, if they are those of a packet that can be cut
/// through.
async fn look(
    headers: &HeaderMap,
    body: &mut Incoming,
    sizes: &Sizes,
    limits: &Limits,
) -> Result<(Bytes, Option<(Recipient, usize)>), StatusCode> {
    let announced = body.size_hint().exact();
    if announced.is_some_and(|announced| announced > 2 * sizes.largest() as u64) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let ahead = read_ahead(body, Instant::now() + limits.header_timeout).await?;
    let announced = announced.and_then(|size| usize::try_from(size).ok());
    let plain = match announced.filter(|_| is_plain(headers, &ahead)) {
        Some(size_bytes) => Some((check(&ahead, size_bytes, sizes)?, size_bytes)),
        None => None,
    };
    Ok((ahead, plain))
}

/// Whether the body is the packet itself: binary OpenPGP always has bit 7 of its first octet set.
fn is_plain(headers: &HeaderMap, ahead: &[u8]) -> bool {
    !form::is_multipart(headers) && ahead.first().is_some_and(|octet| octet & 0x80 != 0)
}

/// The recipient, if the head proves that these are the first bytes of a packet of `size_bytes`.
fn check(first: &[u8], size_bytes: usize, sizes: &Sizes) -> Result<Recipient, StatusCode> {
    if !sizes.contains(size_bytes) {
        return Err(StatusCode::BAD_REQUEST);
    }
    match read_wire_head(first) {
        Ok(head) if head.size == size_bytes => Ok(head.recipient),
        _ => Err(StatusCode::BAD_REQUEST),
    }
}

/// Reads the first bytes, or all if there are fewer.
async fn read_ahead(body: &mut Incoming, by: Instant) -> Result<Bytes, StatusCode> {
    let mut ahead = BytesMut::new();
    let mut only = Bytes::new();
    while ahead.len() + only.len() < FIRST_BYTES {
        let frame = timeout_at(by, poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)));
        match frame.await.map_err(|_| StatusCode::REQUEST_TIMEOUT)? {
            None => break,
            Some(Err(_)) => return Err(StatusCode::BAD_REQUEST),
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else {
                    continue;
                };
                // Usually one piece holds them all, and nothing is copied.
                if ahead.is_empty() && only.is_empty() {
                    only = data;
                } else {
                    ahead.extend_from_slice(&std::mem::take(&mut only));
                    ahead.extend_from_slice(&data);
                }
            }
        }
    }
    Ok(if ahead.is_empty() {
        only
    } else {
        ahead.freeze()
    })
}
