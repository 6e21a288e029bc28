use std::{collections::BTreeMap, sync::LazyLock};

use alloy_primitives::Address;
use layer_minus_packet::{Fingerprint, KeyId};
use proptest::prelude::*;

use super::*;
use crate::{
    Source, TableLimits,
    testing::{Change, LIFE_SECS, NETWORK, NOW, node, table},
};

fn refusal(verdict: &Verdict<'_>) -> Option<Refusal> {
    match verdict {
        Verdict::Refuse(refusal) => Some(*refusal),
        _ => None,
    }
}

#[test]
fn the_verdicts_in_their_order() {
    let mut table = table(TableLimits::default());
    let [mine, known, bare, unknown] =
        [0, 1, 2, 3].map(|number| Recipient::from(node(number).key()));
    table
        .insert(node(1).record(1), Source::Configured, false, NOW)
        .unwrap();
    table
        .insert_unaddressed(node(2).certificates[0].clone(), NOW)
        .unwrap();

    assert!(matches!(decide(&mine, &table, NOW), Verdict::Mine));
    assert!(matches!(decide(&known, &table, NOW),
        Verdict::Forward(record) if record.node() == node(1).address()));
    assert_eq!(
        refusal(&decide(&bare, &table, NOW)),
        Some(Refusal::NoAddress)
    );
    assert!(matches!(decide(&unknown, &table, NOW), Verdict::Ask));
    assert_eq!(
        refusal(&decide(&Recipient::Wildcard, &table, NOW)),
        Some(Refusal::Wildcard)
    );

    for recipient in [mine, known, bare, unknown] {
        table.note_unknown(recipient, NOW);
    }
    assert!(
        matches!(decide(&mine, &table, NOW), Verdict::Mine),
        "what is known wins"
    );
    assert!(matches!(decide(&known, &table, NOW), Verdict::Forward(_)));
    assert_eq!(
        refusal(&decide(&bare, &table, NOW)),
        Some(Refusal::NoAddress)
    );
    assert_eq!(
        refusal(&decide(&unknown, &table, NOW)),
        Some(Refusal::RecentlyUnknown)
    );
    let later = NOW + crate::UNKNOWN_SECS;
    assert!(matches!(decide(&unknown, &table, later), Verdict::Ask));
}

#[test]
fn a_bare_key_that_gets_an_address_routes() {
    let mut table = table(TableLimits::default());
    let key = Recipient::from(node(1).key().key_id());
    table
        .insert_unaddressed(node(1).certificates[0].clone(), NOW)
        .unwrap();
    table
        .insert(node(1).record(1), Source::Peer(Address::ZERO), false, NOW)
        .unwrap();
    assert_eq!(
        refusal(&decide(&key, &table, NOW)),
        Some(Refusal::NoAddress)
    );
    table
        .insert(node(1).record(1), Source::Peer(Address::ZERO), true, NOW)
        .unwrap();
    assert!(matches!(decide(&key, &table, NOW), Verdict::Forward(_)));
}

#[test]
fn a_key_id_is_that_of_the_encryption_subkey() {
    let mut table = table(TableLimits::default());
    table
        .insert(node(1).rotated(1), Source::Configured, false, NOW)
        .unwrap();
    let certificate = &node(1).certificates[1];
    let subkey = Recipient::KeyId(certificate.encryption_key_id());
    let primary = Recipient::KeyId(certificate.fingerprint().key_id());
    assert!(matches!(decide(&subkey, &table, NOW), Verdict::Forward(_)));
    assert!(matches!(decide(&primary, &table, NOW), Verdict::Ask));
}

#[test]
fn a_whole_fingerprint_is_compared_whole() {
    let mut table = table(TableLimits::default());
    table
        .insert(node(1).record(1), Source::Configured, false, NOW)
        .unwrap();
    for real in [node(0).key(), node(1).key()] {
        let Fingerprint::V6(mut bytes) = real else {
            panic!("a version 6 certificate")
        };
        bytes[31] ^= 1;
        let forged = Fingerprint::V6(bytes);
        assert_eq!(forged.key_id(), real.key_id());
        assert!(matches!(decide(&forged.into(), &table, NOW), Verdict::Ask));
        let tail: [u8; 8] = real.key_id().to_bytes();
        let mut v4 = [0; 20];
        v4[12..].copy_from_slice(&tail);
        let other_version = Fingerprint::V4(v4);
        assert_eq!(other_version.key_id(), real.key_id());
        assert!(matches!(
            decide(&other_version.into(), &table, NOW),
            Verdict::Ask
        ));
    }
}

const NODES: usize = 5;
const SEQUENCES: u64 = 4;

/// Records of nodes 1 to 5 with sequence numbers 1 to 4: the odd ones live shorter, from the
/// third on they have the second certificate.
static RECORDS: LazyLock<Vec<Vec<NodeRecord>>> = LazyLock::new(|| {
    (1..=NODES)
        .map(|number| {
            (1..=SEQUENCES)
                .map(|sequence| {
                    let life_secs = Some(LIFE_SECS * (3 - sequence % 2));
                    let certificate =
                        Some(node(number).certificates[usize::from(sequence > 2)].clone());
                    node(number).changed(
                        sequence,
                        Change {
                            certificate,
                            life_secs,
                            ..Change::default()
                        },
                    )
                })
                .collect()
        })
        .collect()
});

#[derive(Clone, Debug)]
enum Step {
    Insert {
        node: usize,
        sequence: usize,
        source: Source,
        proved: bool,
    },
    Bare {
        node: usize,
        certificate: usize,
    },
    Unknown(Recipient),
    Clean,
    Wait(u64),
}

/// Whom packets may be for: every key there is, by both names, and others.
fn recipients() -> impl Strategy<Value = Recipient> {
    let key = (0..=NODES, 0..2_usize, any::<bool>()).prop_map(|(number, certificate, whole)| {
        let key = node(number).certificates[certificate].encryption_key();
        if whole {
            key.into()
        } else {
            key.key_id().into()
        }
    });
    prop_oneof![
        8 => key,
        1 => any::<[u8; 8]>().prop_map(|bytes| KeyId::from_bytes(bytes).into()),
        1 => any::<[u8; 32]>().prop_map(|bytes| Fingerprint::V6(bytes).into()),
        1 => Just(Recipient::Wildcard),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let source = prop_oneof![
        1 => Just(Source::Configured),
        4 => (1..3_u8).prop_map(|peer| Source::Peer(Address::repeat_byte(peer))),
    ];
    let step = prop_oneof![
        8 => (0..NODES, 0..SEQUENCES as usize, source, any::<bool>()).prop_map(
            |(node, sequence, source, proved)| Step::Insert { node, sequence, source, proved }
        ),
        2 => (1..=NODES, 0..2_usize)
            .prop_map(|(node, certificate)| Step::Bare { node, certificate }),
        2 => recipients().prop_map(Step::Unknown),
        1 => Just(Step::Clean),
        2 => (0..LIFE_SECS).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..40)
}

/// What a table must have been told before it may forward: which keys of a node somebody proved,
/// and which nodes were configured.
#[derive(Default)]
struct Told {
    proved: BTreeMap<Address, Vec<Fingerprint>>,
    configured: Vec<Address>,
}

fn run(steps: &[Step], limits: TableLimits) -> (Table, Told, u64) {
    let (mut table, mut told, mut now) = (table(limits), Told::default(), NOW);
    for step in steps {
        match step {
            Step::Insert {
                node,
                sequence,
                source,
                proved,
            } => {
                let record = RECORDS[*node][*sequence].clone();
                let (address, key) = (record.node(), record.certificate.encryption_key());
                let known = table.record(&address).map(|known| known.body.sequence);
                if table.insert(record, *source, *proved, now).is_ok() {
                    if *proved {
                        told.proved.entry(address).or_default().push(key);
                    }
                    if *source == Source::Configured {
                        told.configured.push(address);
                    }
                    let kept = table.record(&address).unwrap().body.sequence;
                    assert_eq!(Some(kept), known.max(Some(*sequence as u64 + 1)));
                }
            }
            Step::Bare {
                node: number,
                certificate,
            } => {
                let certificate = node(*number).certificates[*certificate].clone();
                let _full_or_not = table.insert_unaddressed(certificate, now);
            }
            Step::Unknown(recipient) => table.note_unknown(*recipient, now),
            Step::Clean => table.remove_expired(now),
            Step::Wait(secs) => now += secs,
        }
        table.check_invariants();
    }
    (table, told, now)
}

const TIGHT: TableLimits = TableLimits {
    nodes_max: 3,
    per_peer_max: 2,
    unaddressed_max: 3,
    unknown_max: 3,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn decide_keeps_its_rules(
        steps in steps(),
        recipients in proptest::collection::vec(recipients(), 1..12),
        tight: bool,
    ) {
        let limits = if tight { TIGHT } else { TableLimits::default() };
        let (table, told, now) = run(&steps, limits);
        let (again, _, _) = run(&steps, limits);
        for recipient in recipients {
            let verdict = decide(&recipient, &table, now);
            prop_assert_eq!(
                format!("{verdict:?}"), format!("{:?}", decide(&recipient, &again, now)),
                "the same steps, the same verdict"
            );
            let mine = recipient.matches(&node(0).key());
            prop_assert_eq!(mine, matches!(verdict, Verdict::Mine));
            prop_assert_eq!(
                recipient.is_wildcard(), refusal(&verdict) == Some(Refusal::Wildcard)
            );
            if let Verdict::Forward(record) = verdict {
                let address = record.node();
                prop_assert_ne!(address, node(0).address());
                prop_assert!(now <= record.body.valid_until, "never to an expired entry");
                prop_assert_eq!(record.body.network.as_str(), NETWORK);
                let proved = told.proved.get(&address).into_iter().flatten();
                prop_assert!(
                    told.configured.contains(&address)
                        || proved.into_iter().any(|key| recipient.matches(key)),
                    "never to an unproved entry"
                );
            }
        }
    }

    /// With room for all, what is live and proved or configured is found.
    #[test]
    fn what_may_route_does(mut steps in steps(), number in 1..=NODES) {
        // A peer's entry that expired, was dropped and came back has to be proved again.
        steps.retain(|step| !matches!(step, Step::Clean));
        let (table, told, now) = run(&steps, TableLimits::default());
        let address = node(number).address();
        let Some(record) = table.record(&address) else { return Ok(()) };
        let key = record.certificate.encryption_key();
        let proved = told.proved.get(&address).is_some_and(|keys| keys.contains(&key));
        let may = now <= record.body.valid_until && (proved || told.configured.contains(&address));
        let forwarded = matches!(decide(&key.into(), &table, now), Verdict::Forward(to)
            if to.node() == address);
        prop_assert_eq!(forwarded, may);
    }
}
