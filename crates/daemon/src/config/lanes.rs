//! `[lanes]`: money between this node and others.

use layer_minus_message::Chain;
use layer_minus_node::config::LaneConfig;
use layer_minus_wallet::Address;
use serde::Deserialize;

use super::values;

/// How this node pays others for what they forward, and how far it trusts those that it forwards to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lanes {
    /// What is owed before a voucher is signed, picodollars.
    pub pay_at_pusd: u64,
    /// What another node may owe without a voucher before nothing is forwarded to it, picodollars.
    pub unpromised_max_pusd: u64,
    /// What another node may owe by vouchers that are not settled before nothing is forwarded to it,
    /// picodollars.
    pub credit_pusd: u64,
    /// The chain where this node's vouchers can be cashed; 0 for none.
    pub chain_id: u64,
    /// The escrow contract there.
    #[serde(deserialize_with = "values::address")]
    pub contract: Address,
    /// The token that it holds.
    #[serde(deserialize_with = "values::address")]
    pub token: Address,
}

impl Default for Lanes {
    fn default() -> Self {
        let LaneConfig {
            chain,
            pay_at_pusd,
            unpromised_max_pusd,
            credit_pusd,
        } = LaneConfig::default();
        Self {
            pay_at_pusd,
            unpromised_max_pusd,
            credit_pusd,
            chain_id: chain.chain_id,
            contract: chain.contract,
            token: chain.token,
        }
    }
}

impl Lanes {
    pub(super) const fn node(self) -> LaneConfig {
        LaneConfig {
            chain: Chain {
                chain_id: self.chain_id,
                contract: self.contract,
                token: self.token,
            },
            pay_at_pusd: self.pay_at_pusd,
            unpromised_max_pusd: self.unpromised_max_pusd,
            credit_pusd: self.credit_pusd,
        }
    }

    /// What no single key shows.
    pub(super) fn check(self) -> Result<(), String> {
        if self.chain_id != 0 && (self.contract.is_zero() || self.token.is_zero()) {
            return Err("lanes.chain_id needs lanes.contract and lanes.token".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_nodes() {
        assert_eq!(Lanes::default().node(), LaneConfig::default());
    }

    #[test]
    fn a_chain_is_named_whole_or_not_at_all() {
        let mut lanes = Lanes::default();
        assert!(lanes.check().is_ok());
        lanes.chain_id = 8_453;
        assert!(lanes.check().is_err());
        lanes.contract = Address::repeat_byte(1);
        assert!(lanes.check().is_err());
        lanes.token = Address::repeat_byte(2);
        assert!(lanes.check().is_ok());
    }
}
