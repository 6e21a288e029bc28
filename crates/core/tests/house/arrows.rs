//! Who may know whom: arrows point down only, and below the IO crates nobody reaches the world.

use super::*;

/// What each crate may be built from; `core` re-exports, and may reach all.
const MAY_USE: [(&str, &[&str]); 16] = [
    ("packet", &[]),
    ("wallet", &[]),
    ("ledger", &[]),
    ("delivery", &[]),
    ("seal", &["packet"]),
    (
        "message",
        &["packet", "wallet", "seal", "ledger", "delivery"],
    ),
    (
        "settlement",
        &["packet", "wallet", "seal", "ledger", "delivery", "message"],
    ),
    (
        "escrow",
        &[
            "packet",
            "wallet",
            "seal",
            "ledger",
            "delivery",
            "message",
            "settlement",
        ],
    ),
    ("routing", &["packet", "wallet", "seal", "message"]),
    (
        "node",
        &[
            "packet",
            "wallet",
            "seal",
            "ledger",
            "delivery",
            "message",
            "routing",
            "settlement",
        ],
    ),
    (
        "client-sdk",
        &[
            "packet", "wallet", "seal", "ledger", "delivery", "message", "routing",
        ],
    ),
    ("store-sqlite", &["ledger", "delivery", "node"]),
    (
        "http",
        &[
            "packet", "wallet", "seal", "delivery", "message", "routing", "node",
        ],
    ),
    (
        "daemon",
        &[
            "packet",
            "wallet",
            "seal",
            "ledger",
            "message",
            "routing",
            "node",
            "settlement",
            "store-sqlite",
            "http",
        ],
    ),
    (
        "client-app",
        &[
            "packet",
            "wallet",
            "seal",
            "ledger",
            "delivery",
            "message",
            "routing",
            "client-sdk",
            "http",
        ],
    ),
    ("devnet", &["packet"]),
];

/// Crates that reach a socket, a disk, a clock, or a runtime that does.
const IO: [&str; 9] = [
    "tokio",
    "hyper",
    "hyper-util",
    "hyper-rustls",
    "socket2",
    "rustls",
    "rusqlite",
    "tempfile",
    "toml",
];

#[test]
fn arrows_point_down_only() {
    let mut checked = 0;
    for package in members() {
        let short = name(package)
            .strip_prefix("layer-minus-")
            .unwrap_or_default();
        let Some((_, allowed)) = MAY_USE.iter().find(|(of, _)| *of == short) else {
            continue;
        };
        checked += 1;
        for used in ours(package) {
            assert!(
                allowed.contains(&used.as_str()),
                "{short} is built from {used}"
            );
        }
    }
    assert_eq!(checked, MAY_USE.len());
}

#[test]
fn the_protocol_does_no_io() {
    for package in members() {
        let short = name(package)
            .strip_prefix("layer-minus-")
            .unwrap_or_default();
        if !PROTOCOL.contains(&short) {
            continue;
        }
        let built = package["dependencies"].as_array().unwrap().iter();
        for used in built.filter(|it| it["kind"].is_null() && it["optional"] == false) {
            assert!(
                !IO.contains(&name(used)),
                "{short} is built from {}",
                name(used)
            );
        }
    }
}

/// The lints' configuration is not inherited: each protocol crate has the strict one.
#[test]
fn every_protocol_crate_bans_clock_chance_and_io() {
    let strict = text("crates/packet/clippy.toml");
    for word in [
        "Instant::now",
        "SystemTime::now",
        "from_entropy",
        "OsRng",
        "std::fs::read",
    ] {
        assert!(strict.contains(word), "{word}");
    }
    for one in PROTOCOL {
        assert!(
            text(&format!("crates/{one}/clippy.toml")) == strict,
            "{one}"
        );
    }
}
