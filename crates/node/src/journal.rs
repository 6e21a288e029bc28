//! The statement of each client: a line for every charge, written with it.
//!
//! A line says when, what for, how many bytes, how much, and what it comes to in all. It does not
//! say who wrote, nor which message. Lines are dropped after their time, or when there are too many; what they came
//! to stays as the opening balance, so that the sums are exact for ever.
//!
//! ```text
//! key: account (16) ‖ number (u64); number 0 is the tally
//! line, 39 bytes: version = 1 (1) ‖ code (2) ‖ bytes (4) ‖ time (8) ‖ amount (8) ‖ balance (16)
//! ```

use layer_minus_delivery::DailyQuota;
use layer_minus_ledger::{AccountId, Amount, Changes, Op, Outcome, Sum};
use layer_minus_message::{Charge, ChargeKind, limits::STATEMENT_CHARGES_MAX, standing::Statement};

use crate::{
    config::{NodeConfig, REMOVE_MAX, STATEMENT_SWEEP_SECS},
    money::code,
    rows::{Due, TallyRow},
    store::{Store, StoreError, Table},
    tx::{BookError, Tx},
};

const LINE_VERSION: u8 = 1;
const LINE_BYTES: usize = 39;

/// How long and how many lines are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keeping {
    pub(crate) secs: u64,
    pub(crate) lines_max: u64,
}

impl From<&NodeConfig> for Keeping {
    fn from(config: &NodeConfig) -> Self {
        Self {
            secs: config.statement_secs,
            lines_max: config.statement_lines_max.max(1),
        }
    }
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) code: u16,
    pub(crate) bytes: u32,
    pub(crate) at: u64,
    pub(crate) amount: Amount,
    /// Charged in all, with this line.
    pub(crate) balance: Sum,
}

impl Line {
    pub(crate) fn to_bytes(self) -> [u8; LINE_BYTES] {
        let mut row = [0; LINE_BYTES];
        row[0] = LINE_VERSION;
        row[1..3].copy_from_slice(&self.code.to_be_bytes());
        row[3..7].copy_from_slice(&self.bytes.to_be_bytes());
        row[7..15].copy_from_slice(&self.at.to_be_bytes());
        row[15..23].copy_from_slice(&self.amount.get().to_be_bytes());
        row[23..].copy_from_slice(&self.balance.get().to_be_bytes());
        row
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first_chunk::<1>()?;
        let (code, rest) = rest.split_first_chunk()?;
        let (size, rest) = rest.split_first_chunk()?;
        let (at, rest) = rest.split_first_chunk()?;
        let (amount, rest) = rest.split_first_chunk()?;
        let balance = rest.try_into().ok()?;
        (*version == [LINE_VERSION]).then_some(Self {
            code: u16::from_be_bytes(*code),
            bytes: u32::from_be_bytes(*size),
            at: u64::from_be_bytes(*at),
            amount: Amount::new(u64::from_be_bytes(*amount)),
            balance: Sum::new(u128::from_be_bytes(balance)),
        })
    }

    /// The line as its client is told it; none if its code is no charge.
    pub(crate) fn charge(&self, seq: u64) -> Option<Charge> {
        Some(Charge {
            seq,
            at: self.at,
            kind: kind_of(self.code)?,
            bytes: self.bytes,
            amount_pusd: self.amount,
            balance_pusd: self.balance,
        })
    }
}

/// What a code of the ledger is to a client; none if it is no charge.
pub(crate) const fn kind_of(code: u16) -> Option<ChargeKind> {
    Some(match code {
        code::COMMAND => ChargeKind::Command,
        code::MAIL_IN => ChargeKind::MailIn,
        code::PUSH => ChargeKind::Push,
        code::PUSH_AGAIN => ChargeKind::PushAgain,
        code::STORAGE => ChargeKind::Storage,
        _ => return None,
    })
}

/// Key of a line; number 0 is the tally.
pub(crate) fn key(account: &AccountId, seq: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(account.as_bytes());
    key[16..].copy_from_slice(&seq.to_be_bytes());
    key
}

/// Reads what [`key`] wrote.
pub(crate) fn read_key(key: &[u8]) -> Option<(AccountId, u64)> {
    let (account, seq) = key.split_first_chunk()?;
    Some((
        AccountId::new(*account),
        u64::from_be_bytes(seq.try_into().ok()?),
    ))
}

impl<S: Store> Tx<'_, S> {
    pub(crate) fn tally(&self, account: &AccountId) -> Result<TallyRow, StoreError> {
        let row = self.get(Table::Journal, &key(account, 0))?;
        Ok(row.unwrap_or_default())
    }

    pub(crate) fn put_tally(
        &mut self,
        account: &AccountId,
        row: &TallyRow,
    ) -> Result<(), StoreError> {
        self.put(Table::Journal, &key(account, 0), row)
    }

    /// Remembers what passed free of charge today.
    pub(crate) fn put_free(
        &mut self,
        account: &AccountId,
        free: DailyQuota,
    ) -> Result<(), StoreError> {
        let tally = self.tally(account)?;
        if tally.free == free {
            return Ok(());
        }
        self.put_tally(account, &TallyRow { free, ..tally })
    }

    /// Writes a line for each charge that `changes` hold. `ops` are what was planned, each with the
    /// list size of the packet that it is for.
    pub(crate) fn note(&mut self, ops: &[(Op, u32)], changes: &Changes) -> Result<(), BookError> {
        let mut lines: Vec<(AccountId, Line)> = Vec::with_capacity(ops.len());
        for ((op, bytes), outcome) in ops.iter().zip(&changes.outcomes) {
            let (Op::Transfer { id, .. } | Op::Post { id, .. }) = op else {
                continue;
            };
            let Outcome::Applied { amount } = outcome else {
                continue;
            };
            let row = changes.transfers.iter().find(|row| row.id == *id);
            let Some(row) = row.filter(|row| kind_of(row.code).is_some()) else {
                continue;
            };
            let line = Line {
                code: row.code,
                bytes: *bytes,
                at: self.now,
                amount: *amount,
                balance: Sum::ZERO,
            };
            lines.push((row.debit, line));
        }
        // The account's row says what it comes to after the last of them.
        let mut after: Vec<(AccountId, u128)> = changes
            .accounts
            .iter()
            .map(|account| (account.id, account.debits_posted))
            .collect();
        for (account, line) in lines.iter_mut().rev() {
            let balance = after.iter_mut().find(|(id, _)| id == account);
            let (_, balance) = balance.ok_or_else(|| {
                BookError::Store(StoreError::Failed("a charge changed no account".to_owned()))
            })?;
            line.balance = Sum::new(*balance);
            *balance = balance.saturating_sub(line.amount.get().into());
        }
        for (account, line) in lines {
            self.append(&account, line).map_err(BookError::Store)?;
        }
        Ok(())
    }

    fn append(&mut self, account: &AccountId, line: Line) -> Result<(), StoreError> {
        let mut tally = self.tally(account)?;
        self.put_bytes(
            Table::Journal,
            &key(account, tally.next_seq),
            &line.to_bytes(),
        )?;
        tally.next_seq = tally.next_seq.saturating_add(1);
        // More than one only after the limit was lowered.
        for _ in 0..REMOVE_MAX {
            if tally.next_seq - tally.first_seq <= self.keeping.lines_max {
                break;
            }
            self.drop_first(account, &mut tally)?;
        }
        if tally.sweep_at == 0 {
            tally.sweep_at = line.at.saturating_add(self.keeping.secs).max(1);
            self.schedule(tally.sweep_at, Due::Statement, account.as_bytes())?;
        }
        self.put_tally(account, &tally)
    }

    fn line(&self, account: &AccountId, seq: u64) -> Result<Line, StoreError> {
        let key = key(account, seq);
        let row = self.store.get(Table::Journal, &key)?;
        row.and_then(|row| Line::from_bytes(&row))
            .ok_or_else(|| StoreError::damaged(Table::Journal, key))
    }

    /// Drops the oldest line and carries what it came to.
    fn drop_first(&mut self, account: &AccountId, tally: &mut TallyRow) -> Result<(), StoreError> {
        let line = self.line(account, tally.first_seq)?;
        self.delete(Table::Journal, &key(account, tally.first_seq))?;
        tally.opening_pusd = line.balance;
        tally.first_seq += 1;
        Ok(())
    }

    /// Drops the lines whose time is over, and says when to look again.
    pub(crate) fn sweep_statement(&mut self, account: &AccountId) -> Result<(), StoreError> {
        let mut tally = self.tally(account)?;
        tally.sweep_at = 0;
        for dropped in 0..=REMOVE_MAX {
            if tally.first_seq >= tally.next_seq {
                break;
            }
            let line = self.line(account, tally.first_seq)?;
            let over = line.at.saturating_add(self.keeping.secs);
            if over > self.now {
                // Not for every line of a busy client: a day's at a time.
                tally.sweep_at = over.max(self.now.saturating_add(STATEMENT_SWEEP_SECS));
                break;
            }
            if dropped == REMOVE_MAX {
                tally.sweep_at = self.now.saturating_add(1);
                break;
            }
            self.drop_first(account, &mut tally)?;
        }
        if tally.sweep_at != 0 {
            self.schedule(tally.sweep_at, Due::Statement, account.as_bytes())?;
        }
        self.put_tally(account, &tally)
    }

    /// The lines after number `after`, as many as fit a page.
    pub(crate) fn statement(
        &self,
        account: &AccountId,
        after: u64,
    ) -> Result<Statement, StoreError> {
        statement(self.store, account, after, STATEMENT_CHARGES_MAX)
    }
}

/// Up to `lines_max` lines of an account's statement after number `after`.
pub(crate) fn statement<S: Store>(
    store: &S,
    account: &AccountId,
    after: u64,
    lines_max: usize,
) -> Result<Statement, StoreError> {
    let charged_pusd = crate::tx::account(store, account)?
        .map_or(Sum::ZERO, |account| Sum::new(account.debits_posted));
    let from = key(account, after.saturating_add(1));
    let mut to = key(account, u64::MAX).to_vec();
    to.push(0);
    let mut rows = store.scan(Table::Journal, &from, &to, lines_max.saturating_add(1))?;
    let more = rows.len() > lines_max;
    rows.truncate(lines_max);
    let mut charges = Vec::with_capacity(rows.len());
    for (key, value) in &rows {
        let charge = read_key(key)
            .zip(Line::from_bytes(value))
            .and_then(|((_, seq), line)| line.charge(seq));
        charges.push(charge.ok_or_else(|| StoreError::damaged(Table::Journal, key))?);
    }
    let opening = charges.first().map(|first: &Charge| {
        let before = first.balance_pusd.checked_sub(first.amount_pusd.into());
        (first.seq - 1, before.unwrap_or(Sum::ZERO))
    });
    let (opening_seq, opening_pusd) = opening.unwrap_or((after, charged_pusd));
    Ok(Statement {
        opening_seq,
        opening_pusd,
        charges,
        more,
        charged_pusd,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back_and_no_bytes_panic() {
        let line = Line {
            code: 0x0102,
            bytes: 0x0304_0506,
            at: 7,
            amount: Amount::new(8),
            balance: Sum::new(u128::MAX - 9),
        };
        let row = line.to_bytes();
        assert_eq!(Line::from_bytes(&row), Some(line));
        assert_eq!(&hex::encode(row)[..30], "010102030405060000000000000007");
        for cut in 0..row.len() {
            assert_eq!(Line::from_bytes(&row[..cut]), None);
        }
        assert_eq!(Line::from_bytes(&[&row[..], &[0]].concat()), None);
        let mut newer = row;
        newer[0] = 2;
        assert_eq!(Line::from_bytes(&newer), None);
        let account = AccountId::new([5; 16]);
        assert_eq!(read_key(&key(&account, 6)), Some((account, 6)));
        assert_eq!(read_key(&[0; 23]), None);
    }

    #[test]
    fn every_charge_of_the_ledger_has_a_word_and_nothing_else_has() {
        let charges = (0..=u16::MAX).filter(|code| kind_of(*code).is_some());
        assert_eq!(charges.collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(kind_of(code::LANE), None);
    }
}
