//! What an operator decides.

use layer_minus_message::{Chain, Prices};

/// Most events that are handled in one transaction.
pub const BATCH_EVENTS_MAX: usize = 128;
/// Longest time that a challenge waits for its answer, seconds.
pub const CHALLENGE_SECS: u64 = 600;
/// Most registrations that wait for their proof of possession at a time: as many of strangers, and as
/// many of clients who renew.
pub const CHALLENGES_MAX: usize = 4_096;
/// Most frames remembered of those who pay for nothing: questions without a signature, and what goes on
/// to other nodes. More than come in at the default rate while a frame lives.
pub const SEEN_UNPAID_ROWS_MAX: u64 = 2_000_000;
/// How long a lane may be used before it must be opened anew, seconds.
pub const LANE_SECS: u64 = 24 * 3_600;
/// Rows that the sweep takes at a time.
pub const SWEEP_ROWS_MAX: usize = 256;
/// Most bytes of mail that one transaction removes: what goes is overwritten, and that takes room in a
/// log.
pub const DROP_BYTES_MAX: u64 = 8_000_000;
/// How many times one tick takes them from each table: more than can come in between two ticks.
pub const SWEEP_ROUNDS_MAX: usize = 64;
/// Most numbers without a packet that one search for the next push passes over.
pub const NEXT_STEPS_MAX: usize = 1_024;
/// Most packets that one stream of a shared consumer holds unacknowledged.
pub const SHARE_WINDOW: usize = 16;
/// Most consumers of one mailbox.
pub const CONSUMERS_MAX: usize = 64;
/// Most channels of which it is known what an escrow holds.
pub const BACKINGS_MAX: u64 = 1_000_000;
/// How long the sweep leaves a statement alone after it dropped lines of it, seconds.
pub const STATEMENT_SWEEP_SECS: u64 = 24 * 3_600;
/// Most packets that one acknowledgement removes at once; the rest follow with the next tick.
pub const REMOVE_MAX: usize = 512;

/// Most channels that a client has left and on which something was charged that is not cashed or paid:
/// each is looked at until it is.
pub const FORMER_CHANNELS_MAX: usize = 16;
/// Most channels with one node: a new one begins when either side changes its cash wallet or chain.
pub const LANE_CHANNELS_MAX: usize = 16;
/// Most nodes that this one keeps books with.
pub const PEERS_MAX: usize = 100_000;
/// Nodes that stopped being served are looked at again, so many a tick.
pub const STOPPED_PEERS_PER_TICK: usize = 64;

/// How this node pays and is paid by other nodes for what they forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneConfig {
    /// Where this node's promises can be cashed.
    pub chain: Chain,
    /// What is owed before a voucher is signed, picodollars: many small packets share one signature.
    pub pay_at_pusd: u64,
    /// What a node may have credited here and not promised before nothing is forwarded to it any more,
    /// picodollars.
    pub unpromised_max_pusd: u64,
    /// What a node may have promised and not settled before nothing is forwarded to it any more,
    /// picodollars; what the operator granted that node comes on top.
    pub credit_pusd: u64,
}

impl Default for LaneConfig {
    fn default() -> Self {
        Self {
            chain: Chain::default(),
            pay_at_pusd: 100_000_000,
            unpromised_max_pusd: 1_000_000_000,
            credit_pusd: 1_000_000_000_000,
        }
    }
}

/// Limits and prices of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// Whether it takes clients. A relay does not.
    pub takes_clients: bool,
    /// What it charges and pays.
    pub prices: Prices,
    /// How long these prices are fixed for a client that registers or renews, seconds.
    pub prices_fixed_secs: u64,
    /// The smallest limit that a client may authorize, picodollars.
    pub minimum_authorization_pusd: u64,
    /// Credit of a client to whom the operator granted nothing, picodollars.
    pub default_credit_pusd: u64,
    /// How long mail waits, seconds.
    pub retention_secs: u64,
    /// How long the lines of a client's statement are kept, seconds. Their sum stays.
    pub statement_secs: u64,
    /// Most lines of a client's statement that are kept.
    pub statement_lines_max: u64,
    /// Room of one mailbox, bytes at list size.
    pub mailbox_bytes_max: u64,
    /// Ceiling of what a client may allow strangers to send it, bytes a day.
    pub strangers_bytes_per_day_max: u64,
    /// Most clients.
    pub clients_max: u64,
    /// Most streams.
    pub connections_max: usize,
    /// Most streams of one client.
    pub connections_per_client_max: usize,
    /// Time between heartbeats on a stream, seconds.
    pub heartbeat_secs: u64,
    /// A push of which nothing went out for so long ends the stream, seconds.
    pub slow_reader_secs: u64,
    /// Money between nodes.
    pub lanes: LaneConfig,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            takes_clients: true,
            prices: Prices::default(),
            prices_fixed_secs: 30 * 24 * 3_600,
            minimum_authorization_pusd: 1_000_000,
            default_credit_pusd: 0,
            retention_secs: 7 * 24 * 3_600,
            statement_secs: 400 * 24 * 3_600,
            statement_lines_max: 1_000_000,
            mailbox_bytes_max: 256_000_000,
            strangers_bytes_per_day_max: 10_000_000,
            clients_max: 1_000_000,
            connections_max: 20_000,
            connections_per_client_max: 16,
            heartbeat_secs: 20,
            slow_reader_secs: 60,
            lanes: LaneConfig::default(),
        }
    }
}
