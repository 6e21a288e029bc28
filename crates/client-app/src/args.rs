//! The command line.

use std::{ffi::OsString, net::IpAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum, error::ErrorKind};
use layer_minus_client_sdk::money::parse_usd;
use layer_minus_delivery::Mode;
use layer_minus_message::Chain;
use layer_minus_seal::Version;
use layer_minus_wallet::{Address, parse_address};

use crate::when;

const AFTER_HELP: &str = "\
Exit codes:
  0  done
  1  failed
  2  the command line or a setting makes no sense, or the password is missing or wrong
  3  a node refused, and said why
  4  nobody could be reached
  5  nothing came in time
  130  interrupted; nothing is lost, 'client send --resume' goes on

JSON (--json): one object per line on standard output. 64-bit integers are decimal strings; ids,
digests and SHA-256 are lowercase hexadecimal; *_pusd are picodollars (10^-12 US dollars).
  any command   {\"error\":{\"kind\",\"text\",\"advice\",\"reason\"}}, then the exit code; the kind is
                usage, password, refused, unreachable, nothing, interrupted or failure
  init          {\"initialized\",\"home\",\"address\",\"cash_address\",\"network\",\"nodes\",\"phrase\",
                 \"refused\":[{\"entry\",\"why\"}]}
  card          {\"address\",\"short\",\"full\",\"valid_until\"}
  card export   {\"exported\",\"file\"}, to '-' {\"exported\",\"armored\"}
  contacts      {\"name\",\"address\",\"node\",\"card_valid_until\"} each
  nodes         {\"node\",\"takes_clients\",\"urls\",\"sizes\",\"prices\",...} each, the cheapest first
  register      {\"registered\",\"node\",\"relay\",\"limit_pusd\",\"charged_pusd\",...}
  send          {\"sent\",\"id\",\"to\",\"packets\",\"bytes\",\"digest\",\"accepted\":[{\"part\",\"receipt\",\"digest\",
                 \"accepted_at\",\"kept_until\"}]}
  listen        {\"event\":\"listening\",\"node\",\"relay\",\"mode\",\"waiting_packets\",...}
                {\"event\":\"message\",\"id\",\"from\",\"content_type\",\"text\",\"sent_at\",\"accepted_at\",\"seq\"}
                {\"event\":\"file\",\"id\",\"from\",\"name\",\"bytes\",\"sha256\",\"path\",...}
                {\"event\":\"gap\",\"from\",\"through\"}  {\"event\":\"paused\",\"paused\",\"reason\"}
                {\"event\":\"unreadable\",\"seq\",\"text\",\"advice\"}  {\"event\":\"offline\",\"text\",\"retry_ms\"}
  status        {\"node\",\"limit_pusd\",\"charged_pusd\",\"reserved_pusd\",\"paused\",\"prices\",...}; paused is
                \"exhausted\", \"expired\", \"revoked\" or \"unbacked\", and absent if nothing waits
  status --statement
                {\"seq\",\"at\",\"kind\",\"bytes\",\"amount_pusd\",\"balance_pusd\"} each, the balance carried first;
                then {\"statement\":true,\"charges\",\"charged_pusd\",\"node\",\"relay\"}
  channel       {\"channel_id\",\"node\",\"limit_units\",\"authorized_until\",\"in_use\",\"channel\"}
                each, which 'escrow' reads
  quote         {\"packets\",\"bytes_on_wire\",\"way_in_pusd\",\"push_pusd\",\"storage_per_day_pusd\",...}";

/// Sends and receives on Layer Minus, without an IP address.
#[derive(Debug, Parser)]
#[command(name = "client", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The home folder [env: LAYER_MINUS_HOME] [default: ~/.layer-minus]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Print one JSON object per line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Read the home's password from this file [else LAYER_MINUS_PASSWORD, else the terminal]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Connect from this local address
    #[arg(long, global = true, value_name = "IP")]
    pub(crate) source_address: Option<IpAddr>,
    /// Also trust the certificate authorities in this PEM file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) tls_roots: Option<PathBuf>,
    /// Derive keys from passwords quickly; for tests
    #[arg(long, global = true, hide = true)]
    pub(crate) light_kdf: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a home: two wallets, a device key, a certificate
    Init(Init),
    /// Show, export, fetch or rotate a card
    Card(CardArgs),
    /// People by name
    Contacts(ContactsArgs),
    /// The nodes that are known
    Nodes(NodesArgs),
    /// Become the client of a node, or renew that
    Register(Register),
    /// Send a text, a file or a ready-made OpenPGP message
    Send(Send),
    /// Receive: print messages, save files
    Listen(Listen),
    /// Account and mailbox at the node
    Status(Status),
    /// What sending would cost
    Quote(Quote),
    /// Write wallets and identity into one encrypted file
    Backup(Backup),
    /// Make a home from a backup: also the way to a second device
    Restore(Restore),
    /// Raise the limit that the node may deduct up to
    Authorize(Authorize),
    /// Show the payment channel that was signed for: what to deposit into, where an escrow backs it
    Channel {
        /// Also those that were left: what was deposited into them is still there
        #[arg(long)]
        all: bool,
    },
    /// Take the authorization back: nothing more is deducted than is reserved or charged
    Revoke(Via),
    /// Stop being the client of the node
    Unregister(Via),
}

/// How to reach a node.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Via {
    /// Post to this relay: its address, or a URL [default: one of the directory]
    #[arg(long, value_name = "ADDRESS|URL")]
    pub(crate) relay: Option<String>,
    /// Go through this node on the way; up to 3, in order
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) hop: Vec<Address>,
}

/// Which kind of certificate is made.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum CertificateVersion {
    /// RFC 9580: smaller, faster, for other clients like this one
    #[default]
    V6,
    /// For people who write to you with GnuPG 2.2 or other older programs
    V4,
}

impl From<CertificateVersion> for Version {
    fn from(version: CertificateVersion) -> Self {
        match version {
            CertificateVersion::V6 => Self::V6,
            CertificateVersion::V4 => Self::V4,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Take the nodes from this directory
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) directory: Option<String>,
    /// The network's id [default: that of the directory, else layer-minus]
    #[arg(long, value_name = "ID")]
    pub(crate) network: Option<String>,
    /// Use the secret key in this file (64 hex digits) as the wallet
    #[arg(long, value_name = "FILE", conflicts_with = "import_phrase_file")]
    pub(crate) import_key_file: Option<PathBuf>,
    /// Use the BIP-39 phrase in this file: its first account is the wallet, the second pays
    #[arg(long, value_name = "FILE")]
    pub(crate) import_phrase_file: Option<PathBuf>,
    /// Kind of certificate
    #[arg(long, value_enum, default_value_t)]
    pub(crate) certificate: CertificateVersion,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct CardArgs {
    /// Print only the short text: it fits a QR code or a chat line
    #[arg(long)]
    pub(crate) short: bool,
    /// Write the full card to this file ('-' for standard output); people who add it are no strangers
    #[arg(long, value_name = "FILE")]
    pub(crate) full: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) action: Option<CardAction>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CardAction {
    /// Fetch and show somebody's card
    Show {
        /// Short card, address or name
        who: String,
        #[command(flatten)]
        via: Via,
    },
    /// Change to a new certificate; the address stays
    Rotate {
        /// Kind of certificate
        #[arg(long, value_enum, default_value_t)]
        certificate: CertificateVersion,
        #[command(flatten)]
        via: Via,
    },
    /// Write the certificate as ASCII armor, for other OpenPGP programs
    Export {
        /// The file; '-' for standard output
        file: PathBuf,
        /// The secret key, unlocked: whoever has it reads your mail
        #[arg(long)]
        secret: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ContactsArgs {
    #[command(subcommand)]
    pub(crate) action: Option<ContactsAction>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ContactsAction {
    /// Add a person, or take a newer card of one
    Add {
        /// What you call them
        name: String,
        /// A file with a full card, or a short card
        card: String,
    },
    /// List people
    List {
        /// Also those who only wrote to you
        #[arg(long)]
        all: bool,
    },
    /// Remove a person
    Remove {
        /// Name or address
        who: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NodesArgs {
    #[command(subcommand)]
    pub(crate) action: Option<NodesAction>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NodesAction {
    /// List the nodes, the cheapest first, then those that ask for the smallest authorization
    List,
    /// Add node records from a file or URL
    Import {
        /// A directory, or what 'relay record' and 'recipient record' print
        source: String,
    },
    /// Fetch the directory again: from its URL, or from a node
    Refresh(Via),
}

#[derive(Debug, Args)]
pub(crate) struct Register {
    /// The node that is to take your mail
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) node: Address,
    /// A one-time code from the node's operator
    #[arg(long, value_name = "CODE")]
    pub(crate) invite: Option<String>,
    /// The most that the node may deduct, in US dollars [default: 1, or what the node granted]
    #[arg(long, value_name = "USD", value_parser = usd)]
    pub(crate) limit: Option<u64>,
    /// Bytes a day that people without your card may send
    #[arg(long, value_name = "BYTES")]
    pub(crate) strangers_bytes_per_day: Option<u64>,
    #[command(flatten)]
    pub(crate) on_chain: OnChain,
    /// Keep the connection and listen on it, as 'client listen' does
    #[arg(long)]
    pub(crate) listen: bool,
    #[command(flatten)]
    pub(crate) via: Via,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// Name, address or short card
    #[arg(required_unless_present = "resume")]
    pub(crate) to: Option<String>,
    /// The text; '-' reads it from standard input
    #[arg(conflicts_with_all = ["file", "pgp"])]
    pub(crate) text: Option<String>,
    /// Send this file
    #[arg(long, value_name = "FILE", conflicts_with = "pgp")]
    pub(crate) file: Option<PathBuf>,
    /// Send this OpenPGP message, encrypted to the recipient's certificate by another program
    #[arg(long, value_name = "FILE")]
    pub(crate) pgp: Option<PathBuf>,
    /// Say what it would cost, and send nothing
    #[arg(long)]
    pub(crate) quote: bool,
    /// Send what is left in the outbox
    #[arg(long, conflicts_with_all = ["to", "text", "file", "pgp", "quote"])]
    pub(crate) resume: bool,
    /// The id of the message that this one answers
    #[arg(long, value_name = "ID", value_parser = message_id)]
    pub(crate) reply_to: Option<MessageId>,
    #[command(flatten)]
    pub(crate) via: Via,
}

#[derive(Debug, Default, Args)]
pub(crate) struct Listen {
    /// Collect what waits, then stop
    #[arg(long)]
    pub(crate) once: bool,
    /// Stop after so many seconds
    #[arg(long = "for", value_name = "SECS")]
    pub(crate) secs: Option<u64>,
    /// Stop after so many messages and files
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// 'each': this device gets everything; 'share': several listeners divide it among them
    #[arg(long, value_enum, default_value_t)]
    pub(crate) mode: ListenMode,
    /// Save files here [default: received, in the home folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) via: Via,
}

/// How several listeners divide what comes.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum ListenMode {
    #[default]
    Each,
    Share,
}

impl From<ListenMode> for Mode {
    fn from(mode: ListenMode) -> Self {
        match mode {
            ListenMode::Each => Self::Each,
            ListenMode::Share => Self::Share,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Every charge: when, what for, how many bytes, how much, and what it comes to. Asking is charged
    /// as any command, for each 256 lines
    #[arg(long)]
    pub(crate) statement: bool,
    /// Print the statement as a table of comma-separated values, and nothing else
    #[arg(long, requires = "statement")]
    pub(crate) csv: bool,
    /// Only what was charged since; before it, the balance is carried
    #[arg(long, requires = "statement", value_name = "YYYY-MM-DD|UNIX TIME", value_parser = when::parse)]
    pub(crate) since: Option<u64>,
    #[command(flatten)]
    pub(crate) via: Via,
}

#[derive(Debug, Args)]
pub(crate) struct Quote {
    /// So many bytes
    #[arg(long, value_name = "N", required_unless_present_any = ["file", "text"])]
    pub(crate) bytes: Option<u64>,
    /// This file
    #[arg(long, value_name = "FILE", conflicts_with = "bytes")]
    pub(crate) file: Option<PathBuf>,
    /// This text
    #[arg(conflicts_with_all = ["bytes", "file"])]
    pub(crate) text: Option<String>,
    /// At this node's prices [default: the whitepaper's]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) node: Option<Address>,
    /// Through so many extra hops
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) hops: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file; it must not exist
    pub(crate) file: PathBuf,
    /// Encrypt it with the password in this file [default: the home's]
    #[arg(long, value_name = "FILE")]
    pub(crate) backup_password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup
    pub(crate) file: PathBuf,
    /// Decrypt it with the password in this file [default: the home's]
    #[arg(long, value_name = "FILE")]
    pub(crate) backup_password_file: Option<PathBuf>,
}

/// Where an authorization can be settled. What is named once holds for later limits at the same node.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct OnChain {
    /// Sign for an escrow contract on the chain of this id: a deposit there backs the limit, in the
    /// place of the node's trust. Everybody can see it: read docs/settlement.md first
    #[arg(long, value_name = "ID", requires_all = ["escrow", "token"],
        value_parser = clap::value_parser!(u64).range(1..))]
    chain_id: Option<u64>,
    /// The escrow contract
    #[arg(long, value_name = "ADDRESS", value_parser = address, requires_all = ["chain_id", "token"])]
    escrow: Option<Address>,
    /// The token that is paid in, of 6 decimals
    #[arg(long, value_name = "ADDRESS", value_parser = address, requires_all = ["chain_id", "escrow"])]
    token: Option<Address>,
}

impl OnChain {
    /// The place, if one was named.
    pub(crate) fn chain(self) -> Option<Chain> {
        Some(Chain {
            chain_id: self.chain_id?,
            contract: self.escrow?,
            token: self.token?,
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Authorize {
    /// The most that the node may deduct in all, in US dollars
    #[arg(long, value_name = "USD", value_parser = usd)]
    pub(crate) limit: u64,
    #[command(flatten)]
    pub(crate) on_chain: OnChain,
    #[command(flatten)]
    pub(crate) via: Via,
}

/// The id of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageId(pub(crate) [u8; 16]);

fn message_id(text: &str) -> Result<MessageId, String> {
    let mut id = [0; 16];
    hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut id)
        .map_err(|_| "an id has 32 hexadecimal digits".to_owned())?;
    Ok(MessageId(id))
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

fn address(text: &str) -> Result<Address, String> {
    parse_address(text).map_err(|error| error.to_string())
}

fn usd(text: &str) -> Result<u64, String> {
    parse_usd(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_people_type_is_understood() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        assert!(parse("client send bobo hello --json").is_ok());
        assert!(parse("client --home /x send bobo -").is_ok());
        assert!(parse("client send --resume").is_ok());
        assert!(parse("client card").is_ok());
        assert!(parse("client card show lm1:x").is_ok());
        assert!(parse("client contacts").is_ok());
        assert!(parse("client listen --for 5 --count 1 --mode share").is_ok());
        assert!(parse("client quote --bytes 100").is_ok());
        assert!(parse("client status --statement --csv --since 2026-11-03").is_ok());
        assert!(parse("client status --json --statement --since 1800000000").is_ok());
        assert!(parse("client revoke").is_ok());
        let place = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
        let place = format!("--chain-id 1 --escrow {place} --token {place}");
        assert!(parse(&format!("client authorize --limit 1 {place}")).is_ok());
        for bad in [
            "client send",
            "client send bobo text --file x",
            "client send --resume bobo",
            "client register",
            "client register --node 0x12",
            "client authorize --limit lots",
            "client authorize --limit 1 --chain-id 1",
            "client authorize --limit 1 --chain-id 0 --escrow 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 \
             --token 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "client quote",
            "client listen --mode all",
            "client status --csv",
            "client status --since 2026-11-03",
            "client status --statement --since 2026-02-30",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
