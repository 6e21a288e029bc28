//! Packets for another node: passed on as they arrive, never held whole, stored or tried again.

use std::sync::Arc;

use http::StatusCode;
use tracing::debug;

use super::{Gateway, NextHop, Sender, hop::Sent};
use crate::{
    HttpError,
    answer::{Form, Upstream, pass_stream, records_stream},
    client::body::OutBody,
    server::{plain::Answered, receive::Arriving},
};

impl Gateway {
    pub(super) async fn forward(
        self: &Arc<Self>,
        hop: &NextHop,
        arriving: Arriving,
        sender: Sender,
    ) -> Result<Answered, StatusCode> {
        let forwards_left = sender
            .forwards_left
            .checked_sub(1)
            .ok_or(StatusCode::NOT_FOUND)?;
        if !self.pays(hop) {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
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
        if sent.is_once() {
            let record = self.read_once(sent).await;
            return record
                .map(|record| sender.form.once(record, None))
                .map_err(|error| blame(&error));
        }
        let Sent { response, notes } = sent;
        let place = self.gate.stream().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
        let timeout = self.client.options().stream_timeout;
        let (body, form, stop) = (response.into_body(), sender.form, sender.stop);
        if let (None, Form::Lane(_)) = (&notes, &form) {
            let records = Upstream::new(body, notes, timeout);
            return Ok(records_stream(records, form, stop, place));
        }
        Ok(pass_stream(body, notes, form, timeout, stop, place))
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
