//! Packets inside packets: which are opened and passed on, and which are refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// A test may read files and make keys by chance.
#![allow(clippy::disallowed_methods)]

mod world;

use bytes::Bytes;
use layer_minus_message::{Command, CommandEnvelope, Frame, Kind, Reason};
use layer_minus_node::{NodeConfig, NodeKeys, Task, intake};
use layer_minus_packet::{LAYER_RESERVE, SealedPacket};
use layer_minus_seal::{Certificate, ReplyKey, seal_layer};
use world::{LARGE, NETWORK, SMALL, World};

struct Two {
    keys: [std::sync::Arc<NodeKeys>; 2],
    now: u64,
}

impl Two {
    fn new() -> Self {
        let one = World::new(NodeConfig::default());
        let other = World::other(NodeConfig::default());
        Self {
            now: one.now,
            keys: [one.keys, other.keys],
        }
    }

    fn certificate(&self, node: usize) -> Certificate {
        let keys = self.keys[node].keyring.iter().next().unwrap();
        keys.certificate().clone()
    }

    fn layer(&self, node: usize, kind: Kind, body: &[u8], size: usize) -> Bytes {
        let mut rng = rand::rngs::OsRng;
        let frame = Frame {
            kind,
            reply_key: ReplyKey::generate(&mut rng),
            expires_at: self.now + 3_600,
            inbox: None,
            body: Bytes::copy_from_slice(body),
        };
        let head = frame.head(NETWORK);
        seal_layer(&mut rng, &self.certificate(node), &[&head, body], size).unwrap()
    }

    fn command(&self, node: usize, size: usize) -> Bytes {
        let question = CommandEnvelope::unsigned(&Command::Directory { after: None }).unwrap();
        self.layer(node, Kind::Command, &question.to_bytes().unwrap(), size)
    }

    /// What becomes of a packet of two layers.
    fn inside(&self, size: u32, inner: usize, nodes: [usize; 2]) -> Task {
        let inner = self.command(nodes[1], inner);
        self.open(
            self.layer(nodes[0], Kind::Packet, &inner, size as usize),
            nodes[0],
        )
    }

    fn open(&self, packet: Bytes, node: usize) -> Task {
        let keys = &self.keys[node];
        let packet = SealedPacket::admit(packet, &keys.sizes).unwrap();
        intake::open(&packet, keys, self.now).unwrap().task
    }
}

fn is_refused(task: &Task) -> bool {
    matches!(task, Task::Refuse(Reason::Malformed { detail }) if detail.contains("size of a layer"))
}

/// The sizes of the specification's vectors.
#[test]
fn a_packet_inside_has_the_size_of_a_layer_or_is_refused() {
    let two = Two::new();
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/spec/vectors/layers.json"
    );
    let vectors: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let listed: Vec<u64> = [SMALL, LARGE].map(u64::from).to_vec();
    let mut seen = Vec::new();
    for vector in vectors["packets"].as_array().unwrap() {
        let size = vector["size_bytes"].as_u64().unwrap();
        seen.push(size);
        for (field, wanted) in [("accepted_inside", false), ("refused_inside", true)] {
            for inner in vector[field].as_array().unwrap() {
                let inner = inner.as_u64().unwrap() as usize;
                for nodes in [[0, 0], [0, 1]] {
                    let task = two.inside(size as u32, inner, nodes);
                    assert_eq!(is_refused(&task), wanted, "{inner} in {size}: {task:?}");
                }
            }
        }
    }
    assert_eq!(seen, listed);
}

/// One packet of many thin layers went from node to node as often as it had layers.
#[test]
fn a_packet_gets_smaller_at_every_node_and_is_passed_on_three_times_at_most() {
    let two = Two::new();
    let size = SMALL as usize;
    // As many layers as fit, for one node after the other, thin ones at the bottom.
    for reserve in [400, LAYER_RESERVE] {
        let mut node = 0;
        let depths = if reserve == LAYER_RESERVE { 4 } else { 20 };
        let mut packet = two.command(node, size - (depths - 1) * reserve);
        for depth in (0..depths - 1).rev() {
            node = 1 - node;
            packet = two.layer(node, Kind::Packet, &packet, size - depth * reserve);
        }
        let mut passes = 0;
        loop {
            match two.open(packet, node) {
                Task::Onward { packet: inner, .. } => {
                    passes += 1;
                    node = 1 - node;
                    let next = two.certificate(node);
                    let mut rng = rand::rngs::OsRng;
                    let wrapped =
                        intake::wrap_onward(inner, &next, SMALL, NETWORK, two.now, &mut rng);
                    packet = wrapped.unwrap().0;
                }
                Task::Command(_) => break assert_eq!((reserve, passes), (LAYER_RESERVE, 3)),
                refused => break assert!(is_refused(&refused) && passes == 0, "{refused:?}"),
            }
        }
    }
}

#[test]
fn below_the_first_layer_only_the_next_size_is_taken() {
    let two = Two::new();
    let size = SMALL as usize;
    let nested = |inner: usize| {
        let inner = two.command(1, size - inner * LAYER_RESERVE);
        let middle = two.layer(0, Kind::Packet, &inner, size - LAYER_RESERVE);
        two.open(two.layer(0, Kind::Packet, &middle, size), 0)
    };
    assert!(matches!(nested(2), Task::Onward { .. }));
    assert!(is_refused(&nested(3)), "a layer was left out");
}
