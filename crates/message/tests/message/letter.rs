//! Letters: signed over all that they say, to whom, and in which piece.

use bytes::Bytes;
use layer_minus_message::{
    Claims, Letter, MessageError, Part, Proof, Purpose, Signer,
    letter::sha256,
    limits::{CLOCK_WINDOW_SECS, LETTER_HEAD_BYTES_MAX, OUTBOX_SECS_MAX, PARTS_MAX},
};
use layer_minus_wallet::{Address, DeviceKey, Scope};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    frame::with_header,
    strict::{HARMS, Harm, harmed},
    world::{NETWORK, NOW, rng, world},
};

fn literal(letter: &Letter, signer: Signer<'_>, fill: usize) -> Bytes {
    let head = letter.sign(signer, NOW, &mut rng(9)).unwrap();
    [&head[..], &letter.body, &vec![0; fill]].concat().into()
}

fn peter() -> Signer<'static> {
    Signer::Device(&world().peter_device)
}

fn read(literal: &Bytes) -> Result<Letter, MessageError> {
    read_at(literal, NOW)
}

fn read_at(literal: &Bytes, accepted_at: u64) -> Result<Letter, MessageError> {
    Letter::read(literal, NETWORK, world().bobo.address(), accepted_at)
}

/// The head of a signed letter, to be changed.
fn head(letter: &Letter) -> Value {
    serde_json::from_slice(&letter.sign(peter(), NOW, &mut rng(9)).unwrap()[4..]).unwrap()
}

#[test]
fn a_letter_comes_back() {
    let world = world();
    let mut sent = world.letter("Hello Bobo");
    sent.card = Some(world.full_card());
    for signer in [peter(), Signer::Wallet(&world.peter)] {
        let read = read(&literal(&sent, signer, 77)).unwrap();
        assert_eq!((&read.claims, &read.body), (&sent.claims, &sent.body));
        let card = read.card.unwrap();
        assert_eq!(
            (card.card, card.inbox),
            (world.card.signed.clone(), world.full_card().inbox)
        );
    }
}

#[test]
fn it_is_for_one_person_on_one_network() {
    let world = world();
    let bytes = literal(&world.letter("Hello Bobo"), peter(), 0);
    assert!(matches!(
        Letter::read(&bytes, NETWORK, world.peter.address(), NOW),
        Err(MessageError::WrongAudience { found, .. }) if found == world.bobo.address()
    ));
    let other = Letter::read(&bytes, "other", world.bobo.address(), NOW);
    assert!(matches!(other, Err(MessageError::WrongNetwork { .. })));
}

#[test]
fn nobody_writes_in_the_name_of_another() {
    let world = world();
    let letter = world.letter("Hello Bobo");
    for signer in [
        Signer::Device(&world.bobo_device),
        Signer::Wallet(&world.node),
    ] {
        let refused = read(&literal(&letter, signer, 0));
        assert!(
            matches!(refused, Err(MessageError::WrongSigner { expected, .. })
            if expected == world.peter.address())
        );
    }
    let mut forged = head(&letter);
    forged["proof"]["device"] = Value::Null;
    assert!(matches!(
        read(&with_header(&forged.to_string(), &letter.body)),
        Err(MessageError::WrongSigner { .. })
    ));
    let requests =
        DeviceKey::generate(&mut rng(10), &world.peter, NETWORK, Scope::REQUEST, NOW, 60).unwrap();
    let refused = read(&literal(&letter, Signer::Device(&requests), 0));
    assert!(matches!(refused, Err(MessageError::Wallet(_))));
}

#[test]
fn a_letter_that_waited_is_still_good_if_its_device_was_then() {
    let world = world();
    let letter = world.letter("Hello Bobo");
    let short =
        DeviceKey::generate(&mut rng(10), &world.peter, NETWORK, Scope::ALL, NOW, 60).unwrap();
    assert!(read(&literal(&letter, Signer::Device(&short), 0)).is_ok());
    let late = letter
        .sign(Signer::Device(&short), NOW + 60, &mut rng(9))
        .unwrap();
    let late: Bytes = [&late[..], &letter.body].concat().into();
    assert!(matches!(read(&late), Err(MessageError::Wallet(_))));
}

/// Who had a device's key after its delegation had expired signed letters with an earlier time.
#[test]
fn a_device_whose_delegation_expired_long_ago_signs_nothing_new() {
    let world = world();
    let letter = world.letter("Hello Bobo");
    let short =
        DeviceKey::generate(&mut rng(10), &world.peter, NETWORK, Scope::ALL, NOW, 60).unwrap();
    let backdated = literal(&letter, Signer::Device(&short), 0);
    // What waited in an outbox is taken for a week after the delegation's end, and no longer.
    let end = NOW + 60 + OUTBOX_SECS_MAX;
    assert!(read_at(&backdated, end - 1).is_ok());
    assert!(matches!(
        read_at(&backdated, end),
        Err(MessageError::Rule(_))
    ));
    // A wallet's own signature does not expire.
    let own = literal(&letter, Signer::Wallet(&world.peter), 0);
    assert!(read_at(&own, end + OUTBOX_SECS_MAX).is_ok());
}

#[test]
fn a_letter_does_not_come_from_the_future() {
    let world = world();
    let letter = world.letter("Hello Bobo");
    let bytes = literal(&letter, peter(), 0);
    assert!(read_at(&bytes, NOW - CLOCK_WINDOW_SECS).is_ok());
    assert!(read_at(&bytes, NOW - CLOCK_WINDOW_SECS - 1).is_err());
    for (ahead, good) in [(CLOCK_WINDOW_SECS, true), (CLOCK_WINDOW_SECS + 1, false)] {
        let mut dated = world.letter("Hello Bobo");
        dated.claims.sent_at = NOW + ahead;
        assert_eq!(read(&literal(&dated, peter(), 0)).is_ok(), good, "{ahead}");
    }
}

#[test]
fn what_was_signed_for_another_purpose_is_no_letter() {
    let world = world();
    let letter = world.letter("Hello Bobo");
    let claims = serde_json::to_string(&letter.claims).unwrap();
    let (signer, to) = (peter(), world.bobo.address());
    for purpose in [Purpose::Command, Purpose::Acceptance, Purpose::Letter] {
        let content = claims.as_bytes();
        let proof = Proof::sign(signer, NETWORK, purpose, to, content, NOW, &mut rng(9)).unwrap();
        let head = json!({
            "claims": &claims, "proof": proof, "body_bytes": letter.body.len(),
        });
        let read = read(&with_header(&head.to_string(), &letter.body));
        assert_eq!(read.is_ok(), purpose == Purpose::Letter, "{purpose:?}");
    }
}

#[test]
fn the_head_is_strict() {
    let mut letter = world().letter("Hello Bobo");
    letter.card = Some(world().full_card());
    let head = head(&letter);
    for harm in HARMS {
        for text in harmed(&head, harm) {
            let read = read(&with_header(&text, &letter.body));
            let harmed: Value = serde_json::from_str(&text).unwrap_or_default();
            let absent = harm == Harm::Null
                && (harmed["card"].is_null() || harmed["card"]["inbox"].is_null());
            if absent {
                assert!(read.is_ok(), "{text}");
            } else {
                assert!(read.is_err(), "{harm:?}: {text}");
            }
        }
    }
    let claims: Value = serde_json::from_str(head["claims"].as_str().unwrap()).unwrap();
    for harm in HARMS {
        for text in harmed(&claims, harm) {
            let mut head = head.clone();
            head["claims"] = text.into();
            assert!(read(&with_header(&head.to_string(), &letter.body)).is_err());
        }
    }
}

#[test]
fn parts_lie_inside_the_whole() {
    let body = Bytes::from_static(b"0123456789");
    let part = |index, count, offset, total_bytes| {
        let mut letter = world().letter("");
        letter.claims.part = Part {
            index,
            count,
            offset,
            total_bytes,
            digest: [0; 32],
        };
        letter.claims.body_digest = sha256(&body);
        Letter {
            body: body.clone(),
            ..letter
        }
    };
    for good in [
        part(0, 1, 0, 10),
        part(0, 1, 0, 11),
        part(PARTS_MAX - 1, PARTS_MAX, 5, 15),
    ] {
        assert!(read(&literal(&good, peter(), 3)).is_ok());
    }
    for bad in [
        part(0, 0, 0, 10),
        part(1, 1, 0, 10),
        part(0, PARTS_MAX + 1, 0, 10),
        part(0, 1, 1, 10),
        part(0, 1, 0, 9),
        part(0, 1, u64::MAX, u64::MAX),
    ] {
        let refused = bad.sign(peter(), NOW, &mut rng(9));
        assert!(matches!(
            refused,
            Err(MessageError::Rule("part lies outside the whole"))
        ));
        // A sender who does not check himself is checked by the reader.
        assert!(read(&unchecked(&bad)).is_err());
    }
}

/// Signs without the checks of [`Letter::sign`].
fn unchecked(letter: &Letter) -> Bytes {
    let claims = serde_json::to_string(&letter.claims).unwrap();
    let (to, content) = (letter.claims.to, claims.as_bytes());
    let proof = Proof::sign(
        peter(),
        NETWORK,
        Purpose::Letter,
        to,
        content,
        NOW,
        &mut rng(9),
    )
    .unwrap();
    let head = json!({ "claims": claims, "proof": proof, "body_bytes": letter.body.len() });
    with_header(&head.to_string(), &letter.body)
}

#[test]
fn names_are_plain_file_names_and_content_types_printable() {
    let with = |name: Option<&str>, content_type: &str| {
        let mut letter = world().letter("x");
        letter.claims.name = name.map(Into::into);
        letter.claims.content_type = content_type.into();
        letter
    };
    let long = "n".repeat(255);
    for name in [
        None,
        Some("notes.txt"),
        Some("…/".strip_suffix('/').unwrap()),
        Some(&long),
    ] {
        assert!(
            read(&unchecked(&with(name, "application/pdf"))).is_ok(),
            "{name:?}"
        );
    }
    let too_long = "n".repeat(256);
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "/etc/passwd",
        "a\\b",
        "a\0b",
        "a\nb",
        "\u{1b}[2J",
        &too_long,
    ] {
        let letter = with(Some(name), "text/plain");
        assert!(letter.sign(peter(), NOW, &mut rng(9)).is_err(), "{name:?}");
        assert!(
            matches!(read(&unchecked(&letter)), Err(MessageError::Rule(_))),
            "{name:?}"
        );
    }
    for content_type in ["", "text/\n", "text/plä", &"t".repeat(128)] {
        let letter = with(None, content_type);
        assert!(matches!(
            read(&unchecked(&letter)),
            Err(MessageError::Rule(_))
        ));
    }
}

#[test]
fn lengths_are_checked_before_anything_is_read() {
    let letter = world().letter("Hello Bobo");
    let whole = literal(&letter, peter(), 0);
    for cut in 0..whole.len() {
        assert!(
            matches!(read(&whole.slice(..cut)), Err(MessageError::Short { .. })),
            "{cut}"
        );
    }
    let max = u32::try_from(LETTER_HEAD_BYTES_MAX).unwrap();
    for claim in [max + 1, u32::MAX] {
        let bytes = Bytes::from(claim.to_be_bytes().to_vec());
        assert!(matches!(read(&bytes), Err(MessageError::TooLarge { .. })));
    }
    let mut large = letter;
    large.card = Some(world().full_card());
    large.card.as_mut().unwrap().card.document = "x".repeat(LETTER_HEAD_BYTES_MAX);
    let refused = large.sign(peter(), NOW, &mut rng(9));
    assert!(matches!(
        refused,
        Err(MessageError::TooLarge {
            what: "letter head",
            ..
        })
    ));
}

#[test]
fn another_version_is_named() {
    let mut letter = world().letter("x");
    letter.claims.version = 2;
    assert!(matches!(
        read(&unchecked(&letter)),
        Err(MessageError::WrongVersion(2))
    ));
}

#[test]
fn what_is_written_is_not_printed() {
    let shown = format!("{:?}", world().letter("nobody else's business"));
    assert!(
        !shown.contains("business") && shown.contains("body_bytes: 22"),
        "{shown}"
    );
}

prop_compose! {
    fn letters()(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        id: [u8; 16], sent_at in 0..NOW + CLOCK_WINDOW_SECS, before in 0..1_000_u64, after in 0..1_000_u64,
        count in 1..=PARTS_MAX, index: prop::sample::Index,
        name in proptest::option::of("[^/\\\\\\p{Cc}]{1,40}"),
        in_reply_to: Option<[u8; 16]>, digest: [u8; 32], card: bool,
    ) -> Letter {
        let world = world();
        let index = u32::try_from(index.index(count as usize)).unwrap();
        let total_bytes = before + body.len() as u64 + after;
        let claims = Claims {
            id, sent_at, in_reply_to,
            name: name.filter(|name| name != "." && name != ".."),
            part: Part { index, count, offset: before, total_bytes, digest },
            body_digest: sha256(&body),
            ..world.letter("").claims
        };
        Letter { claims, card: card.then(|| world.full_card()), body: body.into() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_letter_comes_back(letter in letters(), fill in 0..500_usize) {
        let back = read(&literal(&letter, peter(), fill)).unwrap();
        prop_assert_eq!((back.claims, back.body), (letter.claims, letter.body));
        prop_assert_eq!(back.card.is_some(), letter.card.is_some());
    }

    #[test]
    fn a_changed_letter_says_the_same_or_nothing(
        letter in letters(), at: prop::sample::Index, byte: u8,
    ) {
        let letter = Letter { card: None, ..letter };
        let mut bytes = literal(&letter, peter(), 9).to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(back) = read(&bytes.into()) {
            prop_assert_eq!((back.claims, back.body), (letter.claims, letter.body));
        }
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Letter::read(&bytes.into(), NETWORK, Address::ZERO, NOW).is_err());
    }
}
