//! The commented file that `init` writes. What is commented out shows the default.

use std::fmt::Write as _;

use layer_minus_wallet::Address;

use super::{Clients, Directory, Lanes, Limits, PriceList, Record, Store};
use crate::app::Composition;

/// What `init` was told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which program it is for.
    pub composition: Composition,
    /// The network's id.
    pub network: String,
    /// The data folder, as it is to be written.
    pub data: String,
    /// The wallet that is paid.
    pub cash: Address,
    /// Where to listen.
    pub listen: String,
    /// The path that packets are posted to.
    pub path: String,
    /// The URLs under which others reach it.
    pub urls: Vec<String>,
    /// Where `/healthz` is answered.
    pub admin: Option<String>,
    /// The local address of outgoing connections.
    pub source: Option<String>,
}

impl Settings {
    /// What the examples in the documentation are made of.
    #[must_use]
    pub fn example(composition: Composition) -> Self {
        let name = composition.name();
        Self {
            composition,
            network: "layer-minus".to_owned(),
            data: format!("{name}-data"),
            cash: Address::repeat_byte(0x11),
            listen: "127.0.0.1:8443".to_owned(),
            path: "/post".to_owned(),
            urls: vec![format!("http://{name}.example:8443/post")],
            admin: Some("127.0.0.1:9443".to_owned()),
            source: None,
        }
    }
}

/// TOML's basic strings share JSON's escapes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Writes the file.
#[must_use]
pub fn render(settings: &Settings) -> String {
    let name = settings.composition.name();
    let urls: Vec<String> = settings.urls.iter().map(|url| quoted(url)).collect();
    let admin = settings.admin.as_deref().map_or_else(
        || "#admin = \"127.0.0.1:9443\"".to_owned(),
        |admin| format!("admin = {}", quoted(admin)),
    );
    let source = settings.source.as_deref().map_or_else(
        || "#source = \"192.0.2.1\"".to_owned(),
        |source| format!("source = {}", quoted(source)),
    );
    let mut text = format!(
        r##"# Configuration of a Layer Minus {name}.
#
# A line that begins with "#" and no space shows a default. Paths are relative to this file.
# After a change: `{name} --config FILE check`, then restart the node. A change of what others see
# (URLs, prices, sizes) makes a new record: hand out what `{name} --config FILE record` prints.

# Nodes and clients of other networks are refused.
network = {network}

# Keys and store. Who can read it and knows the password is this node.
data = {data}

# The wallet that is paid. Its key need not be on this machine: move its keystore away.
cash = "{cash}"

# Which log lines are written: error, warn, info, debug or trace, and per part of the program.
# The variable RUST_LOG wins.
#log = "info"

[http]
# Where packets come in, and the path that they are posted to.
listen = {listen}
path = {path}
# Where others reach it, path included, in order of preference. It is in the node's record.
urls = [{urls}]
# Where GET /healthz is answered. Keep it from the public.
{admin}
# The local address that outgoing connections come from.
{source}
# PEM file of further certificate authorities that other nodes may have.
#extra_roots = "roots.pem"

# For https without a reverse proxy in front: PEM files, read at the start.
#[tls]
#cert = "fullchain.pem"
#key = "privkey.pem"

[packets]
# Exact sizes in bytes, ascending. The nodes of a network agree on them.
#sizes = [16000, 1000000]

"##,
        network = quoted(&settings.network),
        data = quoted(&settings.data),
        cash = settings.cash,
        listen = quoted(&settings.listen),
        path = quoted(&settings.path),
        urls = urls.join(", "),
    );
    sections(&mut text, settings.composition);
    text
}

/// The tables that have a default for every key.
fn sections(text: &mut String, composition: Composition) {
    let (directory, record, prices) = (
        Directory::default(),
        Record::default(),
        PriceList::default(),
    );
    section(
        text,
        "directory",
        &[
            (
                "Directory files, beside what `directory import` keeps in the data folder.",
                "files",
                &"[]",
            ),
            ("Most other nodes.", "nodes_max", &directory.nodes_max),
            (
                "Most nodes that one peer may tell.",
                "per_peer_max",
                &directory.per_peer_max,
            ),
            (
                "Most keys without an address.",
                "unaddressed_max",
                &directory.unaddressed_max,
            ),
            (
                "Most unknown keys remembered as unknown.",
                "unknown_max",
                &directory.unknown_max,
            ),
            (
                "Whether nodes that only peers told of may be at private addresses. Yours always may.",
                "allow_private",
                &directory.allow_private,
            ),
            (
                "How often nodes are asked for new records when half the time of theirs is over.",
                "refresh_secs",
                &directory.refresh_secs,
            ),
        ],
    );
    section(
        text,
        "record",
        &[(
            "Validity of this node's record; it is renewed when half of that is over.",
            "validity_secs",
            &record.validity_secs,
        )],
    );
    section(
        text,
        "prices",
        &[
            (
                "Picodollars (10^-12 dollar). Charged to a client per byte that comes in,",
                "in_per_byte",
                &prices.in_per_byte,
            ),
            (
                "and per byte that is pushed to it.",
                "out_per_byte",
                &prices.out_per_byte,
            ),
            (
                "Credited to the node that forwarded, per byte passed.",
                "relay_per_byte",
                &prices.relay_per_byte,
            ),
            (
                "Charged to a client per kB and hour of storage.",
                "storage_per_kb_hour",
                &prices.storage_per_kb_hour,
            ),
            (
                "The least that a client is charged for a packet that passes.",
                "minimum_charge",
                &prices.minimum_charge,
            ),
            (
                "Bytes that pass free of charge, for each client and day (UTC). They earn nobody anything.",
                "free_bytes_per_day",
                &prices.free_bytes_per_day,
            ),
            (
                "How long the prices are fixed for a client that registers or renews, seconds.",
                "fixed_secs",
                &prices.fixed_secs,
            ),
        ],
    );
    lanes(text);
    if composition == Composition::Recipient {
        clients(text);
    }
    limits(text);
    let store = Store::default();
    section(
        text,
        "store",
        &[
            (
                "Memory for pages of the database, bytes.",
                "cache_bytes",
                &store.cache_bytes,
            ),
            (
                "How long to wait for a command that writes the same store, milliseconds.",
                "busy_timeout_ms",
                &store.busy_timeout_ms,
            ),
            (
                "Size that the database file may reach, bytes. Unlimited unless set.",
                "max_bytes",
                &10_000_000_000_u64,
            ),
        ],
    );
    let end = text.trim_end().len();
    text.truncate(end);
    text.push('\n');
}

fn lanes(text: &mut String) {
    let lanes = Lanes::default();
    let [contract, token] = [lanes.contract, lanes.token].map(|address| address.to_string());
    section(
        text,
        "lanes",
        &[
            (
                "What this node owes another for forwarding before it signs a voucher, picodollars.",
                "pay_at_pusd",
                &lanes.pay_at_pusd,
            ),
            (
                "What another may owe without a voucher, and by vouchers that are not settled, before nothing is\n# forwarded to it any more, picodollars. What `grant` gives a node comes on top.",
                "unpromised_max_pusd",
                &lanes.unpromised_max_pusd,
            ),
            ("", "credit_pusd", &lanes.credit_pusd),
            (
                "Where vouchers of this node can be cashed: chain, escrow contract, token. 0 for nowhere.",
                "chain_id",
                &lanes.chain_id,
            ),
            ("", "contract", &quoted(&contract)),
            ("", "token", &quoted(&token)),
        ],
    );
}

fn clients(text: &mut String) {
    let clients = Clients::default();
    section(
        text,
        "clients",
        &[
            (
                "The smallest limit that a client may authorize, picodollars.",
                "minimum_authorization_pusd",
                &clients.minimum_authorization_pusd,
            ),
            (
                "Credit of a client to whom nothing was granted, picodollars.",
                "default_credit_pusd",
                &clients.default_credit_pusd,
            ),
            (
                "How long mail waits.",
                "retention_secs",
                &clients.retention_secs,
            ),
            (
                "How long, and how many, lines of a client's statement are kept. Their sum stays.",
                "statement_secs",
                &clients.statement_secs,
            ),
            ("", "statement_lines_max", &clients.statement_lines_max),
            (
                "Room of one mailbox, bytes.",
                "mailbox_bytes_max",
                &clients.mailbox_bytes_max,
            ),
            (
                "Most that a client may allow strangers to send it, bytes a day.",
                "strangers_bytes_per_day_max",
                &clients.strangers_bytes_per_day_max,
            ),
            ("Most clients.", "clients_max", &clients.clients_max),
            (
                "Most streams, of all and of one client.",
                "connections_max",
                &clients.connections_max,
            ),
            (
                "",
                "connections_per_client_max",
                &clients.connections_per_client_max,
            ),
            (
                "Time between heartbeats on a stream.",
                "heartbeat_secs",
                &clients.heartbeat_secs,
            ),
            (
                "A push that was not taken by then ends the stream; it is tried on the next.",
                "slow_reader_secs",
                &clients.slow_reader_secs,
            ),
        ],
    );
}

fn limits(text: &mut String) {
    let limits = Limits::default();
    section(
        text,
        "limits",
        &[
            (
                "Times: for the TLS handshake,",
                "handshake_timeout_secs",
                &limits.handshake_timeout_secs,
            ),
            (
                "for a request's header and between two requests,",
                "header_timeout_secs",
                &limits.header_timeout_secs,
            ),
            (
                "for the next bytes of a body,",
                "body_timeout_secs",
                &limits.body_timeout_secs,
            ),
            (
                "for a whole body,",
                "upload_timeout_secs",
                &limits.upload_timeout_secs,
            ),
            (
                "on a connection where nothing moves,",
                "idle_timeout_secs",
                &limits.idle_timeout_secs,
            ),
            (
                "for what is in flight when the node stops,",
                "shutdown_timeout_secs",
                &limits.shutdown_timeout_secs,
            ),
            (
                "for peers to say who has an unknown key,",
                "ask_timeout_secs",
                &limits.ask_timeout_secs,
            ),
            (
                "for a next hop to open a lane, and how long one that did not is used without.",
                "lane_timeout_secs",
                &limits.lane_timeout_secs,
            ),
            ("", "lane_pause_secs", &limits.lane_pause_secs),
            (
                "At a time: connections,",
                "connections_max",
                &limits.connections_max,
            ),
            (
                "bytes of a request's header,",
                "header_bytes_max",
                &limits.header_bytes_max,
            ),
            (
                "bytes of packets held whole, as far as they have come,",
                "held_bytes_max",
                &limits.held_bytes_max,
            ),
            (
                "packets passed on as they come in,",
                "forwards_max",
                &limits.forwards_max,
            ),
            ("streams,", "streams_max", &limits.streams_max),
            (
                "peers asked about one key, and keys asked about.",
                "ask_peers_max",
                &limits.ask_peers_max,
            ),
            ("", "asks_max", &limits.asks_max),
            (
                "Keys that are asked about, per minute.",
                "asks_per_minute",
                &limits.asks_per_minute,
            ),
            (
                "Packets that this node takes out of its layers and sends on: at a time,",
                "onward_in_flight_max",
                &limits.onward_in_flight_max,
            ),
            (
                "and bytes of them per hour.",
                "onward_bytes_per_hour",
                &limits.onward_bytes_per_hour,
            ),
            (
                "Packets that nobody pays for, opened per second: without a lane, and of each node's lane.",
                "unpaid_requests_per_second",
                &limits.unpaid_requests_per_second,
            ),
        ],
    );
}

fn section(text: &mut String, name: &str, keys: &[(&str, &str, &dyn std::fmt::Display)]) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "[{name}]");
    for (comment, key, value) in keys {
        if !comment.is_empty() {
            let _ = writeln!(text, "# {comment}");
        }
        let _ = writeln!(text, "#{key} = {value}");
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Config;

    /// With the defaults in force, as the comments say that they are.
    fn uncommented(text: &str) -> String {
        let shown = text.lines().filter(|line| {
            !line.contains("max_bytes =") || line.contains("mailbox") || line.contains("header")
        });
        let lines = shown.map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest,
            _ => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_shown_are_the_defaults() {
        for composition in [Composition::Relay, Composition::Recipient] {
            let text = render(&Settings::example(composition));
            let config = Config::parse(&text, Path::new(""), composition).unwrap();
            let tls = "#cert = \"fullchain.pem\"\n#key = \"privkey.pem\"\n";
            let plain = text
                .replace(tls, "")
                .replace("#source =", "# source =")
                .replace("#extra_roots", "# extra_roots");
            let shown = uncommented(&plain);
            let explicit = Config::parse(&shown, Path::new(""), composition).unwrap();
            assert_eq!(explicit, config, "{shown}");
            let keys = shown
                .lines()
                .filter(|line| !line.starts_with('#') && line.contains(" = "));
            assert!(keys.count() > 30);
        }
    }

    /// The examples in the documentation are what `init` writes. To write them anew:
    /// `WRITE_EXAMPLES=1 cargo test -p layer-minus-daemon examples`.
    #[test]
    fn the_examples_in_the_documentation_are_these() {
        for composition in [Composition::Relay, Composition::Recipient] {
            let text = render(&Settings::example(composition));
            let path = format!(
                "{}/../../docs/examples/{}.toml",
                env!("CARGO_MANIFEST_DIR"),
                composition.name()
            );
            if std::env::var_os("WRITE_EXAMPLES").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            let found = std::fs::read_to_string(&path).unwrap();
            assert_eq!(found, text, "{path}");
            Config::parse(&found, Path::new("/etc/layer-minus"), composition).unwrap();
        }
    }

    #[test]
    fn what_needs_quotes_gets_them() {
        let mut settings = Settings::example(Composition::Relay);
        settings.data = "a \"b\" \\ ü".to_owned();
        settings.source = Some("127.0.0.9".to_owned());
        settings.admin = None;
        let config = Config::parse(&render(&settings), Path::new(""), Composition::Relay).unwrap();
        assert_eq!(config.data, Path::new("a \"b\" \\ ü"));
        assert_eq!(config.http.source, Some([127, 0, 0, 9].into()));
        assert_eq!(config.http.admin, None);
    }
}
