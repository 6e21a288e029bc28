//! The vectors of a lane's headers, `docs/spec/vectors/lane.json`: made anew and compared.
//! `REGENERATE_VECTORS=1` writes them instead.

use std::path::PathBuf;

use http::HeaderValue;
use layer_minus_node::LaneKey;
use serde_json::{Value, json};

use super::{COVERED_BYTES, Token};

fn hex0x(bytes: impl AsRef<[u8]>) -> String {
    let digits = bytes.as_ref().iter().map(|byte| format!("{byte:02x}"));
    format!("0x{}", digits.collect::<String>())
}

fn made() -> Value {
    let key = LaneKey(std::array::from_fn(|at| at as u8));
    let lane = [0x1a; 16];
    let packet: Vec<u8> = (0..COVERED_BYTES + 44).map(|at| (at % 251) as u8).collect();
    let token = Token::new(lane, &key, &packet);
    let (header, proof) = (token.to_header().unwrap(), token.proof(&key).unwrap());
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    json!({
        "about": "What a packet on a lane carries, and what its answer carries. Only the first bytes \
                  of the packet count.",
        "lane": hex0x(lane),
        "key": hex0x(key.0),
        "packet_begins": hex0x(&packet),
        "covered_bytes": COVERED_BYTES,
        "mac": hex0x(token.mac),
        "authorization": text(&header),
        "authentication-info": text(&proof),
    })
}

#[test]
fn headers_are_written_as_the_vectors_say_and_read() {
    let made = made();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/vectors/lane.json");
    if std::env::var_os("REGENERATE_VECTORS").is_some_and(|set| set == "1") {
        std::fs::write(&path, format!("{made:#}\n")).unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(kept == made, "lane.json differs from what this code writes");

    let key = LaneKey(std::array::from_fn(|at| at as u8));
    let header = |name: &str| HeaderValue::from_str(kept[name].as_str().unwrap()).unwrap();
    let token = Token::from_header(&header("authorization")).unwrap();
    let packet: Vec<u8> = (0..COVERED_BYTES).map(|at| (at % 251) as u8).collect();
    assert!(token.verify(&key, &packet));
    assert!(token.is_proved(&key, Some(&header("authentication-info"))));
}
