//! Lanes: who is credited for a packet that was forwarded.
//!
//! A node that forwards opens a lane with the next one by a sealed `lane` command signed by its
//! wallet, and gets the lane's number and key. From then on each packet that it forwards carries
//!
//! ```text
//! authorization: Bearer base64url(lane (16) ‖ mac (16))
//! mac = HMAC-SHA256(lane key, "layer-minus lane v1" ‖ first 256 bytes of the packet), cut to 16
//! ```
//!
//! The receiver of a packet on a lane that it knows proves that it does, by the header that RFC 9110
//! §11.6.3 has for it,
//!
//! ```text
//! authentication-info: rspauth="base64url(proof (16))"
//! proof = HMAC-SHA256(lane key, "layer-minus lane answer v1" ‖ mac), cut to 16
//! ```
//!
//! and answers in length-prefixed records. Without that header the packet was taken like any
//! other: the answer is a client's, nobody is credited, and the forwarder opens a new lane before
//! its next packet. So a receiver that forgot a lane loses no packet, and a body never has to be
//! sent twice.

pub(crate) mod allowance;
pub(crate) mod collect;
pub(crate) mod note;
pub(crate) mod outgoing;
#[cfg(test)]
mod vectors;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use layer_minus_node::LaneKey;
use ring::hmac;

/// First bytes of a packet that the authentication covers.
pub(crate) const COVERED_BYTES: usize = 256;

const ID_BYTES: usize = 16;
const MAC_BYTES: usize = 16;
const REQUEST_LABEL: &[u8] = b"layer-minus lane v1";
const ANSWER_LABEL: &[u8] = b"layer-minus lane answer v1";
const SCHEME: &str = "Bearer ";
const PROOF: (&str, &str) = ("rspauth=\"", "\"");

/// What a forwarder shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// The lane's number.
    pub(crate) lane: [u8; ID_BYTES],
    mac: [u8; MAC_BYTES],
}

impl Token {
    /// For the packet that begins with `first`, of which at least [`COVERED_BYTES`] are needed.
    pub(crate) fn new(lane: [u8; ID_BYTES], key: &LaneKey, first: &[u8]) -> Self {
        Self {
            lane,
            mac: mac(key, REQUEST_LABEL, covered(first)),
        }
    }

    /// Reads the header.
    pub(crate) fn from_header(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?.strip_prefix(SCHEME)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (lane, mac) = bytes.split_first_chunk()?;
        Some(Self {
            lane: *lane,
            mac: mac.try_into().ok()?,
        })
    }

    /// Writes the header.
    pub(crate) fn to_header(self) -> Option<HeaderValue> {
        let bytes = [self.lane, self.mac].concat();
        let text = format!("{SCHEME}{}", URL_SAFE_NO_PAD.encode(bytes));
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Whether it was made with the lane's key, for the packet that begins with `first`.
    pub(crate) fn verify(&self, key: &LaneKey, first: &[u8]) -> bool {
        let expected = mac(key, REQUEST_LABEL, covered(first));
        equal(&expected, &self.mac)
    }

    /// What shows the forwarder that its lane counted.
    pub(crate) fn proof(&self, key: &LaneKey) -> Option<HeaderValue> {
        let proof = URL_SAFE_NO_PAD.encode(mac(key, ANSWER_LABEL, &self.mac));
        HeaderValue::from_str(&format!("{}{proof}{}", PROOF.0, PROOF.1)).ok()
    }

    /// Whether the receiver knows the lane.
    pub(crate) fn is_proved(&self, key: &LaneKey, shown: Option<&HeaderValue>) -> bool {
        let shown = shown
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.strip_prefix(PROOF.0))
            .and_then(|text| text.strip_suffix(PROOF.1))
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        shown.is_some_and(|shown| equal(&mac(key, ANSWER_LABEL, &self.mac), &shown))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token([scrubbed])")
    }
}

fn covered(first: &[u8]) -> &[u8] {
    first.get(..COVERED_BYTES).unwrap_or(first)
}

fn mac(key: &LaneKey, label: &[u8], content: &[u8]) -> [u8; MAC_BYTES] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key.0));
    context.update(label);
    context.update(content);
    let mut cut = [0; MAC_BYTES];
    cut.iter_mut()
        .zip(context.sign().as_ref())
        .for_each(|(to, from)| *to = *from);
    cut
}

/// In a time that does not depend on where they differ.
fn equal(expected: &[u8; MAC_BYTES], shown: &[u8]) -> bool {
    shown.len() == MAC_BYTES
        && expected
            .iter()
            .zip(shown)
            .fold(0, |differ, (a, b)| differ | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: LaneKey = LaneKey([7; 32]);

    #[test]
    fn a_token_is_good_for_its_packet_and_lane_only() {
        let packet = [5; 1_000];
        let token = Token::new([1; 16], &KEY, &packet);
        let header = token.to_header().unwrap();
        let read = Token::from_header(&header).unwrap();
        assert_eq!(read, token);
        assert!(read.verify(&KEY, &packet));
        assert!(
            read.verify(&KEY, &packet[..COVERED_BYTES]),
            "only the first bytes are covered"
        );
        assert!(!read.verify(&LaneKey([8; 32]), &packet));
        let mut other = packet;
        other[COVERED_BYTES - 1] ^= 1;
        assert!(!read.verify(&KEY, &other));
    }

    #[test]
    fn the_receiver_proves_that_it_knows_the_lane() {
        let token = Token::new([1; 16], &KEY, &[5; 300]);
        let proof = token.proof(&KEY).unwrap();
        assert!(token.is_proved(&KEY, Some(&proof)));
        assert!(!token.is_proved(&KEY, None));
        assert!(!token.is_proved(&LaneKey([8; 32]), Some(&proof)));
        let other = Token::new([1; 16], &KEY, &[6; 300]);
        assert!(!other.is_proved(&KEY, Some(&proof)));
        // What was shown in the request cannot be shown back.
        let echo = HeaderValue::from_str(&format!(
            "rspauth=\"{}\"",
            URL_SAFE_NO_PAD.encode(token.mac)
        ));
        assert!(!token.is_proved(&KEY, Some(&echo.unwrap())));
    }

    #[test]
    fn other_headers_are_no_token() {
        for text in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer !!!!",
            "Basic AAAA",
            "Bearer AAAA",
        ] {
            assert!(
                Token::from_header(&HeaderValue::from_static(text)).is_none(),
                "{text}"
            );
        }
        let long = format!("Bearer {}", URL_SAFE_NO_PAD.encode([0; 33]));
        assert!(Token::from_header(&HeaderValue::from_str(&long).unwrap()).is_none());
    }

    #[test]
    fn nothing_prints_a_token() {
        let token = Token::new([1; 16], &KEY, &[5; 300]);
        assert_eq!(format!("{token:?}"), "Token([scrubbed])");
        assert_eq!(format!("{:?}", token.to_header().unwrap()), "Sensitive");
    }

    proptest! {
        #[test]
        fn any_header_is_a_token_or_none(text in "(Bearer )?[ -~]{0,60}") {
            let header = HeaderValue::from_str(&text).unwrap();
            if let Some(token) = Token::from_header(&header) {
                prop_assert!(!token.verify(&KEY, &[0; 300]));
            }
        }

        #[test]
        fn every_token_survives_its_header(lane: [u8; 16], key: [u8; 32], first: Vec<u8>) {
            let key = LaneKey(key);
            let token = Token::new(lane, &key, &first);
            let read = Token::from_header(&token.to_header().unwrap()).unwrap();
            prop_assert_eq!(read, token);
            prop_assert!(read.verify(&key, &first));
        }
    }
}
