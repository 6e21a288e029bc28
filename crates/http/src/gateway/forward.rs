//! Packets for another node: passed on as they arrive, never held whole, stored or tried again.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use hyper::body::Incoming;
use tracing::debug;

use super::{Gateway, NextHop, Sender, hop::Sent};
use crate::{
    HttpError,
    answer::{Form, Upstream, is_sealed_length, pass_stream, records_stream, unframe},
    client::{body::OutBody, is_event_stream, is_octets},
    server::{plain::Answered, receive::Arriving},
};

impl Gateway {
    pub(super) async fn forward(
        &self,
        hop: &NextHop,
        arriving: Arriving,
        sender: Sender,
    ) -> Result<Answered, StatusCode> {
        let forwards_left = sender
            .forwards_left
            .checked_sub(1)
            .ok_or(StatusCode::NOT_FOUND)?;
        let _place = self.gate.forward().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
        let Arriving {
            first,
            upload,
            size_bytes,
            ..
        } = arriving;
        let sent = self
            .send(hop, &first, forwards_left, || {
                OutBody::upload(upload.clone())
            })
            .await;
        let sent = sent.map_err(|error| {
            let status = upload
                .failure()
                .map_or(blame(&error), |failure| failure.status());
            debug!(next = %hop.node, size_bytes, kind = error.kind(), "not forwarded");
            status
        })?;
        let status = sent.response.status();
        debug!(next = %hop.node, size_bytes, status = status.as_u16(), "forwarded");
        if status != StatusCode::OK {
            return Err(pass_status(status));
        }
        self.pass_back(sent, sender).await
    }

    /// Gives the next hop's answer to whoever sent the packet, in the form that he reads.
    async fn pass_back(&self, sent: Sent, sender: Sender) -> Result<Answered, StatusCode> {
        let Sent { response, on_lane } = sent;
        let once = match on_lane {
            true => response.headers().contains_key(header::CONTENT_LENGTH),
            false => !is_event_stream(&response),
        };
        if once {
            return self
                .sealed_once(response, on_lane)
                .await
                .map(|record| sender.form.once(record))
                .map_err(|error| blame(&error));
        }
        let place = self.gate.stream().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
        let timeout = self.client.options().stream_timeout;
        let (body, form, stop) = (response.into_body(), sender.form, sender.stop);
        if let (false, Form::Lane(_)) = (on_lane, &form) {
            let records = Upstream::new(body, on_lane, timeout);
            return Ok(records_stream(records, form, stop, place));
        }
        Ok(pass_stream(body, on_lane, form, timeout, stop, place))
    }
}

impl Gateway {
    /// Reads a one-shot answer that looks like a sealed record. Whatever else a next hop says, of
    /// itself or of a server that it only pretended to be, is not carried to whoever asked.
    pub(super) async fn sealed_once(
        &self,
        response: Response<Incoming>,
        on_lane: bool,
    ) -> Result<Bytes, HttpError> {
        if !is_octets(&response) {
            return Err(HttpError::Malformed("not a sealed answer"));
        }
        let read = self.client.read_once(response).await?;
        let record = if on_lane { unframe(&read)? } else { read };
        if !is_sealed_length(record.len()) {
            return Err(HttpError::Malformed("not as long as a sealed answer"));
        }
        Ok(record)
    }
}

/// What a web server says when the one behind it fails.
pub(super) const fn blame(error: &HttpError) -> StatusCode {
    match error {
        HttpError::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// What the next hop said of the packet is passed on; what it said of anything else is its failure.
fn pass_status(status: StatusCode) -> StatusCode {
    match status {
        StatusCode::BAD_REQUEST
        | StatusCode::NOT_FOUND
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => status,
        _ => StatusCode::BAD_GATEWAY,
    }
}
