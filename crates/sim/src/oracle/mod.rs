//! What must hold when a run is over. Other rules are checked while it goes on, where what they are
//! about happens (`observe`, `mailboxes`, `hear`, `net`).

mod charges;
mod delivery;
mod lanes;
mod ledger;

use crate::{violation::Violation, world::World};

/// A rule about a world that has come to rest.
pub(crate) trait Oracle {
    /// The rule, as a sentence.
    fn name(&self) -> &'static str;
    /// Checks it; the text says what is wrong.
    fn check(&self, world: &World) -> Result<(), String>;
}

/// All of them.
const ORACLES: [&dyn Oracle; 7] = [
    &ledger::Balanced,
    &ledger::NothingHeld,
    &delivery::Delivered,
    &delivery::GapsTold,
    &charges::Charged,
    &charges::Credited,
    &lanes::Agreed,
];

impl World {
    /// Checks every rule.
    pub(crate) fn judge(&self) -> Result<(), Violation> {
        for oracle in ORACLES {
            if let Err(text) = oracle.check(self) {
                return Err(Violation::new(oracle.name(), text));
            }
        }
        Ok(())
    }

    /// Checks the rules that hold at any moment of a node that runs.
    pub(crate) fn check_ledger(&self, site: usize) -> Result<(), Violation> {
        ledger::check_site(self, site).map_err(|text| Violation::new("the ledger balances", text))
    }
}
