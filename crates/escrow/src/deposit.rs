//! What a channel holds, and what that is worth to whoever serves its payer.

/// A channel as the contract keeps it, at one block. Amounts are token units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deposit {
    /// All deposits, less what was withdrawn and refunded.
    pub balance_units: u128,
    /// What was claimed of it, cumulative.
    pub claimed_units: u128,
    /// What the payer announced to take back.
    pub withdrawal: Option<Withdrawal>,
}

/// An announced withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// At most this much will be taken.
    pub amount_units: u128,
    /// From this second on, unix time.
    pub matures_at: u64,
}

impl Deposit {
    /// What can still be claimed for work that is done up to `until`, the end of the authorization
    /// (unix time): the balance less what was claimed.
    ///
    /// Nothing once a withdrawal is announced that matures by then, whatever its amount: it may be
    /// announced anew for all of it, and only the receiver's claims before it matures are sure.
    #[must_use]
    pub const fn backing_units(&self, until: u64) -> u128 {
        match self.withdrawal {
            Some(Withdrawal { matures_at, .. }) if matures_at <= until => 0,
            _ => self.balance_units.saturating_sub(self.claimed_units),
        }
    }

    /// The highest cumulative total that an authorization until then can be worth: what was claimed
    /// and what backs more. An authorization's limit is cumulative too, so this is what to compare
    /// it with.
    #[must_use]
    pub const fn limit_units(&self, until: u64) -> u128 {
        self.claimed_units.saturating_add(self.backing_units(until))
    }
}

/// A channel at two blocks.
///
/// What was deposited counts once its block is final, what was claimed or announced at once: of both blocks
/// the worse one counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Views {
    /// At the latest block.
    pub latest: Deposit,
    /// At the last block that cannot be replaced.
    pub last_final: Deposit,
}

impl Views {
    /// [`Deposit::backing_units`] of the worse block.
    ///
    /// It backs this channel only, so no deposit counts for two receivers or two authorizations. What was earned
    /// on the channel and not claimed yet is to be taken off; or compare the authorization's limit with
    /// [`limit_units`](Self::limit_units).
    #[must_use]
    pub fn backing_units(&self, until: u64) -> u128 {
        let [latest, last_final] = [self.latest, self.last_final].map(|it| it.backing_units(until));
        latest.min(last_final)
    }

    /// [`Deposit::limit_units`] of the worse block.
    #[must_use]
    pub fn limit_units(&self, until: u64) -> u128 {
        let [latest, last_final] = [self.latest, self.last_final].map(|it| it.limit_units(until));
        latest.min(last_final)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: Deposit = Deposit {
        balance_units: 100,
        claimed_units: 30,
        withdrawal: None,
    };

    fn announced(matures_at: u64) -> Deposit {
        Deposit {
            withdrawal: Some(Withdrawal {
                amount_units: 1,
                matures_at,
            }),
            ..HELD
        }
    }

    #[test]
    fn what_was_claimed_backs_nothing_more() {
        assert_eq!(HELD.backing_units(u64::MAX), 70);
        assert_eq!(HELD.limit_units(u64::MAX), 100);
        assert_eq!(Deposit::default().limit_units(0), 0);
    }

    #[test]
    fn an_announced_withdrawal_ends_the_backing_of_what_outlives_it() {
        let deposit = announced(1_000);
        assert_eq!(deposit.backing_units(999), 70);
        assert_eq!(deposit.backing_units(1_000), 0);
        assert_eq!(deposit.limit_units(1_000), 30);
        // One that matured and was not executed can be at any moment.
        assert_eq!(announced(1).backing_units(1_000), 0);
    }
}
