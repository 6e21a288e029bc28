//! Answers, acceptances and pushed packets.

use bytes::Bytes;
use layer_minus_ledger::{Amount, Sum};
use layer_minus_message::{
    Acceptance, Answer, Charge, ChargeKind, Content, MessageError, Position, Proof, Purpose,
    PushedPacket, Signer, Statement,
    answer::PUSH_HEAD_BYTES,
    limits::{ANSWER_BYTES_MAX, ANSWER_SIZES, STATEMENT_CHARGES_MAX},
};
use layer_minus_seal::RECORD_FIRST_OVERHEAD;
use layer_minus_wallet::{Address, DeviceKey, Scope};
use proptest::prelude::*;

use crate::{
    strict::answers,
    world::{NETWORK, NOW, rng, world},
};

#[test]
fn every_answer_comes_back() {
    for (answer, _) in answers() {
        let content = Content::from(answer);
        let bytes = content.to_bytes().unwrap();
        assert_eq!(Content::read(&bytes).unwrap(), content);
        for cut in 0..bytes.len() {
            assert!(
                Content::read(&bytes.slice(..cut)).is_err(),
                "{content:?} cut at {cut}"
            );
        }
        let longer: Bytes = [&bytes[..], b"\0"].concat().into();
        assert!(Content::read(&longer).is_err());
    }
}

#[test]
fn an_acceptance_is_the_nodes_word() {
    let world = world();
    let (node, acceptance) = (world.node.address(), world.acceptance());
    let body = acceptance.verify(NETWORK, node, NOW).unwrap();
    assert_eq!(body, world.acceptance_body());
    assert!(matches!(
        acceptance.verify(NETWORK, world.peter.address(), NOW),
        Err(MessageError::WrongSigner { found, expected })
            if found == node && expected == world.peter.address()
    ));
    assert!(acceptance.verify("other", node, NOW).is_err());
    let mut forged = acceptance.clone();
    forged.document = forged
        .document
        .replace(&NOW.to_string(), &(NOW + 1).to_string());
    assert!(forged.verify(NETWORK, node, NOW).is_err());
    assert_ne!(forged.digest(), acceptance.digest());
    let mut renamed = acceptance;
    renamed.proof.wallet = world.peter.address();
    assert!(renamed.verify(NETWORK, world.peter.address(), NOW).is_err());
}

#[test]
fn a_node_may_accept_with_a_device_key_of_the_right_scope() {
    let world = world();
    let node = world.node.address();
    let document = world.acceptance().document;
    let accept = |device: &DeviceKey| {
        let signer = Signer::Device(device);
        let content = document.as_bytes();
        let purpose = Purpose::Acceptance;
        let proof = Proof::sign(
            signer,
            NETWORK,
            purpose,
            Address::ZERO,
            content,
            NOW,
            &mut rng(6),
        );
        Acceptance {
            document: document.clone(),
            proof: proof.unwrap(),
        }
    };
    assert!(
        accept(&world.node_device)
            .verify(NETWORK, node, NOW)
            .is_ok()
    );
    let writer =
        DeviceKey::generate(&mut rng(7), &world.node, NETWORK, Scope::MESSAGE, NOW, 60).unwrap();
    assert!(accept(&writer).verify(NETWORK, node, NOW).is_err());
}

#[test]
fn what_was_signed_for_another_purpose_is_no_acceptance() {
    let world = world();
    let document = world.acceptance().document;
    for purpose in [Purpose::Command, Purpose::Letter] {
        let signer = Signer::Wallet(&world.node);
        let content = document.as_bytes();
        let proof = Proof::sign(
            signer,
            NETWORK,
            purpose,
            Address::ZERO,
            content,
            NOW,
            &mut rng(8),
        );
        let acceptance = Acceptance {
            document: document.clone(),
            proof: proof.unwrap(),
        };
        assert!(
            acceptance
                .verify(NETWORK, world.node.address(), NOW)
                .is_err()
        );
    }
}

#[test]
fn an_acceptance_and_a_full_page_of_records_fit_the_answer_sizes() {
    let world = world();
    let accepted = Content::from(Answer::Accepted(world.acceptance()))
        .to_bytes()
        .unwrap();
    assert!(
        accepted.len() + RECORD_FIRST_OVERHEAD <= ANSWER_SIZES[0],
        "{}",
        accepted.len()
    );
    assert!(1 + ANSWER_BYTES_MAX + RECORD_FIRST_OVERHEAD <= ANSWER_SIZES[2]);
    let page = |records| Answer::Directory {
        records: vec![world.record.signed.clone(); records],
        more: true,
    };
    assert!(Content::from(page(10)).to_bytes().is_ok());
    assert!(matches!(
        Content::from(page(60)).to_bytes(),
        Err(MessageError::TooLarge {
            max: ANSWER_BYTES_MAX,
            ..
        })
    ));
}

#[test]
fn a_full_page_of_a_statement_fits_whatever_its_numbers_are() {
    let charge = Charge {
        seq: u64::MAX,
        at: u64::MAX,
        kind: ChargeKind::PushAgain,
        bytes: u32::MAX,
        amount_pusd: Amount::MAX,
        balance_pusd: Sum::MAX,
    };
    let page = Answer::Statement(Statement {
        opening_seq: u64::MAX,
        opening_pusd: Sum::MAX,
        charges: vec![charge; STATEMENT_CHARGES_MAX],
        more: true,
        charged_pusd: Sum::MAX,
    });
    assert!(Content::from(page).to_bytes().is_ok());
}

#[test]
fn unknown_types_and_long_answers_are_refused() {
    for bytes in [&[][..], &[0], &[2], &[0xff; 40], &[1; PUSH_HEAD_BYTES - 1]] {
        assert!(Content::read(&Bytes::copy_from_slice(bytes)).is_err());
    }
    let long = [&[0][..], &vec![b' '; ANSWER_BYTES_MAX + 1]].concat();
    assert!(matches!(
        Content::read(&long.into()),
        Err(MessageError::TooLarge { .. })
    ));
    let list: Bytes = [&[0][..], br#"["unregistered"]"#].concat().into();
    assert!(Content::read(&list).is_err());
}

#[test]
fn a_pushed_packet_is_laid_out_as_documented() {
    let packet = PushedPacket {
        position: Position {
            generation: 1,
            seq: 0x0203,
        },
        accepted_at: 0x04,
        message: Bytes::from_static(b"N1"),
    };
    let bytes = Content::Packet(packet).to_bytes().unwrap();
    let expected = "01 0000000000000001 0000000000000203 0000000000000004 4e31".replace(' ', "");
    assert_eq!(hex::encode(&bytes), expected);
}

#[test]
fn a_lane_key_is_not_printed() {
    let lane = answers()
        .into_iter()
        .find(|(answer, _)| matches!(answer, Answer::LaneOpen { .. }));
    let shown = format!("{:?}", lane.unwrap());
    assert!(
        shown.contains("[scrubbed]") && !shown.contains("30, 30, 30"),
        "{shown}"
    );
}

proptest! {
    #[test]
    fn any_pushed_packet_comes_back(
        generation: u64, seq: u64, accepted_at: u64,
        message in proptest::collection::vec(any::<u8>(), 0..500),
    ) {
        let position = Position { generation, seq };
        let packet = PushedPacket { position, accepted_at, message: message.into() };
        let content = Content::Packet(packet);
        prop_assert_eq!(Content::read(&content.to_bytes().unwrap()).unwrap(), content);
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        if let Ok(content) = Content::read(&bytes) {
            prop_assert_eq!(content.to_bytes().unwrap(), bytes);
        }
    }
}
