//! What an opened packet asks for, and why it is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use bytes::Bytes;
use layer_minus_message::{Command, CommandEnvelope, Frame, Kind, Reason, Signer};
use layer_minus_node::{Garbage, NodeConfig, Opened, Task, intake};
use layer_minus_packet::{LAYERS_MAX, SealedPacket};
use layer_minus_seal::{ReplyKey, seal_layer};
use layer_minus_wallet::Wallet;
use world::{NETWORK, SMALL, World};

const RESERVE: usize = 2_048;

struct Intake {
    world: World,
    wallet: Wallet,
}

impl Intake {
    fn new() -> Self {
        let mut world = World::new(NodeConfig::default());
        let wallet = Wallet::generate(&mut world.rng);
        Self { world, wallet }
    }

    fn frame(&mut self, kind: Kind, body: impl Into<Bytes>) -> Frame {
        Frame {
            kind,
            reply_key: ReplyKey::generate(&mut self.world.rng),
            expires_at: self.world.now + 600,
            inbox: None,
            body: body.into(),
        }
    }

    /// A layer of that size for the node.
    fn layer(&mut self, frame: &Frame, network: &str, size: usize) -> Bytes {
        let keys = self.world.keys.clone();
        let certificate = keys.keyring.iter().next().unwrap().certificate();
        let head = frame.head(network);
        let parts: [&[u8]; 2] = [&head, &frame.body];
        seal_layer(&mut self.world.rng, &certificate, &parts, size).unwrap()
    }

    fn open(&self, packet: Bytes) -> Result<Opened, Garbage> {
        let keys = &self.world.keys;
        let packet = SealedPacket::admit(packet, &keys.sizes).unwrap();
        intake::open(&packet, keys, self.world.now)
    }

    /// What becomes of such a frame.
    fn task(&mut self, frame: &Frame, network: &str) -> Task {
        let packet = self.layer(frame, network, SMALL as usize);
        let opened = self.open(packet).unwrap();
        assert_eq!(opened.marks.len(), 1, "answered once, whatever it is");
        opened.task
    }

    fn refused(&mut self, kind: Kind, body: impl Into<Bytes>) -> Reason {
        let frame = self.frame(kind, body);
        match self.task(&frame, NETWORK) {
            Task::Refuse(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    /// `status`, signed then, for that node and network.
    fn signed(&mut self, network: &str, to_us: bool, now: u64) -> Vec<u8> {
        let audience = match to_us {
            true => self.world.keys.wallet.address(),
            false => self.wallet.address(),
        };
        let signer = Signer::Wallet(&self.wallet);
        let rng = &mut self.world.rng;
        CommandEnvelope::sign(signer, network, audience, &Command::Status, now, rng)
            .unwrap()
            .to_bytes()
            .unwrap()
    }
}

fn is_malformed(reason: &Reason, word: &str) -> bool {
    matches!(reason, Reason::Malformed { detail } if detail.contains(word))
}

#[test]
fn a_frame_of_another_network_or_time_is_refused() {
    let mut intake = Intake::new();
    let node_time = intake.world.now;
    let frame = intake.frame(Kind::Mail, "x");
    let task = intake.task(&frame, "other-net");
    assert!(
        matches!(task, Task::Refuse(Reason::WrongNetwork)),
        "{task:?}"
    );
    for expires_at in [node_time - 1, node_time + 48 * 3_600] {
        let frame = Frame {
            expires_at,
            ..intake.frame(Kind::Mail, "x")
        };
        let task = intake.task(&frame, NETWORK);
        let Task::Refuse(Reason::StaleTime { node_time: told }) = task else {
            panic!("{task:?}")
        };
        assert_eq!(told, node_time);
    }
}

#[test]
fn a_command_is_refused_with_its_reason() {
    let mut intake = Intake::new();
    let now = intake.world.now;
    let good = intake.signed(NETWORK, true, now);
    let frame = intake.frame(Kind::Command, good.clone());
    assert!(matches!(
        intake.task(&frame, NETWORK),
        Task::Command(command) if command.signer.is_some_and(|s| s.wallet == intake.wallet.address())
    ));

    for stale in [now - 601, now + 601] {
        let body = intake.signed(NETWORK, true, stale);
        assert_eq!(
            intake.refused(Kind::Command, body),
            Reason::StaleTime { node_time: now }
        );
    }
    let elsewhere = intake.signed(NETWORK, false, now);
    assert_eq!(
        intake.refused(Kind::Command, elsewhere),
        Reason::WrongAudience
    );
    let other_network = intake.signed("other-net", true, now);
    assert_eq!(
        intake.refused(Kind::Command, other_network),
        Reason::BadSignature
    );
    let text = String::from_utf8(good).unwrap();
    let changed = text.replace("status", "unregister");
    assert_ne!(changed, text);
    assert_eq!(intake.refused(Kind::Command, changed), Reason::BadSignature);
    let bare = CommandEnvelope {
        payload: r#"{"command":"status"}"#.to_owned(),
        proof: None,
    };
    let reason = intake.refused(Kind::Command, bare.to_bytes().unwrap());
    assert!(
        matches!(reason, Reason::BadSignature | Reason::Malformed { .. }),
        "{reason:?}"
    );
    for unknown in [
        r#"{"command":"dance"}"#,
        r#"{"command":"status","x":1}"#,
        "[]",
    ] {
        let envelope = CommandEnvelope {
            payload: unknown.to_owned(),
            proof: None,
        };
        let reason = intake.refused(Kind::Command, envelope.to_bytes().unwrap());
        assert!(is_malformed(&reason, "command"), "{unknown}: {reason:?}");
    }
    for garbage in ["", "no JSON", "{}"] {
        let reason = intake.refused(Kind::Command, garbage);
        assert!(is_malformed(&reason, ""), "{garbage}: {reason:?}");
    }
}

#[test]
fn mail_that_is_no_message_or_names_nobody_is_refused() {
    let mut intake = Intake::new();
    for body in [&b""[..], b"hello", &[0xc1, 0xff]] {
        let reason = intake.refused(Kind::Mail, Bytes::copy_from_slice(body));
        assert!(
            is_malformed(&reason, "not an OpenPGP message"),
            "{reason:?}"
        );
    }
    // A layer is a message like any other; with its key ID wiped it is for nobody.
    let frame = intake.frame(Kind::Mail, "x");
    let message = intake.layer(&frame, NETWORK, SMALL as usize - 8_192);
    let frame = intake.frame(Kind::Mail, message.clone());
    assert!(matches!(
        intake.task(&frame, NETWORK),
        Task::Mail { message: mail, .. } if mail == message
    ));
    // PKESK v3 (tag 1, 12 bytes): a key ID of zeros, X25519.
    let wild = [&[0xc1, 12, 3][..], &[0; 8], &[25, 0, 0], &[0xd2, 1, 2]].concat();
    let reason = intake.refused(Kind::Mail, wild);
    assert!(is_malformed(&reason, "key"), "{reason:?}");
}

#[test]
fn a_packet_inside_must_be_a_layer_and_a_fifth_is_one_too_many() {
    let mut intake = Intake::new();
    // By its size already.
    let reason = intake.refused(Kind::Packet, "no packet");
    assert!(is_malformed(&reason, ""), "{reason:?}");

    for (layers, allowed) in [(LAYERS_MAX, true), (LAYERS_MAX + 1, false)] {
        let mut packet = Bytes::new();
        for depth in (0..layers).rev() {
            let frame = match packet.is_empty() {
                true => {
                    let now = intake.world.now;
                    let command = intake.signed(NETWORK, true, now);
                    intake.frame(Kind::Command, command)
                }
                false => intake.frame(Kind::Packet, packet),
            };
            packet = intake.layer(&frame, NETWORK, SMALL as usize - depth * RESERVE);
        }
        match intake.open(packet) {
            Ok(Opened {
                task: Task::Command(_),
                marks,
                ..
            }) if allowed => assert_eq!(marks.len(), layers),
            // By its size or by their number.
            Ok(Opened {
                task: Task::Refuse(_),
                ..
            })
            | Err(Garbage::TooDeep)
                if !allowed => {}
            other => panic!("{layers} layers: {other:?}"),
        }
    }
}
