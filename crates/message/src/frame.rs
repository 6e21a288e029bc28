//! What lies inside an opened layer: header length (`u32`, big-endian), JSON header, body, zero fill.

use bytes::{BufMut, Bytes, BytesMut};
use layer_minus_seal::ReplyKey;
use serde::{Deserialize, Serialize};

use crate::{
    card::check_network,
    error::MessageError,
    json,
    limits::{FRAME_LIFETIME_SECS_MAX, HEADER_BYTES_MAX, PROTOCOL_VERSION},
    text,
};

/// What the body of a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// A packet for another node, or for this one: decide again.
    Packet,
    /// A message sealed to a client of this node.
    Mail,
    /// A command to this node.
    Command,
}

/// A secret that a person hands out with a card: mail that shows it is not a stranger's.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InboxToken(#[serde(with = "text::hex_array")] pub [u8; 16]);

impl std::fmt::Debug for InboxToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InboxToken([scrubbed])")
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    network: String,
    version: u16,
    kind: Kind,
    #[serde(with = "text::hex_array")]
    reply_key: [u8; 32],
    #[serde(with = "text::decimal")]
    expires_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inbox: Option<InboxToken>,
    body_bytes: u32,
}

/// What can be read of the header of a frame that is otherwise refused: enough to answer.
#[derive(Deserialize)]
struct Salutation {
    version: u16,
    #[serde(with = "text::hex_array")]
    reply_key: [u8; 32],
}

/// An opened layer.
pub struct Frame {
    /// What the body is.
    pub kind: Kind,
    /// Fresh for every frame; the answer is sealed under it.
    pub reply_key: ReplyKey,
    /// Unix seconds after which the frame is garbage.
    pub expires_at: u64,
    /// Shown with mail by those whom the recipient gave a card.
    pub inbox: Option<InboxToken>,
    /// A packet, a sealed message or a command.
    pub body: Bytes,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame")
            .field("kind", &self.kind)
            .field("expires_at", &self.expires_at)
            .field("inbox", &self.inbox)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why a frame was refused, and how to tell its sender.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unread {
    /// What is wrong. [`MessageError::reason`] says it to the sender.
    #[source]
    pub error: MessageError,
    /// The key to seal the reason under, if the header gave one.
    pub reply_key: Option<ReplyKey>,
}

impl Unread {
    fn silent(error: MessageError) -> Self {
        Self {
            error,
            reply_key: None,
        }
    }
}

impl Frame {
    /// The bytes before the body: length and JSON header. The body and zero fill follow.
    #[must_use]
    pub fn head(&self, network: &str) -> Bytes {
        let header = Header {
            network: network.to_owned(),
            version: PROTOCOL_VERSION,
            kind: self.kind,
            reply_key: *self.reply_key.as_bytes(),
            expires_at: self.expires_at,
            inbox: self.inbox,
            body_bytes: u32::try_from(self.body.len()).unwrap_or(u32::MAX),
        };
        let json = serde_json::to_vec(&header).unwrap_or_default();
        let mut head = BytesMut::with_capacity(4 + json.len());
        head.put_u32(u32::try_from(json.len()).unwrap_or(u32::MAX));
        head.put_slice(&json);
        head.freeze()
    }

    /// Reads the literal body of an opened layer. `now` bounds the expiry on both sides.
    ///
    /// # Errors
    /// [`Unread`], with the reply key whenever the header shows one: the sender used another
    /// network, another version, a wrong clock, or cut the body short, and is told so.
    pub fn read(literal: &Bytes, network: &str, now: u64) -> Result<Self, Unread> {
        let (json, rest) =
            split_head(literal, "frame header", HEADER_BYTES_MAX).map_err(Unread::silent)?;
        let header: Header = match json::read("frame header", &json, HEADER_BYTES_MAX) {
            Ok(header) => header,
            Err(error) => return Err(unread_header(&json, error)),
        };
        let reply_key = ReplyKey::from_bytes(header.reply_key);
        match check(&header, network, now).and_then(|()| take_body(&rest, header.body_bytes)) {
            Ok(body) => Ok(Self {
                kind: header.kind,
                reply_key,
                expires_at: header.expires_at,
                inbox: header.inbox,
                body,
            }),
            Err(error) => Err(Unread {
                error,
                reply_key: Some(reply_key),
            }),
        }
    }
}

fn check(header: &Header, network: &str, now: u64) -> Result<(), MessageError> {
    if header.version != PROTOCOL_VERSION {
        return Err(MessageError::WrongVersion(header.version));
    }
    check_network(&header.network, network)?;
    let until = now.saturating_add(FRAME_LIFETIME_SECS_MAX);
    if header.expires_at < now || header.expires_at > until {
        return Err(MessageError::OutsideValidity {
            what: "frame",
            from: now,
            until: header.expires_at,
            now,
        });
    }
    Ok(())
}

/// A later version may have other fields: what matters is to tell its sender that it is not
/// spoken here.
fn unread_header(json: &[u8], error: MessageError) -> Unread {
    let Ok(found) = json::read::<Salutation>("frame header", json, HEADER_BYTES_MAX) else {
        return Unread::silent(error);
    };
    let error = match found.version {
        PROTOCOL_VERSION => error,
        other => MessageError::WrongVersion(other),
    };
    Unread {
        error,
        reply_key: Some(ReplyKey::from_bytes(found.reply_key)),
    }
}

/// Splits `u32` length ‖ JSON ‖ rest.
pub(crate) fn split_head(
    literal: &Bytes,
    what: &'static str,
    max: usize,
) -> Result<(Bytes, Bytes), MessageError> {
    let Some(prefix) = literal.first_chunk::<4>() else {
        return Err(MessageError::Short {
            have: literal.len(),
            need: 4,
        });
    };
    let have = u32::from_be_bytes(*prefix) as usize;
    if have > max {
        return Err(MessageError::TooLarge { what, have, max });
    }
    let need = 4 + have;
    if literal.len() < need {
        return Err(MessageError::Short {
            have: literal.len(),
            need,
        });
    }
    Ok((literal.slice(4..need), literal.slice(need..)))
}

/// Takes the body and checks that only zeros follow, so that fill cannot carry anything.
pub(crate) fn take_body(rest: &Bytes, body_bytes: u32) -> Result<Bytes, MessageError> {
    let len = body_bytes as usize;
    if rest.len() < len {
        return Err(MessageError::Short {
            have: rest.len(),
            need: len,
        });
    }
    if rest[len..].iter().any(|&byte| byte != 0) {
        return Err(MessageError::Fill);
    }
    Ok(rest.slice(..len))
}
