//! From a pushed packet to a row on disk.

use layer_minus_client_sdk::{
    Caps, Foreign, Identity, Outcome, Received, SdkError, content, receive,
};
use layer_minus_http::clock;
use layer_minus_message::{Letter, PushedPacket};
use layer_minus_seal::SealError;
use serde_json::json;

use super::Session;
use crate::error::AppError;

/// Longest unsigned message that is printed as text, bytes; a longer one is a file.
const FOREIGN_TEXT_BYTES_MAX: usize = 64 * 1024;

impl Session<'_> {
    /// Opens a packet and stores what is in it. On return it may be acknowledged: it is on disk, or it
    /// will never be of any use.
    pub(super) fn take(&mut self, packet: &PushedPacket) -> Result<(), AppError> {
        match self.open(packet)? {
            Ok(Received::Letter(letter)) => self.take_letter(&letter, packet)?,
            Ok(Received::Foreign(foreign)) => {
                let kind = content_type_of(&foreign);
                self.ctx
                    .db
                    .take_foreign(&foreign, kind, packet, clock::now())?;
            }
            Ok(_) => {}
            Err(error) => self.tell_unreadable(packet, &error)?,
        }
        self.book.took(packet.position);
        self.taken += 1;
        Ok(())
    }

    /// Opens a packet. If no key opens it, the certificate may have been rotated by another process
    /// while this one listens, so the keys are read again.
    fn open(&mut self, packet: &PushedPacket) -> Result<Result<Received, SdkError>, AppError> {
        let open = |identity: &Identity, network: &str| {
            receive::open(packet, &identity.keyring(), network, identity.address())
        };
        let opened = open(&self.identity, self.ctx.network_id());
        if !matches!(opened, Err(SdkError::Seal(SealError::NoKey))) {
            return Ok(opened);
        }
        self.identity = self.ctx.identity()?;
        Ok(open(&self.identity, self.ctx.network_id()))
    }

    fn take_letter(&mut self, letter: &Letter, packet: &PushedPacket) -> Result<(), AppError> {
        let now = clock::now();
        if let Some((card, full)) = receive::card_of(letter, self.ctx.network_id(), now) {
            self.ctx.db.learn_card(&card, full.inbox, now)?;
        }
        let contact = self.ctx.db.contact(letter.claims.from)?;
        let caps = match contact {
            Some(contact) if contact.name.is_some() => Caps::CONTACT,
            _ => Caps::STRANGER,
        };
        match self.ctx.db.take_letter(letter, packet, &caps, now)? {
            Outcome::Refused(unwanted) => {
                let from = letter.claims.from.to_string();
                self.ctx.out.line(
                    || format!("a part of something from {from} was not taken: {unwanted}"),
                    &json!({
                        "event": "unreadable",
                        "from": from,
                        "seq": packet.position.seq.to_string(),
                        "text": unwanted.to_string(),
                    }),
                )
            }
            Outcome::Part { have, count } => {
                tracing::debug!(have, count, "part of a file");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn tell_unreadable(&self, packet: &PushedPacket, error: &SdkError) -> Result<(), AppError> {
        let hint = receive::hint(error);
        self.ctx.out.line(
            || {
                let hint = hint
                    .map(|hint| format!("\n  next: {hint}"))
                    .unwrap_or_default();
                format!("a message cannot be read: {error}{hint}")
            },
            &json!({
                "event": "unreadable",
                "seq": packet.position.seq.to_string(),
                "text": error.to_string(),
                "advice": hint,
            }),
        )
    }
}

/// What a message without claims is: a text if it can be read as one. Other programs put the name
/// of the file that they encrypted into it, which says nothing about whether it is meant as a file.
fn content_type_of(foreign: &Foreign) -> &'static str {
    let short = foreign.body.len() <= FOREIGN_TEXT_BYTES_MAX;
    let text = short && !foreign.body.contains(&0) && std::str::from_utf8(&foreign.body).is_ok();
    if text { content::TEXT } else { content::BYTES }
}
