//! A client's account at its node: where it stands, and how it came to that.

use std::fmt;

use layer_minus_ledger::{Amount, Sum, Tariff};
use serde::{Deserialize, Serialize};

use crate::{
    error::{MessageError, Reason},
    text,
};

/// A client's account and mailbox at its node. Amounts in picodollars.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Up to how much may be charged in all, now: what was charged on earlier channels, and of the
    /// present one the smaller of what was signed and what backs it.
    #[serde(with = "text::decimal")]
    pub limit_pusd: u64,
    /// Charged so far, on all channels.
    #[serde(with = "text::decimal")]
    pub charged_pusd: u64,
    /// Reserved for mail that waits.
    #[serde(with = "text::decimal")]
    pub reserved_pusd: u64,
    /// Bytes passed in and out at list size, free ones too.
    #[serde(with = "text::decimal")]
    pub passed_bytes: u64,
    /// Last second of the authorization, unix time.
    #[serde(with = "text::decimal")]
    pub authorized_until: u64,
    /// Packets waiting.
    #[serde(with = "text::decimal")]
    pub waiting_packets: u64,
    /// Bytes waiting.
    #[serde(with = "text::decimal")]
    pub waiting_bytes: u64,
    /// Room of the mailbox, bytes.
    #[serde(with = "text::decimal")]
    pub mailbox_bytes_max: u64,
    /// Connections open now.
    #[serde(with = "text::decimal")]
    pub connections: u64,
    /// What this client is charged.
    pub prices: Tariff,
    /// Last second until which these prices are fixed for this client, unix time. After it the
    /// node's present ones count.
    #[serde(with = "text::decimal")]
    pub prices_until: u64,
    /// Bytes that may pass today (UTC) without a charge.
    #[serde(with = "text::decimal")]
    pub free_bytes_left: u64,
    /// Why new mail and further pushes wait, if they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
}

impl Standing {
    /// What may still be charged or reserved.
    #[must_use]
    pub const fn left_pusd(&self) -> u64 {
        self.limit_pusd
            .saturating_sub(self.charged_pusd)
            .saturating_sub(self.reserved_pusd)
    }
}

/// Why an account takes no new charges. What was reserved before is still delivered, nothing is
/// dropped before its retention ends, and all goes on once the cause is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Paused {
    /// What was signed is used up: raise the limit.
    Exhausted,
    /// The authorization's time is over: sign a new one.
    Expired,
    /// The client took the authorization back: sign one on a new channel.
    Revoked,
    /// More was signed than stands behind it now: the backing must grow.
    Unbacked,
}

impl Paused {
    /// The word that JSON has for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Unbacked => "unbacked",
        }
    }
}

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Reason {
    /// The state of an account that this reason tells of, if it does.
    #[must_use]
    pub const fn paused(&self) -> Option<Paused> {
        match self {
            Self::Exhausted { .. } => Some(Paused::Exhausted),
            Self::AuthorizationExpired => Some(Paused::Expired),
            Self::Revoked => Some(Paused::Revoked),
            Self::NotBacked { .. } => Some(Paused::Unbacked),
            _ => None,
        }
    }
}

/// What a charge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ChargeKind {
    /// A command's pass.
    Command,
    /// Mail's way in.
    MailIn,
    /// First push of a packet.
    Push,
    /// A further push of the same packet.
    PushAgain,
    /// Storage of a packet, until it left.
    Storage,
}

impl ChargeKind {
    /// The word that JSON has for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::MailIn => "mail-in",
            Self::Push => "push",
            Self::PushAgain => "push-again",
            Self::Storage => "storage",
        }
    }
}

/// A line of a statement: one charge. It does not say who wrote, nor what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// Its number, from 1, without gaps.
    #[serde(with = "text::decimal")]
    pub seq: u64,
    /// When it was charged, unix seconds.
    #[serde(with = "text::decimal")]
    pub at: u64,
    /// What for.
    pub kind: ChargeKind,
    /// List size of the packet that it was charged for.
    pub bytes: u32,
    /// How much, picodollars.
    pub amount_pusd: Amount,
    /// Charged in all, with this line.
    pub balance_pusd: Sum,
}

/// A page of a client's statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The number before the first line here. Greater than what was asked for if lines before it
    /// were dropped: their sum is in the opening balance.
    #[serde(with = "text::decimal")]
    pub opening_seq: u64,
    /// Charged in all before the first line here.
    pub opening_pusd: Sum,
    /// The lines, in order.
    pub charges: Vec<Charge>,
    /// Whether there are more after these.
    pub more: bool,
    /// Charged in all, by the account itself, when the page was made.
    pub charged_pusd: Sum,
}

impl Statement {
    /// Checks that the lines follow each other and add up, and if there are no more, to what was
    /// charged. Returns the number and the balance that the next page goes on from.
    ///
    /// # Errors
    /// [`MessageError::Rule`].
    pub fn check(&self) -> Result<(u64, Sum), MessageError> {
        let mut end = (self.opening_seq, self.opening_pusd);
        for charge in &self.charges {
            let follows = end.0.checked_add(1) == Some(charge.seq);
            let sum = end.1.checked_add(charge.amount_pusd.into());
            if !follows || charge.amount_pusd.is_zero() || sum != Some(charge.balance_pusd) {
                return Err(MessageError::Rule("lines of the statement do not add up"));
            }
            end = (charge.seq, charge.balance_pusd);
        }
        let done = if self.more {
            !self.charges.is_empty() && end.1 <= self.charged_pusd
        } else {
            end.1 == self.charged_pusd
        };
        if done {
            Ok(end)
        } else {
            Err(MessageError::Rule(
                "the statement does not come to what was charged",
            ))
        }
    }
}

/// A row of a statement as other programs read it, in JSON or as a table. The amounts of all rows
/// come to the balance of the last: the first is the balance that was carried, of kind `opening`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Number of the charge; of the opening, the number before the first.
    #[serde(with = "text::decimal")]
    pub seq: u64,
    /// Unix seconds; none for the opening.
    #[serde(with = "text::decimal_opt")]
    pub at: Option<u64>,
    /// What for.
    pub kind: &'static str,
    /// List size of the packet; none for the opening.
    pub bytes: Option<u32>,
    /// Picodollars.
    pub amount_pusd: Sum,
    /// Charged in all, with this row.
    pub balance_pusd: Sum,
}

impl Entry {
    /// The balance before the charges that follow.
    #[must_use]
    pub const fn opening(seq: u64, balance_pusd: Sum) -> Self {
        Self {
            seq,
            at: None,
            kind: "opening",
            bytes: None,
            amount_pusd: balance_pusd,
            balance_pusd,
        }
    }
}

impl From<&Charge> for Entry {
    fn from(charge: &Charge) -> Self {
        Self {
            seq: charge.seq,
            at: Some(charge.at),
            kind: charge.kind.name(),
            bytes: Some(charge.bytes),
            amount_pusd: charge.amount_pusd.into(),
            balance_pusd: charge.balance_pusd,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> Statement {
        let charge = |seq, amount, balance| Charge {
            seq,
            at: 1_800_000_000,
            kind: ChargeKind::Push,
            bytes: 16_000,
            amount_pusd: Amount::new(amount),
            balance_pusd: Sum::new(balance),
        };
        Statement {
            opening_seq: 6,
            opening_pusd: Sum::new(100),
            charges: vec![charge(7, 20, 120), charge(8, 1, 121)],
            more: false,
            charged_pusd: Sum::new(121),
        }
    }

    #[test]
    fn what_does_not_add_up_is_found() {
        assert_eq!(statement().check().unwrap(), (8, Sum::new(121)));
        let changes: [fn(&mut Statement); 8] = [
            |it| it.opening_pusd = Sum::new(99),
            |it| it.opening_seq = 5,
            |it| it.charges[0].amount_pusd = Amount::new(21),
            |it| it.charges[1].balance_pusd = Sum::new(122),
            |it| it.charges[1].seq = 9,
            |it| it.charges.swap(0, 1),
            |it| it.charges.truncate(1),
            |it| it.charged_pusd = Sum::new(122),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut changed = statement();
            change(&mut changed);
            assert!(changed.check().is_err(), "change {number}");
        }
    }

    #[test]
    fn a_page_that_goes_on_has_lines_and_not_more_than_was_charged() {
        let mut page = statement();
        page.more = true;
        page.charged_pusd = Sum::new(500);
        assert_eq!(page.check().unwrap(), (8, Sum::new(121)));
        page.charged_pusd = Sum::new(120);
        assert!(page.check().is_err());
        page.charges.clear();
        assert!(page.check().is_err(), "a reader would ask for ever");
    }

    #[test]
    fn names_are_those_of_json() {
        use ChargeKind as K;
        for kind in [K::Command, K::MailIn, K::Push, K::PushAgain, K::Storage] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        use Paused as P;
        for paused in [P::Exhausted, P::Expired, P::Revoked, P::Unbacked] {
            assert_eq!(serde_json::to_value(paused).unwrap(), paused.to_string());
        }
    }
}
