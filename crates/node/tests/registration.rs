//! Who becomes a client, and what everybody else is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../routing/src/testing/theft.rs"]
mod theft;
mod world;

use layer_minus_delivery::{ConsumerId, Mode};
use layer_minus_message::{
    Answer, Card, CardBody, Command, Listen, Reason, SignedDocument, limits::CLOCK_WINDOW_SECS,
};
use layer_minus_node::{Effect, Event, NodeConfig, admin};
use layer_minus_seal::{Keyring, SecretCertificate, Version, open_layer};
use layer_minus_wallet::Address;
use world::{DOLLAR_PUSD, DOLLAR_UNITS, NETWORK, Person, START, World};

fn world() -> World {
    World::new(NodeConfig::default())
}

fn refusal(answer: Answer) -> Reason {
    match answer {
        Answer::Refused(reason) => reason,
        other => panic!("not refused but {other:?}"),
    }
}

/// Registers with a changed registration and returns the reason of the refusal.
fn refused_with(
    world: &mut World,
    person: &Person,
    change: impl FnOnce(&mut layer_minus_message::Registration),
) -> Reason {
    let mut command = world.registration(person, None);
    if let Command::Register(registration) = &mut command {
        change(registration);
    }
    refusal(world.command(person.address(), command))
}

fn card(world: &World, person: &Person, change: impl FnOnce(&mut CardBody)) -> SignedDocument {
    let mut body = CardBody {
        network: NETWORK.to_owned(),
        wallet: person.address(),
        node: world.keys.wallet.address(),
        certificate: person.certificate.certificate().to_bytes(),
        valid_from: world.now,
        valid_until: world.now + 3_600,
        version: 1,
    };
    change(&mut body);
    Card::sign(&person.wallet, body).unwrap().signed
}

#[test]
fn possession_is_proved_and_then_the_client_is_there() {
    let mut world = world();
    let bobo = world.person();
    world.grant(&bobo, DOLLAR_PUSD);
    let command = world.registration(&bobo, None);
    let challenge = world.challenge(&bobo, command.clone());
    let listen = Listen {
        consumer: ConsumerId::new([1; 16]),
        mode: Mode::Each,
    };
    // A wrong nonce ends the attempt: it cannot be guessed twice.
    let wrong = Command::Confirm {
        challenge: [9; 32],
        listen: None,
    };
    assert_eq!(
        refusal(world.command(bobo.address(), wrong)),
        Reason::PossessionNotProved
    );
    let late = Command::Confirm {
        challenge,
        listen: None,
    };
    assert_eq!(
        refusal(world.command(bobo.address(), late)),
        Reason::PossessionNotProved
    );

    let challenge = world.challenge(&bobo, command);
    let confirm = Command::Confirm {
        challenge,
        listen: Some(listen),
    };
    let (id, effects) = world.command_on(bobo.address(), confirm, None);
    let Some(Effect::Stream { request, first, .. }) = effects.first() else {
        panic!("no stream but {effects:?}")
    };
    assert_eq!(*request, id);
    assert!(
        matches!(first[..], [Answer::Registered(_), Answer::Listening { .. }]),
        "{first:?}"
    );
    assert_eq!(admin::totals(world.node.store()).unwrap().clients, 1);
}

/// Eve's card with a certificate of her own, under which `victim`'s key is bound.
fn with_the_key_of(world: &mut World, eve: &Person, victim: &Person) -> SignedDocument {
    let (name, victim) = (eve.address().to_string(), victim.certificate.certificate());
    let stolen = theft::steal(&mut world.rng, &name, &victim, START);
    assert_eq!(stolen.encryption_key(), victim.encryption_key());
    card(world, eve, |body| body.certificate = stolen.to_bytes())
}

#[test]
fn somebody_elses_key_cannot_be_registered() {
    let mut world = world();
    let bobo = world.client();
    let eve = world.person();
    world.grant(&eve, DOLLAR_PUSD);
    // Bobo's key is live here.
    let stolen = with_the_key_of(&mut world, &eve, &bobo);
    let reason = refused_with(&mut world, &eve, |r| r.card = stolen);
    assert_eq!(reason, Reason::KeyTaken);

    // Carol's is not yet: Eve is asked to open what is sealed to it, and cannot.
    let carol = world.person();
    let stolen = with_the_key_of(&mut world, &eve, &carol);
    let mut command = world.registration(&eve, None);
    if let Command::Register(registration) = &mut command {
        registration.card = stolen;
    }
    let Answer::Challenge { sealed } = world.command(eve.address(), command) else {
        panic!("no challenge")
    };
    let keys = Keyring::from(eve.certificate.clone());
    assert!(open_layer(&sealed, &keys).is_err());
    let guess = Command::Confirm {
        challenge: [0; 32],
        listen: None,
    };
    assert_eq!(
        refusal(world.command(eve.address(), guess)),
        Reason::PossessionNotProved
    );
    // Nor does she keep Carol out.
    world.grant(&carol, DOLLAR_PUSD);
    let command = world.registration(&carol, None);
    world.challenge(&carol, command);

    // A certificate in Bobo's name does not go with Eve's card.
    let stolen = bobo.certificate.certificate().to_bytes();
    let body = CardBody {
        network: NETWORK.to_owned(),
        wallet: eve.address(),
        node: world.keys.wallet.address(),
        certificate: stolen,
        valid_from: world.now,
        valid_until: world.now + 3_600,
        version: 1,
    };
    assert!(
        Card::sign(&eve.wallet, body).is_err(),
        "the certificate names Bobo"
    );
}

#[test]
fn the_reasons_are_clear() {
    let mut world = world();
    let bobo = world.person();
    let eve = world.person();
    assert_eq!(
        refused_with(&mut world, &bobo, |_| {}),
        Reason::NotBacked { granted_pusd: 0 }
    );
    world.grant(&bobo, DOLLAR_PUSD);

    let other = card(&world, &bobo, |body| body.node = Address::repeat_byte(1));
    assert_eq!(
        refused_with(&mut world, &bobo, |r| r.card = other),
        Reason::WrongAudience
    );
    let network = card(&world, &bobo, |body| body.network = "other-net".to_owned());
    assert_eq!(
        refused_with(&mut world, &bobo, |r| r.card = network),
        Reason::WrongNetwork
    );
    let eves = card(&world, &eve, |_| {});
    assert_eq!(
        refused_with(&mut world, &bobo, |r| r.card = eves),
        Reason::BadSignature
    );

    let eves = eve.authorization.clone();
    let reason = refused_with(&mut world, &bobo, |r| r.authorization = eves);
    assert!(
        matches!(reason, Reason::BadAuthorization { .. }),
        "{reason:?}"
    );
    let receiver = refused_with(&mut world, &bobo, |r| {
        r.authorization.receiver = Address::repeat_byte(2);
    });
    assert!(
        matches!(receiver, Reason::BadAuthorization { .. }),
        "{receiver:?}"
    );
    let forged = refused_with(&mut world, &bobo, |r| r.authorization.limit_units += 1);
    assert!(
        matches!(forged, Reason::BadAuthorization { .. }),
        "{forged:?}"
    );

    let small = world.authorization(&bobo.wallet, &bobo.cash, 0);
    assert_eq!(
        refused_with(&mut world, &bobo, |r| r.authorization = small),
        Reason::AuthorizationTooSmall {
            minimum_pusd: 1_000_000
        }
    );
    let large = world.authorization(&bobo.wallet, &bobo.cash, 2 * DOLLAR_UNITS);
    assert_eq!(
        refused_with(&mut world, &bobo, |r| r.authorization = large),
        Reason::NotBacked {
            granted_pusd: DOLLAR_PUSD
        }
    );
    world.now += 91 * 24 * 3_600;
    assert_eq!(
        refused_with(&mut world, &bobo, |_| {}),
        Reason::AuthorizationExpired
    );
}

/// Strangers had the one writer verify OpenPGP certificates, for which nobody paid.
#[test]
fn the_writer_reads_no_card_and_looks_at_the_backing_first() {
    let mut world = world();
    let bobo = world.person();
    let command = world.registration(&bobo, None);
    let Command::Register(mut registration) = command else {
        panic!("no registration")
    };
    registration.card.document = "a card that costs much to read".to_owned();
    let ask = |world: &mut World| {
        let request = world.request(None, 16_000);
        let id = request.id;
        let command = Command::Register(registration.clone());
        let command = world.verified(bobo.address(), command);
        assert!(command.card.is_none());
        let effects = world.run(vec![Event::Command { request, command }]);
        refusal(world::answer_to(&effects, id))
    };
    assert_eq!(ask(&mut world), Reason::NotBacked { granted_pusd: 0 });
    world.grant(&bobo, DOLLAR_PUSD);
    assert_eq!(ask(&mut world), Reason::BadSignature);
}

#[test]
fn an_invite_works_once() {
    let mut world = world();
    let code = {
        let mut rng = world.rng.clone();
        admin::invite(world.node.store_mut(), DOLLAR_PUSD, &mut rng).unwrap()
    };
    let (bobo, eve) = (world.person(), world.person());
    let for_bobo = world.registration(&bobo, Some(code.clone()));
    let for_eve = world.registration(&eve, Some(code.clone()));
    // Both may try; the one who tried last has the one open challenge.
    let eves = world.challenge(&eve, for_eve);
    let bobos = world.challenge(&bobo, for_bobo);
    let confirm = |challenge| Command::Confirm {
        challenge,
        listen: None,
    };
    assert_eq!(
        refusal(world.command(eve.address(), confirm(eves))),
        Reason::PossessionNotProved
    );
    let answer = world.command(bobo.address(), confirm(bobos));
    assert!(matches!(answer, Answer::Registered(_)), "{answer:?}");
    let again = world.registration(&eve, Some(code));
    assert_eq!(
        refusal(world.command(eve.address(), again)),
        Reason::BadInvite
    );
}

#[test]
fn a_relay_takes_no_clients() {
    let mut world = World::new(NodeConfig {
        takes_clients: false,
        ..NodeConfig::default()
    });
    let bobo = world.person();
    let reason = refused_with(&mut world, &bobo, |_| {});
    assert!(matches!(reason, Reason::OverLimit { .. }), "{reason:?}");
}

#[test]
fn only_clients_may_ask_for_what_is_a_clients() {
    let mut world = world();
    let eve = world.person();
    let listen = Listen {
        consumer: ConsumerId::new([1; 16]),
        mode: Mode::Each,
    };
    let authorize = Command::Authorize(Box::new(eve.authorization.clone()));
    let ack = world.ack(1, Some(0), &[]);
    for command in [
        Command::Status,
        Command::Listen(listen),
        authorize,
        ack,
        Command::Unregister,
    ] {
        assert_eq!(
            refusal(world.command(eve.address(), command)),
            Reason::NotRegistered
        );
    }
}

#[test]
fn a_frame_and_a_nonce_count_once() {
    let mut world = world();
    let bobo = world.client();
    let request = world.request(None, 16_000);
    let command = world.verified(bobo.address(), Command::Status);
    let event = Event::Command {
        request: request.clone(),
        command: command.clone(),
    };
    assert!(matches!(
        world.run(vec![event.clone()])[..],
        [Effect::Answer { .. }]
    ));
    assert_eq!(
        world.run(vec![event.clone()]),
        [Effect::Garbage {
            request: request.id
        }]
    );
    world.restart();
    assert_eq!(
        world.run(vec![event]),
        [Effect::Garbage {
            request: request.id
        }]
    );
    // The same signed command in a fresh frame.
    let request = world.request(None, 16_000);
    let id = request.id;
    let effects = world.run(vec![Event::Command { request, command }]);
    assert_eq!(
        refusal(world::answer_to(&effects, id)),
        Reason::ReplayedNonce
    );
    // What was seen is forgotten only when it would be refused for its age.
    world.tick(3 * CLOCK_WINDOW_SECS);
    let store = world.node.store();
    let seen =
        layer_minus_node::Store::scan(store, layer_minus_node::Table::Seen, &[], &[0xff; 33], 10);
    assert_eq!(seen.unwrap(), []);
}

#[test]
fn a_new_certificate_takes_over_and_the_old_key_routes_until_its_card_expires() {
    let mut world = world();
    let mut bobo = world.client();
    let old = bobo.key();
    let name = bobo.address().to_string();
    bobo.certificate =
        SecretCertificate::generate(&mut world.rng, START, Version::V6, &name).unwrap();
    bobo.version = 2;
    let command = world.registration(&bobo, None);
    let challenge = world.challenge(&bobo, command);
    let answer = world.command(
        bobo.address(),
        Command::Confirm {
            challenge,
            listen: None,
        },
    );
    assert!(matches!(answer, Answer::Registered(_)), "{answer:?}");
    world.mail(&bobo, b"to the new key");
    let mail_to_old = |world: &mut World| {
        let (id, mut event) = world.mail_event(&bobo, b"to the old key", 16_000);
        if let Event::Mail { recipient, .. } = &mut event {
            *recipient = old;
        }
        let effects = world.run(vec![event]);
        world::answer_to(&effects, id)
    };
    assert!(matches!(mail_to_old(&mut world), Answer::Accepted(_)));
    world.tick(21 * 24 * 3_600);
    let later = mail_to_old(&mut world);
    assert_eq!(refusal(later), Reason::UnknownClient);
}

#[test]
fn an_older_card_does_not_replace_a_newer_one() {
    let mut world = world();
    let mut bobo = world.person();
    bobo.version = 5;
    world.grant(&bobo, DOLLAR_PUSD);
    let command = world.registration(&bobo, None);
    let challenge = world.challenge(&bobo, command);
    world.command(
        bobo.address(),
        Command::Confirm {
            challenge,
            listen: None,
        },
    );
    bobo.version = 4;
    let reason = refused_with(&mut world, &bobo, |_| {});
    assert!(matches!(reason, Reason::Malformed { .. }), "{reason:?}");
}
