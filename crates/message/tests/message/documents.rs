//! Cards and node records: signed by the wallet that they name, valid for a time.

use layer_minus_message::{
    Card, CardBody, MessageError, NodeRecord, RecordBody, ShortCard, SignedDocument,
    limits::{
        CERTIFICATE_BYTES_MAX, CLOCK_WINDOW_SECS, DOCUMENT_BYTES_MAX, URL_BYTES_MAX, URLS_MAX,
        VALIDITY_SECS_MAX,
    },
};
use layer_minus_seal::Version;
use layer_minus_wallet::{Address, Wallet};
use proptest::prelude::*;
use serde_json::Value;

use crate::{
    strict::{HARMS, harmed},
    world::{NETWORK, NOW, certificate, rng, world},
};

fn card(change: impl FnOnce(&mut CardBody)) -> Result<Card, MessageError> {
    let mut body = world().card.body.clone();
    change(&mut body);
    Card::sign(&world().bobo, body)
}

fn record(change: impl FnOnce(&mut RecordBody)) -> Result<NodeRecord, MessageError> {
    let mut body = world().record.body.clone();
    change(&mut body);
    NodeRecord::sign(&world().node, body)
}

fn read_card(signed: &SignedDocument) -> Result<Card, MessageError> {
    Card::read(signed.clone(), NETWORK, NOW)
}

fn read_record(signed: &SignedDocument) -> Result<NodeRecord, MessageError> {
    NodeRecord::read(signed.clone(), NETWORK, NOW)
}

#[test]
fn cards_and_records_come_back() {
    let world = world();
    let card = read_card(&world.card.signed).unwrap();
    assert_eq!(
        (card.body, &card.signed),
        (world.card.body.clone(), &world.card.signed)
    );
    assert_eq!(card.certificate.to_bytes(), world.card.body.certificate);
    let record = read_record(&world.record.signed).unwrap();
    assert_eq!(
        (record.body.clone(), &record.signed),
        (world.record.body.clone(), &world.record.signed)
    );
    assert_eq!(record.node(), world.node.address());
    assert_eq!(
        record.next_certificate.map(|next| next.to_bytes()),
        record.body.next_certificate
    );
}

#[test]
fn their_text_is_signed_to_the_last_character() {
    let world = world();
    for signed in [&world.card.signed, &world.record.signed] {
        let read = |signed: &SignedDocument| {
            read_card(signed)
                .map(|_| ())
                .or_else(|_| read_record(signed).map(|_| ()))
        };
        assert!(read(signed).is_ok());
        let mut spaced = signed.clone();
        spaced.document = spaced.document.replacen(':', ": ", 1);
        assert!(read(&spaced).is_err(), "the same content in other bytes");
        let mut exchanged = signed.clone();
        exchanged.signature = world.card.signed.signature;
        assert_eq!(read(&exchanged).is_ok(), exchanged == world.card.signed);
    }
}

#[test]
fn strict_documents_only() {
    let world = world();
    for (signed, is_card) in [(&world.card.signed, true), (&world.record.signed, false)] {
        let value: Value = serde_json::from_str(&signed.document).unwrap();
        for harm in HARMS {
            for document in harmed(&value, harm) {
                let harmed = SignedDocument {
                    document,
                    signature: signed.signature,
                };
                let error = if is_card {
                    read_card(&harmed).map(|_| ()).unwrap_err()
                } else {
                    read_record(&harmed).map(|_| ()).unwrap_err()
                };
                let optional = harmed.document.contains("\"next_certificate\":null");
                assert_eq!(matches!(error, MessageError::Malformed { .. }), !optional);
            }
        }
        for document in ["", "[]", "null", " {}"] {
            let wrong = SignedDocument {
                document: document.into(),
                signature: signed.signature,
            };
            assert!(matches!(
                read_card(&wrong),
                Err(MessageError::Malformed { .. })
            ));
            assert!(matches!(
                read_record(&wrong),
                Err(MessageError::Malformed { .. })
            ));
        }
    }
    let document = format!("{{{}", " ".repeat(DOCUMENT_BYTES_MAX));
    let long = SignedDocument {
        document,
        signature: world.card.signed.signature,
    };
    assert!(matches!(
        read_card(&long),
        Err(MessageError::TooLarge { .. })
    ));
    assert!(matches!(
        read_record(&long),
        Err(MessageError::TooLarge { .. })
    ));
}

#[test]
fn only_the_wallet_that_is_named_signs() {
    let world = world();
    let wrong_card = Card::sign(&world.peter, world.card.body.clone());
    assert!(
        matches!(wrong_card, Err(MessageError::WrongSigner { found, expected })
        if found == world.peter.address() && expected == world.bobo.address())
    );
    let wrong_record = NodeRecord::sign(&world.peter, world.record.body.clone());
    assert!(matches!(
        wrong_record,
        Err(MessageError::WrongSigner { .. })
    ));
    // A card is no record and a record no card, whoever signed.
    assert!(read_card(&world.record.signed).is_err() && read_record(&world.card.signed).is_err());
}

#[test]
fn they_are_for_one_network_and_a_time() {
    let world = world();
    let (card, record) = (&world.card.signed, &world.record.signed);
    assert!(matches!(
        Card::read(card.clone(), "other", NOW),
        Err(MessageError::WrongNetwork { .. })
    ));
    assert!(matches!(
        NodeRecord::read(record.clone(), "other", NOW),
        Err(MessageError::WrongNetwork { .. })
    ));
    let (from, until) = (world.card.body.valid_from, world.card.body.valid_until);
    for (now, good) in [
        (from - CLOCK_WINDOW_SECS - 1, false),
        (from - CLOCK_WINDOW_SECS, true),
        (until, true),
        (until + 1, false),
        (u64::MAX, false),
    ] {
        let card = Card::read(card.clone(), NETWORK, now);
        let record = NodeRecord::read(record.clone(), NETWORK, now);
        assert_eq!((card.is_ok(), record.is_ok()), (good, good), "{now}");
        if let Err(error) = card {
            assert!(matches!(
                error,
                MessageError::OutsideValidity { what: "card", .. }
            ));
        }
    }
    for (from, until) in [
        (NOW, NOW - 1),
        (NOW, NOW + VALIDITY_SECS_MAX + 1),
        (0, u64::MAX),
    ] {
        let set = |body: &mut CardBody| (body.valid_from, body.valid_until) = (from, until);
        assert!(matches!(
            self::card(set),
            Err(MessageError::OutsideValidity { .. })
        ));
    }
}

#[test]
fn the_certificate_bears_the_wallets_address() {
    let world = world();
    let of = |wallet: &Wallet| certificate(&mut rng(20), Version::V6, wallet);
    assert!(card(|body| body.certificate = of(&world.bobo)).is_ok());
    let foreign = card(|body| body.certificate = of(&world.peter));
    assert!(matches!(foreign, Err(MessageError::Rule(_))));
    assert!(record(|body| body.certificate = of(&world.bobo)).is_err());
    assert!(record(|body| body.next_certificate = Some(of(&world.bobo))).is_err());
    assert!(
        record(|body| body.next_certificate = None)
            .unwrap()
            .next_certificate
            .is_none()
    );
    let garbage = card(|body| body.certificate = vec![0; 99]);
    assert!(matches!(garbage, Err(MessageError::Certificate(_))));
    let large = card(|body| body.certificate = vec![0; CERTIFICATE_BYTES_MAX + 1]);
    assert!(matches!(
        large,
        Err(MessageError::TooLarge {
            what: "certificate",
            ..
        })
    ));
}

#[test]
fn a_record_names_usable_urls_and_sizes() {
    let long = format!("http://h/{}", "p".repeat(URL_BYTES_MAX));
    for bad in [
        "",
        "ftp://h/p",
        "http://",
        "http:///p",
        "http://h",
        "http://u@h/p",
        "http://h/p#f",
        "http://h/p p",
        "http://h/\u{1b}",
        "http://h/ü",
        "HTTP://h/p",
        "javascript:alert(1)/",
        long.as_str(),
    ] {
        let refused = record(|body| body.urls = vec![bad.to_owned()]);
        assert!(matches!(refused, Err(MessageError::Rule(_))), "{bad}");
    }
    for good in [
        "http://h/",
        "https://node.example:8443/post?x=1",
        "http://[::1]:80/p",
    ] {
        assert!(
            record(|body| body.urls = vec![good.to_owned()]).is_ok(),
            "{good}"
        );
    }
    for count in [0, URLS_MAX + 1] {
        assert!(record(|body| body.urls = vec!["http://h/p".to_owned(); count]).is_err());
    }
    for sizes in [
        vec![],
        vec![1_000_000, 16_000],
        vec![16_000, 16_000],
        vec![1],
    ] {
        let refused = record(|body| body.sizes.clone_from(&sizes));
        assert!(matches!(refused, Err(MessageError::Rule(_))), "{sizes:?}");
    }
}

#[test]
fn a_short_card_fits_a_line_and_names_the_card() {
    let world = world();
    let short = world.card.short();
    let text = short.to_string();
    assert!(text.len() <= 128 && text.is_ascii(), "{text}");
    assert_eq!(text.parse::<ShortCard>().unwrap(), short);
    assert_eq!(format!("  {text}\n").parse::<ShortCard>().unwrap(), short);
    assert_eq!(
        (short.wallet, short.node),
        (world.bobo.address(), world.node.address())
    );
    assert_ne!(
        card(|body| body.version = 4).unwrap().short().digest,
        short.digest
    );

    for cut in 0..text.len() {
        assert!(
            text[..cut].parse::<ShortCard>().is_err(),
            "{}",
            &text[..cut]
        );
    }
    let swapped = text.replacen("lm1:0x", "lm1:0X", 1);
    for wrong in [
        format!("{text}0"),
        format!("{text}:"),
        format!("x{text}"),
        text.replace("lm1:", "lm2:"),
        text.replace(':', ";"),
        text.to_uppercase(),
        swapped,
    ] {
        assert!(wrong.parse::<ShortCard>().is_err(), "{wrong}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_card_and_record_come_back(
        seed: u64, version: u64, life in 0..=VALIDITY_SECS_MAX, amount: u64, clients: bool,
        path in "[a-z0-9/._-]{0,40}",
    ) {
        let wallet = Wallet::generate(&mut rng(seed));
        let certificate = certificate(&mut rng(seed), Version::V6, &wallet);
        let world = world();
        let body = CardBody {
            wallet: wallet.address(), certificate: certificate.clone(),
            valid_until: NOW + life, version, ..world.card.body.clone()
        };
        let card = Card::sign(&wallet, body.clone()).unwrap();
        prop_assert_eq!(read_card(&card.signed).unwrap().body, body);
        let body = RecordBody {
            node: wallet.address(), cash: Address::from([7; 20]), certificate,
            next_certificate: None, urls: vec![format!("http://h:1/{path}")],
            takes_clients: clients, minimum_authorization: amount,
            retention_secs: amount, valid_until: NOW + life, sequence: version,
            ..world.record.body.clone()
        };
        let record = NodeRecord::sign(&wallet, body.clone()).unwrap();
        prop_assert_eq!(read_record(&record.signed).unwrap().body, body);
    }

    #[test]
    fn any_short_card_comes_back(wallet: [u8; 20], node: [u8; 20], digest: [u8; 16]) {
        let short = ShortCard { wallet: wallet.into(), node: node.into(), digest };
        prop_assert_eq!(short.to_string().parse::<ShortCard>().unwrap(), short);
    }

    #[test]
    fn a_changed_short_card_is_refused_or_another(at: prop::sample::Index, byte in 0_u8..128) {
        let short = world().card.short();
        let mut text = short.to_string().into_bytes();
        let at = at.index(text.len());
        prop_assume!(!text[at].eq_ignore_ascii_case(&byte));
        text[at] = byte;
        let text = String::from_utf8(text).unwrap();
        if let Ok(other) = text.parse::<ShortCard>() {
            prop_assert_ne!(other, short);
        }
    }

    #[test]
    fn garbage_never_panics(text in ".{0,200}") {
        let signature = world().card.signed.signature;
        let garbage = SignedDocument { document: text.clone(), signature };
        prop_assert!(read_card(&garbage).is_err() && read_record(&garbage).is_err());
        prop_assert!(text.parse::<ShortCard>().is_err());
    }

    #[test]
    fn a_changed_card_is_refused(at: prop::sample::Index, byte in 32_u8..127) {
        let mut signed = world().card.signed.clone();
        let mut bytes = signed.document.into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        signed.document = String::from_utf8(bytes).unwrap();
        prop_assert!(read_card(&signed).is_err());
    }
}
