//! A packet on its way in: the pieces that were read to find its recipient, then the rest as it
//! arrives. Never held whole.

use std::{
    future::{Future as _, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, timeout};

use crate::limits::{DRAIN, PIECE_BYTES_MAX};

/// The body of a request. Clones share it: when no connection came about, nothing was read, and the
/// next attempt can have it.
#[derive(Clone)]
pub(crate) struct Upload {
    size_bytes: usize,
    source: Arc<Mutex<Source>>,
}

struct Source {
    /// Read already; given out first.
    ahead: Bytes,
    rest: Option<Incoming>,
    /// Bytes that are still to be given out, or may be.
    missing_bytes: usize,
    /// Whether all of them must come.
    exact: bool,
    piece_timeout: Duration,
    timer: Pin<Box<Sleep>>,
    deadline: Instant,
    failure: Option<Failure>,
}

/// What was wrong with a body. Its sender is to blame, and not the next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// Nothing came for too long.
    #[error("too slow")]
    Slow,
    /// The connection broke.
    #[error("broke off")]
    Broken,
    /// It ended early.
    #[error("shorter than announced")]
    Short,
    /// More came than was announced or is allowed.
    #[error("too long")]
    Long,
}

impl Failure {
    /// What a web server says about it.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Long => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Broken | Self::Short => StatusCode::BAD_REQUEST,
        }
    }
}

/// Times for a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyTimes {
    /// For the next piece.
    pub(crate) piece: Duration,
    /// For the whole.
    pub(crate) whole: Duration,
}

impl Upload {
    /// A body that must have exactly `size_bytes`, of which `ahead` was read from `rest` already.
    pub(crate) fn new(ahead: Bytes, rest: Incoming, size_bytes: usize, times: BodyTimes) -> Self {
        Self::build(ahead, Some(rest), size_bytes, true, times)
    }

    /// A body of any size up to `limit_bytes`, of which `ahead` was read from `rest` already.
    pub(crate) fn unsized_within(
        ahead: Bytes,
        rest: Incoming,
        limit_bytes: usize,
        times: BodyTimes,
    ) -> Self {
        Self::build(ahead, Some(rest), limit_bytes, false, times)
    }

    /// A body that is here.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        let size_bytes = bytes.len();
        let times = BodyTimes {
            piece: Duration::from_secs(60),
            whole: Duration::from_secs(60),
        };
        Self::build(bytes, None, size_bytes, true, times)
    }

    fn build(
        ahead: Bytes,
        rest: Option<Incoming>,
        size_bytes: usize,
        exact: bool,
        times: BodyTimes,
    ) -> Self {
        let now = Instant::now();
        let source = Source {
            ahead,
            rest,
            missing_bytes: size_bytes,
            exact,
            piece_timeout: times.piece,
            timer: Box::pin(tokio::time::sleep(times.piece)),
            deadline: now + times.whole,
            failure: None,
        };
        Self {
            size_bytes,
            source: Arc::new(Mutex::new(source)),
        }
    }

    /// Bytes in all.
    pub(crate) const fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Why it failed, if it did.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.lock().failure
    }

    /// The next piece, at most [`PIECE_BYTES_MAX`]; none when all bytes were given out and the body
    /// ended there.
    pub(crate) fn poll_piece(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        let mut source = self.lock();
        let polled = source.poll(cx);
        if let Poll::Ready(Some(Err(failure))) = polled {
            source.failure = Some(failure);
        }
        polled
    }

    /// All of it, without a copy, if it is here.
    pub(crate) fn take_whole(&self) -> Option<Bytes> {
        self.lock().take_whole()
    }

    /// Reads what is still to come and forgets it; nothing is given out after.
    pub(crate) async fn drain(&self) {
        let rest = self.lock().rest.take();
        if let Some(rest) = rest {
            drain(rest).await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the rest of a body and forgets it, for at most [`DRAIN`]: a sender that is refused while it
/// still sends would otherwise lose the answer with its connection.
pub(crate) async fn drain(mut body: Incoming) {
    let rest =
        async { while let Some(Ok(_)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {} };
    // Whoever is slower than that has to do without.
    let _ = timeout(DRAIN, rest).await;
}

impl Source {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        if let Some(failure) = self.failure {
            return Poll::Ready(Some(Err(failure)));
        }
        loop {
            if !self.ahead.is_empty() {
                if self.ahead.len() > self.missing_bytes {
                    return Poll::Ready(Some(Err(Failure::Long)));
                }
                let piece = self.ahead.split_to(self.ahead.len().min(PIECE_BYTES_MAX));
                self.missing_bytes -= piece.len();
                return Poll::Ready(Some(Ok(piece)));
            }
            let Some(rest) = &mut self.rest else {
                return Poll::Ready(self.end());
            };
            match Pin::new(rest).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let until = (Instant::now() + self.piece_timeout).min(self.deadline);
                    self.timer.as_mut().reset(until);
                    if let Ok(data) = frame.into_data() {
                        self.ahead = data;
                    }
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(Err(Failure::Broken))),
                Poll::Ready(None) => {
                    self.rest = None;
                    return Poll::Ready(self.end());
                }
                Poll::Pending => {
                    return match self.timer.as_mut().poll(cx) {
                        Poll::Ready(()) => Poll::Ready(Some(Err(Failure::Slow))),
                        Poll::Pending => Poll::Pending,
                    };
                }
            }
        }
    }

    fn end(&self) -> Option<Result<Bytes, Failure>> {
        (self.exact && self.missing_bytes > 0).then_some(Err(Failure::Short))
    }

    fn take_whole(&mut self) -> Option<Bytes> {
        let here = self.rest.is_none() && self.ahead.len() == self.missing_bytes;
        here.then(|| {
            self.missing_bytes = 0;
            std::mem::take(&mut self.ahead)
        })
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload")
            .field("size_bytes", &self.size_bytes)
            .finish_non_exhaustive()
    }
}
