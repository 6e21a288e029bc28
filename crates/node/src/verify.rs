//! Checks a node's store: the books, what mail has reserved, and the statements.
//!
//! All of it is read from one state of the store: a handle for reading that is pinned to it, or a node that
//! stands still. Nothing is repaired.

mod statements;

use std::collections::{BTreeMap, BTreeSet};

use layer_minus_ledger::{
    Account, AccountId, Invariants, Sum, Transfer, TransferId, TransferState, Violation,
};

use crate::{
    journal,
    money::{self, code},
    rows::{self, Due, MailboxRow, PacketRow},
    store::{Store, StoreError, Table},
    walk::{PAGE_ROWS, each},
};

/// Rows with whole packets read at a time.
const BODY_PAGE_ROWS: usize = 16;

/// Something that cannot be in a sound store. Accounts are named, not clients.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The books do not balance.
    #[error(transparent)]
    Books(#[from] Violation),
    /// A row lies under another key than its own.
    #[error("row of {table} with id {id} lies under another key")]
    Misplaced {
        /// The table.
        table: Table,
        /// The id in the row, hexadecimal.
        id: String,
    },
    /// A stored packet without its reservation, or one of another amount, kind or account.
    #[error("packet {seq} of account {account} has no {what} reservation of {amount} p$")]
    NotReserved {
        /// The account.
        account: AccountId,
        /// The packet.
        seq: u64,
        /// `push` or `storage`.
        what: &'static str,
        /// What should be reserved, picodollars.
        amount: u64,
    },
    /// A packet and its bytes are not both there.
    #[error("packet {seq} of account {account} and its body are not both there")]
    HalfStored {
        /// The account.
        account: AccountId,
        /// The packet.
        seq: u64,
    },
    /// An open reservation that belongs to no packet and to no push.
    #[error("reservation {pending} belongs to nothing")]
    Orphan {
        /// The reservation.
        pending: TransferId,
    },
    /// Two packets name the same reservation.
    #[error("reservation {pending} is named by two packets")]
    ReservedTwice {
        /// The reservation.
        pending: TransferId,
    },
    /// A mailbox counts other packets than there are.
    #[error("mailbox of account {account} counts {counted} packets and bytes, there are {found}")]
    Miscounted {
        /// The account.
        account: AccountId,
        /// What its row says.
        counted: String,
        /// What was found.
        found: String,
    },
    /// The lines of a statement do not follow each other or do not add up.
    #[error("statement of account {account} is wrong at line {seq}")]
    Statement {
        /// The account.
        account: AccountId,
        /// The line.
        seq: u64,
    },
    /// A statement does not come to what its account was charged.
    #[error("statement of account {account} comes to {stated} p$, it was charged {charged} p$")]
    StatementSum {
        /// The account.
        account: AccountId,
        /// What the statement comes to.
        stated: Sum,
        /// What the account says.
        charged: Sum,
    },
}

enum Stop {
    Flaw(Flaw),
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Flaw> for Stop {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Flaw(violation.into())
    }
}

type Found<T = ()> = Result<T, Stop>;

/// What an open reservation holds.
struct Open {
    account: AccountId,
    code: u16,
    amount: u64,
    expires_at: u64,
    used: bool,
}

struct Check<'a, S> {
    store: &'a S,
    /// What accounts were charged, by account.
    charged: BTreeMap<AccountId, u128>,
    open: BTreeMap<TransferId, Open>,
    /// Accounts that must have a statement.
    payers: BTreeSet<AccountId>,
    /// Packets and bytes found, by account.
    mailboxes: BTreeMap<AccountId, (u64, u64)>,
}

/// Checks all: the first flaw found, if there is one.
///
/// - Σ debits = Σ credits, no account over its limit, no transfer twice, totals and captures as the
///   transfers say;
/// - every stored packet has its body and its reservations for push and storage, of the right amount;
///   every open reservation belongs to a stored packet or to a push that is under way;
/// - every statement adds up to what its account was charged.
///
/// Memory grows with the number of transfers and packets (about 100 bytes each).
///
/// # Errors
/// When the store cannot be read, or holds a damaged row.
pub fn verify<S: Store>(store: &S) -> Result<Result<(), Flaw>, StoreError> {
    let mut check = Check {
        store,
        charged: BTreeMap::new(),
        open: BTreeMap::new(),
        payers: BTreeSet::new(),
        mailboxes: BTreeMap::new(),
    };
    match check.all() {
        Ok(()) => Ok(Ok(())),
        Err(Stop::Flaw(flaw)) => Ok(Err(flaw)),
        Err(Stop::Store(error)) => Err(error),
    }
}

impl<S: Store> Check<'_, S> {
    fn all(&mut self) -> Found {
        self.books()?;
        self.packets()?;
        self.bodies()?;
        self.reservations()?;
        self.counts()?;
        self.statements()
    }

    fn books(&mut self) -> Found {
        let mut invariants = Invariants::new();
        let store = self.store;
        each::<_, Stop>(store, Table::Accounts, PAGE_ROWS, |key, value| {
            let account = Account::from_bytes(value)
                .map_err(|_| StoreError::damaged(Table::Accounts, key))?;
            in_place(Table::Accounts, key, account.id.as_bytes())?;
            invariants.account(&account)?;
            self.charged.insert(account.id, account.debits_posted);
            Ok(())
        })?;
        each::<_, Stop>(store, Table::Transfers, PAGE_ROWS, |key, value| {
            let row = Transfer::from_bytes(value)
                .map_err(|_| StoreError::damaged(Table::Transfers, key))?;
            invariants.transfer(&row)?;
            in_place(Table::Transfers, key, row.id.as_bytes())?;
            if journal::kind_of(row.code).is_some() && !row.moved().is_zero() {
                self.payers.insert(row.debit);
            }
            if let TransferState::Pending { expires_at, .. } = row.state {
                let open = Open {
                    account: row.debit,
                    code: row.code,
                    amount: row.held().get(),
                    expires_at,
                    used: false,
                };
                self.open.insert(row.id, open);
            }
            Ok(())
        })?;
        invariants.finish_journal()?;
        Ok(())
    }

    fn packets(&mut self) -> Found {
        let store = self.store;
        each::<_, Stop>(store, Table::Packets, PAGE_ROWS, |key, value| {
            let packet: PacketRow = rows::from_json(Table::Packets, key, value)?;
            let (client, seq) = rows::read_packet_key(key)
                .ok_or_else(|| StoreError::damaged(Table::Packets, key))?;
            let account = money::client_account(&client);
            let size = u64::from(packet.size_bytes);
            let (count, bytes) = self.mailboxes.entry(account).or_default();
            (*count, *bytes) = (*count + 1, bytes.saturating_add(size));

            let held =
                money::byte_seconds(packet.size_bytes, packet.accepted_at, packet.kept_until);
            let storage = crate::purse::price(packet.prices.storage_reserve_price(held))?;
            self.reserved(
                account,
                seq,
                "storage",
                packet.storage,
                storage.get(),
                false,
            )?;
            let push = crate::purse::price(packet.prices.out_price(size))?;
            let push = if packet.free_push { 0 } else { push.get() };
            // A push that another device was quicker with leaves the first reservation, or used it.
            self.reserved(account, seq, "push", packet.push, push, packet.pushes > 0)
        })
    }

    /// That a packet's reservation is there, with the right amount. It `may_have_ended` when it was
    /// for a push that was made.
    fn reserved(
        &mut self,
        account: AccountId,
        seq: u64,
        what: &'static str,
        id: TransferId,
        amount: u64,
        may_have_ended: bool,
    ) -> Found {
        if amount == 0 {
            return Ok(());
        }
        let missing = Flaw::NotReserved {
            account,
            seq,
            what,
            amount,
        };
        let kind = if what == "push" {
            code::PUSH
        } else {
            code::STORAGE
        };
        match self.open.get_mut(&id) {
            Some(open) if open.used => Err(Flaw::ReservedTwice { pending: id }.into()),
            Some(open) if (open.account, open.code, open.amount) == (account, kind, amount) => {
                open.used = true;
                Ok(())
            }
            None if may_have_ended => {
                let row = self.store.get(Table::Transfers, id.as_bytes())?;
                let row = row.and_then(|row| Transfer::from_bytes(&row).ok());
                let fits = row.is_some_and(|row| {
                    (row.debit, row.code, row.amount.get()) == (account, kind, amount)
                });
                if fits { Ok(()) } else { Err(missing.into()) }
            }
            _ => Err(missing.into()),
        }
    }

    fn bodies(&self) -> Found {
        let half = |key: &[u8]| match rows::read_packet_key(key) {
            Some((client, seq)) => {
                let account = money::client_account(&client);
                Stop::from(Flaw::HalfStored { account, seq })
            }
            None => StoreError::damaged(Table::Bodies, key).into(),
        };
        let mut bodies = 0_u64;
        each::<_, Stop>(self.store, Table::Bodies, BODY_PAGE_ROWS, |key, _| {
            bodies += 1;
            match self.store.get(Table::Packets, key)? {
                Some(_) => Ok(()),
                None => Err(half(key)),
            }
        })?;
        let packets: u64 = self.mailboxes.values().map(|(count, _)| count).sum();
        if bodies == packets {
            return Ok(());
        }
        each::<_, Stop>(self.store, Table::Packets, PAGE_ROWS, |key, _| {
            match self.store.get(Table::Bodies, key)? {
                Some(_) => Ok(()),
                None => Err(half(key)),
            }
        })
    }

    /// What is open and is no packet's is a further push, which is let lapse in time.
    fn reservations(&self) -> Found {
        for (id, open) in self.open.iter().filter(|(_, open)| !open.used) {
            let due = rows::due_key(open.expires_at, Due::Reservation, id.as_bytes());
            let awaited = self.store.get(Table::Retention, &due)?.is_some();
            if open.code != code::PUSH_AGAIN || !awaited {
                return Err(Flaw::Orphan { pending: *id }.into());
            }
        }
        Ok(())
    }

    fn counts(&mut self) -> Found {
        let store = self.store;
        let say = |count, bytes| format!("{count} with {bytes}");
        each::<_, Stop>(store, Table::Mailboxes, PAGE_ROWS, |key, value| {
            let row: MailboxRow = rows::from_json(Table::Mailboxes, key, value)?;
            let client = key
                .try_into()
                .map_err(|_| StoreError::damaged(Table::Mailboxes, key))
                .map(|bytes: [u8; 20]| bytes.into())?;
            let account = money::client_account(&client);
            let (count, bytes) = self.mailboxes.remove(&account).unwrap_or_default();
            if (count, bytes) == (row.mailbox.count, row.mailbox.bytes) {
                return Ok(());
            }
            Err(Flaw::Miscounted {
                account,
                counted: say(row.mailbox.count, row.mailbox.bytes),
                found: say(count, bytes),
            }
            .into())
        })?;
        match self.mailboxes.pop_first() {
            None => Ok(()),
            Some((account, (count, bytes))) => Err(Flaw::Miscounted {
                account,
                counted: say(0, 0),
                found: say(count, bytes),
            }
            .into()),
        }
    }
}

fn in_place(table: Table, key: &[u8], id: &[u8]) -> Found {
    if key == id {
        return Ok(());
    }
    Err(Flaw::Misplaced {
        table,
        id: hex::encode(id),
    }
    .into())
}
