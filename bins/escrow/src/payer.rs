//! Between a payer and the contract.

use alloy_provider::DynProvider;
use layer_minus_client_sdk::money::format_usd;
use layer_minus_escrow::{Escrow, EscrowError, Views};
use layer_minus_message::channel::PUSD_PER_TOKEN_UNIT;
use layer_minus_settlement::Channel;
use layer_minus_wallet::{Address, Wallet};
use serde_json::{Value, json};

use crate::{args::Paper, chain, error::AgentError};

/// A channel, as one caller sees it.
pub(crate) struct Payer {
    escrow: Escrow<DynProvider>,
    channel: Channel,
}

/// What it holds, and what that is worth.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) channel_id: String,
    pub(crate) views: Views,
    pub(crate) backing_units: u128,
}

impl Held {
    /// In words, and as an object.
    pub(crate) fn told(&self) -> (String, Value) {
        let latest = &self.views.latest;
        let usd = |units: u128| format_usd(units * u128::from(PUSD_PER_TOKEN_UNIT));
        let final_units = self.views.last_final.balance_units;
        let mut text = format!(
            "channel    {}\n\
             deposited  {}, of it final {}\n\
             claimed    {}\n\
             backs      {} more",
            self.channel_id,
            usd(latest.balance_units),
            usd(final_units),
            usd(latest.claimed_units),
            usd(self.backing_units),
        );
        let mut value = json!({
            "channel_id": self.channel_id,
            "balance_units": latest.balance_units.to_string(),
            "claimed_units": latest.claimed_units.to_string(),
            "final_units": final_units.to_string(),
            "backing_units": self.backing_units.to_string(),
        });
        if let Some(withdrawal) = latest.withdrawal {
            let (amount, matures_at) = (withdrawal.amount_units, withdrawal.matures_at);
            text += &format!(
                "\nwithdrawal {} from unix time {matures_at} on",
                usd(amount)
            );
            value["withdrawing_units"] = json!(amount.to_string());
            value["matures_at"] = json!(matures_at.to_string());
        }
        (text, value)
    }
}

impl Payer {
    /// Asks the chain whether it is the channel's. Without a wallet it can only look.
    pub(crate) async fn open(
        rpc: &str,
        paper: Paper,
        wallet: Option<Wallet>,
    ) -> Result<Self, AgentError> {
        let channel = paper.channel;
        let wanted = channel.chain.chain_id;
        if wanted == 0 {
            return Err(AgentError::NoChain);
        }
        let caller = wallet.as_ref().map_or(Address::ZERO, Wallet::address);
        let provider = chain::provider(rpc, wallet)?;
        let escrow = Escrow::new(provider, channel.chain.contract, caller);
        let found = escrow.chain(channel.chain.token).await?.chain_id;
        if found != wanted {
            return Err(AgentError::OtherChain { wanted, found });
        }
        Ok(Self { escrow, channel })
    }

    pub(crate) async fn held(&self) -> Result<Held, AgentError> {
        let views = self.escrow.views(&self.channel).await?;
        Ok(Held {
            channel_id: self.channel.id().map_err(EscrowError::from)?.to_string(),
            views,
            // As the node counts it: nothing once a withdrawal is announced, whenever that matures.
            backing_units: views.backing_units(u64::MAX),
        })
    }

    /// Lets the contract take so much, and no more, and moves it into the channel.
    pub(crate) async fn deposit(&self, units: u64) -> Result<(), AgentError> {
        // Nothing is allowed to what does not answer as the contract does.
        self.escrow.views(&self.channel).await?;
        let (token, units) = (self.channel.chain.token, u128::from(units));
        self.escrow.approve(token, units).await?;
        self.escrow.deposit(&self.channel, units).await?;
        Ok(())
    }

    /// Announces a withdrawal if none is, else executes the one that is.
    pub(crate) async fn withdraw(&self, units: Option<u64>) -> Result<(), AgentError> {
        let latest = self.escrow.views(&self.channel).await?.latest;
        if latest.withdrawal.is_some() && units.is_none() {
            self.escrow.withdraw(&self.channel).await?;
            return Ok(());
        }
        // A further announcement takes the place of the one before.
        let all = latest.balance_units.saturating_sub(latest.claimed_units);
        let units = units.map_or(all, u128::from);
        self.escrow
            .announce_withdrawal(&self.channel, units)
            .await?;
        Ok(())
    }

    pub(crate) async fn cancel(&self) -> Result<(), AgentError> {
        self.escrow.cancel_withdrawal(&self.channel).await?;
        Ok(())
    }
}
