//! Calling the contract over any provider of `alloy`.

use std::time::Duration;

use alloy_contract::SolCallBuilder;
use alloy_eips::BlockId;
use alloy_network::{Ethereum, ReceiptResponse};
use alloy_primitives::{TxHash, U256};
use alloy_provider::Provider;
use alloy_sol_types::SolCall;
use layer_minus_message::Chain;
use layer_minus_settlement::{Channel, Mark};
use layer_minus_wallet::Address;

use crate::{
    Batch, Deposit, EscrowError, Views, Withdrawal,
    bindings::{Erc20, Escrow as Contract},
};

/// How long a transaction is waited for. One that is dropped by the chain's nodes never gets a receipt.
pub const RECEIPT_WAIT: Duration = Duration::from_secs(600);

/// The contract, as one caller sees it. The provider signs for that caller, or the chain's node
/// does. Every call is tried without sending first, so that what the contract refuses costs nothing.
#[derive(Clone, Debug)]
pub struct Escrow<P> {
    provider: P,
    contract: Address,
    caller: Address,
}

/// A transaction in a block. The block can still be replaced until it is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The transaction.
    pub transaction: TxHash,
    /// Its block.
    pub block: Option<u64>,
    /// What it cost.
    pub gas_used: u64,
}

impl<P: Provider> Escrow<P> {
    /// The contract at an address.
    pub const fn new(provider: P, contract: Address, caller: Address) -> Self {
        Self {
            provider,
            contract,
            caller,
        }
    }

    /// Puts a new contract on the chain.
    ///
    /// # Errors
    /// [`EscrowError::Chain`].
    pub async fn deploy(provider: P, caller: Address) -> Result<Self, EscrowError> {
        let contract = Contract::deploy_builder(&provider)
            .from(caller)
            .deploy()
            .await?;
        Ok(Self::new(provider, contract, caller))
    }

    /// Where the contract is.
    pub const fn contract(&self) -> Address {
        self.contract
    }

    /// Where a channel of this contract is settled, for an authorization.
    ///
    /// # Errors
    /// [`EscrowError::Chain`].
    pub async fn chain(&self, token: Address) -> Result<Chain, EscrowError> {
        let chain_id = self.provider.get_chain_id().await;
        Ok(Chain {
            chain_id: chain_id.map_err(alloy_contract::Error::from)?,
            contract: self.contract,
            token,
        })
    }

    /// The time of the latest block, unix seconds. What lies far behind the clock is a chain's node
    /// that stands still: it shows what may be long gone.
    ///
    /// # Errors
    /// [`EscrowError::NoBlock`], [`EscrowError::Chain`].
    pub async fn latest_time(&self) -> Result<u64, EscrowError> {
        let block = self.provider.get_block(BlockId::latest()).await;
        let block = block.map_err(alloy_contract::Error::from)?;
        block.map_or(Err(EscrowError::NoBlock), |block| {
            Ok(block.header.timestamp)
        })
    }

    // ---- payer ----

    /// Lets the contract take `units` of the caller's tokens: before a deposit.
    ///
    /// # Errors
    /// As all that send: [`EscrowError::Refused`] before anything is sent,
    /// [`EscrowError::Failed`], [`EscrowError::Chain`].
    pub async fn approve(&self, token: Address, units: u128) -> Result<Done, EscrowError> {
        let token = Erc20::new(token, &self.provider);
        self.send(token.approve(self.contract, U256::from(units)))
            .await
    }

    /// Moves tokens of the caller into a channel.
    ///
    /// # Errors
    /// As [`approve`](Self::approve), and for the channel as [`Channel::config`] and
    /// [`EscrowError::OtherContract`].
    pub async fn deposit(&self, channel: &Channel, units: u128) -> Result<Done, EscrowError> {
        let config = self.config(channel)?;
        self.send(self.instance().deposit(config, units)).await
    }

    /// Announces that the payer will take `units` back after the channel's delay.
    ///
    /// # Errors
    /// As [`deposit`](Self::deposit).
    pub async fn announce_withdrawal(
        &self,
        channel: &Channel,
        units: u128,
    ) -> Result<Done, EscrowError> {
        let config = self.config(channel)?;
        self.send(self.instance().announceWithdrawal(config, units))
            .await
    }

    /// Takes the announcement back.
    ///
    /// # Errors
    /// As [`deposit`](Self::deposit).
    pub async fn cancel_withdrawal(&self, channel: &Channel) -> Result<Done, EscrowError> {
        let config = self.config(channel)?;
        self.send(self.instance().cancelWithdrawal(config)).await
    }

    /// Pays the payer what was announced and not claimed meanwhile.
    ///
    /// # Errors
    /// As [`deposit`](Self::deposit).
    pub async fn withdraw(&self, channel: &Channel) -> Result<Done, EscrowError> {
        let config = self.config(channel)?;
        self.send(self.instance().withdraw(config)).await
    }

    // ---- receiver ----

    /// Claims a batch. No token moves yet: see [`settle`](Self::settle).
    ///
    /// # Errors
    /// As [`approve`](Self::approve), and [`EscrowError::OtherContract`].
    pub async fn claim(&self, batch: &Batch) -> Result<Done, EscrowError> {
        self.check_contract(batch.contract)?;
        let (payee, claims) = (batch.payee.clone(), batch.claims.clone());
        self.send(self.instance().claim(payee, claims)).await
    }

    /// Transfers to `receiver` all that was claimed for it.
    ///
    /// # Errors
    /// As [`approve`](Self::approve).
    pub async fn settle(&self, receiver: Address, token: Address) -> Result<Done, EscrowError> {
        self.send(self.instance().settle(receiver, token)).await
    }

    /// Gives the payer back what the receiver does not claim, at once.
    ///
    /// # Errors
    /// As [`deposit`](Self::deposit).
    pub async fn refund(&self, channel: &Channel, units: u128) -> Result<Done, EscrowError> {
        let config = self.config(channel)?;
        self.send(self.instance().refund(config, units)).await
    }

    // ---- to read ----

    /// What a channel holds at a block: `BlockId::latest()`, `BlockId::finalized()`, a number.
    ///
    /// # Errors
    /// For the channel as [`Channel::config`] and [`EscrowError::OtherContract`];
    /// [`EscrowError::Chain`], also where no contract stood at that block yet.
    pub async fn deposit_at(
        &self,
        channel: &Channel,
        block: BlockId,
    ) -> Result<Deposit, EscrowError> {
        let config = self.config(channel)?;
        let held = self.instance().channel(config).block(block).call().await?;
        let matures_at = held.maturesAt.to();
        Ok(Deposit {
            balance_units: held.balance,
            claimed_units: held.claimed,
            withdrawal: (matures_at != 0).then_some(Withdrawal {
                amount_units: held.withdrawing,
                matures_at,
            }),
        })
    }

    /// What a channel holds at the latest block: what can be claimed now.
    ///
    /// # Errors
    /// As [`deposit_at`](Self::deposit_at).
    pub async fn latest(&self, channel: &Channel) -> Result<Deposit, EscrowError> {
        self.deposit_at(channel, BlockId::latest()).await
    }

    /// What a channel holds, as the latest and the last final block say. Of a channel that is empty
    /// only the latest block is asked: the worse view counts, and there is none.
    ///
    /// # Errors
    /// As [`deposit_at`](Self::deposit_at).
    pub async fn views(&self, channel: &Channel) -> Result<Views, EscrowError> {
        let latest = self.latest(channel).await?;
        if latest == Deposit::default() {
            return Ok(Views::default());
        }
        Ok(Views {
            latest,
            last_final: self.deposit_at(channel, BlockId::finalized()).await?,
        })
    }

    /// What is claimed of a channel for good: the mark to note in the books. Needs no record of which
    /// transactions were sent.
    ///
    /// # Errors
    /// As [`deposit_at`](Self::deposit_at).
    pub async fn settled(&self, channel: &Channel) -> Result<Mark, EscrowError> {
        let deposit = self.deposit_at(channel, BlockId::finalized()).await?;
        Ok(Mark {
            channel_id: channel.id()?,
            total_units: deposit.claimed_units,
        })
    }

    // ---- inside ----

    fn instance(&self) -> Contract::EscrowInstance<&P> {
        Contract::new(self.contract, &self.provider)
    }

    fn check_contract(&self, contract: Address) -> Result<(), EscrowError> {
        match contract == self.contract {
            true => Ok(()),
            false => Err(EscrowError::OtherContract(contract)),
        }
    }

    fn config(&self, channel: &Channel) -> Result<Contract::ChannelConfig, EscrowError> {
        self.check_contract(channel.chain.contract)?;
        let config = channel.config()?;
        Ok(Contract::ChannelConfig {
            payer: config.payer,
            payerAuthorizer: config.payerAuthorizer,
            receiver: config.receiver,
            receiverAuthorizer: config.receiverAuthorizer,
            token: config.token,
            withdrawDelay: config.withdrawDelay,
            salt: config.salt,
        })
    }

    /// Tries, sends, and waits for the block. Trying gives the gas to send with and, where the
    /// contract refuses, its reason.
    async fn send<Q: Provider, C: SolCall>(
        &self,
        call: SolCallBuilder<Q, C, Ethereum>,
    ) -> Result<Done, EscrowError> {
        let call = call.from(self.caller);
        let gas = call.estimate_gas().await?;
        let sent = call.gas(gas).send().await?;
        let receipt = sent.with_timeout(Some(RECEIPT_WAIT)).get_receipt().await?;
        let transaction = receipt.transaction_hash();
        match receipt.status() {
            true => Ok(Done {
                transaction,
                block: receipt.block_number(),
                gas_used: receipt.gas_used(),
            }),
            false => Err(EscrowError::Failed(transaction)),
        }
    }
}
