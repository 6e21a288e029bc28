//! What lies inside an opened layer: header length (`u32`, big-endian), JSON header, body, zero fill.

use bytes::{BufMut, Bytes, BytesMut};
use layer_minus_seal::ReplyKey;
use serde::{Deserialize, Serialize};

use crate::{
    error::MessageError,
    limits::{FRAME_LIFETIME_SECS_MAX, HEADER_BYTES_MAX, NETWORK_ID_BYTES_MAX, PROTOCOL_VERSION},
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

/// An opened layer.
#[derive(Debug)]
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
    pub fn read(literal: &Bytes, network: &str, now: u64) -> Result<Self, MessageError> {
        let (json, rest) = split_head(literal, "frame header", HEADER_BYTES_MAX)?;
        let header: Header =
            serde_json::from_slice(&json).map_err(|e| MessageError::json("frame header", &e))?;
        if header.version != PROTOCOL_VERSION {
            return Err(MessageError::WrongVersion(header.version));
        }
        if header.network != network {
            let mut found = header.network;
            found.truncate(found.floor_char_boundary(NETWORK_ID_BYTES_MAX));
            return Err(MessageError::WrongNetwork { found, expected: network.to_owned() });
        }
        let until = now.saturating_add(FRAME_LIFETIME_SECS_MAX);
        if header.expires_at < now || header.expires_at > until {
            return Err(MessageError::OutsideValidity {
                what: "frame",
                from: now,
                until: header.expires_at,
                now,
            });
        }
        let body = take_body(&rest, header.body_bytes)?;
        Ok(Self {
            kind: header.kind,
            reply_key: ReplyKey::from_bytes(header.reply_key),
            expires_at: header.expires_at,
            inbox: header.inbox,
            body,
        })
    }
}

/// Splits `u32` length ‖ JSON ‖ rest.
pub(crate) fn split_head(
    literal: &Bytes,
    what: &'static str,
    max: usize,
) -> Result<(Bytes, Bytes), MessageError> {
    let Some(prefix) = literal.first_chunk::<4>() else {
        return Err(MessageError::Short { have: literal.len(), need: 4 });
    };
    let have = u32::from_be_bytes(*prefix) as usize;
    if have > max {
        return Err(MessageError::TooLarge { what, have, max });
    }
    let need = 4 + have;
    if literal.len() < need {
        return Err(MessageError::Short { have: literal.len(), need });
    }
    Ok((literal.slice(4..need), literal.slice(need..)))
}

/// Takes the body and checks that only zeros follow, so that fill cannot carry anything.
pub(crate) fn take_body(rest: &Bytes, body_bytes: u32) -> Result<Bytes, MessageError> {
    let len = body_bytes as usize;
    if rest.len() < len {
        return Err(MessageError::Short { have: rest.len(), need: len });
    }
    if rest[len..].iter().any(|&byte| byte != 0) {
        return Err(MessageError::Fill);
    }
    Ok(rest.slice(..len))
}
