//! Identities: stored, rotated, on a second device, and never a decryption service for a node.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code
)]

mod world;

use std::sync::LazyLock;

use layer_minus_client_sdk::{
    Desk, Identity, Route, SdkError, Terms, Wallets, answer,
    identity::{self, AUTHORIZATION_SECS, FORMER_MAX},
    receive,
};
use layer_minus_delivery::Mode;
use layer_minus_message::{Authorization, Chain, PushedPacket};
use layer_minus_seal::{Version, seal_layer};
use layer_minus_wallet::Address;
use proptest::prelude::*;
use world::{NETWORK, NOW, Person, World};

fn register(world: &mut World, person: &mut Person, place: usize, limit_units: u64) {
    let (network, record) = (world.network(), world.record(place));
    let route = Route::direct(&record);
    let desk = Desk::new(&network, &route);
    let terms = Terms {
        limit_units,
        ..Terms::default()
    };
    let (now, rng) = (world.now, &mut world.rng);
    let (card, registration) = person
        .identity
        .registration(&person.wallets, &record, &terms, now, rng)
        .unwrap();
    let authorization = registration.authorization.clone();
    let sent = desk
        .register(&person.identity, registration, now, rng)
        .unwrap();
    let content = sent.pending.answer(&world.answer(&sent.packet)).unwrap();
    let sealed = answer::expect_challenge(content).unwrap();
    let nonce = person
        .identity
        .open_challenge(&sealed, record.node())
        .unwrap();
    let sent = desk
        .confirm(&person.identity, nonce, None, now, &mut world.rng)
        .unwrap();
    let content = sent.pending.answer(&world.answer(&sent.packet)).unwrap();
    answer::expect_standing(content).unwrap();
    person.identity.registered(&card, authorization, now);
    person.card = card;
}

/// An identity as it is stored.
static STORED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut world = World::new(1, &[16_000, 1_000_000]);
    let bobo = world.person(0, Version::V6);
    bobo.identity.to_bytes().unwrap().to_vec()
});

fn same(a: &Identity, b: &Identity) -> bool {
    *a.to_bytes().unwrap() == *b.to_bytes().unwrap()
}

#[test]
fn stored_and_read_back_in_every_state() {
    let mut world = World::new(1, &[16_000, 1_000_000]);
    let mut bobo = world.person(0, Version::V4);
    let back = |identity: &Identity| Identity::from_bytes(&identity.to_bytes().unwrap()).unwrap();
    assert!(same(&back(&bobo.identity), &bobo.identity));
    bobo.identity
        .rotate(Version::V6, NOW, &mut world.rng)
        .unwrap();
    assert!(same(&back(&bobo.identity), &bobo.identity));
    register(&mut world, &mut bobo, 0, 1_000_000);
    assert_eq!(
        (bobo.identity.superseded.len(), bobo.identity.next.is_none()),
        (1, true)
    );
    assert!(same(&back(&bobo.identity), &bobo.identity));
    let wallets = Wallets::from_bytes(&bobo.wallets.to_bytes().unwrap()).unwrap();
    assert_eq!(wallets.cash.address(), bobo.wallets.cash.address());

    let bytes = bobo.identity.to_bytes().unwrap();
    for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        assert!(matches!(
            Identity::from_bytes(&bytes[..cut]),
            Err(SdkError::Identity(_))
        ));
    }
    let newer =
        String::from_utf8(bytes.to_vec())
            .unwrap()
            .replacen("\"version\":1", "\"version\":2", 1);
    assert!(matches!(
        Identity::from_bytes(newer.as_bytes()),
        Err(SdkError::Identity(_))
    ));
    let shown = format!("{:?}", bobo.identity);
    let secret = hex::encode(bobo.identity.device.key().secret_bytes().as_slice());
    assert!(!shown.contains(&secret) && !shown.contains(&hex::encode(bobo.identity.inbox.0)));
}

#[test]
fn no_certificate_is_destroyed_before_its_time() {
    let mut world = World::new(1, &[16_000, 1_000_000]);
    let mut bobo = world.person(0, Version::V6);
    let first = bobo.card.certificate.clone();
    let rotate = |world: &mut World, bobo: &mut Person, version| {
        bobo.identity.rotate(version, world.now, &mut world.rng)
    };
    rotate(&mut world, &mut bobo, Version::V6).unwrap();
    // The node may know the one that is unfinished, so it is not thrown away for another kind.
    let error = rotate(&mut world, &mut bobo, Version::V4).unwrap_err();
    assert!(matches!(error, SdkError::Rotation(_)), "{error}");
    register(&mut world, &mut bobo, 0, 1_000_000);
    for _ in 1..identity::SUPERSEDED_MAX {
        rotate(&mut world, &mut bobo, Version::V4).unwrap();
        register(&mut world, &mut bobo, 0, 1_000_000);
    }
    let error = rotate(&mut world, &mut bobo, Version::V6).unwrap_err();
    assert!(matches!(error, SdkError::Rotation(_)), "{error}");
    let oldest = bobo.identity.superseded.last().unwrap();
    assert_eq!(oldest.certificate.certificate(), first);

    world.now = oldest.until + 1;
    rotate(&mut world, &mut bobo, Version::V6).unwrap();
    assert!(bobo.identity.superseded.is_empty());
}

#[test]
fn rotation_keeps_the_address_and_opens_what_was_sealed_before() {
    let mut world = World::new(1, &[16_000, 1_000_000]);
    let mut bobo = world.person(0, Version::V6);
    let (address, old) = (bobo.identity.address(), bobo.card.certificate.clone());
    let early = seal_layer(&mut world.rng, &old, &[b"before"], 4_000).unwrap();

    world.now += 100;
    bobo.identity
        .rotate(Version::V6, world.now, &mut world.rng)
        .unwrap();
    let unfinished = bobo.identity.next.clone().unwrap().certificate();
    bobo.identity
        .rotate(Version::V6, world.now, &mut world.rng)
        .unwrap();
    assert_eq!(
        bobo.identity.next.clone().unwrap().certificate(),
        unfinished,
        "taken up again"
    );
    // The node may have accepted it without us hearing: the ring opens both.
    let late = seal_layer(&mut world.rng, &unfinished, &[b"after"], 4_000).unwrap();
    register(&mut world, &mut bobo, 0, 1_000_000);
    assert_eq!(bobo.identity.address(), address);
    assert_eq!(bobo.card.certificate, unfinished);
    for message in [early.clone(), late] {
        let packet = PushedPacket {
            position: Default::default(),
            accepted_at: 0,
            message,
        };
        assert!(receive::open(&packet, &bobo.identity.keyring(), NETWORK, address).is_ok());
    }
    assert_eq!(
        bobo.identity
            .forget_superseded(world.now + identity::CARD_SECS),
        0
    );
    assert_eq!(
        bobo.identity
            .forget_superseded(world.now + 2 * identity::CARD_SECS + 1),
        1
    );
    let packet = PushedPacket {
        position: Default::default(),
        accepted_at: 0,
        message: early,
    };
    assert!(receive::open(&packet, &bobo.identity.keyring(), NETWORK, address).is_err());
}

#[test]
fn a_challenge_names_the_node_and_the_wallet_or_it_is_not_answered() {
    let mut world = World::new(1, &[16_000]);
    let bobo = world.person(0, Version::V4);
    let certificate = bobo.card.certificate.clone();
    let mut seal = |body: &[u8], size| {
        seal_layer(&mut world.rng, &certificate, &[body], size)
            .unwrap()
            .to_vec()
    };
    let (nonce, wallet) = ([7; 32], bobo.identity.address());
    let (node, other) = (Address::repeat_byte(1), Address::repeat_byte(2));
    let challenge =
        |node: Address, wallet: Address| [&nonce, node.as_slice(), wallet.as_slice()].concat();
    let open = |sealed: &[u8]| bobo.identity.open_challenge(sealed, node);
    assert_eq!(open(&seal(&challenge(node, wallet), 2_300)).unwrap(), nonce);
    // Another node's, passed on; and one for somebody who registers a key that is not his.
    for body in [
        challenge(other, wallet),
        challenge(node, other),
        nonce.to_vec(),
    ] {
        let sealed = seal(&body, 2_300);
        assert!(matches!(open(&sealed), Err(SdkError::Challenge(_))));
    }
    // Mail of a stranger's gpg that a curious node would like to have read out.
    let mail = seal(
        b"The treasure is buried under the old oak, ten steps to the north.",
        2_300,
    );
    assert!(matches!(open(&mail), Err(SdkError::Challenge(_))));
    assert!(matches!(open(b"junk"), Err(SdkError::Seal(_))));
}

#[test]
fn another_device_has_its_own_key_and_its_own_cursor() {
    let mut world = World::new(1, &[16_000]);
    let bobo = world.person(0, Version::V6);
    let mut second = Identity::from_bytes(&bobo.identity.to_bytes().unwrap()).unwrap();
    second
        .become_another_device(&bobo.wallets.wallet, NOW, &mut world.rng)
        .unwrap();
    assert_eq!(second.address(), bobo.identity.address());
    assert_ne!(second.device.address(), bobo.identity.device.address());
    assert_ne!(
        second.consumer_for(Mode::Each),
        bobo.identity.consumer_for(Mode::Each)
    );
    assert_eq!(
        second.consumer_for(Mode::Share),
        bobo.identity.consumer_for(Mode::Share)
    );
    assert_ne!(
        second.consumer_for(Mode::Share),
        second.consumer_for(Mode::Each)
    );
    let (network, record) = (world.network(), world.record(0));
    let route = Route::direct(&record);
    let sent = Desk::new(&network, &route)
        .status(&second, NOW, &mut world.rng)
        .unwrap();
    let content = sent.pending.answer(&world.answer(&sent.packet)).unwrap();
    assert!(answer::expect_standing(content).is_ok());
}

#[test]
fn a_raised_limit_stays_on_its_channel_and_a_strange_wallet_is_refused() {
    let mut world = World::new(2, &[16_000]);
    let mut bobo = world.person(0, Version::V6);
    let before = bobo.identity.membership.clone().unwrap().authorization;
    let record = world.record(0);
    let terms = Terms {
        limit_units: 5_000_000,
        ..Terms::default()
    };
    let sign = |identity: &Identity, world: &mut World, now: u64, place: usize| {
        let record = world.record(place);
        identity
            .authorization(&bobo.wallets.cash, &record, &terms, now, &mut world.rng)
            .unwrap()
    };
    let raised = sign(&bobo.identity, &mut world, NOW, 0);
    let client = bobo.identity.address();
    assert_eq!(
        raised.channel_id(client).unwrap(),
        before.channel_id(client).unwrap()
    );
    assert_eq!(raised.limit_units, 5_000_000);
    raised.verify(client, (&record).into(), NOW).unwrap();
    let late = sign(&bobo.identity, &mut world, NOW + 165 * 86_400, 0);
    assert_ne!(
        late.channel_id(client).unwrap(),
        before.channel_id(client).unwrap()
    );
    let elsewhere = sign(&bobo.identity, &mut world, NOW, 1);
    assert_eq!(elsewhere.receiver, world.record(1).body.cash);

    let strange = Wallets::generate(&mut world.rng);
    let result = bobo
        .identity
        .registration(&strange, &record, &terms, NOW, &mut world.rng);
    assert!(matches!(result, Err(SdkError::WrongSubject { .. })));
}

#[test]
fn cards_are_renewed_before_they_expire() {
    let mut world = World::new(1, &[16_000]);
    let mut bobo = world.person(0, Version::V6);
    assert!(!bobo.identity.needs_renewal(NOW));
    let late = NOW + identity::CARD_SECS - identity::CARD_RENEWAL_SECS + 1;
    assert!(bobo.identity.needs_renewal(late));
    assert!(bobo.identity.card(NOW + identity::CARD_SECS + 1).is_err());
    let version = bobo.identity.card_version;
    world.now = NOW + 60;
    register(&mut world, &mut bobo, 0, 1_000_000);
    assert!(bobo.identity.card_version > version);
    assert!(
        bobo.identity.superseded.is_empty(),
        "the certificate stayed"
    );
    bobo.identity.unregistered();
    assert!(bobo.identity.needs_renewal(NOW) && bobo.identity.full_card().is_none());
}

proptest! {
    // Each reads a whole identity: keys and certificates.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_no_stored_identity_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Identity::from_bytes(&bytes).is_err());
        prop_assert!(Wallets::from_bytes(&bytes).is_err());
    }

    #[test]
    fn a_changed_byte_is_refused_or_read_as_what_it_says(
        at in any::<proptest::sample::Index>(), byte: u8,
    ) {
        let mut bytes = STORED.clone();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = Identity::from_bytes(&bytes) {
            let again = Identity::from_bytes(&read.to_bytes().unwrap()).unwrap();
            prop_assert!(same(&read, &again));
        }
        prop_assert!(Identity::from_bytes(&STORED[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn a_channel_with_a_deposit_is_used_to_its_end_and_its_terms_are_kept() {
    let mut world = World::new(1, &[16_000]);
    let mut bobo = world.person(0, Version::V6);
    let (client, record) = (bobo.identity.address(), world.record(0));
    let terms = Terms {
        limit_units: 1_000,
        chain: Chain {
            chain_id: 1,
            contract: Address::repeat_byte(1),
            token: Address::repeat_byte(2),
        },
        ..Terms::default()
    };
    let mut sign = |identity: &Identity, now: u64| {
        let cash = &bobo.wallets.cash;
        identity
            .authorization(cash, &record, &terms, now, &mut world.rng)
            .unwrap()
    };
    // Nobody deposits where there is no chain.
    let mut papers = vec![sign(&bobo.identity, NOW)];
    bobo.identity.authorized(papers[0].clone());
    assert!(bobo.identity.former.is_empty());
    let id = |paper: &Authorization| paper.channel_id(client).unwrap();
    let last = sign(&bobo.identity, NOW + AUTHORIZATION_SECS - 1);
    assert_eq!(id(&last), id(&papers[0]));
    for _ in 0..FORMER_MAX + 2 {
        let next = sign(&bobo.identity, papers[0].expires_at);
        assert_ne!(id(&next), id(&papers[0]));
        bobo.identity.authorized(next.clone());
        papers.insert(0, next);
    }
    let kept = Identity::from_bytes(&bobo.identity.to_bytes().unwrap()).unwrap();
    let kept: Vec<_> = kept.former.iter().map(|it| id(&it.authorization)).collect();
    let wanted: Vec<_> = papers.iter().skip(1).take(FORMER_MAX).map(id).collect();
    assert_eq!(kept, wanted);
    // Taken up again, a channel is not left; unregistering leaves it.
    bobo.identity.authorized(papers[1].clone());
    assert_eq!(id(&bobo.identity.former[0].authorization), id(&papers[0]));
    bobo.identity.unregistered();
    assert_eq!(id(&bobo.identity.former[0].authorization), id(&papers[1]));
}
