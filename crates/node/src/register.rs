//! Becoming a client, staying one, and no longer being one.

use layer_minus_ledger::{DebitLimit, Op};
use layer_minus_message::{
    Answer, Authorization, Card, Listen, MessageError, NodeRecord, Reason, Registration,
    SignedDocument, Standing, letter::sha256,
};
use layer_minus_seal::seal_layer;
use layer_minus_wallet::Address;
use rand::{CryptoRng, RngCore};
use subtle::ConstantTimeEq;

use crate::{
    config::{CHALLENGE_SECS, CHALLENGES_MAX, LANE_SECS},
    event::{Effect, LaneKey, Request},
    live::Challenge,
    money::{self, code},
    node::{CLIENTS_KEY, LANE_PREFIX, Parts},
    rows::{ClientRow, Due, KeyRow, LaneRow, MailboxRow},
    store::{Store, StoreError, Table},
    tx::{BookError, Stop},
};

/// Size of a sealed challenge, bytes: it travels inside an answer.
const CHALLENGE_BYTES: usize = 2_300;
/// Most packets that leave with a client that unregisters.
const UNREGISTER_PACKETS_MAX: usize = 50_000;

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
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(), Stop> {
        if !self.config.takes_clients {
            return Err(Reason::OverLimit {
                limit: "this node takes no clients".to_owned(),
            }
            .into());
        }
        let card = self.check_card(wallet, &registration.card)?;
        self.check_key(wallet, &card)?;
        self.check_authorization(
            wallet,
            &registration.authorization,
            registration.invite.as_deref(),
        )?;
        if self.live.challenges.len() >= CHALLENGES_MAX {
            let now = self.tx.now;
            self.live
                .challenges
                .retain(|_, challenge| challenge.expires_at >= now);
            if self.live.challenges.len() >= CHALLENGES_MAX {
                return Err(Reason::Unavailable.into());
            }
        }
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
            lane: request.lane,
            size_bytes: request.size_bytes,
            mark: request.marks.last().map_or([0; 32], |mark| mark.digest),
            expires_at: self.tx.now.saturating_add(CHALLENGE_SECS),
        };
        self.live.challenges.insert(wallet, challenge);
        self.tx.answer(
            request.id,
            Answer::Challenge {
                sealed: sealed.to_vec(),
            },
        );
        Ok(())
    }

    fn check_card(&self, wallet: Address, signed: &SignedDocument) -> Result<Card, Stop> {
        let card =
            Card::read(signed.clone(), &self.keys.network, self.tx.now).map_err(|error| {
                Stop::Refuse(match error {
                    MessageError::WrongSigner { .. } => Reason::BadSignature,
                    MessageError::WrongNetwork { .. } => Reason::WrongNetwork,
                    other => Reason::Malformed {
                        detail: other.to_string(),
                    },
                })
            })?;
        if card.body.wallet != wallet {
            return Err(Reason::BadSignature.into());
        }
        if !self.is_me(&card.body.node) {
            return Err(Reason::WrongAudience.into());
        }
        if let Some(old) = self.tx.client(&wallet)? {
            let known = Card::read(old.card, &self.keys.network, self.tx.now);
            if known.is_ok_and(|known| known.body.version > card.body.version) {
                let detail = "a newer card is known".to_owned();
                return Err(Reason::Malformed { detail }.into());
            }
        }
        Ok(card)
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

    /// A limit is worth what backs it: what the operator granted, or an invite brings.
    fn check_authorization(
        &self,
        wallet: Address,
        authorization: &Authorization,
        invite: Option<&str>,
    ) -> Result<(), Stop> {
        authorization
            .verify(wallet, self.keys.cash, self.tx.now)
            .map_err(|error| bad_authorization(&error))?;
        let limit = authorization.limit_pusd();
        let minimum_pusd = self.config.minimum_authorization_pusd;
        if limit < u128::from(minimum_pusd) {
            return Err(Reason::AuthorizationTooSmall { minimum_pusd }.into());
        }
        let mut granted = self.granted(&wallet)?;
        if let Some(code) = invite {
            match self
                .tx
                .get::<u64>(Table::Invites, &sha256(code.as_bytes()))?
            {
                Some(amount) => granted = granted.saturating_add(amount),
                None => return Err(Reason::BadInvite.into()),
            }
        }
        if limit > u128::from(granted) {
            return Err(Reason::NotBacked {
                granted_pusd: granted,
            }
            .into());
        }
        Ok(())
    }

    fn granted(&self, wallet: &Address) -> Result<u64, StoreError> {
        let granted = self.tx.get::<u64>(Table::Grants, wallet.as_slice())?;
        Ok(granted
            .unwrap_or(0)
            .saturating_add(self.config.default_credit_pusd))
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
        let card = self.check_card(wallet, &registration.card)?;
        self.check_key(wallet, &card)?;
        let invite = registration.invite.as_deref();
        self.check_authorization(wallet, &registration.authorization, invite)?;
        self.check_room(&wallet)?;
        self.settle_registration(request, wallet, &challenge)?;
        self.use_invite(&wallet, invite)?;
        let passed_bytes = u64::from(challenge.size_bytes) + u64::from(request.size_bytes);
        self.store_client(wallet, &card, registration, passed_bytes)?;

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

    fn clients(&self) -> Result<u64, StoreError> {
        Ok(self.tx.get(Table::Meta, CLIENTS_KEY)?.unwrap_or(0))
    }

    /// Opens the account under its limit and charges both passes of the registration.
    fn settle_registration(
        &mut self,
        request: &Request,
        wallet: Address,
        challenge: &Challenge,
    ) -> Result<(), Stop> {
        let limit = DebitLimit::UpTo(challenge.registration.authorization.limit_pusd());
        let account = money::client_account(&wallet);
        let mut ops = match self.tx.account(&account)? {
            Some(_) => vec![Op::SetLimit { account, limit }],
            None => vec![Op::Open { account, limit }],
        };
        let mark = request.marks.last().map_or([0; 32], |mark| mark.digest);
        for (lane, size_bytes, mark) in [
            (challenge.lane, challenge.size_bytes, challenge.mark),
            (request.lane, request.size_bytes, mark),
        ] {
            ops.extend(self.command_ops(&wallet, lane, size_bytes, &mark)?);
        }
        let needed = money::pass_price(&self.config.prices, request.size_bytes)?
            .client
            .get();
        match self.tx.book(&ops) {
            Ok(()) => Ok(()),
            Err(BookError::Refused(layer_minus_ledger::Refusal::LimitBelowUse {
                used, ..
            })) => {
                let minimum_pusd = u64::try_from(used).unwrap_or(u64::MAX);
                Err(Reason::AuthorizationTooSmall { minimum_pusd }.into())
            }
            Err(BookError::Refused(_)) => {
                let available_pusd =
                    u64::try_from(challenge.registration.authorization.limit_pusd())
                        .unwrap_or(u64::MAX);
                let needed_pusd = needed.saturating_mul(2);
                Err(Reason::Exhausted {
                    available_pusd,
                    needed_pusd,
                }
                .into())
            }
            Err(BookError::Store(error)) => Err(error.into()),
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
        wallet: Address,
        card: &Card,
        registration: &Registration,
        passed_bytes: u64,
    ) -> Result<(), Stop> {
        let key = card.encryption_key();
        let old = self.tx.client(&wallet)?;
        let time = self.tx.now.to_be_bytes();
        let since = old.as_ref().map_or_else(
            || self.ids.keyed("since", &[wallet.as_slice(), &time]),
            |old| old.since,
        );
        match &old {
            Some(old) if old.key != key.to_string() => self.supersede_key(old)?,
            Some(_) => {}
            None => {
                let clients = self.clients()?.saturating_add(1);
                self.tx.put(Table::Meta, CLIENTS_KEY, &clients)?;
                let row = MailboxRow {
                    mailbox: layer_minus_delivery::Mailbox::new(
                        self.generation,
                        layer_minus_delivery::MailboxLimits {
                            bytes_max: self.config.mailbox_bytes_max,
                            retention_secs: self.config.retention_secs,
                        },
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
            authorization: registration.authorization.clone(),
            inbox_digest: registration.inbox_digest,
            strangers_bytes_per_day: registration
                .strangers_bytes_per_day
                .min(self.config.strangers_bytes_per_day_max),
            since,
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

    /// Charges a command's pass to the client who gave it and credits the lane it came on.
    pub(crate) fn charge_command(
        &mut self,
        request: &Request,
        wallet: &Address,
    ) -> Result<(), Stop> {
        let client = self.registered(wallet)?;
        if client.authorization.expires_at < self.tx.now {
            return Err(Reason::AuthorizationExpired.into());
        }
        let mark = request.marks.last().map_or([0; 32], |mark| mark.digest);
        let ops = self.command_ops(wallet, request.lane, request.size_bytes, &mark)?;
        let standing = self.standing(wallet)?;
        let needed = money::pass_price(&self.config.prices, request.size_bytes)?
            .client
            .get();
        let available_pusd = crate::push::left(&standing);
        self.tx.book_or(
            &ops,
            Reason::Exhausted {
                available_pusd,
                needed_pusd: needed,
            },
        )?;
        let mut row = self.tx.mailbox(wallet)?;
        row.passed_bytes = row
            .passed_bytes
            .saturating_add(u64::from(request.size_bytes));
        Ok(self.tx.put_mailbox(wallet, &row)?)
    }

    fn command_ops(
        &self,
        wallet: &Address,
        lane: Option<Address>,
        size_bytes: u32,
        mark: &[u8; 32],
    ) -> Result<Vec<Op>, StoreError> {
        let price = money::pass_price(&self.config.prices, size_bytes)?;
        // The mark is the sender's choice and is forgotten with its frame; the time is the node's.
        let now = self.tx.now.to_be_bytes();
        let content: [&[u8]; 3] = [wallet.as_slice(), mark, &now];
        let mut ops = Vec::with_capacity(3);
        if !price.client.is_zero() {
            ops.push(Op::Transfer {
                id: self.ids.transfer("command", &content),
                debit: money::client_account(wallet),
                credit: money::income_account(),
                amount: price.client,
                code: code::COMMAND,
            });
        }
        let id = self.ids.transfer("command lane", &content);
        ops.extend(self.tx.lane_ops(lane, id, price)?);
        Ok(ops)
    }

    pub(crate) fn status(&mut self, request: &Request, wallet: Address) -> Result<(), Stop> {
        self.registered(&wallet)?;
        self.charge_command(request, &wallet)?;
        let standing = self.standing(&wallet)?;
        self.tx.answer(request.id, Answer::Status(standing));
        Ok(())
    }

    pub(crate) fn standing(&self, wallet: &Address) -> Result<Standing, StoreError> {
        let Some(client) = self.tx.client(wallet)? else {
            return Ok(Standing::default());
        };
        let row = self.tx.mailbox(wallet)?;
        let account = self.tx.account(&money::client_account(wallet))?;
        let narrow = |sum: u128| u64::try_from(sum).unwrap_or(u64::MAX);
        let connections = self
            .live
            .by_client
            .get(wallet)
            .map_or(0, |ids| ids.len() as u64);
        Ok(Standing {
            limit_pusd: narrow(client.authorization.limit_pusd()),
            charged_pusd: account
                .as_ref()
                .map_or(0, |account| narrow(account.debits_posted)),
            reserved_pusd: account
                .as_ref()
                .map_or(0, |account| narrow(account.debits_pending)),
            passed_bytes: row.passed_bytes,
            authorized_until: client.authorization.expires_at,
            waiting_packets: row.mailbox.count,
            waiting_bytes: row.mailbox.bytes,
            mailbox_bytes_max: row.mailbox.limits.bytes_max,
            connections,
        })
    }

    pub(crate) fn card(&mut self, request: &Request, wallet: &Address) -> Result<(), Stop> {
        let client = self.tx.client(wallet)?.ok_or(Reason::UnknownClient)?;
        self.tx
            .answer(request.id, Answer::Card { card: client.card });
        Ok(())
    }

    /// A new limit or a later expiry counts at once, and delivery that waited for it goes on.
    pub(crate) fn authorize(
        &mut self,
        request: &Request,
        wallet: Address,
        authorization: Authorization,
    ) -> Result<(), Stop> {
        let mut client = self.registered(&wallet)?;
        self.check_authorization(wallet, &authorization, None)?;
        let account = money::client_account(&wallet);
        let limit = DebitLimit::UpTo(authorization.limit_pusd());
        let mark = request.marks.last().map_or([0; 32], |mark| mark.digest);
        let mut ops = vec![Op::SetLimit { account, limit }];
        ops.extend(self.command_ops(&wallet, request.lane, request.size_bytes, &mark)?);
        match self.tx.book(&ops) {
            Ok(()) => {}
            Err(BookError::Refused(layer_minus_ledger::Refusal::LimitBelowUse {
                used, ..
            })) => {
                let minimum_pusd = u64::try_from(used).unwrap_or(u64::MAX);
                return Err(Reason::AuthorizationTooSmall { minimum_pusd }.into());
            }
            Err(BookError::Refused(_)) => {
                let needed_pusd = money::pass_price(&self.config.prices, request.size_bytes)?
                    .client
                    .get();
                return Err(Reason::Exhausted {
                    available_pusd: 0,
                    needed_pusd,
                }
                .into());
            }
            Err(BookError::Store(error)) => return Err(error.into()),
        }
        client.authorization = authorization;
        self.tx.put(Table::Clients, wallet.as_slice(), &client)?;
        let mut row = self.tx.mailbox(&wallet)?;
        row.passed_bytes = row
            .passed_bytes
            .saturating_add(u64::from(request.size_bytes));
        self.tx.put_mailbox(&wallet, &row)?;
        let standing = self.standing(&wallet)?;
        self.tx.answer(request.id, Answer::Authorized(standing));
        self.feed_client(&wallet, None)
    }

    /// The client leaves: what waits is dropped, what it used is charged, the rest is released.
    pub(crate) fn unregister(&mut self, request: &Request, wallet: Address) -> Result<(), Stop> {
        let client = self.registered(&wallet)?;
        // Leaving is free when nothing may be charged any more.
        if client.authorization.expires_at >= self.tx.now {
            self.charge_command(request, &wallet)?;
        }
        for id in self.live.of_client(&wallet) {
            self.end_stream(id)?;
        }
        let mut row = self.tx.mailbox(&wallet)?;
        for (seq, packet) in self.tx.packets_after(&wallet, 0, UNREGISTER_PACKETS_MAX)? {
            self.take_out(&wallet, &mut row, seq, &packet, false)?;
        }
        for consumer in self.tx.consumers(&wallet)? {
            let key = crate::rows::consumer_key(&wallet, &consumer.id);
            self.tx.delete(Table::Consumers, &key)?;
        }
        if let Ok(key) = client.key.parse::<layer_minus_packet::Fingerprint>() {
            self.tx.delete(Table::Keys, &key.key_id().to_bytes())?;
        }
        self.tx.delete(Table::Mailboxes, wallet.as_slice())?;
        self.tx.delete(Table::Clients, wallet.as_slice())?;
        let clients = self.clients()?.saturating_sub(1);
        self.tx.put(Table::Meta, CLIENTS_KEY, &clients)?;
        self.tx.answer(request.id, Answer::Unregistered);
        Ok(())
    }

    /// Another node opens a lane: from now on what it forwards is known to come from it.
    pub(crate) fn lane(
        &mut self,
        request: &Request,
        wallet: Address,
        record: SignedDocument,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(), Stop> {
        let record =
            NodeRecord::read(record, &self.keys.network, self.tx.now).map_err(|error| {
                Reason::Malformed {
                    detail: error.to_string(),
                }
            })?;
        if record.node() != wallet {
            return Err(Reason::BadSignature.into());
        }
        let mut lane = [0; 16];
        let mut key = [0; 32];
        rng.fill_bytes(&mut lane);
        rng.fill_bytes(&mut key);
        let expires_at = self.tx.now.saturating_add(LANE_SECS);
        // One live lane for each node; and who ever earned on one is never forgotten.
        let name = [LANE_PREFIX, wallet.as_slice()].concat();
        if let Some(old) = self.tx.store.get(Table::Meta, &name)? {
            self.tx.delete(Table::Lanes, &old)?;
        }
        self.tx.put_bytes(Table::Meta, &name, &lane)?;
        let row = LaneRow {
            node: wallet,
            key,
            expires_at,
        };
        self.tx.put(Table::Lanes, &lane, &row)?;
        self.tx.schedule(expires_at, Due::Lane, &lane)?;
        let key = LaneKey(key);
        let opened = Effect::LaneOpened {
            lane,
            node: wallet,
            key: key.clone(),
            expires_at,
        };
        self.tx.effects.push(opened);
        self.tx.answer(
            request.id,
            Answer::LaneOpen {
                lane,
                key,
                expires_at,
            },
        );
        Ok(())
    }
}
