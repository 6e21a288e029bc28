//! Frames, good and bad.

use layer_minus_message::limits::FRAME_LIFETIME_SECS_MAX;

use super::*;

#[test]
fn frames() {
    let cases = [
        ("mail with an inbox capability and fill", frames::frame(), 5),
        (
            "a packet for another node, nothing after it",
            Frame {
                kind: Kind::Packet,
                reply_key: ReplyKey::from_bytes(std::array::from_fn(|i| i as u8)),
                expires_at: NOW,
                inbox: None,
                body: Bytes::from_static(&[0xd4, 0, 0xff]),
            },
            0,
        ),
        (
            "a command with an empty body",
            Frame {
                kind: Kind::Command,
                reply_key: ReplyKey::from_bytes([0xff; 32]),
                expires_at: NOW + FRAME_LIFETIME_SECS_MAX,
                inbox: None,
                body: Bytes::new(),
            },
            16,
        ),
    ];
    let good: Vec<Value> = cases
        .iter()
        .map(|(name, it, fill)| {
            let literal = frames::literal(it, NETWORK, *fill);
            assert_eq!(Frame::read(&literal, NETWORK, NOW).unwrap().body, it.body);
            json!({
                "name": name,
                "kind": it.kind,
                "reply_key": hex0x(it.reply_key.as_bytes()),
                "expires_at": it.expires_at.to_string(),
                "inbox": it.inbox.map(|InboxToken(token)| hex0x(token)),
                "body": hex0x(&it.body),
                "fill_bytes": fill,
                "literal": hex0x(&literal),
            })
        })
        .collect();

    let sample = frames::frame();
    let header = String::from_utf8(sample.head(NETWORK)[4..].to_vec()).unwrap();
    let with = |from: &str, to: &str| {
        let changed = header.replacen(from, to, 1);
        assert_ne!(changed, header, "{from}");
        frames::with_header(&changed, &sample.body)
    };
    let whole = frames::literal(&sample, NETWORK, 1);
    let mut dirty = whole.to_vec();
    *dirty.last_mut().unwrap() = 1;
    let bad = [
        ("another network", with("\"vectors\"", "\"other\"")),
        (
            "another version, with fields of its own",
            with("\"version\":1", "\"version\":2,\"new\":0"),
        ),
        ("expired a second ago", with("1800003600", "1799999999")),
        ("expires too late", with("1800003600", "1800007801")),
        ("unknown field", with("{", "{\"new\":0,")),
        ("double key", with("{", "{\"kind\":\"mail\",")),
        (
            "number where a string belongs",
            with("\"1800003600\"", "1800003600"),
        ),
        ("body cut short", whole.slice(..whole.len() - 2)),
        ("header cut short", whole.slice(..40)),
        ("length cut short", whole.slice(..3)),
        ("fill that is not zero", dirty.into()),
        (
            "header length over the limit",
            Bytes::from_static(&[0, 0, 6, 1]),
        ),
    ];
    let bad: Vec<Value> = bad
        .iter()
        .map(|(name, literal)| {
            let unread = Frame::read(literal, NETWORK, NOW).expect_err(name);
            json!({
                "name": name,
                "literal": hex0x(literal),
                "error": unread.error.to_string(),
                "reason": unread.error.reason(NOW),
                "reply_key": unread.reply_key.map(|key| hex0x(key.as_bytes())),
            })
        })
        .collect();
    check(
        "frame",
        &json!({
            "about": "What lies inside an opened layer. A refused frame with a reply key is answered \
                      with the reason, sealed under that key; one without is dropped.",
            "network": NETWORK,
            "now": NOW.to_string(),
            "frames": good,
            "refused": bad,
        }),
    );
}
