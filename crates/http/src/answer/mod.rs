//! How answers look on the wire.
//!
//! | asked by | once | stream |
//! |---|---|---|
//! | a client | the sealed record | `text/event-stream`, a sealed record an event |
//! | a node on a lane | a length-prefixed record | length-prefixed records, no length in all |
//!
//! All are `200`, the others `application/octet-stream`.

mod pass;
mod records;
mod upstream;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Response, header};
use layer_minus_delivery::records::{Decoder, Encoder, RecordKind};
use layer_minus_message::{LaneNote, limits::ANSWER_SIZES};
use layer_minus_node::LaneKey;
use layer_minus_seal::RECORD_FIRST_OVERHEAD;

pub(crate) use self::{
    pass::pass_stream,
    records::{Records, records_stream},
    upstream::{Next, Upstream},
};
use crate::{
    HttpError,
    client::{EVENT_STREAM, OCTETS},
    server::plain::{AnswerBody, Answered, full, page},
};

/// Records of a one-shot answer on a lane: a note and the answer.
const ANSWER_RECORDS_MAX: usize = 2;
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const AUTHENTICATION_INFO: &str = "authentication-info";

/// What seals around seals may add to the largest padded answer, bytes: two layers at each of four
/// nodes.
const NESTED_BYTES_MAX: usize = 8 * RECORD_FIRST_OVERHEAD;

/// Whether a one-shot sealed answer can have that length.
pub(crate) fn is_sealed_length(bytes: usize) -> bool {
    let [.., largest] = ANSWER_SIZES;
    ANSWER_SIZES.contains(&bytes) || (largest..=largest + NESTED_BYTES_MAX).contains(&bytes)
}

/// Who reads the answer.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// A client, or whoever came without a lane.
    Client,
    /// A node.
    Lane(LaneForm),
}

/// A node that forwards on its lane.
#[derive(Clone, Debug)]
pub(crate) struct LaneForm {
    /// The header that proves to it that its lane counted.
    pub(crate) proof: HeaderValue,
    /// What notes are sealed under.
    pub(crate) key: LaneKey,
}

impl LaneForm {
    /// A note as a record of its own; without one to tell, a note that says nothing.
    pub(crate) fn note(&self, note: Option<&LaneNote>) -> Option<Bytes> {
        let sealed = crate::lane::note::seal(note, &self.key)?;
        Encoder::record(RecordKind::Voucher, &sealed).ok()
    }
}

impl Form {
    /// The lane that the answer goes back on.
    pub(crate) const fn lane(&self) -> Option<&LaneForm> {
        match self {
            Self::Client => None,
            Self::Lane(lane) => Some(lane),
        }
    }

    /// An answer of one sealed record. A node is told where its lane stands, or nothing in as many bytes.
    pub(crate) fn once(&self, record: Bytes, note: Option<&LaneNote>) -> Answered {
        let body = match self {
            Self::Client => record,
            Self::Lane(lane) => match Encoder::record(RecordKind::Data, &record) {
                Ok(framed) => match lane.note(note) {
                    Some(note) => {
                        let mut both = BytesMut::with_capacity(note.len() + framed.len());
                        both.extend_from_slice(&note);
                        both.extend_from_slice(&framed);
                        both.freeze()
                    }
                    None => framed,
                },
                Err(_) => return page(http::StatusCode::BAD_GATEWAY),
            },
        };
        let length = HeaderValue::from(body.len());
        let mut response = self.begin(full(body), OCTETS);
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length);
        response
    }

    /// An answer that is a stream; `body` is in this form already.
    pub(crate) fn stream(&self, body: AnswerBody) -> Answered {
        match self {
            Self::Client => {
                let mut response = self.begin(body, EVENT_STREAM);
                response
                    .headers_mut()
                    .insert(header::CACHE_CONTROL, NO_STORE);
                response
            }
            Self::Lane(_) => self.begin(body, OCTETS),
        }
    }

    fn begin(&self, body: AnswerBody, kind: HeaderValue) -> Answered {
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, kind);
        if let Self::Lane(lane) = self {
            headers.insert(AUTHENTICATION_INFO, lane.proof.clone());
        }
        response
    }
}

/// What the next hop shows to prove that it knows the lane.
pub(crate) fn shown_proof<B>(response: &Response<B>) -> Option<&HeaderValue> {
    response.headers().get(AUTHENTICATION_INFO)
}

/// A one-shot answer on a lane.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unframed {
    /// The sealed record.
    pub(crate) record: Bytes,
    /// The sealed note before it.
    pub(crate) note: Option<Bytes>,
}

/// Takes a one-shot answer on a lane apart.
pub(crate) fn unframe(framed: &[u8]) -> Result<Unframed, HttpError> {
    let mut decoder = Decoder::new();
    decoder
        .push(framed)
        .map_err(|_| HttpError::Malformed("not a sequence of records"))?;
    let mut note = None;
    for record in std::iter::from_fn(|| decoder.next_record()).take(ANSWER_RECORDS_MAX) {
        match record.kind {
            RecordKind::Data => {
                let record = record.payload;
                return Ok(Unframed { record, note });
            }
            _ => note = Some(record.payload),
        }
    }
    Err(HttpError::Malformed("no record"))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use layer_minus_delivery::records::RECORD_HEADER_BYTES;

    use super::*;
    use crate::lane::note::NOTE_BYTES;

    #[tokio::test]
    async fn one_shot_answers_in_both_forms() {
        let raw = Form::Client.once(Bytes::from_static(b"sealed"), None);
        assert_eq!(raw.headers()[header::CONTENT_LENGTH], "6");
        assert!(shown_proof(&raw).is_none());
        assert_eq!(
            raw.into_body().collect().await.unwrap().to_bytes(),
            "sealed"
        );

        let form = Form::Lane(LaneForm {
            proof: HeaderValue::from_static("rspauth=\"x\""),
            key: LaneKey([7; 32]),
        });
        let note = LaneNote {
            credited_pusd: 12,
            voucher: None,
        };
        for note in [Some(&note), None] {
            let framed = form.once(Bytes::from_static(b"sealed"), note);
            let length = RECORD_HEADER_BYTES + NOTE_BYTES + RECORD_HEADER_BYTES + b"sealed".len();
            let told = &framed.headers()[header::CONTENT_LENGTH];
            assert_eq!(told, length.to_string().as_str());
            assert!(shown_proof(&framed).is_some());
            let body = framed.into_body().collect().await.unwrap().to_bytes();
            let both = unframe(&body).unwrap();
            assert_eq!(both.record, "sealed");
            assert_eq!(both.note.map(|note| note.len()), Some(NOTE_BYTES));
        }
        // A client is told nothing of lanes.
        let raw = Form::Client.once(Bytes::from_static(b"sealed"), Some(&note));
        assert_eq!(raw.headers()[header::CONTENT_LENGTH], "6");
    }

    #[test]
    fn a_note_before_the_record_is_kept_apart_and_a_second_refused() {
        let note = Encoder::record(RecordKind::Voucher, b"v").unwrap();
        let data = Encoder::record(RecordKind::Data, b"d").unwrap();
        let unframed = unframe(&[&note[..], &data[..]].concat()).unwrap();
        assert_eq!(unframed.record, "d");
        assert_eq!(unframed.note, Some(Bytes::from_static(b"v")));
        assert!(unframe(&[&note[..], &note[..], &data[..]].concat()).is_err());
        assert!(unframe(&note).is_err());
        assert!(unframe(b"").is_err() && unframe(&data[..4]).is_err());
    }
}
