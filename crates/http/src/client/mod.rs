//! Posting packets and reading answers: what a client does, and what a node does towards others.

pub(crate) mod body;
mod reach;
mod stream;

use std::{net::IpAddr, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::{Instant, sleep_until, timeout};

pub(crate) use self::reach::Reach;
pub use self::stream::RecordStream;
use self::{
    body::{OutBody, Progress},
    reach::{Resolver, out_of_reach},
};
use crate::{
    HttpError,
    limits::{ANSWER_BYTES_MAX, PIECE_BYTES_MAX, POOL_IDLE, POOL_IDLE_MAX},
    tls,
};

pub(crate) const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
pub(crate) const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// How to reach others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpOptions {
    /// The local address that connections come from.
    pub source: Option<IpAddr>,
    /// For a connection to come about.
    pub connect_timeout: Duration,
    /// For the answer once everything was sent, and for the far side to take the next piece.
    pub answer_timeout: Duration,
    /// For the next bytes of a stream: a few heartbeats.
    pub stream_timeout: Duration,
    /// PEM file of further certificate authorities to trust.
    pub extra_roots: Option<PathBuf>,
    /// Whether a node connects to others of whom only peers told it even if their addresses are not
    /// of the public internet: for a network within a machine or a building.
    pub allow_private: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            source: None,
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(60),
            stream_timeout: Duration::from_secs(90),
            extra_roots: None,
            allow_private: false,
        }
    }
}

type Pool = Client<HttpsConnector<HttpConnector<Resolver>>, OutBody>;

/// Posts packets. Cheap to clone; clones share their idle connections.
#[derive(Clone)]
pub struct HttpClient {
    client: Pool,
    /// For targets that strangers named. Of its own, so that it never finds a connection of the other.
    public: Pool,
    options: Arc<HttpOptions>,
}

/// The answer to a packet.
#[derive(Debug)]
pub enum Reply {
    /// One sealed record.
    Once(Bytes),
    /// Sealed records for as long as the connection lives.
    Stream(RecordStream),
}

impl HttpClient {
    /// Makes a client.
    ///
    /// # Errors
    /// [`HttpError::TlsFile`] if the extra roots cannot be read.
    pub fn new(options: HttpOptions) -> Result<Self, HttpError> {
        let tls = tls::client(options.extra_roots.as_deref())?;
        Ok(Self {
            client: pool(&options, tls.clone(), Reach::Anywhere),
            public: pool(&options, tls, Reach::Public),
            options: Arc::new(options),
        })
    }

    /// How it reaches others.
    #[must_use]
    pub fn options(&self) -> &HttpOptions {
        &self.options
    }

    /// Posts a packet. `sent` hears how many of its bytes were handed over so far.
    ///
    /// # Errors
    /// [`HttpError`]; its text says what to do.
    pub async fn post(
        &self,
        url: &str,
        packet: Bytes,
        sent: Option<&(dyn Fn(u64) + Send + Sync)>,
    ) -> Result<Reply, HttpError> {
        let (body, progress) = OutBody::whole(packet);
        let request = post_request(parse_url(url)?, body);
        let response = self
            .exchange(Reach::Anywhere, request, &progress, sent)
            .await?;
        if response.status() != StatusCode::OK {
            return Err(HttpError::Status {
                status: response.status(),
            });
        }
        if is_event_stream(&response) {
            let stream = RecordStream::new(response.into_body(), self.options.stream_timeout);
            return Ok(Reply::Stream(stream));
        }
        self.read_once(response).await.map(Reply::Once)
    }

    /// Fetches a small file.
    ///
    /// # Errors
    /// [`HttpError`]; [`HttpError::TooLong`] above `limit_bytes`.
    pub async fn get(&self, url: &str, limit_bytes: usize) -> Result<Bytes, HttpError> {
        let mut request = Request::new(OutBody::Empty);
        *request.method_mut() = Method::GET;
        *request.uri_mut() = parse_url(url)?;
        let progress = Progress::default();
        let response = self
            .exchange(Reach::Anywhere, request, &progress, None)
            .await?;
        if response.status() != StatusCode::OK {
            return Err(HttpError::Status {
                status: response.status(),
            });
        }
        self.read(response.into_body(), limit_bytes).await
    }

    /// Sends a request and waits for the head of its response.
    pub(crate) async fn exchange(
        &self,
        reach: Reach,
        request: Request<OutBody>,
        progress: &Progress,
        sent: Option<&(dyn Fn(u64) + Send + Sync)>,
    ) -> Result<Response<Incoming>, HttpError> {
        let after = self.options.answer_timeout;
        let tell = || sent.iter().for_each(|tell| tell(progress.sent_bytes()));
        if reach.refuses(request.uri()) {
            return Err(HttpError::Connect(out_of_reach().into()));
        }
        let pool = match reach {
            Reach::Anywhere => &self.client,
            Reach::Public => &self.public,
        };
        let mut answer = pin!(pool.request(request));
        let mut since = Instant::now();
        loop {
            tokio::select! {
                biased;
                response = &mut answer => {
                    tell();
                    return response.map_err(|error| match error.is_connect() {
                        true => HttpError::Connect(error.into()),
                        false => HttpError::Broken(error.into()),
                    });
                }
                () = progress.moved() => {
                    since = Instant::now();
                    tell();
                }
                () = sleep_until(since + after) => {
                    if !progress.is_starved() {
                        return Err(HttpError::Timeout { what: "no answer", after });
                    }
                    since = Instant::now();
                }
            }
        }
    }

    /// Reads a one-shot answer.
    pub(crate) async fn read_once(&self, response: Response<Incoming>) -> Result<Bytes, HttpError> {
        self.read(response.into_body(), ANSWER_BYTES_MAX).await
    }

    async fn read(&self, mut body: Incoming, limit: usize) -> Result<Bytes, HttpError> {
        let after = self.options.answer_timeout;
        let mut whole = BytesMut::new();
        let late = |_| HttpError::Timeout {
            what: "the answer stood still",
            after,
        };
        while let Some(frame) = timeout(after, body.frame()).await.map_err(late)? {
            let frame = frame.map_err(|error| HttpError::Broken(error.into()))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if whole.len() + data.len() > limit {
                return Err(HttpError::TooLong { limit });
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Connections to whatever is in reach.
fn pool(options: &HttpOptions, tls: rustls::ClientConfig, reach: Reach) -> Pool {
    let mut tcp = HttpConnector::new_with_resolver(Resolver::new(reach));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_local_address(options.source);
    tcp.set_connect_timeout(Some(options.connect_timeout));
    tcp.set_keepalive(Some(crate::limits::KEEPALIVE));
    #[cfg(target_os = "linux")]
    tcp.set_tcp_user_timeout(Some(crate::limits::USER_TIMEOUT));
    // HTTP/1.1 only: a packet has its connection to itself, so that a slow one holds up no
    // other, and what it costs is bounded by one piece in each direction.
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_IDLE_MAX)
        .http1_max_buf_size(PIECE_BYTES_MAX)
        .build(connector)
}

/// Reads a URL that packets can be posted to.
pub(crate) fn parse_url(url: &str) -> Result<Uri, HttpError> {
    let parsed = url.parse::<Uri>().ok().filter(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    });
    parsed.ok_or_else(|| HttpError::Url(url.to_owned()))
}

/// The one request that carries a packet.
pub(crate) fn post_request(uri: Uri, body: OutBody) -> Request<OutBody> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, OCTETS);
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    request
}

/// Whether the answer can be a sealed record, by its type.
pub(crate) fn is_octets<B>(response: &Response<B>) -> bool {
    response.headers().get(header::CONTENT_TYPE) == Some(&OCTETS)
}

/// Whether the answer is a stream for a client.
pub(crate) fn is_event_stream<B>(response: &Response<B>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(EVENT_STREAM.as_bytes()))
}
