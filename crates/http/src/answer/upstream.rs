//! Whole records from the next hop.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::Body as _;
use hyper::body::Incoming;
use layer_minus_delivery::records::{Decoder, Record, RecordKind};
use tokio::time::{Instant, Sleep};

use super::Records;
use crate::{HttpError, client::RecordStream, lane::note::NoteSink};

/// The stream that a next hop answers with, record by record.
pub(crate) enum Upstream {
    /// As a node answers another.
    Lane(LaneStream),
    /// As a node answers a client.
    Client(RecordStream),
}

/// What a next hop sent.
pub(crate) enum Next {
    /// A sealed record for whoever reads on.
    Data(Bytes),
    /// A note on the lane, which was taken: something as long has its place for the reader.
    Note,
}

/// Length-prefixed records.
pub(crate) struct LaneStream {
    body: Incoming,
    decoder: Decoder,
    silence: Silence,
    notes: NoteSink,
}

impl Upstream {
    /// With `notes` the answer came on a lane.
    pub(crate) fn new(body: Incoming, notes: Option<NoteSink>, timeout: Duration) -> Self {
        match notes {
            Some(notes) => Self::Lane(LaneStream {
                body,
                decoder: Decoder::new(),
                silence: Silence::new(timeout),
                notes,
            }),
            None => Self::Client(RecordStream::new(body, timeout)),
        }
    }

    /// What comes next; none at the end.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Next, HttpError>>> {
        match self {
            Self::Lane(stream) => stream.poll_next(cx),
            Self::Client(stream) => {
                let next = stream.poll_next(cx);
                next.map(|next| next.map(|record| record.map(Next::Data)))
            }
        }
    }
}

/// Records passed on whole, for the rare reader whose form is another.
impl Records for Upstream {
    fn poll_record(&mut self, cx: &mut Context<'_>) -> Poll<Option<Record>> {
        loop {
            match ready!(self.poll_next(cx)) {
                Some(Ok(Next::Data(payload))) => {
                    let kind = RecordKind::Data;
                    return Poll::Ready(Some(Record { kind, payload }));
                }
                Some(Ok(Next::Note)) => {}
                Some(Err(_)) | None => return Poll::Ready(None),
            }
        }
    }
}

impl LaneStream {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Next, HttpError>>> {
        loop {
            match self.decoder.next_record() {
                Some(record) if record.kind == RecordKind::Data => {
                    return Poll::Ready(Some(Ok(Next::Data(record.payload))));
                }
                // For this node and not for whoever reads on.
                Some(note) => {
                    self.notes.take(&note.payload);
                    return Poll::Ready(Some(Ok(Next::Note)));
                }
                None => {}
            }
            let Some(piece) = ready!(poll_piece(&mut self.body, &mut self.silence, cx)) else {
                return Poll::Ready(None);
            };
            let pushed = piece.and_then(|piece| {
                let malformed = |_| HttpError::Malformed("not a sequence of records");
                self.decoder.push(&piece).map_err(malformed)
            });
            if let Err(error) = pushed {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}

/// Notices that nothing comes.
pub(super) struct Silence {
    timeout: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Silence {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            timer: Box::pin(tokio::time::sleep(timeout)),
        }
    }
}

/// The next bytes of a stream.
pub(super) fn poll_piece(
    body: &mut Incoming,
    silence: &mut Silence,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, HttpError>>> {
    loop {
        match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                silence
                    .timer
                    .as_mut()
                    .reset(Instant::now() + silence.timeout);
                if let Ok(piece) = frame.into_data() {
                    return Poll::Ready(Some(Ok(piece)));
                }
            }
            Poll::Ready(Some(Err(error))) => {
                return Poll::Ready(Some(Err(HttpError::Broken(error.into()))));
            }
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => {
                ready!(silence.timer.as_mut().poll(cx));
                let after = silence.timeout;
                let what = "the stream was silent";
                return Poll::Ready(Some(Err(HttpError::Timeout { what, after })));
            }
        }
    }
}
