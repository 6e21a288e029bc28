//! What is to be sent. A letter is here, sealed, before the first byte of it leaves; it goes when
//! its node has accepted it.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use layer_minus_client_sdk::{Plan, Receipt, SealedMail};
use layer_minus_message::Acceptance;
use layer_minus_wallet::Address;
use rusqlite::{OptionalExtension as _, Row, params};

use super::{Db, int, uint};
use crate::error::AppError;

/// Seconds after which an unfinished message is given up: nobody could open it any more.
pub(crate) const OUTBOX_SECS_MAX: u64 = 30 * 86_400;

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) id: [u8; 16],
    /// To whom.
    pub(crate) recipient: Address,
    /// The node that takes the recipient's mail.
    pub(crate) node: Address,
    /// How it is cut; none for a ready-made message.
    pub(crate) plan: Option<Plan>,
    /// The file that it is read from, part by part; none if all parts are sealed already.
    pub(crate) source: Option<PathBuf>,
    /// Extra hops, in order.
    pub(crate) hops: Vec<Address>,
    /// The relay that was asked for.
    pub(crate) relay: Option<String>,
    pub(crate) parts: u32,
    /// Size of the content.
    pub(crate) bytes: u64,
    /// SHA-256 of the content.
    pub(crate) digest: [u8; 32],
    pub(crate) created_at: u64,
}

/// One part of a message on its way.
#[derive(Debug)]
pub(crate) enum PartState {
    /// Not sealed yet: read it from the source.
    Missing,
    /// Sealed; to be sent.
    Sealed(SealedMail),
    /// The node has it.
    Accepted,
}

/// A part that the node has.
#[derive(Debug)]
pub(crate) struct AcceptedPart {
    pub(crate) part: u32,
    /// Size of its packet.
    pub(crate) size: u64,
    pub(crate) acceptance: Acceptance,
}

fn malformed(what: &'static str) -> AppError {
    AppError::Home(format!("client.db holds a malformed {what}"))
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, AppError> {
    serde_json::to_string(value)
        .map_err(|error| AppError::Home(format!("outbox cannot be written: {error}")))
}

const COLUMNS: &str =
    "id, recipient, node, plan, source, hops, relay, parts, bytes, digest, created_at";

struct Raw {
    outgoing: Outgoing,
    plan: Option<String>,
    hops: String,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let (recipient, node): ([u8; 20], [u8; 20]) = (row.get(1)?, row.get(2)?);
    let outgoing = Outgoing {
        id: row.get(0)?,
        recipient: recipient.into(),
        node: node.into(),
        plan: None,
        source: row.get::<_, Option<String>>(4)?.map(PathBuf::from),
        hops: Vec::new(),
        relay: row.get(6)?,
        parts: row.get(7)?,
        bytes: uint(row.get(8)?),
        digest: row.get(9)?,
        created_at: uint(row.get(10)?),
    };
    Ok(Raw {
        outgoing,
        plan: row.get(3)?,
        hops: row.get(5)?,
    })
}

fn parse(raw: Raw) -> Result<Outgoing, AppError> {
    let bad = |_| malformed("outgoing message");
    let plan = raw
        .plan
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(bad)?;
    let hops = serde_json::from_str(&raw.hops).map_err(bad)?;
    Ok(Outgoing {
        plan,
        hops,
        ..raw.outgoing
    })
}

/// The name of a file in the database; files with names that are no text cannot be resumed.
fn text_of(path: &Path) -> Result<&str, AppError> {
    path.to_str()
        .ok_or_else(|| AppError::Usage("the file's name is not UTF-8".to_owned()))
}

impl Db {
    /// Stores a message before it is sent, with the parts that are sealed already.
    pub(crate) fn queue(
        &mut self,
        outgoing: &Outgoing,
        sealed: &[SealedMail],
    ) -> Result<(), AppError> {
        let plan = outgoing.plan.as_ref().map(json).transpose()?;
        let source = outgoing.source.as_deref().map(text_of).transpose()?;
        let hops = json(&outgoing.hops)?;
        let tx = self.write()?;
        tx.execute(
            "INSERT INTO outgoing (id, recipient, node, plan, source, hops, relay, parts, bytes,
                                   digest, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                outgoing.id.as_slice(),
                outgoing.recipient.as_slice(),
                outgoing.node.as_slice(),
                plan,
                source,
                hops,
                outgoing.relay,
                outgoing.parts,
                int(outgoing.bytes),
                outgoing.digest.as_slice(),
                int(outgoing.created_at)
            ],
        )?;
        for (part, mail) in sealed.iter().enumerate() {
            insert_part(&tx, &outgoing.id, part, mail)?;
        }
        tx.commit()?;
        Ok(())
    }

    /// Stores one sealed part, before it is sent.
    pub(crate) fn queue_part(
        &mut self,
        id: &[u8; 16],
        part: u32,
        mail: &SealedMail,
    ) -> Result<(), AppError> {
        let tx = self.write()?;
        insert_part(&tx, id, part as usize, mail)?;
        tx.commit()?;
        Ok(())
    }

    /// How far a part is.
    pub(crate) fn part_state(&self, id: &[u8; 16], part: u32) -> Result<PartState, AppError> {
        let sql = "SELECT message, size, acceptance IS NOT NULL FROM outgoing_parts
                   WHERE id = ?1 AND part = ?2";
        let found = self
            .connection
            .query_row(sql, params![id.as_slice(), part], |row| {
                Ok((
                    row.get::<_, Option<Vec<u8>>>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get(2)?,
                ))
            })
            .optional()?;
        match found {
            None => Ok(PartState::Missing),
            Some((_, _, true)) => Ok(PartState::Accepted),
            Some((Some(message), size, false)) => {
                let size = usize::try_from(size).unwrap_or(0);
                Ok(PartState::Sealed(SealedMail::of(
                    Bytes::from(message),
                    size,
                )))
            }
            Some((None, _, false)) => Err(malformed("outgoing part")),
        }
    }

    /// The node has a part: its receipt is kept, the sealed letter is not.
    pub(crate) fn part_accepted(
        &mut self,
        id: &[u8; 16],
        part: u32,
        receipt: &Receipt,
    ) -> Result<(), AppError> {
        let acceptance = json(&receipt.acceptance)?;
        self.connection.execute(
            "UPDATE outgoing_parts SET message = NULL, acceptance = ?3 WHERE id = ?1 AND part = ?2",
            params![id.as_slice(), part, acceptance],
        )?;
        Ok(())
    }

    /// The receipts of a message, in order of its parts.
    pub(crate) fn receipts(&self, id: &[u8; 16]) -> Result<Vec<AcceptedPart>, AppError> {
        let sql = "SELECT part, size, acceptance FROM outgoing_parts
                   WHERE id = ?1 AND acceptance IS NOT NULL ORDER BY part";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([id.as_slice()], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
        })?;
        let mut receipts = Vec::new();
        for row in rows {
            let (part, size, text) = row?;
            let acceptance = serde_json::from_str(&text).map_err(|_| malformed("acceptance"))?;
            receipts.push(AcceptedPart {
                part,
                size: uint(size),
                acceptance,
            });
        }
        Ok(receipts)
    }

    /// How many parts the node has.
    pub(crate) fn accepted_parts(&self, id: &[u8; 16]) -> Result<u32, AppError> {
        let sql = "SELECT count(*) FROM outgoing_parts WHERE id = ?1 AND acceptance IS NOT NULL";
        Ok(self
            .connection
            .query_row(sql, [id.as_slice()], |row| row.get(0))?)
    }

    /// The recipient has moved to another node, or has another certificate. What can be sealed anew
    /// will be; a part that was sealed once and for all goes to the other node as it is.
    pub(crate) fn redirect(&mut self, id: &[u8; 16], node: Address) -> Result<(), AppError> {
        let tx = self.write()?;
        tx.execute(
            "DELETE FROM outgoing_parts WHERE id = ?1
             AND EXISTS (SELECT 1 FROM outgoing WHERE id = ?1 AND source IS NOT NULL)",
            [id.as_slice()],
        )?;
        tx.execute(
            "UPDATE outgoing SET node = ?2 WHERE id = ?1",
            params![id.as_slice(), node.as_slice()],
        )?;
        tx.commit()?;
        Ok(())
    }

    /// All parts are accepted.
    pub(crate) fn sent(&mut self, id: &[u8; 16]) -> Result<(), AppError> {
        self.connection.execute(
            "UPDATE outgoing SET done = 1 WHERE id = ?1",
            [id.as_slice()],
        )?;
        Ok(())
    }

    /// A message cannot be sent, or was long enough here: it goes with all its parts.
    pub(crate) fn give_up(&mut self, id: &[u8; 16]) -> Result<(), AppError> {
        let tx = self.write()?;
        tx.execute("DELETE FROM outgoing_parts WHERE id = ?1", [id.as_slice()])?;
        tx.execute("DELETE FROM outgoing WHERE id = ?1", [id.as_slice()])?;
        tx.commit()?;
        Ok(())
    }

    /// An unfinished message, the oldest first. `skip` were tried already.
    pub(crate) fn next_unfinished(&self, skip: &[[u8; 16]]) -> Result<Option<Outgoing>, AppError> {
        let sql = format!("SELECT {COLUMNS} FROM outgoing WHERE done = 0 ORDER BY created_at");
        let mut statement = self.connection.prepare(&sql)?;
        for row in statement.query_map([], read)? {
            let raw = row?;
            if !skip.contains(&raw.outgoing.id) {
                return parse(raw).map(Some);
            }
        }
        Ok(None)
    }

    /// How many messages are unfinished.
    pub(crate) fn unfinished(&self) -> Result<u64, AppError> {
        let sql = "SELECT count(*) FROM outgoing WHERE done = 0";
        Ok(uint(self.connection.query_row(sql, [], |row| row.get(0))?))
    }

    /// Forgets what is too old: finished messages, and unfinished ones that nobody could open any
    /// more. Says how many of the latter.
    pub(crate) fn sweep_outbox(&mut self, now: u64) -> Result<u64, AppError> {
        let before = int(now.saturating_sub(OUTBOX_SECS_MAX));
        let tx = self.write()?;
        let lost: i64 = tx.query_row(
            "SELECT count(*) FROM outgoing WHERE created_at < ?1 AND done = 0",
            [before],
            |row| row.get(0),
        )?;
        tx.execute(
            "DELETE FROM outgoing_parts WHERE id IN (SELECT id FROM outgoing WHERE created_at < ?1)",
            [before],
        )?;
        tx.execute("DELETE FROM outgoing WHERE created_at < ?1", [before])?;
        tx.commit()?;
        Ok(uint(lost))
    }
}

fn insert_part(
    tx: &rusqlite::Transaction<'_>,
    id: &[u8; 16],
    part: usize,
    mail: &SealedMail,
) -> Result<(), AppError> {
    // A part that another process sealed meanwhile stays: the node must see one and the same.
    tx.execute(
        "INSERT INTO outgoing_parts (id, part, message, size) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING",
        params![
            id.as_slice(),
            int(part as u64),
            mail.message.as_ref(),
            int(mail.size as u64)
        ],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use layer_minus_message::AcceptanceBody;
    use layer_minus_wallet::Wallet;
    use rand::rngs::OsRng;

    const NOW: u64 = 1_800_000_000;

    fn message(id: u8, parts: u32) -> Outgoing {
        Outgoing {
            id: [id; 16],
            recipient: Address::repeat_byte(1),
            node: Address::repeat_byte(2),
            plan: None,
            source: Some(PathBuf::from("/tmp/file")),
            hops: vec![Address::repeat_byte(3)],
            relay: None,
            parts,
            bytes: 7,
            digest: [9; 32],
            created_at: NOW + u64::from(id),
        }
    }

    fn mail(text: &'static str) -> SealedMail {
        SealedMail::of(Bytes::from_static(text.as_bytes()), 16_000)
    }

    fn receipt(digest: [u8; 32]) -> Receipt {
        let node = Wallet::generate(&mut OsRng);
        let body = AcceptanceBody {
            receipt: [1; 16],
            digest,
            accepted_at: NOW,
            kept_until: NOW + 1,
        };
        let acceptance = Acceptance::sign(&node, "net", &body, &mut OsRng).unwrap();
        Receipt { body, acceptance }
    }

    #[test]
    fn sealed_letters_survive_until_the_node_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.db");
        let mut db = Db::open(&path).unwrap();
        let outgoing = message(1, 3);
        db.queue(&outgoing, &[mail("zero")]).unwrap();
        db.queue_part(&outgoing.id, 1, &mail("one")).unwrap();
        db.queue_part(&outgoing.id, 1, &mail("sealed anew by somebody else"))
            .unwrap();
        drop(db); // as after a crash

        let mut db = Db::open(&path).unwrap();
        assert_eq!(db.next_unfinished(&[]).unwrap(), Some(outgoing.clone()));
        assert_eq!(db.next_unfinished(&[outgoing.id]).unwrap(), None);
        let PartState::Sealed(one) = db.part_state(&outgoing.id, 1).unwrap() else {
            panic!()
        };
        assert_eq!(one, mail("one"));
        assert!(matches!(
            db.part_state(&outgoing.id, 2).unwrap(),
            PartState::Missing
        ));
        db.part_accepted(&outgoing.id, 1, &receipt(one.digest))
            .unwrap();
        assert!(matches!(
            db.part_state(&outgoing.id, 1).unwrap(),
            PartState::Accepted
        ));
        assert_eq!(db.accepted_parts(&outgoing.id).unwrap(), 1);
        let receipts = db.receipts(&outgoing.id).unwrap();
        assert_eq!((receipts[0].part, receipts[0].size), (1, 16_000));
        let kept: i64 = db
            .connection
            .query_row("SELECT count(message) FROM outgoing_parts", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(kept, 1, "the accepted letter itself is not kept");
    }

    #[test]
    fn messages_are_taken_in_order_released_finished_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = Db::open(&folder.path().join("client.db")).unwrap();
        for id in [2, 1, 3] {
            db.queue(&message(id, 1), &[mail("x")]).unwrap();
        }
        let first = db.next_unfinished(&[]).unwrap().unwrap();
        assert_eq!(first.id, [1; 16]);
        let next = db.next_unfinished(&[[1; 16], [2; 16]]).unwrap().unwrap();
        assert_eq!(next.id, [3; 16], "those that were tried are left out");
        db.sent(&first.id).unwrap();
        db.give_up(&next.id).unwrap();
        assert_eq!(db.unfinished().unwrap(), 1);
        assert_eq!(db.sweep_outbox(NOW + OUTBOX_SECS_MAX).unwrap(), 0);
        assert_eq!(db.sweep_outbox(NOW + OUTBOX_SECS_MAX + 10).unwrap(), 1);
        assert_eq!(db.unfinished().unwrap(), 0);
    }
}
