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
mod tests {
    use super::*;
    use bytes::Bytes;
    use layer_minus_client_sdk::{Identity, Plan, Unwanted, Wallets, assemble, content};
    use layer_minus_message::Position;
    use layer_minus_packet::Sizes;
    use layer_minus_seal::Version;
    use rand::rngs::OsRng;

    const NOW: u64 = 1_800_000_000;

    fn letters(content: &[u8], part_bytes: u64) -> Vec<Letter> {
        let wallets = Wallets::generate(&mut OsRng);
        let from =
            Identity::generate(&wallets.wallet, "net", Version::V6, NOW, &mut OsRng).unwrap();
        let sizes = Sizes::default();
        let to = Address::repeat_byte(1);
        let plan = Plan::of(to, content::TEXT, content, &sizes, NOW, &mut OsRng).unwrap();
        let plan = Plan {
            part_bytes,
            ..plan.named("a.txt")
        };
        let letter = |index| {
            let range = plan.range(index);
            let body = &content[range.start as usize..range.end as usize];
            plan.letter(&from, index, Bytes::copy_from_slice(body), None)
                .unwrap()
        };
        (0..plan.parts()).map(letter).collect()
    }

    fn pushed(seq: u64) -> PushedPacket {
        PushedPacket {
            position: Position { generation: 1, seq },
            accepted_at: NOW,
            message: Bytes::new(),
        }
    }

    fn open(folder: &tempfile::TempDir) -> Db {
        Db::open(&folder.path().join("client.db")).unwrap()
    }

    #[test]
    fn a_letter_is_shown_once_and_its_content_erased() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open(&folder);
        let letter = letters(b"hello", 100).remove(0);
        let take = |db: &mut Db| {
            db.take_letter(&letter, &pushed(4), &Caps::STRANGER, NOW)
                .unwrap()
        };
        assert_eq!(take(&mut db), Outcome::Whole);
        assert_eq!(take(&mut db), Outcome::Duplicate);
        drop(db); // before it was shown

        let mut db = open(&folder);
        let whole = db.next_unshown(&[]).unwrap().unwrap();
        let key = (whole.from, whole.id);
        assert_eq!(
            (whole.seq, whole.content),
            (4, Content::Body(b"hello".to_vec()))
        );
        assert_eq!(db.next_unshown(&[key]).unwrap(), None);
        db.shown(key).unwrap();
        assert_eq!(db.next_unshown(&[]).unwrap(), None);
        assert_eq!(take(&mut db), Outcome::Duplicate);
        let bodies: i64 = db
            .connection
            .query_row(
                "SELECT count(body) + count(name) FROM received",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(bodies, 0);
        db.sweep_inbox(NOW + IDS_SECS_MAX).unwrap();
        assert_eq!(take(&mut db), Outcome::Duplicate);
        db.sweep_inbox(NOW + IDS_SECS_MAX + 1).unwrap();
        assert_eq!(
            take(&mut db),
            Outcome::Whole,
            "as long as any node could bring it again"
        );
    }

    #[test]
    fn parts_survive_a_break_and_are_joined_from_disk() {
        let folder = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..=250).collect();
        let letters = letters(&content, 100);
        let take = |part: usize| {
            let mut db = open(&folder); // another process each time
            db.take_letter(&letters[part], &pushed(part as u64), &Caps::STRANGER, NOW)
                .unwrap()
        };
        assert_eq!(take(2), Outcome::Part { have: 1, count: 3 });
        assert_eq!(take(0), Outcome::Part { have: 2, count: 3 });
        assert_eq!(take(0), Outcome::Duplicate);
        assert!(matches!(take(1), Outcome::Complete(_)));
        assert_eq!(take(1), Outcome::Duplicate);
        let mut db = open(&folder);
        let whole = db.next_unshown(&[]).unwrap().unwrap();
        let key = (whole.from, whole.id);
        assert!(matches!(whole.content, Content::Parts(_)));
        let joined: Vec<u8> = (0..3)
            .flat_map(|part| db.part(key, part).unwrap())
            .collect();
        assert_eq!(joined, content);
        db.shown(key).unwrap();
        assert!(db.part(key, 0).is_err());
    }

    #[test]
    fn refused_and_stale_transfers_leave_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open(&folder);
        let count = |db: &Db| -> i64 {
            let sql = "SELECT (SELECT count(*) FROM parts) + (SELECT count(*) FROM transfers)";
            db.connection.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        let caps = Caps {
            sender_bytes_max: 10,
            ..Caps::STRANGER
        };
        let large = letters(&[1; 250], 100);
        let outcome = db.take_letter(&large[0], &pushed(1), &caps, NOW).unwrap();
        assert!(matches!(
            outcome,
            Outcome::Refused(Unwanted::TooMuch { .. })
        ));
        assert_eq!(count(&db), 0);
        db.take_letter(&large[0], &pushed(1), &Caps::STRANGER, NOW)
            .unwrap();
        let mut broken = large[1].clone();
        broken.body = Bytes::from(vec![1; 240]);
        db.take_letter(&broken, &pushed(2), &Caps::STRANGER, NOW)
            .unwrap();
        assert_eq!(count(&db), 2, "a bad part does not spoil the others");
        let mut short = large[1].clone();
        short.body = Bytes::from(vec![1; 1]);
        db.take_letter(&short, &pushed(2), &Caps::STRANGER, NOW)
            .unwrap();
        let outcome = db
            .take_letter(&large[2], &pushed(3), &Caps::STRANGER, NOW)
            .unwrap();
        assert_eq!(outcome, Outcome::Refused(Unwanted::Broken));
        assert_eq!(
            count(&db),
            0,
            "and when the whole cannot be right, all goes"
        );

        db.take_letter(
            &letters(&[2; 250], 100)[0],
            &pushed(4),
            &Caps::STRANGER,
            NOW,
        )
        .unwrap();
        assert_eq!(
            db.sweep_inbox(NOW + assemble::UNFINISHED_SECS_MAX).unwrap(),
            0
        );
        assert_eq!(
            db.sweep_inbox(NOW + assemble::UNFINISHED_SECS_MAX + 1)
                .unwrap(),
            1
        );
        assert_eq!(count(&db), 0);
    }

    #[test]
    fn a_foreign_message_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open(&folder);
        let foreign = Foreign {
            id: [3; 16],
            body: Bytes::from_static(b"from gpg"),
            name: None,
        };
        assert!(
            db.take_foreign(&foreign, "text/plain", &pushed(1), NOW)
                .unwrap()
        );
        assert!(
            !db.take_foreign(&foreign, "text/plain", &pushed(2), NOW)
                .unwrap()
        );
        let whole = db.next_unshown(&[]).unwrap().unwrap();
        assert_eq!(
            (whole.from, whole.content),
            (NOBODY, Content::Body(b"from gpg".to_vec()))
        );
    }
}
