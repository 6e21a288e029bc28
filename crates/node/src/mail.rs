//! Mail for a client: charged, reserved, stored, accepted, and only then pushed.

use bytes::Bytes;
use layer_minus_delivery::{DeliveryError, MailboxLimits};
use layer_minus_ledger::{Amount, Op};
use layer_minus_message::{Acceptance, AcceptanceBody, Answer, InboxToken, Reason, letter::sha256};
use layer_minus_packet::{Fingerprint, Recipient};
use rand::{CryptoRng, RngCore};

use crate::{
    event::Request,
    money::{self, PassPrice, RESERVATION_GRACE_SECS, code},
    node::Parts,
    paper::is_over,
    rows::{self, ClientRow, Due, KeyRow, MailboxRow, PacketRow, ReceiptRow},
    store::{Store, StoreError, Table},
    tx::Stop,
};

/// Operations that move nothing are left out: the ledger refuses them, and a free node has them.
fn paid(amount: Amount, op: Op) -> Option<Op> {
    (!amount.is_zero()).then_some(op)
}

impl<S: Store> Parts<'_, S> {
    pub(crate) fn mail(
        &mut self,
        request: &Request,
        recipient: Recipient,
        inbox: Option<InboxToken>,
        message: Bytes,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(), Stop> {
        let client = self
            .client_of_key(&recipient)?
            .ok_or(Reason::UnknownClient)?;
        let wallet = client.wallet;
        let digest = sha256(&message);
        let receipt_key = self
            .ids
            .keyed("receipt", &[wallet.as_slice(), &client.since, &digest]);
        if let Some(row) = self.tx.get::<ReceiptRow>(Table::Receipts, &receipt_key)? {
            // A retry: the same word again, and nothing is charged.
            self.tx.answer(request.id, Answer::Accepted(row.acceptance));
            return Ok(());
        }
        if self.purse().stopped(&client).is_some() {
            return Err(Reason::RecipientCannotPay.into());
        }
        let mut row = self.tx.mailbox(&wallet)?;
        // The operator may have changed them since the client came.
        row.mailbox.limits = self.mailbox_limits();
        self.take_strangers_quota(&client, &mut row, inbox, request.size_bytes)?;
        let seq = row
            .mailbox
            .accept(u64::from(request.size_bytes))
            .map_err(mailbox_refusal)?;
        let packet = self.charge_mail(request, &client, seq, &digest)?;

        row.passed_bytes = row
            .passed_bytes
            .saturating_add(u64::from(request.size_bytes));
        let key = rows::packet_key(&wallet, seq);
        self.tx.put_mailbox(&wallet, &row)?;
        self.tx.put(Table::Packets, &key, &packet)?;
        self.tx.put_bytes(Table::Bodies, &key, &message)?;
        self.tx.schedule(packet.kept_until, Due::Packet, &key)?;
        let acceptance = self.accept(&digest, &packet, rng)?;
        let receipt = ReceiptRow {
            acceptance: acceptance.clone(),
        };
        self.tx.put(Table::Receipts, &receipt_key, &receipt)?;
        self.tx
            .schedule(packet.kept_until, Due::Receipt, &receipt_key)?;
        self.tx.answer(request.id, Answer::Accepted(acceptance));

        self.feed_fresh(wallet, seq, message);
        Ok(())
    }

    /// The client that a key routes to. A whole fingerprint must match; a key ID is only a hint.
    pub(crate) fn client_of_key(
        &self,
        recipient: &Recipient,
    ) -> Result<Option<ClientRow>, StoreError> {
        let Some(key_id) = recipient.key_id() else {
            return Ok(None);
        };
        let row: Option<KeyRow> = self.tx.get(Table::Keys, &key_id.to_bytes())?;
        let Some(row) = row else { return Ok(None) };
        let same = match row.fingerprint.parse::<Fingerprint>() {
            Ok(fingerprint) => recipient.matches(&fingerprint),
            Err(_) => false,
        };
        if !same || row.until.is_some_and(|until| until < self.tx.now) {
            return Ok(None);
        }
        self.tx.client(&row.wallet)
    }

    /// What a client may leave lying.
    pub(crate) const fn mailbox_limits(&self) -> MailboxLimits {
        MailboxLimits {
            bytes_max: self.config.mailbox_bytes_max,
            retention_secs: self.config.retention_secs,
        }
    }

    fn take_strangers_quota(
        &self,
        client: &ClientRow,
        row: &mut MailboxRow,
        inbox: Option<InboxToken>,
        size_bytes: u32,
    ) -> Result<(), Stop> {
        let known = inbox.is_some_and(|token| sha256(&token.0) == client.inbox_digest);
        if known {
            return Ok(());
        }
        let quota = client
            .strangers_bytes_per_day
            .min(self.config.strangers_bytes_per_day_max);
        row.strangers
            .take(self.tx.now, u64::from(size_bytes), quota)
            .map_err(|_| Stop::Refuse(Reason::StrangersQuota))
    }

    /// Charges the way in, reserves one push and the storage, credits the lane: all or none.
    fn charge_mail(
        &mut self,
        request: &Request,
        client: &ClientRow,
        seq: u64,
        digest: &[u8; 32],
    ) -> Result<PacketRow, Stop> {
        let (now, size_bytes) = (self.tx.now, request.size_bytes);
        let kept_until = now.saturating_add(self.config.retention_secs);
        let wallet = &client.wallet;
        let debit = money::client_account(wallet);
        let prices = self.purse().prices(client);
        let free = self.tx.tally(&debit)?.free;
        let price = self
            .purse()
            .mail_price(&prices, free, size_bytes, kept_until)?;
        // The time makes mail that comes again after its receipt was forgotten a new charge; the
        // registration and the number do so for mail that comes again, in the same second, to a client
        // who left and came back: what was reserved for it then was released.
        let content: [&[u8]; 5] = [
            wallet.as_slice(),
            &client.since,
            &seq.to_be_bytes(),
            digest,
            &now.to_be_bytes(),
        ];
        let credit = money::income_account();
        let expires_at = kept_until.saturating_add(RESERVATION_GRACE_SECS);
        let push_id = self.ids.transfer("push", &content);
        let storage_id = self.ids.transfer("storage", &content);
        let pend = |id, amount, code| Op::Pend {
            id,
            debit,
            credit,
            amount,
            code,
            expires_at,
        };
        let mail_in = Op::Transfer {
            id: self.ids.transfer("mail in", &content),
            debit,
            credit,
            amount: price.way_in,
            code: code::MAIL_IN,
        };
        let lane_id = self.ids.transfer("mail in lane", &content);
        let pass = PassPrice::new(&self.config.prices, size_bytes, price.way_in)?;
        let lane = self.tx.lane_ops(request.lane, lane_id, pass)?;
        let ops: Vec<(Op, u32)> = [
            Some(self.limit_op(client)?),
            paid(price.way_in, mail_in),
            paid(price.push, pend(push_id, price.push, code::PUSH)),
            paid(
                price.storage,
                pend(storage_id, price.storage, code::STORAGE),
            ),
        ]
        .into_iter()
        .flatten()
        .chain(lane)
        .map(|op| (op, size_bytes))
        .collect();
        match self.tx.charge(&ops) {
            Ok(()) => {}
            Err(error) if is_over(&error) => return Err(Reason::RecipientCannotPay.into()),
            Err(error) => return Err(error.into()),
        }
        self.paid(request.lane);
        self.tx.put_free(&debit, price.free)?;
        Ok(PacketRow {
            size_bytes,
            accepted_at: now,
            kept_until,
            push: push_id,
            free_push: price.free_push,
            storage: storage_id,
            pushes: 0,
            begun: false,
            lane: None,
            prices,
        })
    }

    fn accept(
        &self,
        digest: &[u8; 32],
        packet: &PacketRow,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Acceptance, StoreError> {
        let mut receipt = [0; 16];
        rng.fill_bytes(&mut receipt);
        let body = AcceptanceBody {
            receipt,
            digest: *digest,
            accepted_at: packet.accepted_at,
            kept_until: packet.kept_until,
        };
        Acceptance::sign(&self.keys.wallet, &self.keys.network, &body, rng)
            .map_err(|error| StoreError::Failed(format!("acceptance cannot be signed: {error}")))
    }
}

pub(crate) fn mailbox_refusal(error: DeliveryError) -> Stop {
    match error {
        DeliveryError::Full { .. } => Stop::Refuse(Reason::MailboxFull),
        other => Stop::Store(StoreError::Failed(other.to_string())),
    }
}
