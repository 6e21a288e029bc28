//! Stands between a node's books and an escrow contract: it tells the node what deposits back, claims what
//! the node earned, and marks what is claimed for good.
//!
//! It runs beside the node, over the same store, so that the node itself needs neither a chain nor a
//! key that can spend. While it does not run, the node stops counting on deposits and serves on what it
//! granted.

mod agent;
mod args;
mod error;

use std::{process::ExitCode, time::Duration};

use clap::Parser as _;
use serde_json::{Value, json};

use agent::Agent;
use args::{Args, Task};
use error::AgentError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(
                args.json,
                &format!("error: {error}"),
                &json!({ "error": { "text": error.to_string() } }),
            );
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), AgentError> {
    match &args.task {
        Task::Watch { every, once } => {
            let mut agent = Agent::open(args, None).await?;
            // Three looks may fail before the node stops counting on what was seen.
            let certain_secs = every.saturating_mul(3);
            loop {
                match agent.look(certain_secs).await {
                    Ok(looked) => tell(
                        args.json,
                        &format!(
                            "{} channels backed with {} units in all, {} units marked as settled",
                            looked.channels, looked.backed_units, looked.marked_units
                        ),
                        &json!({
                            "channels": looked.channels,
                            "backed_units": looked.backed_units.to_string(),
                            "marked_units": looked.marked_units.to_string(),
                        }),
                    ),
                    Err(error) if *once => return Err(error),
                    // The next look may do better.
                    Err(error) => eprint(&format!("error: {error}")),
                }
                if *once {
                    return Ok(());
                }
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(*every)) => {}
                    _ = tokio::signal::ctrl_c() => return Ok(()),
                }
            }
        }
        Task::Claim {
            keystore,
            password_file,
            pay_out,
        } => {
            let wallet = args::wallet(keystore, password_file)?;
            let agent = Agent::open(args, Some(wallet)).await?;
            let plan = agent.plan()?;
            let told = plan
                .left
                .iter()
                .filter(|left| !agent::is_expected(&left.why));
            told.for_each(|left| eprint(&format!("left out: {}", left.why)));
            let claimed = agent.claim(&plan, *pay_out).await?;
            for batch in &claimed {
                tell(
                    args.json,
                    &format!(
                        "{}: {} channels, {} gas",
                        batch.transaction, batch.channels, batch.gas
                    ),
                    &json!({
                        "transaction": batch.transaction.to_string(),
                        "channels": batch.channels,
                        "gas": batch.gas,
                    }),
                );
            }
            if claimed.is_empty() {
                eprint("nothing is due on this contract");
            }
            Ok(())
        }
    }
}

#[allow(clippy::print_stdout)] // what the program is for
fn tell(json: bool, text: &str, value: &Value) {
    if json {
        println!("{value}");
    } else {
        println!("{text}");
    }
}

#[allow(clippy::print_stderr)] // for whoever watches it
fn eprint(text: &str) {
    eprintln!("{text}");
}
