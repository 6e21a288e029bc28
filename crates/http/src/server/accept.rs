//! The accept loop.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use super::guarded::Guarded;
use crate::{
    Gateway, HttpError, ServerConfig,
    limits::{
        ACCEPT_PAUSE, H2_STREAMS_MAX, HEADER_TIMEOUT_MIN, KEEPALIVE, Limits, PIECE_BYTES_MAX,
        USER_TIMEOUT,
    },
    tls,
};

/// Bytes that one HTTP/2 stream may be ahead.
const H2_STREAM_WINDOW_BYTES: u32 = 32 * 1024;
/// Bytes that all streams of a connection together may be ahead.
const H2_CONNECTION_WINDOW_BYTES: u32 = 512 * 1024;
/// How often HTTP/2 connections are asked whether they live, and how long they have to answer.
const H2_PING: Duration = Duration::from_secs(20);
/// How often what has expired is removed.
const HOUSEKEEPING: Duration = Duration::from_secs(30);

/// Serves a node until `shutdown`: then it accepts nothing more, ends the streams, and waits up to
/// the limit for what is in flight.
///
/// # Errors
/// [`HttpError::TlsFile`] and [`HttpError::Config`], before anything is served.
pub async fn serve(
    listener: TcpListener,
    gateway: Arc<Gateway>,
    config: ServerConfig,
    shutdown: CancellationToken,
) -> Result<(), HttpError> {
    if config.limits.header_timeout < HEADER_TIMEOUT_MIN {
        return Err(HttpError::Config("header timeout is under 10 s"));
    }
    if !config.path.starts_with('/') {
        return Err(HttpError::Config("path does not begin with '/'"));
    }
    let acceptor = config
        .tls
        .as_ref()
        .map(tls::server)
        .transpose()?
        .map(TlsAcceptor::from);
    let server = Arc::new(Server {
        builder: builder(&config.limits),
        gateway: Arc::clone(&gateway),
        acceptor,
        path: config.path,
        limits: config.limits,
        shutdown: shutdown.clone(),
        abort: CancellationToken::new(),
    });
    info!(tls = server.acceptor.is_some(), "serving");
    let tasks = TaskTracker::new();
    tokio::select! {
        () = server.accept(&listener, &tasks) => {}
        () = keep_house(&gateway) => {}
        () = shutdown.cancelled() => {}
    }
    drop(listener);
    tasks.close();
    let in_flight = tasks.len();
    if timeout(server.limits.shutdown_timeout, tasks.wait())
        .await
        .is_err()
    {
        warn!(connections = tasks.len(), "not everything ended in time");
        server.abort.cancel();
        tasks.wait().await;
    }
    info!(connections = in_flight, "stopped serving");
    Ok(())
}

async fn keep_house(gateway: &Arc<Gateway>) {
    let mut interval = tokio::time::interval(HOUSEKEEPING);
    loop {
        interval.tick().await;
        gateway.keep_house();
    }
}

struct Server {
    builder: Builder<TokioExecutor>,
    gateway: Arc<Gateway>,
    acceptor: Option<TlsAcceptor>,
    path: String,
    limits: Limits,
    shutdown: CancellationToken,
    /// Ends what did not end by itself.
    abort: CancellationToken,
}

impl Server {
    async fn accept(self: &Arc<Self>, listener: &TcpListener, tasks: &TaskTracker) {
        let room = Arc::new(Semaphore::new(
            self.limits.connections_max.min(Semaphore::MAX_PERMITS),
        ));
        loop {
            // More wait in the system's queue, and get in when somebody leaves.
            let Ok(place) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let server = Arc::clone(self);
                    tasks.spawn(async move {
                        let aborted = server.abort.clone();
                        tokio::select! {
                            () = server.connection(stream) => {}
                            () = aborted.cancelled() => {}
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    // Mostly connections that were gone before they were accepted.
                    debug!(kind = %error.kind(), "accept failed");
                    if !is_of_one_connection(&error) {
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }

    async fn connection(self: &Arc<Self>, stream: TcpStream) {
        prepare(&stream);
        let (first, idle) = (self.limits.header_timeout, self.limits.idle_timeout);
        let Some(acceptor) = &self.acceptor else {
            return Box::pin(self.talk(Guarded::new(stream, first, idle))).await;
        };
        match timeout(
            self.limits.handshake_timeout,
            Box::pin(acceptor.accept(stream)),
        )
        .await
        {
            Ok(Ok(stream)) => Box::pin(self.talk(Guarded::new(stream, first, idle))).await,
            Ok(Err(_)) => debug!("tls handshake failed"),
            Err(_) => debug!("tls handshake timed out"),
        }
    }

    async fn talk(self: &Arc<Self>, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let server = Arc::clone(self);
        let service = service_fn(move |request: Request<Incoming>| {
            let server = Arc::clone(&server);
            async move {
                let stop = server.shutdown.clone();
                Ok::<_, Infallible>(server.gateway.answer(request, &server.path, stop).await)
            }
        });
        let connection = self.builder.serve_connection(TokioIo::new(io), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if ended.is_err() {
            debug!("connection broke");
        }
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(PIECE_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(H2_PING)
        .max_concurrent_streams(H2_STREAMS_MAX)
        .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(PIECE_BYTES_MAX)
        .max_header_list_size(u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX));
    builder
}

/// Records go out at once, and a peer that vanished is noticed.
fn prepare(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    let alive = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
    let set = stream
        .set_nodelay(true)
        .and_then(|()| socket.set_tcp_keepalive(&alive));
    #[cfg(target_os = "linux")]
    let set = set.and_then(|()| socket.set_tcp_user_timeout(Some(USER_TIMEOUT)));
    if set.is_err() {
        debug!("socket options refused");
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
