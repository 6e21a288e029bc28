//! Commands: signed, timely, for this node, and nothing else.

use layer_minus_message::command::{key_text, parse_key};
use layer_minus_message::{
    Command, CommandEnvelope, CommandSigner, MessageError, Proof, Purpose, Reason, Registration,
    Signer,
    limits::{CLOCK_WINDOW_SECS, COMMAND_BYTES_MAX},
};
use layer_minus_packet::{Fingerprint, KeyId, Recipient};
use layer_minus_wallet::{Address, DeviceKey, Scope, Wallet};
use proptest::prelude::*;
use serde_json::Value;

use crate::{
    strict::{HARMS, Harm, commands, harmed},
    world::{NETWORK, NOW, rng, world},
};

fn sign(signer: Signer<'_>, command: &Command) -> CommandEnvelope {
    let audience = world().node.address();
    CommandEnvelope::sign(signer, NETWORK, audience, command, NOW, &mut rng(3)).unwrap()
}

fn read(envelope: &CommandEnvelope, now: u64) -> Result<Option<CommandSigner>, Reason> {
    let body = envelope.to_bytes().unwrap();
    CommandEnvelope::read(&body, NETWORK, world().node.address(), now)
        .map(|verified| verified.signer)
}

#[test]
fn every_command_comes_back_with_its_signer() {
    let world = world();
    for (command, _) in commands() {
        for signer in [
            Signer::Wallet(&world.bobo),
            Signer::Device(&world.bobo_device),
        ] {
            let envelope = sign(signer, &command);
            let body = envelope.to_bytes().unwrap();
            let verified =
                CommandEnvelope::read(&body, NETWORK, world.node.address(), NOW).unwrap();
            assert_eq!(verified.command, command);
            let nonce = envelope.proof.unwrap().nonce;
            let expected = CommandSigner {
                wallet: world.bobo.address(),
                nonce,
                time: NOW,
            };
            assert_eq!(verified.signer, Some(expected));
        }
    }
}

#[test]
fn only_questions_that_concern_nobody_need_no_signature() {
    let unsigned: Vec<&str> = commands()
        .iter()
        .filter(|(command, _)| read(&CommandEnvelope::unsigned(command).unwrap(), NOW).is_ok())
        .map(|(command, _)| command.name())
        .collect();
    assert_eq!(unsigned, ["card", "directory", "directory", "who-has"]);
    for (command, _) in commands() {
        let envelope = CommandEnvelope::unsigned(&command).unwrap();
        let expected = if command.needs_signature() {
            Err(Reason::BadSignature)
        } else {
            Ok(None)
        };
        assert_eq!(read(&envelope, NOW), expected, "{command:?}");
    }
}

#[test]
fn a_wrong_clock_is_told_the_nodes_time() {
    let envelope = sign(Signer::Wallet(&world().bobo), &Command::Status);
    for now in [NOW - CLOCK_WINDOW_SECS, NOW, NOW + CLOCK_WINDOW_SECS] {
        assert!(read(&envelope, now).is_ok());
    }
    for now in [
        0,
        NOW - CLOCK_WINDOW_SECS - 1,
        NOW + CLOCK_WINDOW_SECS + 1,
        u64::MAX,
    ] {
        assert_eq!(
            read(&envelope, now),
            Err(Reason::StaleTime { node_time: now })
        );
    }
}

#[test]
fn a_command_for_another_node_or_network_does_not_count_here() {
    let world = world();
    let (elsewhere, here) = (world.peter.address(), world.node.address());
    let sign = |network: &str, audience| {
        let signer = Signer::Device(&world.bobo_device);
        CommandEnvelope::sign(
            signer,
            network,
            audience,
            &Command::Status,
            NOW,
            &mut rng(3),
        )
        .unwrap()
    };
    assert_eq!(
        read(&sign(NETWORK, elsewhere), NOW),
        Err(Reason::WrongAudience)
    );
    assert_eq!(read(&sign("other", here), NOW), Err(Reason::BadSignature));
    // The audience that it names is the one that was signed.
    let mut redirected = sign(NETWORK, elsewhere);
    redirected.proof.as_mut().unwrap().audience = here;
    assert_eq!(read(&redirected, NOW), Err(Reason::BadSignature));
}

#[test]
fn nothing_in_it_can_be_changed() {
    let world = world();
    let signed = sign(Signer::Device(&world.bobo_device), &Command::Status);
    type Change = (&'static str, fn(&mut CommandEnvelope));
    let changes: [Change; 5] = [
        ("payload", |it| {
            it.payload = it.payload.replace("status", "unregister")
        }),
        ("wallet", |it| {
            it.proof.as_mut().unwrap().wallet = Address::repeat_byte(9)
        }),
        ("time", |it| it.proof.as_mut().unwrap().time += 1),
        ("nonce", |it| it.proof.as_mut().unwrap().nonce[15] ^= 1),
        ("device", |it| it.proof.as_mut().unwrap().device = None),
    ];
    for (what, change) in changes {
        let mut changed = signed.clone();
        change(&mut changed);
        assert_eq!(read(&changed, NOW), Err(Reason::BadSignature), "{what}");
    }
}

#[test]
fn a_device_speaks_only_for_its_wallet_in_its_scope_and_time() {
    let world = world();
    let delegated = |scope, from: u64, life_s| {
        DeviceKey::generate(&mut rng(4), &world.bobo, NETWORK, scope, from, life_s).unwrap()
    };
    let told = |device: &DeviceKey| read(&sign(Signer::Device(device), &Command::Status), NOW);
    assert!(told(&delegated(Scope::REQUEST, NOW, 60)).is_ok());
    for (device, why) in [
        (delegated(Scope::MESSAGE, NOW, 60), "scope"),
        (delegated(Scope::ALL, NOW - 60, 60), "expired"),
        (delegated(Scope::ALL, NOW + 3_600, 60), "begin"),
    ] {
        let Err(Reason::BadDelegation { detail }) = told(&device) else {
            panic!("{why}")
        };
        assert!(!detail.is_empty());
    }
    let elsewhere =
        DeviceKey::generate(&mut rng(4), &world.bobo, "other", Scope::ALL, NOW, 60).unwrap();
    assert_eq!(told(&elsewhere), Err(Reason::BadSignature));

    // A stranger's delegation under Bobo's name.
    let mut forged = sign(Signer::Device(&world.peter_device), &Command::Status);
    forged.proof.as_mut().unwrap().wallet = world.bobo.address();
    assert_eq!(read(&forged, NOW), Err(Reason::BadSignature));
    let device = forged.proof.as_mut().unwrap().device.as_mut().unwrap();
    device.wallet = world.bobo.address();
    assert_eq!(read(&forged, NOW), Err(Reason::BadSignature));
}

#[test]
fn what_was_signed_for_one_purpose_is_good_for_no_other() {
    let world = world();
    let (node, content) = (world.node.address(), Command::Status);
    let payload = CommandEnvelope::unsigned(&content).unwrap().payload;
    for purpose in [Purpose::Letter, Purpose::Acceptance, Purpose::Command] {
        let signer = Signer::Wallet(&world.bobo);
        let proof = Proof::sign(
            signer,
            NETWORK,
            purpose,
            node,
            payload.as_bytes(),
            NOW,
            &mut rng(5),
        );
        let proof = Some(proof.unwrap());
        let envelope = CommandEnvelope {
            payload: payload.clone(),
            proof,
        };
        assert_eq!(
            read(&envelope, NOW).is_ok(),
            purpose == Purpose::Command,
            "{purpose:?}"
        );
    }
}

#[test]
fn the_envelope_is_strict() {
    let signed = sign(Signer::Device(&world().bobo_device), &Command::Status);
    let value: Value = serde_json::from_slice(&signed.to_bytes().unwrap()).unwrap();
    let read = |body: &[u8]| CommandEnvelope::read(body, NETWORK, world().node.address(), NOW);
    for harm in HARMS {
        for text in harmed(&value, harm) {
            let told = read(text.as_bytes())
                .map(|verified| verified.signer)
                .expect_err(&text);
            // Without its proof it is unsigned, without its device it is somebody else's.
            let signature = harm == Harm::Null && told == Reason::BadSignature;
            assert!(
                matches!(told, Reason::Malformed { .. }) || signature,
                "{text}: {told}"
            );
        }
    }
    let body = signed.to_bytes().unwrap();
    for cut in 0..body.len() {
        assert!(matches!(read(&body[..cut]), Err(Reason::Malformed { .. })));
    }
    for wrong in [
        &[&body[..], b"{}"].concat()[..],
        &[b" ", &body[..]].concat(),
        b"[]",
        b"null",
    ] {
        assert!(matches!(read(wrong), Err(Reason::Malformed { .. })));
    }
    let listed = CommandEnvelope {
        payload: "[\"status\"]".into(),
        proof: None,
    };
    assert!(matches!(
        read(&listed.to_bytes().unwrap()),
        Err(Reason::Malformed { .. })
    ));
}

#[test]
fn a_command_that_is_too_large_is_neither_written_nor_read() {
    let long = Command::WhoHas {
        key: "a".repeat(COMMAND_BYTES_MAX),
    };
    let refused = CommandEnvelope::unsigned(&long);
    assert!(matches!(
        refused,
        Err(MessageError::TooLarge {
            max: COMMAND_BYTES_MAX,
            ..
        })
    ));
    let quotes = CommandEnvelope {
        payload: "\"".repeat(COMMAND_BYTES_MAX / 2 + 1),
        proof: None,
    };
    assert!(matches!(
        quotes.to_bytes(),
        Err(MessageError::TooLarge { .. })
    ));
    let body = vec![b'{'; COMMAND_BYTES_MAX + 1];
    let told = CommandEnvelope::read(&body, NETWORK, world().node.address(), NOW);
    assert!(matches!(told, Err(Reason::Malformed { detail }) if detail.contains("at most 7000")));
}

#[test]
fn the_largest_honest_command_fits() {
    let world = world();
    for command in [
        Command::Register(Box::new(world.registration())),
        Command::Lane {
            record: world.record.signed.clone(),
            held: Some(world.voucher()),
        },
    ] {
        let bytes = sign(Signer::Device(&world.bobo_device), &command)
            .to_bytes()
            .unwrap()
            .len();
        assert!(bytes <= COMMAND_BYTES_MAX, "{command:?} takes {bytes}");
    }
}

#[test]
fn nothing_prints_what_it_holds() {
    let world = world();
    let register = Command::Register(Box::new(world.registration()));
    let envelope = sign(Signer::Wallet(&world.bobo), &register);
    let shown = format!("{register:?} {envelope:?} {:?}", world.registration());
    let opening = hex::encode(world.authorization.opening);
    for secret in ["k7q-invite", opening.as_str()] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.starts_with("Command(register)"));
}

#[test]
fn keys_to_ask_for_have_three_lengths() {
    for key in [
        Recipient::KeyId(KeyId::from_bytes([0xa1; 8])),
        Recipient::Fingerprint(Fingerprint::V4([0xb2; 20])),
        Recipient::Fingerprint(Fingerprint::V6([0xc3; 32])),
    ] {
        assert_eq!(parse_key(&key_text(&key)).unwrap(), key);
    }
    for text in [
        "",
        "wildcard",
        "0x0123456789abcdef",
        "0123456789abcde",
        "0123456789abcdeg",
    ] {
        assert!(parse_key(text).is_err(), "{text}");
    }
    assert!(parse_key(&key_text(&Recipient::Wildcard)).is_err());
}

#[test]
fn a_registration_is_read_with_its_card_checked() {
    let world = world();
    let command = |change: &dyn Fn(&mut Registration)| {
        let mut registration = world.registration();
        change(&mut registration);
        Command::Register(Box::new(registration))
    };
    let read = |signer: &Wallet, command: &Command| {
        let body = sign(Signer::Wallet(signer), command).to_bytes().unwrap();
        CommandEnvelope::read(&body, NETWORK, world.node.address(), NOW)
    };
    let good = read(&world.bobo, &command(&|_| {})).unwrap();
    assert_eq!(good.card.unwrap().body.wallet, world.bobo.address());
    assert!(read(&world.bobo, &Command::Status).unwrap().card.is_none());
    // Bobo's card in somebody else's registration, and a card that nobody signed.
    assert_eq!(
        read(&world.peter, &command(&|_| {})).unwrap_err(),
        Reason::BadSignature
    );
    let forged =
        command(&|it| it.card.document = it.card.document.replace("\"version\":", "\"version\": "));
    assert_eq!(
        read(&world.bobo, &forged).unwrap_err(),
        Reason::BadSignature
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whoever_signs_is_whom_the_node_sees(
        // Not the first, whose card says who signs it, for which node, network and time.
        seed: u64, audience: [u8; 20], network in "[a-z-]{1,20}", time: u64, which in 1..15_usize,
    ) {
        let (command, _) = commands().swap_remove(which);
        let mut rng = rng(seed);
        let wallet = Wallet::generate(&mut rng);
        let audience = Address::from(audience);
        let signer = Signer::Wallet(&wallet);
        let body =
            CommandEnvelope::sign(signer, &network, audience, &command, time, &mut rng).unwrap();
        let body = body.to_bytes().unwrap();
        let verified = CommandEnvelope::read(&body, &network, audience, time).unwrap();
        prop_assert_eq!(verified.command, command);
        prop_assert_eq!(verified.signer.unwrap().wallet, wallet.address());
    }

    #[test]
    fn a_changed_byte_is_never_a_signed_command(at: prop::sample::Index, byte: u8) {
        let command = Command::Directory { after: Some(Address::ZERO) };
        let mut body = sign(Signer::Device(&world().bobo_device), &command).to_bytes().unwrap();
        let at = at.index(body.len());
        prop_assume!(body[at] != byte);
        // The case of a hexadecimal digit says nothing; all else does.
        let same = body[at].eq_ignore_ascii_case(&byte);
        body[at] = byte;
        let read = CommandEnvelope::read(&body, NETWORK, world().node.address(), NOW);
        prop_assert!(read.is_err() || same);
    }
}
