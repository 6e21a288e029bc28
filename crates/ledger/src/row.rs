//! Rows as stored bytes: fixed length, big-endian, a version first, one encoding for one value.
//!
//! ```text
//! account, 98 bytes                       transfer, 102 bytes
//!  0  version = 1                          0  version = 1
//!  1  id                        16         1  id                       16
//! 17  debits pending            16        17  debit account            16
//! 33  debits posted             16        33  credit account           16
//! 49  credits pending           16        49  amount                    8
//! 65  credits posted            16        57  state                     1
//! 81  limit: 0 none, 1 up to,             58  expires at, or 0          8
//!     2 overdraft                1        66  captured, or 0            8
//! 82  limit, or 0               16        74  capture: 1 rest + 2 last  1
//!                                         75  pending: 0 none, 1 given  1
//!                                         76  pending, or 0            16
//!                                         92  code                      2
//!                                         94  at                        8
//! ```

use crate::{
    Account, AccountId, Amount, DebitLimit, LedgerError, Transfer, TransferId, TransferState,
};

/// The version byte that rows are written with.
pub const ROW_VERSION: u8 = 1;
/// Length of an account's row.
pub const ACCOUNT_ROW_BYTES: usize = 98;
/// Length of a transfer's row.
pub const TRANSFER_ROW_BYTES: usize = 102;

const REST: u8 = 1;
const LAST: u8 = 2;

impl Account {
    /// The account as a row of [`ACCOUNT_ROW_BYTES`].
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ACCOUNT_ROW_BYTES] {
        let (tag, limit) = match self.limit {
            DebitLimit::None => (0, 0),
            DebitLimit::UpTo(limit) => (1, limit),
            DebitLimit::Overdraft(more) => (2, more),
        };
        let mut row = Writer::new();
        row.put(self.id.to_bytes());
        row.put(self.debits_pending.to_be_bytes());
        row.put(self.debits_posted.to_be_bytes());
        row.put(self.credits_pending.to_be_bytes());
        row.put(self.credits_posted.to_be_bytes());
        row.put([tag]);
        row.put(limit.to_be_bytes());
        row.bytes
    }

    /// Reads a row.
    ///
    /// # Errors
    /// [`LedgerError`] when the length, the version or a tag is not one that [`Self::to_bytes`]
    /// writes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LedgerError> {
        let mut row = Reader::new::<ACCOUNT_ROW_BYTES>(bytes)?;
        let account = Self {
            id: AccountId::new(row.take()),
            debits_pending: u128::from_be_bytes(row.take()),
            debits_posted: u128::from_be_bytes(row.take()),
            credits_pending: u128::from_be_bytes(row.take()),
            credits_posted: u128::from_be_bytes(row.take()),
            limit: match (row.byte(), u128::from_be_bytes(row.take())) {
                (0, 0) => DebitLimit::None,
                (1, limit) => DebitLimit::UpTo(limit),
                (2, more) => DebitLimit::Overdraft(more),
                (tag, _) => return Err(LedgerError::RowTag { what: "limit", tag }),
            },
        };
        Ok(account)
    }
}

impl Transfer {
    /// The transfer as a row of [`TRANSFER_ROW_BYTES`].
    #[must_use]
    pub fn to_bytes(&self) -> [u8; TRANSFER_ROW_BYTES] {
        let (tag, flags) = match self.state {
            TransferState::Posted => (0, 0),
            TransferState::Pending { .. } => (1, 0),
            TransferState::PostedFrom { .. } => (2, 0),
            TransferState::Voided { .. } => (3, 0),
            TransferState::Expired { .. } => (4, 0),
            TransferState::Captured { rest, last } => {
                (5, if rest { REST } else { 0 } | if last { LAST } else { 0 })
            }
            TransferState::Released => (6, 0),
        };
        let mut row = Writer::new();
        row.put(self.id.to_bytes());
        row.put(self.debit.to_bytes());
        row.put(self.credit.to_bytes());
        row.put(self.amount.get().to_be_bytes());
        row.put([tag]);
        row.put(self.state.expires_at().unwrap_or(0).to_be_bytes());
        row.put(
            self.state
                .captured()
                .unwrap_or(Amount::ZERO)
                .get()
                .to_be_bytes(),
        );
        row.put([flags, u8::from(self.pending.is_some())]);
        row.put(self.pending.map_or([0; 16], TransferId::to_bytes));
        row.put(self.code.to_be_bytes());
        row.put(self.at.to_be_bytes());
        row.bytes
    }

    /// Reads a row.
    ///
    /// # Errors
    /// [`LedgerError`] when the length, the version or a tag is not one that [`Self::to_bytes`]
    /// writes, or when the fields contradict each other.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LedgerError> {
        let mut row = Reader::new::<TRANSFER_ROW_BYTES>(bytes)?;
        let id = TransferId::new(row.take());
        let debit = AccountId::new(row.take());
        let credit = AccountId::new(row.take());
        let amount = Amount::new(u64::from_be_bytes(row.take()));
        let tag = row.byte();
        let expires_at = u64::from_be_bytes(row.take());
        let captured = Amount::new(u64::from_be_bytes(row.take()));
        let flags = row.byte();
        let state = match tag {
            0 => TransferState::Posted,
            1 => TransferState::Pending {
                expires_at,
                captured,
            },
            2 => TransferState::PostedFrom {
                expires_at,
                captured,
            },
            3 => TransferState::Voided {
                expires_at,
                captured,
            },
            4 => TransferState::Expired {
                expires_at,
                captured,
            },
            5 => TransferState::Captured {
                rest: flags & REST != 0,
                last: flags & LAST != 0,
            },
            6 => TransferState::Released,
            tag => return Err(LedgerError::RowTag { what: "state", tag }),
        };
        let pending = match (row.byte(), row.take()) {
            (0, zero) if zero == [0; 16] => None,
            (1, pending) => Some(TransferId::new(pending)),
            (tag, _) => {
                return Err(LedgerError::RowTag {
                    what: "reservation",
                    tag,
                });
            }
        };
        let code = u16::from_be_bytes(row.take());
        let at = u64::from_be_bytes(row.take());
        let transfer = Self {
            id,
            debit,
            credit,
            amount,
            state,
            pending,
            code,
            at,
        };
        transfer.check()?;
        // Whatever the state does not use was written as zero.
        if transfer.to_bytes() != *bytes {
            return Err(LedgerError::Contradiction {
                reason: "a field that its state does not have",
            });
        }
        Ok(transfer)
    }
}

/// Fills a row from its start. The layouts above are what keeps it within `N`: the row tests
/// write every field.
struct Writer<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Writer<N> {
    fn new() -> Self {
        let mut row = Self {
            bytes: [0; N],
            at: 0,
        };
        row.put([ROW_VERSION]);
        row
    }

    fn put<const M: usize>(&mut self, field: [u8; M]) {
        let end = self.at + M;
        if let Some(room) = self.bytes.get_mut(self.at..end) {
            room.copy_from_slice(&field);
        }
        self.at = end;
    }
}

/// Reads a row whose length was checked; beyond its end there are zeros, never a panic.
struct Reader<'r> {
    rest: &'r [u8],
}

impl<'r> Reader<'r> {
    fn new<const N: usize>(bytes: &'r [u8]) -> Result<Self, LedgerError> {
        if bytes.len() != N {
            return Err(LedgerError::RowLength {
                len: bytes.len(),
                expected: N,
            });
        }
        let mut reader = Self { rest: bytes };
        match reader.byte() {
            ROW_VERSION => Ok(reader),
            version => Err(LedgerError::RowVersion {
                version,
                known: ROW_VERSION,
            }),
        }
    }

    fn take<const M: usize>(&mut self) -> [u8; M] {
        match self.rest.split_first_chunk() {
            Some((field, rest)) => {
                self.rest = rest;
                *field
            }
            None => [0; M],
        }
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.take();
        byte
    }
}
