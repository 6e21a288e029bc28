//! Forms of a body other than the packet itself. They are held whole, at most twice the largest
//! packet, and turned into it.

use std::io;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use futures_util::stream::poll_fn;
use http::{HeaderMap, StatusCode, header};
use layer_minus_packet::{Sizes, armor};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    gate::{Gate, Permit},
    held::{Held, collect, time_for},
};
use crate::upload::Upload;

/// Base64 as programs write it: with padding or without.
const LAX: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LAX);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LAX);

/// What CoNET's clients send.
#[derive(Deserialize)]
struct Json {
    data: String,
}

/// Whether the body is a form with parts.
pub(crate) fn is_multipart(headers: &HeaderMap) -> bool {
    boundary(headers).is_some()
}

fn boundary(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    multer::parse_boundary(kind).ok()
}

/// Reads the whole of a body of at most `limit_bytes`, in the time for that, and takes the packet out.
/// With it comes the room that it takes.
pub(crate) async fn transcode(
    headers: &HeaderMap,
    body: &Upload,
    limit_bytes: usize,
    sizes: &Sizes,
    gate: &Gate,
) -> Result<(Bytes, Option<Permit>), StatusCode> {
    let (content, room) = match boundary(headers) {
        Some(boundary) => {
            let part = first_part(body, boundary, limit_bytes, gate);
            timeout(time_for(limit_bytes), part)
                .await
                .map_err(|_| StatusCode::REQUEST_TIMEOUT)??
        }
        None => collect(body, limit_bytes, gate).await?,
    };
    Ok((decode(content, sizes.largest())?, room))
}

/// The first part of a `multipart/form-data` body, whatever it is called.
async fn first_part(
    rest: &Upload,
    boundary: String,
    limit: usize,
    gate: &Gate,
) -> Result<(Bytes, Option<Permit>), StatusCode> {
    const BROKEN: StatusCode = StatusCode::BAD_REQUEST;
    let pieces = poll_fn(|cx| {
        rest.poll_piece(cx)
            .map(|piece| piece.map(|p| p.map_err(io::Error::other)))
    });
    let mut form = multer::Multipart::new(pieces, boundary);
    let mut held = Held::new(gate);
    let read = async {
        let Some(mut part) = form.next_field().await.map_err(|_| BROKEN)? else {
            return Ok(());
        };
        while let Some(piece) = part.chunk().await.map_err(|_| BROKEN)? {
            if held.len() + piece.len() > limit {
                break;
            }
            held.push(&piece).await?;
        }
        Ok(())
    };
    let outcome = read.await;
    match (outcome, rest.failure()) {
        (Ok(()), _) => Ok(held.finish()),
        (Err(_), Some(failure)) => Err(failure.status()),
        (Err(status), None) => Err(status),
    }
}

/// Binary, armored, base64, or JSON that holds one of the latter two.
fn decode(content: Bytes, limit: usize) -> Result<Bytes, StatusCode> {
    if content.first().is_some_and(|octet| octet & 0x80 != 0) {
        return Ok(content);
    }
    let text = content.trim_ascii_start();
    if text.first() != Some(&b'{') {
        return decode_text(text, limit);
    }
    let json: Json = serde_json::from_slice(text).map_err(|_| StatusCode::BAD_REQUEST)?;
    decode_text(json.data.as_bytes(), limit)
}

fn decode_text(text: &[u8], limit: usize) -> Result<Bytes, StatusCode> {
    if armor::is_armored(text) {
        let packet = armor::dearmor(text, limit).map_err(|_| StatusCode::BAD_REQUEST)?;
        return Ok(packet.into());
    }
    let dense: Vec<u8> = text
        .iter()
        .copied()
        .filter(|octet| !octet.is_ascii_whitespace())
        .collect();
    let engine = if dense.iter().any(|octet| matches!(octet, b'-' | b'_')) {
        &URL_SAFE
    } else {
        &STANDARD
    };
    let packet = engine.decode(dense).map_err(|_| StatusCode::BAD_REQUEST)?;
    Ok(packet.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_gives_the_same_bytes() {
        let packet = Bytes::from([&[0xc1, 0xff, 0xfe][..], &[0xab; 100]].concat());
        let base64 = base64::engine::general_purpose::STANDARD.encode(&packet);
        let armored =
            format!("-----BEGIN PGP MESSAGE-----\n\n{base64}\n-----END PGP MESSAGE-----\n");
        let wrapped = format!("{}\r\n{}", &base64[..40], &base64[40..]);
        let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&packet);
        let json = |data: &str| serde_json::json!({ "data": data }).to_string();
        for text in [
            armored.clone(),
            base64.clone(),
            base64.trim_end_matches('=').to_owned(),
            wrapped,
            url_safe.clone(),
            json(&armored),
            json(&base64),
            json(&url_safe),
            format!(" \n{}", json(&armored)),
        ] {
            assert_eq!(
                decode(text.clone().into(), 1_000).unwrap(),
                packet,
                "{text}"
            );
        }
        assert_eq!(decode(packet.clone(), 1_000).unwrap(), packet);
    }

    #[test]
    fn what_is_none_of_them_is_refused() {
        for text in [
            "{}",
            "{\"data\":1}",
            "{\"data\":\"!\"}",
            "hello world",
            "-----BEGIN PGP MESSAGE-----\n\nAAAA\n",
        ] {
            assert_eq!(
                decode(text.into(), 1_000),
                Err(StatusCode::BAD_REQUEST),
                "{text}"
            );
        }
        let long = format!(
            "-----BEGIN PGP MESSAGE-----\n\n{}\n-----END PGP MESSAGE-----\n",
            "AAAA".repeat(100)
        );
        assert_eq!(decode(long.into(), 299), Err(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn multipart_is_told_by_its_header() {
        let mut headers = HeaderMap::new();
        assert!(!is_multipart(&headers));
        headers.insert(
            header::CONTENT_TYPE,
            "multipart/form-data; boundary=x".parse().unwrap(),
        );
        assert!(is_multipart(&headers));
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        assert!(!is_multipart(&headers));
    }

    proptest! {
        #[test]
        fn whatever_is_packed_comes_out_of_every_form(
            rest in proptest::collection::vec(any::<u8>(), 0..600),
            first in 0x80_u8..,
            width in 1_usize..90,
        ) {
            let packet = Bytes::from([&[first][..], &rest].concat());
            let base64 = base64::engine::general_purpose::STANDARD.encode(&packet);
            let lines: Vec<&str> = base64.as_bytes().chunks(width)
                .map(|line| std::str::from_utf8(line).unwrap()).collect();
            let lines = lines.join("\r\n");
            let armored = format!("-----BEGIN PGP MESSAGE-----\n\n{lines}\n-----END PGP MESSAGE-----\n");
            let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&packet);
            for text in [lines, armored, url_safe] {
                let json = serde_json::json!({ "data": text }).to_string();
                prop_assert_eq!(decode(json.into(), 1_000).unwrap(), &packet);
                prop_assert_eq!(decode(text.into(), 1_000).unwrap(), &packet);
            }
            prop_assert_eq!(decode(packet.clone(), 1_000).unwrap(), &packet);
        }

        #[test]
        fn garbage_is_refused_or_shorter_than_it_was(
            text in proptest::collection::vec(any::<u8>(), 0..300),
            json in any::<bool>(),
        ) {
            let body = if json {
                serde_json::json!({ "data": String::from_utf8_lossy(&text) }).to_string().into_bytes()
            } else {
                text
            };
            let length = body.len();
            match decode(body.into(), 1_000) {
                Ok(packet) => prop_assert!(packet.len() <= length),
                Err(status) => prop_assert_eq!(status, StatusCode::BAD_REQUEST),
            }
        }
    }
}
