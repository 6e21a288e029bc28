//! Stands between the books of Layer Minus and an escrow contract.
//!
//! For a node it tells what deposits back, claims what was earned, and marks what is claimed for good. It
//! runs beside the node, over the same store, so that the node itself needs neither a chain nor a
//! key that can spend. While it does not run, the node stops counting on deposits and serves on what it
//! granted.
//!
//! For a client it deposits into the channel that was signed, and takes back what is left.

mod agent;
mod args;
mod books;
mod chain;
mod claim;
mod error;
mod payer;
mod tell;
mod watch;

use std::{path::Path, pin::pin, process::ExitCode, time::Duration};

use clap::Parser as _;
use serde_json::json;

use agent::Agent;
use args::{Args, Sender, Task};
use claim::Claiming;
use error::AgentError;
use payer::Payer;
use tell::Tell;
use watch::Watching;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Args { rpc, json, task } = Args::parse();
    let tell = Tell { json };
    match (Program { rpc, tell }).run(task).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell.say(
                &format!("error: {error}"),
                &json!({ "error": { "text": error.to_string() } }),
            );
            ExitCode::FAILURE
        }
    }
}

/// What every command needs.
struct Program {
    rpc: String,
    tell: Tell,
}

impl Program {
    async fn run(&self, task: Task) -> Result<(), AgentError> {
        match task {
            Task::Watch {
                books,
                every,
                once,
                min_delay,
            } => {
                let mut agent = Agent::open(&self.rpc, &books, None).await?;
                let watching = Watching { every, min_delay };
                let look = async || agent.look(watching).await.tell(self.tell);
                repeat((!once).then_some(every), look).await
            }
            Task::Claim {
                books,
                sender,
                pay_out,
                at_least,
                every,
            } => {
                let agent = Agent::open(&self.rpc, &books, Some(sender.wallet()?)).await?;
                let claiming = Claiming {
                    at_least_units: at_least,
                    pay_out,
                };
                repeat(every, async || agent.claim(claiming, self.tell).await).await
            }
            Task::Channel { channel } => {
                let payer = self.payer(&channel, None).await?;
                self.held(&payer).await
            }
            Task::Deposit {
                channel,
                amount,
                sender,
            } => {
                let payer = self.payer(&channel, Some(&sender)).await?;
                payer.deposit(amount).await?;
                self.held(&payer).await
            }
            Task::Withdraw {
                channel,
                amount,
                cancel,
                sender,
            } => {
                let payer = self.payer(&channel, Some(&sender)).await?;
                if cancel {
                    payer.cancel().await?;
                } else {
                    payer.withdraw(amount).await?;
                }
                self.held(&payer).await
            }
        }
    }

    async fn payer(&self, channel: &Path, sender: Option<&Sender>) -> Result<Payer, AgentError> {
        let paper = args::paper(channel)?;
        let wallet = sender.map(Sender::wallet).transpose()?;
        Payer::open(&self.rpc, paper, wallet).await
    }

    async fn held(&self, payer: &Payer) -> Result<(), AgentError> {
        let (text, value) = payer.held().await?.told();
        self.tell.say(&text, &value);
        Ok(())
    }
}

/// Does it once; or again and again until Ctrl-C, and what went wrong with one round, which that round
/// told, may go better in the next.
async fn repeat(
    every: Option<u64>,
    mut round: impl AsyncFnMut() -> Result<(), AgentError>,
) -> Result<(), AgentError> {
    let Some(secs) = every else {
        return round().await;
    };
    // One for all rounds, so that it is also heard while nobody waits for it.
    let mut stop = pin!(tokio::signal::ctrl_c());
    loop {
        let turn = async {
            // It was told.
            let _ = round().await;
            tokio::time::sleep(Duration::from_secs(secs)).await;
        };
        tokio::select! {
            () = turn => {}
            _ = &mut stop => return Ok(()),
        }
    }
}
