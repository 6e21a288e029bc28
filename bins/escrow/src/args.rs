//! What it is told.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::{Args as Group, Parser, Subcommand};
use layer_minus_client_sdk::money::parse_usd;
use layer_minus_message::{channel::PUSD_PER_TOKEN_UNIT, limits::WITHDRAW_DELAY_SECS};
use layer_minus_settlement::Channel;
use layer_minus_wallet::{Address, Wallet, keystore::Keystore, parse_address};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::error::AgentError;

/// Largest file that is read, bytes.
const FILE_BYTES_MAX: u64 = 65_536;

const AFTER_HELP: &str = "\
'watch' and 'claim' are for operators of nodes, the others for their clients. CHANNEL is a file with what
'client --json channel' prints, or '-' for standard input. Amounts are US dollars in steps of a token
unit, 0.000001; the token has 6 decimals.

Exit codes: 0 done, 1 failed, or some of it did; 2 the command line makes no sense.

JSON (--json): one object per line on standard output; *_units are token units as decimal strings.
  any command   {\"error\":{\"text\"}}
  watch         {\"channels\",\"backed_units\",\"marked_units\",\"withdrawals\",\"errors\"} for each look, then
                {\"withdrawal\":{\"channel_id\",\"matures_at\",\"due_units\"}} for each that is announced
  claim         {\"transaction\",\"channels\",\"gas\"} each, with 0 channels for a transfer, and
                {\"left_out\":{\"channel_id\",\"text\"}} for each channel that is not claimed though it owes
  channel, deposit, withdraw
                {\"channel_id\",\"balance_units\",\"claimed_units\",\"final_units\",\"backing_units\",
                 \"withdrawing_units\",\"matures_at\"}, after what was sent; the latter two are absent if
                nothing was announced";

/// Stands between the books of Layer Minus and an escrow contract
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// JSON-RPC of a node of the chain, http://…; it learns which channels are yours, so run your own
    #[arg(long, global = true, default_value = "http://127.0.0.1:8545")]
    pub(crate) rpc: String,
    /// Print one JSON object per line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Look at the deposits of clients' channels, tell the node what they back, and mark what is settled
    ///
    /// A channel on which a withdrawal is announced backs nothing more, and is told with what is to be
    /// claimed before. What goes wrong with one channel is told, and the others are looked at.
    Watch {
        #[command(flatten)]
        books: Books,
        /// Seconds between two looks; the node counts on a deposit for three of them, and no longer than
        /// for half of the channel's withdraw delay
        #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
        every: u64,
        /// Look once and end; exit code 1 if anything went wrong
        #[arg(long)]
        once: bool,
        /// Shortest withdraw delay of a channel that backs anything: so long there is to claim once a
        /// withdrawal is announced. The client chooses the delay, a day if nothing is said
        #[arg(long, value_name = "SECONDS", default_value_t = 86_400, value_parser = delay())]
        min_delay: u64,
    },
    /// Claim what is due on this contract, of each channel as much as it holds; 'watch' marks it once its
    /// block is final
    ///
    /// Left out and told: channels that hold nothing more than was claimed, that the contract refuses,
    /// and those marked as settled beyond what was claimed: they were paid in another way. What goes wrong
    /// with one batch is told at the end, and the others are sent.
    Claim {
        #[command(flatten)]
        books: Books,
        /// Who sends: the receiver of the claims, or its authorizer
        #[command(flatten)]
        sender: Sender,
        /// Also transfer to the receiver what was claimed, now or earlier
        #[arg(long)]
        pay_out: bool,
        /// Least increase of a channel that is worth its gas; any is where a withdrawal is announced
        #[arg(long, value_name = "USD", default_value = "0.01", value_parser = units)]
        at_least: u64,
        /// Claim again and again, so many seconds apart, until Ctrl-C
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
        every: Option<u64>,
    },
    /// Show what a channel holds
    Channel {
        /// The channel
        channel: PathBuf,
    },
    /// Deposit into a channel: into one's own, or somebody else's
    Deposit {
        /// The channel
        channel: PathBuf,
        /// How much
        #[arg(long, value_name = "USD", value_parser = units)]
        amount: u64,
        /// Who pays
        #[command(flatten)]
        sender: Sender,
    },
    /// Take a deposit back: announce it, and call again once the channel's delay is over
    Withdraw {
        /// The channel
        channel: PathBuf,
        /// How much is announced [default: all that is not claimed]
        #[arg(long, value_name = "USD", value_parser = units)]
        amount: Option<u64>,
        /// Take the announcement back
        #[arg(long, conflicts_with = "amount")]
        cancel: bool,
        /// The payer of the channel
        #[command(flatten)]
        sender: Sender,
    },
}

/// The books of a node, and where it is paid.
#[derive(Debug, Group)]
pub(crate) struct Books {
    /// The node's database, store.db in its data folder; the node may run meanwhile
    #[arg(long)]
    pub(crate) store: PathBuf,
    /// The escrow contract
    #[arg(long, value_parser = parse_address)]
    pub(crate) contract: Address,
    /// The token that counts; channels of any other back nothing, because anybody can make one
    #[arg(long, value_parser = parse_address)]
    pub(crate) token: Address,
}

/// Whose transactions are sent.
#[derive(Debug, Group)]
pub(crate) struct Sender {
    /// The wallet that sends: a keystore, such as cash.json in a client's home
    #[arg(long)]
    keystore: PathBuf,
    /// Holds the keystore's password
    #[arg(long)]
    password_file: PathBuf,
}

impl Sender {
    /// Its wallet.
    pub(crate) fn wallet(&self) -> Result<Wallet, AgentError> {
        let text = read(&self.keystore)?;
        let password = read(&self.password_file)?;
        let password = password.trim_end_matches(['\r', '\n']);
        Ok(Keystore::from_json(&text)?.decrypt(password.as_bytes())?)
    }
}

/// A channel as a client tells of it; what else it says is for people.
#[derive(Debug, Deserialize)]
pub(crate) struct Paper {
    pub(crate) channel: Channel,
}

/// Reads a channel.
pub(crate) fn paper(path: &Path) -> Result<Paper, AgentError> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        let read = io::stdin()
            .take(FILE_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(|source| AgentError::file(path, source));
        read?;
        Zeroizing::new(text)
    } else {
        read(path)?
    };
    serde_json::from_str(&text).map_err(|source| AgentError::Channel {
        path: path.to_owned(),
        source,
    })
}

fn read(path: &Path) -> Result<Zeroizing<String>, AgentError> {
    let failed = |source| AgentError::file(path, source);
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > FILE_BYTES_MAX {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(failed)
}

/// A withdraw delay as contracts take it.
fn delay() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(WITHDRAW_DELAY_SECS)
}

/// Dollars as token units.
fn units(text: &str) -> Result<u64, String> {
    let pusd = parse_usd(text).map_err(|error| error.to_string())?;
    if pusd == 0 || !pusd.is_multiple_of(PUSD_PER_TOKEN_UNIT) {
        return Err("an amount is a multiple of 0.000001 US dollars, and not zero".to_owned());
    }
    Ok(pusd / PUSD_PER_TOKEN_UNIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn amounts_are_whole_units() {
        assert_eq!(units("1"), Ok(1_000_000));
        assert_eq!(units("0.000001"), Ok(1));
        for bad in ["0", "0.0000001", "-1", "much"] {
            assert!(units(bad).is_err(), "{bad}");
        }
    }
}
