//! The stream that a client reads.

use std::{
    future::{Future as _, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::Body as _;
use hyper::body::Incoming;
use layer_minus_delivery::sse::Decoder;
use tokio::time::{Instant, Sleep};

use crate::HttpError;

/// Sealed records as they come; the connection closes when it is dropped.
pub struct RecordStream {
    body: Incoming,
    decoder: Box<Decoder>,
    timeout: Duration,
    timer: Pin<Box<Sleep>>,
    ended: bool,
}

impl RecordStream {
    pub(crate) fn new(body: Incoming, timeout: Duration) -> Self {
        let timer = Box::pin(tokio::time::sleep(timeout));
        Self {
            body,
            decoder: Box::default(),
            timeout,
            timer,
            ended: false,
        }
    }

    /// The next sealed record as it was on the wire; none once the stream has ended. After an
    /// error there is no more.
    pub async fn next(&mut self) -> Option<Result<Bytes, HttpError>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The same for whoever polls.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, HttpError>>> {
        loop {
            if let Some(event) = self.decoder.next_event() {
                let record = event.decode().map(Bytes::from);
                return Poll::Ready(Some(record.map_err(|_| self.malformed())));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.timer.as_mut().reset(Instant::now() + self.timeout);
                    let Ok(piece) = frame.into_data() else {
                        continue;
                    };
                    if self.decoder.push(&piece).is_err() {
                        return Poll::Ready(Some(Err(self.malformed())));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(HttpError::Broken(error.into()))));
                }
                Poll::Ready(None) => self.ended = true,
                Poll::Pending => {
                    std::task::ready!(self.timer.as_mut().poll(cx));
                    self.ended = true;
                    let after = self.timeout;
                    return Poll::Ready(Some(Err(HttpError::Timeout {
                        what: "the stream was silent",
                        after,
                    })));
                }
            }
        }
    }

    fn malformed(&mut self) -> HttpError {
        self.ended = true;
        *self.decoder = Decoder::new();
        HttpError::Malformed("not an event stream of records")
    }
}

impl std::fmt::Debug for RecordStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordStream")
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
