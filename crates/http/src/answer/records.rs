//! Streams of records that are made here.

use std::{
    collections::VecDeque,
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use layer_minus_delivery::{
    records::{Encoder, Record, RecordKind},
    sse,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::Form;
use crate::{
    error::Cause,
    limits::PIECE_BYTES_MAX,
    server::{gate::Permit, plain::Answered},
};

/// Where sealed records come from.
pub(crate) trait Records: Send + Unpin + 'static {
    /// The next sealed record, or a note for the node that reads; none at the end.
    fn poll_record(&mut self, cx: &mut Context<'_>) -> Poll<Option<Record>>;

    /// The socket has taken the last byte of the last record and asks for more.
    fn handed(&mut self) {}

    /// The socket has taken some of the last record and asks for the rest.
    fn moving(&mut self) {}
}

struct RecordsBody<R> {
    records: R,
    form: Form,
    /// Number of the next record, which clients see as the event's id.
    number: u64,
    pieces: VecDeque<Bytes>,
    given: bool,
    /// Whether a piece of that record was given out before.
    begun: bool,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: Permit,
}

/// An answer that gives out records until they end, the reader leaves, or the node stops.
pub(crate) fn records_stream(
    records: impl Records,
    form: Form,
    stop: CancellationToken,
    place: Permit,
) -> Answered {
    let stop = Box::pin(stop.cancelled_owned());
    let body = RecordsBody {
        records,
        form: form.clone(),
        number: 0,
        pieces: VecDeque::new(),
        given: false,
        begun: false,
        stop,
        _place: place,
    };
    form.stream(body.boxed_unsync())
}

impl<R: Records> RecordsBody<R> {
    fn load(&mut self, record: Record) -> Result<(), Cause> {
        let Record { kind, payload } = record;
        match (&self.form, kind) {
            (Form::Client, RecordKind::Data) => self
                .pieces
                .push_back(sse::Encoder::event(self.number, &payload)),
            (Form::Client, _) => return Ok(()),
            (Form::Lane(_), kind) => {
                let header = Encoder::header(kind, payload.len())?;
                self.pieces.push_back(Bytes::copy_from_slice(&header));
                self.pieces.push_back(payload);
            }
        }
        self.number += 1;
        self.given = true;
        self.begun = false;
        Ok(())
    }
}

impl<R: Records> Body for RecordsBody<R> {
    type Data = Bytes;
    type Error = Cause;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cause>>> {
        let this = self.get_mut();
        loop {
            if let Some(piece) = next_piece(&mut this.pieces) {
                if std::mem::replace(&mut this.begun, true) {
                    this.records.moving();
                }
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if std::mem::take(&mut this.given) {
                this.records.handed();
            }
            if this.stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            let Some(record) = ready!(this.records.poll_record(cx)) else {
                return Poll::Ready(None);
            };
            if let Err(error) = this.load(record) {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}

/// Takes at most [`PIECE_BYTES_MAX`] from the front.
pub(super) fn next_piece(pieces: &mut VecDeque<Bytes>) -> Option<Bytes> {
    loop {
        let front = pieces.front_mut()?;
        if !front.is_empty() {
            return Some(front.split_to(front.len().min(PIECE_BYTES_MAX)));
        }
        pieces.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;
    use crate::{Limits, server::gate::Gate};

    /// One record of so many bytes.
    struct One {
        bytes: usize,
        handed: Arc<AtomicUsize>,
        moving: Arc<AtomicUsize>,
    }

    impl Records for One {
        fn poll_record(&mut self, _: &mut Context<'_>) -> Poll<Option<Record>> {
            let bytes = std::mem::take(&mut self.bytes);
            Poll::Ready((bytes > 0).then(|| Record {
                kind: RecordKind::Data,
                payload: Bytes::from(vec![7; bytes]),
            }))
        }

        fn handed(&mut self) {
            self.handed.fetch_add(1, Ordering::Relaxed);
        }

        fn moving(&mut self) {
            self.moving.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn a_record_moves_with_each_piece_after_the_first() {
        let counter = || Arc::new(AtomicUsize::new(0));
        let (handed, moving) = (counter(), counter());
        let one = One {
            // In base64, with the words around it: three pieces.
            bytes: 2 * PIECE_BYTES_MAX,
            handed: Arc::clone(&handed),
            moving: Arc::clone(&moving),
        };
        let place = Gate::new(&Limits::default(), 1_000_000).stream().unwrap();
        let answer = records_stream(one, Form::Client, CancellationToken::new(), place);
        answer.into_body().collect().await.unwrap();
        assert_eq!(handed.load(Ordering::Relaxed), 1);
        assert_eq!(moving.load(Ordering::Relaxed), 2);
    }
}
