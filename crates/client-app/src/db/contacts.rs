//! People: whoever was added by name, and whoever wrote to us.

use layer_minus_message::{Card, FullCard, InboxToken, ShortCard, SignedDocument};
use layer_minus_wallet::Address;
use rusqlite::{OptionalExtension as _, Row, params};

use super::{Db, int, uint};
use crate::error::AppError;

/// Longest name, characters.
const NAME_CHARS_MAX: usize = 64;

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contact {
    /// The wallet.
    pub(crate) address: Address,
    /// What we call them; none for somebody who only wrote to us.
    pub(crate) name: Option<String>,
    /// The node that takes their mail.
    pub(crate) node: Address,
    /// Their card as signed, if we have it. It may have expired.
    pub(crate) card: Option<SignedDocument>,
    /// Version of the card.
    pub(crate) version: u64,
    /// Their inbox capability.
    pub(crate) inbox: Option<InboxToken>,
    /// Version of our card that they have for sure; 0 for none.
    pub(crate) our_card: u64,
}

/// A name that can be told from an address, a short card and an option.
pub(crate) fn check_name(name: &str) -> Result<(), AppError> {
    let shaped = !name.is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.chars().any(char::is_control)
        && name.trim() == name
        && !name.starts_with('-')
        && !name.to_ascii_lowercase().starts_with("0x")
        && !name.starts_with("lm1:");
    if shaped {
        return Ok(());
    }
    Err(AppError::Usage(format!(
        "a name has 1 to {NAME_CHARS_MAX} characters and does not begin with 0x, lm1: or -"
    )))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Contact> {
    let address: [u8; 20] = row.get(0)?;
    let node: [u8; 20] = row.get(2)?;
    let card: Option<String> = row.get(3)?;
    let inbox: Option<[u8; 16]> = row.get(5)?;
    Ok(Contact {
        address: address.into(),
        name: row.get(1)?,
        node: node.into(),
        card: card.and_then(|text| serde_json::from_str(&text).ok()),
        version: uint(row.get(4)?),
        inbox: inbox.map(InboxToken),
        our_card: uint(row.get(6)?),
    })
}

const COLUMNS: &str = "address, name, node, card, version, inbox, our_card";

impl Db {
    /// Everybody with a name, in its order; with `all` also those without one.
    pub(crate) fn contacts(&self, all: bool) -> Result<Vec<Contact>, AppError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM contacts WHERE name IS NOT NULL OR ?1 ORDER BY name IS NULL, name"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map([all], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(crate) fn contact_by_name(&self, name: &str) -> Result<Option<Contact>, AppError> {
        let sql = format!("SELECT {COLUMNS} FROM contacts WHERE name = ?1");
        Ok(self.connection.query_row(&sql, [name], read).optional()?)
    }

    pub(crate) fn contact(&self, address: Address) -> Result<Option<Contact>, AppError> {
        let sql = format!("SELECT {COLUMNS} FROM contacts WHERE address = ?1");
        Ok(self
            .connection
            .query_row(&sql, [address.as_slice()], read)
            .optional()?)
    }

    /// Names a person, known before or not.
    ///
    /// # Errors
    /// [`AppError::Usage`] if somebody else has that name.
    pub(crate) fn name_contact(
        &mut self,
        name: &str,
        short: &ShortCard,
        now: u64,
    ) -> Result<(), AppError> {
        check_name(name)?;
        if let Some(other) = self.contact_by_name(name)?
            && other.address != short.wallet
        {
            return Err(AppError::Usage(format!(
                "{} is {}; remove that contact first, or choose another name",
                name, other.address
            )));
        }
        let tx = self.write()?;
        tx.execute(
            "INSERT INTO contacts (address, name, node, version, added_at) VALUES (?1, ?2, ?3, 0, ?4)
             ON CONFLICT (address) DO UPDATE
             SET name = ?2, node = CASE WHEN card IS NULL THEN ?3 ELSE node END",
            params![short.wallet.as_slice(), name, short.node.as_slice(), int(now)],
        )?;
        tx.commit()?;
        Ok(())
    }

    /// Takes a short card's word for the node of somebody who is known: who moved hands out a new one.
    /// The card that is here names the old node, so it is fetched anew. Nothing else is in a short
    /// card that could be news.
    pub(crate) fn follow(&mut self, short: &ShortCard) -> Result<(), AppError> {
        self.connection.execute(
            "UPDATE contacts SET node = ?2, card = NULL, version = 0
             WHERE address = ?1 AND node <> ?2",
            params![short.wallet.as_slice(), short.node.as_slice()],
        )?;
        Ok(())
    }

    /// Notes a checked card, unless a newer one is known. The capability may come with any card of
    /// the person. Says whether it was news.
    pub(crate) fn learn_card(
        &mut self,
        card: &Card,
        inbox: Option<InboxToken>,
        now: u64,
    ) -> Result<bool, AppError> {
        let text = serde_json::to_string(&card.signed)
            .map_err(|error| AppError::Home(format!("card cannot be written: {error}")))?;
        let tx = self.write()?;
        let address = card.body.wallet;
        let changed = tx.execute(
            "INSERT INTO contacts (address, node, card, version, inbox, added_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (address) DO UPDATE SET node = ?2, card = ?3, version = ?4
             WHERE version < ?4",
            params![
                address.as_slice(),
                card.body.node.as_slice(),
                text,
                int(card.body.version),
                inbox.map(|token| token.0.to_vec()),
                int(now)
            ],
        )?;
        if let Some(InboxToken(token)) = inbox {
            tx.execute(
                "UPDATE contacts SET inbox = ?2 WHERE address = ?1",
                params![address.as_slice(), token.as_slice()],
            )?;
        }
        tx.commit()?;
        Ok(changed > 0)
    }

    /// The person has our card of that version: a node accepted a letter that carried it.
    pub(crate) fn has_our_card(&mut self, address: Address, version: u64) -> Result<(), AppError> {
        self.connection.execute(
            "UPDATE contacts SET our_card = max(our_card, ?2) WHERE address = ?1",
            params![address.as_slice(), int(version)],
        )?;
        Ok(())
    }

    /// Removes a person. Says whether there was one.
    pub(crate) fn remove_contact(&mut self, address: Address) -> Result<bool, AppError> {
        let sql = "DELETE FROM contacts WHERE address = ?1";
        Ok(self.connection.execute(sql, [address.as_slice()])? > 0)
    }
}

impl Contact {
    /// Everything as the person handed it out, if the card is here.
    pub(crate) fn full(&self) -> Option<FullCard> {
        Some(FullCard {
            card: self.card.clone()?,
            inbox: self.inbox,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use layer_minus_client_sdk::{Identity, Wallets};
    use layer_minus_message::CardBody;
    use layer_minus_seal::Version;
    use rand::rngs::OsRng;

    const NOW: u64 = 1_800_000_000;

    fn card(wallets: &Wallets, identity: &Identity, node: u8, version: u64) -> Card {
        let body = CardBody {
            network: "net".to_owned(),
            wallet: wallets.wallet.address(),
            node: Address::repeat_byte(node),
            certificate: identity.certificate.certificate().to_bytes(),
            valid_from: NOW,
            valid_until: NOW + 100,
            version,
        };
        Card::sign(&wallets.wallet, body).unwrap()
    }

    #[test]
    fn people_are_named_learned_renewed_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = Db::open(&folder.path().join("client.db")).unwrap();
        let wallets = Wallets::generate(&mut OsRng);
        let identity =
            Identity::generate(&wallets.wallet, "net", Version::V6, NOW, &mut OsRng).unwrap();
        let second = card(&wallets, &identity, 2, 2);
        let address = wallets.wallet.address();
        assert!(
            db.learn_card(&second, Some(InboxToken([7; 16])), NOW)
                .unwrap()
        );
        assert_eq!(db.contacts(false).unwrap(), [], "a stranger has no name");
        assert_eq!(db.contacts(true).unwrap().len(), 1);
        db.name_contact("Bobo", &second.short(), NOW).unwrap();
        let bobo = db.contact_by_name("bobo").unwrap().unwrap();
        assert_eq!(
            (bobo.address, bobo.inbox),
            (address, Some(InboxToken([7; 16])))
        );
        assert_eq!(bobo.full().unwrap().card, second.signed);

        // An older card does not replace a newer one; a newer one does, and keeps the name.
        assert!(
            !db.learn_card(&card(&wallets, &identity, 1, 1), None, NOW)
                .unwrap()
        );
        assert!(
            db.learn_card(&card(&wallets, &identity, 3, 3), None, NOW)
                .unwrap()
        );
        let bobo = db.contact(address).unwrap().unwrap();
        assert_eq!((bobo.node, bobo.version), (Address::repeat_byte(3), 3));
        assert_eq!(
            (bobo.name.as_deref(), bobo.inbox),
            (Some("Bobo"), Some(InboxToken([7; 16])))
        );

        let other = ShortCard {
            wallet: Address::repeat_byte(9),
            ..second.short()
        };
        assert!(matches!(
            db.name_contact("BOBO", &other, NOW),
            Err(AppError::Usage(_))
        ));
        db.name_contact("Robert", &second.short(), NOW).unwrap();
        assert_eq!(db.contact_by_name("Bobo").unwrap(), None);
        db.has_our_card(address, 5).unwrap();
        db.has_our_card(address, 4).unwrap();
        assert_eq!(db.contact(address).unwrap().unwrap().our_card, 5);
        assert!(db.remove_contact(address).unwrap() && !db.remove_contact(address).unwrap());
    }

    #[test]
    fn a_short_card_tells_that_somebody_moved() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = Db::open(&folder.path().join("client.db")).unwrap();
        let wallets = Wallets::generate(&mut OsRng);
        let identity =
            Identity::generate(&wallets.wallet, "net", Version::V6, NOW, &mut OsRng).unwrap();
        let address = wallets.wallet.address();
        let (old, new) = (
            card(&wallets, &identity, 1, 5),
            card(&wallets, &identity, 2, 6),
        );
        let inbox = Some(InboxToken([7; 16]));
        db.learn_card(&old, inbox, NOW).unwrap();
        db.name_contact("Bobo", &old.short(), NOW).unwrap();
        db.follow(&old.short()).unwrap();
        let bobo = db.contact(address).unwrap().unwrap();
        assert!(bobo.card.is_some() && bobo.version == 5, "nothing is new");

        db.follow(&new.short()).unwrap();
        let bobo = db.contact(address).unwrap().unwrap();
        assert_eq!((bobo.node, bobo.card), (new.body.node, None));
        assert_eq!((bobo.name.as_deref(), bobo.inbox), (Some("Bobo"), inbox));
        assert!(db.learn_card(&new, None, NOW).unwrap());
        assert_eq!(db.contact(address).unwrap().unwrap().version, 6);
    }

    #[test]
    fn names_cannot_be_taken_for_addresses() {
        for bad in [
            "",
            "0xabc",
            "0Xabc",
            "lm1:a",
            "-x",
            " a",
            "a\n",
            &"x".repeat(65),
        ] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        assert!(check_name("Bobo & Söhne").is_ok());
    }
}
