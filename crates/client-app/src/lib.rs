//! The shell of a client: home folder, contacts, outbox, inbox, commands.
//!
//! `bins/client` is one call of [`main`]. What a client decides is in `layer-minus-client-sdk`;
//! here are the clock, the disk, the sockets and the terminal.
//!
//! # The home folder
//! Mode 0700, its files 0600. Everything that is secret is encrypted with one password, which is
//! read from a file, the environment or the terminal and never from the command line.
//!
//! | file | holds |
//! |---|---|
//! | `config.toml` | network, optional relay and directory URL |
//! | `wallet.json` | the device wallet: people write to its address (Ethereum keystore, version 3) |
//! | `cash.json` | the cash wallet: it pays (Ethereum keystore, version 3) |
//! | `identity.pgp` | device key, certificates, inbox capability, authorization (OpenPGP, Argon2id) |
//! | `directory.json` | the signed records of known nodes |
//! | `client.db` | contacts, outbox, inbox (SQLite; sealed letters until accepted, received ones until shown) |
//! | `received/` | received files, unless `--output` names another folder |
//! | `home.lock`, `listen.lock` | keep two processes from changing keys, or listening, at a time |
//!
//! The two wallets are opened only to register, to renew or rotate a card, to authorize and to
//! back up; sending and listening do with `identity.pgp`.
//!
//! # Several devices
//! A restored home is a device of its own: it signs with its own key and is a consumer of its own,
//! so each device gets everything from its first `listen` on. After `card rotate` the others need
//! a new backup, because they do not have the new key. `--mode share` is one consumer for all of
//! them.
//!
//! # What survives what
//! A letter is in the outbox, sealed, before its first byte leaves, and stays until the node's
//! signed acceptance is checked; a retry sends the same sealed letter in fresh layers, which the
//! node recognizes. A received letter is in the inbox before it is acknowledged; what comes again
//! is known by sender and id, and shown once.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod args;
mod commands;
mod context;
mod db;
mod directory;
mod enroll;
mod error;
mod files;
mod home;
mod link;
mod listen;
mod logs;
mod nodes;
mod out;
mod password;
mod people;
mod progress;
mod queue;
mod transmit;
mod when;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{args::Cli, error::AppError, out::Out};

/// Runs the client with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_understood(&error),
    };
    logs::start();
    let out = Out::new(cli.global.json);
    match run(cli, out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            out.error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Help and version come this way too, with code 0.
fn not_understood(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && args::json_is_asked_for(std::env::args_os()) {
        let error = AppError::Arguments(args::reason(error));
        Out::new(true).error(&error);
        return ExitCode::from(error.exit_code());
    }
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(error::EXIT_USAGE))
}

fn run(cli: Cli, out: Out) -> Result<(), AppError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| AppError::Home(format!("cannot start: {error}")))?;
    let result = runtime.block_on(async {
        tokio::select! {
            // The command first: while it asks for a password, the signal is not ours yet and ends
            // the process at once.
            biased;
            result = commands::run(cli, out) => result,
            _ = tokio::signal::ctrl_c() => Err(AppError::Interrupted),
        }
    });
    // Nobody waits for a prompt that a thread may still be reading.
    runtime.shutdown_background();
    result
}
