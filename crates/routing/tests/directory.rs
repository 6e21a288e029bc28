//! Directory files: what is accepted, and what is refused by name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]
// A test may read and write files.
#![allow(clippy::disallowed_methods)]

use layer_minus_message::{NodeRecord, Prices, RecordBody};
use layer_minus_packet::{KeyId, Recipient};
use layer_minus_routing::{
    Refusal, Table, TableLimits, Verdict, decide,
    directory::{
        DIRECTORY_BYTES_MAX, DIRECTORY_ENTRIES_MAX, Entry, Line, import, import_conet,
        read_directory, write_directory,
    },
};
use layer_minus_seal::{SecretCertificate, Version};
use layer_minus_wallet::{Address, Wallet};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

const NETWORK: &str = "test";
const NOW: u64 = 1_800_000_000;
const LIST: &str = include_str!("fixtures/conet-list.json");

fn record(seed: u64, network: &str, valid_until: u64) -> NodeRecord {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let wallet = Wallet::generate(&mut rng);
    let user_id = wallet.address().to_string();
    let secret = SecretCertificate::generate(&mut rng, NOW, Version::V6, &user_id).unwrap();
    let body = RecordBody {
        network: network.to_owned(),
        node: wallet.address(),
        cash: Address::repeat_byte(0xca),
        certificate: secret.certificate().to_bytes(),
        next_certificate: None,
        urls: vec!["https://node.example/post".to_owned()],
        takes_clients: true,
        sizes: vec![16_000, 1_000_000],
        prices: Prices::default(),
        prices_until: valid_until,
        minimum_authorization: 1_000_000,
        retention_secs: 86_400,
        valid_from: NOW,
        valid_until,
        sequence: 1,
    };
    NodeRecord::sign(&wallet, body).unwrap()
}

fn why(line: &Line) -> &str {
    line.result.as_ref().expect_err("refused")
}

fn accepted(lines: &[Line]) -> usize {
    lines.iter().filter(|line| line.result.is_ok()).count()
}

#[test]
fn a_directory_comes_back_as_it_was_written() {
    let records = [record(1, NETWORK, NOW + 9), record(2, NETWORK, NOW + 9)];
    let text = write_directory(&records).unwrap();
    let lines = import(&text, NETWORK, NOW);
    assert_eq!(lines.len(), 2);
    for (line, record) in lines.iter().zip(&records) {
        assert_eq!(line.name, record.node().to_string());
        let Ok(Entry::Record(read)) = &line.result else {
            panic!("{line:?}")
        };
        assert_eq!(read.signed, record.signed);
    }
    assert!(import(&write_directory([]).unwrap(), NETWORK, NOW).is_empty());
}

#[test]
fn one_bad_record_does_not_spoil_the_others() {
    let good = [record(1, NETWORK, NOW + 9), record(2, NETWORK, NOW + 9)];
    let foreign = record(3, "other", NOW + 9);
    let old = record(4, NETWORK, NOW + 5);
    let mut forged = record(5, NETWORK, NOW + 9);
    forged.signed.document = forged
        .signed
        .document
        .replace("node.example", "evil.example");
    let text = write_directory([&good[0], &foreign, &old, &forged, &good[1]]).unwrap();
    let text = text.replacen(
        "\"records\": [",
        "\"records\": [7, {\"document\": \"{}\"}, ",
        1,
    );

    let lines = read_directory(&text, NETWORK, NOW + 6);
    assert_eq!((lines.len(), accepted(&lines)), (7, 2));
    assert_eq!(
        (lines[0].name.as_str(), lines[1].name.as_str()),
        ("entry 1", "entry 2")
    );
    assert!(why(&lines[0]).contains("wrong field") && why(&lines[1]).contains("wrong field"));
    assert!(
        why(&lines[3]).contains("for network 'other'"),
        "{}",
        why(&lines[3])
    );
    assert!(
        why(&lines[4]).contains("is valid from"),
        "{}",
        why(&lines[4])
    );
    assert!(why(&lines[5]).contains("signed by"), "{}", why(&lines[5]));
    for (line, record) in lines[3..6].iter().zip([&foreign, &old, &forged]) {
        assert_eq!(line.name, record.node().to_string(), "refused by name");
    }
}

#[test]
fn files_of_another_shape_have_one_refused_line() {
    let shapes = [
        "",
        "null",
        "{}",
        "[",
        "\u{feff}[]",
        r#"{"layer_minus_directory": 2, "records": []}"#,
        r#"{"layer_minus_directory": 1}"#,
        r#"{"layer_minus_directory": 1, "records": {}}"#,
        r#"{"layer_minus_directory": 1, "records": [], "more": 1}"#,
        r#"{"layer_minus_directory": 1, "records": [], "records": []}"#,
        r#"{"layer_minus_directory": 1, "records": []} []"#,
    ];
    for shape in shapes {
        let lines = import(shape, NETWORK, NOW);
        assert_eq!((lines.len(), accepted(&lines)), (1, 0), "{shape}");
        assert_eq!(lines[0].name, "file");
    }
}

#[test]
fn length_and_number_of_entries_are_bounded() {
    let long = " ".repeat(DIRECTORY_BYTES_MAX + 1);
    assert!(why(&import(&long, NETWORK, NOW)[0]).contains("bytes, at most"));
    let list = |entries: usize| format!("[{}]", vec!["0"; entries].join(","));
    assert_eq!(
        import_conet(&list(DIRECTORY_ENTRIES_MAX)).len(),
        DIRECTORY_ENTRIES_MAX
    );
    let lines = import_conet(&list(DIRECTORY_ENTRIES_MAX + 1));
    assert_eq!((lines.len(), accepted(&lines)), (1, 0));
    let large = format!(
        r#"[{{"keyId": "0123456789abcdef", "more": "{}"}}]"#,
        "x".repeat(60_000)
    );
    let lines = import_conet(&large);
    assert_eq!(lines[0].name, "entry 1");
    assert!(why(&lines[0]).contains("bytes, at most"));
    // Deeper than any parser's stack should follow.
    let deep = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(accepted(&import_conet(&deep)), 0);
}

#[test]
fn a_list_of_bare_keys_gives_entries_without_address() {
    let lines = import(LIST, NETWORK, NOW);
    assert_eq!((lines.len(), accepted(&lines)), (6, 3));
    let mut table = Table::new(TableLimits::default(), NETWORK);
    for line in &lines {
        if let Ok(Entry::Unaddressed(certificate)) = &line.result {
            table.insert_unaddressed(certificate.clone(), NOW).unwrap();
        }
    }
    assert_eq!(table.unaddressed_len(), 3);
    for number in [0, 1, 5] {
        let key: KeyId = lines[number].name.parse().unwrap();
        let verdict = decide(&Recipient::KeyId(key), &table, NOW);
        assert!(
            matches!(verdict, Verdict::Refuse(Refusal::NoAddress)),
            "{verdict:?}"
        );
    }
    assert!(why(&lines[2]).contains("is not that of the certificate's encryption subkey"));
    assert!(
        why(&lines[2]).contains(&lines[2].name.to_lowercase()),
        "{}",
        why(&lines[2])
    );
    assert!(why(&lines[3]).contains("armor"), "{}", why(&lines[3]));
    assert!(
        why(&lines[4]).contains("no usable encryption subkey"),
        "{}",
        why(&lines[4])
    );
}

#[test]
fn names_from_a_file_cannot_confuse_a_terminal() {
    let list = "[{\"keyId\": \"\\u001b[2Jab\\u202ecd\", \"armoredPublicKey\": \"\"},
                {\"keyId\": \"\\n\", \"armoredPublicKey\": \"\"}]";
    let lines = import_conet(list);
    assert_eq!(
        (lines[0].name.as_str(), lines[1].name.as_str()),
        ("[2Jabcd", "entry 2")
    );
    assert!(
        lines
            .iter()
            .all(|line| why(line) == "stated key ID is not 16 hex digits")
    );
}

/// The real list, wherever it lies: set `LAYER_MINUS_NODE_KEYS` to its path.
#[test]
fn the_real_list_has_399_good_keys_and_1_misnamed() {
    let Some(path) = std::env::var_os("LAYER_MINUS_NODE_KEYS") else {
        eprintln!("skipped: LAYER_MINUS_NODE_KEYS names no list of real node keys");
        return;
    };
    let lines = import(&std::fs::read_to_string(path).unwrap(), NETWORK, NOW);
    let refused: Vec<&Line> = lines.iter().filter(|line| line.result.is_err()).collect();
    assert_eq!((lines.len(), refused.len()), (400, 1), "{refused:?}");
    assert!(why(refused[0]).contains("is not that of the certificate's encryption subkey"));
    let mut table = Table::new(TableLimits::default(), NETWORK);
    for line in &lines {
        if let Ok(Entry::Unaddressed(certificate)) = &line.result {
            table.insert_unaddressed(certificate.clone(), NOW).unwrap();
        }
    }
    assert_eq!(table.unaddressed_len(), 399);
}

proptest! {
    #[test]
    fn garbage_never_panics(text in ".{0,200}", cut in 0..LIST.trim_end().len()) {
        let _lines = import(&text, NETWORK, NOW);
        if let Some(cut) = LIST.get(..cut) {
            prop_assert_eq!(accepted(&import(cut, NETWORK, NOW)), 0);
        }
    }
}
