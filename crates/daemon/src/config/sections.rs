//! The tables of the file. Every key has a default except those that only the operator can know.

use std::{
    net::{IpAddr, SocketAddr},
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use layer_minus_http::limits::{self, HEADER_TIMEOUT_MIN};
use layer_minus_message::{Prices, limits::VALIDITY_SECS_MAX};
use layer_minus_node::NodeConfig;
use layer_minus_packet::Sizes;
use layer_minus_routing::TableLimits;
use layer_minus_store_sqlite::Options;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::values::{self, Url};

/// `[http]`: where the node listens and what it is called.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where packets come in.
    pub listen: SocketAddr,
    /// The path that they are posted to.
    #[serde(default = "default_path", deserialize_with = "values::path")]
    pub path: String,
    /// The URLs under which others reach it, the path included.
    #[serde(deserialize_with = "values::urls")]
    pub urls: Vec<Url>,
    /// Where `/healthz` is answered; nowhere without it.
    pub admin: Option<SocketAddr>,
    /// The local address that outgoing connections come from.
    pub source: Option<IpAddr>,
    /// PEM file of further certificate authorities that other nodes may have.
    pub extra_roots: Option<PathBuf>,
}

fn default_path() -> String {
    limits::ServerConfig::PATH.to_owned()
}

/// `[tls]`: PEM files for `https`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, the node's own first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// `[packets]`: which sizes are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Packets {
    /// Exact sizes in bytes, ascending; a network's nodes agree on them.
    #[serde(deserialize_with = "values::sizes")]
    pub sizes: Sizes,
}

/// `[directory]`: other nodes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Directory {
    /// Directory files, beside what `directory import` keeps in the data folder.
    pub files: Vec<PathBuf>,
    /// Most nodes.
    pub nodes_max: NonZeroUsize,
    /// Most nodes that one peer may tell.
    pub per_peer_max: usize,
    /// Most keys without address.
    pub unaddressed_max: usize,
    /// Most unknown keys that are remembered as unknown.
    pub unknown_max: usize,
    /// Whether nodes that only peers told of may be at addresses that are not of the public internet.
    pub allow_private: bool,
    /// How often nodes whose records are over half of their time are asked for new ones, seconds.
    pub refresh_secs: NonZeroU64,
}

/// An hour: records live for days.
const REFRESH_SECS: u64 = 3_600;

impl Default for Directory {
    fn default() -> Self {
        let limits = TableLimits::default();
        Self {
            files: Vec::new(),
            nodes_max: NonZeroUsize::new(limits.nodes_max).unwrap_or(NonZeroUsize::MIN),
            per_peer_max: limits.per_peer_max,
            unaddressed_max: limits.unaddressed_max,
            unknown_max: limits.unknown_max,
            allow_private: false,
            refresh_secs: non_zero(REFRESH_SECS),
        }
    }
}

impl Directory {
    pub(crate) const fn limits(&self) -> TableLimits {
        TableLimits {
            nodes_max: self.nodes_max.get(),
            per_peer_max: self.per_peer_max,
            unaddressed_max: self.unaddressed_max,
            unknown_max: self.unknown_max,
        }
    }
}

/// `[record]`: what the node says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Record {
    /// How long a record is valid, seconds; it is renewed when half of that is over.
    #[serde(deserialize_with = "validity")]
    pub validity_secs: u64,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            validity_secs: VALIDITY_SECS_MAX,
        }
    }
}

/// Shortest validity of a record, seconds: there must be time to hand it out.
const VALIDITY_SECS_MIN: u64 = 10;

fn validity<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let secs = u64::deserialize(from)?;
    if (VALIDITY_SECS_MIN..=VALIDITY_SECS_MAX).contains(&secs) {
        return Ok(secs);
    }
    Err(D::Error::custom(format!(
        "validity is {VALIDITY_SECS_MIN} to {VALIDITY_SECS_MAX} seconds"
    )))
}

/// `[prices]`: picodollars (10⁻¹² dollar).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PriceList {
    /// Charged to a client per byte that comes in: mail and commands.
    pub in_per_byte: u64,
    /// Charged to a client per byte that is pushed to it.
    pub out_per_byte: u64,
    /// Credited to a forwarding node per byte passed.
    pub relay_per_byte: u64,
    /// Charged to a client per kB and hour of storage.
    pub storage_per_kb_hour: u64,
    /// The least that a pass is charged.
    pub minimum_charge: u64,
    /// Bytes that pass free of charge, for each client and UTC day.
    pub free_bytes_per_day: u64,
    /// How long the prices are fixed for a client that registers or renews, seconds.
    pub fixed_secs: u64,
}

impl Default for PriceList {
    fn default() -> Self {
        let prices = Prices::default();
        Self {
            in_per_byte: prices.in_per_byte.get(),
            out_per_byte: prices.out_per_byte.get(),
            relay_per_byte: prices.relay_per_byte.get(),
            storage_per_kb_hour: prices.storage_per_kb_hour.get(),
            minimum_charge: prices.minimum_charge.get(),
            free_bytes_per_day: prices.free_bytes_per_day,
            fixed_secs: NodeConfig::default().prices_fixed_secs,
        }
    }
}

impl From<PriceList> for Prices {
    fn from(list: PriceList) -> Self {
        Self {
            in_per_byte: list.in_per_byte.into(),
            out_per_byte: list.out_per_byte.into(),
            relay_per_byte: list.relay_per_byte.into(),
            storage_per_kb_hour: list.storage_per_kb_hour.into(),
            minimum_charge: list.minimum_charge.into(),
            free_bytes_per_day: list.free_bytes_per_day,
        }
    }
}

impl PriceList {
    /// That no packet costs more than can be counted: it would be noticed when the packet is there.
    pub(super) fn check(self, sizes: &Sizes, retention_secs: u64) -> Result<(), String> {
        let prices = Prices::from(self);
        let size = sizes.largest() as u64;
        let held = u128::from(size) * u128::from(retention_secs);
        let all = [
            prices.in_price(size),
            prices.out_price(size),
            prices.relay_price(size, prices.relay_per_byte),
            prices.storage_reserve_price(held),
        ];
        match all.into_iter().find_map(Result::err) {
            None => Ok(()),
            Some(error) => Err(format!("prices: {error} for a packet of {size} bytes")),
        }
    }
}

/// `[clients]`: what a recipient does for its clients.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clients {
    /// The smallest limit that a client may authorize, picodollars.
    pub minimum_authorization_pusd: u64,
    /// Credit of a client to whom nothing was granted, picodollars.
    pub default_credit_pusd: u64,
    /// How long mail waits, seconds.
    pub retention_secs: NonZeroU64,
    /// How long the lines of a client's statement are kept, seconds.
    pub statement_secs: NonZeroU64,
    /// Most lines of a client's statement.
    pub statement_lines_max: NonZeroU64,
    /// Room of one mailbox, bytes.
    pub mailbox_bytes_max: u64,
    /// Most that a client may allow strangers to send it, bytes a day.
    pub strangers_bytes_per_day_max: u64,
    /// Most clients.
    pub clients_max: u64,
    /// Most streams.
    pub connections_max: usize,
    /// Most streams of one client.
    pub connections_per_client_max: usize,
    /// Time between heartbeats, seconds.
    pub heartbeat_secs: NonZeroU64,
    /// A push that was not taken by then ends the stream, seconds.
    pub slow_reader_secs: NonZeroU64,
}

const fn non_zero(value: u64) -> NonZeroU64 {
    match NonZeroU64::new(value) {
        Some(value) => value,
        None => NonZeroU64::MIN,
    }
}

impl Default for Clients {
    fn default() -> Self {
        let node = NodeConfig::default();
        Self {
            minimum_authorization_pusd: node.minimum_authorization_pusd,
            default_credit_pusd: node.default_credit_pusd,
            retention_secs: non_zero(node.retention_secs),
            statement_secs: non_zero(node.statement_secs),
            statement_lines_max: non_zero(node.statement_lines_max),
            mailbox_bytes_max: node.mailbox_bytes_max,
            strangers_bytes_per_day_max: node.strangers_bytes_per_day_max,
            clients_max: node.clients_max,
            connections_max: node.connections_max,
            connections_per_client_max: node.connections_per_client_max,
            heartbeat_secs: non_zero(node.heartbeat_secs),
            slow_reader_secs: non_zero(node.slow_reader_secs),
        }
    }
}

impl Clients {
    pub(super) fn node(&self) -> NodeConfig {
        NodeConfig {
            minimum_authorization_pusd: self.minimum_authorization_pusd,
            default_credit_pusd: self.default_credit_pusd,
            retention_secs: self.retention_secs.get(),
            statement_secs: self.statement_secs.get(),
            statement_lines_max: self.statement_lines_max.get(),
            mailbox_bytes_max: self.mailbox_bytes_max,
            strangers_bytes_per_day_max: self.strangers_bytes_per_day_max,
            clients_max: self.clients_max,
            connections_max: self.connections_max,
            connections_per_client_max: self.connections_per_client_max,
            heartbeat_secs: self.heartbeat_secs.get(),
            slow_reader_secs: self.slow_reader_secs.get(),
            ..NodeConfig::default()
        }
    }
}

/// `[store]`: the database.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Memory for pages, bytes.
    pub cache_bytes: u64,
    /// Size that the file may reach, bytes; what the disk has without it.
    pub max_bytes: Option<u64>,
    /// How long to wait for a command that writes the same store, milliseconds.
    pub busy_timeout_ms: u64,
}

impl Default for Store {
    fn default() -> Self {
        let options = Options::default();
        Self {
            cache_bytes: options.cache_bytes,
            max_bytes: options.max_bytes,
            busy_timeout_ms: options.busy_timeout.as_millis() as u64,
        }
    }
}

impl Store {
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::default();
        options.busy_timeout = Duration::from_millis(self.busy_timeout_ms);
        options.cache_bytes = self.cache_bytes;
        options.max_bytes = self.max_bytes;
        options
    }
}

macro_rules! http_limits {
    (
        seconds { $($(#[$second_doc:meta])* $second_key:ident => $second:ident,)* }
        numbers { $($(#[$number_doc:meta])* $number:ident: $kind:ty,)* }
    ) => {
        /// `[limits]`: how much the sockets take on at a time, and how long they wait.
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Limits {
            $($(#[$second_doc])* pub $second_key: NonZeroU64,)*
            $($(#[$number_doc])* pub $number: $kind,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                let limits = limits::Limits::default();
                Self {
                    $($second_key: non_zero(limits.$second.as_secs()),)*
                    $($number: limits.$number,)*
                }
            }
        }

        impl Limits {
            pub(crate) fn http(&self) -> limits::Limits {
                // One that is new there has its default here until it is named above.
                #[allow(clippy::needless_update)]
                limits::Limits {
                    $($second: Duration::from_secs(self.$second_key.get()),)*
                    $($number: self.$number,)*
                    ..limits::Limits::default()
                }
            }
        }
    };
}

http_limits! {
    seconds {
        /// For the TLS handshake.
        handshake_timeout_secs => handshake_timeout,
        /// For a request's header, and how long an idle connection is kept.
        header_timeout_secs => header_timeout,
        /// For the next bytes of a body.
        body_timeout_secs => body_timeout,
        /// For a whole body.
        upload_timeout_secs => upload_timeout,
        /// A connection on which nothing moves is closed after it.
        idle_timeout_secs => idle_timeout,
        /// For what is in flight when the node stops.
        shutdown_timeout_secs => shutdown_timeout,
        /// For peers to say who has an unknown key.
        ask_timeout_secs => ask_timeout,
        /// For a next hop to open a lane.
        lane_timeout_secs => lane_timeout,
        /// How long a next hop that opened no lane is forwarded to without one.
        lane_pause_secs => lane_pause,
    }
    numbers {
        /// Connections at a time.
        connections_max: usize,
        /// Bytes of a request's header.
        header_bytes_max: usize,
        /// Bytes of packets that are held at a time.
        held_bytes_max: u64,
        /// Packets that are cut through at a time.
        forwards_max: usize,
        /// Streams at a time.
        streams_max: usize,
        /// Peers that are asked about one key.
        ask_peers_max: usize,
        /// Keys that are asked about at a time.
        asks_max: usize,
        /// Keys that are asked about per minute.
        asks_per_minute: u32,
        /// Packets that are sealed again and sent on at a time.
        onward_in_flight_max: usize,
        /// Bytes that are sealed again and sent on, per hour.
        onward_bytes_per_hour: u64,
        /// Packets that nobody pays for, opened per second: without a lane, and of each lane.
        unpaid_requests_per_second: u32,
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), String> {
        let least = HEADER_TIMEOUT_MIN.as_secs();
        if self.header_timeout_secs.get() < least {
            return Err(format!("limits.header_timeout_secs is at least {least}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields of a struct, by its debug output.
    fn fields(value: &impl std::fmt::Debug) -> usize {
        format!("{value:#?}")
            .lines()
            .filter(|line| line.starts_with("    "))
            .count()
    }

    #[test]
    fn every_limit_of_the_sockets_and_of_the_node_has_a_key() {
        assert_eq!(
            fields(&Limits::default()),
            fields(&limits::Limits::default())
        );
        // The prices and lanes are tables of their own, and who takes clients is told by the program.
        let node = format!("{:#?}", NodeConfig::default());
        let named = node.lines().filter(|line| {
            line.starts_with("    ") && !line.starts_with("     ") && line.contains(": ")
        });
        let own = ["takes_clients", "prices", "lanes"];
        let named = named.filter(|line| !own.iter().any(|own| line.trim().starts_with(own)));
        let keys = format!("{:?}", Clients::default());
        for line in named {
            let name = line.trim().split(':').next().unwrap_or_default();
            assert!(keys.contains(name), "{name} has no key in [clients]");
        }
        assert_eq!(Limits::default().http(), limits::Limits::default());
        let clients = Clients {
            heartbeat_secs: non_zero(7),
            ..Clients::default()
        };
        assert_eq!(clients.node().heartbeat_secs, 7);
    }
}
