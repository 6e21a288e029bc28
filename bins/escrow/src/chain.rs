//! The way to a chain.

use std::time::Duration;

use alloy_network::EthereumWallet;
use alloy_provider::{DynProvider, Provider as _, ProviderBuilder};
use layer_minus_escrow::CashSigner;
use layer_minus_wallet::Wallet;

use crate::error::AgentError;

/// How long the chain's node may take for one answer. One that hangs must not stop whoever asks it.
const RPC_TIMEOUT: Duration = Duration::from_secs(30);

/// A provider over plain HTTP, which signs if there is a wallet.
pub(crate) fn provider(rpc: &str, wallet: Option<Wallet>) -> Result<DynProvider, AgentError> {
    let wrong = |error: String| AgentError::Rpc(error);
    let url = reqwest::Url::parse(rpc).map_err(|error| wrong(error.to_string()))?;
    if url.scheme() != "http" {
        let text =
            "only http://… is spoken: run the chain's node, or a proxy to it, on this machine";
        return Err(wrong(text.to_owned()));
    }
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(RPC_TIMEOUT)
        .build();
    let http = http.map_err(|error| wrong(error.to_string()))?;
    let builder = ProviderBuilder::default();
    Ok(match wallet {
        Some(wallet) => builder
            .with_gas_estimation()
            .with_simple_nonce_management()
            .fetch_chain_id()
            .wallet(EthereumWallet::new(CashSigner::new(wallet)))
            .connect_reqwest(http, url)
            .erased(),
        None => builder.connect_reqwest(http, url).erased(),
    })
}
