//! Bodies that are sent, in bounded pieces, and how far they have come.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Notify;

use crate::{error::Cause, limits::PIECE_BYTES_MAX, upload::Upload};

/// How far a body has come. Shared between the body, which is somewhere inside the connection, and
/// whoever waits for the answer.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    sent_bytes: AtomicU64,
    starved: AtomicBool,
    moved: Notify,
}

impl Progress {
    /// Bytes that the connection has taken.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    /// Whether the body waits for its own source, so that the far side is not to blame.
    pub(crate) fn is_starved(&self) -> bool {
        self.starved.load(Ordering::Relaxed)
    }

    /// Returns when more was taken than at the last call.
    pub(crate) async fn moved(&self) {
        self.moved.notified().await;
    }

    pub(crate) fn starve(&self, starved: bool) {
        self.starved.store(starved, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.moved.notify_one();
    }
}

/// What a request carries.
pub(crate) enum OutBody {
    /// Nothing.
    Empty,
    /// A packet that is here.
    Whole(Bytes, Arc<Progress>),
    /// A packet that is still coming in.
    Upload(Upload, Arc<Progress>),
}

impl OutBody {
    /// The packet, and a place to see how far it has come.
    pub(crate) fn whole(packet: Bytes) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress::default());
        (Self::Whole(packet, Arc::clone(&progress)), progress)
    }

    /// The same for one that is cut through.
    pub(crate) fn upload(upload: Upload) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress::default());
        (Self::Upload(upload, Arc::clone(&progress)), progress)
    }
}

impl Body for OutBody {
    type Data = Bytes;
    type Error = Cause;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cause>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Whole(rest, progress) => {
                if rest.is_empty() {
                    return Poll::Ready(None);
                }
                let piece = rest.split_to(rest.len().min(PIECE_BYTES_MAX));
                progress.add(piece.len());
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Self::Upload(upload, progress) => {
                let polled = upload.poll_piece(cx);
                progress.starve(polled.is_pending());
                polled.map(|piece| {
                    piece.map(|piece| {
                        piece
                            .map(|piece| {
                                progress.add(piece.len());
                                Frame::data(piece)
                            })
                            .map_err(Cause::from)
                    })
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(rest, _) => rest.is_empty(),
            // Whether it ends where it should is known only by reading on.
            Self::Upload(..) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(rest, _) => SizeHint::with_exact(rest.len() as u64),
            Self::Upload(upload, _) => SizeHint::with_exact(upload.size_bytes() as u64),
        }
    }
}
