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

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use layer_minus_delivery::records::{Decoder, Encoder, RecordKind};
use layer_minus_message::limits::ANSWER_SIZES;
use layer_minus_seal::RECORD_FIRST_OVERHEAD;

pub(crate) use self::{
    pass::pass_stream,
    records::{Records, records_stream},
    upstream::Upstream,
};
use crate::{
    HttpError,
    client::{EVENT_STREAM, OCTETS},
    server::plain::{AnswerBody, Answered, full, page},
};

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
    /// A node; the header proves to it that its lane counted.
    Lane(HeaderValue),
}

impl Form {
    /// An answer of one sealed record.
    pub(crate) fn once(&self, record: Bytes) -> Answered {
        let body = match self {
            Self::Client => record,
            Self::Lane(_) => match Encoder::record(RecordKind::Data, &record) {
                Ok(framed) => framed,
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
        if let Self::Lane(proof) = self {
            headers.insert(AUTHENTICATION_INFO, proof.clone());
        }
        response
    }
}

/// What the next hop shows to prove that it knows the lane.
pub(crate) fn shown_proof<B>(response: &Response<B>) -> Option<&HeaderValue> {
    response.headers().get(AUTHENTICATION_INFO)
}

/// Takes the one sealed record out of a one-shot answer on a lane.
pub(crate) fn unframe(framed: &[u8]) -> Result<Bytes, HttpError> {
    let mut decoder = Decoder::new();
    decoder
        .push(framed)
        .map_err(|_| HttpError::Malformed("not a sequence of records"))?;
    std::iter::from_fn(|| decoder.next_record())
        .find(|record| record.kind == RecordKind::Data)
        .map(|record| record.payload)
        .ok_or(HttpError::Malformed("no record"))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn one_shot_answers_in_both_forms() {
        let raw = Form::Client.once(Bytes::from_static(b"sealed"));
        assert_eq!(raw.headers()[header::CONTENT_LENGTH], "6");
        assert!(shown_proof(&raw).is_none());
        assert_eq!(
            raw.into_body().collect().await.unwrap().to_bytes(),
            "sealed"
        );

        let form = Form::Lane(HeaderValue::from_static("rspauth=\"x\""));
        let framed = form.once(Bytes::from_static(b"sealed"));
        assert_eq!(framed.headers()[header::CONTENT_LENGTH], "11");
        assert!(shown_proof(&framed).is_some());
        let body = framed.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(unframe(&body).unwrap(), "sealed");
    }

    #[test]
    fn a_voucher_before_the_record_is_passed_over() {
        let voucher = Encoder::record(RecordKind::Voucher, b"v").unwrap();
        let data = Encoder::record(RecordKind::Data, b"d").unwrap();
        assert_eq!(unframe(&[&voucher[..], &data[..]].concat()).unwrap(), "d");
        assert!(unframe(&voucher).is_err());
        assert!(unframe(b"").is_err() && unframe(&data[..4]).is_err());
    }
}
