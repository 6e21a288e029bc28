//! A connection that cannot be held open by doing nothing.

use std::{
    future::Future as _,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// The HTTP/2 preface, which any HTTP/1 request outgrows too. Until so much was read, what the
/// connection speaks may not be known, and no timer of the HTTP library runs yet.
const FIRST_BYTES: u64 = 24;

/// Fails reads and writes when the first bytes do not come in time, and when nothing moves in
/// either direction for too long.
#[derive(Debug)]
pub(crate) struct Guarded<T> {
    io: T,
    read_bytes: u64,
    /// By when the first bytes must be there.
    first: Instant,
    idle: Duration,
    moved: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<T> Guarded<T> {
    pub(crate) fn new(io: T, first: Duration, idle: Duration) -> Self {
        let now = Instant::now();
        let timer = Box::pin(tokio::time::sleep(first.min(idle)));
        Self {
            io,
            read_bytes: 0,
            first: now + first,
            idle,
            moved: now,
            timer,
        }
    }

    /// Whether it is over; if not, the task is woken when it may be.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            std::task::ready!(self.timer.as_mut().poll(cx));
            let mut until = self.moved + self.idle;
            if self.read_bytes < FIRST_BYTES {
                until = until.min(self.first);
            }
            if until <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(until);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.io).poll_read(cx, buffer) {
            Poll::Ready(done) => {
                self.read_bytes += (buffer.filled().len() - before) as u64;
                self.moved = Instant::now();
                Poll::Ready(done)
            }
            Poll::Pending => self.poll_late(cx).map(Err),
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.io).poll_write(cx, bytes) {
            Poll::Ready(done) => {
                self.moved = Instant::now();
                Poll::Ready(done)
            }
            Poll::Pending => self.poll_late(cx).map(Err),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.io).poll_write_vectored(cx, pieces) {
            Poll::Ready(done) => {
                self.moved = Instant::now();
                Poll::Ready(done)
            }
            Poll::Pending => self.poll_late(cx).map(Err),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.io).poll_flush(cx) {
            Poll::Ready(done) => Poll::Ready(done),
            Poll::Pending => self.poll_late(cx).map(Err),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.io).poll_shutdown(cx) {
            Poll::Ready(done) => Poll::Ready(done),
            Poll::Pending => self.poll_late(cx).map(Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const FIRST: Duration = Duration::from_secs(5);
    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn silence_at_the_start_ends_it() {
        let (mut far, near) = duplex(64);
        let mut near = Guarded::new(near, FIRST, IDLE);
        far.write_all(b"P").await.unwrap();
        let started = Instant::now();
        let error = near.read_exact(&mut [0; 24]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!((Instant::now() - started).as_secs(), FIRST.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn later_silence_ends_it_after_the_longer_time_and_traffic_renews_it() {
        let (mut far, near) = duplex(64);
        let mut near = Guarded::new(near, FIRST, IDLE);
        far.write_all(&[0; 24]).await.unwrap();
        near.read_exact(&mut [0; 24]).await.unwrap();
        tokio::time::sleep(IDLE / 2).await;
        far.write_all(b"x").await.unwrap();
        near.read_exact(&mut [0; 1]).await.unwrap();
        let started = Instant::now();
        let error = near.read_exact(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!((Instant::now() - started).as_secs(), IDLE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_ends_it() {
        let (_far, near) = duplex(64);
        let mut near = Guarded::new(near, IDLE, IDLE);
        near.read_bytes = FIRST_BYTES;
        let error = near.write_all(&[0; 65]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
