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
mod chain;
mod error;
mod payer;

use std::{path::Path, process::ExitCode, time::Duration};

use clap::Parser as _;
use serde_json::{Value, json};

use agent::Agent;
use args::{Args, Books, Sender, Task};
use error::AgentError;
use payer::Payer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Args { rpc, json, task } = Args::parse();
    match (Program { rpc, json }).run(task).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(
                json,
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
    json: bool,
}

impl Program {
    async fn run(&self, task: Task) -> Result<(), AgentError> {
        match task {
            Task::Watch { books, every, once } => self.watch(&books, every, once).await,
            Task::Claim {
                books,
                sender,
                pay_out,
            } => self.claim(&books, &sender, pay_out).await,
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

    async fn watch(&self, books: &Books, every: u64, once: bool) -> Result<(), AgentError> {
        let mut agent = Agent::open(&self.rpc, books, None).await?;
        // Three looks may fail before the node stops counting on what was seen.
        let certain_secs = every.saturating_mul(3);
        loop {
            match agent.look(certain_secs).await {
                Ok(looked) => self.tell(
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
                Err(error) if once => return Err(error),
                // The next look may do better.
                Err(error) => eprint(&format!("error: {error}")),
            }
            if once {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(every)) => {}
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
        }
    }

    async fn claim(&self, books: &Books, sender: &Sender, pay_out: bool) -> Result<(), AgentError> {
        let agent = Agent::open(&self.rpc, books, Some(sender.wallet()?)).await?;
        let plan = agent.plan()?;
        let told = plan
            .left
            .iter()
            .filter(|left| !agent::is_expected(&left.why));
        told.for_each(|left| eprint(&format!("left out: {}", left.why)));
        let claimed = agent.claim(&plan, pay_out).await?;
        for batch in &claimed {
            self.tell(
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

    async fn payer(&self, channel: &Path, sender: Option<&Sender>) -> Result<Payer, AgentError> {
        let paper = args::paper(channel)?;
        let wallet = sender.map(Sender::wallet).transpose()?;
        Payer::open(&self.rpc, paper, wallet).await
    }

    async fn held(&self, payer: &Payer) -> Result<(), AgentError> {
        let (text, value) = payer.held().await?.told();
        self.tell(&text, &value);
        Ok(())
    }

    fn tell(&self, text: &str, value: &Value) {
        tell(self.json, text, value);
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
