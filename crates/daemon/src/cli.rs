//! The arguments of `relay` and `recipient`.

use std::{
    ffi::OsString,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand, error::ErrorKind};
use layer_minus_wallet::Address;

use crate::{amount, app::Composition, error::DaemonError};

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong arguments, configuration or password.

JSON (--json): one object per line on standard output. 64-bit integers are decimal strings; *_pusd
are picodollars (10^-12 US dollars). What fails ends with {\"error\":{\"kind\",\"text\",\"advice\",
\"reason\"}}, whose kind is usage, password or failure.

Without a command it runs the node. Password of the keystores: --password-file, else the service
credential `password`, else $LAYER_MINUS_PASSWORD. Log lines go to the error stream: for people on
a terminal, else one JSON object per line; $RUST_LOG says which.";

#[derive(Debug, Parser)]
#[command(name = "relay", version, about = "A Layer Minus node without clients.")]
#[command(after_help = AFTER_HELP, propagate_version = true)]
struct RelayCli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Option<NodeCommand>,
}

#[derive(Debug, Parser)]
#[command(
    name = "recipient",
    version,
    about = "A Layer Minus node with clients."
)]
#[command(after_help = AFTER_HELP, propagate_version = true)]
struct RecipientCli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Option<RecipientCommand>,
}

/// What goes with every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Globals {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object per line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// File with the password of the keystores
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

impl Globals {
    pub(crate) fn config(&self) -> Result<&PathBuf, DaemonError> {
        self.config
            .as_ref()
            .ok_or_else(|| DaemonError::Usage("--config FILE is needed".to_owned()))
    }
}

/// What both programs do.
#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// Run the node; the same as no command
    Run,
    /// Write a commented configuration, wallets and certificate; nothing is overwritten
    Init(Init),
    /// Look at configuration, keys, TLS files and store, and say what is wrong
    Check,
    /// Print the signed node record to hand out
    Record,
    /// Other nodes
    #[command(subcommand)]
    Directory(DirectoryCommand),
    /// What this node and others owe each other
    #[command(subcommand)]
    Lanes(LanesCommand),
    /// The books
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Print totals; works while the node runs
    Status,
    /// Copy the store into a new file; works while the node runs
    Backup {
        /// The new file
        file: PathBuf,
    },
    /// Put a backup in the store's place and take a new encryption key; the node must be stopped
    Restore {
        /// What `backup` wrote
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum RecipientCommand {
    #[command(flatten)]
    Node(NodeCommand),
    #[command(flatten)]
    Operator(OperatorCommand),
}

/// What only a recipient does.
#[derive(Debug, Subcommand)]
pub(crate) enum OperatorCommand {
    /// Grant a client credit on top of what it has
    Grant {
        /// The client's wallet address
        #[arg(value_parser = layer_minus_wallet::parse_address)]
        address: Address,
        /// Like $1.00, 1.00usd or 1000000p$ (picodollars)
        #[arg(value_parser = amount::parse)]
        amount: u64,
    },
    /// Make one-time codes that bring whoever registers with them a grant
    Invite {
        /// Grant of each code, like $1.00, 1.00usd or 1000000p$ (picodollars)
        #[arg(long, value_parser = amount::parse)]
        amount: u64,
        /// How many codes
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        count: u32,
    },
    /// List the clients and what they owe, one line each
    Clients,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Check the books, what waiting mail has reserved, and every statement; works while the node runs
    Verify,
    /// Print every charge of a client, and that they come to what it was charged
    Statement {
        /// The client's wallet address
        #[arg(value_parser = layer_minus_wallet::parse_address)]
        address: Address,
        /// Print a table of comma-separated values, and nothing else
        #[arg(long)]
        csv: bool,
    },
    /// Print what is owed by and to whom, with the newest signed papers: for people, or to be cashed
    Export(ExportClaims),
    /// Mark a channel as paid or cashed; repeating it changes nothing
    Settle(SettleChannel),
}

#[derive(Debug, Subcommand)]
pub(crate) enum LanesCommand {
    /// List what is owed to each node and by each, one line per direction
    List,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ExportClaims {
    /// Print a table of comma-separated values, and nothing else
    #[arg(long)]
    pub(crate) csv: bool,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct SettleChannel {
    /// The channel, 0x and 64 hex digits, as 'ledger export' names it
    #[arg(value_parser = channel_id)]
    pub(crate) channel: [u8; 32],
    /// Settled in all, in token units of 1000000p$ [default: all that is owed]
    #[arg(long)]
    pub(crate) units: Option<u64>,
}

fn channel_id(text: &str) -> Result<[u8; 32], String> {
    const SHAPE: &str = "a channel is 0x and 64 hex digits";
    let digits = text.strip_prefix("0x").ok_or(SHAPE)?;
    let bytes = hex::decode(digits).map_err(|_| SHAPE)?;
    bytes.try_into().map_err(|_| SHAPE.to_owned())
}

#[derive(Debug, Subcommand)]
pub(crate) enum DirectoryCommand {
    /// List what the node starts with, one line per entry
    List,
    /// Check a directory file entry by entry and keep what is accepted
    Import {
        /// Signed node records, or a list of bare keys in CoNET's shape
        file: PathBuf,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Init {
    /// Where packets come in
    #[arg(long, default_value = "127.0.0.1:8443", value_name = "ADDRESS:PORT")]
    pub(crate) listen: SocketAddr,
    /// The path that packets are posted to
    #[arg(long, default_value = "/post")]
    pub(crate) path: String,
    /// URL under which others reach it, path included; may be given again [default: from --listen]
    #[arg(long = "url", value_name = "URL")]
    pub(crate) urls: Vec<String>,
    /// Where /healthz is answered
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) admin: Option<SocketAddr>,
    /// Local address that outgoing connections come from
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) source: Option<IpAddr>,
    /// Folder of keys and store, relative to the configuration file
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    /// The network's id
    #[arg(long, default_value = "layer-minus", value_name = "ID")]
    pub(crate) network: String,
    /// Wallet that is paid [default: a new one]
    #[arg(long, value_name = "ADDRESS", value_parser = layer_minus_wallet::parse_address)]
    pub(crate) cash: Option<Address>,
    /// Keystores that cost an attacker little: for tests and local networks
    #[arg(long, hide = true)]
    pub(crate) light_kdf: bool,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Job {
    Node(NodeCommand),
    Operator(OperatorCommand),
}

/// Reads the arguments of the process.
///
/// # Errors
/// Also help and version, which are to be printed.
pub(crate) fn parse(composition: Composition) -> Result<(Globals, Job), clap::Error> {
    match composition {
        Composition::Relay => {
            let cli = RelayCli::try_parse()?;
            let command = cli.command.unwrap_or(NodeCommand::Run);
            Ok((cli.globals, Job::Node(command)))
        }
        Composition::Recipient => {
            let cli = RecipientCli::try_parse()?;
            let job = match cli.command {
                Some(RecipientCommand::Operator(command)) => Job::Operator(command),
                Some(RecipientCommand::Node(command)) => Job::Node(command),
                None => Job::Node(NodeCommand::Run),
            };
            Ok((cli.globals, job))
        }
    }
}

/// Whether arguments that are not understood as a whole ask for JSON.
pub(crate) fn json_is_asked_for(arguments: impl Iterator<Item = OsString>) -> bool {
    let mut options = arguments.skip(1).take_while(|argument| argument != "--");
    options.any(|argument| argument == "--json")
}

/// What is wrong with the arguments, without the usage that people get to read below it.
pub(crate) fn reason(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing".to_owned();
    }
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    first.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        RelayCli::command().debug_assert();
        RecipientCli::command().debug_assert();
    }

    #[test]
    fn a_relay_has_no_clients_commands() {
        assert!(RelayCli::try_parse_from(["relay", "invite", "--amount", "$1"]).is_err());
        assert!(RecipientCli::try_parse_from(["recipient", "invite", "--amount", "$1"]).is_ok());
        let cli = RelayCli::try_parse_from(["relay", "--config", "a.toml", "--json"]).unwrap();
        assert!(cli.command.is_none() && cli.globals.json);
    }
}
