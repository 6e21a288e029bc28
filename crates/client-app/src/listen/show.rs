//! From a row on disk to a line on the screen or a file in a folder, once.

use std::path::PathBuf;

use layer_minus_client_sdk::{Join, SdkError, Transfer};
use layer_minus_message::letter::sha256;
use serde_json::json;

use super::Session;
use crate::{
    db::inbox::{Content, NOBODY, Whole},
    error::AppError,
    files::Incoming,
    out, when,
};

/// Longest text that is printed, bytes; a longer one is saved as a file.
const TEXT_BYTES_MAX: u64 = 1_000_000;

/// What a file turned out to be.
struct Saved {
    path: PathBuf,
    bytes: u64,
    sha256: [u8; 32],
}

impl Session<'_> {
    /// Shows everything that is here and was not shown yet.
    pub(super) fn show_all(&mut self) -> Result<(), AppError> {
        if self.ctx.db.next_unshown(&[])?.is_none() {
            return Ok(());
        }
        let _lock = self.ctx.home.show_lock()?;
        while !self.is_enough() {
            let Some(whole) = self.ctx.db.next_unshown(&[])? else {
                return Ok(());
            };
            let key = (whole.from, whole.id);
            match self.show(whole) {
                Ok(()) => self.shown += 1,
                Err(AppError::Sdk(error @ SdkError::Broken(_))) => self.tell_broken(key, &error)?,
                // It stays where it is, and is shown when the disk has room again.
                Err(error) => return Err(error),
            }
            self.ctx.db.shown(key)?;
        }
        Ok(())
    }

    fn show(&mut self, whole: Whole) -> Result<(), AppError> {
        let named = whole.name.is_some() && whole.from != NOBODY;
        let text = !named && whole.content_type.starts_with("text/");
        let bytes = match &whole.content {
            Content::Body(body) => body.len() as u64,
            Content::Parts(transfer) => transfer.total_bytes,
        };
        if text && bytes <= TEXT_BYTES_MAX {
            let body = self.body_of(&whole)?;
            if let Ok(text) = String::from_utf8(body) {
                return self.print(&whole, &text);
            }
        }
        let saved = self.save(&whole)?;
        self.tell_file(&whole, &saved)
    }

    /// The whole content, in memory.
    fn body_of(&self, whole: &Whole) -> Result<Vec<u8>, AppError> {
        match &whole.content {
            Content::Body(body) => Ok(body.clone()),
            Content::Parts(transfer) => {
                let mut joined = Vec::new();
                self.join(transfer, |part| {
                    joined.extend_from_slice(part);
                    Ok(())
                })?;
                Ok(joined)
            }
        }
    }

    /// Goes through all parts in order, and checks at the end that they are what was signed.
    fn join(
        &self,
        transfer: &Transfer,
        mut each: impl FnMut(&[u8]) -> Result<(), AppError>,
    ) -> Result<(), AppError> {
        let mut join = Join::new(transfer);
        for index in 0..transfer.count {
            let part = self.ctx.db.part((transfer.from, transfer.id), index)?;
            join.push(&part);
            each(&part)?;
        }
        Ok(join.finish()?)
    }

    fn save(&self, whole: &Whole) -> Result<Saved, AppError> {
        let id = hex::encode(whole.id);
        let name = whole.name.clone().unwrap_or_else(|| {
            let extension = if whole.content_type.starts_with("text/") {
                "txt"
            } else {
                "bin"
            };
            format!("{id}.{extension}")
        });
        let mut file = Incoming::begin(&self.folder, &name, &id)?;
        let (bytes, digest) = match &whole.content {
            Content::Body(body) => {
                file.write(body)?;
                (body.len() as u64, sha256(body))
            }
            Content::Parts(transfer) => {
                self.join(transfer, |part| file.write(part))?;
                (transfer.total_bytes, transfer.digest)
            }
        };
        Ok(Saved {
            path: file.finish()?,
            bytes,
            sha256: digest,
        })
    }

    /// Who wrote it, for people and for programs.
    fn writer(&self, whole: &Whole) -> Result<(Option<String>, Option<String>), AppError> {
        if whole.from == NOBODY {
            return Ok((None, None));
        }
        let name = self
            .ctx
            .db
            .contact(whole.from)?
            .and_then(|contact| contact.name);
        Ok((Some(whole.from.to_string()), name))
    }

    fn print(&self, whole: &Whole, text: &str) -> Result<(), AppError> {
        let (from, name) = self.writer(whole)?;
        self.ctx.out.line(
            || {
                let sent = when::utc(whole.sent_at);
                format!("[{sent}] {}: {}", people_say(&from, &name), text)
            },
            &json!({
                "event": "message",
                "id": hex::encode(whole.id),
                "from": from,
                "from_name": name,
                "signed": from.is_some(),
                "content_type": whole.content_type,
                "name": whole.name,
                "text": text,
                "in_reply_to": whole.reply_to.map(hex::encode),
                "sent_at": whole.sent_at.to_string(),
                "accepted_at": whole.accepted_at.to_string(),
                "seq": whole.seq.to_string(),
            }),
        )
    }

    fn tell_file(&self, whole: &Whole, saved: &Saved) -> Result<(), AppError> {
        let (from, name) = self.writer(whole)?;
        self.ctx.out.line(
            || {
                let sent = when::utc(whole.sent_at);
                let (who, size) = (people_say(&from, &name), out::bytes(saved.bytes));
                format!(
                    "[{sent}] {who} sent a file: {} ({size})",
                    saved.path.display()
                )
            },
            &json!({
                "event": "file",
                "id": hex::encode(whole.id),
                "from": from,
                "from_name": name,
                "signed": from.is_some(),
                "content_type": whole.content_type,
                "name": whole.name,
                "bytes": saved.bytes.to_string(),
                "sha256": hex::encode(saved.sha256),
                "path": saved.path,
                "in_reply_to": whole.reply_to.map(hex::encode),
                "sent_at": whole.sent_at.to_string(),
                "accepted_at": whole.accepted_at.to_string(),
                "seq": whole.seq.to_string(),
            }),
        )
    }

    fn tell_broken(
        &self,
        key: (layer_minus_wallet::Address, [u8; 16]),
        error: &SdkError,
    ) -> Result<(), AppError> {
        self.ctx.out.line(
            || {
                format!(
                    "a file from {} is not what was signed, and was dropped: {error}",
                    key.0
                )
            },
            &json!({
                "event": "unreadable",
                "id": hex::encode(key.1),
                "from": key.0.to_string(),
                "text": error.to_string(),
                "advice": "ask the sender to send it again",
            }),
        )
    }
}

fn people_say(from: &Option<String>, name: &Option<String>) -> String {
    match (from, name) {
        (Some(_), Some(name)) => name.clone(),
        (Some(from), None) => from.clone(),
        (None, _) => "unsigned, sender unknown".to_owned(),
    }
}
