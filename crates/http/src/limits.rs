//! Every limit of the sockets, by name.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// Longest piece that is read from or written to a connection at once, bytes. What a packet costs
/// while it is cut through is a small multiple of this: one piece read, one being written.
pub const PIECE_BYTES_MAX: usize = 8 * 1024;
/// Longest one-shot answer that is read, bytes: the largest sealed answer, with room for the layers
/// of a nested one.
pub const ANSWER_BYTES_MAX: usize = 128 * 1024;
/// Streams of one HTTP/2 connection.
pub const H2_STREAMS_MAX: u32 = 64;
/// Pause after the system refused to accept a connection, usually because too many files are open.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long the rest of a packet that was refused is read and forgotten, so that its sender gets to
/// read the answer.
pub const DRAIN: Duration = Duration::from_secs(2);
/// How often a packet is passed on unchanged. One is usual: from where it was posted to the node
/// that it is for. It is counted down in `max-forwards` (RFC 9110 §7.6.2), so that records that point
/// at each other cannot keep a packet going round.
pub const FORWARDS_MAX: u8 = 3;
/// For the whole body of a packet that is held, not passed on, and besides that a second for every
/// [`HELD_BYTES_PER_SEC`].
pub const HELD_TIMEOUT: Duration = Duration::from_secs(10);
/// The slowest upload of a packet that is held, bytes per second.
pub const HELD_BYTES_PER_SEC: usize = 16_000;
/// Idle connections to one next hop that are kept.
pub const POOL_IDLE_MAX: usize = 16;
/// How long they are kept: less than any [`Limits::header_timeout`] in use, so that the far side
/// does not close one at the moment it is used.
pub const POOL_IDLE: Duration = Duration::from_secs(8);
/// TCP probes on a silent connection start after it.
pub const KEEPALIVE: Duration = Duration::from_secs(30);
/// Bytes that the far side does not acknowledge for so long end the connection.
pub const USER_TIMEOUT: Duration = Duration::from_secs(60);
/// Smallest [`Limits::header_timeout`] that [`POOL_IDLE`] allows.
pub const HEADER_TIMEOUT_MIN: Duration = Duration::from_secs(10);

/// How much a node takes on at a time, and how long it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the TLS handshake.
    pub handshake_timeout: Duration,
    /// For the request's header; an idle connection is closed after it too.
    pub header_timeout: Duration,
    /// For the next bytes of a request's body.
    pub body_timeout: Duration,
    /// For the whole body.
    pub upload_timeout: Duration,
    /// A connection on which nothing moves in either direction for so long is closed. Streams live by
    /// their heartbeats, so it is longer than a few of them.
    pub idle_timeout: Duration,
    /// For what is in flight when the node stops.
    pub shutdown_timeout: Duration,
    /// Connections at a time.
    pub connections_max: usize,
    /// Bytes of a request's header in HTTP/2; in HTTP/1 it has to fit [`PIECE_BYTES_MAX`].
    pub header_bytes_max: usize,
    /// Bytes of packets that are held at a time, as far as they have come: of those that are opened here
    /// and of those that are transcoded. At least two of the largest packets, whatever is set.
    pub held_bytes_max: u64,
    /// Packets that are cut through at a time.
    pub forwards_max: usize,
    /// Answers that are streams at a time.
    pub streams_max: usize,
    /// For peers to say who has an unknown key, and for the holder to prove it.
    pub ask_timeout: Duration,
    /// Peers that are asked about one key.
    pub ask_peers_max: usize,
    /// Keys that are asked about at a time.
    pub asks_max: usize,
    /// Keys that are asked about per minute: the head of a packet is enough to make a node ask.
    pub asks_per_minute: u32,
    /// For a next hop to open a lane, while the head of a packet is held back.
    pub lane_timeout: Duration,
    /// How long a next hop that opened no lane is forwarded to without one.
    pub lane_pause: Duration,
    /// Packets that are sealed again and sent to further nodes at a time: each is held until the next
    /// node has answered.
    pub onward_in_flight_max: usize,
    /// Bytes at list size that are sealed again and sent to further nodes, per hour.
    pub onward_bytes_per_hour: u64,
    /// Packets that are opened per second though nobody pays for them: so many without a lane, and as
    /// many of each node on its lane.
    pub unpaid_requests_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            upload_timeout: Duration::from_secs(900),
            idle_timeout: Duration::from_secs(120),
            shutdown_timeout: Duration::from_secs(10),
            connections_max: 20_000,
            header_bytes_max: PIECE_BYTES_MAX,
            held_bytes_max: 256_000_000,
            forwards_max: 4_096,
            streams_max: 20_000,
            ask_timeout: Duration::from_secs(2),
            ask_peers_max: 3,
            asks_max: 64,
            asks_per_minute: 240,
            lane_timeout: Duration::from_secs(3),
            lane_pause: Duration::from_secs(30),
            onward_in_flight_max: 128,
            onward_bytes_per_hour: 10_000_000_000,
            unpaid_requests_per_second: 200,
        }
    }
}

/// Where a node's certificate chain and private key are, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the node's own certificate first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// How a node is served.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where to listen. [`serve`](crate::serve) gets a listener; this is for whoever makes it.
    pub listen: SocketAddr,
    /// Where packets are posted: `/post` in the whitepaper.
    pub path: String,
    /// For `https`.
    pub tls: Option<TlsFiles>,
    /// The limits.
    pub limits: Limits,
    /// The local address that outgoing connections come from, for whoever makes the
    /// [`HttpClient`](crate::HttpClient).
    pub source: Option<IpAddr>,
}

impl ServerConfig {
    /// The path of the whitepaper.
    pub const PATH: &'static str = "/post";
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            path: Self::PATH.to_owned(),
            tls: None,
            limits: Limits::default(),
            source: None,
        }
    }
}
