//! Bobo with his cash wallet, a node with its, a token, and the contract between them.

use std::time::Duration;

use alloy_network::EthereumWallet;
use alloy_primitives::U256;
use alloy_provider::{DynProvider, Provider, ProviderBuilder};
use layer_minus_escrow::{CashSigner, Escrow, EscrowError, OnEscrow, Refusal};
use layer_minus_message::{Authorization, Chain, LaneParty};
use layer_minus_settlement::{Channel, Claim};
use layer_minus_wallet::{Address, Wallet};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use serde_json::{Value, json};

use crate::anvil::Anvil;

pub(crate) mod token {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
    alloy_sol_types::sol!(
        #[sol(rpc)]
        TestToken,
        "../../crates/escrow/contracts/artifacts/TestToken.json"
    );
}
use token::TestToken::{self, TestTokenInstance};

pub(crate) type Contract = Escrow<DynProvider>;

/// Picodollars in a token unit.
pub(crate) const UNIT: u128 = 1_000_000;

pub(crate) struct World {
    anvil: Anvil,
    pub(crate) rng: ChaCha20Rng,
    /// The chain's time when it began, unix seconds.
    pub(crate) now: u64,
    pub(crate) chain: Chain,
    pub(crate) bobo: Address,
    pub(crate) cash: Wallet,
    pub(crate) node: Wallet,
    /// The contract as Bobo's cash wallet calls it.
    pub(crate) payer: Contract,
    /// The contract as the node's cash wallet calls it.
    pub(crate) receiver: Contract,
}

impl World {
    /// A new chain on which Bobo has 10^12 token units and lets the contract take them.
    pub(crate) async fn new() -> Option<Self> {
        let anvil = Anvil::start()?;
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let [bobo, cash, node] = std::array::from_fn(|_| Wallet::generate(&mut rng));
        let provider = provider(&anvil.url, &cash).await;
        let token = TestToken::deploy(provider.clone()).await.unwrap();
        let units = 1_000_000_000_000;
        let mint = token.mint(cash.address(), U256::from(units));
        mint.send().await.unwrap().get_receipt().await.unwrap();
        let payer = Escrow::deploy(provider.clone(), cash.address())
            .await
            .unwrap();
        payer.approve(*token.address(), units).await.unwrap();
        // Both contracts are final from here on.
        request(&provider, "anvil_mine", json!(["0x64"])).await;
        let now = timestamp(&provider).await;
        let chain = payer.chain(*token.address()).await.unwrap();
        let receiver = as_seen_by(&anvil.url, chain.contract, &node).await;
        Some(Self {
            anvil,
            rng,
            now,
            chain,
            bobo: bobo.address(),
            cash,
            node,
            payer,
            receiver,
        })
    }

    /// Where the chain is asked.
    #[allow(dead_code)] // by one of the tests that share this
    pub(crate) fn url(&self) -> &str {
        &self.anvil.url
    }

    /// The contract as somebody calls it who has ether for gas.
    pub(crate) async fn contract_for(&self, wallet: &Wallet) -> Contract {
        as_seen_by(&self.anvil.url, self.chain.contract, wallet).await
    }

    /// The token, for its tricks.
    pub(crate) async fn token(&self) -> TestTokenInstance<DynProvider> {
        let provider = provider(&self.anvil.url, &self.cash).await;
        TestToken::new(self.chain.token, provider)
    }

    pub(crate) async fn balance(&self, account: Address) -> u128 {
        let balance = self.token().await.balanceOf(account).call().await;
        balance.unwrap().to()
    }

    /// An authorization of Bobo's for the node, on a channel of its own.
    pub(crate) fn authorize(&mut self, limit_units: u64) -> Authorization {
        let node = self.node.address();
        let receiver = LaneParty { node, cash: node };
        let expires_at = self.now + 30 * 86_400;
        let (chain, rng) = (self.chain, &mut self.rng);
        Authorization::sign(
            &self.cash,
            self.bobo,
            receiver,
            chain,
            limit_units,
            expires_at,
            rng,
        )
        .unwrap()
    }

    pub(crate) fn channel(&self, authorization: &Authorization) -> Channel {
        authorization.channel(self.bobo)
    }

    /// A claim of so many units on an authorization, of which nothing was settled.
    pub(crate) fn claim(&self, authorization: &Authorization, owed_units: u128) -> Claim {
        Claim::of_authorization(authorization, self.bobo, owed_units * UNIT, 0)
    }

    /// How the node settles.
    pub(crate) fn settlement(&self) -> OnEscrow {
        OnEscrow {
            chain: self.chain,
            caller: self.node.address(),
        }
    }

    /// Gives somebody tokens, and ether for gas.
    #[allow(dead_code)] // by one of the tests that share this
    pub(crate) async fn fund(&self, account: Address, units: u128) {
        let token = self.token().await;
        let mint = token.mint(account, U256::from(units));
        mint.send().await.unwrap().get_receipt().await.unwrap();
        let provider = provider(&self.anvil.url, &self.cash).await;
        give_ether(&provider, account).await;
    }

    /// Lets time pass on the chain.
    pub(crate) async fn wait(&self, secs: u64) {
        let provider = provider(&self.anvil.url, &self.cash).await;
        request(&provider, "evm_increaseTime", json!([secs])).await;
        self.mine(1).await;
    }

    pub(crate) async fn mine(&self, blocks: u64) {
        let provider = provider(&self.anvil.url, &self.cash).await;
        let blocks = format!("{blocks:#x}");
        request(&provider, "anvil_mine", json!([blocks])).await;
    }
}

/// What the contract refused.
pub(crate) fn refusal<T>(result: Result<T, EscrowError>) -> Refusal {
    match result {
        Err(EscrowError::Refused(refusal)) => refusal,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("was not refused"),
    }
}

async fn as_seen_by(url: &str, contract: Address, wallet: &Wallet) -> Contract {
    Escrow::new(provider(url, wallet).await, contract, wallet.address())
}

/// A provider that signs with `wallet`, which gets ether.
async fn provider(url: &str, wallet: &Wallet) -> DynProvider {
    // Loopback has no business with a proxy of the environment.
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    // Several providers send for the same wallet, so none may keep its nonce.
    let provider = ProviderBuilder::default()
        .with_gas_estimation()
        .with_simple_nonce_management()
        .fetch_chain_id()
        .wallet(EthereumWallet::new(CashSigner::new(wallet.clone())))
        .connect_reqwest(http, url.parse().unwrap())
        .erased();
    provider
        .client()
        .set_poll_interval(Duration::from_millis(10));
    give_ether(&provider, wallet.address()).await;
    provider
}

async fn give_ether(provider: &DynProvider, account: Address) {
    let ether = format!("{:#x}", 10_u128.pow(18));
    request(provider, "anvil_setBalance", json!([account, ether])).await;
}

async fn request(provider: &DynProvider, method: &'static str, arguments: Value) -> Value {
    let answer = provider.raw_request(method.into(), arguments).await;
    answer.unwrap()
}

async fn timestamp(provider: &DynProvider) -> u64 {
    let block = request(provider, "eth_getBlockByNumber", json!(["latest", false])).await;
    let hex = block["timestamp"].as_str().unwrap();
    u64::from_str_radix(&hex[2..], 16).unwrap()
}
