//! One transaction: typed rows over the store, and the effects that wait for its commit.

use layer_minus_delivery::{Consumer, ConsumerId};
use layer_minus_ledger::{Account, AccountId, Books, Op, Transfer, TransferId, plan};
use layer_minus_message::{Answer, Reason};
use layer_minus_wallet::Address;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    config::{CONSUMERS_MAX, NodeConfig},
    event::{Effect, RequestId},
    journal::Keeping,
    rows::{self, ClientRow, Due, MailboxRow, PacketRow},
    store::{Store, StoreError, Table},
};

/// Why an event ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The requester is told.
    Refuse(Reason),
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Refuse(reason)
    }
}

/// How work ended of which there is nobody to tell that it was refused: none then.
pub(crate) fn unheard<T>(ended: Result<T, Stop>) -> Result<Option<T>, StoreError> {
    match ended {
        Ok(done) => Ok(Some(done)),
        Err(Stop::Refuse(_)) => Ok(None),
        Err(Stop::Store(error)) => Err(error),
    }
}

/// The open transaction.
#[derive(Debug)]
pub(crate) struct Tx<'a, S> {
    pub(crate) store: &'a mut S,
    pub(crate) now: u64,
    pub(crate) keeping: Keeping,
    pub(crate) effects: Vec<Effect>,
}

impl<'a, S: Store> Tx<'a, S> {
    /// A transaction of an operator's command: it charges nobody, so it keeps no statement.
    pub(crate) fn beside(store: &'a mut S, now: u64) -> Self {
        Self {
            store,
            now,
            keeping: Keeping::from(&NodeConfig::default()),
            effects: Vec::new(),
        }
    }

    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        table: Table,
        key: &[u8],
    ) -> Result<Option<T>, StoreError> {
        match self.store.get(table, key)? {
            Some(bytes) => rows::from_json(table, key, &bytes).map(Some),
            None => Ok(None),
        }
    }

    pub(crate) fn put<T: Serialize>(
        &mut self,
        table: Table,
        key: &[u8],
        row: &T,
    ) -> Result<(), StoreError> {
        let bytes = rows::to_json(table, row)?;
        self.put_bytes(table, key, &bytes)
    }

    pub(crate) fn put_bytes(
        &mut self,
        table: Table,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        self.store.put(table, key, value)
    }

    pub(crate) fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.store.delete(table, key)
    }

    /// Remembers that something is due.
    pub(crate) fn schedule(&mut self, at: u64, due: Due, key: &[u8]) -> Result<(), StoreError> {
        self.put_bytes(Table::Retention, &rows::due_key(at, due, key), &[])
    }

    pub(crate) fn unschedule(&mut self, at: u64, due: Due, key: &[u8]) -> Result<(), StoreError> {
        self.delete(Table::Retention, &rows::due_key(at, due, key))
    }

    pub(crate) fn client(&self, wallet: &Address) -> Result<Option<ClientRow>, StoreError> {
        self.get(Table::Clients, wallet.as_slice())
    }

    pub(crate) fn mailbox(&self, wallet: &Address) -> Result<MailboxRow, StoreError> {
        self.get(Table::Mailboxes, wallet.as_slice())?
            .ok_or_else(|| StoreError::damaged(Table::Mailboxes, wallet))
    }

    pub(crate) fn put_mailbox(
        &mut self,
        wallet: &Address,
        row: &MailboxRow,
    ) -> Result<(), StoreError> {
        self.put(Table::Mailboxes, wallet.as_slice(), row)
    }

    /// Packets of a client after `after`, in order.
    pub(crate) fn packets_after(
        &self,
        client: &Address,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, PacketRow)>, StoreError> {
        let from = rows::packet_key(client, after.saturating_add(1));
        let rows = self
            .store
            .scan(Table::Packets, &from, &rows::after_client(client), limit)?;
        rows.into_iter()
            .map(|(key, value)| {
                let row = rows::from_json(Table::Packets, &key, &value)?;
                match rows::read_packet_key(&key) {
                    Some((_, seq)) => Ok((seq, row)),
                    None => Err(StoreError::damaged(Table::Packets, key)),
                }
            })
            .collect()
    }

    pub(crate) fn consumer(
        &self,
        client: &Address,
        id: &ConsumerId,
    ) -> Result<Option<Consumer>, StoreError> {
        self.get(Table::Consumers, &rows::consumer_key(client, id))
    }

    pub(crate) fn put_consumer(
        &mut self,
        client: &Address,
        consumer: &Consumer,
    ) -> Result<(), StoreError> {
        self.put(
            Table::Consumers,
            &rows::consumer_key(client, &consumer.id),
            consumer,
        )
    }

    pub(crate) fn consumers(&self, client: &Address) -> Result<Vec<Consumer>, StoreError> {
        let to = rows::after_client(client);
        let rows = self
            .store
            .scan(Table::Consumers, client.as_slice(), &to, CONSUMERS_MAX + 1)?;
        rows.iter()
            .map(|(key, value)| rows::from_json(Table::Consumers, key, value))
            .collect()
    }

    /// Plans `ops`, all or none, and writes what they change. None of them is a charge.
    pub(crate) fn book(&mut self, ops: &[Op]) -> Result<(), BookError> {
        let ops: Vec<(Op, u32)> = ops.iter().map(|op| (*op, 0)).collect();
        self.charge(&ops)
    }

    /// Plans operations, all or none, and writes what they change, with a line in its client's
    /// statement for each charge. With each goes the list size of the packet that it is for.
    pub(crate) fn charge(&mut self, sized: &[(Op, u32)]) -> Result<(), BookError> {
        let ops: Vec<Op> = sized.iter().map(|(op, _)| *op).collect();
        let changes = match plan(&Shelf(&*self.store), &ops, self.now) {
            Ok(changes) => changes,
            Err(layer_minus_ledger::PlanError::Books(error)) => {
                return Err(BookError::Store(error));
            }
            Err(error) => {
                return Err(match error.refusal() {
                    Some(refusal) => BookError::Refused(*refusal),
                    None => BookError::Store(StoreError::Failed(error.to_string())),
                });
            }
        };
        let write = |tx: &mut Self| -> Result<(), StoreError> {
            for account in &changes.accounts {
                tx.put_bytes(Table::Accounts, account.id.as_bytes(), &account.to_bytes())?;
            }
            for transfer in &changes.transfers {
                tx.put_bytes(
                    Table::Transfers,
                    transfer.id.as_bytes(),
                    &transfer.to_bytes(),
                )?;
            }
            Ok(())
        };
        write(self).map_err(BookError::Store)?;
        self.note(sized, &changes)
    }

    pub(crate) fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        Shelf(&*self.store).account(id)
    }

    pub(crate) fn transfer(&self, id: &TransferId) -> Result<Option<Transfer>, StoreError> {
        Shelf(&*self.store).transfer(id)
    }

    pub(crate) fn answer(&mut self, request: RequestId, answer: Answer) {
        self.effects.push(Effect::Answer {
            request,
            answer: Box::new(answer),
            note: None,
        });
    }
}

/// Why the ledger did not move.
#[derive(Debug)]
pub(crate) enum BookError {
    Refused(layer_minus_ledger::Refusal),
    Store(StoreError),
}

impl From<BookError> for Stop {
    /// One request that the ledger refuses is no failure of the store: the rest of the batch goes on.
    fn from(error: BookError) -> Self {
        match error {
            BookError::Refused(_) => Self::Refuse(Reason::Unavailable),
            BookError::Store(error) => Self::Store(error),
        }
    }
}

/// The ledger's books, read from the store.
pub(crate) struct Shelf<'a, S>(pub(crate) &'a S);

impl<S: Store> Books for Shelf<'_, S> {
    type Error = StoreError;

    fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        read(self.0, Table::Accounts, id.as_bytes(), Account::from_bytes)
    }

    fn transfer(&self, id: &TransferId) -> Result<Option<Transfer>, StoreError> {
        read(
            self.0,
            Table::Transfers,
            id.as_bytes(),
            Transfer::from_bytes,
        )
    }
}

/// An account of a store.
pub(crate) fn account<S: Store>(store: &S, id: &AccountId) -> Result<Option<Account>, StoreError> {
    Shelf(store).account(id)
}

fn read<T, E>(
    store: &impl Store,
    table: Table,
    key: &[u8],
    parse: impl Fn(&[u8]) -> Result<T, E>,
) -> Result<Option<T>, StoreError> {
    match store.get(table, key)? {
        None => Ok(None),
        Some(bytes) => parse(&bytes)
            .map(Some)
            .map_err(|_| StoreError::damaged(table, key)),
    }
}
