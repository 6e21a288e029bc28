//! The vectors of the streams, `docs/spec/vectors/stream.json`: made anew and compared.
//! `REGENERATE_VECTORS=1` writes them instead.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// A test may read and write files.
#![allow(clippy::disallowed_methods)]

use std::path::PathBuf;

use layer_minus_delivery::{
    records::{self, RecordKind},
    sse,
};
use serde_json::{Value, json};

fn hex0x(bytes: impl AsRef<[u8]>) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn bytes(hex: &Value) -> Vec<u8> {
    hex::decode(hex.as_str().unwrap().trim_start_matches("0x")).unwrap()
}

fn made() -> Value {
    let records = [
        ("data", RecordKind::Data, &b"sealed record"[..]),
        ("data, empty", RecordKind::Data, b""),
        ("data of 300 bytes", RecordKind::Data, &[7; 300]),
        ("voucher", RecordKind::Voucher, b"voucher"),
    ];
    let records = records.map(|(name, kind, payload)| {
        let wire = records::Encoder::record(kind, payload).unwrap();
        json!({ "name": name, "payload": hex0x(payload), "wire": hex0x(wire) })
    });
    let events = [(0, &b"hello"[..]), (1, b""), (u64::MAX, &[0xff, 0xfe, 0])];
    let events = events.map(|(id, payload)| {
        let wire = sse::Encoder::event(id, payload);
        json!({
            "id": id.to_string(),
            "payload": hex0x(payload),
            "wire": String::from_utf8(wire.to_vec()).unwrap(),
        })
    });
    json!({
        "about": "The same sealed records on their two ways: between nodes with a header of length \
                  and type, to a client as events.",
        "lane_records": records,
        "events": events,
    })
}

#[test]
fn streams_are_written_as_the_vectors_say_and_read() {
    let made = made();
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/vectors/stream.json");
    if std::env::var_os("REGENERATE_VECTORS").is_some_and(|set| set == "1") {
        std::fs::write(&path, format!("{made:#}\n")).unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(
        kept == made,
        "stream.json differs from what this code writes"
    );

    let mut decoder = records::Decoder::new();
    for case in kept["lane_records"].as_array().unwrap() {
        decoder.push(&bytes(&case["wire"])).unwrap();
        let record = decoder.next_record().unwrap();
        assert_eq!(record.payload, bytes(&case["payload"]), "{}", case["name"]);
    }
    let mut decoder = sse::Decoder::new();
    for case in kept["events"].as_array().unwrap() {
        decoder
            .push(case["wire"].as_str().unwrap().as_bytes())
            .unwrap();
        // An event without data is none (HTML 9.2.6): what was sent is never empty.
        let Some(event) = decoder.next_event() else {
            assert_eq!(case["payload"], "0x");
            continue;
        };
        assert_eq!(
            event.number().unwrap().to_string(),
            case["id"].as_str().unwrap()
        );
        assert_eq!(event.decode().unwrap(), bytes(&case["payload"]));
    }
}
