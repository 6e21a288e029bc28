//! A wallet of Layer Minus as a signer of transactions.

use alloy_consensus::SignableTransaction;
use alloy_network::TxSigner;
use alloy_primitives::Signature;
use async_trait::async_trait;
use layer_minus_wallet::{Address, Wallet};

/// Signs transactions with a cash wallet. Goes into an
/// [`EthereumWallet`](alloy_network::EthereumWallet), that into a provider; a hardware wallet of
/// `alloy` takes its place.
///
/// It exists apart from [`Wallet`] because everywhere else a wallet signs typed data only.
#[derive(Clone, Debug)]
pub struct CashSigner(Wallet);

impl CashSigner {
    /// Lets `wallet` spend what it holds on chains.
    #[must_use]
    pub const fn new(wallet: Wallet) -> Self {
        Self(wallet)
    }
}

#[async_trait]
impl TxSigner<Signature> for CashSigner {
    fn address(&self) -> Address {
        self.0.address()
    }

    async fn sign_transaction(
        &self,
        transaction: &mut dyn SignableTransaction<Signature>,
    ) -> alloy_signer::Result<Signature> {
        Ok((&self.0.sign_hash(&transaction.signature_hash())).into())
    }
}
