//! What a layer may hold: anything. None of it panics, and all that is answered is marked as seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::LazyLock;

use bytes::Bytes;
use layer_minus_message::{Frame, Kind};
use layer_minus_node::{NodeKeys, Opened, Task, intake};
use layer_minus_packet::{SealedPacket, Sizes};
use layer_minus_seal::{Keyring, ReplyKey, SecretCertificate, Version, layer_capacity, seal_layer};
use layer_minus_wallet::Wallet;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

const NETWORK: &str = "test-net";
const NOW: u64 = 1_800_000_000;
const SIZE: usize = 16_000;

struct Node {
    keys: NodeKeys,
    secret: SecretCertificate,
}

static NODE: LazyLock<Node> = LazyLock::new(|| {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let wallet = Wallet::generate(&mut rng);
    let name = wallet.address().to_string();
    let secret = SecretCertificate::generate(&mut rng, NOW, Version::V6, &name).unwrap();
    let keys = NodeKeys {
        network: NETWORK.to_owned(),
        wallet,
        cash: Wallet::generate(&mut rng).address(),
        keyring: Keyring::from(secret.clone()),
        sizes: Sizes::default(),
    };
    Node { keys, secret }
});

fn seal(parts: &[&[u8]], size: usize) -> Bytes {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    seal_layer(&mut rng, &NODE.secret.certificate(), parts, size).unwrap()
}

fn open(sealed: Bytes) -> Option<Opened> {
    let packet = SealedPacket::admit(sealed, &NODE.keys.sizes).unwrap();
    intake::open(&packet, &NODE.keys, NOW).ok()
}

fn frame(kind: Kind, body: Bytes) -> Frame {
    Frame {
        kind,
        reply_key: ReplyKey::from_bytes([9; 32]),
        expires_at: NOW + 60,
        inbox: None,
        body,
    }
}

proptest! {
    // Each seals and opens a packet.
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn garbage_in_a_layer_is_garbage(content in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        // Without a reply key that can be read nobody can be told.
        prop_assert!(open(seal(&[&content], SIZE)).is_none());
    }

    #[test]
    fn whatever_a_frame_holds_is_answered_once(
        kind in proptest::sample::select(vec![Kind::Packet, Kind::Mail, Kind::Command]),
        body in proptest::collection::vec(any::<u8>(), 0..2_000),
    ) {
        let frame = frame(kind, body.into());
        let opened = open(seal(&[&frame.head(NETWORK), &frame.body], SIZE)).unwrap();
        prop_assert_eq!(opened.size_bytes, SIZE as u32);
        prop_assert_eq!(opened.marks.len(), 1);
        // Random bytes are no packet and no command; a packet's head may come about in mail.
        prop_assert!(matches!(opened.task, Task::Refuse(_)) || kind == Kind::Mail);
    }

    #[test]
    fn a_changed_byte_of_a_header_is_refused_or_garbage(
        at in any::<proptest::sample::Index>(), byte: u8,
    ) {
        let frame = frame(Kind::Command, Bytes::from_static(b"{}"));
        let mut head = frame.head(NETWORK).to_vec();
        let at = at.index(head.len());
        head[at] = byte;
        if let Some(opened) = open(seal(&[&head, &frame.body], SIZE)) {
            prop_assert!(matches!(opened.task, Task::Refuse(_)), "{:?}", opened.task);
            prop_assert_eq!(opened.marks.len(), 1);
        }
    }

    #[test]
    fn every_layer_of_this_node_is_opened_and_marked(depth in 1_usize..=4) {
        let mut size = SIZE - (depth - 1) * (SIZE - layer_capacity(SIZE));
        let mut packet = Bytes::from_static(b"no OpenPGP message");
        for layer in 0..depth {
            let kind = if layer == 0 { Kind::Mail } else { Kind::Packet };
            let mut frame = frame(kind, packet);
            frame.reply_key = ReplyKey::from_bytes([layer as u8; 32]);
            packet = seal(&[&frame.head(NETWORK), &frame.body], size);
            size += SIZE - layer_capacity(SIZE);
        }
        let opened = open(packet).unwrap();
        prop_assert_eq!(opened.marks.len(), depth);
        prop_assert!(matches!(opened.task, Task::Refuse(_)));
    }
}
