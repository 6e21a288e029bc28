//! Who may know what.

use crate::needles::{Kind, Secret};

/// What somebody may find in its own words, beyond what is public. In what passes in front of a
/// node nobody may find anything.
pub(crate) fn may_know(party: &str) -> Vec<Secret> {
    let of = |owner, kinds: &[Kind]| -> Vec<Secret> {
        kinds
            .iter()
            .map(|kind| Secret { owner, kind: *kind })
            .collect()
    };
    let own = [
        Kind::Wallet,
        Kind::CashWallet,
        Kind::EncryptionKey,
        Kind::IpAddress,
        Kind::Words,
    ];
    // A contact is a wallet and a key, and what is written is for both.
    let contact = [Kind::Wallet, Kind::EncryptionKey, Kind::Words];
    match party {
        "Node B" => of("Bobo", &[Kind::Wallet]),
        "Node C" => of("Peter", &[Kind::Wallet]),
        "Bobo" => [of("Bobo", &own), of("Peter", &contact)].concat(),
        "Peter" => [of("Peter", &own), of("Bobo", &contact)].concat(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_may_know_nothing_and_nobody_the_others_address() {
        assert!(may_know("Node A").is_empty() && may_know("Node D").is_empty());
        for (party, other) in [("Bobo", "Peter"), ("Peter", "Bobo"), ("Node B", "Peter")] {
            for kind in [Kind::IpAddress, Kind::CashWallet] {
                assert!(!may_know(party).contains(&Secret { owner: other, kind }));
            }
        }
    }
}
