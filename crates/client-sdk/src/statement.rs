//! A statement, from its pages.

use layer_minus_ledger::Sum;
use layer_minus_message::{Charge, MessageError, Statement};

use crate::error::SdkError;

/// Joins the pages of a statement and checks that they are one.
///
/// Ask for [`StatementBook::after`] until [`StatementBook::take`] says that it is whole.
#[derive(Debug, Default)]
pub struct StatementBook {
    /// Charged before the first line: of lines that the node dropped.
    pub opening_pusd: Sum,
    /// The lines.
    pub charges: Vec<Charge>,
    /// What the account itself says, when the last page was made.
    pub charged_pusd: Sum,
    begun: bool,
    end: (u64, Sum),
}

impl StatementBook {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number after which the next page begins.
    #[must_use]
    pub const fn after(&self) -> u64 {
        self.end.0
    }

    /// Takes the next page; true if it was the last. Then the opening and all lines come to what
    /// was charged.
    ///
    /// # Errors
    /// [`SdkError::Message`] if the page does not add up or does not go on where the last one ended.
    pub fn take(&mut self, page: Statement) -> Result<bool, SdkError> {
        let end = page.check()?;
        let start = (page.opening_seq, page.opening_pusd);
        if self.begun && start != self.end {
            return Err(
                MessageError::Rule("pages of the statement do not follow each other").into(),
            );
        }
        if !self.begun {
            self.begun = true;
            self.opening_pusd = page.opening_pusd;
        }
        self.charges.extend(page.charges);
        self.charged_pusd = page.charged_pusd;
        self.end = end;
        Ok(!page.more)
    }
}

#[cfg(test)]
mod tests {
    use layer_minus_ledger::Amount;
    use layer_minus_message::ChargeKind;

    use super::*;

    fn page(first: u64, more: bool) -> Statement {
        let charge = |seq: u64| Charge {
            seq,
            at: 1_800_000_000,
            kind: ChargeKind::Command,
            bytes: 16_000,
            amount_pusd: Amount::new(10),
            balance_pusd: Sum::new(u128::from(seq) * 10),
        };
        Statement {
            opening_seq: first - 1,
            opening_pusd: Sum::new(u128::from(first - 1) * 10),
            charges: vec![charge(first), charge(first + 1)],
            more,
            charged_pusd: Sum::new(u128::from(first + 1) * 10),
        }
    }

    #[test]
    fn pages_become_one_statement() {
        let mut book = StatementBook::new();
        assert!(!book.take(page(5, true)).unwrap());
        assert_eq!((book.after(), book.opening_pusd), (6, Sum::new(40)));
        assert!(book.take(page(7, false)).unwrap());
        assert_eq!((book.charges.len(), book.charged_pusd), (4, Sum::new(80)));
    }

    #[test]
    fn a_page_that_is_missing_or_comes_twice_is_noticed() {
        for next in [5, 9] {
            let mut book = StatementBook::new();
            book.take(page(5, true)).unwrap();
            assert!(book.take(page(next, false)).is_err());
        }
    }
}
