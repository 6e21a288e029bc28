//! What it is told.

use std::{fs, path::PathBuf};

use clap::{Parser, Subcommand};
use layer_minus_wallet::{Address, Wallet, keystore::Keystore};
use zeroize::Zeroizing;

use crate::error::AgentError;

/// Largest file that is read, bytes.
const FILE_BYTES_MAX: u64 = 65_536;

/// Stands between a node's books and an escrow contract
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Args {
    /// The node's database, store.db in its data folder; the node may run meanwhile
    #[arg(long)]
    pub(crate) store: PathBuf,
    /// JSON-RPC of a node of the chain, http://…; it learns which channels are yours, so run your own
    #[arg(long)]
    pub(crate) rpc: String,
    /// The escrow contract
    #[arg(long, value_parser = layer_minus_wallet::parse_address)]
    pub(crate) contract: Address,
    /// Print one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Look at the deposits of clients' channels, tell the node what they back, and mark what is settled
    Watch {
        /// Seconds between two looks; the node counts on a deposit for three of them
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
        every: u64,
        /// Look once and end
        #[arg(long)]
        once: bool,
    },
    /// Claim all that is due on this contract; 'watch' marks it once its block is final
    Claim {
        /// The wallet that sends: the receiver of the claims, or its authorizer
        #[arg(long)]
        keystore: PathBuf,
        /// Holds the keystore's password
        #[arg(long)]
        password_file: PathBuf,
        /// Also transfer what was claimed to the receiver
        #[arg(long)]
        pay_out: bool,
    },
}

/// The wallet in a keystore.
pub(crate) fn wallet(keystore: &PathBuf, password_file: &PathBuf) -> Result<Wallet, AgentError> {
    let text = read(keystore)?;
    let password = read(password_file)?;
    let password = password.trim_end_matches(['\r', '\n']);
    Ok(Keystore::from_json(&text)?.decrypt(password.as_bytes())?)
}

fn read(path: &PathBuf) -> Result<Zeroizing<String>, AgentError> {
    let failed = |source| AgentError::File {
        path: path.clone(),
        source,
    };
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > FILE_BYTES_MAX {
        return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(failed)
}
