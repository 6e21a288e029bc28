//! What was received. A letter is here, on disk, before it is acknowledged; its content is erased
//! when it was shown, and its id stays so that it is shown once.

use layer_minus_client_sdk::{Assembler, Caps, Foreign, Outcome, Transfer};
use layer_minus_message::{Letter, PushedPacket};
use layer_minus_wallet::Address;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::{Db, int, uint};
use crate::error::AppError;

/// How long ids are remembered, seconds: longer than any node keeps mail.
pub(crate) const IDS_SECS_MAX: u64 = 60 * 86_400;
/// What stands for the sender of a message that nobody signed.
pub(crate) const NOBODY: Address = Address::ZERO;

/// A whole message that was not shown yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    /// [`NOBODY`] if nobody signed it.
    pub(crate) from: Address,
    pub(crate) id: [u8; 16],
    pub(crate) content_type: String,
    pub(crate) name: Option<String>,
    pub(crate) reply_to: Option<[u8; 16]>,
    pub(crate) sent_at: u64,
    pub(crate) accepted_at: u64,
    pub(crate) seq: u64,
    pub(crate) content: Content,
}

/// Where the content of a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Here.
    Body(Vec<u8>),
    /// In parts, to be joined.
    Parts(Box<Transfer>),
}

type Key = (Address, [u8; 16]);

struct Raw {
    whole: Whole,
    body: Option<Vec<u8>>,
    transfer: Option<String>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let from: [u8; 20] = row.get(0)?;
    let whole = Whole {
        from: from.into(),
        id: row.get(1)?,
        content_type: row.get(2)?,
        name: row.get(3)?,
        reply_to: row.get(4)?,
        sent_at: uint(row.get(5)?),
        accepted_at: uint(row.get(6)?),
        seq: uint(row.get(7)?),
        content: Content::Body(Vec::new()),
    };
    Ok(Raw {
        whole,
        body: row.get(8)?,
        transfer: row.get(9)?,
    })
}

fn malformed(what: &'static str) -> AppError {
    AppError::Home(format!("client.db holds a malformed {what}"))
}

impl Db {
    /// Stores a letter, whole or a part. On return it is on disk, and may be acknowledged.
    pub(crate) fn take_letter(
        &mut self,
        letter: &Letter,
        packet: &PushedPacket,
        caps: &Caps,
        now: u64,
    ) -> Result<Outcome, AppError> {
        let key = (letter.claims.from, letter.claims.id);
        let tx = self.write()?;
        if is_known(&tx, key)? {
            return Ok(Outcome::Duplicate);
        }
        let mut assembler = match letter.claims.part.count {
            1 => Assembler::new(),
            _ => load_transfers(&tx)?,
        };
        let outcome = assembler.take(letter, caps, now);
        match &outcome {
            Outcome::Whole => insert_letter(&tx, letter, packet, None, now)?,
            Outcome::Part { .. } => {
                insert_part(&tx, letter)?;
                let transfer = assembler
                    .transfer(key.0, key.1)
                    .ok_or_else(|| malformed("transfer"))?;
                store_transfer(&tx, transfer)?;
            }
            Outcome::Complete(transfer) => {
                insert_part(&tx, letter)?;
                delete_transfer(&tx, key)?;
                insert_letter(&tx, letter, packet, Some(transfer), now)?;
            }
            Outcome::Refused(_) if assembler.transfer(key.0, key.1).is_none() => {
                delete_transfer(&tx, key)?;
                delete_parts(&tx, key)?;
            }
            _ => {}
        }
        tx.commit()?;
        Ok(outcome)
    }

    /// Stores a message that is no letter. Says whether it is new.
    pub(crate) fn take_foreign(
        &mut self,
        foreign: &Foreign,
        content_type: &str,
        packet: &PushedPacket,
        now: u64,
    ) -> Result<bool, AppError> {
        let tx = self.write()?;
        let inserted = tx.execute(
            "INSERT INTO received (sender, id, content_type, name, sent_at, accepted_at, seq,
                                   taken_at, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
            params![
                NOBODY.as_slice(),
                foreign.id.as_slice(),
                content_type,
                foreign.name,
                int(packet.accepted_at),
                int(packet.position.seq),
                int(now),
                foreign.body.as_ref()
            ],
        )?;
        tx.commit()?;
        Ok(inserted > 0)
    }

    /// The next whole message that was not shown yet, in the order in which they came. `skip` could
    /// not be shown.
    pub(crate) fn next_unshown(&self, skip: &[Key]) -> Result<Option<Whole>, AppError> {
        let sql =
            "SELECT sender, id, content_type, name, reply_to, sent_at, accepted_at, seq, body,
                          transfer FROM received WHERE shown = 0 ORDER BY taken_at, rowid";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], read)?;
        for row in rows {
            let Raw {
                mut whole,
                body,
                transfer,
            } = row?;
            if skip.contains(&(whole.from, whole.id)) {
                continue;
            }
            whole.content = match transfer {
                Some(text) => {
                    Content::Parts(serde_json::from_str(&text).map_err(|_| malformed("transfer"))?)
                }
                None => Content::Body(body.unwrap_or_default()),
            };
            return Ok(Some(whole));
        }
        Ok(None)
    }

    /// One stored part.
    pub(crate) fn part(&self, key: Key, part: u32) -> Result<Vec<u8>, AppError> {
        let sql = "SELECT body FROM parts WHERE sender = ?1 AND id = ?2 AND part = ?3";
        let found = self
            .connection
            .query_row(
                sql,
                params![key.0.as_slice(), key.1.as_slice(), part],
                |row| row.get(0),
            )
            .optional()?;
        found.ok_or_else(|| malformed("part: one is missing"))
    }

    /// A message was shown, or is not what was signed: its content is erased, its id stays.
    pub(crate) fn shown(&mut self, key: Key) -> Result<(), AppError> {
        let tx = self.write()?;
        tx.execute(
            "UPDATE received SET shown = 1, body = NULL, transfer = NULL, name = NULL
             WHERE sender = ?1 AND id = ?2",
            params![key.0.as_slice(), key.1.as_slice()],
        )?;
        delete_parts(&tx, key)?;
        tx.commit()?;
        Ok(())
    }

    /// Notes the generation of a node's numbers; true if they were of another one before, which is so
    /// when the node goes on from a backup.
    pub(crate) fn is_new_generation(
        &mut self,
        node: Address,
        generation: u64,
    ) -> Result<bool, AppError> {
        let tx = self.write()?;
        let sql = "SELECT generation FROM generations WHERE node = ?1";
        let old: Option<i64> = tx
            .query_row(sql, [node.as_slice()], |row| row.get(0))
            .optional()?;
        tx.execute(
            "INSERT INTO generations (node, generation) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET generation = excluded.generation",
            params![node.as_slice(), int(generation)],
        )?;
        tx.commit()?;
        Ok(old.is_some_and(|old| uint(old) != generation))
    }

    /// Forgets ids that no node could bring again, and transfers that nobody went on with. Says how
    /// many of the latter.
    pub(crate) fn sweep_inbox(&mut self, now: u64) -> Result<usize, AppError> {
        let tx = self.write()?;
        tx.execute(
            "DELETE FROM received WHERE shown = 1 AND taken_at < ?1",
            [int(now.saturating_sub(IDS_SECS_MAX))],
        )?;
        let mut assembler = load_transfers(&tx)?;
        let stale = assembler.expire(now);
        for transfer in &stale {
            delete_transfer(&tx, (transfer.from, transfer.id))?;
            delete_parts(&tx, (transfer.from, transfer.id))?;
        }
        tx.commit()?;
        Ok(stale.len())
    }
}

fn is_known(tx: &Transaction<'_>, key: Key) -> Result<bool, AppError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM received WHERE sender = ?1 AND id = ?2)";
    Ok(
        tx.query_row(sql, params![key.0.as_slice(), key.1.as_slice()], |row| {
            row.get(0)
        })?,
    )
}

fn insert_letter(
    tx: &Transaction<'_>,
    letter: &Letter,
    packet: &PushedPacket,
    transfer: Option<&Transfer>,
    now: u64,
) -> Result<(), AppError> {
    let claims = &letter.claims;
    let state = transfer
        .map(serde_json::to_string)
        .transpose()
        .map_err(|_| malformed("transfer"))?;
    let body = state.is_none().then_some(letter.body.as_ref());
    tx.execute(
        "INSERT INTO received (sender, id, content_type, name, reply_to, sent_at, accepted_at, seq,
                               taken_at, body, transfer)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            claims.from.as_slice(),
            claims.id.as_slice(),
            claims.content_type,
            claims.name,
            claims.in_reply_to.map(|id| id.to_vec()),
            int(claims.sent_at),
            int(packet.accepted_at),
            int(packet.position.seq),
            int(now),
            body,
            state
        ],
    )?;
    Ok(())
}

fn insert_part(tx: &Transaction<'_>, letter: &Letter) -> Result<(), AppError> {
    let claims = &letter.claims;
    tx.execute(
        "INSERT OR REPLACE INTO parts (sender, id, part, body) VALUES (?1, ?2, ?3, ?4)",
        params![
            claims.from.as_slice(),
            claims.id.as_slice(),
            claims.part.index,
            letter.body.as_ref()
        ],
    )?;
    Ok(())
}

fn load_transfers(tx: &Transaction<'_>) -> Result<Assembler, AppError> {
    let mut statement = tx.prepare("SELECT state FROM transfers")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut transfers: Vec<Transfer> = Vec::new();
    for row in rows {
        transfers.push(serde_json::from_str(&row?).map_err(|_| malformed("transfer"))?);
    }
    Ok(Assembler::from(transfers))
}

fn store_transfer(tx: &Transaction<'_>, transfer: &Transfer) -> Result<(), AppError> {
    let state = serde_json::to_string(transfer).map_err(|_| malformed("transfer"))?;
    tx.execute(
        "INSERT OR REPLACE INTO transfers (sender, id, state) VALUES (?1, ?2, ?3)",
        params![transfer.from.as_slice(), transfer.id.as_slice(), state],
    )?;
    Ok(())
}

fn delete_transfer(tx: &Transaction<'_>, key: Key) -> Result<(), AppError> {
    let sql = "DELETE FROM transfers WHERE sender = ?1 AND id = ?2";
    tx.execute(sql, params![key.0.as_slice(), key.1.as_slice()])?;
    Ok(())
}

fn delete_parts(tx: &Transaction<'_>, key: Key) -> Result<(), AppError> {
    let sql = "DELETE FROM parts WHERE sender = ?1 AND id = ?2";
    tx.execute(sql, params![key.0.as_slice(), key.1.as_slice()])?;
    Ok(())
}

#[cfg(test)]
mod tests;
