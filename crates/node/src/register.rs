//! Becoming a client: terms, possession, and what is stored of it.

use layer_minus_ledger::Op;
use layer_minus_message::{
    Answer, Authorization, Card, CardBody, Listen, MessageError, Prices, Reason, Registration,
    letter::sha256,
};
use layer_minus_seal::seal_layer;
use layer_minus_wallet::Address;
use rand::{CryptoRng, RngCore};
use subtle::ConstantTimeEq;

use crate::{
    account::Pass,
    backing::{Granted, deposit_pusd},
    challenges::{Share, Ticket},
    config::{CHALLENGE_SECS, CHALLENGES_MAX},
    event::Request,
    live::Challenge,
    money,
    node::{CLIENTS_KEY, Parts},
    paper::{Switch, is_over},
    rows::{ClientRow, Due, KeyRow, MailboxRow, PaperRow, Terms},
    store::{Store, StoreError, Table},
    tx::Stop,
};

/// Size of a sealed challenge, bytes: it travels inside an answer.
const CHALLENGE_BYTES: usize = 2_300;

fn bad_authorization(error: &MessageError) -> Stop {
    Stop::Refuse(match error {
        MessageError::OutsideValidity { .. } => Reason::AuthorizationExpired,
        other => Reason::BadAuthorization {
            detail: other.to_string(),
        },
    })
}

impl<S: Store> Parts<'_, S> {
    pub(crate) fn registered(&self, wallet: &Address) -> Result<ClientRow, Stop> {
        self.tx
            .client(wallet)?
            .ok_or(Stop::Refuse(Reason::NotRegistered))
    }

    /// Checks everything but possession, and asks for that.
    pub(crate) fn register(
        &mut self,
        request: &Request,
        wallet: Address,
        registration: Box<Registration>,
        card: Option<Box<Card>>,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(), Stop> {
        if !self.config.takes_clients {
            return Err(Reason::OverLimit {
                limit: "this node takes no clients".to_owned(),
            }
            .into());
        }
        // What nobody backs is refused before it costs more than a look.
        self.check_authorization(
            wallet,
            &registration.authorization,
            registration.invite.as_deref(),
        )?;
        let card = card.ok_or(Reason::BadSignature)?;
        self.check_card(wallet, &card)?;
        self.check_key(wallet, &card)?;
        let ticket = Ticket {
            share: match self.tx.client(&wallet)? {
                Some(_) => Share::Clients,
                None => Share::Strangers,
            },
            invite: registration
                .invite
                .as_ref()
                .map(|code| sha256(code.as_bytes())),
        };
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let sealed = {
            // Bound to both sides: it cannot be passed on to somebody who registers elsewhere.
            let node = self.keys.wallet.address();
            let body: [&[u8]; 3] = [&nonce, node.as_slice(), wallet.as_slice()];
            seal_layer(rng, &card.certificate, &body, CHALLENGE_BYTES)
        }
        .map_err(|_| Stop::Refuse(Reason::PossessionNotProved))?;
        let challenge = Challenge {
            nonce,
            registration,
            card,
            lane: request.lane,
            size_bytes: request.size_bytes,
            mark: request.marks.last().map_or([0; 32], |mark| mark.digest),
            expires_at: self.tx.now.saturating_add(CHALLENGE_SECS),
        };
        self.live
            .challenges
            .insert(wallet, ticket, challenge, CHALLENGES_MAX);
        self.tx.answer(
            request.id,
            Answer::Challenge {
                sealed: sealed.to_vec(),
            },
        );
        Ok(())
    }

    /// Checks what may change after the card itself was checked, off the writer.
    fn check_card(&self, wallet: Address, card: &Card) -> Result<(), Stop> {
        let now = self.tx.now;
        let malformed = |detail: &str| {
            Stop::Refuse(Reason::Malformed {
                detail: detail.to_owned(),
            })
        };
        if card.body.wallet != wallet {
            return Err(Reason::BadSignature.into());
        }
        if !self.is_me(&card.body.node) {
            return Err(Reason::WrongAudience.into());
        }
        if card.body.valid_until < now {
            return Err(malformed("card has expired"));
        }
        if let Some(old) = self.tx.client(&wallet)? {
            let newer = |old: CardBody| old.valid_until >= now && old.version > card.body.version;
            if CardBody::of_checked(&old.card).is_ok_and(newer) {
                return Err(malformed("a newer card is known"));
            }
        }
        Ok(())
    }

    fn check_key(&self, wallet: Address, card: &Card) -> Result<(), Stop> {
        let key_id = card.encryption_key().key_id().to_bytes();
        let row: Option<KeyRow> = self.tx.get(Table::Keys, &key_id)?;
        let live = |row: &KeyRow| row.until.is_none_or(|until| until >= self.tx.now);
        match row {
            Some(row) if row.wallet != wallet && live(&row) => Err(Reason::KeyTaken.into()),
            _ => Ok(()),
        }
    }

    /// A limit is worth what backs it: what an escrow holds for the channel, what the operator granted,
    /// what an invite brings. To sign more than all of it is refused; what of it earlier channels used
    /// up shows in the standing.
    pub(crate) fn check_authorization(
        &self,
        wallet: Address,
        authorization: &Authorization,
        invite: Option<&str>,
    ) -> Result<(), Stop> {
        authorization
            .verify(wallet, self.party(), self.tx.now)
            .map_err(|error| bad_authorization(&error))?;
        let limit = authorization.limit_pusd();
        let minimum_pusd = self.config.minimum_authorization_pusd;
        if limit < u128::from(minimum_pusd) {
            return Err(Reason::AuthorizationTooSmall { minimum_pusd }.into());
        }
        let channel = authorization
            .channel_id(wallet)
            .map_err(|error| bad_authorization(&error))?;
        let deposit = deposit_pusd(&*self.tx.store, &channel.0, self.tx.now)?.get();
        let mut backed = deposit.saturating_add(self.granted(&wallet)?.into());
        if let Some(code) = invite {
            match self
                .tx
                .get::<u64>(Table::Invites, &sha256(code.as_bytes()))?
            {
                Some(amount) => backed = backed.saturating_add(amount.into()),
                None => return Err(Reason::BadInvite.into()),
            }
        }
        if limit > backed {
            let granted_pusd = u64::try_from(backed).unwrap_or(u64::MAX);
            return Err(Reason::NotBacked { granted_pusd }.into());
        }
        Ok(())
    }

    pub(crate) fn granted(&self, wallet: &Address) -> Result<u64, StoreError> {
        let granted = Granted {
            store: &*self.tx.store,
            default_credit_pusd: self.config.default_credit_pusd,
        };
        granted.total_pusd(wallet)
    }

    /// Completes a registration: the nonce came back, so the key opens for whoever registers it.
    pub(crate) fn confirm(
        &mut self,
        request: &Request,
        wallet: Address,
        nonce: &[u8; 32],
        listen: Option<Listen>,
    ) -> Result<(), Stop> {
        let Some(challenge) = self.live.challenges.remove(&wallet) else {
            return Err(Reason::PossessionNotProved.into());
        };
        let proved: bool = challenge.nonce.ct_eq(nonce).into();
        if !proved || challenge.expires_at < self.tx.now {
            return Err(Reason::PossessionNotProved.into());
        }
        if let Some(listen) = &listen {
            self.room_for_stream(&wallet)?;
            self.check_consumer(&wallet, listen)?;
        }
        let registration = &challenge.registration;
        // Things may have changed since the challenge: an invite used, a key taken.
        let card = &challenge.card;
        self.check_card(wallet, card)?;
        self.check_key(wallet, card)?;
        let invite = registration.invite.as_deref();
        self.check_authorization(wallet, &registration.authorization, invite)?;
        self.check_room(&wallet)?;
        let came_back = self.tx.account(&money::client_account(&wallet))?.is_some();
        let old = self.tx.client(&wallet)?;
        let authorization = registration.authorization.clone();
        let switch = self.switch(wallet, old.as_ref().map(|old| &old.paper), authorization)?;
        let terms = self.new_terms(old.as_ref());
        self.settle_registration(request, wallet, &challenge, (&switch, &terms.prices))?;
        self.write_switch(wallet, &switch)?;
        let passed_bytes = u64::from(challenge.size_bytes) + u64::from(request.size_bytes);
        self.store_client(
            old,
            &challenge,
            (switch.paper, terms),
            passed_bytes,
            came_back,
        )?;

        let registered = Answer::Registered(self.standing(&wallet)?);
        match listen {
            Some(listen) => self.open_stream(request, wallet, &listen, vec![registered]),
            None => {
                self.tx.answer(request.id, registered);
                Ok(())
            }
        }
    }

    fn check_room(&self, wallet: &Address) -> Result<(), Stop> {
        if self.tx.client(wallet)?.is_none() && self.clients()? >= self.config.clients_max {
            return Err(Reason::OverLimit {
                limit: "clients_max".to_owned(),
            }
            .into());
        }
        Ok(())
    }

    pub(crate) fn clients(&self) -> Result<u64, StoreError> {
        Ok(self.tx.get(Table::Meta, CLIENTS_KEY)?.unwrap_or(0))
    }

    /// Opens the account under its limit, uses the invite and charges both passes of the registration.
    fn settle_registration(
        &mut self,
        request: &Request,
        wallet: Address,
        challenge: &Challenge,
        (switch, prices): (&Switch, &Prices),
    ) -> Result<(), Stop> {
        let account = money::client_account(&wallet);
        let mut free = self.tx.tally(&account)?.free;
        let passes = [
            Pass {
                what: "register",
                lane: challenge.lane,
                size_bytes: challenge.size_bytes,
                mark: challenge.mark,
            },
            Pass::of(request),
        ];
        let mut charges = Vec::with_capacity(6);
        let mut needed = 0_u64;
        for pass in passes {
            let charged = self.pass_ops(&wallet, prices, &mut free, pass, &mut charges)?;
            needed = needed.saturating_add(charged.get());
        }
        // What the invite brings counts for what follows, so it is used before it is known whether
        // all can be paid; a limit under two passes is a mistake of the client's that costs it no code.
        let limit = switch.paper.authorization.limit_pusd();
        if limit < u128::from(needed) {
            let available_pusd = u64::try_from(limit).unwrap_or(u64::MAX);
            let needed_pusd = needed;
            return Err(Reason::Exhausted {
                available_pusd,
                needed_pusd,
            }
            .into());
        }
        self.use_invite(&wallet, challenge.registration.invite.as_deref())?;
        let limit = self.switch_op(&wallet, switch)?;
        let mut ops = vec![(limit, 0)];
        if let (None, Op::SetLimit { account, limit }) = (self.tx.account(&account)?, limit) {
            ops = vec![(Op::Open { account, limit }, 0)];
        }
        ops.extend(charges);
        match self.tx.charge(&ops) {
            Ok(()) => {
                self.paid(challenge.lane);
                self.paid(request.lane);
                Ok(self.tx.put_free(&account, free)?)
            }
            Err(error) if is_over(&error) => Err(Reason::Exhausted {
                available_pusd: 0,
                needed_pusd: needed,
            }
            .into()),
            Err(error) => Err(error.into()),
        }
    }

    fn use_invite(&mut self, wallet: &Address, invite: Option<&str>) -> Result<(), Stop> {
        let Some(code) = invite else { return Ok(()) };
        let key = sha256(code.as_bytes());
        let amount: u64 = self
            .tx
            .get(Table::Invites, &key)?
            .ok_or(Reason::BadInvite)?;
        let old: Option<u64> = self.tx.get(Table::Grants, wallet.as_slice())?;
        let granted = old.unwrap_or(0).saturating_add(amount);
        self.tx.delete(Table::Invites, &key)?;
        Ok(self.tx.put(Table::Grants, wallet.as_slice(), &granted)?)
    }

    fn store_client(
        &mut self,
        old: Option<ClientRow>,
        challenge: &Challenge,
        (paper, terms): (PaperRow, Terms),
        passed_bytes: u64,
        came_back: bool,
    ) -> Result<(), Stop> {
        let (card, registration) = (&challenge.card, &challenge.registration);
        let key = card.encryption_key();
        let wallet = card.body.wallet;
        // The nonce was used for this registration alone: another of the same second is another.
        let since = old.as_ref().map_or_else(
            || {
                self.ids
                    .keyed("since", &[wallet.as_slice(), &challenge.nonce])
            },
            |old| old.since,
        );
        let apart = match &old {
            Some(old) => old.apart,
            None if came_back => {
                u64::from_be_bytes(since.first_chunk().copied().unwrap_or_default())
            }
            None => 0,
        };
        match &old {
            Some(old) if old.key != key.to_string() => self.supersede_key(old)?,
            Some(_) => {}
            None => {
                let clients = self.clients()?.saturating_add(1);
                self.tx.put(Table::Meta, CLIENTS_KEY, &clients)?;
                let row = MailboxRow {
                    mailbox: layer_minus_delivery::Mailbox::new(
                        self.generation,
                        self.mailbox_limits(),
                    ),
                    strangers: layer_minus_delivery::DailyQuota::default(),
                    storage: layer_minus_ledger::StorageMeter::default(),
                    passed_bytes: 0,
                };
                self.tx.put_mailbox(&wallet, &row)?;
            }
        }
        let mut row = self.tx.mailbox(&wallet)?;
        row.passed_bytes = row.passed_bytes.saturating_add(passed_bytes);
        self.tx.put_mailbox(&wallet, &row)?;
        let key_row = KeyRow {
            wallet,
            fingerprint: key.to_string(),
            until: None,
        };
        self.tx
            .put(Table::Keys, &key.key_id().to_bytes(), &key_row)?;
        let client = ClientRow {
            wallet,
            card: registration.card.clone(),
            key: key.to_string(),
            card_until: card.body.valid_until,
            paper,
            terms,
            inbox_digest: registration.inbox_digest,
            strangers_bytes_per_day: registration
                .strangers_bytes_per_day
                .min(self.config.strangers_bytes_per_day_max),
            since,
            apart,
        };
        Ok(self.tx.put(Table::Clients, wallet.as_slice(), &client)?)
    }

    /// The old key routes until the card that names it expires.
    fn supersede_key(&mut self, old: &ClientRow) -> Result<(), StoreError> {
        let Ok(fingerprint) = old.key.parse::<layer_minus_packet::Fingerprint>() else {
            return Ok(());
        };
        let key = fingerprint.key_id().to_bytes();
        let until = Some(old.card_until);
        let row = KeyRow {
            wallet: old.wallet,
            fingerprint: old.key.clone(),
            until,
        };
        self.tx.put(Table::Keys, &key, &row)?;
        self.tx.schedule(old.card_until, Due::Key, &key)
    }
}
