//! Frames: what lies inside an opened layer.

use bytes::Bytes;
use layer_minus_message::{
    Frame, InboxToken, Kind, MessageError, Reason, Unread,
    limits::{FRAME_LIFETIME_SECS_MAX, HEADER_BYTES_MAX},
};
use layer_minus_seal::ReplyKey;
use proptest::prelude::*;
use serde_json::Value;

use crate::{
    strict::{HARMS, Harm, harmed},
    world::{NETWORK, NOW},
};

pub(crate) fn frame() -> Frame {
    Frame {
        kind: Kind::Mail,
        reply_key: ReplyKey::from_bytes([0x4e; 32]),
        expires_at: NOW + 3_600,
        inbox: Some(InboxToken([0x1b; 16])),
        body: Bytes::from_static(b"sealed message"),
    }
}

/// The bytes of a layer: head, body, zero fill.
pub(crate) fn literal(frame: &Frame, network: &str, fill: usize) -> Bytes {
    [&frame.head(network)[..], &frame.body, &vec![0; fill]]
        .concat()
        .into()
}

/// A literal with any JSON as its header.
pub(crate) fn with_header(json: &str, body: &[u8]) -> Bytes {
    let len = u32::try_from(json.len()).unwrap().to_be_bytes();
    [&len, json.as_bytes(), body].concat().into()
}

fn header() -> Value {
    let head = frame().head(NETWORK);
    serde_json::from_slice(&head[4..]).unwrap()
}

fn unread(literal: &Bytes) -> Unread {
    Frame::read(literal, NETWORK, NOW).unwrap_err()
}

#[test]
fn a_frame_comes_back() {
    let (sent, read) = (
        frame(),
        Frame::read(&literal(&frame(), NETWORK, 99), NETWORK, NOW).unwrap(),
    );
    assert_eq!(
        (read.kind, read.expires_at, read.inbox),
        (sent.kind, sent.expires_at, sent.inbox)
    );
    assert_eq!((read.reply_key, read.body), (sent.reply_key, sent.body));
}

#[test]
fn the_header_is_strict_and_its_sender_is_told() {
    let body = frame().body;
    for harm in HARMS {
        for json in harmed(&header(), harm) {
            let read = Frame::read(&with_header(&json, &body), NETWORK, NOW);
            if harm == Harm::Null && json.contains("\"inbox\":null") {
                assert_eq!(read.unwrap().inbox, None);
                continue;
            }
            let unread = read.expect_err(&json);
            assert!(
                matches!(unread.error, MessageError::Malformed { .. }),
                "{json}"
            );
            assert!(matches!(unread.error.reason(NOW), Reason::Malformed { .. }));
            // Unless the harm is to the very fields that are needed, the reason can be sealed.
            let hurt = json.matches("reply_key").count() != 1
                || json.matches("\"version\":1").count() != 1
                || json.contains("\"reply_key\":null");
            assert_eq!(unread.reply_key.is_none(), hurt, "{json}");
        }
    }
    let list = format!(
        "[{}]",
        header()
            .as_object()
            .unwrap()
            .values()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join(",")
    );
    let error = unread(&with_header(&list, &body)).error;
    assert!(
        error.to_string().contains("is not a JSON object"),
        "{error}"
    );
}

#[test]
fn another_network_version_or_clock_is_told_under_the_reply_key() {
    let key = || Some(frame().reply_key);
    let foreign = unread(&literal(&frame(), "other", 0));
    assert!(matches!(&foreign.error, MessageError::WrongNetwork { found, .. } if found == "other"));
    assert_eq!(
        (foreign.error.reason(NOW), foreign.reply_key),
        (Reason::WrongNetwork, key())
    );

    for (expires_at, good) in [
        (NOW - 1, false),
        (NOW, true),
        (NOW + FRAME_LIFETIME_SECS_MAX, true),
        (NOW + FRAME_LIFETIME_SECS_MAX + 1, false),
        (u64::MAX, false),
    ] {
        let read = Frame::read(
            &literal(
                &Frame {
                    expires_at,
                    ..frame()
                },
                NETWORK,
                0,
            ),
            NETWORK,
            NOW,
        );
        assert_eq!(read.is_ok(), good, "{expires_at}");
        if let Err(unread) = read {
            let told = unread.error.reason(NOW);
            assert_eq!(
                (told, unread.reply_key),
                (Reason::StaleTime { node_time: NOW }, key())
            );
        }
    }

    // A later version may have fields that this one does not know.
    let later = header()
        .to_string()
        .replace("\"version\":1", "\"version\":2,\"more\":[{}]");
    let unread = unread(&with_header(&later, b"whatever"));
    assert!(matches!(unread.error, MessageError::WrongVersion(2)));
    assert!(
        matches!(unread.error.reason(NOW), Reason::Malformed { detail }
        if detail == "protocol version 2 is not spoken here")
    );
    assert_eq!(unread.reply_key, key());
}

#[test]
fn a_long_foreign_network_is_not_echoed_whole() {
    let name = "é".repeat(200);
    let unread = unread(&literal(&frame(), &name, 0));
    assert!(matches!(unread.error, MessageError::WrongNetwork { found, .. } if found.len() == 64));
}

#[test]
fn lengths_are_checked_before_anything_is_read() {
    let whole = literal(&frame(), NETWORK, 0);
    for cut in 0..whole.len() {
        let unread = unread(&whole.slice(..cut));
        assert!(
            matches!(unread.error, MessageError::Short { .. }),
            "cut at {cut}"
        );
        let header_is_whole = cut >= frame().head(NETWORK).len();
        assert_eq!(unread.reply_key.is_some(), header_is_whole, "cut at {cut}");
    }
    let claim = |bytes: u32| Bytes::from(bytes.to_be_bytes().to_vec());
    let max = u32::try_from(HEADER_BYTES_MAX).unwrap();
    assert!(matches!(
        unread(&claim(max)).error,
        MessageError::Short { .. }
    ));
    for bytes in [max + 1, u32::MAX] {
        assert!(
            matches!(unread(&claim(bytes)).error, MessageError::TooLarge { have, max, .. }
            if have == bytes as usize && max == HEADER_BYTES_MAX)
        );
    }
    let lie = header()
        .to_string()
        .replace("\"body_bytes\":14", "\"body_bytes\":4294967295");
    assert!(matches!(
        unread(&with_header(&lie, b"14 bytes or so")).error,
        MessageError::Short {
            have: 14,
            need: 0xffff_ffff
        }
    ));
}

#[test]
fn the_fill_carries_nothing() {
    let clean = literal(&frame(), NETWORK, 64);
    for at in clean.len() - 64..clean.len() {
        let mut dirty = clean.to_vec();
        dirty[at] = 1;
        let unread = unread(&dirty.into());
        assert!(matches!(unread.error, MessageError::Fill));
        assert!(unread.reply_key.is_some());
    }
}

#[test]
fn nothing_prints_what_it_holds() {
    let shown = format!("{:?} {:?}", frame(), unread(&literal(&frame(), "other", 0)));
    let secrets = [
        hex::encode([0x4e_u8; 32]),
        hex::encode([0x1b_u8; 16]),
        "sealed".into(),
    ];
    assert!(
        secrets
            .iter()
            .all(|secret| !shown.contains(secret.as_str())),
        "{shown}"
    );
}

prop_compose! {
    fn frames()(
        kind in prop_oneof![Just(Kind::Packet), Just(Kind::Mail), Just(Kind::Command)],
        reply_key: [u8; 32],
        life in 0..=FRAME_LIFETIME_SECS_MAX,
        inbox in proptest::option::of(any::<[u8; 16]>().prop_map(InboxToken)),
        body in proptest::collection::vec(any::<u8>(), 0..600),
    ) -> Frame {
        let (reply_key, body) = (ReplyKey::from_bytes(reply_key), body.into());
        Frame { kind, reply_key, expires_at: NOW + life, inbox, body }
    }
}

proptest! {
    #[test]
    fn any_frame_comes_back(frame in frames(), network in "[ -~]{1,64}", fill in 0..500_usize) {
        let read = Frame::read(&literal(&frame, &network, fill), &network, NOW).unwrap();
        prop_assert_eq!(
            (read.kind, read.expires_at, read.inbox), (frame.kind, frame.expires_at, frame.inbox)
        );
        prop_assert_eq!((read.reply_key, read.body), (frame.reply_key, frame.body));
    }

    #[test]
    fn a_changed_frame_is_refused_or_read_with_its_limits(
        frame in frames(), at: prop::sample::Index, byte: u8,
    ) {
        let mut bytes = literal(&frame, NETWORK, 20).to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = Frame::read(&bytes.into(), NETWORK, NOW) {
            prop_assert!(read.expires_at >= NOW);
            prop_assert!(read.expires_at <= NOW + FRAME_LIFETIME_SECS_MAX);
        }
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Frame::read(&bytes.into(), NETWORK, NOW).is_err());
    }
}
